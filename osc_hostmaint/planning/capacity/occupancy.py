# SPDX-License-Identifier: Apache-2.0

"""The hosts, as servers are put on them in thought."""

import copy
import dataclasses
import typing as ty

from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import server_groups
from osc_hostmaint.planning.capacity import snapshot as snapshots

Demand = snapshots.Demand
Request = snapshots.AllocationRequest
#: Servers alike: of one kind, and of one group, if any.
Sort = tuple[eligible.DemandKind, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What is to be packed, and into what."""

    #: The largest first.
    demands: tuple[Demand, ...]
    options: eligible.Eligible
    ledger: ledgers.Ledger
    group_members: server_groups.GroupMembers


class Occupancy:
    """The hosts with some of the servers of a task on them."""

    def __init__(self, task: Task):
        self.task = task
        self.options = task.options
        self.ledger = task.ledger.copy()
        self.group_members = task.group_members.copy()
        #: The host of each server that has a place, by its id, and what it
        #: holds there.
        self.placed: dict[str, str] = {}
        self._held: dict[str, Request] = {}

    def copy(self) -> ty.Self:
        """Return another one that is the same."""
        other = copy.copy(self)
        other.ledger = self.ledger.copy()
        other.group_members = self.group_members.copy()
        other.placed = self.placed.copy()
        other._held = self._held.copy()
        return other

    def candidate(self, demand: Demand, host: str) -> Request | None:
        """Return a candidate that there is room for on a host.

        Of several providers those that it fills least: two servers that want
        two different cards each must not empty the small cards first.
        """
        candidates = self.options.options(demand).get(host, ())
        fitting = [c for c in candidates if self.ledger.fits(c)]
        if len(fitting) > 1:
            return min(fitting, key=self.ledger.loads)
        return fitting[0] if fitting else None

    def allows(self, demand: Demand, host: str) -> bool:
        """Tell whether a server's group lets it go to a host."""
        return self.group_members.allows(demand.server.id, host)

    def place_for(self, demand: Demand, host: str) -> Request | None:
        """Return what a server would hold of a host; None: it can't go."""
        if not self.allows(demand, host):
            return None
        return self.candidate(demand, host)

    def place(self, demand: Demand, host: str) -> bool:
        """Put a server on a host, if it can go there."""
        candidate = self.place_for(demand, host)
        if candidate:
            self.put(demand, host, candidate)
        return bool(candidate)

    def put(self, demand: Demand, host: str, candidate: Request) -> None:
        """Put a server on a host."""
        self.ledger.take(candidate)
        self.group_members.put(demand.server.id, host)
        self.placed[demand.server.id] = host
        self._held[demand.server.id] = candidate

    def remove(self, demand: Demand) -> tuple[str, Request]:
        """Take a server off the host it was put on."""
        candidate = self._held.pop(demand.server.id)
        self.ledger.give_back(candidate)
        self.group_members.put(demand.server.id, demand.source)
        return self.placed.pop(demand.server.id), candidate

    def held(self, server_id: str) -> Request:
        """Return what a server that was placed holds."""
        return self._held[server_id]

    def sort(self, demand: Demand) -> Sort:
        """Return what servers have in common that may go to the same hosts."""
        group = self.group_members.group(demand.server.id)
        return self.options.kind(demand), group.id if group else ''

    @property
    def left(self) -> list[Demand]:
        """The servers that have no place."""
        return [d for d in self.task.demands if d.server.id not in self.placed]
