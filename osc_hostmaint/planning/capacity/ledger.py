# SPDX-License-Identifier: Apache-2.0

"""What the hosts have left, as moves are put on them in thought."""

import collections
from collections import abc
import copy
import typing as ty

from osc_hostmaint.planning.capacity import snapshot as snapshots

Request = snapshots.AllocationRequest
Snapshot = snapshots.CapacitySnapshot
#: A provider and a resource class.
_Key = tuple[str, str]


def host_of(
    snapshot: Snapshot,
    answer: snapshots.AllocationCandidates,
    candidate: Request,
) -> str | None:
    """Return the host of a candidate; a shared provider has none."""
    for allocation in candidate:
        provider = answer.providers.get(allocation.provider)
        root = provider.root if provider else allocation.provider
        if host := snapshot.hosts.get(root):
            return host
    return None


class Ledger:
    """A ledger of every pool: how much there is, and how much is taken."""

    def __init__(self, snapshot: Snapshot):
        self._capacity: dict[_Key, int] = {}
        self._used: dict[_Key, int] = {}
        #: By host, in order: the values mean nothing.
        self._inventories: dict[str, dict[_Key, None]] = {}
        #: Those of other providers that candidates on a host take from.
        self._shared = _shared(snapshot)
        wanted = {
            c
            for request in snapshot.allocation_candidates
            for c, _n in request.parts
        }
        # The newest answer comes last, and counts.
        for answer in snapshot.allocation_candidates.values():
            for provider in answer.providers.values():
                host = snapshot.hosts.get(provider.root)
                for name, inventory in provider.inventories.items():
                    if name not in wanted:
                        continue
                    key = (provider.id, name)
                    self._capacity[key] = inventory.capacity
                    self._used[key] = inventory.used
                    if host is not None and inventory.capacity:
                        self._inventories.setdefault(host, {})[key] = None

    def copy(self) -> ty.Self:
        """Return another ledger that says the same."""
        other = copy.copy(self)
        other._used = dict(self._used)
        return other

    def fits(self, candidate: Request) -> bool:
        """Tell whether there is room for a candidate."""
        used, capacity = self._used, self._capacity
        for allocation in candidate:
            key = (allocation.provider, allocation.resource_class)
            if used.get(key, 0) + allocation.amount > capacity.get(key, 0):
                return False
        return True

    def take(self, candidate: Request) -> None:
        """Enter a candidate, whether there is room for it or not."""
        self._enter(candidate, 1)

    def give_back(self, candidate: Request) -> None:
        """Take a candidate out again."""
        self._enter(candidate, -1)

    def _enter(self, candidate: Request, sign: int) -> None:
        for allocation in candidate:
            key = (allocation.provider, allocation.resource_class)
            self._used[key] = self._used.get(key, 0) + sign * allocation.amount

    def load(self, host: str, candidate: Request = ()) -> float:
        """Return the load of a host's fullest pool, 1 being full.

        What it shares with others is not its own load.

        :param candidate: what it would hold beside: then only the pools
            count that it takes from. A host full of disks is a good place
            for what needs none.
        """
        extra = {(a.provider, a.resource_class): a.amount for a in candidate}
        used, capacity = self._used, self._capacity
        return max(
            (
                (used[key] + extra.get(key, 0)) / capacity[key]
                for key in self._inventories.get(host, ())
                if not extra or key in extra
            ),
            default=0.0,
        )

    def loads(self, candidate: Request) -> list[float]:
        """Return the loads of a candidate's pools with it, highest first."""
        found = []
        for allocation in candidate:
            key = (allocation.provider, allocation.resource_class)
            used = self._used[key] + allocation.amount
            found.append(used / self._capacity[key])
        return sorted(found, reverse=True)

    def totals(self, hosts: abc.Iterable[str]) -> dict[str, tuple[int, int]]:
        """Return how much some hosts have in use, and of how much, in all.

        By resource class. What they share counts once.
        """
        found: dict[str, tuple[int, int]] = {}
        for key in dict.fromkeys(key for h in hosts for key in self._of(h)):
            used, capacity = found.get(key[1], (0, 0))
            used += self._used[key]
            found[key[1]] = used, capacity + self._capacity[key]
        return found

    def left(self, hosts: abc.Iterable[str]) -> abc.Mapping[str, int]:
        """Return how much some hosts have left, in all, by resource class.

        What is overfull has nothing left. What they share counts once.
        """
        pools = {k: n for h in hosts for k, n in self._left(h).items()}
        found = collections.Counter[str]()
        for (_provider, name), left in pools.items():
            found[name] += max(0, left)
        return found

    def _of(self, host: str) -> dict[_Key, None]:
        """Return the pools that a host may take from."""
        return self._inventories.get(host, {}) | self._shared.get(host, {})

    def guess(self, host: str, request: snapshots.ResourceRequest) -> Request:
        """Return what a server may hold of a host.

        For hosts that no answer names: each part where most of it is left.
        """
        left = self._left(host)
        found = []
        for name, amount in request.parts:
            if pool := _roomiest(left, name):
                left[pool] -= amount
                found.append(snapshots.Allocation(pool[0], name, amount))
        return tuple(found)

    def lacks(
        self, host: str, request: snapshots.ResourceRequest
    ) -> dict[str, int] | None:
        """Return what a host lacks for a server; None: it is not known.

        Each part counts where the host has most of it left.
        """
        left = self._left(host)
        if not left:
            return None
        lacks = collections.Counter[str]()
        for name, amount in request.parts:
            pool = _roomiest(left, name)
            lacks[name] += max(0, amount - (left[pool] if pool else 0))
            if pool:
                left[pool] -= amount
        return dict(+lacks)

    def _left(self, host: str) -> dict[_Key, int]:
        """Return how much is left of each pool that a host may take from."""
        return {k: self._capacity[k] - self._used[k] for k in self._of(host)}


def _roomiest(left: abc.Mapping[_Key, int], name: str) -> _Key | None:
    """Return the pool with most of a resource class left, if there is any."""
    pools = [key for key in left if key[1] == name]
    return max(pools, key=lambda key: left[key], default=None)


def _shared(snapshot: Snapshot) -> dict[str, dict[_Key, None]]:
    """Return what candidates take from providers that are of no host."""
    found: dict[str, dict[_Key, None]] = {}
    for answer in snapshot.allocation_candidates.values():
        hostless = {
            provider.id
            for provider in answer.providers.values()
            if provider.root not in snapshot.hosts
        }
        for candidate in answer.candidates if hostless else ():
            host = host_of(snapshot, answer, candidate)
            for allocation in candidate:
                if host and allocation.provider in hostless:
                    key = (allocation.provider, allocation.resource_class)
                    found.setdefault(host, {})[key] = None
    return found
