# SPDX-License-Identifier: Apache-2.0

"""One try to place servers, by what is known of a cloud."""

import collections.abc
import dataclasses
import types
import typing as ty

from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import packing
from osc_hostmaint.planning.capacity import server_groups
from osc_hostmaint.planning.capacity import snapshot as snapshots

_NOTHING: collections.abc.Mapping[str, str] = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Assignment:
    """Where servers would go, and what that was worked out from."""

    snapshot: snapshots.CapacitySnapshot
    limits: eligible.Limits
    task: occupancies.Task
    outcome: occupancies.Packing

    def again(
        self,
        demands: collections.abc.Iterable[snapshots.Demand] | None = None,
        **changes: ty.Any,
    ) -> 'Assignment':
        """Return another try, with other limits.

        :param demands: some of them; the others stay where they are.
        """
        limits = dataclasses.replace(self.limits, **changes)
        job = packing.task(
            self.task.demands if demands is None else demands,
            eligible.Eligible(self.snapshot, limits),
            self.task.ledger,
            self.task.group_members,
        )
        return Assignment(self.snapshot, limits, job, packing.pack(job))

    def carried_out(self) -> occupancies.Occupancy:
        """Return the hosts as they would be afterwards."""
        occupancy = occupancies.Occupancy(self.task)
        by_id = {demand.server.id: demand for demand in self.task.demands}
        # As it was made, so that each gets the same part of its host.
        for server_id, host in self.outcome.placed.items():
            candidate = occupancy.candidate(by_id[server_id], host)
            if candidate:
                occupancy.put(by_id[server_id], host, candidate)
        return occupancy


def assign(
    snapshot: snapshots.CapacitySnapshot,
    demands: collections.abc.Iterable[snapshots.Demand],
    limits: eligible.Limits,
) -> Assignment:
    """Return a try to place servers."""
    job = task(snapshot, demands, limits)
    return Assignment(snapshot, limits, job, packing.pack(job))


def task(
    snapshot: snapshots.CapacitySnapshot,
    demands: collections.abc.Iterable[snapshots.Demand],
    limits: eligible.Limits,
    moved: collections.abc.Mapping[str, str] = _NOTHING,
) -> occupancies.Task:
    """Return what is to be packed, and into what, as far as known.

    :param moved: where other servers are by now, by id.
    """
    demands = tuple(demands)
    sources = {d.server.id: d.source for d in demands}
    return packing.task(
        demands,
        eligible.Eligible(snapshot, limits),
        ledgers.Ledger(snapshot),
        server_groups.GroupMembers(
            snapshot.groups or (), {**snapshot.located, **moved, **sources}
        ),
    )
