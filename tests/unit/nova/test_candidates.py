# SPDX-License-Identifier: Apache-2.0

"""Allocation candidates, and what they share."""

import typing as ty
import unittest

from osc_hostmaint import survey
from osc_hostmaint.nova import candidates


def summary(root: str, *traits: str, **pools: tuple[int, int]) -> ty.Any:
    """Return a provider summary; pools: capacity and use, by class."""
    return {
        'resources': {
            name: {'capacity': capacity, 'used': used}
            for name, (capacity, used) in pools.items()
        },
        'traits': list(traits),
        'parent_provider_uuid': None,
        'root_provider_uuid': root,
    }


def request(**amounts: dict[str, int]) -> ty.Any:
    """Return an allocation request: amounts by provider."""
    return {'allocations': {p: {'resources': a} for p, a in amounts.items()}}


class ReaderTest(unittest.TestCase):
    def test_tree_and_sharing_provider(self) -> None:
        # A GPU below the host, and storage that hosts share.
        found = candidates.Reader().read(
            {
                'allocation_requests': [
                    request(
                        host={'VCPU': 2},
                        gpu={'VGPU': 1},
                        nfs={'DISK_GB': 10},
                    )
                ],
                'provider_summaries': {
                    'host': summary('host', 'HW_CPU_X86_AVX', VCPU=(64, 60)),
                    'gpu': summary('host', VGPU=(4, 3)),
                    'other gpu': summary('host', VGPU=(4, 4)),
                    'nfs': summary('nfs', DISK_GB=(9000, 1)),
                },
            }
        )
        self.assertEqual(
            survey.Offers(
                providers={
                    'host': survey.Provider(
                        'host',
                        'host',
                        frozenset({'HW_CPU_X86_AVX'}),
                        {'VCPU': survey.Pool(64, 60)},
                    ),
                    'gpu': survey.Provider(
                        'gpu', 'host', frozenset(), {'VGPU': survey.Pool(4, 3)}
                    ),
                    'other gpu': survey.Provider(
                        'other gpu',
                        'host',
                        frozenset(),
                        {'VGPU': survey.Pool(4, 4)},
                    ),
                    'nfs': survey.Provider(
                        'nfs',
                        'nfs',
                        frozenset(),
                        {'DISK_GB': survey.Pool(9000, 1)},
                    ),
                },
                candidates=(
                    (
                        survey.Share('host', 'VCPU', 2),
                        survey.Share('gpu', 'VGPU', 1),
                        survey.Share('nfs', 'DISK_GB', 10),
                    ),
                ),
            ),
            found,
        )
