# SPDX-License-Identifier: Apache-2.0

"""What became of one server's moves, and what comes next.

Nova's migration records say what became of a move; the server itself says
whether that is true. A record may end before its server has settled (after a
confirmation or an evacuation), or be `completed` with the server still on
the source, so an end counts only once a later look at the server agrees.
"""

import dataclasses
import math

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import in_flight
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import requests as server_requests
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import verdicts
from osc_hostmaint.planning.server import verification

Phase = server_status.Phase
ServerStatus = server_status.ServerStatus


def assess(context: contexts.ServerContext) -> server_status.ServerStatus:
    """Return where a server stands."""
    request = context.remembered.request(context.remembered.latest)
    record = context.records[-1] if context.records else None
    if request.asked_at is not None and (
        record is None or record.id <= request.asked_after
    ):
        if request.refused_at is None:
            return _asked(context, request.asked_at)
    elif record is not None:
        if record.in_flight:
            cut_off = context.operation.cut_off(context, record)
            return cut_off or in_flight.assess(context, record)
        if record.awaits_confirmation:
            return _awaiting(context, record)
        if request.refused_at is None or request.refused_at < record.seen_at:
            return _ended(context, record)
    if request.refused_at is not None:
        return _refused(context, request, request.refused_at)
    return _not_begun(context)


def _asked(
    context: contexts.ServerContext, asked_at: float
) -> server_status.ServerStatus:
    """A move was asked for, and no record shows it yet."""
    view = context.view
    if view is None or view.seen_at <= asked_at:
        return ServerStatus(
            Phase.MOVING,
            pending=context.remembered.latest,
            visit=context.now - asked_at >= timing.UNMOVED_RECHECK_SECONDS,
        )
    if under_way := in_flight.requested(context, view, asked_at):
        return under_way
    if view.deleted:
        return ServerStatus(Phase.GONE)
    if view.host != context.seen.host:
        return verification.assess(context, view)
    # By when we looked, not by what time it is: a request may have hung for
    # a minute since, or the machine have slept.
    looked = min(view.seen_at, context.seen.migrations_at)
    if looked - asked_at < timing.EFFECT_WAIT_SECONDS:
        stale = context.now - view.seen_at >= timing.UNMOVED_RECHECK_SECONDS
        return ServerStatus(
            Phase.MOVING, pending=context.remembered.latest, visit=stale
        )
    return _again(
        context,
        view,
        since=asked_at + timing.EFFECT_WAIT_SECONDS,
        reason='the request to move it had no effect',
    )


def _awaiting(
    context: contexts.ServerContext, record: model.Migration
) -> server_status.ServerStatus:
    """It has left; its disk stays until that is confirmed."""
    view = context.view
    if view and view.deleted:
        return ServerStatus(Phase.GONE)
    if status := context.operation.unconfirmed(context, record):
        return status
    request = context.request_since(
        memories.ActionKind.CONFIRM, record.seen_at
    )
    ours = contexts.is_ours(record, context.since)
    if not ours and not server_requests.confirms_others(context):
        return server_requests.unconfirmed(context, record)
    if request.refusals >= timing.END_TRIES:
        return ServerStatus(
            Phase.FAILED,
            f'moved to {record.dest}, but not confirmed: {request.refusal}',
            record=record,
            destination=record.dest,
        )
    looked = context.seen.migrations_at
    waited_until = (request.asked_at or looked) + timing.EFFECT_WAIT_SECONDS
    if request.taken >= timing.END_TRIES and looked >= waited_until:
        view = context.view_since(waited_until)
        if view is None:
            # Its cell may not answer: then the record is not listed either.
            return ServerStatus(
                Phase.MOVING,
                record=record,
                visit=True,
                destination=record.dest,
            )
        if not view.resized and view.host == record.dest:
            return verification.assess(context, view, record)
        return ServerStatus(
            Phase.FAILED,
            f'moved to {record.dest}, but not confirmed: the confirmation had '
            'no effect; check its events (openstack server event list '
            f'{context.server_id})',
            record=record,
            destination=record.dest,
        )
    sure = ours and _is_this_runs(context, record)
    patience = (
        0.0
        if sure
        else server_requests.confirmation_patience(context, ours=ours)
    )
    due_at = record.seen_at + patience
    early = looked < due_at
    due = not early and (
        request.asked_at is None
        or request.refusals > 0
        or looked - request.asked_at >= timing.EFFECT_WAIT_SECONDS
    )
    return ServerStatus(
        Phase.MOVING,
        ask=memories.ActionKind.CONFIRM if due else None,
        record=record,
        visit=request.refusals > 0 and not context.view_since(context.now),
        wake_at=due_at if early else math.inf,
        awaits='whoever else moved a server off this host to confirm its move '
        f'(at most {patience:.0f} s)'
        if early
        else '',
        destination=record.dest,
    )


def _is_this_runs(
    context: contexts.ServerContext, record: model.Migration
) -> bool:
    """Tell whether a record is of the move that this run asked for last."""
    request = context.remembered.request(memories.ActionKind.COLD_MIGRATE)
    newer = [r.id for r in context.records if r.id > request.asked_after]
    return request.accepted and newer[:1] == [record.id]


def _ended(
    context: contexts.ServerContext, record: model.Migration
) -> server_status.ServerStatus:
    view = context.view_since(record.seen_at)
    if view is None:
        return ServerStatus(Phase.SETTLING, record=record, visit=True)
    if view.deleted:
        return ServerStatus(Phase.GONE, record=record)
    unsettled = (
        view.status in nova_states.MOVING
        or (view.resized and record.ended_well)
        # It is started before it is stopped.
        or (record.type == model.MigrationType.EVACUATION and view.task_state)
    )
    # What takes longer is something new, like its owner's resize.
    recent = view.seen_at - record.seen_at < timing.EFFECT_WAIT_SECONDS
    if unsettled and recent:
        return ServerStatus(Phase.SETTLING, record=record, visit=True)
    resized = record.type == model.MigrationType.RESIZE and record.ended_well
    if resized and (skipped := context.operation.skipped(view, record)):
        return skipped
    if view.host != context.seen.host:
        if (
            record.status == nova_states.MigrationStatus.CONFIRMED
            and view.resized
        ):
            return ServerStatus(
                Phase.FAILED,
                f'moved to {view.host} and confirmed by its migration record, '
                'but it is in VERIFY_RESIZE: unless its owner has started a '
                'new resize, confirm it (openstack server resize confirm '
                f'{context.server_id})',
                record=record,
                destination=view.host,
            )
        return verification.assess(context, view, record)
    if record.type == model.MigrationType.RESIZE:
        return _not_begun(context)
    if record.ended_well:
        if recent:
            return ServerStatus(Phase.SETTLING, record=record, visit=True)
        reason = (
            f"Nova's migration record says {record.status}, but the server "
            f'is still on {view.host}'
        )
        return _again(context, view, record.seen_at, reason, record)
    abort = context.remembered.request(memories.ActionKind.ABORT)
    if context.abort_reason and abort.record_id == record.id:
        reason = (
            f'{context.abort_reason}: its {memories.move_of(record)} was '
            'aborted'
        )
        return _again(context, view, record.seen_at, reason, record)
    if record.id not in context.seen.failures:
        return ServerStatus(Phase.SETTLING, record=record, explain=True)
    reason = context.seen.failures[record.id] or (
        f'the {memories.move_of(record)} ended as "{record.status}" and Nova '
        f'keeps no reason: check the nova-compute log on {record.source}'
        + (f' and {record.dest}' if record.dest else '')
    )
    return _again(context, view, record.seen_at, reason, record)


def _again(
    context: contexts.ServerContext,
    view: model.Server,
    since: float,
    reason: str,
    record: model.Migration | None = None,
) -> server_status.ServerStatus:
    """A move failed and the server is back: again, or no more."""
    verdict = verdicts.judge(view, context.terms)
    if verdict.kind is verdicts.VerdictKind.BLOCKED and not context.excluded:
        if reason in verdict.reason:
            reason = verdict.reason
        else:
            reason = f'{reason}; now: {verdict.reason}'
        return ServerStatus(Phase.FAILED, reason, record=record)
    if verdict.move and context.exhausted(verdict.move):
        return ServerStatus(Phase.FAILED, reason, record=record)
    if verdict.move is model.Move.LIVE and context.abort_reason:
        return ServerStatus(Phase.FAILED, reason, record=record)
    if verdict.kind is verdicts.VerdictKind.WAIT:
        return server_requests.assess_on_host(context, view, verdict)
    if verdict.move is model.Move.EVACUATION and context.may_still_begin:
        return ServerStatus(Phase.SETTLING, reason, record=record)
    tries = 0
    if verdict.move:
        # Another pick than ours has no reason to wait.
        tries = context.tries(verdict.move) - context.host_rejected(
            verdict.move
        )
    if context.now < since + timing.RETRY_WAIT_SECONDS * tries:
        return ServerStatus(Phase.SETTLING, reason, record=record)
    return _with_reason(
        reason, server_requests.assess_on_host(context, view, verdict)
    )


def _refused(
    context: contexts.ServerContext,
    request: memories.RequestState,
    refused_at: float,
) -> server_status.ServerStatus:
    view = context.view_since(refused_at)
    if view is None:
        return ServerStatus(Phase.SETTLING, request.refusal, visit=True)
    if view.deleted:
        return ServerStatus(Phase.GONE)
    if view.host != context.seen.host:
        return verification.assess(context, view)
    verdict = verdicts.judge(view, context.terms)
    if verdict.kind is not verdicts.VerdictKind.MOVE:
        return server_requests.assess_on_host(context, view, verdict)
    kind = context.remembered.latest
    if kind is None or verdict.move is not memories.MOVES[kind]:
        return server_requests.assess_on_host(context, view, verdict)
    if context.refused_for_good(kind):
        reason = request.refusal
        elsewhere = not context.policy.to
        if (
            request.final
            and elsewhere
            and kind is memories.ActionKind.LIVE_MIGRATE
        ):
            reason += _with_way_out(context, view)
        return ServerStatus(Phase.BLOCKED, reason)
    if context.now < refused_at + timing.RETRY_WAIT_SECONDS * request.refusals:
        return ServerStatus(Phase.SETTLING, request.refusal)
    return _with_reason(
        request.refusal, server_requests.assess_on_host(context, view, verdict)
    )


def _with_reason(
    reason: str, status: server_status.ServerStatus
) -> server_status.ServerStatus:
    """Say why a server waits for its turn once more."""
    if status.phase is Phase.WAITING:
        return dataclasses.replace(status, reason=reason)
    return status


def _with_way_out(context: contexts.ServerContext, view: model.Server) -> str:
    if view.status == nova_states.Status.ACTIVE and not context.resumed:
        return (
            '; use --running live-or-cold to cold-migrate it, which restarts '
            'it'
        )
    return ''


def _not_begun(context: contexts.ServerContext) -> server_status.ServerStatus:
    view = context.view
    if view is None:
        return ServerStatus(Phase.SETTLING, visit=True)
    if view.deleted:
        return ServerStatus(Phase.GONE)
    if view.host != context.seen.host:
        return verification.assess(context, view)
    return server_requests.assess_on_host(
        context, view, verdicts.judge(view, context.terms)
    )
