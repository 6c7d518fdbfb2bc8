# SPDX-License-Identifier: Apache-2.0

"""What a drain remembers between two ticks, because Nova keeps it nowhere.

What became of a move is read from Nova's migration records. What is kept
here: how a server was before its move, what was asked for and not seen yet,
and what Nova refused at once. All of it may be lost: the next run sees the
servers that are left and goes on.
"""

from collections import abc
import dataclasses
import enum
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.planning import timing

Mapping = abc.Mapping

#: What a migration record's type (a str) means for us.
MOVE_OF_TYPE: Mapping[str, model.Move] = {
    each: model.Move[each.name] for each in model.MigrationType
}


def move_of(record: model.Migration) -> str:
    """Return what a record's move is called."""
    return str(MOVE_OF_TYPE.get(record.type, record.type))


#: Nova's words where its scheduler says no.
NO_HOST = 'No valid host was found'


class ActionKind(enum.StrEnum):
    """What can be asked of Nova for one server."""

    LIVE_MIGRATE = 'live migration'
    COLD_MIGRATE = 'cold migration'
    EVACUATE = 'evacuation'
    #: Of its state, from ERROR to ACTIVE, in Nova's database alone.
    RESET = 'reset'
    CONFIRM = 'confirmation'
    RESUME = 'resume'
    SUSPEND = 'suspend'
    #: It was resumed, and that is over.
    UNTAG = 'untag'
    SHELVE = 'shelve'
    OFFLOAD = 'offload'
    ABORT = 'abort'
    FORCE_COMPLETE = 'forced completion'


#: What starts something, so that it must wait for its turn and does not
#: begin any more after Ctrl-C.
STARTING = frozenset(ActionKind) - {
    # These bring something to its end.
    ActionKind.CONFIRM,
    ActionKind.SUSPEND,
    ActionKind.UNTAG,
    ActionKind.ABORT,
    ActionKind.FORCE_COMPLETE,
}
#: What takes a server to another host, or begins that: the ``migration_type``
#: of its record.
TYPES: Mapping[ActionKind, str] = {
    ActionKind.LIVE_MIGRATE: model.MigrationType.LIVE,
    ActionKind.RESUME: model.MigrationType.LIVE,
    ActionKind.COLD_MIGRATE: model.MigrationType.COLD,
    ActionKind.EVACUATE: model.MigrationType.EVACUATION,
}
DIRECTED = frozenset(TYPES)
#: What Nova keeps a migration record of.
RECORDED = DIRECTED - {ActionKind.RESUME}
#: What leaves its server in ERROR if it fails.
HARMFUL = frozenset({ActionKind.COLD_MIGRATE, ActionKind.EVACUATE})
#: The move that each of them is a part of.
MOVES: Mapping[ActionKind, model.Move] = {
    ActionKind.LIVE_MIGRATE: model.Move.LIVE,
    ActionKind.COLD_MIGRATE: model.Move.COLD,
    ActionKind.EVACUATE: model.Move.EVACUATION,
    ActionKind.SHELVE: model.Move.SHELVE,
    ActionKind.OFFLOAD: model.Move.SHELVE,
}
#: While one of these is under way, so is the server's move.
MOVING = frozenset(MOVES) | {ActionKind.CONFIRM}


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """One request to Nova that changes something."""

    kind: ActionKind
    server_id: str
    #: Where to, of a migration, or of the one that is to follow; '' leaves it
    #: to the scheduler.
    host: str = ''
    #: The host is, or may still be, picked so that the cloud gets even.
    spread: bool = False
    #: Of an evacuation: it is to stay stopped, whatever it was.
    stopped: bool = False
    #: The server's state that it was decided by, '' if that does not matter.
    vm_state: str = ''
    #: The migration that is to be aborted or completed; 0 with all others.
    record_id: int = 0
    #: Of an abort: why there is to be no other attempt; '' if there may be.
    why: str = ''


class SendStatus(enum.Enum):
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

    answer: SendStatus
    at: float
    reason: str = ''
    #: Of a refusal: asking again is no use.
    final: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class RequestState:
    """What came of asking for one kind of thing for one server."""

    #: The newest request that was not refused: when, and the highest record
    #: id then.
    asked_at: float | None = None
    asked_after: int = 0
    #: How many were not refused, and those that only our pick was against.
    taken: int = 0
    #: Nova said yes to the newest of them: what comes of it is surely ours.
    accepted: bool = False
    #: How it failed, where it is in doubt whether Nova took it.
    failure: str = ''
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
    ) -> 'RequestState':
        """Return the request after one more request."""
        if outcome.answer is SendStatus.REFUSED:
            host_rejected = _no_such_host(action, outcome)
            return dataclasses.replace(
                self,
                taken=self.taken + host_rejected,
                refusals=self.refusals + (not host_rejected),
                refusal=outcome.reason,
                refused_at=outcome.at,
                final=outcome.final and not host_rejected,
                host=action.host,
                spread=action.spread,
                record_id=action.record_id,
                why=action.why,
            )
        return RequestState(
            asked_at=outcome.at,
            asked_after=highest_id,
            taken=self.taken + 1,
            accepted=outcome.answer is SendStatus.ACCEPTED,
            failure=outcome.reason,
            host=action.host,
            spread=action.spread,
            record_id=action.record_id,
            why=action.why,
        )


NOT_REQUESTED = RequestState()


def _no_such_host(action: Action, outcome: Outcome) -> bool:
    """Tell whether Nova refused our pick, rather than the move.

    What else it says no to at once is about the server. (Nova before Train
    asks its scheduler about a cold migration before it answers.)
    """
    words = (
        f'host {action.host} could not be found',
        # Of an evacuation, with 404.
        f'host {action.host} not found',
        NO_HOST,
    )
    refused = outcome.answer is SendStatus.REFUSED
    picked = action.spread and bool(action.host)
    return refused and picked and any(w in outcome.reason for w in words)


@dataclasses.dataclass(frozen=True, slots=True)
class ServerMemory:
    """What is remembered of one server."""

    #: How it was when it last lay idle on the host, or as first seen.
    before: model.Server
    #: The move last asked for, or adopted.
    move: model.Move | None = None
    #: What was asked for it in this run, by kind.
    requests: Mapping[ActionKind, RequestState] = dataclasses.field(
        default_factory=dict
    )
    #: The newest migration asked for.
    latest: ActionKind | None = None
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
    host_rejected_for: ActionKind | None = None
    #: Nothing is to be asked for it before this time.
    not_before: float = 0.0
    #: When it was last to be resumed, whatever came of that: it may have been
    #: tagged before.
    tag_tried_at: float | None = None

    def request(self, kind: ActionKind | None) -> RequestState:
        """Return what came of asking for one kind of thing."""
        return (
            self.requests.get(kind, NOT_REQUESTED) if kind else NOT_REQUESTED
        )

    @property
    def resumed(self) -> bool:
        """We resumed it, or may have, and that is not over."""
        resume = self.request(ActionKind.RESUME).asked_at
        untag = self.request(ActionKind.UNTAG).asked_at
        return resume is not None and (untag is None or untag < resume)

    def after(
        self, action: Action, outcome: Outcome, highest_id: int
    ) -> 'ServerMemory':
        """Return the memory after an action was sent for it."""
        kind = action.kind
        new: dict[str, ty.Any] = {}
        if kind is ActionKind.RESUME:
            new['tag_tried_at'] = outcome.at
        if outcome.answer is SendStatus.POSTPONED:
            new['not_before'] = outcome.at + timing.POSTPONED_WAIT_SECONDS
            return dataclasses.replace(self, **new)
        request = self.request(kind).after(action, outcome, highest_id)
        new['requests'] = {**self.requests, kind: request}
        if kind in STARTING and self.began_at is None:
            new['began_at'] = outcome.at
        if kind in MOVES:
            # A server that we shelved and offload is moved once.
            shelved = ActionKind.SHELVE in self.requests
            second = kind is ActionKind.OFFLOAD and shelved
            new['move'] = MOVES[kind]
            new['attempts'] = self.attempts + (not second)
        if kind in RECORDED:
            new['latest'] = kind
            if _no_such_host(action, outcome):
                new['host_rejected_for'] = kind
        elif outcome.answer is SendStatus.REFUSED:
            new['not_before'] = outcome.at + timing.REFUSED_WAIT_SECONDS
        return dataclasses.replace(self, **new)


class OperationMemory:
    """What only one operation remembers."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True)
class HostMemory:
    """What is remembered of one host's drain."""

    servers: Mapping[str, ServerMemory] = dataclasses.field(
        default_factory=dict
    )
    #: Records that had ended before this run began; None before that.
    history: frozenset[int] | None = None
    #: How many live migrations the source runs at once, as last seen.
    slots: int | None = None
    #: Since when the host's compute service has been down.
    down_since: float | None = None
    #: The same of other hosts.
    others_down: Mapping[str, float] = dataclasses.field(default_factory=dict)
    #: Since when nothing is known of the host.
    lost_since: float | None = None
    #: Since when nothing is known of single servers, by id.
    unseen_since: Mapping[str, float] = dataclasses.field(default_factory=dict)
    #: Nova called the host's compute service down when this run began.
    dead: bool = False
    #: What only the operation in hand remembers.
    own: OperationMemory | None = None
    #: Since when nothing is left but allocations nobody can explain.
    orphaned_since: float | None = None

    def after(
        self, action: Action, outcome: Outcome, highest_id: int
    ) -> 'HostMemory':
        """Return the memory after an action was sent.

        :param highest_id: the highest record id known when it was sent: the
            record of a move that was taken has a higher one.
        """
        servers = dict(self.servers)
        remembered = servers[action.server_id]
        servers[action.server_id] = remembered.after(
            action, outcome, highest_id
        )
        return dataclasses.replace(self, servers=servers)
