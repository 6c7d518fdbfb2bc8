# SPDX-License-Identifier: Apache-2.0

"""Picking the destination that leaves the cloud most even.

A pure function of what is known when a move starts. Nova's scheduler checks
the pick with all its filters, so what counts here is to be even, and to leave
room for those that have still to come.
"""

import collections.abc
import dataclasses
import types

from osc_hostmaint.planning.capacity import assignment as assignments
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import packing
from osc_hostmaint.planning.capacity import snapshot as snapshots

_NONE: collections.abc.Mapping[str, int] = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Flow:
    """All that is to be spread, and what has become of it."""

    #: Everything that had or has to go somewhere, by the server's id.
    demands: collections.abc.Mapping[str, snapshots.Demand]
    limits: eligible.Limits
    #: What has not begun to move, and where it was planned to go: '' where
    #: there was no room.
    plan: collections.abc.Mapping[str, str]
    #: Where those that began to move went, or are going.
    gone: collections.abc.Mapping[str, str] = dataclasses.field(
        default_factory=dict
    )
    #: Of these, those that Placement's numbers do not show yet.
    unseen: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Pick:
    """Where a server is to go."""

    #: '': no host is known to have room; the scheduler may know better.
    host: str
    #: All hosts with room have as many moves on their way as they may.
    wait: bool = False
    #: The plan for the others, where it had to change.
    plan: collections.abc.Mapping[str, str] | None = None


def renew(
    snapshot: snapshots.CapacitySnapshot,
    shape: snapshots.Shape,
    answer: snapshots.AllocationCandidates,
) -> snapshots.CapacitySnapshot:
    """Return what is known after another answer for one shape.

    Providers without room for it are not in the answer: of these the newest
    that is known stays.
    """
    known = {
        provider.id: provider
        for older in snapshot.allocation_candidates.values()
        for provider in older.providers.values()
    }
    others = {
        s: o for s, o in snapshot.allocation_candidates.items() if s != shape
    }
    newest = snapshots.AllocationCandidates(
        {**known, **answer.providers}, answer.candidates
    )
    # The newest answer comes last, and counts.
    return dataclasses.replace(
        snapshot, allocation_candidates={**others, shape: newest}
    )


def pick(
    snapshot: snapshots.CapacitySnapshot,
    flow: Flow,
    server_id: str,
    closed: collections.abc.Container[str] = (),
    reluctance: collections.abc.Mapping[str, int] = _NONE,
) -> Pick:
    """Return where a server is to go that is about to be moved.

    :param closed: hosts that can't take any other move just now.
    :param reluctance: hosts that are taken only if no host with less of it
        may take the server at all.
    """
    demand = flow.demands[server_id]
    now = _as_is(snapshot, flow)
    renewed = None
    possible = _hosts(demand, now)
    good = _leaving_room(demand, possible, now, flow.plan, flow)
    if possible and not good:
        renewed = _replan(now, flow)
        good = _leaving_room(demand, possible, now, renewed, flow)
    least = min((reluctance.get(host, 0) for host in possible), default=0)
    best = [host for host in possible if reluctance.get(host, 0) == least]
    good = [host for host in good if host in best]
    open_ = [host for host in good or best if host not in closed]
    if not open_:
        return Pick('', wait=bool(possible), plan=renewed)

    def evenness(host: str) -> tuple[int, float, str]:
        return (
            now.group_members.soft_penalty(server_id, host),
            now.ledger.load(host, possible[host]),
            host,
        )

    return Pick(min(open_, key=evenness), plan=renewed)


def _hosts(
    demand: snapshots.Demand, occupancy: occupancies.Occupancy
) -> dict[str, snapshots.AllocationRequest]:
    """Return the hosts that could take a server, and what it would hold."""
    return {
        host: candidate
        for host in occupancy.options.options(demand)
        if (candidate := occupancy.candidate(demand, host))
        and occupancy.allows(demand, host)
    }


def _leaving_room(
    demand: snapshots.Demand,
    hosts: collections.abc.Iterable[str],
    now: occupancies.Occupancy,
    plan: collections.abc.Mapping[str, str],
    flow: Flow,
) -> list[str]:
    """Return those of some hosts that leave room for all that are planned."""
    later = _as_planned(now, flow, demand.server.id, plan)
    if later is None:
        return []
    return [
        host
        for host in hosts
        if later.candidate(demand, host) and later.allows(demand, host)
    ]


def _as_is(
    snapshot: snapshots.CapacitySnapshot, flow: Flow
) -> occupancies.Occupancy:
    """Return the hosts with all that has begun to move."""
    waiting = {i: flow.demands[i] for i in flow.plan}
    task = assignments.task(snapshot, waiting.values(), flow.limits, flow.gone)
    occupancy = occupancies.Occupancy(task)
    for server_id in flow.unseen:
        demand, host = flow.demands[server_id], flow.gone[server_id]
        # It may have been asked for where we see no room.
        candidate = occupancy.candidate(demand, host)
        occupancy.ledger.take(
            candidate or occupancy.ledger.guess(host, demand.shape)
        )
    return occupancy


def _as_planned(
    now: occupancies.Occupancy,
    flow: Flow,
    server_id: str,
    plan: collections.abc.Mapping[str, str],
) -> occupancies.Occupancy | None:
    """Return the hosts with the others where they are planned to go.

    None: the plan can't be kept any more.
    """
    occupancy = now.copy()
    for other_id, host in plan.items():
        if other_id == server_id or not host:
            continue
        other = flow.demands[other_id]
        candidate = occupancy.candidate(other, host)
        if candidate is None or not occupancy.allows(other, host):
            return None
        occupancy.put(other, host, candidate)
    return occupancy


def _replan(now: occupancies.Occupancy, flow: Flow) -> dict[str, str]:
    task = packing.task(
        (flow.demands[i] for i in flow.plan),
        now.options,
        now.ledger,
        now.group_members,
    )
    placed = packing.pack(task).placed
    return {server_id: placed.get(server_id, '') for server_id in flow.plan}
