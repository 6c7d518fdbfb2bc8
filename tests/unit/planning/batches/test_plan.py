# SPDX-License-Identifier: Apache-2.0

"""What a plan says of each host."""

import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.batches import plan as plans
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit import builders
from tests.unit.planning import clouds
from tests.unit.planning.batches import problems

Code = codes.Code
Fits = forecast.Fits

#: Four hosts, each with one server of half its size.
FOUR = {host: {f'vm-{host}': 4} for host in 'abcd'}


class PlanTestCase(unit.TestCase):
    def plan(
        self, layout: problems.Layout, asked: ty.Any = (), **known: ty.Any
    ) -> plans.Plan:
        """Return the plan of all hosts, unless others are asked for."""
        seen = problems.seen(layout, **known)
        asked = {'hosts': layout, **dict(asked)}
        return plans.plan(seen, frozenset(asked.pop('hosts')), **asked)

    def row(self, plan: plans.Plan, host: str) -> plans.Row:
        (row,) = (row for row in plan.rows if row.host == host)
        return row


class BatchesTestCase(PlanTestCase):
    def test_one_host_after_the_other(self) -> None:
        plan = self.plan(FOUR)
        self.assertEqual(4, len(plan.batches))
        self.assertTrue(plan.done)
        # The first server has to go to a host that is still to come.
        self.assertEqual((5, 1), (plan.moves, plan.repeated))

    def test_hosts_without_servers_come_first(self) -> None:
        plan = self.plan({**FOUR, 'e': {}})
        self.assertEqual(('e',), plan.batches[0])
        self.assertEqual((4, 0), (plan.moves, plan.repeated))

    def test_done_hosts_are_filled_first(self) -> None:
        layout = {'a': {'vm1': 2}, 'b': {'vm2': 2}, 'c': {'vm3': 2}}
        asked = {'hosts': 'abc', 'done': frozenset('d')}
        plan = self.plan({**layout, 'd': {}, 'e': {}}, asked)
        self.assertEqual((3, 0), (plan.moves, plan.repeated))

    def test_other_hosts_take_what_hosts_to_come_would(self) -> None:
        plan = self.plan({**FOUR, 'x': {}}, {'hosts': 'abcd'})
        self.assertEqual((4, 0), (plan.moves, plan.repeated))
        self.assertEqual({1: set('abcd')}, {1: set().union(*plan.batches)})

    def test_avoid(self) -> None:
        plan = self.plan(FOUR, {'hosts': 'abc'})
        avoided = [self.row(plan, h).avoid for (h,) in plan.batches]
        self.assertEqual([2, 1, 0], [len(hosts) for hosts in avoided])
        for number, (host,) in enumerate(plan.batches):
            later = {h for batch in plan.batches[number + 1 :] for h in batch}
            self.assertEqual(later, set(self.row(plan, host).avoid))

    def test_counts(self) -> None:
        layout = {'a': {'vm1': 1, 'vm2': 1}, 'b': {}}
        plan = self.plan(layout, {'hosts': 'a'})
        self.assertEqual([plans.Row(1, 'a', 2, 2, Fits.YES)], list(plan.rows))

    @unit.cases(
        # At once, share, hosts of each batch.
        (1, 100, [1, 1, 1, 1]),
        (2, 100, [2, 2]),
        (2, 25, [1, 1, 1, 1]),
        (4, 50, [2, 2]),
        (9, 1, [1, 1, 1, 1]),
    )
    def test_rules(self, at_once, share, expected) -> None:
        layout = {host: {} for host in 'abcd'}
        plan = self.plan(layout, {'at_once': at_once, 'share': share})
        self.assertEqual(expected, [len(batch) for batch in plan.batches])

    def test_share_of_an_aggregate(self) -> None:
        layout = {host: {} for host in 'abcdefgh'}
        racks = {'rack-1': 'abcd', 'gone': 'ab xyz'.split()}
        zones = dict.fromkeys('abcdefgh', 'z')
        asked = {'at_once': 8, 'share': 50}
        plan = self.plan(layout, asked, racks=racks, zones=zones)
        for batch in plan.batches:
            self.assertLessEqual(len(set('abcd').intersection(batch)), 2)
            self.assertLessEqual(len(batch), 4)

    def test_members_of_a_group_move_in_different_batches(self) -> None:
        group = problems.keep_apart('vm-a', 'vm-b')
        asked = {'at_once': 2, 'share': 100}
        plan = self.plan({**FOUR, 'x': {}, 'y': {}}, asked, groups=[group])
        for batch in plan.batches:
            self.assertNotEqual({'a', 'b'}, {'a', 'b'}.intersection(batch))
        self.assertEqual((), plan.notes)

    def test_members_are_where_earlier_batches_have_put_them(self) -> None:
        # vm-a has room on c only, and is there when b and c come.
        layout = {'a': {'vm-a': 6}, 'b': {'vm-b': 4}, 'c': {}, 'x': {'vm': 4}}
        asked = {'hosts': 'abc', 'at_once': 2, 'share': 100}
        plan = self.plan(layout, asked, maintenance='a')
        self.assertEqual((('a',), ('b', 'c')), plan.batches)
        group = problems.keep_apart('vm-a', 'vm-b')
        plan = self.plan(layout, asked, maintenance='a', groups=[group])
        self.assertEqual([1, 1, 1], [len(batch) for batch in plan.batches])

    def test_groups_that_cannot_be_listed(self) -> None:
        asked = {'hosts': 'abcd', 'at_once': 2, 'share': 100}
        seen = problems.seen({**FOUR, 'x': {}, 'y': {}}, grouped=True)
        alone = clouds.demand('vm-a', {'VCPU': 4}, source='a', grouped=False)
        seen = dataclasses.replace(
            seen,
            demands=(alone, *seen.demands[1:]),
            snapshot=dataclasses.replace(seen.snapshot, groups=None),
        )
        plan = plans.plan(seen, frozenset(asked.pop('hosts')), **asked)
        self.assertTrue(plan.done)
        self.assertEqual(3, len(plan.batches))
        for batch in plan.batches:
            self.assertLessEqual(len(set('bcd').intersection(batch)), 1)
        (note,) = plan.notes
        self.assertIn('may be in server groups are not drained tog', note)

    def test_soft_groups(self) -> None:
        layout = {**FOUR, 'x': {}, 'y': {}}
        asked = {'hosts': 'abcd', 'at_once': 2, 'share': 100}
        two = problems.keep_apart('vm-a', 'vm-b', policy='soft-anti-affinity')
        plan = self.plan(layout, asked, groups=[two])
        self.assertEqual(2, len(plan.batches))
        for batch in plan.batches:
            self.assertNotEqual({'a', 'b'}, {'a', 'b'}.intersection(batch))
        self.assertEqual((), plan.notes)
        three = problems.keep_apart(
            'vm-a', 'vm-b', 'vm-c', policy='soft-anti-affinity'
        )
        plan = self.plan(layout, asked, groups=[three])
        self.assertEqual(2, len(plan.batches))
        (note,) = plan.notes
        self.assertIn('members of 1 of 1 may move in the same batch', note)

    def test_soft_groups_that_more_batches_make_possible(self) -> None:
        layout = {
            'a': {'vm-ab': 1, 'vm-ac': 1, 'vm-ade': 1},
            'b': {'vm-ba': 1, 'vm-bc': 1},
            'c': {'vm-ca': 1, 'vm-cb': 1},
            'd': {'vm-dae': 1},
            'e': {'vm-ead': 1},
            **{other: {} for other in 'xyz'},
        }
        # Two batches would do, but for the first three.
        groups = [
            problems.keep_apart(*members, policy='soft-anti-affinity')
            for members in (
                ('vm-ab', 'vm-ba'),
                ('vm-ac', 'vm-ca'),
                ('vm-bc', 'vm-cb'),
                ('vm-ade', 'vm-dae', 'vm-ead'),
            )
        ]
        asked = {'hosts': 'abcde', 'at_once': 3, 'share': 100}
        plan = self.plan(layout, asked, groups=groups)
        self.assertEqual((3, ()), (len(plan.batches), plan.notes))
        for batch in plan.batches:
            self.assertLessEqual(len(set('abc').intersection(batch)), 1)
            self.assertLessEqual(len(set('ade').intersection(batch)), 1)

    def test_members_elsewhere_do_not_count(self) -> None:
        members = ('vm-a', 'vm-b', 'vm-c', 'vm-d')
        soft = problems.keep_apart(*members, policy='soft-anti-affinity')
        layout = {**FOUR, 'x': {}, 'y': {}}
        asked = {'hosts': 'abxy', 'at_once': 2, 'share': 100}
        plan = self.plan(layout, asked, groups=[soft])
        # x and y, which are empty, come first.
        self.assertEqual((3, ()), (len(plan.batches), plan.notes))
        for batch in plan.batches:
            self.assertNotEqual({'a', 'b'}, {'a', 'b'}.intersection(batch))

    def test_hosts_in_maintenance_are_the_first_batch(self) -> None:
        plan = self.plan({**FOUR, 'x': {}, 'y': {}}, maintenance='ab')
        self.assertEqual(('a', 'b'), plan.batches[0])
        # No server goes to a host in maintenance; later ones may.
        self.assertEqual(tuple('cdxy'), self.row(plan, 'a').avoid)
        self.assertTrue(plan.done)
        (note,) = plan.notes
        self.assertIn('out of service already: a, b; --at-once', note)
        self.assertIn('would not allow that', note)

    def test_all_that_have_room_are_the_first_batch(self) -> None:
        # With one of them alone in batch 1, two moves less would do.
        layout = {host: {f'vm-{host}': 1} for host in 'abcdef'}
        asked = {'at_once': 3, 'share': 100}
        plan = self.plan(layout, asked, maintenance='ab')
        self.assertEqual(('a', 'b'), plan.batches[0])
        self.assertEqual(
            ('batch 1 is out of service already: a, b',), plan.notes
        )

    def test_however_many_have_no_room_in_the_first_batch(self) -> None:
        full = {f'a{n:02}': {f'vm-{n}': 8} for n in range(30)}
        others = {'b': {'vm-b': 1}, 'c': {'vm-c': 1}}
        layout = {**full, **others, 'x': {'vm-x': 4}}
        asked = {'hosts': {*full, *others}}
        plan = self.plan(layout, asked, maintenance={*full, *others})
        self.assertEqual(('b', 'c'), plan.batches[0])

    def test_a_first_batch_that_breaks_no_rule(self) -> None:
        self.assertEqual(
            ('batch 1 is out of service already: a',),
            self.plan(FOUR, maintenance='a').notes,
        )

    def test_what_has_no_room_in_the_first_batch_comes_later(self) -> None:
        layout = {'a': {'vm1': 6}, 'b': {'vm2': 6}, 'c': {'vm3': 1}}
        plan = self.plan(layout, maintenance='ab')
        self.assertEqual(3, len(plan.batches))
        self.assertTrue(plan.done)
        (first,) = plan.batches[0]
        (second,) = {'a', 'b'} - {first}
        self.assertNotIn(second, self.row(plan, first).avoid)
        self.assertEqual(
            (
                'out of service already, without room for their servers in '
                f'batch 1: {second}',
                f'batch 1 is out of service already: {first}',
            ),
            plan.notes,
        )

    def test_no_batch_at_all(self) -> None:
        plan = self.plan({'a': {'vm1': 5}, 'b': {'vm2': 4}}, maintenance='a')
        self.assertEqual((), plan.batches)
        self.assertEqual((), plan.notes)


class NeverTestCase(PlanTestCase):
    def assert_never(self, row: plans.Row, code: Code, *words: str) -> None:
        self.assertIsNone(row.batch)
        self.assertIsNone(row.moves)
        self.assertEqual((), row.avoid)
        self.assertEqual(code, row.code)
        for each in words:
            self.assertIn(each, row.reason)

    def test_no_room_even_alone(self) -> None:
        layout = {'a': {'vm1': 5, 'vm2': 1}, 'b': {'vm3': 4}, 'c': {'vm4': 4}}
        plan = self.plan(layout, {'hosts': 'a'})
        self.assertFalse(plan.done)
        row = self.row(plan, 'a')
        self.assert_never(
            *(row, Code.NO_ROOM, 'one server of 2', 'vm1'),
            *('2 without room', 'would fit on', '1 VCPU more'),
        )
        self.assertEqual(Fits.NO, row.fits)

    def test_a_host_without_a_batch_is_not_to_be_avoided(self) -> None:
        layout = {'a': {}, 'b': {'vm1': 9}, 'c': {'vm2': 2}}
        plan = self.plan(layout)
        self.assertFalse(plan.done)
        self.assertEqual((('a',), ('c',)), plan.batches)
        self.assertEqual(('c',), self.row(plan, 'a').avoid)
        self.assertEqual((), self.row(plan, 'c').avoid)

    def test_share_used_up_by_others(self) -> None:
        plan = self.plan(FOUR, {'hosts': 'abc'}, disabled='d')
        self.assertEqual((), plan.batches)
        self.assert_never(
            *(self.row(plan, 'a'), Code.SHARE_USED),
            *('d of zone nova (4 hosts) is out of service', '--share 25'),
        )
        asked = {'hosts': 'abc', 'share': 50}
        self.assertTrue(self.plan(FOUR, asked, disabled='d').done)
        self.assertTrue(self.plan(FOUR, asked, down='d').done)

    def test_share_used_up_by_a_host_that_cannot_be_drained(self) -> None:
        layout = {'a': {'vm1': 9}, 'b': {}, 'c': {}, 'd': {}}
        plan = self.plan(layout, maintenance='a')
        self.assertEqual((), plan.batches)
        self.assert_never(self.row(plan, 'a'), Code.NO_ROOM, 'vm1')
        words = 'a of zone nova (4 hosts) is out of service'
        self.assert_never(self.row(plan, 'b'), Code.SHARE_USED, words)

    def test_a_host_that_cannot_be_drained_uses_the_share(self) -> None:
        never = {'d': plans.Never(Code.HOST_DOWN, 'it is down')}
        asked = {'share': 50, 'at_once': 4}
        empty = {host: {} for host in 'abcd'}
        plan = self.plan(empty, asked, never=never, down='d')
        self.assertEqual([1, 1, 1], [len(batch) for batch in plan.batches])
        self.assert_never(self.row(plan, 'd'), Code.HOST_DOWN, 'it is down')

    def test_a_host_in_service_takes_servers(self) -> None:
        never = {'d': plans.Never(Code.SERVERS_STAY, 'one stays')}
        plan = self.plan({'a': {'vm1': 2}, 'd': {'vm2': 2}}, never=never)
        self.assertEqual((('a',),), plan.batches)


class DoubtsTestCase(PlanTestCase):
    @unit.cases(
        ({'unchecked': ('pci_passthrough:alias',)}, 'can check pci_pass'),
        ({'grouped': True}, 'its server group is not known'),
    )
    def test_only_the_scheduler_knows(self, needs, words) -> None:
        layout = {'a': {'vm1': 2, 'vm2': 2}, 'b': {}}
        plan = self.plan(layout, {'hosts': 'a'}, **needs)
        (row,) = plan.rows
        self.assertTrue(plan.done)
        self.assertEqual(
            (1, 2, Fits.UNKNOWN, Code.CAPACITY_UNKNOWN),
            (row.batch, row.moves, row.fits, row.code),
        )
        self.assertIn('2 servers: ', row.reason)
        self.assertIn(words, row.reason)

    def test_a_server_that_moves_again(self) -> None:
        seen = problems.seen(
            {'a': {'vm1': 2}, 'b': {'vm2': 2, 'vm3': 1}},
            unchecked=('a device',),
        )
        first, *others = seen.demands
        others = [
            clouds.demand(d.server.id, dict(d.shape), source=d.source)
            for d in others
        ]
        seen = dataclasses.replace(seen, demands=(first, *others))
        plan = plans.plan(seen, frozenset('ab'))
        self.assertEqual((4, 1), (plan.moves, plan.repeated))
        self.assertEqual({Fits.UNKNOWN}, {row.fits for row in plan.rows})

    def test_filters_that_nobody_can_see(self) -> None:
        # Before 2.96 Nova does not tell who has to stay in its zone.
        layout = {'a': {'vm1': 2}, 'b': {}}
        zones = {'a': 'z1', 'b': 'z2'}
        plan = self.plan(layout, {'hosts': 'a'}, zones=zones, zone_known=False)
        (row,) = plan.rows
        self.assertEqual((1, Fits.UNKNOWN), (row.batch, row.fits))
        self.assertIn(forecast.DOUBTFUL, row.reason)

    def test_servers_without_allocations(self) -> None:
        group = problems.keep_apart('vm-a', 'vm-b')
        seen = problems.seen({'a': {}, 'b': {}, 'c': {}}, groups=[group])
        lost = tuple(
            snapshots.Demand(
                builders.server(f'vm-{host}', host=host, needs=model.Needs()),
                *(snapshots.UNKNOWN, host),
            )
            for host in 'ab'
        )
        servers = {'a': 1, 'b': 1, 'c': 0}
        seen = dataclasses.replace(seen, demands=lost, servers=servers)
        plan = plans.plan(seen, frozenset('abc'), at_once=2, share=100)
        # They keep apart, and count, although nobody knows where they go.
        self.assertEqual((2, 2), (plan.moves, len(plan.batches)))
        self.assertIn('c', plan.batches[0])
        row = self.row(plan, 'a')
        self.assertEqual((1, 1), (row.servers, row.moves))
        self.assertEqual(Fits.UNKNOWN, row.fits)
        self.assertIn('no allocation on a', row.reason)
