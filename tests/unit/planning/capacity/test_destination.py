# SPDX-License-Identifier: Apache-2.0

"""Where a server is to go that is about to be moved."""

from unittest import mock

from osc_hostmaint.planning.capacity import destination as destination_choice
from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import search
from tests import unit
from tests.unit.planning import clouds

Host = clouds.Host
filled = clouds.filled
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


class Base(unit.TestCase):
    def pick(self, nodes, demands, *, closed=(), known=None, **values):
        seen = clouds.snapshot(nodes, demands, **(known or {}))
        return destination_choice.pick(
            seen, flow(demands, **values), demands[0].server.id, closed
        )


class TestEven(Base):
    @unit.cases(
        # The emptiest, by its fullest resource, with the server on it.
        ('b', filled('a', 0.5), filled('b', 0.25), filled('c', 0.75)),
        (
            'b',
            Host('a', used={'VCPU': 2, 'MEMORY_MB': 10000}),
            Host('b', used={'VCPU': 9, 'MEMORY_MB': 1000}),
        ),
        (
            'b',
            Host('a', used={'VCPU': 0}),
            Host('b', size=LARGE, used={'VCPU': 8}),
        ),
        # Equal hosts go by name.
        ('a', *clouds.hosts('c', 'a', 'b')),
        # It may not go anywhere else.
        (
            'd',
            Host('a', enabled=False),
            Host('b', up=False),
            Host('c', maintenance=True),
            filled('d', 0.5),
        ),
        # There is no room.
        ('', filled('a', 0.9)),
    )
    def test_which_host_is_picked(self, expected, *nodes):
        picked = self.pick(nodes, clouds.demands(1))
        self.assertEqual(destination_choice.Pick(expected), picked)

    def test_unused_resource_classes_are_ignored(self):
        nodes = [
            Host('a', used={'MEMORY_MB': 4096, 'DISK_GB': 100}),
            Host('b', used={'DISK_GB': 120}),
        ]
        volumes = clouds.demand('vm1', {'VCPU': 4, 'MEMORY_MB': 4096})
        demands = [volumes, clouds.demand('vm2')]
        self.assertEqual('b', self.pick(nodes, demands).host)

    def test_unseen_moves_count(self):
        nodes = [Host('a'), filled('b', 0.1)]
        demands = clouds.demands(3)
        gone = {'vm01': 'a', 'vm02': 'b'}
        for unseen, expected in (((), 'a'), (['vm01'], 'b'), (gone, 'a')):
            with self.subTest(unseen):
                values = {'gone': gone, 'unseen': frozenset(unseen)}
                picked = self.pick(nodes, demands, **values)
                self.assertEqual(expected, picked.host)

    def test_moves_that_numbers_seem_to_show(self):
        """They count for evenness alone."""
        demands = clouds.demands(3)
        for gone, expected in (({'vm01': 'a'}, 'b'), ({'vm01': 'b'}, 'a')):
            nodes = [Host('a'), Host('b')]
            values = {'gone': gone, 'perhaps_seen': frozenset(gone)}
            self.assertEqual(
                expected, self.pick(nodes, demands, **values).host
            )
        picked = self.pick([filled('b', 0.75)], demands, **values)
        self.assertEqual('b', picked.host)

    def test_overfilled_host_is_the_fullest(self):
        nodes = [filled('a', 0.7), filled('b', 0.75)]
        gone = {'vm01': 'a', 'vm02': 'a'}
        values = {'gone': gone, 'unseen': frozenset(gone)}
        self.assertEqual(
            'b', self.pick(nodes, clouds.demands(3), **values).host
        )


class TestRules(Base):
    @unit.cases(
        # The rule, the other member, where it is gone, where this one goes.
        ('anti-affinity', 'vm01', 'a', 'b'),
        # Others have moved it.
        ('anti-affinity', 'elsewhere', 'a', 'b'),
        # Soft rules come before loads.
        ('soft-affinity', 'vm01', 'b', 'b'),
        ('soft-affinity', 'vm01', 'a', 'a'),
        ('soft-anti-affinity', 'vm01', 'a', 'b'),
        ('soft-anti-affinity', 'vm01', 'b', 'a'),
    )
    def test_moved_group_members(self, policy, member, gone, expected):
        group = clouds.group(policy, 'vm00', member)
        picked = self.pick(
            [Host('a'), filled('b', 0.5)],
            clouds.demands(2),
            known={'groups': (group,), 'located': {'elsewhere': 'b'}},
            gone={member: gone},
        )
        self.assertEqual(expected, picked.host)

    def test_server_without_allocation_is_left_to_the_scheduler(self):
        demands = [clouds.demand('vm1', {})]
        self.assertEqual(
            destination_choice.Pick(''), self.pick(clouds.hosts('a'), demands)
        )


class TestClosed(Base):
    @unit.cases(
        # closed, hosts; the pick
        ('a', [Host('a'), filled('b', 0.5)], destination_choice.Pick('b')),
        ('ab', clouds.hosts('a', 'b'), destination_choice.Pick('', wait=True)),
        # It does not wait for hosts that have no room.
        ('a', [filled('a', 1)], destination_choice.Pick('')),
    )
    def test_picks_before_the_next_snapshot(self, closed, nodes, expected):
        picked = self.pick(nodes, clouds.demands(1), closed=set(closed))
        self.assertEqual(expected, picked)

    def test_waits_instead_of_taking_the_only_fit_of_another(self):
        nodes = [Host('a', zone='zone1'), Host('b')]
        demands = [
            clouds.demand('vm1', clouds.WHOLE),
            clouds.demand('vm2', clouds.WHOLE, zone='zone1'),
        ]
        plan = {'vm1': 'b', 'vm2': 'a'}
        known = {'aggregates': (clouds.zone('zone1', 'a'),)}
        for closed, expected in (('b', ('', True)), ('', ('b', False))):
            picked = self.pick(
                nodes, demands, plan=plan, known=known, closed=set(closed)
            )
            self.assertEqual(expected, (picked.host, picked.wait))


class TestPlan(Base):
    def test_capacity_is_left_for_later_servers(self):
        plan = {'vm1': 'b', 'vm2': 'a'}
        for before, remade in ((plan, None), ({'vm1': 'b', 'vm2': 'b'}, plan)):
            with self.subTest(before):
                picked = self.pick(
                    (Host('a', zone='zone1'), filled('b', 0.5)),
                    (
                        clouds.demand('vm1', clouds.HALF),
                        clouds.demand('vm2', clouds.WHOLE, zone='zone1'),
                    ),
                    plan=before,
                    known={'aggregates': (clouds.zone('zone1', 'a'),)},
                )
                self.assertEqual(('b', remade), (picked.host, picked.plan))

    def test_plan_is_remade_if_others_took_the_capacity(self):
        nodes = [
            Host('a', zone='zone1'),
            filled('b', 0.75),
            filled('c', 0.5, zone='zone1'),
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

    def test_plan_is_remade_without_servers_of_unknown_room(self):
        demands = [*clouds.demands(2, clouds.HALF), clouds.demand('vm9', {})]
        plan = {'vm00': 'b', 'vm01': 'b'}
        with mock.patch.object(search, 'search') as tried:
            nodes = [Host('a'), filled('b', 0.75)]
            picked = self.pick(nodes, demands, plan=plan)
        tried.assert_not_called()
        self.assertEqual('', picked.plan['vm9'])

    def test_unplanned_server_goes_where_it_fits(self):
        demands = clouds.demands(2, clouds.WHOLE)
        plan = {'vm00': '', 'vm01': 'a'}
        for hosts, expected in (('a', 'a'), ('ab', 'b')):
            picked = self.pick(clouds.hosts(*hosts), demands, plan=plan)
            self.assertEqual(expected, picked.host)

    def test_the_same_is_picked_for_the_same(self):
        nodes, demands = clouds.hosts('a', 'b', 'c'), clouds.demands(5)
        one = self.pick(nodes, demands)
        self.assertEqual(one, self.pick(nodes, demands))
        self.assertEqual(one, self.pick(nodes[::-1], demands))


class TestAvoid(Base):
    """Hosts that are drained next are taken last."""

    @unit.cases(
        # hosts, closed, reluctance, the pick of one that needs half a host
        ('another has room', [filled('a', 0.5), Host('b')], '', {}, 'a'),
        ('no other has', [filled('a', 0.6), Host('b')], '', {}, 'b'),
        ('it waits for another', [Host('a'), Host('b')], 'a', {}, None),
        ('all are avoided', [filled('b', 0.5), Host('c')], '', {}, 'c'),
        # Where moves failed they may fail again.
        ('the other failed', [Host('a'), Host('b')], '', {'a': 1}, 'b'),
        ('it failed itself', [filled('a', 0.5), Host('b')], '', {'b': 1}, 'a'),
    )
    def test_last_choice(self, _what, nodes, closed, reluctance, expected):
        demands = clouds.demands(1, clouds.HALF)
        limits = clouds.limits(demands, avoided=frozenset('bc'))
        picked = destination_choice.pick(
            clouds.snapshot(nodes, demands),
            flow(demands, limits=limits),
            'vm00',
            set(closed),
            reluctance,
        )
        self.assertEqual(
            (expected or '', expected is None), (picked.host, picked.wait)
        )

    @unit.cases(
        # What has b planned, where else it may go; the picks.
        # Room elsewhere is left for one that may go nowhere else.
        ({'vm1': 'b', 'vm2': 'a'}, 'zone1', 'b'),
        # A plan that fills avoided hosts first is not followed.
        ({'vm1': 'b', 'vm2': 'b'}, None, 'a'),
    )
    def test_plan(self, plan, zone, expected):
        demands = [
            clouds.demand('vm1', clouds.HALF),
            clouds.demand('vm2', clouds.HALF, zone=zone),
        ]
        picked = self.pick(
            [filled('a', 0.5, zone='zone1'), Host('b')],
            demands,
            plan=plan,
            limits=clouds.limits(demands, avoided=frozenset('b')),
            known={'aggregates': (clouds.zone('zone1', 'a'),)},
        )
        self.assertEqual(expected, picked.host)

    def test_soft_rules_come_after_it(self):
        demands = clouds.demands(1)
        group = clouds.group('soft-affinity', 'vm00', 'elsewhere')
        picked = self.pick(
            clouds.hosts('a', 'b'),
            demands,
            limits=clouds.limits(demands, avoided=frozenset('b')),
            known={'groups': (group,), 'located': {'elsewhere': 'b'}},
        )
        self.assertEqual('a', picked.host)


class TestRenew(Base):
    DEMANDS = [
        clouds.demand('large', clouds.HALF),
        clouds.demand('small', {'VCPU': 1, 'MEMORY_MB': 1024, 'DISK_GB': 10}),
    ]

    def answer(self, nodes):
        large = self.DEMANDS[0].request
        trees = [node.providers for node in nodes]
        return clouds.allocation_candidates(large, trees)

    def after(self, *answers):
        """Return what is known after answers that have fewer hosts."""
        large = self.DEMANDS[0].request
        seen = clouds.snapshot(clouds.hosts('a', 'b'), self.DEMANDS)
        for nodes in answers:
            seen = destination_choice.renew(seen, large, self.answer(nodes))
        return seen

    def test_growth(self):
        seen = self.after([filled('a', 0.25)])
        nodes = [filled('a', 0.5), Host('c')]
        found = destination_choice.growth(seen, self.answer(nodes))
        quarter = {c: int(n * 0.25) for c, n in clouds.SIZE.items()}
        self.assertEqual({'a': quarter}, found)

    def test_the_newest_answer_counts(self):
        seen = self.after([filled('a', 0.5), filled('b', 0.25)])
        picked = destination_choice.pick(seen, flow(self.DEMANDS), 'small')
        self.assertEqual('b', picked.host)

    def test_missing_hosts_keep_their_newest_numbers(self):
        seen = self.after(
            [filled('a', 0.5), filled('b', 0.25)], [filled('b', 0.5)]
        )
        found = ledgers.Ledger(seen)
        self.assertEqual([0.5, 0.5], [found.load(host) for host in 'ab'])

    def test_moves_to_unlisted_hosts_count(self):
        seen = self.after([filled('b', 0.25)])
        for unseen, expected in (((), 'a'), (('large',), 'b')):
            moved = {'gone': {'large': 'a'}, 'unseen': frozenset(unseen)}
            picked = destination_choice.pick(
                seen, flow(self.DEMANDS, **moved), 'small'
            )
            self.assertEqual(expected, picked.host)
