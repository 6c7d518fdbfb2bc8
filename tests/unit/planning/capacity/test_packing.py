# SPDX-License-Identifier: Apache-2.0

"""Putting many servers on hosts together."""

import collections
import dataclasses
import random
from unittest import mock

import hypothesis
from hypothesis import strategies

from osc_hostmaint import model
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import packing
from osc_hostmaint.planning.capacity import search
from tests import unit
from tests.unit.planning import clouds
from tests.unit.planning import packing_problems

Host = clouds.Host
filled = clouds.filled
A, B, C, D = clouds.hosts('a', 'b', 'c', 'd')
SIZES = {
    'whole': clouds.WHOLE,
    'half': clouds.HALF,
    'quarter': clouds.QUARTER,
    'over half': {'VCPU': 9, 'MEMORY_MB': 9216, 'DISK_GB': 90},
    'over quarter': {'VCPU': 5, 'MEMORY_MB': 5120, 'DISK_GB': 50},
    'volume': {'VCPU': 4, 'MEMORY_MB': 4096},
    'most memory': {'VCPU': 1, 'MEMORY_MB': 12288, 'DISK_GB': 10},
    'most cpu': {'VCPU': 12, 'MEMORY_MB': 1024, 'DISK_GB': 10},
    'pinned': {'PCPU': 4, 'MEMORY_MB': 4096},
    'gpu': {'VCPU': 1, 'MEMORY_MB': 1024, 'VGPU': 2},
    'bare metal': {'CUSTOM_BAREMETAL': 1},
}
PINNED = frozenset({'CUSTOM_PINNED'})
GPUS = {'gpu0': {'VGPU': 3}, 'gpu1': {'VGPU': 3}}


def pack(nodes, sizes, **known) -> occupancies.Occupancy:
    """Pack servers of sizes, named vm0, vm1 ...

    :param sizes: names of sizes, perhaps with the zone to stay in: half/zone1
    """
    demands = []
    for n, each in enumerate(sizes):
        size, _slash, zone = each.partition('/')
        demands.append(clouds.demand(f'vm{n}', SIZES[size], zone=zone or None))
    return clouds.assign(nodes, demands, **known)


class TestKnownAnswers(unit.TestCase):
    @unit.cases(
        # Nodes, sizes, how many are left.
        ('nothing at all', [A], [], 0),
        ('no hosts', [], ['quarter'], 1),
        ('exactly full', [A], ['quarter'] * 4, 0),
        ('exactly full twice', [A, B],
         ['half', 'quarter', 'quarter'] * 2, 0),
        ('one more', [A], ['quarter'] * 5, 1),
        ('one whole host', [A], ['whole'], 0),
        ('enough in sum, none big enough',
         [filled('a', 0.5), filled('b', 0.5)], ['whole'], 1),
        ('two of over half', [A], ['over half'] * 2, 1),
        ('over half and half', [A, B], ['over half', 'half', 'half'], 0),
        ('what is over blocks', [A], ['over quarter'] * 4, 1),
        ('fullest last: memory and CPU go together',
         [A, B], ['most memory', 'most cpu'] * 2, 0),
        ('memory and memory do not', [A], ['most memory'] * 2, 1),
        ('no disk is needed', [Host('a', used={'DISK_GB': 160})],
         ['volume'] * 4, 0),
        ('disk is needed', [Host('a', used={'DISK_GB': 160})],
         ['quarter'], 1),
        ('no pinned CPUs', [A], ['pinned'], 1),
        ('pinned CPUs',
         [Host('a', size={'PCPU': 8, 'MEMORY_MB': 9000})],
         ['pinned'] * 2, 0),
        ('too few pinned CPUs',
         [Host('a', size={'PCPU': 7, 'MEMORY_MB': 9000})],
         ['pinned'] * 2, 1),
        ('bare metal takes one each',
         [Host(n, size={'CUSTOM_BAREMETAL': 1}) for n in 'ab'],
         ['bare metal'] * 3, 1),
        ('nested providers are two halves',
         [Host('a', nested=GPUS)], ['gpu'] * 2, 0),
        ('and not one whole', [Host('a', nested=GPUS)], ['gpu'] * 3, 1),
        ('a full host', [filled('a', 1), B], ['quarter'] * 4, 0),
        ('disabled', [Host('a', enabled=False)], ['quarter'], 1),
    )  # fmt: skip
    def test_number_left(self, _what, nodes, sizes, left):
        packed = pack(nodes, sizes)
        self.assertEqual(left, len(packed.left))
        self.assertEqual(len(sizes) - left, len(packed.placed))

    def test_the_largest_are_not_left_over(self):
        self.assertEqual([], pack([A, B], ['quarter'] * 4 + ['whole']).left)

    def test_shared_storage_can_be_full(self):
        nodes = [Host(n, size={'VCPU': 16}) for n in 'ab']
        demands = clouds.demands(4, {'VCPU': 1, 'DISK_GB': 20})
        for capacity, left in ((80, 0), (79, 1), (20, 3)):
            with self.subTest(capacity):
                shared = [clouds.shared_disk(capacity)]
                tried = clouds.assign(nodes, demands, shared=shared)
                self.assertEqual(left, len(tried.left))

    def test_most_constrained_servers_go_first(self):
        nodes, sizes = [Host('a', zone='zone1'), B], ['half'] * 2
        zones = [clouds.zone('zone1', 'a')]
        packed = pack(nodes, sizes + ['half/zone1'] * 2, aggregates=zones)
        self.assertEqual(
            {'vm0': 'b', 'vm1': 'b', 'vm2': 'a', 'vm3': 'a'}, packed.placed
        )

    def test_equal_servers_are_spread(self):
        hosts = list(pack([A, B, C, D], ['quarter'] * 8).placed.values())
        self.assertEqual([2] * 4, [hosts.count(h) for h in 'abcd'])


class TestAvoid(unit.TestCase):
    @unit.cases(
        # Nodes, sizes, those on avoided hosts (b and c).
        ('room elsewhere', [A, B], ['quarter'] * 4, 0),
        ('one too many', [A, B, C], ['quarter'] * 5, 1),
        # The most even way would use all of them.
        ('large and small', [A, D, B], ['half', 'quarter'] * 2, 0),
        ('only avoided', [B, C], ['quarter'] * 4, 4),
        # One makes room on a for what may go nowhere else.
        ('a swap', [Host('a', zone='zone1'), B],
         ['over half', 'half/zone1'], 1),
    )  # fmt: skip
    def test_number_on_avoided_hosts(self, _what, nodes, sizes, expected):
        zones = [clouds.zone('zone1', 'a')]
        avoided = frozenset('bc')
        packed = pack(nodes, sizes, aggregates=zones, avoided=avoided)
        self.assertEqual([], packed.left)
        hosts = [*packed.placed.values()]
        self.assertEqual(expected, sum(host in avoided for host in hosts))

    def test_it_never_costs_a_place(self):
        """Filling the others first may leave no way, where there is one."""
        task = clouds.assign([A, B], clouds.demands(4, clouds.HALF)).task
        limits = dataclasses.replace(
            task.options.limits, avoided=frozenset('b')
        )
        task = dataclasses.replace(
            task, options=eligible.Eligible(task.options.snapshot, limits)
        )
        worse = packing.pack(task)
        worse.remove(task.demands[0])
        with mock.patch.object(packing, '_pack_avoiding', return_value=worse):
            self.assertEqual([], packing.pack(task).left)


class TestGroups(unit.TestCase):
    @unit.cases(
        # Policy, most per host, hosts, members, how many are left.
        ('anti-affinity', 1, 3, 3, 0),
        ('anti-affinity', 1, 2, 3, 1),
        ('anti-affinity', 2, 2, 4, 0),
        ('anti-affinity', 2, 2, 5, 1),
        ('anti-affinity', 2, 1, 3, 1),
        ('affinity', 1, 3, 1, 1),
        ('affinity', 1, 3, 2, 2),
        ('soft-anti-affinity', 1, 1, 3, 0),
        ('soft-affinity', 1, 3, 4, 0),
        ('new one', 1, 1, 2, 0),
    )
    def test_number_left(self, policy, most, hosts, members, left):
        names = [f'vm{n}' for n in range(members)]
        groups = [clouds.group(policy, *names, most=most)]
        packed = pack([A, B, C][:hosts], ['quarter'] * members, groups=groups)
        self.assertEqual(left, len(packed.left))

    def test_members_elsewhere_count(self):
        group = clouds.group('anti-affinity', 'vm0', 'elsewhere')
        known = {'groups': [group], 'located': {'elsewhere': 'a'}}
        self.assertEqual({'vm0': 'b'}, pack([A, B], ['half'], **known).placed)
        self.assertEqual(1, len(pack([A], ['half'], **known).left))

    def test_a_hard_rule_and_sizes_together(self):
        # The two small ones have to part, so each large one has its host.
        group = clouds.group('anti-affinity', 'vm2', 'vm3')
        packed = pack([A, B], ['half'] * 4, groups=[group])
        self.assertEqual([], packed.left)
        self.assertNotEqual(packed.placed['vm2'], packed.placed['vm3'])

    @unit.cases(
        # Policy, hosts, sizes, where other members are, which hosts are used.
        # It goes where most others are, if there is room.
        ('soft-affinity', [A, B, C], ['half'], 'abb', 'b'),
        ('soft-affinity', [A, filled('b', 0.75), C], ['half'], 'abb', 'a'),
        # What fits together is kept together.
        ('soft-affinity', [A, B, C], ['quarter'] * 3, '', 'a'),
        # What can part does.
        (
            'soft-anti-affinity',
            [filled('a', 0.7), B, filled('c', 0.7)],
            ['quarter'] * 3,
            '',
            'abc',
        ),
    )
    def test_soft_rules(self, policy, nodes, sizes, others, used):
        located = {f'other{n}': host for n, host in enumerate(others)}
        members = [f'vm{n}' for n in range(len(sizes))]
        group = clouds.group(policy, *members, *located)
        packed = pack(nodes, sizes, groups=[group], located=located)
        self.assertEqual(members, sorted(packed.placed))
        self.assertEqual(set(used), set(packed.placed.values()))


class TestWays(unit.TestCase):
    """What finds a way where the first try does not."""

    #: 10 + 3 + 3 and 7 + 5 + 4: two hosts exactly.
    TIGHT = (10, 7, 5, 4, 3, 3)

    def task(self, amounts, pinned=(), **known):
        """Return servers to be packed; some must go to the first host."""
        demands = [
            clouds.demand(
                f'vm{n}',
                {'VCPU': amount},
                required_traits=PINNED if n in pinned else frozenset(),
            )
            for n, amount in enumerate(amounts)
        ]
        nodes = [Host('a', traits=PINNED), B]
        return clouds.assign(nodes, demands, **known).task

    def left(self, task, **options):
        return len(packing.pack(task, **options).left)

    def test_swap_of_one_server(self):
        task = self.task((8, 8, 6, 6), pinned=(2, 3))
        options = {'strategies': [packing.evenly], 'steps': 0}
        self.assertEqual(1, self.left(task, swaps=False, **options))
        self.assertEqual(0, self.left(task, **options))

    def test_stuck_server_does_not_represent_others(self):
        # Alike but for its group, and the first of them.
        group = clouds.group('affinity', 'vm1')
        task = self.task((8, 7, 8, 6, 7), pinned=(1, 4), groups=[group])
        packed = packing.pack(task, [packing.evenly], steps=0)
        self.assertEqual(['vm1'], [d.server.id for d in packed.left])

    def test_exhaustive_search_is_bounded(self):
        task = self.task(self.TIGHT)
        self.assertEqual(
            [1, 1, 0],
            [self.left(task, steps=steps) for steps in (0, 5, search.STEPS)],
        )
        self.assertIsNotNone(search.search(task))
        self.assertIsNone(search.search(task, 5))

    def test_exhaustive_search_is_bounded_with_many_candidates(self):
        cards = {f'gpu{n}': {'VGPU': 8} for n in range(6)}
        groups = tuple(model.RequestGroup((('VGPU', n),)) for n in (2, 3, 4))
        demands = clouds.demands(11, {'VCPU': 1}, groups=groups, isolate=True)
        nodes = [Host(name, nested=cards) for name in 'ab']
        task = clouds.assign(nodes, demands).task
        fits = ledgers.Ledger.fits
        with mock.patch.object(
            ledgers.Ledger, 'fits', autospec=True, side_effect=fits
        ) as looked:
            self.assertIsNone(search.search(task, 2_000))
        self.assertLess(looked.call_count, 6_000)

    def test_what_does_not_fit_is_left_however_long_it_is_tried(self):
        task = self.task((9, 9, 9))
        self.assertIsNone(search.search(task))
        self.assertEqual(1, self.left(task))

    def test_of_very_many_servers_not_all_ways_are_tried(self):
        count = search.MOST_SERVERS
        wide = [Host('a', size={'VCPU': count + 1})]
        demands = clouds.demands(count + 1, {'VCPU': 1})
        fewer = clouds.assign(wide, demands[1:]).task
        self.assertIsNone(search.search(clouds.assign(wide, demands).task))
        self.assertIsNotNone(search.search(fewer, 10**6))


class TestProperties(unit.TestCase):
    def check(self, problem, packed):
        """Check that a packing breaks nothing."""
        task = problem.task
        self.assertEqual(
            sorted([*packed.placed, *(d.server.id for d in packed.left)]),
            sorted(d.server.id for d in problem.demands),
        )
        used = {n.name: collections.Counter(n.used) for n in problem.nodes}
        for demand in problem.demands:
            if host := packed.placed.get(demand.server.id):
                self.assertEqual('', task.options.against(demand)[host])
                used[host].update(dict(demand.shape))
        for node in problem.nodes:
            self.assertLessEqual(
                used[node.name], collections.Counter(node.size)
            )
        for group in problem.groups:
            hosts = [packed.placed.get(m) for m in group.members]
            placed = [host for host in hosts if host]
            self.assertEqual(len(set(placed)), len(placed))

    @hypothesis.settings(max_examples=unit.examples(25), deadline=None)
    @hypothesis.given(strategies.integers(0, 10**6), strategies.booleans())
    def test_no_host_is_overfull_and_no_rule_is_broken(self, seed, spoilt):
        problem = packing_problems.draw(random.Random(seed), spoilt=spoilt)
        task = problem.task
        self.check(problem, packing.pack(task))
        for strategy in packing.STRATEGIES:
            for swaps in (True, False):
                packed = packing.pack(task, [strategy], swaps=swaps, steps=0)
                self.check(problem, packed)
        found = search.search(task)
        if found:
            self.check(problem, found)
            self.assertEqual([], packing.pack(task).left)

    @hypothesis.settings(max_examples=unit.examples(12), deadline=None)
    @hypothesis.given(strategies.integers(0, 10**6))
    def test_the_same_has_the_same_answer(self, seed):
        problem = packing_problems.draw(random.Random(seed), spoilt=True)
        other = dataclasses.replace(
            problem,
            nodes=problem.nodes[::-1],
            demands=problem.demands[::-1],
            groups=problem.groups[::-1],
        )
        placed = packing.pack(problem.task).placed
        self.assertEqual(placed, packing.pack(problem.task).placed)
        self.assertEqual(placed, packing.pack(other.task).placed)
