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
    room: ledgers.Room
    neighbours: server_groups.Neighbours


class Floor:
    """A packing that is being made."""

    def __init__(self, task: Task):
        self.options = task.options
        self.room = task.room.copy()
        self.neighbours = task.neighbours.copy()
        self.placed: dict[str, tuple[str, snapshots.Candidate]] = {}

    def copy(self) -> ty.Self:
        """Return another one that is the same."""
        other = object.__new__(type(self))
        other.options = self.options
        other.room = self.room.copy()
        other.neighbours = self.neighbours.copy()
        other.placed = dict(self.placed)
        return other

    def candidate(
        self, demand: snapshots.Demand, host: str
    ) -> snapshots.Candidate | None:
        """Return a candidate that there is room for on a host."""
        candidates = self.options.options(demand).get(host, ())
        return next((c for c in candidates if self.room.fits(c)), None)

    def admits(self, demand: snapshots.Demand, host: str) -> bool:
        """Tell whether a server's group lets it go to a host."""
        return self.neighbours.admit(demand.server.id, host)

    def put(
        self,
        demand: snapshots.Demand,
        host: str,
        candidate: snapshots.Candidate,
    ) -> None:
        """Put a server on a host."""
        self.room.take(candidate)
        self.neighbours.put(demand.server.id, host)
        self.placed[demand.server.id] = (host, candidate)

    def lift(
        self, demand: snapshots.Demand
    ) -> tuple[str, snapshots.Candidate]:
        """Take a server off the host it was put on."""
        host, candidate = self.placed.pop(demand.server.id)
        self.room.give_back(candidate)
        self.neighbours.put(demand.server.id, demand.source)
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
