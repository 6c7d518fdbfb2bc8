# SPDX-License-Identifier: Apache-2.0

"""Where a server is to go that is about to be moved."""

import unittest

import ddt

from osc_hostmaint.planning.capacity import destination as destination_choice
from osc_hostmaint.planning.capacity import ledger as ledgers
from tests.unit.planning import clouds

LARGE = {'VCPU': 64, 'MEMORY_MB': 65536, 'DISK_GB': 640}


def flow(demands, plan=None, **values) -> destination_choice.Flow:
    """Return a flow; what is not planned is planned to go nowhere."""
    plan = {d.server.id: '' for d in demands} | (plan or {})
    gone = values.get('gone', {})
    return destination_choice.Flow(
        {d.server.id: d for d in demands},
        values.pop('limits', clouds.limits(demands)),
        {i: host for i, host in plan.items() if i not in gone},
        **values,
    )


class Base(unittest.TestCase):
    def pick(self, nodes, demands, *, closed=(), known=None, **values):
        """Return the pick for the first server."""
        seen = clouds.snapshot(nodes, demands, **(known or {}))
        return destination_choice.pick(
            seen, flow(demands, **values), demands[0].server.id, closed
        )


@ddt.ddt
class TestEven(Base):
    @ddt.data(
        # The emptiest, by its fullest resource, with the server on it.
        (
            'b',
            clouds.filled('a', 0.5),
            clouds.filled('b', 0.25),
            clouds.filled('c', 0.75),
        ),
        (
            'b',
            clouds.Host('a', used={'VCPU': 2, 'MEMORY_MB': 10000}),
            clouds.Host('b', used={'VCPU': 9, 'MEMORY_MB': 1000}),
        ),
        (
            'b',
            clouds.Host('a', used={'VCPU': 0}),
            clouds.Host('b', size=LARGE, used={'VCPU': 8}),
        ),
        # Equal hosts go by name.
        ('a', *clouds.hosts('c', 'a', 'b')),
        # It may not go anywhere else.
        (
            'd',
            clouds.Host('a', enabled=False),
            clouds.Host('b', up=False),
            clouds.Host('c', maintenance=True),
            clouds.filled('d', 0.5),
        ),
        # There is no room.
        ('', clouds.filled('a', 0.9)),
    )
    @ddt.unpack
    def test_which_host_is_picked(self, expected, *nodes):
        picked = self.pick(nodes, clouds.demands(1))

        self.assertEqual(destination_choice.Pick(expected), picked)

    def test_unused_resource_classes_are_ignored(self):
        volumes = {'VCPU': 4, 'MEMORY_MB': 4096}
        nodes = [
            clouds.Host('a', used={'MEMORY_MB': 4096, 'DISK_GB': 100}),
            clouds.Host('b', used={'DISK_GB': 120}),
        ]
        demands = [
            clouds.demand('vm1', volumes),
            clouds.demand('vm2', clouds.QUARTER),
        ]

        self.assertEqual('b', self.pick(nodes, demands).host)

    def test_unseen_moves_count(self):
        nodes = [clouds.Host('a'), clouds.filled('b', 0.1)]
        demands = clouds.demands(3)
        gone = {'vm01': 'a', 'vm02': 'b'}
        for unseen, expected in (
            ((), 'a'),
            (('vm01',), 'b'),
            (('vm01', 'vm02'), 'a'),
        ):
            with self.subTest(unseen):
                picked = self.pick(
                    nodes, demands, gone=gone, unseen=frozenset(unseen)
                )

                self.assertEqual(expected, picked.host)

    def test_overfilled_host_is_the_fullest(self):
        nodes = [clouds.filled('a', 0.7), clouds.filled('b', 0.75)]
        demands = clouds.demands(3)
        gone = {'vm01': 'a', 'vm02': 'a'}

        picked = self.pick(nodes, demands, gone=gone, unseen=frozenset(gone))

        self.assertEqual('b', picked.host)


class TestRules(Base):
    def test_moved_group_member_is_respected(self):
        nodes = [clouds.Host('a'), clouds.filled('b', 0.5)]
        demands = clouds.demands(2)
        group = clouds.group('anti-affinity', 'vm00', 'vm01')

        picked = self.pick(
            nodes, demands, known={'groups': (group,)}, gone={'vm01': 'a'}
        )

        self.assertEqual('b', picked.host)

    def test_group_member_moved_by_others_is_respected(self):
        nodes = [clouds.Host('a'), clouds.filled('b', 0.5)]
        group = clouds.group('anti-affinity', 'vm00', 'elsewhere')

        picked = self.pick(
            nodes,
            clouds.demands(1),
            known={'groups': (group,), 'located': {'elsewhere': 'b'}},
            gone={'elsewhere': 'a'},
        )

        self.assertEqual('b', picked.host)

    def test_soft_rules_come_before_loads(self):
        nodes = [clouds.Host('a'), clouds.filled('b', 0.5)]
        demands = clouds.demands(2)
        for policy, gone, expected in (
            ('soft-affinity', 'b', 'b'),
            ('soft-affinity', 'a', 'a'),
            ('soft-anti-affinity', 'a', 'b'),
            ('soft-anti-affinity', 'b', 'a'),
        ):
            with self.subTest(policy, gone=gone):
                group = clouds.group(policy, 'vm00', 'vm01')
                picked = self.pick(
                    nodes,
                    demands,
                    known={'groups': (group,)},
                    gone={'vm01': gone},
                )

                self.assertEqual(expected, picked.host)

    def test_server_without_allocation_is_left_to_the_scheduler(self):
        demands = [clouds.demand('vm1', {})]

        self.assertEqual(
            destination_choice.Pick(''), self.pick(clouds.hosts('a'), demands)
        )


@ddt.ddt
class TestClosed(Base):
    @ddt.data(
        # closed, hosts; the pick
        (
            'a',
            [clouds.Host('a'), clouds.filled('b', 0.5)],
            destination_choice.Pick('b'),
        ),
        ('ab', clouds.hosts('a', 'b'), destination_choice.Pick('', wait=True)),
        # It does not wait for hosts that have no room.
        ('a', [clouds.filled('a', 1)], destination_choice.Pick('')),
    )
    @ddt.unpack
    def test_picks_before_the_next_snapshot(self, closed, nodes, expected):
        picked = self.pick(nodes, clouds.demands(1), closed=set(closed))

        self.assertEqual(expected, picked)

    def test_waits_instead_of_taking_the_only_fit_of_another(self):
        nodes = [clouds.Host('a', zone='zone1'), clouds.Host('b')]
        demands = [
            clouds.demand('vm1', clouds.WHOLE),
            clouds.demand('vm2', clouds.WHOLE, zone='zone1'),
        ]
        plan = {'vm1': 'b', 'vm2': 'a'}
        known = {'aggregates': (clouds.zone('zone1', 'a'),)}

        picked = self.pick(
            nodes, demands, plan=plan, known=known, closed={'b'}
        )
        self.assertEqual(('', True), (picked.host, picked.wait))
        picked = self.pick(nodes, demands, plan=plan, known=known)
        self.assertEqual('b', picked.host)


class TestPlan(Base):
    WHOLE_AND_PINNED = (
        clouds.demand('vm1', clouds.HALF),
        clouds.demand('vm2', clouds.WHOLE, zone='zone1'),
    )
    ZONE = {'aggregates': (clouds.zone('zone1', 'a'),)}
    NODES = (clouds.Host('a', zone='zone1'), clouds.filled('b', 0.5))

    def test_capacity_is_left_for_later_servers(self):
        picked = self.pick(
            self.NODES,
            self.WHOLE_AND_PINNED,
            plan={'vm1': 'b', 'vm2': 'a'},
            known=self.ZONE,
        )

        self.assertEqual('b', picked.host)
        self.assertIsNone(picked.plan)

    def test_infeasible_plan_is_remade(self):
        picked = self.pick(
            self.NODES,
            self.WHOLE_AND_PINNED,
            plan={'vm1': 'b', 'vm2': 'b'},
            known=self.ZONE,
        )

        self.assertEqual('b', picked.host)
        self.assertEqual({'vm1': 'b', 'vm2': 'a'}, picked.plan)

    def test_plan_is_remade_if_others_took_the_capacity(self):
        nodes = [
            clouds.Host('a', zone='zone1'),
            clouds.filled('b', 0.75),
            clouds.filled('c', 0.5, zone='zone1'),
        ]
        demands = [
            clouds.demand('vm1', clouds.HALF),
            clouds.demand('vm2', clouds.HALF, zone='zone1'),
            clouds.demand('vm3', clouds.HALF, zone='zone1'),
        ]
        picked = self.pick(
            nodes,
            demands,
            plan={'vm1': 'b', 'vm2': 'a', 'vm3': 'a'},
            known={'aggregates': (clouds.zone('zone1', 'a', 'c'),)},
        )

        self.assertIn(picked.host, ('a', 'c'))
        if picked.plan is not None:
            self.assertNotIn('', picked.plan.values())

    def test_unplanned_server_goes_where_it_fits(self):
        demands = clouds.demands(2, clouds.WHOLE)
        plan = {'vm00': '', 'vm01': 'a'}
        for hosts, expected in (('a', 'a'), ('ab', 'b')):
            picked = self.pick(clouds.hosts(*hosts), demands, plan=plan)

            self.assertEqual(expected, picked.host)

    def test_the_same_is_picked_for_the_same(self):
        nodes = clouds.hosts('a', 'b', 'c')
        demands = clouds.demands(5)
        backwards = list(reversed(nodes))

        one = self.pick(nodes, demands)
        self.assertEqual(one, self.pick(nodes, demands))
        self.assertEqual(one, self.pick(backwards, demands))


class TestRenew(Base):
    SMALL = {'VCPU': 1, 'MEMORY_MB': 1024, 'DISK_GB': 10}

    def after(self, *nodes):
        """Return what is known after an answer that has fewer hosts."""
        demands = [
            clouds.demand('large', clouds.HALF),
            clouds.demand('small', self.SMALL),
        ]
        large = demands[0].shape
        seen = clouds.snapshot(clouds.hosts('a', 'b'), demands)
        trees = [node.providers for node in nodes]
        return demands, destination_choice.renew(
            seen, large, clouds.allocation_candidates(large, trees)
        )

    def test_the_newest_answer_counts(self):
        demands, seen = self.after(
            clouds.filled('a', 0.5), clouds.filled('b', 0.25)
        )

        picked = destination_choice.pick(seen, flow(demands), 'small')

        self.assertEqual('b', picked.host)

    def test_missing_hosts_keep_their_newest_numbers(self):
        demands, seen = self.after(
            clouds.filled('a', 0.5), clouds.filled('b', 0.25)
        )
        large = demands[0].shape
        only = clouds.allocation_candidates(
            large, [clouds.filled('b', 0.5).providers]
        )
        seen = destination_choice.renew(seen, large, only)

        found = ledgers.Ledger(seen)

        self.assertEqual(0.5, found.load('a'))
        self.assertEqual(0.5, found.load('b'))

    def test_moves_to_unlisted_hosts_count(self):
        demands, seen = self.after(clouds.filled('b', 0.25))
        for unseen, expected in (((), 'a'), (('large',), 'b')):
            with self.subTest(unseen):
                picked = destination_choice.pick(
                    seen,
                    flow(
                        demands, gone={'large': 'a'}, unseen=frozenset(unseen)
                    ),
                    'small',
                )

                self.assertEqual(expected, picked.host)
