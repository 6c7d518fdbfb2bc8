# SPDX-License-Identifier: Apache-2.0

"""One try to place servers, by what is known of a cloud."""

from collections import abc
import dataclasses
import typing as ty

from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import packing
from osc_hostmaint.planning.capacity import server_groups
from osc_hostmaint.planning.capacity import snapshot as snapshots

Demands = abc.Iterable[snapshots.Demand]
Occupancy = occupancies.Occupancy
Snapshot = snapshots.CapacitySnapshot


def assign(
    snapshot: Snapshot, demands: Demands, limits: eligible.Limits
) -> Occupancy:
    """Return the hosts with servers placed on them, as far as they fit."""
    return packing.pack(task(snapshot, demands, limits))


def again(
    tried: Occupancy, demands: Demands | None = None, **changes: ty.Any
) -> Occupancy:
    """Return another try, with other limits.

    :param demands: some of them; the others stay where they are.
    """
    before = tried.task
    limits = dataclasses.replace(tried.options.limits, **changes)
    job = packing.task(
        before.demands if demands is None else demands,
        eligible.Eligible(tried.options.snapshot, limits),
        before.ledger,
        before.group_members,
    )
    return packing.pack(job)


def task(
    snapshot: Snapshot,
    demands: Demands,
    limits: eligible.Limits,
    moved: abc.Mapping[str, str] = {},
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
