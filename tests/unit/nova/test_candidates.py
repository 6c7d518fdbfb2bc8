# SPDX-License-Identifier: Apache-2.0

"""Allocation candidates, and what they share."""

import typing as ty

from osc_hostmaint.nova import candidates
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit

AVX = 'HW_CPU_X86_AVX'


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
    """Return an allocation request: amounts by provider."""
    return {'allocations': {p: {'resources': a} for p, a in amounts.items()}}


def provider(id_, root, *traits, **inventories):
    """Return what is read of a provider."""
    pools = {n: snapshots.Inventory(*i) for n, i in inventories.items()}
    return snapshots.Provider(id_, root, frozenset(traits), pools)


class ReaderTest(unit.TestCase):
    def test_tree_and_sharing_provider(self) -> None:
        # A GPU below the host, and storage that hosts share.
        found = candidates.Reader().read(
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
