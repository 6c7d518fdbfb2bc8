# SPDX-License-Identifier: Apache-2.0

"""Allocations, and who has room."""

import typing as ty
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.nova import records
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit.nova import cloud
from tests.unit.nova import recorded

CANDIDATES = f'{cloud.PLACEMENT}/allocation_candidates'
PROVIDERS = f'{cloud.PLACEMENT}/resource_providers'
AVX = 'HW_CPU_X86_AVX'
CMP03 = '4c5296d2-8252-44a2-9312-a44a4619fdaf'
SHAPE = (('DISK_GB', 1), ('MEMORY_MB', 512), ('VCPU', 1))
REQUEST = snapshots.ResourceRequest(model.RequestGroup(SHAPE))


class AllocationsTest(cloud.CloudTestCase):
    def _hypervisors(self, *hosts: str) -> None:
        nodes = [cloud.hypervisor(n, host) for n, host in enumerate(hosts)]
        self.answer('/os-hypervisors/detail', hypervisors=nodes)

    def _allocations(self, provider, children=(), /, **held):
        tree = cloud.tree(*children, provider)
        self.cloud.get(f'{PROVIDERS}?in_tree={provider}', json=tree)
        answer = cloud.allocations(**held)
        self.cloud.get(f'{PROVIDERS}/{provider}/allocations', json=answer)

    def _held(self, host: str) -> dict[str, snapshots.Amounts]:
        held = self.gateway.allocations(host)
        return {i: dict(snapshots.amounts(held[i])) for i in held}

    def test_recorded(self) -> None:
        self.answer('/os-hypervisors/detail', **recorded.HYPERVISORS)
        self._allocations(CMP03)
        self.cloud.get(
            f'{PROVIDERS}/{CMP03}/allocations', json=recorded.ALLOCATIONS
        )
        amounts = {'VCPU': 1, 'MEMORY_MB': 512, 'DISK_GB': 1}
        self.assertEqual(
            {
                '5d455c3f-36a6-4e93-a9ea-8d16d200e204': amounts,
                'd668fcff-b0c5-4389-a2db-8e882a332bd4': amounts,
            },
            self._held('cmp03'),
        )

    def test_several_nodes_on_a_host(self) -> None:
        # Ironic: every node is a resource provider of its own.
        self._hypervisors('cmp01', 'cmp01', 'cmp02')
        self._allocations(
            'provider-0', vm1={'CUSTOM_IRON': 1, 'VCPU': 2}, vm2={'VCPU': 4}
        )
        self._allocations('provider-1', vm1={'VCPU': 3, 'DISK_GB': 5})
        self.assertEqual(
            {
                'vm1': {'CUSTOM_IRON': 1, 'VCPU': 5, 'DISK_GB': 5},
                'vm2': {'VCPU': 4},
            },
            self._held('cmp01'),
        )

    def test_child_providers(self) -> None:
        self._hypervisors('cmp01')
        self._allocations('provider-0', ['gpu'], vm1={'VCPU': 2})
        self._allocations('gpu', vm1={'VGPU': 1}, left={'VGPU': 1})
        self.assertEqual(
            {'vm1': {'VCPU': 2, 'VGPU': 1}, 'left': {'VGPU': 1}},
            self._held('cmp01'),
        )

    def test_before_there_were_trees(self) -> None:
        self.cloud.get(cloud.PLACEMENT, json=cloud.placement_versions('1.10'))
        self._hypervisors('cmp01')
        self._allocations('provider-0', ['gpu'], vm1={'VCPU': 2})
        self.assertEqual({'vm1': {'VCPU': 2}}, self._held('cmp01'))

    def test_of_no_hypervisor_nothing_is_known(self) -> None:
        self._hypervisors('cmp01')
        with self.raises(
            exceptions.UnknownHypervisor,
            'no hypervisor on cmp02, .* cannot be checked: .*discover_hosts',
        ):
            self.gateway.allocations('cmp02')


class ProviderTest(cloud.CloudTestCase):
    def test_inventories_and_traits(self) -> None:
        about = f'{PROVIDERS}/rp1'
        self.cloud.get(f'{about}/traits', json={'traits': ['HW_X', 'CUSTOM']})
        inventory = {
            'total': 10,
            'reserved': 1,
            'allocation_ratio': 1.5,
            'min_unit': 1,
            'max_unit': 4,
            'step_size': 1,
        }
        self.cloud.get(
            f'{about}/inventories', json={'inventories': {'VCPU': inventory}}
        )
        self.assertEqual(
            snapshots.Provider(
                *('rp1', 'rp1', frozenset({'HW_X', 'CUSTOM'})),
                {'VCPU': snapshots.Inventory(13, used=0, max_unit=4)},
            ),
            self.gateway.provider('rp1'),
        )
        self.assertEqual(2, len(self.sent))
        self.assert_version('placement 1.6')


class OffersTest(cloud.CloudTestCase):
    def test_recorded(self) -> None:
        self.cloud.get(CANDIDATES, json=recorded.CANDIDATES)
        found = self.gateway.allocation_candidates(REQUEST)
        self.assertEqual(3, len(found.candidates))
        self.assertEqual(
            tuple(snapshots.Allocation(CMP03, *amount) for amount in SHAPE),
            {c[0].provider: c for c in found.candidates}[CMP03],
        )
        capacity = {'VCPU': 128, 'MEMORY_MB': 131072, 'DISK_GB': 4000}
        used = {'VCPU': 2, 'MEMORY_MB': 1024, 'DISK_GB': 2}
        self.assertEqual(
            snapshots.Provider(
                *(CMP03, CMP03, frozenset(recorded.TRAITS)),
                {
                    name: snapshots.Inventory(capacity[name], used[name])
                    for name in capacity
                },
            ),
            found.providers[CMP03],
        )

    def test_nothing_needs_no_room(self) -> None:
        self.assertEqual(
            snapshots.AllocationCandidates({}, ()),
            self.gateway.allocation_candidates(snapshots.UNKNOWN),
        )
        self.assertEqual([], self.cloud.request_history)

    def test_refused(self) -> None:
        errors = [{'detail': 'No such trait(s): CUSTOM_GONE.'}]
        self.cloud.get(CANDIDATES, status_code=400, json={'errors': errors})
        found = self.gateway.allocation_candidates(REQUEST)
        self.assertEqual((), found.candidates)
        self.assertIn('No such trait(s): CUSTOM_GONE (HTTP 400', found.refused)

    @unit.cases((3, True), (4, False))
    def test_as_many_as_asked_for(self, most: int, cut: bool) -> None:
        self.cloud.get(CANDIDATES, json=recorded.CANDIDATES)
        with mock.patch.object(snapshots, 'MOST_CANDIDATES', most):
            found = self.gateway.allocation_candidates(REQUEST)
        self.assertIs(cut, found.cut)
        self.assertIn(f'limit={most}', self.sent[-1])

    @unit.cases('1.29', '1.30', '1.100')
    def test_microversion(self, offered: str) -> None:
        self.cloud.get(cloud.PLACEMENT, json=cloud.placement_versions(offered))
        self.cloud.get(CANDIDATES, json=recorded.CANDIDATES)
        self.gateway.allocation_candidates(REQUEST)
        self.assert_version('placement 1.29')

    def test_too_old(self) -> None:
        self.cloud.get(cloud.PLACEMENT, json=cloud.placement_versions('1.17'))
        with self.raises(
            exceptions.ApiTooOld, r'\b1\.29\b.*Placement.*\b1\.17\b'
        ):
            self.gateway.allocation_candidates(REQUEST)
        self.assertEqual([], self.sent)

    def test_versions_missed_at_first(self) -> None:
        # The endpoint fails for a moment, while keystoneauth1 looks at it.
        self.cloud.get(cloud.PLACEMENT, status_code=502)
        self.cloud.get(
            f'{cloud.PLACEMENT}/',
            [{'status_code': 502}, {'json': cloud.placement_versions()}],
        )
        self.cloud.get(CANDIDATES, json=recorded.CANDIDATES)
        found = self.gateway.allocation_candidates(REQUEST)
        self.assertEqual(3, len(found.candidates))

    @unit.cases('allocation_requests', 'provider_summaries')
    def test_half_an_answer(self, key: str) -> None:
        answer: dict[str, ty.Any] = {key: recorded.CANDIDATES[key]}
        self.cloud.get(CANDIDATES, json=answer)
        with self.raises(
            exceptions.Unavailable, 'allocation_requests, provider_summaries'
        ):
            self.gateway.allocation_candidates(REQUEST)


class OverriddenEndpointTest(cloud.CloudTestCase):
    """An endpoint in clouds.yaml, where openstacksdk asks for no versions."""

    config = {
        'placement_endpoint_override': cloud.PLACEMENT,
        'placement_api_version': '1',
    }

    def test_down_at_first(self) -> None:
        self.cloud.get(cloud.PLACEMENT, status_code=503)
        self.cloud.get(f'{cloud.PLACEMENT}/', status_code=503)
        with self.raises(
            exceptions.Unavailable, r'Placement: GET /: .*\(HTTP 503\)'
        ):
            self.gateway.allocation_candidates(REQUEST)
        self.cloud.get(
            f'{cloud.PLACEMENT}/', json=cloud.placement_versions('1.29')
        )
        self.cloud.get(CANDIDATES, json=recorded.CANDIDATES)
        found = self.gateway.allocation_candidates(REQUEST)
        self.assertEqual(3, len(found.candidates))
        self.assert_version('placement 1.29')

    def test_no_microversions_at_all(self) -> None:
        self.cloud.get(cloud.PLACEMENT, json={'versions': []})
        self.cloud.get(
            f'{cloud.PLACEMENT}/',
            json={'versions': [{'id': 'v1.0', 'links': []}]},
        )
        with self.raises(exceptions.ApiTooOld, 'offers none'):
            self.gateway.allocation_candidates(REQUEST)


def summary(root: str, *traits: str, **inventories: tuple[int, int]) -> ty.Any:
    """Return a provider summary; pools: capacity and use, by class."""
    return {
        'resources': {
            name: {'capacity': capacity, 'used': used}
            for name, (capacity, used) in inventories.items()
        },
        'traits': list(traits),
        'parent_provider_uuid': None,
        'root_provider_uuid': root,
    }


def request(**amounts: dict[str, int]) -> ty.Any:
    return {'allocations': {p: {'resources': a} for p, a in amounts.items()}}


def provider(id_, root, *traits, **inventories):
    pools = {n: snapshots.Inventory(*i) for n, i in inventories.items()}
    return snapshots.Provider(id_, root, frozenset(traits), pools)


class ReaderTest(unit.TestCase):
    def test_tree_and_sharing_provider(self) -> None:
        # A GPU below the host, and storage that hosts share.
        found = records.CandidatesReader().read(
            {
                'allocation_requests': [
                    request(
                        host={'VCPU': 2}, gpu={'VGPU': 1}, nfs={'DISK_GB': 10}
                    )
                ],
                'provider_summaries': {
                    'host': summary('host', AVX, VCPU=(64, 60)),
                    'gpu': summary('host', VGPU=(4, 3)),
                    'other gpu': summary('host', VGPU=(4, 4)),
                    'nfs': summary('nfs', DISK_GB=(9000, 1)),
                },
            }
        )
        self.assertEqual(
            snapshots.AllocationCandidates(
                providers={
                    'host': provider('host', 'host', AVX, VCPU=(64, 60)),
                    'gpu': provider('gpu', 'host', VGPU=(4, 3)),
                    'other gpu': provider('other gpu', 'host', VGPU=(4, 4)),
                    'nfs': provider('nfs', 'nfs', DISK_GB=(9000, 1)),
                },
                candidates=(
                    (
                        snapshots.Allocation('host', 'VCPU', 2),
                        snapshots.Allocation('gpu', 'VGPU', 1),
                        snapshots.Allocation('nfs', 'DISK_GB', 10),
                    ),
                ),
            ),
            found,
        )
