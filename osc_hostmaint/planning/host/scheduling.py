# SPDX-License-Identifier: Apache-2.0

"""Which moves and confirmations to ask for now."""

import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import operation as operations
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import concurrency
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.host import polling
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

_NEEDS_FRESH = frozenset(
    {
        memories.ActionKind.COLD_MIGRATE,
        memories.ActionKind.RESET,
        memories.ActionKind.SHELVE,
    }
)
#: What a live migration in Nova's queue, or on its way there, begins with.
_LIVE = frozenset(
    {memories.ActionKind.LIVE_MIGRATE, memories.ActionKind.RESUME}
)
_COLD = memories.STARTING - _LIVE
_ENDS = frozenset(
    {memories.ActionKind.ABORT, memories.ActionKind.FORCE_COMPLETE}
)

ServerStatuses = collections.abc.Mapping[str, server_status.ServerStatus]


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """What to ask for now."""

    actions: tuple[memories.Action, ...]
    #: How many live migrations the source runs at once, as far as known.
    slots: int | None
    #: The source may have room for more, and more are waiting.
    filling: bool
    #: Servers to be looked at before they may be moved.
    visit: frozenset[str]


def choose(
    seen: model.Observation,
    operation: operations.Operation,
    memory: memories.HostMemory,
    statuses: ServerStatuses,
    move_timing: polling.MoveTiming | None,
    now: float,
) -> Schedule:
    """Return what to ask for now."""
    under_way = _under_way(seen, statuses)
    may_start = not down_cells.is_lost(seen) and operation.may_start(
        seen, memory, now
    )
    slots = concurrency.learn_slots(memory.slots, under_way)
    ready = {
        server_id: status
        for server_id, status in statuses.items()
        if status.ask
        and status.phase not in server_status.FINAL
        and memory.servers[server_id].not_before <= now
        # What was resumed by us is not to be restarted.
        and server_id not in memory.suspects
        and (may_start or status.ask not in memories.STARTING)
    }
    at_once = [
        server_id
        for server_id, status in ready.items()
        if status.ask not in memories.STARTING
    ]
    live = _in_order(memory, ready, _LIVE, operation)
    cold = _in_order(memory, ready, _COLD, operation)
    parallel = operation.at_once(seen, memory)
    lives, colds = concurrency.allot(
        under_way,
        slots,
        parallel,
        len(live),
        len(cold),
        concurrency.queue_length(move_timing.between if move_timing else None),
        operation.unqueued_moves,
    )
    stale = {
        server_id
        for server_id in cold[:colds]
        if ready[server_id].ask in _NEEDS_FRESH
        and not _fresh(seen, server_id, now)
    }
    chosen = [
        *at_once,
        *live[:lives],
        *(i for i in cold[:colds] if i not in stale),
    ]
    under_limit = parallel is None or (
        under_way.total + lives + colds < parallel
    )
    room = under_limit and (slots is None or under_way.live + lives <= slots)
    return Schedule(
        actions=tuple(
            _action(seen, memory.servers[i], kind, ready[i], operation.policy)
            for i in chosen
            if (kind := ready[i].ask)
        ),
        slots=slots,
        filling=(len(live) > lives and room) or bool(colds),
        visit=frozenset(stale),
    )


def _action(
    seen: model.Observation,
    remembered: memories.ServerMemory,
    kind: memories.ActionKind,
    status: server_status.ServerStatus,
    policy: policies.Policy,
) -> memories.Action:
    migrates = kind in memories.DIRECTED
    evacuates = kind is memories.ActionKind.EVACUATE
    view = seen.latest(remembered.before.id)
    balance = policy.spread is policies.Spread.BALANCE and not policy.to
    return memories.Action(
        kind,
        remembered.before.id,
        host=policy.to if migrates else '',
        stopped=status.stopped,
        vm_state=view.vm_state if view and evacuates else '',
        spread=migrates and balance and not remembered.host_rejected_for,
        record_id=status.record.id if status.record and kind in _ENDS else 0,
        why=status.why,
    )


def _fresh(seen: model.Observation, server_id: str, now: float) -> bool:
    view = seen.latest(server_id)
    return (
        view is not None
        and now - view.seen_at < timing.SERVER_VIEW_VALID_SECONDS
    )


def _under_way(
    seen: model.Observation, statuses: ServerStatuses
) -> concurrency.InFlight:
    """Count what is under way; what was given up holds up nobody."""
    asked = cold = 0
    unanswered = [
        server_id
        for server_id, status in sorted(statuses.items())
        if status.unanswered and status.phase not in server_status.FINAL
    ][: concurrency.UNANSWERED]
    apart = set(unanswered)
    for server_id, status in statuses.items():
        if status.phase in server_status.FINAL:
            apart.add(server_id)
        elif server_id in apart:
            continue
        elif status.pending:
            asked += status.pending in _LIVE
            cold += status.pending in _COLD
        elif (
            status.record
            and status.record.in_flight
            and status.record.type != model.MigrationType.LIVE
        ):
            cold += 1
    live = [
        r
        for r in seen.migrations.values()
        if r.source == seen.host
        and r.in_flight
        and r.type == model.MigrationType.LIVE
        and r.server_id not in apart
    ]
    return concurrency.count(live, asked, cold, len(unanswered))


def _in_order(
    memory: memories.HostMemory,
    statuses: ServerStatuses,
    kinds: collections.abc.Container[memories.ActionKind],
    operation: operations.Operation,
) -> list[str]:
    """What can't fit shows early, and the tail is short: largest first.

    But what was resumed for its move has had its turn already.
    """
    servers = memory.servers
    ids = [i for i, status in statuses.items() if status.ask in kinds]
    return sorted(
        ids,
        key=lambda i: (
            not servers[i].resumed,
            -servers[i].before.memory_mb,
            # What begins with a reset shows nobody that we are at it.
            statuses[i].ask is memories.ActionKind.RESET,
            operation.precedence(i),
            i,
        ),
    )
