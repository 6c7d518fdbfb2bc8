# SPDX-License-Identifier: Apache-2.0

"""Picking the destination that leaves the cloud most even.

A pure function of what is known when a move starts. Nova's scheduler checks
the pick with all its filters, so what counts here is to be even, and to leave
room for those that have still to come. Hosts to be avoided are picked only
where no other host leaves that room.
"""

import collections
from collections import abc
import dataclasses

from osc_hostmaint.planning.capacity import assignment as assignments
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import packing
from osc_hostmaint.planning.capacity import snapshot as snapshots

Occupancy = occupancies.Occupancy
Snapshot = snapshots.CapacitySnapshot


@dataclasses.dataclass(frozen=True, slots=True)
class Flow:
    """All that is to be spread, and what has become of it."""

    #: Everything that had or has to go somewhere, by the server's id.
    demands: abc.Mapping[str, snapshots.Demand]
    limits: eligible.Limits
    #: What has not begun to move, and where it was planned to go: '' where
    #: there was no room.
    plan: abc.Mapping[str, str]
    #: Where those that began to move went, or are going.
    gone: abc.Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: Of these, those that Placement's numbers do not show yet.
    unseen: frozenset[str] = frozenset()
    #: Those that they seem to show: as much more is in use as they take. It
    #: may have been others.
    perhaps_seen: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Pick:
    """Where a server is to go."""

    #: '': no host is known to have room; the scheduler may know better.
    host: str
    #: All hosts with room have as many moves on their way as they may.
    wait: bool = False
    #: The plan for the others, where it had to change.
    plan: abc.Mapping[str, str] | None = None


def renew(
    snapshot: Snapshot,
    request: snapshots.ResourceRequest,
    answer: snapshots.AllocationCandidates,
) -> Snapshot:
    """Return what is known after another answer to a request.

    Providers without room for it are not in the answer: of these the newest
    that is known stays.
    """
    known = _newest_providers(snapshot)
    # The newest answer comes last, and counts.
    answers = dict(snapshot.allocation_candidates)
    answers.pop(request, None)
    answers[request] = dataclasses.replace(
        answer, providers={**known, **answer.providers}
    )
    return dataclasses.replace(snapshot, allocation_candidates=answers)


def growth(
    snapshot: Snapshot, answer: snapshots.AllocationCandidates
) -> dict[str, collections.Counter[str]]:
    """Return how much more of each host is in use than was known.

    :returns: amounts by resource class, by host.
    """
    known = _newest_providers(snapshot)
    found: dict[str, collections.Counter[str]] = {}
    for provider in answer.providers.values():
        host, before = (
            snapshot.hosts.get(provider.root),
            known.get(provider.id),
        )
        if host is None or before is None:
            continue
        grown = found.setdefault(host, collections.Counter())
        for name, inventory in provider.inventories.items():
            if name in before.inventories:
                grown[name] += inventory.used - before.inventories[name].used
    return found


def _newest_providers(snapshot: Snapshot) -> dict[str, snapshots.Provider]:
    return {
        provider.id: provider
        for answer in snapshot.allocation_candidates.values()
        for provider in answer.providers.values()
    }


def pick(
    snapshot: Snapshot,
    flow: Flow,
    server_id: str,
    closed: abc.Container[str] = (),
    reluctance: abc.Mapping[str, int] = {},
) -> Pick:
    """Return where a server is to go that is about to be moved.

    :param closed: hosts that can't take any other move just now.
    :param reluctance: hosts that are taken only if no host with less of it
        may take the server at all.
    """
    demand = flow.demands[server_id]
    now = _as_is(snapshot, flow)
    renewed = None
    options = now.options.options(demand)
    possible = {h: c for h in options if (c := now.place_for(demand, h))}
    good = _leaving_room(demand, possible, now, flow.plan, flow)
    if possible and not good:
        renewed = _replan(now, flow)
        good = _leaving_room(demand, possible, now, renewed, flow)
    least = min((reluctance.get(host, 0) for host in possible), default=0)
    best = {host for host in possible if reluctance.get(host, 0) == least}
    likely = best.intersection(good) or best
    preferred = likely - flow.limits.avoided or likely
    open_ = [host for host in preferred if host not in closed]
    if not open_:
        return Pick('', wait=bool(possible), plan=renewed)

    counted = now.copy()
    _take(counted, flow, flow.perhaps_seen)

    def evenness(host: str) -> tuple[int, float, str]:
        return (
            now.group_members.soft_penalty(server_id, host),
            counted.ledger.load(host, possible[host]),
            host,
        )

    return Pick(min(open_, key=evenness), plan=renewed)


def _leaving_room(
    demand: snapshots.Demand,
    hosts: abc.Iterable[str],
    now: Occupancy,
    plan: abc.Mapping[str, str],
    flow: Flow,
) -> list[str]:
    """Return those of some hosts that leave room for all that are planned."""
    later = now.copy()
    for other_id, planned in plan.items():
        if other_id == demand.server.id or not planned:
            continue
        if not later.place(flow.demands[other_id], planned):
            # The plan can't be kept any more.
            return []
    return [host for host in hosts if later.place_for(demand, host)]


def _as_is(snapshot: Snapshot, flow: Flow) -> Occupancy:
    """Return the hosts with all that has begun to move."""
    waiting = [flow.demands[i] for i in flow.plan]
    occupancy = Occupancy(
        assignments.task(snapshot, waiting, flow.limits, flow.gone)
    )
    _take(occupancy, flow, flow.unseen)
    return occupancy


def _take(
    occupancy: Occupancy, flow: Flow, server_ids: abc.Iterable[str]
) -> None:
    """Count servers where they went."""
    for server_id in server_ids:
        demand, host = flow.demands[server_id], flow.gone[server_id]
        # It may have been asked for where we see no room.
        candidate = occupancy.candidate(demand, host)
        guess = occupancy.ledger.guess(host, demand.request)
        occupancy.ledger.take(candidate or guess)


def _replan(now: Occupancy, flow: Flow) -> dict[str, str]:
    waiting = (flow.demands[i] for i in flow.plan)
    # One that no host is known to take would make it try all ways in vain.
    possible = [demand for demand in waiting if now.options.options(demand)]
    task = packing.task(possible, now.options, now.ledger, now.group_members)
    placed = packing.pack(task).placed
    return {server_id: placed.get(server_id, '') for server_id in flow.plan}
