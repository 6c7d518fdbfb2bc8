# SPDX-License-Identifier: Apache-2.0

"""The ledger of what hosts have left."""

import unittest

import ddt

from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.planning import clouds

A, B = clouds.hosts('a', 'b')


def allocation(
    amount: int, provider: str = 'rp-a', name: str = 'VCPU'
) -> snapshots.Allocation:
    """Return a share of a provider."""
    return snapshots.Allocation(provider, name, amount)


def ledger(
    *nodes: clouds.Host, shape: snapshots.Amounts = clouds.QUARTER, **known
) -> ledgers.Ledger:
    """Return the ledger of hosts that were asked for one shape."""
    wanted = [clouds.demand('vm1', shape)]
    return ledgers.Ledger(clouds.snapshot(nodes, wanted, **known))


class TestHostOf(unittest.TestCase):
    def test_the_root_tells_the_host(self):
        gpus = clouds.Host('a', nested={'gpu': {'VGPU': 4}})
        seen = clouds.snapshot([gpus], [clouds.demand('vm1', {'VGPU': 1})])
        (allocation_candidates,) = seen.allocation_candidates.values()
        (candidate,) = allocation_candidates.candidates

        self.assertEqual('rp-a-gpu', candidate[0].provider)
        self.assertEqual(
            'a', ledgers.host_of(seen, allocation_candidates, candidate)
        )

    def test_a_shared_provider_is_on_no_host(self):
        disk = clouds.shared_disk(1000)
        node = clouds.Host('a', size={'VCPU': 16})
        wanted = [clouds.demand('vm1', {'VCPU': 1, 'DISK_GB': 1})]
        seen = clouds.snapshot([node], wanted, [disk])
        (allocation_candidates,) = seen.allocation_candidates.values()
        (candidate,) = allocation_candidates.candidates

        self.assertEqual('rp-shared', candidate[0].provider)
        self.assertEqual(
            'a', ledgers.host_of(seen, allocation_candidates, candidate)
        )
        self.assertIsNone(
            ledgers.host_of(seen, allocation_candidates, candidate[:1])
        )


@ddt.ddt
class TestLedger(unittest.TestCase):
    def test_taken_capacity_is_freed_by_give_back(self):
        there = ledger(A)

        self.assertTrue(there.fits((allocation(16),)))
        self.assertFalse(there.fits((allocation(17),)))
        there.take((allocation(16),))
        self.assertFalse(there.fits((allocation(1),)))
        there.give_back((allocation(16),))
        self.assertTrue(there.fits((allocation(16),)))

    def test_overcommit_is_allowed(self):
        there = ledger(A)
        there.take((allocation(20),))

        self.assertEqual(20 / 16, there.load('a'))
        self.assertFalse(there.fits((allocation(1),)))

    @ddt.data(
        # Another provider, another class, one of two.
        [allocation(1, 'rp-z')],
        [allocation(1, name='VGPU')],
        [allocation(1), allocation(99999, name='MEMORY_MB')],
    )
    def test_every_allocation_must_fit(self, shares):
        self.assertFalse(ledger(A).fits(shares))

    def test_load_is_of_the_fullest_inventory(self):
        there = ledger(clouds.Host('a', used={'VCPU': 4, 'MEMORY_MB': 8192}))

        self.assertEqual(0.5, there.load('a'))
        self.assertEqual(0.75, there.load('a', (allocation(8),)))
        self.assertEqual(0.5, there.load('a', (allocation(4),)))

    def test_host_without_inventories_has_no_load(self):
        self.assertEqual(0.0, ledger(A).load('z'))

    def test_what_no_server_asks_for_is_no_load(self):
        node = clouds.Host('a', size={'VCPU': 4, 'VGPU': 1}, used={'VGPU': 1})

        self.assertEqual(
            0.25, ledger(node, shape={'VCPU': 1}).load('a', (allocation(1),))
        )

    def test_empty_inventory_has_no_load(self):
        node = clouds.Host('a', size={'VCPU': 4, 'DISK_GB': 0})
        wanted = [
            clouds.demand('vm1', {'VCPU': 1}),
            clouds.demand('vm2', {'VCPU': 1, 'DISK_GB': 1}),
        ]
        there = ledgers.Ledger(clouds.snapshot([node], wanted))

        self.assertEqual(0.0, there.load('a'))
        self.assertEqual({'VCPU': (0, 4)}, there.totals(['a']))

    def test_the_newest_answer_counts(self):
        old, new = {'VCPU': 1}, {'VCPU': 2}
        seen = clouds.snapshot(
            [A], [clouds.demand('vm1', old), clouds.demand('vm2', new)]
        )
        first, last = seen.allocation_candidates
        fuller = clouds.Host('a', used={'VCPU': 12})
        answer = clouds.allocation_candidates(last, [fuller.providers])
        there = ledgers.Ledger(
            snapshots.CapacitySnapshot(
                seen.services,
                seen.hosts,
                {first: seen.allocation_candidates[first], last: answer},
            )
        )

        self.assertEqual(0.75, there.load('a'))
        self.assertFalse(there.fits((allocation(5),)))

    def test_totals_are_by_class(self):
        there = ledger(
            clouds.Host('a', used={'VCPU': 4}), B, shape={'VCPU': 1}
        )
        there.take((allocation(2, 'rp-b'),))

        self.assertEqual({'VCPU': (6, 32)}, there.totals(['a', 'b', 'z']))
        self.assertEqual({'VCPU': (2, 16)}, there.totals(['b']))

    def test_shared_storage_counts_once_and_is_no_load_of_one_host(self):
        nodes = [clouds.Host(name, size={'VCPU': 16}) for name in ('a', 'b')]
        there = ledger(
            *nodes,
            shape={'VCPU': 1, 'DISK_GB': 20},
            shared=[clouds.shared_disk(1000, 600)],
        )

        self.assertEqual(
            {'VCPU': (0, 32), 'DISK_GB': (600, 1000)},
            there.totals(['a', 'b']),
        )
        self.assertEqual(0.0, there.load('a'))


class TestGuess(unittest.TestCase):
    def test_each_class_is_where_most_of_it_is_left(self):
        node = clouds.Host(
            'a', nested={'gpu0': {'VGPU': 2}, 'gpu1': {'VGPU': 4}}
        )
        there = ledger(node, shape={'VCPU': 1, 'VGPU': 1})
        there.take((allocation(3, 'rp-a-gpu1', 'VGPU'),))

        self.assertEqual(
            (allocation(4, name='VCPU'), allocation(9, 'rp-a-gpu0', 'VGPU')),
            there.guess('a', (('VCPU', 4), ('VGPU', 9), ('PCPU', 1))),
        )

    def test_nothing_is_known_of_hosts_that_no_answer_has(self):
        self.assertEqual((), ledger(A).guess('z', (('VCPU', 1),)))


class TestLacks(unittest.TestCase):
    SHAPE = snapshots.shape(clouds.QUARTER)

    def test_what_is_missing_is_told_by_class(self):
        there = ledger(A)
        there.take((allocation(14), allocation(15000, name='MEMORY_MB')))

        self.assertEqual(
            {'VCPU': 2, 'MEMORY_MB': 2712}, there.lacks('a', self.SHAPE)
        )

    def test_nothing_is_missing_or_nothing_is_known(self):
        self.assertEqual({}, ledger(A).lacks('a', self.SHAPE))
        self.assertIsNone(ledger(A).lacks('z', self.SHAPE))

    def test_a_class_counts_where_most_is_left(self):
        node = clouds.Host(
            'a', nested={'gpu0': {'VGPU': 2}, 'gpu1': {'VGPU': 4}}
        )
        there = ledger(node, shape={'VGPU': 1})

        self.assertEqual({'VGPU': 1}, there.lacks('a', (('VGPU', 5),)))

    def test_shared_storage_is_the_hosts_too(self):
        node = clouds.Host('a', size={'VCPU': 4})
        there = ledger(
            node,
            shape={'VCPU': 4, 'DISK_GB': 20},
            shared=[clouds.shared_disk(1000)],
        )
        there.take((allocation(4),))

        self.assertEqual(
            {'VCPU': 1}, there.lacks('a', (('DISK_GB', 20), ('VCPU', 1)))
        )
