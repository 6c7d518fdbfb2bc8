# SPDX-License-Identifier: Apache-2.0

"""Where all servers are, as one batch after the other is drained."""

import collections
from collections import abc
import copy
import dataclasses
import typing as ty

from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import packing
from osc_hostmaint.planning.capacity import server_groups
from osc_hostmaint.planning.capacity import snapshot as snapshots

Demand = snapshots.Demand
Request = snapshots.AllocationRequest


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a server goes, and what it holds there."""

    host: str
    held: Request


#: Where each server of a batch goes, by its id.
Moves = abc.Mapping[str, Place]


class CloudState:
    """Which server is on which host, and what each host has left."""

    def __init__(
        self,
        snapshot: snapshots.CapacitySnapshot,
        limits: eligible.Limits,
        demands: abc.Iterable[Demand],
        held: abc.Mapping[str, abc.Mapping[str, Request]],
    ):
        """:param demands: the servers that have to move with their hosts.

        :param held: what every consumer holds of the hosts that are to be
            drained, by host.
        """
        self.options = eligible.Eligible(snapshot, limits)
        self._ledger = ledgers.Ledger(snapshot)
        self._held = {host: dict(mine) for host, mine in held.items()}
        self._demands: dict[str, dict[str, Demand]] = {}
        located = dict(snapshot.located)
        for demand in demands:
            here = self._demands.setdefault(demand.source, {})
            here[demand.server.id] = demand
            located[demand.server.id] = demand.source
        self._members = server_groups.GroupMembers(
            snapshot.groups or (), located
        )

    def copy(self) -> ty.Self:
        """Return another state that is the same."""
        other = copy.copy(self)
        other._ledger = self._ledger.copy()
        other._members = self._members.copy()
        other._held = {host: dict(mine) for host, mine in self._held.items()}
        other._demands = {h: dict(on) for h, on in self._demands.items()}
        return other

    def on(self, host: str) -> abc.Mapping[str, Demand]:
        """Return the servers on a host, by their ids."""
        return self._demands.get(host, {})

    def find(
        self,
        hosts: abc.Iterable[str],
        tiers: abc.Sequence[abc.Set[str]],
        before: Moves,
        steps: int,
    ) -> dict[str, Place] | None:
        """Return where the servers of some hosts can go; None: nowhere.

        :param tiers: hosts to go to: those of the first as far as they have
            room, then those of the second, and so on.
        :param before: of other servers, which go first.
        :param steps: how long all ways are tried, if others fail.
        """
        left = self._demands_on(hosts)
        after = self._after(before)
        found: dict[str, Place] = {}
        if after._lacks_room(left, frozenset[str]().union(*tiers)):
            return None
        for number, tier in enumerate(tiers, 1):
            if left and tier:
                last = number == len(tiers)
                packed = after._pack(left, tier, steps if last else 0)
                found |= _places(packed)
                after._ledger = packed.ledger
                after._members = packed.group_members
                left = packed.left
        if left and len(tiers) > 1:
            # One may have taken of the first what only another can use.
            every = frozenset().union(*tiers)
            demands = self._demands_on(hosts)
            packed = self._after(before)._pack(demands, every, steps)
            found, left = _places(packed), packed.left
        return None if left else found

    def try_alone(
        self, host: str, limits: eligible.Limits
    ) -> occupancies.Occupancy:
        """Return other hosts with the servers of one, as far as they fit."""
        task = packing.task(
            self.on(host).values(),
            eligible.Eligible(self.options.snapshot, limits),
            self._ledger,
            self._members,
        )
        return packing.pack(task)

    def _demands_on(self, hosts: abc.Iterable[str]) -> list[Demand]:
        return [demand for h in hosts for demand in self.on(h).values()]

    def _after(self, moves: Moves) -> ty.Self:
        """Return a state in which servers hold their new places as well."""
        other = copy.copy(self)
        other._ledger = self._ledger.copy()
        other._members = self._members.copy()
        for server_id, place in moves.items():
            other._ledger.take(place.held)
            other._members.put(server_id, place.host)
        return other

    def _lacks_room(
        self, demands: abc.Iterable[Demand], hosts: abc.Set[str]
    ) -> bool:
        """Tell whether servers surely do not fit on some hosts.

        To try all ways takes longest where there is none.
        """
        able: dict[eligible.DemandKind, set[str]] = {}
        wanted: collections.Counter[str] = collections.Counter()
        for demand in demands:
            kind = self.options.kind(demand)
            if kind not in able:
                able[kind] = {
                    host
                    for host, candidates in self.options.options(
                        demand
                    ).items()
                    if host in hosts
                    and any(map(self._ledger.fits, candidates))
                }
                if not able[kind]:
                    return True
            wanted.update(dict(demand.shape))
        totals = self._ledger.left(set[str]().union(*able.values()))
        return any(totals[name] < n for name, n in wanted.items())

    def _pack(
        self,
        demands: abc.Iterable[Demand],
        hosts: abc.Set[str],
        steps: int,
    ) -> occupancies.Occupancy:
        options = self.options.within(hosts)
        task = packing.task(demands, options, self._ledger, self._members)
        return packing.pack(task, steps=steps)

    def drain(self, hosts: abc.Iterable[str], moves: Moves) -> None:
        """Move the servers off some hosts, which are empty then."""
        for host in hosts:
            for held in self._held.pop(host, {}).values():
                self._ledger.give_back(held)
            for server_id, demand in self._demands.pop(host, {}).items():
                there, held = moves[server_id].host, moves[server_id].held
                self._ledger.take(held)
                self._members.put(server_id, there)
                self._held.setdefault(there, {})[server_id] = held
                self._demands.setdefault(there, {})[server_id] = (
                    dataclasses.replace(demand, source=there)
                )


def _places(packed: occupancies.Occupancy) -> dict[str, Place]:
    """Return where servers were placed."""
    return {
        server_id: Place(host, packed.held(server_id))
        for server_id, host in packed.placed.items()
    }
