# SPDX-License-Identifier: Apache-2.0

"""What becomes of hosts and their servers, as values.

:func:`between` compares two decisions about one host. Everything that shows
or passes on how a run goes listens to these events and to nothing else.
"""

import collections
from collections import abc
import dataclasses
import enum
import typing as ty

from osc_hostmaint import mark as marks
from osc_hostmaint import model
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

Phase = server_status.Phase
Result = decisions.Result


class Operation(enum.StrEnum):
    """What a run moves servers for."""

    DRAIN = 'drain'
    EVACUATION = 'evacuation'
    RESTORE = 'restore'


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Listeners ignore types that they do not know: more may be added.
    """

    #: The host that is drained, or that servers return to.
    host: str


@dataclasses.dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something that no other event tells, in words.

    ``host`` may be several names, joined by commas.
    """

    reason: str


class Trouble(Notice):
    """The operator should know this; the run goes on where it can."""


class DestinationExcluded(Trouble):
    """No other server is moved to ``host`` in this run."""


@dataclasses.dataclass(frozen=True, slots=True)
class MaintenanceSet(Event):
    """The host is in maintenance: it was put there, or it was already."""

    mark: marks.Mark


@dataclasses.dataclass(frozen=True, slots=True)
class MaintenanceUnset(Event):
    """The host was put back into service."""

    #: Of the maintenance that is over; None if somebody else had disabled the
    #: host.
    mark: marks.Mark | None


@dataclasses.dataclass(frozen=True, slots=True)
class HostEvent(Event):
    """Something about one host, with how far it is."""

    #: Servers that have a result.
    done: int
    #: All its servers.
    total: int


@dataclasses.dataclass(frozen=True, slots=True)
class HostStarted(HostEvent):
    """The host was looked at for the first time."""

    rows: tuple[decisions.Row, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting(HostEvent):
    """The host waits for something that is not one of its servers."""

    reason: str


class WaitingEnded(HostEvent):
    """The host no longer waits for that."""


class LookEnded(HostEvent):
    """The events before it are all that a look at the host has shown."""


@dataclasses.dataclass(frozen=True, slots=True)
class HostEnded(HostEvent):
    """Nothing more happens on the host."""

    rows: tuple[decisions.Row, ...]
    #: Nothing is left on it, and that was checked.
    drained: bool
    #: Why it cannot be drained at all any more; '' where it can.
    trouble: str

    @property
    def results(self) -> collections.Counter[Result]:
        """How many servers have which result."""
        return collections.Counter(
            row.result for row in self.rows if row.result
        )


@dataclasses.dataclass(frozen=True, slots=True)
class ServerEvent(HostEvent):
    """Something about one server."""

    row: decisions.Row

    @property
    def server_id(self) -> str:
        """The server's id."""
        return self.row.server_id

    @property
    def name(self) -> str:
        """The server's name, '' where it is not known."""
        return self.row.name


@dataclasses.dataclass(frozen=True, slots=True)
class RequestSent(ServerEvent):
    """Nova was asked for something that is not a move.

    The row is the server's before the request.
    """

    request: memories.ActionKind
    #: The host that was named; '' leaves it to the scheduler.
    destination: str


class MoveStarted(RequestSent):
    """Nova was asked to move the server: it may have refused, or be away.

    Once for every attempt, and once more to offload what it has shelved.
    """


class MoveAdopted(ServerEvent):
    """A move that this run did not ask for is under way."""


class MoveDelayed(ServerEvent):
    """Its move takes longer than it should; the row's reason says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class MoveProgressed(ServerEvent):
    """How much of its memory a live migration has copied.

    Only where the caller asked for it, and at most once a second in all.
    """

    progress: model.Progress


class RetryScheduled(ServerEvent):
    """Its move failed, and is tried again."""


class ServerBusy(ServerEvent):
    """Its move waits until something else is over."""


class MoveEnded(ServerEvent):
    """Its result is ``moved``, ``offloaded`` or ``failed``."""


class MoveNotAwaited(ServerEvent):
    """Its result is ``moving``: the move goes on in Nova without us."""


class ServerBlocked(ServerEvent):
    """It cannot be moved with the options given."""


class ServerDropped(ServerEvent):
    """There is nothing to move: its result is ``gone`` or ``skipped``."""


class ResultExplained(ServerEvent):
    """The reason of its result has changed, the result has not."""


class ServerChanged(ServerEvent):
    """Something else is new: a server, its destination, a result undone."""


#: What ends a server, by its result.
ENDINGS: abc.Mapping[Result, type[ServerEvent]] = {
    Result.MOVED: MoveEnded,
    Result.OFFLOADED: MoveEnded,
    Result.FAILED: MoveEnded,
    Result.MOVING: MoveNotAwaited,
    Result.BLOCKED: ServerBlocked,
    Result.GONE: ServerDropped,
    Result.SKIPPED: ServerDropped,
}


def between(
    host: str,
    before: decisions.Decision | None,
    now: decisions.Decision,
) -> abc.Iterator[HostEvent]:
    """Yield what has happened on a host from one decision to the next.

    :param before: None before the first one.
    """
    done = sum(row.result is not None for row in now.rows)
    total = len(now.rows)
    if before is None:
        yield HostStarted(host, done, total, now.rows)
    old = {row.server_id: row for row in before.rows} if before else {}
    asked = {action.server_id for action in now.actions}
    for row in now.rows:
        kind = _kind(row, old.get(row.server_id), asked=row.server_id in asked)
        # HostStarted has the servers that nothing has happened to.
        if kind and (before or kind is not ServerChanged):
            yield kind(host, done, total, row)
    rows = {row.server_id: row for row in now.rows}
    for action in now.actions:
        sent = MoveStarted if action.kind in memories.MOVES else RequestSent
        row = rows[action.server_id]
        yield sent(host, done, total, row, action.kind, action.host)
    waited = before.wait if before else None
    # Not for whom: of many servers some arrive at every look.
    if now.wait and (not waited or waited.reason != now.wait.reason):
        yield Waiting(host, done, total, now.waiting_for)
    elif waited and not now.wait:
        yield WaitingEnded(host, done, total)
    if now.done and not (before and before.done):
        yield HostEnded(host, done, total, now.rows, now.drained, now.trouble)


def _state(row: decisions.Row) -> tuple[ty.Any, ...]:
    """Return what is news if it changes: not how the seconds go by."""
    record = row.record
    return (
        *(row.name, row.status, row.move, row.destination),
        *(row.phase, row.reason, row.attempts),
        record and (record.id, record.status),
    )


def _kind(
    row: decisions.Row, old: decisions.Row | None, *, asked: bool
) -> type[ServerEvent] | None:
    """Return the type of what has happened to a server, if anything has.

    :param asked: something was just asked for it, which has its own event.
    """
    if old and _state(old) == _state(row):
        return None
    moved_on = old is None or old.phase is not row.phase
    new_reason = old is None or old.reason != row.reason
    if row.result and moved_on:
        return ENDINGS[row.result]
    if row.result and new_reason:
        return ResultExplained
    match row.phase:
        case Phase.SETTLING if row.reason and (moved_on or new_reason):
            return MoveDelayed if row.destination else RetryScheduled
        # Without a pause it only waits for its turn.
        case Phase.WAITING if row.reason and old and row.attempts:
            return RetryScheduled if new_reason else ServerChanged
        case Phase.BUSY if moved_on:
            return ServerBusy
        case Phase.MOVING if row.reason and (moved_on or new_reason):
            return MoveDelayed
        case Phase.MOVING if old is None and _adopted(row) and not asked:
            return MoveAdopted
    return ServerChanged


def _adopted(row: decisions.Row) -> bool:
    """Tell whether somebody else's request moves a server."""
    record = row.record
    return not row.attempts and bool(
        record and (record.in_flight or record.awaits_confirmation)
    )
