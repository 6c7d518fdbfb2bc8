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
        memories.Kind.COLD_MIGRATE,
        memories.Kind.RESET,
        memories.Kind.SHELVE,
    }
)
#: What a live migration in Nova's queue, or on its way there, begins with.
_LIVE = frozenset({memories.Kind.LIVE_MIGRATE, memories.Kind.RESUME})
_COLD = memories.STARTING - _LIVE
_ENDS = frozenset({memories.Kind.ABORT, memories.Kind.FORCE_COMPLETE})

Stands = collections.abc.Mapping[str, server_status.Standing]


@dataclasses.dataclass(frozen=True, slots=True)
class Starts:
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
    memory: memories.Memory,
    stands: Stands,
    rhythm: polling.Rhythm | None,
    now: float,
) -> Starts:
    """Return what to ask for now."""
    under_way = _under_way(seen, stands)
    may_start = not down_cells.is_lost(seen) and operation.may_start(
        seen, memory, now
    )
    slots = concurrency.learn_slots(memory.slots, under_way)
    ready = {
        server_id: stand
        for server_id, stand in stands.items()
        if stand.ask
        and stand.phase not in server_status.FINAL
        and memory.tracks[server_id].not_before <= now
        # What was resumed by us is not to be restarted.
        and server_id not in memory.suspects
        and (may_start or stand.ask not in memories.STARTING)
    }
    at_once = [
        server_id
        for server_id, stand in ready.items()
        if stand.ask not in memories.STARTING
    ]
    live = _in_turn(memory, ready, _LIVE, operation)
    cold = _in_turn(memory, ready, _COLD, operation)
    parallel = operation.at_once(seen, memory)
    lives, colds = concurrency.share(
        under_way,
        slots,
        parallel,
        len(live),
        len(cold),
        concurrency.queue_length(rhythm.between if rhythm else None),
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
    return Starts(
        actions=tuple(
            _action(seen, memory.tracks[i], kind, ready[i], operation.policy)
            for i in chosen
            if (kind := ready[i].ask)
        ),
        slots=slots,
        filling=(len(live) > lives and room) or bool(colds),
        visit=frozenset(stale),
    )


def _action(
    seen: model.Observation,
    track: memories.Track,
    kind: memories.Kind,
    stand: server_status.Standing,
    policy: policies.Policy,
) -> memories.Action:
    migrates = kind in memories.DIRECTED
    evacuates = kind is memories.Kind.EVACUATE
    view = seen.latest(track.before.id)
    balance = policy.spread is policies.Spread.BALANCE and not policy.to
    return memories.Action(
        kind,
        track.before.id,
        host=policy.to if migrates else '',
        stopped=stand.stopped,
        vm_state=view.vm_state if view and evacuates else '',
        spread=migrates and balance and not track.declined,
        record_id=stand.record.id if stand.record and kind in _ENDS else 0,
        why=stand.why,
    )


def _fresh(seen: model.Observation, server_id: str, now: float) -> bool:
    view = seen.latest(server_id)
    return (
        view is not None
        and now - view.seen_at < timing.SERVER_VIEW_VALID_SECONDS
    )


def _under_way(
    seen: model.Observation, stands: Stands
) -> concurrency.InFlight:
    """Count what is under way; what was given up holds up nobody."""
    asked = cold = 0
    unanswered = [
        server_id
        for server_id, stand in sorted(stands.items())
        if stand.unanswered and stand.phase not in server_status.FINAL
    ][: concurrency.UNANSWERED]
    apart = set(unanswered)
    for server_id, stand in stands.items():
        if stand.phase in server_status.FINAL:
            apart.add(server_id)
        elif server_id in apart:
            continue
        elif stand.pending:
            asked += stand.pending in _LIVE
            cold += stand.pending in _COLD
        elif (
            stand.record
            and stand.record.in_flight
            and stand.record.type != model.MigrationType.LIVE
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


def _in_turn(
    memory: memories.Memory,
    stands: Stands,
    kinds: collections.abc.Container[memories.Kind],
    operation: operations.Operation,
) -> list[str]:
    """What can't fit shows early, and the tail is short: largest first.

    But what was resumed for its move has had its turn already.
    """
    tracks = memory.tracks
    ids = [i for i, stand in stands.items() if stand.ask in kinds]
    return sorted(
        ids,
        key=lambda i: (
            not tracks[i].resumed,
            -tracks[i].before.memory_mb,
            # What begins with a reset shows nobody that we are at it.
            stands[i].ask is memories.Kind.RESET,
            operation.precedence(i),
            i,
        ),
    )
