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
Standing = server_status.Standing


def stand(case: contexts.Case) -> server_status.Standing:
    """Return where a server stands."""
    errand = case.track.errand(case.track.latest)
    record = case.records[-1] if case.records else None
    if errand.asked_at is not None and (
        record is None or record.id <= errand.asked_after
    ):
        if errand.refused_at is None:
            return _asked(case, errand.asked_at)
    elif record is not None:
        if record.in_flight:
            cut_off = case.operation.cut_off(case, record)
            return cut_off or in_flight.stand(case, record)
        if record.awaits_confirmation:
            return _awaiting(case, record)
        if errand.refused_at is None or errand.refused_at < record.seen_at:
            return _ended(case, record)
    if errand.refused_at is not None:
        return _refused(case, errand, errand.refused_at)
    return _untouched(case)


def _asked(case: contexts.Case, asked_at: float) -> server_status.Standing:
    """A move was asked for, and no record shows it yet."""
    view = case.view
    if view is None or view.seen_at <= asked_at:
        return Standing(
            Phase.MOVING,
            pending=case.track.latest,
            visit=case.now - asked_at >= timing.UNMOVED_RECHECK_SECONDS,
        )
    if under_way := in_flight.requested(case, view, asked_at):
        return under_way
    if view.deleted:
        return Standing(Phase.GONE)
    if view.host != case.seen.host:
        return verification.stand(case, view)
    # By when we looked, not by what time it is: a request may have hung for
    # a minute since, or the machine have slept.
    looked = min(view.seen_at, case.seen.migrations_at)
    if looked - asked_at < timing.EFFECT_WAIT_SECONDS:
        stale = case.now - view.seen_at >= timing.UNMOVED_RECHECK_SECONDS
        return Standing(Phase.MOVING, pending=case.track.latest, visit=stale)
    return _again(
        case,
        view,
        since=asked_at + timing.EFFECT_WAIT_SECONDS,
        reason='the request to move it had no effect',
    )


def _awaiting(
    case: contexts.Case, record: model.Migration
) -> server_status.Standing:
    """It has left; its disk stays until that is confirmed."""
    view = case.view
    if view and view.deleted:
        return Standing(Phase.GONE)
    if stand := case.operation.unconfirmed(case, record):
        return stand
    errand = case.errand_since(memories.Kind.CONFIRM, record.seen_at)
    ours = contexts.is_ours(record, case.since)
    if not ours and not server_requests.confirms_others(case):
        return server_requests.unconfirmed(case, record)
    if errand.refusals >= timing.END_TRIES:
        return Standing(
            Phase.FAILED,
            f'moved to {record.dest}, but not confirmed: {errand.refusal}',
            record=record,
            destination=record.dest,
        )
    looked = case.seen.migrations_at
    waited_until = (errand.asked_at or looked) + timing.EFFECT_WAIT_SECONDS
    if errand.taken >= timing.END_TRIES and looked >= waited_until:
        view = case.view_since(waited_until)
        if view is None:
            # Its cell may not answer: then the record is not listed either.
            return Standing(
                Phase.MOVING,
                record=record,
                visit=True,
                destination=record.dest,
            )
        if not view.resized and view.host == record.dest:
            return verification.stand(case, view, record)
        return Standing(
            Phase.FAILED,
            f'moved to {record.dest}, but not confirmed: the confirmation had '
            'no effect; check its events (openstack server event list '
            f'{case.server_id})',
            record=record,
            destination=record.dest,
        )
    sure = ours and _surely_this_runs(case, record)
    patience = (
        0.0 if sure else server_requests.confirmation_patience(case, ours=ours)
    )
    due_at = record.seen_at + patience
    due = looked >= due_at and (
        errand.asked_at is None
        or errand.refusals > 0
        or looked - errand.asked_at >= timing.EFFECT_WAIT_SECONDS
    )
    return Standing(
        Phase.MOVING,
        ask=memories.Kind.CONFIRM if due else None,
        record=record,
        visit=errand.refusals > 0 and not case.view_since(case.now),
        wake_at=due_at if looked < due_at else math.inf,
        destination=record.dest,
    )


def _surely_this_runs(case: contexts.Case, record: model.Migration) -> bool:
    """Tell whether a record is of the move that this run asked for last."""
    errand = case.track.errand(memories.Kind.COLD_MIGRATE)
    newer = [r.id for r in case.records if r.id > errand.asked_after]
    return errand.accepted and newer[:1] == [record.id]


def _ended(
    case: contexts.Case, record: model.Migration
) -> server_status.Standing:
    view = case.view_since(record.seen_at)
    if view is None:
        return Standing(Phase.SETTLING, record=record, visit=True)
    if view.deleted:
        return Standing(Phase.GONE, record=record)
    unsettled = (
        view.status in nova_states.MOVING
        or (view.resized and record.ended_well)
        # It is started before it is stopped.
        or (record.type == model.MigrationType.EVACUATION and view.task_state)
    )
    # What takes longer is something new, like its owner's resize.
    recent = view.seen_at - record.seen_at < timing.EFFECT_WAIT_SECONDS
    if unsettled and recent:
        return Standing(Phase.SETTLING, record=record, visit=True)
    resized = record.type == model.MigrationType.RESIZE and record.ended_well
    if resized and (skipped := case.operation.skipped(view, record)):
        return skipped
    if view.host != case.seen.host:
        if (
            record.status == nova_states.MigrationStatus.CONFIRMED
            and view.resized
        ):
            return Standing(
                Phase.FAILED,
                f'moved to {view.host} and confirmed by its migration record, '
                'but it is in VERIFY_RESIZE: unless its owner has started a '
                'new resize, confirm it (openstack server resize confirm '
                f'{case.server_id})',
                record=record,
                destination=view.host,
            )
        return verification.stand(case, view, record)
    if record.type == model.MigrationType.RESIZE:
        return _untouched(case)
    if record.ended_well:
        if recent:
            return Standing(Phase.SETTLING, record=record, visit=True)
        reason = (
            f"Nova's migration record says {record.status}, but the server "
            f'is still on {view.host}'
        )
        return _again(case, view, record.seen_at, reason, record)
    abort = case.track.errand(memories.Kind.ABORT)
    if case.gave_up and abort.record_id == record.id:
        reason = f'{case.gave_up}: its {memories.move_of(record)} was aborted'
        return _again(case, view, record.seen_at, reason, record)
    if record.id not in case.seen.failures:
        return Standing(Phase.SETTLING, record=record, explain=True)
    reason = case.seen.failures[record.id] or (
        f'the {memories.move_of(record)} ended as "{record.status}" and Nova '
        f'keeps no reason: check the nova-compute log on {record.source}'
        + (f' and {record.dest}' if record.dest else '')
    )
    return _again(case, view, record.seen_at, reason, record)


def _again(
    case: contexts.Case,
    view: model.Server,
    since: float,
    reason: str,
    record: model.Migration | None = None,
) -> server_status.Standing:
    """A move failed and the server is back: again, or no more."""
    verdict = verdicts.judge(view, case.terms)
    if verdict.answer is verdicts.Answer.BLOCKED and not case.excluded:
        if reason in verdict.reason:
            reason = verdict.reason
        else:
            reason = f'{reason}; now: {verdict.reason}'
        return Standing(Phase.FAILED, reason, record=record)
    if verdict.move and case.exhausted(verdict.move):
        return Standing(Phase.FAILED, reason, record=record)
    if verdict.move is model.Move.LIVE and case.gave_up:
        return Standing(Phase.FAILED, reason, record=record)
    if verdict.answer is verdicts.Answer.WAIT:
        return server_requests.judged(case, view, verdict)
    if verdict.move is model.Move.EVACUATION and case.may_still_begin:
        return Standing(Phase.SETTLING, reason, record=record)
    tries = 0
    if verdict.move:
        # Another pick than ours has no reason to wait.
        tries = case.tries(verdict.move) - case.declined(verdict.move)
    if case.now < since + timing.RETRY_WAIT_SECONDS * tries:
        return Standing(Phase.SETTLING, reason, record=record)
    return _because(reason, server_requests.judged(case, view, verdict))


def _refused(
    case: contexts.Case, errand: memories.Errand, refused_at: float
) -> server_status.Standing:
    view = case.view_since(refused_at)
    if view is None:
        return Standing(Phase.SETTLING, errand.refusal, visit=True)
    if view.deleted:
        return Standing(Phase.GONE)
    if view.host != case.seen.host:
        return verification.stand(case, view)
    verdict = verdicts.judge(view, case.terms)
    if verdict.answer is not verdicts.Answer.MOVE:
        return server_requests.judged(case, view, verdict)
    kind = case.track.latest
    if kind is None or verdict.move is not memories.MOVES[kind]:
        return server_requests.judged(case, view, verdict)
    if case.refused_for_good(kind):
        reason = errand.refusal
        elsewhere = not case.policy.to
        if errand.final and elsewhere and kind is memories.Kind.LIVE_MIGRATE:
            reason += _way_out(case, view)
        return Standing(Phase.BLOCKED, reason)
    if case.now < refused_at + timing.RETRY_WAIT_SECONDS * errand.refusals:
        return Standing(Phase.SETTLING, errand.refusal)
    return _because(
        errand.refusal, server_requests.judged(case, view, verdict)
    )


def _because(
    reason: str, stand: server_status.Standing
) -> server_status.Standing:
    """Say why a server waits for its turn once more."""
    if stand.phase is Phase.WAITING:
        return dataclasses.replace(stand, reason=reason)
    return stand


def _way_out(case: contexts.Case, view: model.Server) -> str:
    if view.status == nova_states.Status.ACTIVE and not case.resumed:
        return (
            '; use --running live-or-cold to cold-migrate it, which restarts '
            'it'
        )
    return ''


def _untouched(case: contexts.Case) -> server_status.Standing:
    view = case.view
    if view is None:
        return Standing(Phase.SETTLING, visit=True)
    if view.deleted:
        return Standing(Phase.GONE)
    if view.host != case.seen.host:
        return verification.stand(case, view)
    return server_requests.judged(case, view, verdicts.judge(view, case.terms))
