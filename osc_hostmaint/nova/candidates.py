# SPDX-License-Identifier: Apache-2.0

"""Allocation candidates: large answers, read into little memory."""

import sys

from osc_hostmaint.nova import records
from osc_hostmaint.planning.capacity import snapshot as snapshots


class Reader:
    """Reads answers of GET /allocation_candidates (>= 1.29).

    Each answer has all providers with all their traits, and most are the
    same in the next one: what is the same is kept once.
    """

    def __init__(self) -> None:
        self._providers: dict[str, snapshots.Provider] = {}
        self._traits: dict[frozenset[str], frozenset[str]] = {}

    def read(self, data: records.Json) -> snapshots.AllocationCandidates:
        """Read an answer."""
        return snapshots.AllocationCandidates(
            providers={
                sys.intern(provider): self._provider(provider, summary)
                for provider, summary in data['provider_summaries'].items()
            },
            candidates=tuple(
                _candidate(request['allocations'])
                for request in data['allocation_requests']
            ),
        )

    def _provider(
        self, provider: str, summary: records.Json
    ) -> snapshots.Provider:
        """Return a provider, the same as before if it is as before."""
        traits = frozenset(summary['traits'])
        found = snapshots.Provider(
            id=sys.intern(provider),
            root=sys.intern(summary['root_provider_uuid']),
            traits=self._traits.setdefault(traits, traits),
            inventories={
                sys.intern(name): snapshots.Inventory(
                    inventory['capacity'], inventory['used']
                )
                for name, inventory in summary['resources'].items()
            },
        )
        if self._providers.get(provider) != found:
            self._providers[found.id] = found
        return self._providers[provider]


def _candidate(allocations: records.Json) -> snapshots.AllocationRequest:
    """Read an allocation request, which names amounts by provider."""
    return tuple(
        snapshots.Allocation(sys.intern(provider), sys.intern(name), amount)
        for provider, allocation in allocations.items()
        for name, amount in allocation['resources'].items()
    )
