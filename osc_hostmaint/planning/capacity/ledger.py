# SPDX-License-Identifier: Apache-2.0

"""What the hosts have left, as moves are put on them in thought."""

import collections.abc
import typing as ty

from osc_hostmaint.planning.capacity import snapshot as snapshots

_Key = tuple[str, str]


def host_of(
    survey: snapshots.Survey,
    offers: snapshots.Offers,
    candidate: snapshots.Candidate,
) -> str | None:
    """Return the host of a candidate; a shared provider has none."""
    for share in candidate:
        provider = offers.providers.get(share.provider)
        root = provider.root if provider else share.provider
        if host := survey.hosts.get(root):
            return host
    return None


class Room:
    """A ledger of every pool: how much there is, and how much is taken."""

    def __init__(self, survey: snapshots.Survey):
        self._capacity: dict[_Key, int] = {}
        self._used: dict[_Key, int] = {}
        self._pools: dict[str, tuple[_Key, ...]] = {}
        #: Those of other providers that candidates on a host take from.
        self._shared = _shared(survey)
        wanted = {c for shape in survey.offers for c, _n in shape}
        by_host: dict[str, dict[_Key, None]] = {}
        # The newest answer comes last, and counts.
        for offers in survey.offers.values():
            for provider in offers.providers.values():
                host = survey.hosts.get(provider.root)
                for name, pool in provider.pools.items():
                    if name not in wanted:
                        continue
                    key = (provider.id, name)
                    self._capacity[key] = pool.capacity
                    self._used[key] = pool.used
                    if host is not None and pool.capacity:
                        by_host.setdefault(host, {})[key] = None
        for host, keys in by_host.items():
            self._pools[host] = tuple(keys)

    def copy(self) -> ty.Self:
        """Return another ledger that says the same."""
        other = object.__new__(type(self))
        other._capacity = self._capacity
        other._used = dict(self._used)
        other._pools = self._pools
        other._shared = self._shared
        return other

    def fits(self, candidate: snapshots.Candidate) -> bool:
        """Tell whether there is room for a candidate."""
        used, capacity = self._used, self._capacity
        for share in candidate:
            key = (share.provider, share.resource_class)
            if used.get(key, 0) + share.amount > capacity.get(key, 0):
                return False
        return True

    def take(self, candidate: snapshots.Candidate) -> None:
        """Enter a candidate, whether there is room for it or not."""
        self._enter(candidate, 1)

    def give_back(self, candidate: snapshots.Candidate) -> None:
        """Take a candidate out again."""
        self._enter(candidate, -1)

    def _enter(self, candidate: snapshots.Candidate, sign: int) -> None:
        for share in candidate:
            key = (share.provider, share.resource_class)
            self._used[key] = self._used.get(key, 0) + sign * share.amount

    def load(self, host: str, candidate: snapshots.Candidate = ()) -> float:
        """Return the load of a host's fullest pool, 1 being full.

        What it shares with others is not its own load.

        :param candidate: what it would hold beside: then only the pools
            count that it takes from. A host full of disks is a good place
            for what needs none.
        """
        extra = {
            (share.provider, share.resource_class): share.amount
            for share in candidate
        }
        used, capacity = self._used, self._capacity
        return max(
            (
                (used[key] + extra.get(key, 0)) / capacity[key]
                for key in self._pools.get(host, ())
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
        return self._pools.get(host, ()) + self._shared.get(host, ())

    def guess(self, host: str, shape: snapshots.Shape) -> snapshots.Candidate:
        """Return what a server of a shape may hold of a host.

        For hosts that no answer names: each class where most of it is left.
        """
        found = []
        for name, amount in shape:
            keys = [key for key in self._of(host) if key[1] == name]
            if keys:
                provider, _name = max(keys, key=self._left)
                found.append(snapshots.Share(provider, name, amount))
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


def _shared(survey: snapshots.Survey) -> dict[str, tuple[_Key, ...]]:
    """Return what candidates take from providers that are of no host."""
    found: dict[str, dict[_Key, None]] = {}
    for offers in survey.offers.values():
        strangers = {
            provider.id
            for provider in offers.providers.values()
            if provider.root not in survey.hosts
        }
        if not strangers:
            continue
        for candidate in offers.candidates:
            host = host_of(survey, offers, candidate)
            for share in candidate:
                if host and share.provider in strangers:
                    key = (share.provider, share.resource_class)
                    found.setdefault(host, {})[key] = None
    return {host: tuple(keys) for host, keys in found.items()}
