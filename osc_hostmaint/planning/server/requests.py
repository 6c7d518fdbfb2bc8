# SPDX-License-Identifier: Apache-2.0

"""What Nova keeps no migration record of: resume, shelve, offload, confirm.

What came of asking for these shows in the server alone.
"""

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
_Task = nova_states.TaskState

#: What a task state says is being carried out.
_TASKS: dict[str, tuple[ActionKind, ...]] = {
    _Task.RESUMING: (ActionKind.RESUME,),
    _Task.SUSPENDING: (ActionKind.SUSPEND,),
    _Task.SHELVING: (ActionKind.SHELVE,),
    _Task.SHELVING_IMAGE_PENDING_UPLOAD: (ActionKind.SHELVE,),
    _Task.SHELVING_IMAGE_UPLOADING: (ActionKind.SHELVE,),
    # By default Nova offloads by itself what has been shelved.
    _Task.SHELVING_OFFLOADING: (ActionKind.OFFLOAD, ActionKind.SHELVE),
}


def assess_on_host(
    context: Context, view: Server, verdict: ServerStatus
) -> ServerStatus:
    """Return where a server stands that is on the host.

    :param view: how it was last seen.
    :param verdict: what is to be done with it.
    """
    if verdict.phase is Phase.BUSY:
        for kind in _under_way(view):
            asked_at = context.remembered.request(kind).asked_at
            if asked_at is not None:
                return pending(context, kind, view, asked_at)
        if stuck := context.operation.busy(context, verdict):
            return stuck
        if context.overdue:
            return ServerStatus(
                Phase.BLOCKED,
                f'{verdict.reason}; {context.overdue}: {context.check_events} '
                'and run this again',
                Code.BUSY,
                given_up=True,
            )
    blocked = verdict.phase is Phase.BLOCKED
    if blocked and context.resumed and not context.excluded:
        reason = f'it was resumed for the migration; now: {verdict.reason}'
        return ServerStatus(Phase.FAILED, reason, verdict.code)
    if verdict.move and context.needs_history:
        return ServerStatus(Phase.SETTLING, history=True)
    if verdict.ask is None or verdict.ask in memories.RECORDED:
        return verdict
    if verdict.ask is ActionKind.CONFIRM and context.incoming:
        patience = confirmation_patience(context, another_run=False)
        due_at = context.incoming.seen_at + patience
        if context.seen.migrations_at < due_at:
            return ServerStatus(
                Phase.SETTLING,
                wake_at=due_at,
                awaits='another run to confirm resizes to this host (at most '
                f'{patience:.0f} s)',
            )
    return assess_request(context, view, verdict.ask, verdict)


def _under_way(view: Server) -> tuple[ActionKind, ...]:
    """Return what may have been asked for that Nova is doing."""
    task = view.task_state
    if not task and view.status == nova_states.Status.SHELVED_OFFLOADED:
        # Its host is not cleared yet.
        task = _Task.SHELVING_OFFLOADING
    return _TASKS.get(task or '', ())


def assess_request(
    context: Context, view: Server, kind: ActionKind, due: ServerStatus
) -> ServerStatus:
    """Return where a server stands of which something is wanted.

    :param view: how it was last seen, which is not as it shall be.
    :param kind: what it takes.
    :param due: what holds where it is to be asked for (once more).
    """
    request = _request(context, kind)
    if request.refused_at is not None:
        if request.refusals >= timing.END_TRIES or (
            # "Not resized" may be true for a moment only.
            request.final and kind is not ActionKind.CONFIRM
        ):
            return ServerStatus(Phase.BLOCKED, request.refusal, Code.REFUSED)
        if view.seen_at < request.refused_at:
            return ServerStatus(
                Phase.SETTLING, request.refusal, Code.REFUSED, visit=True
            )
        return dataclasses.replace(
            due, reason=request.refusal, code=Code.REFUSED
        )
    if request.asked_at is None:
        return due
    if view.seen_at - request.asked_at < timing.EFFECT_WAIT_SECONDS:
        return dataclasses.replace(
            pending(context, kind, view, request.asked_at),
            awaits=awaited_effect(context, request.asked_at),
        )
    if request.taken <= context.policy.retries:
        return due
    return ServerStatus(
        Phase.FAILED,
        f'the request to {_verb(kind)} it had no effect: '
        f'{request.failure or context.check_events}',
        Code.NO_EFFECT,
    )


def awaited_effect(context: Context, asked_at: float) -> str:
    """Return what is awaited after a request, '' while that is usual."""
    if context.now - asked_at < timing.UNANSWERED_SECONDS:
        return ''
    limit = timing.EFFECT_WAIT_SECONDS
    return f'Nova to begin with what was requested (at most {limit:.0f} s)'


def _request(context: Context, kind: ActionKind) -> memories.RequestState:
    """Return what came of asking, as far as that holds still."""
    if kind is ActionKind.RESET and context.records:
        # An evacuation that failed since then has undone it.
        return context.request_since(kind, context.records[-1].seen_at)
    return context.remembered.request(kind)


def pending(
    context: Context, kind: ActionKind, view: Server, asked_at: float
) -> ServerStatus:
    """Return where a server stands for which something is being done.

    :param view: how it was last seen.
    :param asked_at: when it was asked for.
    """
    least, most = timing.TASK_RECHECK_SECONDS, timing.TASK_RECHECK_MOST_SECONDS
    pause = max(least, timing.TASK_RECHECK_PART * (context.now - asked_at))
    visit_at = max(asked_at, view.seen_at) + min(pause, most)
    due = context.now >= visit_at
    if context.overdue and not due:
        return ServerStatus(
            Phase.STILL_MOVING if kind in memories.MOVING else Phase.FAILED,
            f'{context.overdue}: the request to {_verb(kind)} it may still be '
            f'running in Nova; {context.check_events} and run this again to '
            'continue',
            Code.SERVER_TIMEOUT,
            pending=kind,
            given_up=True,
        )
    return ServerStatus(
        Phase.MOVING,
        pending=kind,
        visit=due,
        soon=pause < 2 * least,
        wake_at=math.inf if due else visit_at,
    )


def _verb(kind: ActionKind) -> str:
    return 'confirm' if kind is ActionKind.CONFIRM else str(kind)


def confirms_others(context: Context) -> bool:
    """Tell whether what is its owner's to confirm is to be confirmed."""
    confirms = context.policy.resized is policies.Resized.CONFIRM
    return confirms and not context.excluded


def unconfirmed(context: Context, record: Migration) -> ServerStatus:
    """Return where a server stands that is its owner's to confirm."""
    what = 'resized by its owner'
    if record.type == model.MigrationType.COLD:
        what = 'cold-migrated before this maintenance'
    excluded, code = '', Code.RESIZED
    if context.server_id in context.policy.exclude:
        excluded, code = 'left as it is (--exclude): ', Code.EXCLUDED
    elif context.excluded:
        excluded = 'left as it is, as its owner wants: '
        code = Code.TENANT_POLICY
    confirm = '' if excluded else 'use --resized confirm, or '
    return ServerStatus(
        Phase.BLOCKED,
        f'{excluded}{what} to {record.dest}; its disk stays here until that '
        f'is confirmed or reverted: {confirm}confirm it (openstack server '
        f'resize confirm {context.server_id}) or revert it (openstack server '
        f'resize revert {context.server_id})',
        code,
        record=record,
        destination=record.dest,
    )


def confirmation_patience(context: Context, *, another_run: bool) -> float:
    """Return how long a confirmation is left to others, in seconds.

    :param another_run: one may be about to confirm.
    """
    stagger = context.policy.stagger * timing.CONFIRM_STAGGER_SECONDS
    return stagger + timing.CONFIRM_WAIT_SECONDS if another_run else stagger
