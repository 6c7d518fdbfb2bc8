# SPDX-License-Identifier: Apache-2.0

"""What hosts have left, who is on them, and what moves tell of them."""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning.capacity import destination_history
from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import server_groups
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit import builders
from tests.unit.planning import clouds

Host = clouds.Host
GPUS = Host('a', nested={'gpu0': {'VGPU': 2}, 'gpu1': {'VGPU': 4}})
A, B = clouds.hosts('a', 'b')


def allocation(amount: int, provider: str = 'rp-a', name: str = 'VCPU'):
    return snapshots.Allocation(provider, name, amount)


def ledger(*nodes: Host, shape: snapshots.Amounts = clouds.QUARTER, **known):
    wanted = [clouds.demand('vm1', shape)]
    return ledgers.Ledger(clouds.snapshot(nodes, wanted, **known))


class TestHostOf(unit.TestCase):
    def host_of(self, node, shape, shared=()):
        """Return the host of the only candidate, and of its first part."""
        seen = clouds.snapshot([node], [clouds.demand('vm1', shape)], shared)
        (answer,) = seen.allocation_candidates.values()
        ((first, *others),) = answer.candidates
        parts = ((first, *others), (first,))
        found = [ledgers.host_of(seen, answer, part) for part in parts]
        return first.provider, found

    def test_the_root_tells_the_host(self):
        gpus = Host('a', nested={'gpu': {'VGPU': 4}})
        self.assertEqual(
            ('rp-a-gpu', ['a', 'a']), self.host_of(gpus, {'VGPU': 1})
        )

    def test_a_shared_provider_is_on_no_host(self):
        node, disk = Host('a', size={'VCPU': 16}), clouds.shared_disk(1000)
        shape = {'VCPU': 1, 'DISK_GB': 1}
        self.assertEqual(
            ('rp-shared', ['a', None]), self.host_of(node, shape, [disk])
        )


class TestLedger(unit.TestCase):
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

    def test_what_several_hosts_have_left(self):
        there = ledger(A, B)
        there.take((allocation(20),))
        self.assertEqual(16, there.left(['a', 'b'])['VCPU'])
        self.assertEqual(0, there.left(['a'])['VCPU'])

    @unit.cases(
        # Another provider, another class, one of two.
        [allocation(1, 'rp-z')],
        [allocation(1, name='VGPU')],
        [allocation(1), allocation(99999, name='MEMORY_MB')],
    )
    def test_every_allocation_must_fit(self, shares):
        self.assertFalse(ledger(A).fits(shares))

    def test_load_is_of_the_fullest_inventory(self):
        there = ledger(Host('a', used={'VCPU': 4, 'MEMORY_MB': 8192}))
        self.assertEqual(0.5, there.load('a'))
        self.assertEqual(0.75, there.load('a', (allocation(8),)))
        self.assertEqual(0.5, there.load('a', (allocation(4),)))
        self.assertEqual(0.0, there.load('without inventories'))

    def test_what_no_server_asks_for_is_no_load(self):
        node = Host('a', size={'VCPU': 4, 'VGPU': 1}, used={'VGPU': 1})
        there = ledger(node, shape={'VCPU': 1})
        self.assertEqual(0.25, there.load('a', (allocation(1),)))

    def test_empty_inventory_has_no_load(self):
        node = Host('a', size={'VCPU': 4, 'DISK_GB': 0})
        with_disk = clouds.demand('vm2', {'VCPU': 1, 'DISK_GB': 1})
        wanted = [clouds.demand('vm1', {'VCPU': 1}), with_disk]
        there = ledgers.Ledger(clouds.snapshot([node], wanted))
        self.assertEqual(0.0, there.load('a'))
        self.assertEqual({'VCPU': (0, 4)}, there.totals(['a']))

    def test_the_newest_answer_counts(self):
        old, fuller = clouds.demand('vm1'), Host('a', used={'VCPU': 12})
        seen = clouds.snapshot([A], [old])
        new = clouds.request({'VCPU': 2})
        answer = clouds.allocation_candidates(new, [fuller.providers])
        answers = {**seen.allocation_candidates, new: answer}
        there = ledgers.Ledger(
            dataclasses.replace(seen, allocation_candidates=answers)
        )
        self.assertEqual(0.75, there.load('a'))
        self.assertFalse(there.fits((allocation(5),)))

    def test_totals_are_by_class(self):
        there = ledger(Host('a', used={'VCPU': 4}), B, shape={'VCPU': 1})
        there.take((allocation(2, 'rp-b'),))
        self.assertEqual({'VCPU': (6, 32)}, there.totals(['a', 'b', 'z']))
        self.assertEqual({'VCPU': (2, 16)}, there.totals(['b']))

    def test_shared_storage_counts_once_and_is_no_load_of_one_host(self):
        nodes = clouds.hosts('a', 'b', size={'VCPU': 16})
        shared = [clouds.shared_disk(1000, 600)]
        there = ledger(*nodes, shape={'VCPU': 1, 'DISK_GB': 20}, shared=shared)
        expected = {'VCPU': (0, 32), 'DISK_GB': (600, 1000)}
        self.assertEqual(expected, there.totals(['a', 'b']))
        self.assertEqual(0.0, there.load('a'))


class TestGuess(unit.TestCase):
    def test_each_class_is_where_most_of_it_is_left(self):
        there = ledger(GPUS, shape={'VCPU': 1, 'VGPU': 1})
        there.take((allocation(3, 'rp-a-gpu1', 'VGPU'),))
        self.assertEqual(
            (allocation(4, name='VCPU'), allocation(9, 'rp-a-gpu0', 'VGPU')),
            there.guess(
                'a', clouds.request({'VCPU': 4, 'VGPU': 9, 'PCPU': 1})
            ),
        )

    def test_groups_are_of_different_cards(self):
        there = ledger(GPUS, shape={'VGPU': 1})
        request = clouds.request({}, (model.RequestGroup((('VGPU', 3),)),) * 2)
        shares = [(s.provider, s.amount) for s in there.guess('a', request)]
        self.assertEqual([('rp-a-gpu1', 3), ('rp-a-gpu0', 3)], shares)
        self.assertEqual({'VGPU': 1}, there.lacks('a', request))

    def test_nothing_is_known_of_hosts_that_no_answer_has(self):
        self.assertEqual((), ledger(A).guess('z', clouds.request({'VCPU': 1})))


class TestLacks(unit.TestCase):
    def test_what_is_missing_is_told_by_class(self):
        there, shape = ledger(A), clouds.request(clouds.QUARTER)
        self.assertEqual({}, there.lacks('a', shape))
        self.assertIsNone(there.lacks('not known', shape))
        there.take((allocation(14), allocation(15000, name='MEMORY_MB')))
        lacks = there.lacks('a', shape)
        self.assertEqual({'VCPU': 2, 'MEMORY_MB': 2712}, lacks)

    def test_a_class_counts_where_most_is_left(self):
        there = ledger(GPUS, shape={'VGPU': 1})
        self.assertEqual(
            {'VGPU': 1}, there.lacks('a', clouds.request({'VGPU': 5}))
        )

    def test_shared_storage_is_the_hosts_too(self):
        node = Host('a', size={'VCPU': 4})
        shape, shared = {'VCPU': 4, 'DISK_GB': 20}, [clouds.shared_disk(1000)]
        there = ledger(node, shape=shape, shared=shared)
        there.take((allocation(4),))
        lacks = there.lacks('a', clouds.request({'DISK_GB': 20, 'VCPU': 1}))
        self.assertEqual({'VCPU': 1}, lacks)


def those(policy: str, most: int = 1, **located: str):
    """Return the members of one group, and where they are."""
    group = clouds.group(policy, 'vm1', 'vm2', 'vm3', most=most)
    return server_groups.GroupMembers([group], located)


class TestPlaces(unit.TestCase):
    def test_server_without_group_is_ignored(self):
        them = those('anti-affinity', vm1='a')
        them.put('stranger', 'a')
        self.assertIsNone(them.group('stranger'))
        self.assertEqual(0, them.others('stranger', 'a'))
        self.assertEqual(1, them.others('vm2', 'a'))
        self.assertTrue(them.allows('stranger', 'a'))
        self.assertEqual(0, them.soft_penalty('stranger', 'a'))

    def test_hosts_of_other_members(self):
        them = those('soft-affinity', vm1='a', vm2='a', vm3='b')
        them.put('vm3', 'c')
        self.assertEqual({'a', 'c'}, set(them.hosts_of_others('vm1')))
        self.assertEqual({'a'}, set(them.hosts_of_others('vm3')))
        self.assertEqual(set(), set(them.hosts_of_others('stranger')))


#: A server's host and status, as seen after its move has ended.
BACK = builders.server(status='SHUTOFF', seen_at=builders.NOW)
BROKEN = builders.server(status='ERROR', seen_at=builders.NOW)


def moves(*ends):
    """Return moves that ended one after another.

    :param ends: server, destination, and 'ok', 'failed', 'ruined' or
        'refused', of a cold migration but for those in capitals.
    """
    return [
        destination_history.EndedMove(
            builders.migration(
                number,
                'error' if end == 'refused' else 'failed',
                server_id,
                type='live-migration' if end.isupper() else 'migration',
                dest=None if end == 'refused' else dest,
                created_at=builders.cloud_time(builders.NOW + number),
            ),
            dest,
            completed=end.lower() == 'ok',
            harmed=end == 'ruined',
            unsure=server_id == 'unseen',
        )
        for number, (server_id, dest, end) in enumerate(ends, 1)
    ]


class TestEnded(unit.TestCase):
    @unit.cases('running', 'cancelled', 'reverted', 'accepted')
    def test_records_that_say_nothing(self, status):
        record = builders.migration(status=status)
        self.assertIsNone(destination_history.ended(record, None))

    def test_an_owners_resize_tells_nothing(self):
        record = builders.migration(status='error', type='resize')
        self.assertIsNone(destination_history.ended(record, None))

    @unit.cases(
        ('finished', None, True, False),
        ('confirmed', None, True, False),
        ('error', BACK, False, False),
        ('error', BROKEN, False, True),
        ('error', None, False, True),
    )
    def test_a_cold_migration(self, status, view, completed, harmed):
        record = builders.migration(
            status=status, type='migration', seen_at=builders.NOW - 1
        )
        found = destination_history.ended(record, view)
        self.assertEqual((completed, harmed), (found.completed, found.harmed))

    @unit.cases(('migration', False), ('evacuation', True))
    def test_a_move_that_another_one_followed(self, kind, harmed):
        """What is in ERROR now was not after it, or nothing had followed."""
        broken = builders.server(status='ERROR', host='cmp03')
        record = builders.migration(status='error', type=kind)
        found = destination_history.ended(record, broken, moved_again=True)
        self.assertIs(harmed, found.harmed)

    @unit.cases(True, False)
    def test_abandoned_record_is_judged_now(self, awaited):
        record = builders.migration(status='error', type='migration')
        found = destination_history.ended(record, None, awaited=awaited)
        self.assertTrue(found.harmed)
        self.assertIs(awaited, found.unsure)

    def test_the_host_that_was_asked_for(self):
        record = builders.migration(
            status='pre-migrating', type='migration', dest=None
        )
        self.assertIsNone(destination_history.ended(record, None, 'cmp03'))
        found = destination_history.ended(record, None, 'cmp03', given_up=True)
        self.assertEqual('cmp03', found.destination)
        self.assertTrue(found.harmed)


class TestLearn(unit.TestCase):
    def learn(self, *ends, **options):
        return destination_history.learn(moves(*ends), **options)

    def test_two_servers_that_failed_exclude_it(self):
        known = self.learn(
            ('vm1', 'a', 'FAILED'), ('vm1', 'a', 'FAILED'), ('vm1', 'b', 'OK')
        )
        self.assertEqual({}, known.excluded)
        known = self.learn(('vm1', 'a', 'FAILED'), ('vm2', 'a', 'failed'))
        self.assertEqual({'a': {'vm1', 'vm2'}}, known.excluded)

    def test_a_move_that_succeeded_in_between(self):
        known = self.learn(
            ('vm1', 'a', 'FAILED'), ('vm2', 'a', 'OK'), ('vm3', 'a', 'FAILED')
        )
        self.assertEqual({}, known.excluded)
        self.assertEqual({'a'}, set(known.suspect))

    def test_servers_failing_everywhere_are_ignored(self):
        ends = [(vm, d, 'FAILED') for vm in ('vm1', 'vm2') for d in 'abc']
        self.assertEqual({}, self.learn(*ends).excluded)
        self.assertEqual(
            {'a', 'b', 'c'}, self.learn(*ends).failed['vm1', 'live-migration']
        )
        # Those that arrived in the end were not to blame.
        known = self.learn(*ends, ('vm1', 'd', 'OK'), ('vm2', 'd', 'OK'))
        self.assertEqual({'a', 'b', 'c'}, set(known.excluded))

    def test_once_excluded_it_stays_so(self):
        before = {'a': frozenset({'vm1', 'vm2'})}
        known = self.learn(('vm1', 'a', 'OK'), excluded=before)
        self.assertEqual(before, known.excluded)

    def test_what_leaves_servers_in_error(self):
        ruined = ('vm1', 'a', 'ruined')
        self.assertEqual({'a'}, self.learn(ruined).harmful)
        self.assertEqual({'a'}, self.learn(ruined, ('x', 'a', 'OK')).harmful)
        known = self.learn(ruined, ('x', 'a', 'ok'))
        self.assertEqual(set(), known.harmful)
        self.assertEqual({'a'}, known.proven)
        self.assertEqual(set(), self.learn(('x', 'a', 'OK')).proven)
        self.assertEqual({'a'}, self.learn(('unseen', 'a', 'ruined')).unsure)
        self.assertIn('in ERROR', self.learn(ruined).against(risky=True)['a'])
        self.assertEqual({}, self.learn(ruined).against(risky=False))

    def test_scheduler_refusal_is_not_a_failure(self):
        known = self.learn(('vm1', 'a', 'refused'), ('vm2', 'a', 'refused'))
        self.assertEqual(({}, {}), (known.excluded, known.suspect))
        self.assertEqual({'a'}, known.failed['vm1', 'migration'])
