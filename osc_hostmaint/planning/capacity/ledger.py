# SPDX-License-Identifier: Apache-2.0

"""What the hosts have left, as moves are put on them in thought."""

import collections.abc
import typing as ty

from osc_hostmaint.planning.capacity import snapshot as snapshots

_Key = tuple[str, str]


def host_of(
    snapshot: snapshots.CapacitySnapshot,
    answer: snapshots.AllocationCandidates,
    candidate: snapshots.AllocationRequest,
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

    def __init__(self, snapshot: snapshots.CapacitySnapshot):
        self._capacity: dict[_Key, int] = {}
        self._used: dict[_Key, int] = {}
        self._inventories: dict[str, tuple[_Key, ...]] = {}
        #: Those of other providers that candidates on a host take from.
        self._shared = _shared(snapshot)
        wanted = {
            c for shape in snapshot.allocation_candidates for c, _n in shape
        }
        by_host: dict[str, dict[_Key, None]] = {}
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
                        by_host.setdefault(host, {})[key] = None
        for host, keys in by_host.items():
            self._inventories[host] = tuple(keys)

    def copy(self) -> ty.Self:
        """Return another ledger that says the same."""
        other = object.__new__(type(self))
        other._capacity = self._capacity
        other._used = dict(self._used)
        other._inventories = self._inventories
        other._shared = self._shared
        return other

    def fits(self, candidate: snapshots.AllocationRequest) -> bool:
        """Tell whether there is room for a candidate."""
        used, capacity = self._used, self._capacity
        for allocation in candidate:
            key = (allocation.provider, allocation.resource_class)
            if used.get(key, 0) + allocation.amount > capacity.get(key, 0):
                return False
        return True

    def take(self, candidate: snapshots.AllocationRequest) -> None:
        """Enter a candidate, whether there is room for it or not."""
        self._enter(candidate, 1)

    def give_back(self, candidate: snapshots.AllocationRequest) -> None:
        """Take a candidate out again."""
        self._enter(candidate, -1)

    def _enter(
        self, candidate: snapshots.AllocationRequest, sign: int
    ) -> None:
        for allocation in candidate:
            key = (allocation.provider, allocation.resource_class)
            self._used[key] = self._used.get(key, 0) + sign * allocation.amount

    def load(
        self, host: str, candidate: snapshots.AllocationRequest = ()
    ) -> float:
        """Return the load of a host's fullest pool, 1 being full.

        What it shares with others is not its own load.

        :param candidate: what it would hold beside: then only the pools
            count that it takes from. A host full of disks is a good place
            for what needs none.
        """
        extra = {
            (allocation.provider, allocation.resource_class): allocation.amount
            for allocation in candidate
        }
        used, capacity = self._used, self._capacity
        return max(
            (
                (used[key] + extra.get(key, 0)) / capacity[key]
                for key in self._inventories.get(host, ())
                if not extra or key in extra
            ),
            default=0.0,
        )

    def totals(
        self, hosts: collections.abc.Iterable[str]
    ) -> dict[str, tuple[int, int]]:
        """Return how much some hosts have in use, and of how much, in all.

        By resource class. What they share counts once.
        """
        found: dict[str, tuple[int, int]] = {}
        for key in {key: None for host in hosts for key in self._of(host)}:
            used, capacity = found.get(key[1], (0, 0))
            found[key[1]] = (
                used + self._used[key],
                capacity + self._capacity[key],
            )
        return found

    def _of(self, host: str) -> tuple[_Key, ...]:
        """Return the pools that a host may take from."""
        return self._inventories.get(host, ()) + self._shared.get(host, ())

    def guess(
        self, host: str, shape: snapshots.Shape
    ) -> snapshots.AllocationRequest:
        """Return what a server of a shape may hold of a host.

        For hosts that no answer names: each class where most of it is left.
        """
        found = []
        for name, amount in shape:
            keys = [key for key in self._of(host) if key[1] == name]
            if keys:
                provider, _name = max(keys, key=self._left)
                found.append(snapshots.Allocation(provider, name, amount))
        return tuple(found)

    def _left(self, key: _Key) -> int:
        return self._capacity[key] - self._used[key]

    def lacks(
        self, host: str, shape: snapshots.Shape
    ) -> dict[str, int] | None:
        """Return what a host lacks for a shape; None: it is not known.

        Each class counts where the host has most of it.
        """
        keys = self._of(host)
        if not keys:
            return None
        free: dict[str, int] = {}
        for key in keys:
            left = self._left(key)
            free[key[1]] = max(left, free.get(key[1], left))
        return {
            name: amount - free.get(name, 0)
            for name, amount in shape
            if amount > free.get(name, 0)
        }


def _shared(
    snapshot: snapshots.CapacitySnapshot,
) -> dict[str, tuple[_Key, ...]]:
    """Return what candidates take from providers that are of no host."""
    found: dict[str, dict[_Key, None]] = {}
    for answer in snapshot.allocation_candidates.values():
        hostless = {
            provider.id
            for provider in answer.providers.values()
            if provider.root not in snapshot.hosts
        }
        if not hostless:
            continue
        for candidate in answer.candidates:
            host = host_of(snapshot, answer, candidate)
            for allocation in candidate:
                if host and allocation.provider in hostless:
                    key = (allocation.provider, allocation.resource_class)
                    found.setdefault(host, {})[key] = None
    return {host: tuple(keys) for host, keys in found.items()}
