# SPDX-License-Identifier: Apache-2.0

"""What Nova keeps no migration record of: resume, shelve, offload, confirm.

What came of asking for these shows in the server alone.
"""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import verdicts

Phase = server_status.Phase
Standing = server_status.Standing

_PHASES = {
    verdicts.Answer.MOVE: Phase.WAITING,
    verdicts.Answer.WAIT: Phase.BUSY,
    verdicts.Answer.BLOCKED: Phase.BLOCKED,
}
#: What a task state says is being carried out.
_TASKS: dict[str, tuple[memories.Kind, ...]] = {
    nova_states.TaskState.RESUMING: (memories.Kind.RESUME,),
    nova_states.TaskState.SUSPENDING: (memories.Kind.SUSPEND,),
    nova_states.TaskState.SHELVING: (memories.Kind.SHELVE,),
    nova_states.TaskState.SHELVING_IMAGE_PENDING_UPLOAD: (
        memories.Kind.SHELVE,
    ),
    nova_states.TaskState.SHELVING_IMAGE_UPLOADING: (memories.Kind.SHELVE,),
    # By default Nova offloads by itself what has been shelved.
    nova_states.TaskState.SHELVING_OFFLOADING: (
        memories.Kind.OFFLOAD,
        memories.Kind.SHELVE,
    ),
}


def judged(
    case: contexts.Case, view: model.Server, verdict: verdicts.Verdict
) -> server_status.Standing:
    """Return where a server stands that lies on the host.

    :param view: how it was last seen.
    :param verdict: what is to be done with it.
    """
    if verdict.answer is verdicts.Answer.WAIT:
        for kind in _TASKS.get(view.task_state or '', ()):
            asked_at = case.track.errand(kind).asked_at
            if asked_at is not None:
                return pending(case, kind, view, asked_at)
        if stuck := case.operation.busy(case, verdict):
            return stuck
        if case.overdue:
            return Standing(
                Phase.BLOCKED,
                f'{verdict.reason}; {case.overdue}: check its events '
                f'(openstack server event list {case.server_id}) and run this '
                'again',
                given_up=True,
            )
    blocked = verdict.answer is verdicts.Answer.BLOCKED
    if blocked and case.resumed and not case.excluded:
        return Standing(
            Phase.FAILED,
            f'it was resumed for the migration; now: {verdict.reason}',
        )
    if verdict.move and case.unsure:
        return Standing(Phase.SETTLING, history=True)
    plain = Standing(
        _PHASES[verdict.answer],
        verdict.reason,
        verdict.move,
        ask=verdict.ask,
        stopped=verdict.stopped,
    )
    if verdict.ask is None or verdict.ask in memories.RECORDED:
        return plain
    if verdict.ask is memories.Kind.CONFIRM and _too_early(case):
        return Standing(Phase.SETTLING, wake_at=_confirmed_from(case))
    return asked(case, view, verdict.ask, plain)


def asked(
    case: contexts.Case,
    view: model.Server,
    kind: memories.Kind,
    due: server_status.Standing,
) -> server_status.Standing:
    """Return where a server stands of which something is wanted.

    :param view: how it was last seen, which is not as it shall be.
    :param kind: what it takes.
    :param due: what holds where it is to be asked for (once more).
    """
    errand = _errand(case, kind)
    if errand.refused_at is not None:
        if errand.refusals >= timing.END_TRIES or (
            # "Not resized" may be true for a moment only.
            errand.final and kind is not memories.Kind.CONFIRM
        ):
            return Standing(Phase.BLOCKED, errand.refusal)
        if view.seen_at < errand.refused_at:
            return Standing(Phase.SETTLING, errand.refusal, visit=True)
        return dataclasses.replace(due, reason=errand.refusal)
    if errand.asked_at is None:
        return due
    looked_after = view.seen_at - errand.asked_at
    if looked_after < timing.EFFECT_WAIT_SECONDS:
        return pending(case, kind, view, errand.asked_at)
    if errand.taken > case.policy.retries:
        return Standing(
            Phase.FAILED,
            f'the request to {_verb(kind)} it had no effect: check its events '
            f'(openstack server event list {case.server_id})',
        )
    return due


def _errand(case: contexts.Case, kind: memories.Kind) -> memories.Errand:
    """Return what came of asking, as far as that holds still."""
    if kind is memories.Kind.RESET and case.records:
        # An evacuation that failed since then has undone it.
        return case.errand_since(kind, case.records[-1].seen_at)
    return case.track.errand(kind)


def pending(
    case: contexts.Case,
    kind: memories.Kind,
    view: model.Server,
    asked_at: float,
) -> server_status.Standing:
    """Return where a server stands for which something is being done.

    :param view: how it was last seen.
    :param asked_at: when it was asked for.
    """
    if case.overdue:
        return Standing(
            Phase.STILL_MOVING if kind in memories.MOVING else Phase.FAILED,
            f'{case.overdue}: the request to {_verb(kind)} it may still be '
            'running in Nova; check its events (openstack server event list '
            f'{case.server_id}) and run this again to continue',
            pending=kind,
            given_up=True,
        )
    pause = max(
        timing.TASK_RECHECK_SECONDS,
        timing.TASK_RECHECK_PART * (case.now - asked_at),
    )
    since = max(asked_at, view.seen_at)
    return Standing(
        Phase.MOVING,
        pending=kind,
        visit=case.now - since >= min(pause, timing.TASK_RECHECK_MOST_SECONDS),
        soon=pause < 2 * timing.TASK_RECHECK_SECONDS,
    )


def _verb(kind: memories.Kind) -> str:
    return 'confirm' if kind is memories.Kind.CONFIRM else str(kind)


def confirms_others(case: contexts.Case) -> bool:
    """Tell whether what is its owner's to confirm is to be confirmed."""
    confirms = case.policy.resized is policies.Resized.CONFIRM
    return confirms and not case.excluded


def unconfirmed(
    case: contexts.Case, record: model.Migration
) -> server_status.Standing:
    """Return where a server stands that is its owner's to confirm."""
    what = (
        'cold-migrated before this maintenance'
        if record.type == model.MigrationType.COLD
        else 'resized by its owner'
    )
    excluded = 'left as it is (--exclude): ' if case.excluded else ''
    confirm = '' if case.excluded else 'use --resized confirm, or '
    return Standing(
        Phase.BLOCKED,
        f'{excluded}{what} to {record.dest}; its disk stays here until that '
        f'is confirmed or reverted: {confirm}confirm it (openstack server '
        f'resize confirm {case.server_id}) or revert it (openstack server '
        f'resize revert {case.server_id})',
        record=record,
        destination=record.dest,
    )


def confirmation_patience(case: contexts.Case, *, ours: bool) -> float:
    """Return how long a confirmation is left to others, in seconds.

    :param ours: it may be another run that is about to confirm.
    """
    stagger = case.policy.stagger * timing.CONFIRM_STAGGER_SECONDS
    return stagger + timing.CONFIRM_WAIT_SECONDS if ours else stagger


def _confirmed_from(case: contexts.Case) -> float:
    """Return when what has come here at VERIFY_RESIZE may be confirmed."""
    arrived_at = case.incoming.seen_at if case.incoming else 0.0
    return arrived_at + confirmation_patience(case, ours=False)


def _too_early(case: contexts.Case) -> bool:
    """Tell whether another run may be about to confirm the same."""
    return case.seen.migrations_at < _confirmed_from(case)
