# SPDX-License-Identifier: Apache-2.0

"""What the next observation must look at.

Every look costs Nova something, so no tick asks for more than two lists:
mostly the migration records alone. Servers are looked at one by one only
when something has become of them.
"""

import collections.abc

from osc_hostmaint import model
from osc_hostmaint.planning import operation as operations
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import resuspend
from osc_hostmaint.planning.server import status as server_status

_LEFT = (
    server_status.Phase.MOVED,
    server_status.Phase.OFFLOADED,
    server_status.Phase.GONE,
)

ServerStatuses = collections.abc.Mapping[str, server_status.ServerStatus]


def needs_final_check(
    seen: model.Observation,
    memory: memories.HostMemory,
    statuses: ServerStatuses,
    operation: operations.Operation,
) -> bool:
    """Tell whether the last checks are still to be made.

    "Empty" counts only if the servers were listed after the last thing that
    happened, and the allocations after that: what is still being scheduled
    to the host holds an allocation before any list shows it. And the host's
    cell has to answer after that: lists leave out one that does not.
    """
    if not operation.empties_host:
        return False
    return not (
        down_cells.answered(seen)
        and _is_listed(seen, memory, statuses, operation.policy)
    )


def _is_listed(
    seen: model.Observation,
    memory: memories.HostMemory,
    statuses: ServerStatuses,
    policy: policies.Policy,
) -> bool:
    """Tell whether the last lists were made."""
    left = {
        server_id
        for server_id, status in statuses.items()
        if status.phase in _LEFT
    }
    return (
        seen.servers_at >= _last_event(seen, memory)
        and left.isdisjoint(seen.servers)
        and seen.servers_at >= policy.settled_from
        and seen.consumers is not None
        and seen.consumers_at >= seen.servers_at
    )


def _last_event(seen: model.Observation, memory: memories.HostMemory) -> float:
    times = [record.seen_at for record in seen.migrations.values()]
    for remembered in memory.servers.values():
        times += [
            request.asked_at or 0.0 for request in remembered.requests.values()
        ]
    return max(times, default=0.0)


def next_look(
    seen: model.Observation,
    statuses: ServerStatuses,
    now: float,
    *,
    final_check: bool,
    visit: frozenset[str],
    trace: frozenset[str],
    operation: operations.Operation,
    memory: memories.HostMemory,
) -> decisions.Query:
    """Return what to look at next.

    :param final_check: nothing is open; only the last checks are left.
    :param visit: servers to be looked at for reasons of their own.
    :param trace: migrations that something is held for.
    """
    visit |= {i for i, s in statuses.items() if s.visit}
    explain = frozenset(
        s.record.id for s in statuses.values() if s.explain and s.record
    )
    progress = frozenset(
        s.record.id for s in statuses.values() if s.progress and s.record
    )
    history = resuspend.unasked(seen, memory) | {
        i for i, s in statuses.items() if s.history
    }
    if down_cells.is_lost(seen):
        # Nobody else would tell anything, after a minute each.
        return decisions.Query(records=False, services=True)
    service_age = now - seen.service_at
    servers_age = now - seen.servers_at
    servers = servers_age >= timing.SERVERS_RECHECK_SECONDS
    consumers = False
    if final_check:
        if needs_final_check(seen, memory, statuses, operation):
            # Whatever happened meanwhile shows in one of these two.
            listed = _is_listed(seen, memory, statuses, operation.policy)
            return decisions.Query(
                records=False,
                servers=not listed,
                consumers=not listed,
                services=listed,
                after_servers=listed,
                visit=visit,
                explain=explain,
                history=history,
            )
        servers = servers_age >= timing.LEFTOVERS_RECHECK_SECONDS
        consumers = not servers
    elif any(s.phase is server_status.Phase.BUSY for s in statuses.values()):
        servers = True
    # What else is due waits for the next tick.
    all_up = (
        seen.service.up
        and seen.down.isdisjoint(_destinations(statuses))
        and not seen.unseen
    )
    services = service_age >= (
        timing.SERVICE_RECHECK_SECONDS
        if all_up
        else timing.DOWN_SERVICE_RECHECK_SECONDS
    )
    # Where a list takes a minute both are due at each tick.
    starts = operation.evacuations_only and any(
        s.ask in memories.STARTING for s in statuses.values()
    )
    services = services and not (
        servers and seen.servers_at < seen.service_at and not starts
    )
    return decisions.Query(
        newest=any(s.unanswered and s.pending for s in statuses.values()),
        servers=servers and not services,
        services=services,
        consumers=consumers and not services,
        visit=visit,
        explain=explain,
        progress=progress,
        history=history,
        trace=trace,
    )


def _destinations(statuses: ServerStatuses) -> set[str | None]:
    return {
        status.destination
        for status in statuses.values()
        if status.record and status.record.in_flight
    }
