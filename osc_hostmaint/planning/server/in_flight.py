# SPDX-License-Identifier: Apache-2.0

"""A move in flight: does it go on, or is it to be ended?"""

import collections.abc
import dataclasses
import math

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

Phase = server_status.Phase
Standing = server_status.Standing

MIB = 2**20
#: Progress is asked for this often within the time that makes a stall, for
#: the first time when a part of it has passed.
LOOKS_PER_STALL = 10
FIRST_LOOK_PART = 0.25
#: Memory that shrinks by less than this part of it stands still: what a guest
#: writes meanwhile makes it go up and down.
LEAST_SHRINKING = 0.01


def stand(
    case: contexts.Case, record: model.Migration
) -> server_status.Standing:
    """Return where a server stands that is on its way off the host."""
    view = case.view
    if view and view.deleted:
        return Standing(Phase.GONE)
    # The record of a deleted server vanishes and would be awaited for ever.
    stale = view is None or (
        case.server_id not in case.seen.servers
        and case.now - view.seen_at >= timing.UNLISTED_RECHECK_SECONDS
    )
    under_way = Standing(
        Phase.MOVING,
        waiting(case, record),
        record=record,
        visit=stale,
        progress=_wants_progress(case, record),
        destination=case.destination(record),
        unanswered=case.unanswered(record),
    )
    return (
        _lost(case, record, under_way)
        or _overdue(case, record, under_way)
        or _stalled(case, record, under_way)
        or under_way
    )


def requested(
    case: contexts.Case, view: model.Server, asked_at: float
) -> server_status.Standing | None:
    """Return where a server stands whose move shows in it, but in no record.

    None: it does not show.
    """
    kind = case.track.latest
    begun = (
        view.status == nova_states.Status.REBUILD
        and kind is memories.Kind.EVACUATE
    )
    # Its record, which it takes to confirm it, is about to be seen.
    confirms = view.resized and view.host != case.seen.host
    if not (begun or confirms or view.status in nova_states.MOVING):
        return None
    under_way = Standing(
        Phase.MOVING,
        waiting(case),
        pending=kind,
        visit=case.now - view.seen_at >= timing.UNLISTED_RECHECK_SECONDS,
        destination=case.destination(None),
        unanswered=case.unanswered(None),
    )
    late = case.overdue or _unrecorded(case, view, asked_at) or lost(case)
    if not late:
        return under_way
    return dataclasses.replace(
        under_way,
        phase=Phase.STILL_MOVING if case.overdue else Phase.FAILED,
        reason=f'{late}, and Nova has no migration record of it: check its '
        f'events (openstack server event list {case.server_id}) and '
        'run this again',
        given_up=True,
    )


def _unrecorded(
    case: contexts.Case, view: model.Server, asked_at: float
) -> str:
    """Return why a move is not awaited that has no record, or ''.

    Its request may be lost: Nova takes it before its conductor makes a record
    (nova/conductor/manager.py: _live_migrate), and a server whose evacuation
    was sent to a host that had just died may never show more.
    """
    limit = timing.UNRECORDED_WAIT_SECONDS
    if min(view.seen_at, case.seen.migrations_at) - asked_at < limit:
        return ''
    return f'its {case.track.latest} was requested {limit:.0f} s ago'


def waiting(case: contexts.Case, record: model.Migration | None = None) -> str:
    """Return what a move waits for whose destination has not begun, or ''."""
    if not case.unanswered(record):
        return ''
    return (
        f'{case.destination(record)} has not started it yet; if nova-compute '
        'has died there, Nova notices within a minute'
    )


def lost(case: contexts.Case, record: model.Migration | None = None) -> str:
    """Return that the compute service of its destination has died, or ''.

    :param record: that of the move; None: there is none yet.
    """
    host = case.destination(record)
    if case.track.latest is memories.Kind.LIVE_MIGRATE:
        # Nova itself gives up a live migration that nobody answers.
        host = record.dest if record else None
    since = case.others_down.get(host or '')
    if since is None or (
        case.seen.service_at - since < timing.DOWN_GRACE_SECONDS
    ):
        return ''
    return f'the compute service on its destination {host} is down'


def _lost(
    case: contexts.Case,
    record: model.Migration,
    under_way: server_status.Standing,
) -> server_status.Standing | None:
    reason = lost(case, record)
    return _ending(case, record, under_way, reason) if reason else None


def _overdue(
    case: contexts.Case,
    record: model.Migration,
    under_way: server_status.Standing,
) -> server_status.Standing | None:
    if not case.overdue:
        return None
    return _ending(case, record, under_way, case.overdue, why=case.overdue)


def _stalled(
    case: contexts.Case,
    record: model.Migration,
    under_way: server_status.Standing,
) -> server_status.Standing | None:
    track, policy = case.track, case.policy
    progress = case.seen.progress.get(record.id)
    if (
        progress is None
        or track.least_remaining is None
        or progress.seen_at - track.least_since < policy.stall_after
    ):
        return None
    reason = (
        f'stalled: {track.least_remaining / MIB:.0f} MiB of '
        f'{progress.total / MIB:.0f} MiB remain to be copied, and this has '
        f'not decreased for {policy.stall_after:.0f} s'
    )
    match policy.on_stall:
        case policies.OnStall.ABORT:
            return _ending(case, record, under_way, reason, why=reason)
        case policies.OnStall.FORCE_COMPLETE:
            kind = memories.Kind.FORCE_COMPLETE
            ask = kind if _may_ask(case, kind, record) else None
            return dataclasses.replace(under_way, ask=ask, reason=reason)
        case policies.OnStall.WAIT:
            return dataclasses.replace(under_way, reason=reason)


def _ending(
    case: contexts.Case,
    record: model.Migration,
    under_way: server_status.Standing,
    reason: str,
    *,
    why: str = '',
) -> server_status.Standing:
    """Abort it where Nova can; else it is not awaited any longer.

    :param why: why there is to be no other attempt; '' if there may be.
    """
    kind = memories.Kind.ABORT
    if record.type == model.MigrationType.LIVE:
        errand = case.track.errand(kind)
        if _may_ask(case, kind, record):
            return dataclasses.replace(
                under_way, ask=kind, why=why, reason=reason, soon=True
            )
        asked_at = errand.asked_at
        if asked_at is not None and (
            case.seen.migrations_at - asked_at < timing.EFFECT_WAIT_SECONDS
        ):
            return dataclasses.replace(under_way, reason=reason, soon=True)
        reason = f'{reason}, and cannot be aborted'
        if errand.refusal:
            reason = f'{reason}: {errand.refusal}'
    return dataclasses.replace(
        under_way,
        # Nothing is wrong with it but that it takes too long.
        phase=Phase.STILL_MOVING if why else Phase.FAILED,
        reason=f'{reason}; it may still be running in Nova: check its '
        'migrations (openstack server migration list --server '
        f'{case.server_id}) and run this again to continue',
    )


def _may_ask(
    case: contexts.Case, kind: memories.Kind, record: model.Migration
) -> bool:
    errand = case.track.errand(kind)
    if errand.record_id != record.id:
        return True
    return 0 < errand.refusals < timing.END_TRIES


def _wants_progress(case: contexts.Case, record: model.Migration) -> bool:
    if (
        record.type != model.MigrationType.LIVE
        or record.status != nova_states.MigrationStatus.RUNNING
    ):
        return False
    stall = case.policy.stall_after
    seen = case.seen.progress.get(record.id)
    if seen is None:
        return case.now - record.seen_at >= FIRST_LOOK_PART * stall
    return case.now - seen.seen_at >= period(case.policy)


def period(policy: policies.Policy) -> float:
    """Return how often progress is asked for, in seconds."""
    return max(
        timing.PROGRESS_RECHECK_SECONDS, policy.stall_after / LOOKS_PER_STALL
    )


def patience(
    memory: memories.Memory,
    stands: collections.abc.Mapping[str, server_status.Standing],
    policy: policies.Policy,
    now: float,
) -> float:
    """Return how long the moves in flight may be left alone, in seconds."""
    seconds = math.inf
    for server_id, stand in stands.items():
        track = memory.tracks[server_id]
        since = track.under_way_since or track.stuck_since
        if stand.phase not in (Phase.MOVING, Phase.BUSY) or since is None:
            continue
        if stand.record and stand.record.type == model.MigrationType.LIVE:
            seconds = min(seconds, period(policy))
        if policy.server_timeout is not None:
            left = since + policy.server_timeout - now
            seconds = min(seconds, left if left > 0 else seconds)
    return max(timing.OVERDUE_RECHECK_SECONDS, seconds)


def keep_least(
    track: memories.Track, record: model.Migration, progress: model.Progress
) -> memories.Track:
    """Return the memory with the least memory that was left to copy."""
    least = track.least_remaining
    if track.least_of == record.id and least is not None:
        shrunk = least - progress.remaining
        if shrunk < LEAST_SHRINKING * least or shrunk <= 0:
            return track
    return dataclasses.replace(
        track,
        least_of=record.id,
        least_remaining=progress.remaining,
        least_since=progress.seen_at,
    )
