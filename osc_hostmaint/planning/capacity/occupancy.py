# SPDX-License-Identifier: Apache-2.0

"""The hosts, as servers are put on them in thought."""

import collections.abc
import dataclasses
import typing as ty

from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import server_groups
from osc_hostmaint.planning.capacity import snapshot as snapshots


@dataclasses.dataclass(frozen=True, slots=True)
class Packing:
    """Where servers would go."""

    #: The host of each server that fits, by its id.
    placed: collections.abc.Mapping[str, str]
    #: Those for which there was no room.
    left: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What is to be packed, and into what."""

    #: The largest first.
    demands: tuple[snapshots.Demand, ...]
    options: eligible.Eligible
    ledger: ledgers.Ledger
    group_members: server_groups.GroupMembers


class Occupancy:
    """A packing that is being made."""

    def __init__(self, task: Task):
        self.options = task.options
        self.ledger = task.ledger.copy()
        self.group_members = task.group_members.copy()
        self.placed: dict[str, tuple[str, snapshots.AllocationRequest]] = {}

    def copy(self) -> ty.Self:
        """Return another one that is the same."""
        other = object.__new__(type(self))
        other.options = self.options
        other.ledger = self.ledger.copy()
        other.group_members = self.group_members.copy()
        other.placed = dict(self.placed)
        return other

    def candidate(
        self, demand: snapshots.Demand, host: str
    ) -> snapshots.AllocationRequest | None:
        """Return a candidate that there is room for on a host."""
        candidates = self.options.options(demand).get(host, ())
        return next((c for c in candidates if self.ledger.fits(c)), None)

    def allows(self, demand: snapshots.Demand, host: str) -> bool:
        """Tell whether a server's group lets it go to a host."""
        return self.group_members.allows(demand.server.id, host)

    def put(
        self,
        demand: snapshots.Demand,
        host: str,
        candidate: snapshots.AllocationRequest,
    ) -> None:
        """Put a server on a host."""
        self.ledger.take(candidate)
        self.group_members.put(demand.server.id, host)
        self.placed[demand.server.id] = (host, candidate)

    def remove(
        self, demand: snapshots.Demand
    ) -> tuple[str, snapshots.AllocationRequest]:
        """Take a server off the host it was put on."""
        host, candidate = self.placed.pop(demand.server.id)
        self.ledger.give_back(candidate)
        self.group_members.put(demand.server.id, demand.source)
        return host, candidate

    def complete(self, task: Task) -> bool:
        """Tell whether everything has a place."""
        return len(self.placed) == len(task.demands)

    def packing(self, task: Task) -> Packing:
        """Return where everything is now."""
        return Packing(
            {server_id: host for server_id, (host, _c) in self.placed.items()},
            tuple(
                demand.server.id
                for demand in task.demands
                if demand.server.id not in self.placed
            ),
        )
