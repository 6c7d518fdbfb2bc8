# SPDX-License-Identifier: Apache-2.0

"""The ledger of what hosts have left."""

import unittest

import ddt

from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.planning import clouds

A, B = clouds.hosts('a', 'b')


def share(
    amount: int, provider: str = 'rp-a', name: str = 'VCPU'
) -> snapshots.Share:
    """Return a share of a provider."""
    return snapshots.Share(provider, name, amount)


def room(
    *nodes: clouds.Host, shape: snapshots.Amounts = clouds.QUARTER, **known
) -> ledgers.Room:
    """Return the ledger of hosts that were asked for one shape."""
    wanted = [clouds.demand('vm1', shape)]
    return ledgers.Room(clouds.survey(nodes, wanted, **known))


class TestHostOf(unittest.TestCase):
    def test_the_root_tells_the_host(self):
        gpus = clouds.Host('a', nested={'gpu': {'VGPU': 4}})
        seen = clouds.survey([gpus], [clouds.demand('vm1', {'VGPU': 1})])
        (offers,) = seen.offers.values()
        (candidate,) = offers.candidates

        self.assertEqual('rp-a-gpu', candidate[0].provider)
        self.assertEqual('a', ledgers.host_of(seen, offers, candidate))

    def test_a_shared_provider_is_on_no_host(self):
        disk = clouds.shared_disk(1000)
        node = clouds.Host('a', size={'VCPU': 16})
        wanted = [clouds.demand('vm1', {'VCPU': 1, 'DISK_GB': 1})]
        seen = clouds.survey([node], wanted, [disk])
        (offers,) = seen.offers.values()
        (candidate,) = offers.candidates

        self.assertEqual('rp-shared', candidate[0].provider)
        self.assertEqual('a', ledgers.host_of(seen, offers, candidate))
        self.assertIsNone(ledgers.host_of(seen, offers, candidate[:1]))


@ddt.ddt
class TestRoom(unittest.TestCase):
    def test_what_is_taken_is_gone_until_it_is_given_back(self):
        there = room(A)

        self.assertTrue(there.fits((share(16),)))
        self.assertFalse(there.fits((share(17),)))
        there.take((share(16),))
        self.assertFalse(there.fits((share(1),)))
        there.give_back((share(16),))
        self.assertTrue(there.fits((share(16),)))

    def test_more_can_be_taken_than_there_is(self):
        there = room(A)
        there.take((share(20),))

        self.assertEqual(20 / 16, there.load('a'))
        self.assertFalse(there.fits((share(1),)))

    @ddt.data(
        # Another provider, another class, one of two.
        [share(1, 'rp-z')],
        [share(1, name='VGPU')],
        [share(1), share(99999, name='MEMORY_MB')],
    )
    def test_every_share_must_be_known_and_fit(self, shares):
        self.assertFalse(room(A).fits(shares))

    def test_the_load_is_that_of_the_fullest_pool(self):
        there = room(clouds.Host('a', used={'VCPU': 4, 'MEMORY_MB': 8192}))

        self.assertEqual(0.5, there.load('a'))
        self.assertEqual(0.75, there.load('a', (share(8),)))
        self.assertEqual(0.5, there.load('a', (share(4),)))

    def test_a_host_without_pools_has_no_load(self):
        self.assertEqual(0.0, room(A).load('z'))

    def test_what_no_server_asks_for_is_no_load(self):
        node = clouds.Host('a', size={'VCPU': 4, 'VGPU': 1}, used={'VGPU': 1})

        self.assertEqual(
            0.25, room(node, shape={'VCPU': 1}).load('a', (share(1),))
        )

    def test_a_pool_of_nothing_is_no_load(self):
        node = clouds.Host('a', size={'VCPU': 4, 'DISK_GB': 0})
        wanted = [
            clouds.demand('vm1', {'VCPU': 1}),
            clouds.demand('vm2', {'VCPU': 1, 'DISK_GB': 1}),
        ]
        there = ledgers.Room(clouds.survey([node], wanted))

        self.assertEqual(0.0, there.load('a'))
        self.assertEqual({'VCPU': (0, 4)}, there.totals(['a']))

    def test_the_newest_answer_counts(self):
        old, new = {'VCPU': 1}, {'VCPU': 2}
        seen = clouds.survey(
            [A], [clouds.demand('vm1', old), clouds.demand('vm2', new)]
        )
        first, last = seen.offers
        fuller = clouds.Host('a', used={'VCPU': 12})
        answer = clouds.offers(last, [fuller.providers])
        there = ledgers.Room(
            snapshots.Survey(
                seen.services,
                seen.hosts,
                {first: seen.offers[first], last: answer},
            )
        )

        self.assertEqual(0.75, there.load('a'))
        self.assertFalse(there.fits((share(5),)))

    def test_totals_are_by_class(self):
        there = room(clouds.Host('a', used={'VCPU': 4}), B, shape={'VCPU': 1})
        there.take((share(2, 'rp-b'),))

        self.assertEqual({'VCPU': (6, 32)}, there.totals(['a', 'b', 'z']))
        self.assertEqual({'VCPU': (2, 16)}, there.totals(['b']))

    def test_shared_storage_counts_once_and_is_no_load_of_one_host(self):
        nodes = [clouds.Host(name, size={'VCPU': 16}) for name in ('a', 'b')]
        there = room(
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
        there = room(node, shape={'VCPU': 1, 'VGPU': 1})
        there.take((share(3, 'rp-a-gpu1', 'VGPU'),))

        self.assertEqual(
            (share(4, name='VCPU'), share(9, 'rp-a-gpu0', 'VGPU')),
            there.guess('a', (('VCPU', 4), ('VGPU', 9), ('PCPU', 1))),
        )

    def test_nothing_is_known_of_hosts_that_no_answer_has(self):
        self.assertEqual((), room(A).guess('z', (('VCPU', 1),)))


class TestLacks(unittest.TestCase):
    SHAPE = snapshots.shape(clouds.QUARTER)

    def test_what_is_missing_is_told_by_class(self):
        there = room(A)
        there.take((share(14), share(15000, name='MEMORY_MB')))

        self.assertEqual(
            {'VCPU': 2, 'MEMORY_MB': 2712}, there.lacks('a', self.SHAPE)
        )

    def test_nothing_is_missing_or_nothing_is_known(self):
        self.assertEqual({}, room(A).lacks('a', self.SHAPE))
        self.assertIsNone(room(A).lacks('z', self.SHAPE))

    def test_a_class_counts_where_most_is_left(self):
        node = clouds.Host(
            'a', nested={'gpu0': {'VGPU': 2}, 'gpu1': {'VGPU': 4}}
        )
        there = room(node, shape={'VGPU': 1})

        self.assertEqual({'VGPU': 1}, there.lacks('a', (('VGPU', 5),)))

    def test_shared_storage_is_the_hosts_too(self):
        node = clouds.Host('a', size={'VCPU': 4})
        there = room(
            node,
            shape={'VCPU': 4, 'DISK_GB': 20},
            shared=[clouds.shared_disk(1000)],
        )
        there.take((share(4),))

        self.assertEqual(
            {'VCPU': 1}, there.lacks('a', (('DISK_GB', 20), ('VCPU', 1)))
        )
