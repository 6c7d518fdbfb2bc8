# SPDX-License-Identifier: Apache-2.0

"""What became of one server's moves, and what comes next.

Nova's migration records say what became of a move; the server itself says
whether that is true. A record may end before its server has settled (after a
confirmation or an evacuation), or be `completed` with the server still on
the source, so an end counts only once a later look at the server agrees.
"""

import dataclasses
import functools

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import tenant_policy
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import in_flight
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import requests as server_requests
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import stuck
from osc_hostmaint.planning.server import verdicts
from osc_hostmaint.planning.server import verification

ActionKind = memories.ActionKind
Code = codes.Code
Context = contexts.ServerContext
Migration = model.Migration
Phase = server_status.Phase
Server = model.Server
ServerStatus = server_status.ServerStatus


def assess(context: Context) -> ServerStatus:
    """Return where a server stands."""
    return stuck.judge(context, _assess(context))


def _assess(context: Context) -> ServerStatus:
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


def _asked(context: Context, asked_at: float) -> ServerStatus:
    """A move was asked for, and no record shows it yet."""
    view = context.view
    asked = functools.partial(
        ServerStatus, Phase.MOVING, pending=context.remembered.latest
    )
    stale = timing.UNMOVED_RECHECK_SECONDS
    if view is None or view.seen_at <= asked_at:
        return asked(visit=context.now - asked_at >= stale)
    if under_way := in_flight.requested(context, view, asked_at):
        return under_way
    if context.has_left(view):
        return verification.assess(context, view)
    # By when we looked, not by what time it is: a request may have hung for
    # a minute since, or the machine have slept.
    looked = min(view.seen_at, context.seen.migrations_at)
    if looked - asked_at < timing.EFFECT_WAIT_SECONDS:
        return asked(
            visit=context.now - view.seen_at >= stale,
            awaits=server_requests.awaited_effect(context, asked_at),
        )
    since = asked_at + timing.EFFECT_WAIT_SECONDS
    failure = context.remembered.request(context.remembered.latest).failure
    why = 'the request to move it had no effect'
    reason = f'{why}: {failure}' if failure else why
    return _again(context, view, since, reason, Code.NO_EFFECT)


def _awaiting(context: Context, record: Migration) -> ServerStatus:
    """It has left; its disk stays until that is confirmed."""
    view = context.view
    if view and view.deleted:
        return ServerStatus(Phase.GONE)
    if left := context.operation.unconfirmed(context, record):
        return left
    request = context.request_since(ActionKind.CONFIRM, record.seen_at)
    of_a_drain = contexts.is_of_a_drain(record, context.since)
    if not of_a_drain and not server_requests.confirms_others(context):
        return server_requests.unconfirmed(context, record)
    status = functools.partial(
        ServerStatus, record=record, destination=record.dest
    )
    why = f'moved to {record.dest}, but not confirmed: '
    if request.refusals >= timing.END_TRIES:
        reason = why + request.refusal
        return status(Phase.FAILED, reason, Code.NOT_CONFIRMED)
    looked = context.seen.migrations_at
    waited_until = (request.asked_at or looked) + timing.EFFECT_WAIT_SECONDS
    if request.taken >= timing.END_TRIES and looked >= waited_until:
        view = context.view_since(waited_until)
        if view is None:
            # Its cell may not answer: then the record is not listed either.
            return status(Phase.MOVING, visit=True)
        if not view.resized and view.host == record.dest:
            return verification.assess(context, view, record)
        error = request.failure or context.check_events
        why += f'the confirmation had no effect: {error}'
        return status(Phase.FAILED, why, Code.NOT_CONFIRMED)
    patience = 0.0
    if not (of_a_drain and _is_this_runs(context, record)):
        patience = server_requests.confirmation_patience(
            context, another_run=of_a_drain
        )
    due_at = record.seen_at + patience
    visit = request.refusals > 0 and not context.view_since(context.now)
    if looked < due_at:
        return status(
            Phase.MOVING,
            visit=visit,
            wake_at=due_at,
            awaits='whoever else moved servers off this host to confirm their '
            f'moves (at most {patience:.0f} s)',
        )
    due = (
        request.asked_at is None
        or request.refusals > 0
        or looked - request.asked_at >= timing.EFFECT_WAIT_SECONDS
    )
    ask = ActionKind.CONFIRM if due else None
    return status(Phase.MOVING, ask=ask, visit=visit)


def _is_this_runs(context: Context, record: Migration) -> bool:
    """Tell whether a record is of the move that this run asked for last."""
    request = context.remembered.request(ActionKind.COLD_MIGRATE)
    newer = [r.id for r in context.records if r.id > request.asked_after]
    return request.accepted and newer[:1] == [record.id]


def _ended(context: Context, record: Migration) -> ServerStatus:
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
    resize = record.type == model.MigrationType.RESIZE
    resized = resize and record.ended_well
    if resized and (skipped := context.operation.skipped(view, record)):
        return skipped
    if view.host != context.seen.host:
        confirmed = record.status == nova_states.MigrationStatus.CONFIRMED
        if not (confirmed and view.resized):
            return verification.assess(context, view, record)
        return ServerStatus(
            Phase.FAILED,
            f'moved to {view.host} and confirmed by its migration record, '
            'but it is in VERIFY_RESIZE: unless its owner has started a '
            'new resize, confirm it (openstack server resize confirm '
            f'{context.server_id})',
            Code.NOT_CONFIRMED,
            record=record,
            destination=view.host,
        )
    if resize:
        return _not_begun(context)
    move, code = memories.move_of(record), Code.MOVE_FAILED
    abort = context.remembered.request(ActionKind.ABORT)
    if record.ended_well:
        if recent:
            return ServerStatus(Phase.SETTLING, record=record, visit=True)
        reason = (
            f"Nova's migration record says {record.status}, but the server "
            f'is still on {view.host}'
        )
    elif context.abort_reason and abort.record_id == record.id:
        reason = f'{context.abort_reason}: its {move} was aborted'
        code = Code.ABORTED
    elif record.id not in context.seen.failures:
        return ServerStatus(
            Phase.SETTLING, record=record, explain=frozenset({record.id})
        )
    else:
        reason = context.seen.failures[record.id] or (
            f'the {move} ended as "{record.status}" and Nova keeps no reason: '
            f'check the nova-compute log on {record.source}'
            + (f' and {record.dest}' if record.dest else '')
        )
        if reason.startswith(memories.NO_HOST):
            code = Code.NO_VALID_HOST
    return _again(context, view, record.seen_at, reason, code, record)


def _again(
    context: Context,
    view: Server,
    since: float,
    reason: str,
    code: Code,
    record: Migration | None = None,
) -> ServerStatus:
    """A move failed and the server is back: again, or no more."""
    verdict = verdicts.judge(view, context.terms)
    move = verdict.move
    if verdict.phase is Phase.BLOCKED and not context.excluded:
        known = reason in verdict.reason
        reason = (
            verdict.reason if known else f'{reason}; now: {verdict.reason}'
        )
        return ServerStatus(Phase.FAILED, reason, verdict.code, record=record)
    if move is model.Move.LIVE and context.unexplained:
        return ServerStatus(
            Phase.SETTLING, record=record, explain=context.unexplained
        )
    if context.exhausted(move):
        if move is model.Move.LIVE and context.failed_alike:
            reason += f'; {context.failed_alike}' + _offer_cold(context, view)
        return ServerStatus(Phase.FAILED, reason, code, record=record)
    if move is model.Move.LIVE and context.abort_reason:
        return ServerStatus(Phase.FAILED, reason, code, record=record)
    if verdict.phase is Phase.BUSY:
        return server_requests.assess_on_host(context, view, verdict)
    pause = timing.RETRY_WAIT_SECONDS * context.tries(move)
    unsure = move is model.Move.EVACUATION and context.may_still_begin
    if unsure or context.now < since + pause:
        return ServerStatus(Phase.SETTLING, reason, code, record=record)
    return _once_more(context, view, verdict, reason, code)


def _refused(
    context: Context, request: memories.RequestState, refused_at: float
) -> ServerStatus:
    view = context.view_since(refused_at)
    if view is None:
        return ServerStatus(
            Phase.SETTLING, request.refusal, Code.REFUSED, visit=True
        )
    if context.has_left(view):
        return verification.assess(context, view)
    verdict = verdicts.judge(view, context.terms)
    kind, reason = context.remembered.latest, request.refusal
    if kind is None or verdict.move is not memories.MOVES[kind]:
        return server_requests.assess_on_host(context, view, verdict)
    if context.refused_for_good(kind):
        if request.final and kind is ActionKind.LIVE_MIGRATE:
            reason += _offer_cold(context, view)
        return ServerStatus(Phase.BLOCKED, reason, Code.REFUSED)
    if context.now < refused_at + timing.RETRY_WAIT_SECONDS * request.refusals:
        return ServerStatus(Phase.SETTLING, reason, Code.REFUSED)
    return _once_more(context, view, verdict, reason, Code.REFUSED)


def _offer_cold(context: Context, view: Server) -> str:
    """Return that a cold migration may help, '' if it would not."""
    active = view.status == nova_states.Status.ACTIVE
    if not active or context.policy.to or context.resumed:
        return ''
    policy = dataclasses.replace(
        context.policy, running=policies.Running.LIVE_OR_COLD
    )
    if tenant_policy.running(policy, view) is policies.Running.LIVE:
        return '; its owner wants no cold migration, which would restart it'
    return '; use --running live-or-cold to cold-migrate it, which restarts it'


def _once_more(
    context: Context,
    view: Server,
    verdict: ServerStatus,
    reason: str,
    code: Code,
) -> ServerStatus:
    """Say why a server waits for its turn once more."""
    status = server_requests.assess_on_host(context, view, verdict)
    if status.phase is Phase.WAITING:
        return dataclasses.replace(status, reason=reason, code=code)
    return status


def _not_begun(context: Context) -> ServerStatus:
    view = context.view
    if view is None:
        return ServerStatus(Phase.SETTLING, visit=True)
    if context.has_left(view):
        return verification.assess(context, view)
    verdict = verdicts.judge(view, context.terms)
    running = tenant_policy.running(context.policy, view)
    or_cold = running is policies.Running.LIVE_OR_COLD
    explain = context.unexplained if or_cold else frozenset()
    if verdict.ask is ActionKind.LIVE_MIGRATE and explain:
        return dataclasses.replace(verdict, ask=None, explain=explain)
    return server_requests.assess_on_host(context, view, verdict)
