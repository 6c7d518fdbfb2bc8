# SPDX-License-Identifier: Apache-2.0

"""What a drain remembers between two ticks, because Nova keeps it nowhere.

What became of a move is read from Nova's migration records. What is kept
here: how a server was before its move, what was asked for and not seen yet,
and what Nova refused at once. All of it may be lost: the next run sees the
servers that are left and goes on.
"""

import collections.abc
import dataclasses
import enum

from osc_hostmaint import model
from osc_hostmaint.planning import timing

#: What a migration record's type (a str) means for us.
MOVE_OF_TYPE: collections.abc.Mapping[str, model.Move] = {
    model.MigrationType.LIVE: model.Move.LIVE,
    model.MigrationType.COLD: model.Move.COLD,
    model.MigrationType.RESIZE: model.Move.RESIZE,
    model.MigrationType.EVACUATION: model.Move.EVACUATION,
}


def move_of(record: model.Migration) -> str:
    """Return what a record's move is called."""
    return str(MOVE_OF_TYPE.get(record.type, record.type))


#: Nova's words where its scheduler says no.
NO_HOST = 'No valid host was found'


class Kind(enum.StrEnum):
    """What can be asked of Nova for one server."""

    LIVE_MIGRATE = 'live migration'
    COLD_MIGRATE = 'cold migration'
    EVACUATE = 'evacuation'
    #: Of its state, from ERROR to ACTIVE, in Nova's database alone.
    RESET = 'reset'
    CONFIRM = 'confirmation'
    RESUME = 'resume'
    SUSPEND = 'suspend'
    SHELVE = 'shelve'
    OFFLOAD = 'offload'
    ABORT = 'abort'
    FORCE_COMPLETE = 'forced completion'


#: What starts something, so that it must wait for its turn and does not
#: begin any more after Ctrl-C. The others bring something to its end.
STARTING: frozenset[Kind] = frozenset(
    {
        Kind.LIVE_MIGRATE,
        Kind.COLD_MIGRATE,
        Kind.EVACUATE,
        Kind.RESET,
        Kind.RESUME,
        Kind.SHELVE,
        Kind.OFFLOAD,
    }
)
#: What Nova keeps a migration record of.
RECORDED: frozenset[Kind] = frozenset(
    {Kind.LIVE_MIGRATE, Kind.COLD_MIGRATE, Kind.EVACUATE}
)
#: Their records' ``migration_type``.
TYPES: collections.abc.Mapping[Kind, str] = {
    Kind.LIVE_MIGRATE: model.MigrationType.LIVE,
    Kind.RESUME: model.MigrationType.LIVE,
    Kind.COLD_MIGRATE: model.MigrationType.COLD,
    Kind.EVACUATE: model.MigrationType.EVACUATION,
}
#: What leaves its server in ERROR if it fails.
HARMFUL: frozenset[Kind] = frozenset({Kind.COLD_MIGRATE, Kind.EVACUATE})
#: What takes a server to another host, or begins that.
DIRECTED: frozenset[Kind] = RECORDED | {Kind.RESUME}
#: The move that each of them is a part of.
MOVES: collections.abc.Mapping[Kind, model.Move] = {
    Kind.LIVE_MIGRATE: model.Move.LIVE,
    Kind.COLD_MIGRATE: model.Move.COLD,
    Kind.EVACUATE: model.Move.EVACUATION,
    Kind.SHELVE: model.Move.SHELVE,
    Kind.OFFLOAD: model.Move.SHELVE,
}
#: While one of these is under way, so is the server's move.
MOVING: frozenset[Kind] = frozenset(MOVES) | {Kind.CONFIRM}


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """One request to Nova that changes something."""

    kind: Kind
    server_id: str
    #: Where to, of a migration, or of the one that is to follow; '' leaves it
    #: to the scheduler.
    host: str = ''
    #: The host is, or may still be, picked so that the cloud gets even.
    spread: bool = False
    #: Of an evacuation: it is to stay stopped, whatever it was.
    stopped: bool = False
    #: Of an evacuation: the server's state that it was decided by, '' if that
    #: does not matter.
    vm_state: str = ''
    #: The migration that is to be aborted or completed; 0 with all others.
    record_id: int = 0
    #: Of an abort: why there is to be no other attempt; '' if there may be.
    why: str = ''


class Answer(enum.Enum):
    """What came of sending an action."""

    #: Nova took it.
    ACCEPTED = 'accepted'
    #: A time-out, a reset, a 5xx: nobody knows; only looking tells.
    IN_DOUBT = 'in doubt'
    #: Nova said no, and why.
    REFUSED = 'refused'
    #: Not taken, or not even sent: ask again later.
    POSTPONED = 'postponed'


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of sending an action, and when."""

    answer: Answer
    at: float
    reason: str = ''
    #: Of a refusal: asking again is no use.
    final: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Errand:
    """What came of asking for one kind of thing for one server."""

    #: The newest request that was not refused: when, and the highest record
    #: id then.
    asked_at: float | None = None
    asked_after: int = 0
    #: How many were not refused, and those that only our pick was against.
    taken: int = 0
    #: Nova said yes to the newest of them: what comes of it is surely ours.
    accepted: bool = False
    #: Refusals in a row, the newest one, and when it came.
    refusals: int = 0
    refusal: str = ''
    refused_at: float | None = None
    final: bool = False
    #: The action's.
    host: str = ''
    spread: bool = False
    record_id: int = 0
    why: str = ''

    @property
    def picked(self) -> bool:
        """A host was asked for that was our own pick."""
        return bool(self.spread and self.host)

    def after(
        self, action: Action, outcome: Outcome, highest_id: int
    ) -> 'Errand':
        """Return the errand after one more request."""
        if outcome.answer is Answer.REFUSED:
            declined = _no_such_host(action, outcome)
            return dataclasses.replace(
                self,
                taken=self.taken + declined,
                refusals=self.refusals + (not declined),
                refusal=outcome.reason,
                refused_at=outcome.at,
                final=outcome.final and not declined,
                host=action.host,
                spread=action.spread,
                record_id=action.record_id,
                why=action.why,
            )
        return Errand(
            asked_at=outcome.at,
            asked_after=highest_id,
            taken=self.taken + 1,
            accepted=outcome.answer is Answer.ACCEPTED,
            host=action.host,
            spread=action.spread,
            record_id=action.record_id,
            why=action.why,
        )


NO_ERRAND = Errand()


def _no_such_host(action: Action, outcome: Outcome) -> bool:
    """Tell whether Nova refused our pick, rather than the move.

    What else it says no to at once is about the server. (Nova before Train
    asks its scheduler about a cold migration before it answers.)
    """
    return (
        outcome.answer is Answer.REFUSED
        and action.spread
        and bool(action.host)
        and (
            f'host {action.host} could not be found' in outcome.reason
            # Of an evacuation, with 404.
            or f'host {action.host} not found' in outcome.reason
            or NO_HOST in outcome.reason
        )
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Track:
    """What is remembered of one server."""

    #: How it was when it last lay idle on the host, or as first seen.
    before: model.Server
    #: The move last asked for, or adopted.
    move: model.Move | None = None
    #: What was asked for it in this run, by kind.
    errands: collections.abc.Mapping[Kind, Errand] = dataclasses.field(
        default_factory=dict
    )
    #: The newest migration asked for.
    latest: Kind | None = None
    #: Moves asked for in this run.
    attempts: int = 0
    #: When its first move began, and its last ended.
    began_at: float | None = None
    ended_at: float | None = None
    #: Since when the move in flight has not been waiting in Nova's queue.
    under_way_since: float | None = None
    #: Since when it has been waiting there although nothing else moves.
    stuck_since: float | None = None
    #: Of which record how much memory was left to copy at the least, in
    #: bytes, and since when it has not become clearly less.
    least_of: int | None = None
    least_remaining: int | None = None
    least_since: float = 0.0
    #: By this Nova would not move it to the host that we had picked: from
    #: now on it picks one itself.
    declined: Kind | None = None
    #: An earlier run resumed it, and it is to be suspended again.
    found_resumed: bool = False
    #: Nothing is to be asked for it before this time.
    not_before: float = 0.0

    def errand(self, kind: Kind | None) -> Errand:
        """Return what came of asking for one kind of thing."""
        return self.errands.get(kind, NO_ERRAND) if kind else NO_ERRAND

    @property
    def resumed(self) -> bool:
        """We resumed it, or may have."""
        return (
            self.found_resumed or self.errand(Kind.RESUME).asked_at is not None
        )


class OperationMemory:
    """What only one operation remembers."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of one host's drain."""

    tracks: collections.abc.Mapping[str, Track] = dataclasses.field(
        default_factory=dict
    )
    #: Records that had ended before this run began; None before that.
    history: frozenset[int] | None = None
    #: How many live migrations the source runs at once, as last seen.
    slots: int | None = None
    #: Since when the host's compute service has been down.
    down_since: float | None = None
    #: The same of other hosts.
    others_down: collections.abc.Mapping[str, float] = dataclasses.field(
        default_factory=dict
    )
    #: Since when nothing is known of the host.
    lost_since: float | None = None
    #: Since when nothing is known of single servers, by id.
    unseen_since: collections.abc.Mapping[str, float] = dataclasses.field(
        default_factory=dict
    )
    #: Servers that an earlier run may have resumed: their history tells.
    suspects: frozenset[str] = frozenset()
    #: Nova called the host's compute service down when this run began.
    dead: bool = False
    #: What only the operation in hand remembers.
    own: OperationMemory | None = None
    #: Since when nothing is left but allocations nobody can explain.
    leftover_since: float | None = None

    def after(
        self, action: Action, outcome: Outcome, highest_id: int
    ) -> 'Memory':
        """Return the memory after an action was sent.

        :param highest_id: the highest record id known when it was sent: the
            record of a move that was taken has a higher one.
        """
        track = _after(
            self.tracks[action.server_id], action, outcome, highest_id
        )
        return dataclasses.replace(
            self, tracks={**self.tracks, action.server_id: track}
        )


def _after(
    track: Track, action: Action, outcome: Outcome, highest_id: int
) -> Track:
    if outcome.answer is Answer.POSTPONED:
        return dataclasses.replace(
            track, not_before=outcome.at + timing.POSTPONED_WAIT_SECONDS
        )
    kind = action.kind
    errand = track.errand(kind).after(action, outcome, highest_id)
    track = dataclasses.replace(track, errands={**track.errands, kind: errand})
    if kind in STARTING and track.began_at is None:
        track = dataclasses.replace(track, began_at=outcome.at)
    if kind in MOVES:
        # A server that we shelved and offload is moved once.
        second = kind is Kind.OFFLOAD and Kind.SHELVE in track.errands
        track = dataclasses.replace(
            track,
            move=MOVES[kind],
            attempts=track.attempts + (not second),
        )
    if kind in RECORDED:
        declined = kind if _no_such_host(action, outcome) else track.declined
        return dataclasses.replace(track, latest=kind, declined=declined)
    if outcome.answer is Answer.REFUSED:
        return dataclasses.replace(
            track, not_before=outcome.at + timing.REFUSED_WAIT_SECONDS
        )
    return track
