# SPDX-License-Identifier: Apache-2.0

"""What the next observation must look at.

Every look costs Nova something, so no tick asks for more than two lists:
mostly the migration records alone. Servers are looked at one by one only
when something has become of them.
"""

import dataclasses

from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import context as contexts
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

Phase = server_status.Phase
Stage = decisions.Stage
_LEFT = (Phase.MOVED, Phase.OFFLOADED, Phase.GONE)


def needs_final_check(context: contexts.HostContext) -> bool:
    """Tell whether the last checks are still to be made.

    "Empty" counts only if the servers were listed after the last thing that
    happened, and the allocations after that: what is still being scheduled
    to the host holds an allocation before any list shows it. And the host's
    cell has to answer after that: lists leave out one that does not.
    """
    return context.operation.empties_host and not (
        down_cells.answered(context.seen) and _is_listed(context)
    )


def _is_listed(context: contexts.HostContext) -> bool:
    """Tell whether the last lists were made."""
    seen = context.seen
    left = {i for i, s in context.statuses.items() if s.phase in _LEFT}
    return (
        seen.servers_at >= _last_event(context)
        and left.isdisjoint(seen.servers)
        and seen.servers_at >= context.policy.settled_from
        and seen.consumers is not None
        and seen.consumers_at >= seen.servers_at
    )


def _last_event(context: contexts.HostContext) -> float:
    times = [record.seen_at for record in context.seen.migrations.values()]
    for remembered in context.memory.servers.values():
        times += [r.asked_at or 0.0 for r in remembered.requests.values()]
    return max(times, default=0.0)


def next_look(
    context: contexts.HostContext,
    stage: decisions.Stage,
    visit: frozenset[str],
    trace: frozenset[str],
) -> decisions.Query:
    """Return what to look at next.

    :param visit: servers to be looked at for reasons of their own.
    :param trace: migrations that something is held for.
    """
    seen, by_id = context.seen, context.statuses.items()
    statuses = context.statuses.values()
    if down_cells.is_lost(seen):
        # Nobody else would tell anything, after a minute each.
        return decisions.Query(records=False, services=True)
    asked = decisions.Query(
        visit=visit | {i for i, s in by_id if s.visit},
        explain=frozenset().union(*(s.explain for s in statuses)),
        history=frozenset(i for i, s in by_id if s.history),
    )
    if stage is Stage.FINAL_CHECK:
        # Whatever happened meanwhile shows in one of these two.
        listed = _is_listed(context)
        return dataclasses.replace(
            asked,
            records=False,
            servers=not listed,
            consumers=not listed,
            services=listed,
            after_servers=listed,
        )
    servers_age = context.now - seen.servers_at
    consumers = False
    if stage is Stage.OPEN:
        busy = any(s.phase is Phase.BUSY for s in statuses)
        servers = busy or servers_age >= timing.SERVERS_RECHECK_SECONDS
    else:
        servers = servers_age >= timing.ORPHANED_RECHECK_SECONDS
        consumers = not servers
    # What else is due waits for the next tick.
    destinations = {
        s.destination for s in statuses if s.record and s.record.in_flight
    }
    all_up = (
        seen.service.up
        and seen.down.isdisjoint(destinations)
        and not seen.unseen
    )
    services = context.now - seen.service_at >= (
        timing.SERVICE_RECHECK_SECONDS
        if all_up
        else timing.DOWN_SERVICE_RECHECK_SECONDS
    )
    # Where a list takes a minute both are due at each tick.
    starts = context.operation.evacuations_only and any(
        s.ask in memories.STARTING for s in statuses
    )
    services = services and not (
        servers and seen.servers_at < seen.service_at and not starts
    )
    return dataclasses.replace(
        asked,
        newest=any(s.unanswered and s.pending for s in statuses),
        servers=servers and not services,
        services=services,
        consumers=consumers and not services,
        progress=frozenset(
            s.record.id for s in statuses if s.progress and s.record
        ),
        trace=trace,
    )
