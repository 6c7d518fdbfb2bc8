# SPDX-License-Identifier: Apache-2.0

"""A move in flight: does it go on, or is it to be ended?"""

from collections import abc
import dataclasses
import math

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

ActionKind = memories.ActionKind
Code = codes.Code
Context = contexts.ServerContext
Migration = model.Migration
Phase = server_status.Phase
Server = model.Server
ServerStatus = server_status.ServerStatus


MIB = 2**20
#: Progress is asked for this often within the time that makes a stall, for
#: the first time when a part of it has passed.
LOOKS_PER_STALL = 10
FIRST_LOOK_PART = 0.25
#: Memory that shrinks by less than this part of it stands still: what a guest
#: writes meanwhile makes it go up and down.
LEAST_SHRINKING = 0.01


def assess(context: Context, record: Migration) -> ServerStatus:
    """Return where a server stands that is on its way off the host."""
    view = context.view
    if view and view.deleted:
        return ServerStatus(Phase.GONE)
    # The record of a deleted server vanishes and would be awaited for ever.
    stale = view is None or (
        context.server_id not in context.seen.servers
        and context.now - view.seen_at >= timing.UNLISTED_RECHECK_SECONDS
    )
    under_way = _under_way(context, record, visit=stale)
    if reason := _lost(context, record):
        down = dataclasses.replace(under_way, code=Code.DESTINATION_DOWN)
        return _ending(context, record, down, reason)
    if reason := context.overdue:
        late = dataclasses.replace(under_way, code=Code.SERVER_TIMEOUT)
        return _ending(context, record, late, reason, why=reason)
    if view and _rests(record, view):
        # If it still does then, nobody is at the move (stale_migrations).
        due_at = record.seen_at + timing.EFFECT_WAIT_SECONDS
        limit = timing.EFFECT_WAIT_SECONDS
        return dataclasses.replace(
            under_way,
            visit=view.seen_at < due_at <= context.now,
            wake_at=due_at,
            awaits='Nova to go on with moves whose servers are at rest (at '
            f'most {limit:.0f} s)',
        )
    return _stalled(context, record, under_way)


def _rests(record: Migration, view: Server) -> bool:
    """Tell whether a server was at rest on its host when its move was known.

    Its nova-compute may have been restarted in the middle of the move.
    """
    here = view.host == record.source and view.task_state is None
    moves = record.type != model.MigrationType.EVACUATION
    # Some records are of a resize to the same host.
    shown = view.status in nova_states.MOVING or view.resized
    return moves and here and not shown and view.seen_at >= record.seen_at


def requested(
    context: Context, view: Server, asked_at: float
) -> ServerStatus | None:
    """Return where a server stands whose move shows in it, but in no record.

    None: it does not show.
    """
    evacuated = context.remembered.latest is ActionKind.EVACUATE
    begun = evacuated and view.status == nova_states.Status.REBUILD
    # Its record, which it takes to confirm it, is about to be seen.
    confirms = view.resized and view.host != context.seen.host
    if not (begun or confirms or view.status in nova_states.MOVING):
        return None
    stale = context.now - view.seen_at >= timing.UNLISTED_RECHECK_SECONDS
    under_way = _under_way(context, None, visit=stale)
    unrecorded = _unrecorded(context, view, asked_at)
    late = context.overdue or unrecorded or _lost(context, None)
    if not late:
        return under_way
    return dataclasses.replace(
        under_way,
        phase=Phase.STILL_MOVING if context.overdue else Phase.FAILED,
        reason=f'{late}, and Nova has no migration record of it: '
        f'{context.check_events} and run this again',
        code=Code.SERVER_TIMEOUT if context.overdue else Code.NO_EFFECT,
        given_up=True,
    )


def _unrecorded(context: Context, view: Server, asked_at: float) -> str:
    """Return why a move is not awaited that has no record, or ''.

    Its request may be lost: Nova takes it before its conductor makes a record
    (nova/conductor/manager.py: _live_migrate), and a server whose evacuation
    was sent to a host that had just died may never show more.
    """
    limit = timing.UNRECORDED_WAIT_SECONDS
    if min(view.seen_at, context.seen.migrations_at) - asked_at < limit:
        return ''
    return f'its {context.remembered.latest} was requested {limit:.0f} s ago'


def _under_way(
    context: Context, record: Migration | None, *, visit: bool
) -> ServerStatus:
    """Return where a server stands whose move goes on.

    :param record: that of the move; None: there is none yet.
    """
    destination = context.destination(record)
    waiting = (
        f'{destination} has not started it yet; if nova-compute has died '
        'there, Nova notices within a minute'
    )
    unanswered = context.unanswered(record)
    return ServerStatus(
        Phase.MOVING,
        waiting if unanswered else '',
        Code.DESTINATION_SLOW if unanswered else Code.NONE,
        record=record,
        pending=None if record else context.remembered.latest,
        visit=visit,
        progress=record is not None and _wants_progress(context, record),
        destination=destination,
        unanswered=unanswered,
    )


def _lost(context: Context, record: Migration | None) -> str:
    """Return that the compute service of its destination has died, or ''.

    :param record: that of the move; None: there is none yet.
    """
    host = context.destination(record)
    if context.remembered.latest is ActionKind.LIVE_MIGRATE:
        # Nova itself gives up a live migration that nobody answers.
        host = record.dest if record else None
    looked = context.seen.service_at
    since = context.others_down.get(host or '', looked)
    if looked - since < timing.DOWN_GRACE_SECONDS:
        return ''
    return f'the compute service on its destination {host} is down'


def _stalled(
    context: Context, record: Migration, under_way: ServerStatus
) -> ServerStatus:
    remembered, policy = context.remembered, context.policy
    progress = context.seen.progress.get(record.id)
    if (
        progress is None
        or remembered.least_remaining is None
        or progress.seen_at - remembered.least_since < policy.stall_after
    ):
        return under_way
    reason = (
        f'stalled: {remembered.least_remaining / MIB:.0f} MiB of '
        f'{progress.total / MIB:.0f} MiB remain to be copied, and this has '
        f'not decreased for {policy.stall_after:.0f} s'
    )
    under_way = dataclasses.replace(under_way, code=Code.STALLED)
    match policy.on_stall:
        case policies.OnStall.ABORT:
            return _ending(context, record, under_way, reason, why=reason)
        case policies.OnStall.FORCE_COMPLETE:
            kind = ActionKind.FORCE_COMPLETE
            ask = kind if _may_ask(context, kind, record) else None
            return dataclasses.replace(under_way, ask=ask, reason=reason)
        case policies.OnStall.WAIT:
            return dataclasses.replace(under_way, reason=reason)


def _ending(
    context: Context,
    record: Migration,
    under_way: ServerStatus,
    reason: str,
    *,
    why: str = '',
) -> ServerStatus:
    """Abort it where Nova can; else it is not awaited any longer.

    :param why: why there is to be no other attempt; '' if there may be.
    """
    if record.type == model.MigrationType.LIVE:
        aborting = dataclasses.replace(under_way, reason=reason, soon=True)
        if _may_ask(context, ActionKind.ABORT, record):
            return dataclasses.replace(aborting, ask=ActionKind.ABORT, why=why)
        request = context.remembered.request(ActionKind.ABORT)
        asked_at = request.asked_at
        if asked_at is not None and (
            context.seen.migrations_at - asked_at < timing.EFFECT_WAIT_SECONDS
        ):
            return aborting
        refusal = request.refusal and f': {request.refusal}'
        reason = f'{reason}, and cannot be aborted{refusal}'
    return dataclasses.replace(
        under_way,
        # Nothing is wrong with it but that it takes too long.
        phase=Phase.STILL_MOVING if why else Phase.FAILED,
        reason=f'{reason}; it may still be running in Nova: check its '
        'migrations (openstack server migration list --server '
        f'{context.server_id}) and run this again to continue',
    )


def _may_ask(context: Context, kind: ActionKind, record: Migration) -> bool:
    request = context.remembered.request(kind)
    if request.record_id != record.id:
        return True
    return 0 < request.refusals < timing.END_TRIES


def has_progress(record: Migration) -> bool:
    """Tell whether Nova says how far a migration is."""
    running = record.status == nova_states.MigrationStatus.RUNNING
    return running and record.type == model.MigrationType.LIVE


def _wants_progress(context: Context, record: Migration) -> bool:
    if not has_progress(record):
        return False
    stall = context.policy.stall_after
    seen = context.seen.progress.get(record.id)
    if seen is None:
        return context.now - record.seen_at >= FIRST_LOOK_PART * stall
    return context.now - seen.seen_at >= period(context.policy)


def period(policy: policies.Policy) -> float:
    """Return how often progress is asked for, in seconds."""
    return max(
        timing.PROGRESS_RECHECK_SECONDS, policy.stall_after / LOOKS_PER_STALL
    )


def patience(
    memory: memories.HostMemory,
    statuses: abc.Mapping[str, ServerStatus],
    policy: policies.Policy,
    now: float,
) -> float:
    """Return how long the moves in flight may be left alone, in seconds."""
    seconds = math.inf
    for server_id, status in statuses.items():
        remembered = memory.servers[server_id]
        since = remembered.under_way_since or remembered.stuck_since
        if status.phase not in (Phase.MOVING, Phase.BUSY) or since is None:
            continue
        if status.record and status.record.type == model.MigrationType.LIVE:
            seconds = min(seconds, period(policy))
        if policy.server_timeout is not None:
            left = since + policy.server_timeout - now
            seconds = min(seconds, left if left > 0 else seconds)
    return max(timing.OVERDUE_RECHECK_SECONDS, seconds)


def update_least_remaining(
    remembered: memories.ServerMemory,
    record: Migration,
    progress: model.Progress,
) -> memories.ServerMemory:
    """Return the memory with the least memory that was left to copy."""
    least = remembered.least_remaining
    if remembered.least_of == record.id and least is not None:
        shrunk = least - progress.remaining
        if shrunk < LEAST_SHRINKING * least or shrunk <= 0:
            return remembered
    return dataclasses.replace(
        remembered,
        least_of=record.id,
        least_remaining=progress.remaining,
        least_since=progress.seen_at,
    )
