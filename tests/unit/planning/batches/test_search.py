# SPDX-License-Identifier: Apache-2.0

"""Batches that are found: as good as the best, and never against a rule."""

import random
import typing as ty

import hypothesis
from hypothesis import strategies as st
import pytest

from osc_hostmaint.planning.batches import plan as plans
from osc_hostmaint.planning.batches import rules as batch_rules
from osc_hostmaint.planning.batches import search
from osc_hostmaint.planning.batches import state as states
from osc_hostmaint.planning.capacity import eligible
from tests import unit
from tests.unit.planning.batches import exact
from tests.unit.planning.batches import problems


class SmallTestCase(unit.TestCase):
    """At most 6 hosts and 8 servers: the best plan can be found."""

    @unit.cases(*range(12))
    def test_as_good_as_the_best(self, number: int) -> None:
        self._check(number)

    @pytest.mark.soak
    def test_two_hundred_as_good_as_the_best(self) -> None:
        compared = sum(self._check(number) for number in range(12, 300))
        self.assertLessEqual(200, compared)

    def _check(self, number: int) -> bool:
        """Compare a plan with the best; False: that takes too long."""
        rng = random.Random(number)
        size = rng.choice((4, 6, 8))
        layout = problems.layout_of(rng, rng.randint(3, 6), 8, size)
        hosts = tuple(layout)
        elsewhere = ('other',) * rng.choice((0, 0, 1))
        groups = problems.groups_of(rng, layout, 2)
        at_once, share = rng.choice((2, 3)), rng.choice((25, 50, 100))
        racks = {f'rack-{n}': hosts[n::2] for n in range(2)}
        homes = {i: h for h, servers in layout.items() for i in servers}
        numbers = {server_id: n for n, server_id in enumerate(homes)}
        areas = [*racks.values(), (*hosts, *elsewhere)]
        problem = exact.Problem(
            hosts=hosts,
            elsewhere=elsewhere,
            size=size,
            sizes=tuple(layout[home][i] for i, home in homes.items()),
            homes=tuple(homes.values()),
            groups=tuple(
                tuple(numbers[member] for member in group.members)
                for group in groups
            ),
            areas=tuple(
                (frozenset(area), max(1, len(area) * share // 100))
                for area in areas
            ),
            at_once=at_once,
        )
        try:
            best = exact.best(problem)
        except exact.GivenUp:
            return False
        layout |= {host: {} for host in elsewhere}
        seen = problems.seen(layout, size=size, racks=racks, groups=groups)
        found = plans.plan(
            seen, frozenset(hosts), at_once=at_once, share=share
        )
        with self.subTest(number, best=best):
            self.assertEqual(best is not None, found.done)
            if best:
                batches, moves = best
                self.assertLessEqual(len(found.batches), batches + 1)
                self.assertLessEqual(found.moves, moves + max(1, moves * 0.1))
        return True


class DestinationsTestCase(unit.TestCase):
    """Hosts ``done``, ``elsewhere`` and ``later``, and one to drain."""

    def places(self, **layout: dict[str, int]) -> dict[str, str]:
        """Return where the servers of the first batch go, which is host a."""
        seen = problems.seen(layout, maintenance='a')
        start = states.CloudState(
            seen.snapshot,
            eligible.Limits(frozenset(), opened=frozenset('a')),
            [d for d in seen.demands if d.source in ('a', 'later')],
            seen.held,
        )
        task = search.Task(
            hosts=frozenset({'a', 'later'}),
            rules=batch_rules.Rules(),
            first=frozenset('a'),
            done=frozenset({'done'}),
            elsewhere=frozenset({'elsewhere'}),
        )
        moves = search.search(start, task).batches[0].moves
        return {server_id: place.host for server_id, place in moves.items()}

    @unit.cases(
        # What is on the hosts that are done, and elsewhere.
        (0, 0, 'done'),
        (6, 0, 'done'),
        (7, 0, 'elsewhere'),
        (7, 6, 'elsewhere'),
        (7, 7, 'later'),
    )
    def test_order(self, done, elsewhere, expected) -> None:
        found = self.places(
            a={'vm1': 2},
            done={'vm2': done},
            elsewhere={'vm3': elsewhere},
            later={},
        )
        self.assertEqual({'vm1': expected}, found)

    def test_only_what_has_no_room_goes_further(self) -> None:
        found = self.places(
            a={'vm1': 2, 'vm2': 2, 'vm3': 2, 'vm4': 1},
            done={'vm5': 5},
            elsewhere={'vm6': 6},
            later={},
        )
        self.assertEqual(
            ['done', 'done', 'elsewhere', 'later'], sorted(found.values())
        )

    def test_servers_that_move_again_are_counted_once(self) -> None:
        batches = tuple(
            search.Batch(*((host,), dict.fromkeys(servers), {}, frozenset()))
            for host, servers in (('a', 'xy'), ('b', 'xz'), ('c', 'x'))
        )
        seen = problems.seen({})
        found = search.Found(
            *(batches, frozenset()),
            states.CloudState(
                seen.snapshot, eligible.Limits(frozenset()), (), {}
            ),
        )
        self.assertEqual((5, 1), (found.moves, found.repeated))


class RandomTestCase(unit.TestCase):
    @hypothesis.settings(max_examples=unit.examples(12))
    @hypothesis.given(data=st.data())
    def test_no_batch_breaks_a_rule(self, data: ty.Any) -> None:
        rng = random.Random(data.draw(st.integers(0, 2**32)))
        hosts = data.draw(st.integers(2, 16))
        layout = problems.layout_of(rng, hosts, 5 * hosts, problems.SIZE)
        names = list(layout)
        first = frozenset(rng.sample(names, rng.choice((0, 0, 0, 2))))
        others = frozenset(rng.sample(names, rng.choice((0, 2)))) - first
        done = frozenset(rng.sample(sorted(others), len(others) // 2))
        out = frozenset(
            rng.sample(
                sorted(others - done),
                rng.choice((0, 1)) if others - done else 0,
            )
        )
        areas = tuple(
            batch_rules.Area(f'rack {n}', frozenset(names[n::4]))
            for n in range(4)
        )
        rules = batch_rules.Rules(
            areas=areas,
            out=out,
            at_once=rng.randint(1, 6),
            share=rng.choice((10, 25, 50, 100)),
            groups=tuple(problems.groups_of(rng, layout, hosts)),
        )
        planned = frozenset(names) - others
        planned = frozenset(
            h for h in planned if h in first or not rules.used_up(h)
        )
        seen = problems.seen(
            layout, maintenance=first, disabled=out, groups=rules.groups
        )
        task = search.Task(
            hosts=planned,
            rules=rules,
            first=first,
            done=done,
            elsewhere=frozenset(names) - planned - done,
        )
        start = states.CloudState(
            seen.snapshot,
            eligible.Limits(frozenset(), opened=first),
            [d for d in seen.demands if d.source in planned],
            seen.held,
        )
        found = search.search(start, task)
        self._check(found, task, layout, names)
        self._check_first(found, task, start)

    def _check(self, found, task, layout, names) -> None:
        places = {i: host for host, servers in layout.items() for i in servers}
        amounts = {i: n for on in layout.values() for i, n in on.items()}
        shut, over = set(task.first), set()
        drained = [host for batch in found.batches for host in batch.hosts]
        self.assertEqual(len(drained), len(set(drained)))
        self.assertEqual(task.hosts, found.left.union(drained))
        for batch in found.batches:
            hosts = set(batch.hosts)
            if not hosts <= task.first:
                self._check_rules(hosts, shut, task.rules, places)
            here = {i for i, host in places.items() if host in hosts}
            self.assertEqual(here, set(batch.moves))
            for server_id, place in batch.moves.items():
                self.assertNotIn(place.host, hosts | shut | task.rules.out)
                places[server_id] = place.host
            over |= hosts
            shut -= hosts
            later = task.hosts - over
            self.assertEqual(later - shut, batch.avoid)
            for host in names:
                on = [i for i, place in places.items() if place == host]
                used = sum(amounts[i] for i in on)
                self.assertLessEqual(used, problems.SIZE)
                for group in task.rules.groups:
                    self.assertLess(len(group.members.intersection(on)), 2)
        # Hosts without servers come first, where others may.
        empty = {h for h in task.hosts - task.first if not layout[h]}
        if not task.first and found.batches and empty:
            self.assertTrue(empty.intersection(found.batches[0].hosts))

    def _check_first(self, found, task, start) -> None:
        """Hosts in maintenance are in the first batch if they fit."""
        opening = task.first.intersection(
            *(batch.hosts for batch in found.batches[:1])
        )
        others = task.hosts - task.first - task.done
        tiers = [task.done, task.elsewhere, others]
        for host in task.first - opening:
            more = start.find(sorted({*opening, host}), tiers, {}, 0)
            self.assertIsNone(more, host)

    def _check_rules(self, hosts, shut, rules, places) -> None:
        self.assertLessEqual(len(hosts), rules.at_once)
        out = hosts | shut | rules.out
        for area in rules.areas:
            most = max(1, len(area.hosts) * rules.share // 100)
            if hosts - shut & area.hosts:
                self.assertLessEqual(len(out & area.hosts), most)
        for group in rules.groups:
            homes = {places[member] for member in group.members}
            self.assertLess(len(homes & hosts), 2)
