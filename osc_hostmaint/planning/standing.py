#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Where one server stands: what became of its moves, and what comes next.

Nova's migration records say what became of a move; the server itself says
whether that is true. A record may end before its server has settled (after a
confirmation or an evacuation), or be `completed` with the server still on
the source, so an end counts only once a later look at the server agrees.
"""

import dataclasses
import datetime
import enum

from osc_hostmaint import model
from osc_hostmaint.planning import memory
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import verdicts

#: How long a request that was accepted, or whose answer was lost, may show
#: no effect; and how long a record may be ahead of its server.
PATIENCE_SECONDS = 30.0
#: Wait before a failed or refused move is tried again, times the failures.
RETRY_SECONDS = 5.0
#: A server that no list shows (it is between two hosts) is looked at this
#: often, to learn when it has been deleted.
REVISIT_SECONDS = 30.0
#: A request to move that shows no effect so long makes us look at the server.
VISIT_AFTER_SECONDS = 3.0
#: Nova's clocks may differ by so much among its controllers.
SKEW = datetime.timedelta(seconds=5)
#: How long a cold migration that another run or a person may have asked for is
#: left to them to confirm. Nova does not keep two confirmations apart that
#: come at the same moment: the later one puts the server into ERROR
#: (nova/compute/manager.py: do_confirm_resize).
ADOPT_SECONDS = 10.0
#: Refused confirmations after which the operator has to look.
CONFIRM_TRIES = 5


class Phase(enum.StrEnum):
    """Where a server stands. The last four are final, for now."""

    WAITING = 'waiting'
    BUSY = 'busy'
    MOVING = 'moving'
    CONFIRM = 'to be confirmed'
    SETTLING = 'settling'
    MOVED = 'moved'
    BLOCKED = 'blocked'
    FAILED = 'failed'
    GONE = 'gone'


FINAL = frozenset({Phase.MOVED, Phase.BLOCKED, Phase.FAILED, Phase.GONE})


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """Where one server stands, and what must be known to decide further."""

    phase: Phase
    reason: str = ''
    #: With WAITING: the move it is to get.
    move: model.Move | None = None
    #: The record that says so.
    record: model.Migration | None = None
    #: The server must be looked at.
    visit: bool = False
    #: It must be asked why the record failed.
    explain: bool = False
    destination: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """All that is known of one server: what a standing is derived from."""

    server_id: str
    track: memory.Track
    seen: model.Observation
    #: Records of moves off the host that count in this run, oldest first.
    records: tuple[model.Migration, ...]
    policy: policies.Policy
    since: datetime.datetime | None
    now: float

    @property
    def view(self) -> model.Server | None:
        """The newest view of the server, None where it left unseen."""
        return self.seen.latest(self.server_id)

    def view_since(self, time: float) -> model.Server | None:
        """The newest view, if it is not older than a time."""
        view = self.view
        return view if view and view.seen_at >= time else None


def stand(case: Case) -> Standing:
    """Return where a server stands."""
    track = case.track
    record = case.records[-1] if case.records else None
    if track.asked_at is not None and (
        record is None or record.id <= track.asked_after
    ):
        if track.refused_at is None:
            return _asked(case, track.asked_at)
    elif record is not None:
        if record.in_flight:
            return _in_flight(case, record)
        if record.awaits_confirmation:
            return _awaiting(case, record)
        if track.refused_at is None or track.refused_at < record.seen_at:
            return _ended(case, record)
    if track.refused_at is not None:
        return _refused(case, track.refused_at)
    return _untouched(case)


def _asked(case: Case, asked_at: float) -> Standing:
    """A move was asked for, and no record shows it yet."""
    view = case.view
    waited = case.now - asked_at
    if view is None or view.seen_at <= asked_at:
        return Standing(Phase.MOVING, visit=waited >= VISIT_AFTER_SECONDS)
    if view.status == 'DELETED':
        return Standing(Phase.GONE)
    here = view.host == case.seen.host
    if view.status in verdicts.MOVING_STATUSES or (
        # Its record, which it takes to confirm it, is about to be seen.
        view.status == 'VERIFY_RESIZE' and not here
    ):
        stale = case.now - view.seen_at >= REVISIT_SECONDS
        return Standing(Phase.MOVING, visit=stale)
    if not here:
        return _arrived(case, view)
    # By when we looked, not by what time it is: a request may have hung for
    # a minute since, or the machine have slept.
    if (
        min(view.seen_at, case.seen.migrations_at) - asked_at
        < PATIENCE_SECONDS
    ):
        stale = case.now - view.seen_at >= VISIT_AFTER_SECONDS
        return Standing(Phase.MOVING, visit=stale)
    return _retry(
        case,
        view,
        since=asked_at + PATIENCE_SECONDS,
        reason='Nova was asked to move it, and nothing came of it',
    )


def _in_flight(case: Case, record: model.Migration) -> Standing:
    view = case.view
    if view and view.status == 'DELETED':
        return Standing(Phase.GONE)
    # The record of a deleted server vanishes and would be awaited for ever.
    stale = view is None or (
        case.server_id not in case.seen.servers
        and case.now - view.seen_at >= REVISIT_SECONDS
    )
    return Standing(
        Phase.MOVING, record=record, visit=stale, destination=record.dest
    )


def _awaiting(case: Case, record: model.Migration) -> Standing:
    view, track = case.view, case.track
    if view and view.status == 'DELETED':
        return Standing(Phase.GONE)
    if not is_ours(record, case.since):
        what = (
            'cold-migrated before this maintenance'
            if record.type == model.MigrationType.COLD
            else 'resized by its owner'
        )
        return Standing(
            Phase.BLOCKED,
            f'{what} to {record.dest}, and its disk stays here until that is '
            'confirmed or reverted: openstack server resize confirm '
            f'{case.server_id}, or revert',
            record=record,
            destination=record.dest,
        )
    if track.confirm_refusals >= CONFIRM_TRIES:
        return Standing(
            Phase.FAILED,
            f'moved to {record.dest}, but not confirmed: '
            f'{track.confirm_refusal}',
            record=record,
            destination=record.dest,
        )
    asked = track.confirmed_at
    looked = case.seen.migrations_at
    ours = track.accepted or looked - record.seen_at >= ADOPT_SECONDS
    due = ours and (asked is None or looked - asked >= PATIENCE_SECONDS)
    return Standing(
        Phase.CONFIRM if due else Phase.MOVING,
        record=record,
        visit=track.confirm_refusals > 0 and not case.view_since(case.now),
        destination=record.dest,
    )


def is_ours(record: model.Migration, since: datetime.datetime | None) -> bool:
    """Tell whether an unconfirmed record is a drain's to confirm.

    Only cold migrations (never an owner's resize) that began during this
    maintenance: whoever asked for them meant to empty the host.
    """
    return (
        record.type == model.MigrationType.COLD
        and since is not None
        and record.created_at >= since - SKEW
    )


def _ended(case: Case, record: model.Migration) -> Standing:
    view = case.view_since(record.seen_at)
    if view is None:
        return Standing(Phase.SETTLING, record=record, visit=True)
    if view.status == 'DELETED':
        return Standing(Phase.GONE, record=record)
    unsettled = view.status in verdicts.MOVING_STATUSES or (
        view.status == 'VERIFY_RESIZE' and record.ended_well
    )
    # What takes longer is something new, like its owner's resize.
    if unsettled and view.seen_at - record.seen_at < PATIENCE_SECONDS:
        return Standing(Phase.SETTLING, record=record, visit=True)
    if view.host != case.seen.host:
        return _arrived(case, view, record)
    if record.type == model.MigrationType.RESIZE:
        return _untouched(case)
    if record.ended_well:
        if view.seen_at - record.seen_at < PATIENCE_SECONDS:
            return Standing(Phase.SETTLING, record=record, visit=True)
        reason = (
            f"Nova's migration record says {record.status}, but the server "
            f'is still on {view.host}'
        )
        return _retry(case, view, record.seen_at, reason, record)
    if record.id not in case.seen.failures:
        return Standing(Phase.SETTLING, record=record, explain=True)
    reason = case.seen.failures[record.id] or (
        f'the {_noun(record)} ended as "{record.status}"; Nova keeps no '
        f'reason: look into the nova-compute log of {record.source}'
        + (f' and {record.dest}' if record.dest else '')
    )
    return _retry(case, view, record.seen_at, reason, record)


def _refused(case: Case, refused_at: float) -> Standing:
    track = case.track
    view = case.view_since(refused_at)
    if view is None:
        return Standing(Phase.SETTLING, track.refusal, visit=True)
    if view.status == 'DELETED':
        return Standing(Phase.GONE)
    if view.host != case.seen.host:
        return _arrived(case, view)
    verdict = verdicts.judge(view)
    if verdict.answer is not verdicts.Answer.MOVE:
        return _judged(verdict)
    if track.refusals > case.policy.retries:
        return Standing(Phase.BLOCKED, track.refusal)
    if case.now < refused_at + RETRY_SECONDS * track.refusals:
        return Standing(Phase.SETTLING, track.refusal)
    return dataclasses.replace(_judged(verdict), reason=track.refusal)


def _untouched(case: Case) -> Standing:
    view = case.view
    if view is None:
        return Standing(Phase.SETTLING, visit=True)
    if view.status == 'DELETED':
        return Standing(Phase.GONE)
    if view.host != case.seen.host:
        return _arrived(case, view)
    return _judged(verdicts.judge(view))


def _judged(verdict: verdicts.Verdict) -> Standing:
    phase = {
        verdicts.Answer.MOVE: Phase.WAITING,
        verdicts.Answer.WAIT: Phase.BUSY,
        verdicts.Answer.BLOCKED: Phase.BLOCKED,
    }[verdict.answer]
    return Standing(phase, verdict.reason, verdict.move)


def _retry(
    case: Case,
    view: model.Server,
    since: float,
    reason: str,
    record: model.Migration | None = None,
) -> Standing:
    """A move failed and the server is back: again, or no more."""
    tries = max(case.track.taken, len(case.records))
    verdict = verdicts.judge(view)
    if verdict.answer is verdicts.Answer.BLOCKED:
        reason = f'{reason}; now it is {verdict.reason}'
        return Standing(Phase.FAILED, reason, record=record)
    if tries > case.policy.retries:
        return Standing(Phase.FAILED, reason, record=record)
    if verdict.answer is verdicts.Answer.WAIT:
        return _judged(verdict)
    if case.now < since + RETRY_SECONDS * tries:
        return Standing(Phase.SETTLING, reason, record=record)
    return dataclasses.replace(_judged(verdict), reason=reason)


def _arrived(
    case: Case, view: model.Server, record: model.Migration | None = None
) -> Standing:
    """The server is off the host: is it what it was?"""
    if view.host is None:
        return Standing(
            Phase.MOVED, f'now {view.status}, on no host', record=record
        )
    wrong = differences(case.track.before, view)
    return Standing(
        Phase.FAILED if wrong else Phase.MOVED,
        f'moved to {view.host}, but {wrong}' if wrong else '',
        record=record,
        destination=view.host,
    )


def differences(before: model.Server, after: model.Server) -> str:
    """Return what a move changed that it must not change, '' if nothing.

    The state below the status is compared: the status itself may already
    show what the owner has asked for since.
    """
    found = []
    # Of a server first seen in the middle of a resize or a build nothing
    # is known that could be compared, and a later resize hides it.
    if (
        before.vm_state in ('active', 'paused', 'stopped')
        and after.vm_state != before.vm_state
        and after.vm_state != 'resized'
    ):
        found.append(
            f'its state was {before.vm_state} and is {after.vm_state}'
        )
    if before.addresses and after.addresses != before.addresses:
        found.append(
            f'its fixed addresses were {", ".join(before.addresses)} and '
            f'are {", ".join(after.addresses) or "none"}'
        )
    return ' and '.join(found)


def _noun(record: model.Migration) -> str:
    move = memory.MOVE_OF_TYPE.get(record.type)
    return str(move) if move else record.type
