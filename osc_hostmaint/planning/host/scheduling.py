# SPDX-License-Identifier: Apache-2.0

"""Which moves and confirmations to ask for now.

A source host runs ``max_concurrent_live_migrations`` at a time and queues
the rest (nova/compute/manager.py: live_migration). Keeping exactly one in
that queue means that a slot never idles, that the setting is followed
without being known, and that nothing is claimed on a destination long before
it is needed. Only where moves end faster than we look is it two.
"""

from collections import abc
import dataclasses
import math

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import context as contexts
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.host import polling
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

ActionKind = memories.ActionKind
_NEEDS_FRESH = frozenset(
    {ActionKind.COLD_MIGRATE, ActionKind.RESET, ActionKind.SHELVE}
)
#: What a live migration in Nova's queue, or on its way there, begins with.
_LIVE = frozenset({ActionKind.LIVE_MIGRATE, ActionKind.RESUME})
_UNQUEUED = memories.STARTING - _LIVE
_ENDS = frozenset({ActionKind.ABORT, ActionKind.FORCE_COMPLETE})
#: They do harm to a server in another state than the one decided by.
_BY_STATE = frozenset(
    {ActionKind.EVACUATE, ActionKind.RESET, ActionKind.RESUME}
)


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
    #: Moves that only the policy's ``most_starts`` keeps from starting.
    held_back: int


@dataclasses.dataclass(frozen=True, slots=True)
class InFlight:
    """What is under way from one host."""

    #: Live migrations asked for or accepted, not on the source yet.
    coming: int = 0
    #: Waiting on the source for a slot.
    queued: int = 0
    #: Taking a slot of the source.
    running: int = 0
    #: Moves that Nova does not queue: cold migrations, shelvings,
    #: evacuations.
    unqueued: int = 0
    #: Moves that their destination has not begun with, and may never: others
    #: have their places.
    unanswered: int = 0

    @property
    def live(self) -> int:
        """All live migrations under way."""
        return self.coming + self.queued + self.running

    @property
    def total(self) -> int:
        """All moves under way."""
        return self.live + self.unqueued + self.unanswered


def choose(
    context: contexts.HostContext, move_timing: polling.MoveTiming | None
) -> Schedule:
    """Return what to ask for now."""
    seen, memory, operation = context.seen, context.memory, context.operation
    under_way = _under_way(context)
    may_start = not down_cells.is_lost(seen) and operation.may_start(
        seen, memory, context.now
    )
    slots = learn_slots(memory.slots, under_way)
    kinds = {
        server_id: status.ask
        for server_id, status in context.statuses.items()
        if status.ask
        and status.phase not in server_status.FINAL
        and memory.servers[server_id].not_before <= context.now
        and (may_start or status.ask not in memories.STARTING)
    }
    ending = [i for i, kind in kinds.items() if kind not in memories.STARTING]
    live = _in_order(context, kinds, _LIVE)
    unqueued = _in_order(context, kinds, _UNQUEUED)
    parallel = operation.moves_at_once(seen, memory)
    # Two moves may end before the first one is seen to have ended.
    quick = move_timing and move_timing.between < timing.QUICK_ENDS_SECONDS
    lives, others = allot(
        under_way,
        slots,
        parallel,
        len(live),
        len(unqueued),
        2 if quick else 1,
        operation.unqueued_at_once,
    )
    wanted, most = lives + others, context.policy.most_starts
    if most is not None:
        lives = min(lives, most)
        others = min(others, most - lives)
    held_back = wanted - lives - others
    starting = [*live[:lives], *unqueued[:others]]
    stale = frozenset(i for i in starting if _is_stale(context, i, kinds[i]))
    chosen = [*ending, *(i for i in starting if i not in stale)]
    under_limit = parallel is None or (
        under_way.total + lives + others < parallel
    )
    room = under_limit and (slots is None or under_way.live + lives <= slots)
    room = room and not held_back
    return Schedule(
        actions=tuple(_action(context, i, kinds[i]) for i in chosen),
        slots=slots,
        filling=(len(live) > lives and room) or bool(others),
        visit=stale,
        held_back=held_back,
    )


def _action(
    context: contexts.HostContext, server_id: str, kind: ActionKind
) -> memories.Action:
    policy, status = context.policy, context.statuses[server_id]
    remembered = context.memory.servers[server_id]
    migrates = kind in memories.DIRECTED
    depends = kind in _BY_STATE
    view = context.seen.latest(server_id)
    balance = policy.spread is policies.Spread.BALANCE and not policy.to
    return memories.Action(
        kind,
        server_id,
        host=policy.to if migrates else '',
        stopped=status.stopped,
        vm_state=view.vm_state if view and depends else '',
        spread=migrates and balance and not remembered.host_rejected_for,
        record_id=status.record.id if status.record and kind in _ENDS else 0,
        why=status.why,
    )


def _is_stale(
    context: contexts.HostContext, server_id: str, kind: ActionKind
) -> bool:
    """Tell whether a server must be looked at before its move is started."""
    view = context.seen.latest(server_id)
    seen_at = view.seen_at if view else -math.inf
    valid = timing.SERVER_VIEW_VALID_SECONDS
    if kind not in _NEEDS_FRESH:
        # Whatever has moved it since shows in the records, if they are new.
        seen_at = max(seen_at, context.seen.migrations_at)
        valid = timing.RECORDS_VALID_SECONDS
    return context.now - seen_at >= valid


def _under_way(context: contexts.HostContext) -> InFlight:
    """Count what is under way; what was given up holds up nobody."""
    statuses = context.statuses
    over = {i for i, s in statuses.items() if s.phase in server_status.FINAL}
    unanswered = sorted(
        i for i, s in statuses.items() if s.unanswered and i not in over
    )[: timing.UNANSWERED_MOVES_AT_ONCE]
    apart = over.union(unanswered)
    others = [s for i, s in statuses.items() if i not in apart]
    unqueued = [
        s
        for s in others
        if s.pending in _UNQUEUED
        or (
            not s.pending
            and s.record
            and s.record.in_flight
            and s.record.type != model.MigrationType.LIVE
        )
    ]
    live = [
        r.status
        for r in context.leaving
        if r.in_flight
        and r.type == model.MigrationType.LIVE
        and r.server_id not in apart
    ]
    accepted = live.count(nova_states.MigrationStatus.ACCEPTED)
    queued = live.count(nova_states.MigrationStatus.QUEUED)
    return InFlight(
        coming=accepted + sum(s.pending in _LIVE for s in others),
        queued=queued,
        running=len(live) - accepted - queued,
        unqueued=len(unqueued),
        unanswered=len(unanswered),
    )


def _in_order(
    context: contexts.HostContext,
    kinds: abc.Mapping[str, ActionKind],
    wanted: abc.Container[ActionKind],
) -> list[str]:
    """What can't fit shows early, and the tail is short: largest first.

    But what was resumed for its move has had its turn already.
    """
    servers = context.memory.servers

    def was_resumed(server_id: str) -> bool:
        suspended = nova_states.VmState.SUSPENDED
        migrates = kinds[server_id] is ActionKind.LIVE_MIGRATE
        return migrates and servers[server_id].before.vm_state == suspended

    return sorted(
        (i for i, kind in kinds.items() if kind in wanted),
        key=lambda i: (
            not was_resumed(i),
            -servers[i].before.memory_mb,
            # What begins with a reset shows nobody that we are at it.
            kinds[i] is ActionKind.RESET,
            context.operation.precedence(i),
            i,
        ),
    )


def learn_slots(slots: int | None, now: InFlight) -> int | None:
    """Return how many live migrations the source runs at once, so far.

    Every migration is `queued` for a moment, so a queue may be seen while
    slots are free. The number then is too low; as soon as more are running
    it counts as unknown again. It never falls: a slot that is changing hands
    looks like one that is not there.
    """
    if slots is not None and now.running > slots:
        slots = None
    if now.queued and not now.coming and now.running:
        return max(slots or 0, now.running)
    return slots


def live_starts(now: InFlight, slots: int | None, queue: int = 1) -> int:
    """Return how many live migrations to start, without other limits.

    :param queue: how many are to wait on the source.
    """
    if now.queued >= queue:
        return 0
    if slots is None:
        probes = max(timing.PROBES_AT_ONCE, now.running // timing.PROBES_PART)
        return 0 if now.queued else max(0, probes - now.coming)
    # With all slots full and none waiting that is one more, which also finds
    # out whether there are more slots by now.
    return max(0, max(slots, now.running) + queue - now.live)


def allot(
    now: InFlight,
    slots: int | None,
    parallel: int | None,
    live_waiting: int,
    unqueued_waiting: int,
    queue: int,
    unqueued_at_once: int,
) -> tuple[int, int]:
    """Return how many live migrations and how many other moves to start.

    :param parallel: at most so many moves under way in all; None: no limit
        but Nova's queue and the last parameter.
    :param queue: how many live migrations are to wait on the source.
    :param unqueued_at_once: how many other moves may be under way.
    """
    live = min(live_starts(now, slots, queue), live_waiting)
    if parallel is None:
        return live, min(
            max(0, unqueued_at_once - now.unqueued), unqueued_waiting
        )
    room = max(0, parallel - now.total)
    live = min(live, room)
    return live, min(room - live, unqueued_waiting)
