# SPDX-License-Identifier: Apache-2.0

"""Where servers go, whoever moves them, and what it costs to know that."""

import dataclasses
import functools
import random
import typing as ty

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.capacity import forecast
from tests import unit
from tests.unit.engine import drain_base
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import inventory
from tests.unit.simulation import others
from tests.unit.simulation import outcomes
from tests.unit.simulation import report_checks
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

Code = drain_base.Code
Spread = policies.Spread
FIVE, THREE, TWO = drain_base.FIVE, drain_base.THREE, drain_base.TWO
SIX = (*FIVE, 'cmp06')
POLICIES = ('anti-affinity', 'soft-anti-affinity', 'soft-affinity')


class SpreadTestCase(drain_base.DrainTestCase):
    OPTIONS: ty.ClassVar = {'guided': True, 'limit': 20000}


class EvenTestCase(SpreadTestCase):
    # What is claimed while we look may count twice for a moment: with many
    # slots that may end off by one.
    @unit.cases((1, 4, 0), (2, 10, 0), (4, 1, 0), (4, 60, 0), (8, 10, 1))
    def test_five_equal_hosts(self, slots, seconds, off) -> None:
        shape = {'slots': slots, 'seconds': seconds}
        cloud = scene.cloud(24, hosts=FIVE, gib=64, **shape)
        self.drained(cloud)
        landed = self.landed(cloud)
        self.assertLessEqual(max(abs(6 - count) for count in landed), off)
        if seconds >= 60:
            return
        # Nova's scheduler does not see live migrations for a minute.
        cloud = scene.cloud(24, hosts=FIVE, gib=64, **shape)
        self.drained(cloud, spread=Spread.SCHEDULER)
        landed = self.landed(cloud)
        self.assertGreater(max(landed) - min(landed), 6)

    def test_hosts_of_different_size(self) -> None:
        gib = dict(zip(FIVE, (16, 16, 16, 32, 32), strict=True))
        cloud = scene.cloud(12, hosts=FIVE, gib=gib)
        self.drained(cloud)
        self.assertEqual([2, 2, 4, 4], self.landed(cloud))

    def test_two_hosts_in_one_run(self) -> None:
        cloud = scene.cloud(12, source=TWO, hosts=SIX, gib=64, slots=2)
        self.drained(cloud, *TWO)
        self.assertEqual([6, 6, 6, 6], self.landed(cloud))

    @unit.cases((0, 4, 1), (0, 20, 2), (0.05, 4, 2), (1, 10, 1), (7, 4, 4))
    def test_two_runs_side_by_side(self, lag, seconds, slots) -> None:
        cloud = scene.cloud(
            12, source=TWO, hosts=SIX, gib=64, seconds=seconds, slots=slots
        )

        def drain(host: str, wait: float, clock: timeline.VirtualClock):
            clock.sleep(wait)
            return scene.run(cloud, (host,), clock=clock, guided=True)

        runs = timeline.together(
            cloud.timeline,
            lambda clock: drain('cmp01', 0, clock),
            lambda clock: drain('cmp02', lag, clock),
        )
        self.assertEqual([Code.DONE] * 2, [run.exit_code for run in runs])
        self.assertEqual([], report_checks.violations(*runs))
        landed = self.landed(cloud)
        self.assertLessEqual(max(abs(6 - count) for count in landed), 1)


class PerDestinationTestCase(SpreadTestCase):
    def test_source_never_idles_while_a_destination_is_free(self) -> None:
        for slots, bound in ((1, 1), (2, 1), (3, 1), (4, 2)):
            with self.subTest(slots=slots, bound=bound):
                options = {'hosts': SIX, 'gib': 64, 'slots': slots}
                floor = scene.least_seconds(scene.cloud(24, **options))
                cloud = scene.cloud(24, **options)
                run = self.drained(cloud, per_destination=bound)
                self.assertLess(run.seconds / floor, 1.25)
                source = cloud.hosts[scene.SOURCE].slots
                self.assertLess(source.idle_share(), 0.1)
                landed = self.landed(cloud)
                self.assertLessEqual(max(landed) - min(landed), 2)

    def test_two_hosts_share_it(self) -> None:
        cloud = scene.cloud(6, source=TWO, hosts=FIVE, gib=64, slots=4)
        self.drained(cloud, *TWO, per_destination=1)
        self.assertEqual([4, 4, 4], self.landed(cloud))

    def test_postponed_server_is_not_resumed(self) -> None:
        for options in ({}, {'spread': Spread.SCHEDULER}, {'to': 'cmp02'}):
            with self.subTest(**options):
                cloud = scene.cloud(
                    4, 'suspended', hosts=TWO, gib=64, seconds=60
                )
                run = self.drained(
                    cloud,
                    per_destination=1,
                    suspended=policies.Suspended.RESUME,
                    **options,
                )
                asked = {
                    (request.kind, request.subject): request.time
                    for request, _answer in run.client.posted
                }
                for server_id in cloud.servers:
                    resumed = asked['resume', server_id]
                    moved = asked['live_migrate', server_id]
                    self.assertLess(moved - resumed, 10)
                self.assertLess(run.seconds, 1.3 * 4 * 60)

    def test_moves_to_a_dead_host(self) -> None:
        for vm_state in ('active', 'stopped'):
            with self.subTest(vm_state):
                cloud = scene.cloud(0, source=TWO, hosts=THREE)
                cloud.add('cmp01', vm_state, seconds=10000)
                for _number in range(4):
                    cloud.add('cmp02', seconds=20)
                crash = functools.partial(cloud.crash, scene.SOURCE)
                cloud.timeline.after(10, crash)
                run = self.drain(cloud, *TWO, per_destination=1)
                results = [*run.results.values()]
                self.assertEqual(['failed'] + ['moved'] * 4, results)
                self.assertLess(run.seconds, 300)


class TightTestCase(SpreadTestCase):
    def test_tight_but_feasible_is_drained(self) -> None:
        fitting = stranded = 0
        seeds = unit.examples(24)
        # In the others Placement showed moves before their records did.
        for seed in {*range(seeds), 80, 576, 578, 634}:
            run = self.drain(tight(seed))
            assert run.dry_run
            seen = run.dry_run.preview.capacity_forecast
            if {f.fits for f in seen.fits.values()} != {forecast.Fits.YES}:
                continue
            fitting += 1
            with self.subTest(seed):
                self.assertEqual(Code.DONE, run.exit_code, run.reasons)
            left = self.drain(tight(seed), spread=Spread.SCHEDULER)
            stranded += left.exit_code == Code.LEFT
        self.assertGreater(fitting, seeds / 3)
        self.assertGreater(stranded, seeds / 12)

    def test_capacity_taken_by_others(self) -> None:
        cloud = scene.cloud(0, hosts=THREE, gib={'cmp02': 4, 'cmp03': 4})
        cloud.add('cmp03')
        cloud.add(scene.SOURCE, memory_mb=3072)
        # Between our look and the scheduler's.
        create = functools.partial(cloud.create, 'cmp02', memory_mb=2048)
        cloud.timeline.after(1.0, create)
        run = self.drained(cloud)
        posted = [request.host for request, _answer in run.client.posted]
        self.assertEqual(['cmp02', ''], posted)
        self.assertEqual(2, len(cloud.on('cmp03')))

    def test_deleted_server_frees_its_capacity(self) -> None:
        cloud = scene.cloud(0, hosts=THREE, gib={'cmp02': 4, 'cmp03': 8})
        cloud.add('cmp03', memory_mb=6144)
        large = cloud.add(scene.SOURCE, memory_mb=3072)
        cloud.add(scene.SOURCE, memory_mb=2048)
        # After it was looked who needs room, and before the first move.
        cloud.timeline.after(0.85, lambda: cloud.delete(large.id))
        self.drained(cloud)
        self.assertEqual([1, 1], self.landed(cloud))


class AvoidTestCase(SpreadTestCase):
    """Hosts that are drained next are taken last."""

    AVOID: ty.ClassVar = {'avoid': frozenset({'cmp04', 'cmp05'})}
    OPTIONS: ty.ClassVar = {**SpreadTestCase.OPTIONS, **AVOID}

    def cloud(self, servers: int, state: str = 'active', **options):
        """Return a cloud; each host that is not avoided has room for 4."""
        gib = dict(zip(FIVE, (64, 4, 4, 64, 64), strict=True))
        return scene.cloud(servers, state, hosts=FIVE, gib=gib, **options)

    def said(self, run: scene.Run) -> int:
        """Return how often it is said that the scheduler may pick them."""
        words = 'may pick hosts of --avoid'
        return sum(words in text for text in run.recorder.troubles)

    @unit.cases(('active', 1), ('active', 4), ('stopped', 1))
    def test_others_have_room(self, state: str, slots: int) -> None:
        cloud = self.cloud(8, state, slots=slots)
        run = self.drained(cloud)
        self.assertEqual([4, 4, 0, 0], self.landed(cloud))
        assert run.dry_run
        self.assertEqual((), run.dry_run.preview.notes)
        self.assertEqual(0, self.said(run))

    def test_others_have_room_for_some(self) -> None:
        cloud = self.cloud(11, slots=2)
        run = self.drained(cloud)
        self.assertEqual([4, 4], self.landed(cloud)[:2])
        self.assertEqual(3, sum(self.landed(cloud)[2:]))
        assert run.dry_run
        (note,) = run.dry_run.preview.notes
        self.assertEqual(
            'servers for which only hosts of --avoid have room: 3', note
        )
        self.assertEqual(0, self.said(run))

    def test_all_are_avoided(self) -> None:
        cloud = self.cloud(6)
        self.drained(cloud, avoid=frozenset(FIVE[1:]))

    def test_others_have_no_place_to_offer_for_a_moment(self) -> None:
        cloud = self.cloud(6, slots=4, seconds=20)
        self.drained(cloud, per_destination=1)
        self.assertEqual([3, 3, 0, 0], self.landed(cloud))

    def test_another_goes_into_maintenance(self) -> None:
        cloud = self.cloud(8, seconds=10)
        cloud.timeline.after(25, functools.partial(cloud.disable, 'cmp03'))
        self.drained(cloud)
        self.assertEqual(4, len(cloud.on('cmp02')))

    def test_evacuation(self) -> None:
        cloud = self.cloud(8)
        cloud.fence(scene.SOURCE)
        cloud.timeline.run_until(cloud.timeline.now + 20)
        run = scene.run(cloud, guided=True, evacuate=True, **self.AVOID)
        self.assertEqual([4, 4, 0, 0], self.landed(cloud), run.reasons)

    def test_the_scheduler_picks(self) -> None:
        """Where nobody knows who has room, or by a refusal: said once."""
        cloud = self.cloud(3)
        run = self.drained(cloud, guided=False)
        self.assertEqual(1, self.said(run))
        cloud = self.cloud(3)
        fails = [outcomes.MoveOutcome.NO_HOST]
        for server in cloud.servers.values():
            server.outcomes.extend(fails)
        run = self.drained(cloud)
        self.assertEqual(1, self.said(run))


class MidwayTestCase(SpreadTestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud(24, hosts=FIVE, gib=64, seconds=10)

    def after(self, run: scene.Run, seconds: float) -> set[str]:
        """Return where moves were sent so many seconds after it began."""
        return {
            host.name
            for request, host in run.client.directed
            if request.time > run.began + seconds
        }

    @unit.cases('crash', 'disable')
    def test_a_host_goes_down_or_into_maintenance(self, what: str) -> None:
        lose = getattr(self.cloud, what)
        self.cloud.timeline.after(60, lambda: lose('cmp03'))
        run = self.drained(self.cloud, server_timeout=900)
        self.assertIn('cmp03', {h.name for _r, h in run.client.directed})
        known = 60 + 60
        if what == 'crash':
            known += self.cloud.timing.heartbeat
        self.assertEqual({'cmp02', 'cmp04', 'cmp05'}, self.after(run, known))
        if what == 'disable':
            landed = self.landed(self.cloud)
            self.assertLessEqual(max(landed) - min(landed), 1)

    def test_placement_goes_down(self) -> None:
        others_action = others.OthersAction(30, 'placement is down')
        back = others.OthersAction(90, 'placement is back')
        others.plan(self.cloud, [others_action, back])
        self.drained(self.cloud)
        self.assertEqual([6, 6, 6, 6], self.landed(self.cloud))


class ApartTestCase(SpreadTestCase):
    def test_abandoned_move_still_counts(self) -> None:
        cloud = scene.cloud(0, gib=64)
        first, _other, second = (
            cloud.add(scene.SOURCE, memory_mb=gib * 1024) for gib in (3, 2, 1)
        )
        cloud.group('anti-affinity', first, second)
        for host in ('cmp03', 'cmp04'):
            cloud.add(host, memory_mb=16384)
        # Its death is not known yet, and it is waited for.
        cloud.crash('cmp02')
        run = self.drain(cloud, parallel=1, server_timeout=20)
        asked = {
            request.subject: request.host
            for request, _answer in reversed(run.client.posted)
        }
        self.assertEqual('cmp02', asked[first.id])
        self.assertNotEqual('cmp02', asked[second.id])

    def test_scheduler_picked_group_member(self) -> None:
        # Two of three may be on one host, where one is already.
        cloud = scene.cloud(0, hosts=THREE, slots=3)
        cloud.group(
            'anti-affinity',
            cloud.add(
                scene.SOURCE,
                outcomes=[outcomes.MoveOutcome.NO_HOST],
                seconds=20,
            ),
            cloud.add(scene.SOURCE, seconds=20),
            cloud.add('cmp02'),
            cloud.add('cmp03'),
            most_per_host=2,
        )
        self.drained(cloud)

    def test_placement_stops_telling(self) -> None:
        cloud = scene.cloud(3, slots=2, seconds=20)
        cloud.group('anti-affinity', *cloud.servers.values())
        others.plan(cloud, [others.OthersAction(1.3, 'placement forbids')])
        self.drain(cloud)


def tight(seed: int) -> clouds.Cloud:
    """Return a cloud that has hardly more room than it takes."""
    chance = random.Random(seed)
    hosts = FIVE[: chance.randint(3, 5)]
    cloud = scene.cloud(
        0, source=(), hosts=hosts, seed=seed, slots=chance.randint(1, 4)
    )
    for name in hosts:
        cloud.hosts[name].zone = chance.choice(('nova', 'nova', 'east'))
    servers = []
    for _number in range(chance.randint(4, 12)):
        server = cloud.add(
            scene.SOURCE,
            chance.choice(('active', 'active', 'active', 'stopped')),
            memory_mb=1024 * chance.choice((1, 1, 2, 3, 5)),
            seconds=chance.uniform(1, 20),
        )
        if chance.random() < 0.3:
            zone = chance.choice(('nova', 'east'))
            server.needs = dataclasses.replace(server.needs, zone=zone)
        servers.append(server)
    needed = sum(server.memory_mb for server in servers)
    room = chance.uniform(1.0, 1.6) * needed / (len(hosts) - 1)
    for name in hosts[1:]:
        part = chance.uniform(0.7, 1.3) * room
        cloud.hosts[name].inventory.capacity.update(
            {inventory.MEMORY_MB: 512 * round(part / 512)}
        )
    chance.shuffle(servers)
    while len(servers) > 4 and chance.random() < 0.6:
        members = [servers.pop() for _number in range(chance.randint(2, 3))]
        cloud.group(chance.choice(POLICIES), *members)
    cloud.disable(scene.SOURCE)
    return cloud
