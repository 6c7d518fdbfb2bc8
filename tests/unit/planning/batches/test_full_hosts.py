# SPDX-License-Identifier: Apache-2.0

"""Hosts that have no room yet."""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning.batches import full_hosts
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit.planning import clouds

ROOMY, FULL = clouds.Host('roomy'), clouds.Host('full', used=clouds.SIZE)


def provider(max_unit: int | None = None, **capacity: int):
    return snapshots.Provider(
        'rp-full',
        'rp-full',
        frozenset(),
        {
            name: snapshots.Inventory(amount, amount, max_unit)
            for name, amount in {**clouds.SIZE, **capacity}.items()
        },
    )


class FullHostsTestCase(unit.TestCase):
    def snapshot(self, *wanted: snapshots.Demand):
        return clouds.snapshot([ROOMY, FULL], wanted or clouds.demands(2))

    def test_unseen(self) -> None:
        seen = self.snapshot(clouds.demand('vm1', source='roomy'))
        self.assertEqual(
            {'full': 'rp-full'}, full_hosts.unseen(seen, {'full', 'roomy'})
        )
        self.assertEqual({}, full_hosts.unseen(seen, {'roomy'}))

    def test_several_hypervisors(self) -> None:
        seen = self.snapshot(clouds.demand('vm1', source='roomy'))
        hosts = {**seen.hosts, 'rp-2': 'full'}
        seen = dataclasses.replace(seen, hosts=hosts)
        self.assertEqual({}, full_hosts.unseen(seen, {'full'}))

    def test_it_is_a_candidate_with_all_in_use(self) -> None:
        wanted = clouds.demand('vm1', source='roomy')
        seen = full_hosts.complete(self.snapshot(wanted), [provider()])
        answer = seen.allocation_candidates[wanted.request]
        self.assertEqual(2, len(answer.candidates))
        self.assertIn(
            sorted(clouds.held(clouds.QUARTER, 'full'), key=str),
            [sorted(each, key=str) for each in answer.candidates],
        )
        inventory = answer.providers['rp-full'].inventories['VCPU']
        self.assertEqual((16, 16), (inventory.capacity, inventory.used))

    @unit.cases(
        (provider(), 2),
        (provider(max_unit=40), 1),
        (provider(VCPU=3), 1),
        (dataclasses.replace(provider(), inventories={}), 1),
    )
    def test_it_has_to_be_large_enough(self, full, candidates) -> None:
        wanted = clouds.demand('vm1', source='roomy')
        seen = full_hosts.complete(self.snapshot(wanted), [full])
        answer = seen.allocation_candidates[wanted.request]
        self.assertEqual(candidates, len(answer.candidates))

    def test_numbered_groups_get_no_more(self) -> None:
        group = model.RequestGroup((('VGPU', 1),))
        wanted = clouds.demand('vm1', source='roomy', groups=(group,))
        seen = self.snapshot(wanted)
        self.assertEqual({}, full_hosts.unseen(seen, {'full'}))
        self.assertEqual(seen, full_hosts.complete(seen, [provider()]))

    def test_what_placement_refused_gets_no_more(self) -> None:
        wanted = clouds.demand('vm1', source='roomy')
        refused = snapshots.AllocationCandidates({}, (), refused='no trait')
        seen = dataclasses.replace(
            self.snapshot(wanted),
            allocation_candidates={wanted.request: refused},
        )
        self.assertEqual({}, full_hosts.unseen(seen, {'full'}))
        self.assertEqual(seen, full_hosts.complete(seen, [provider()]))
