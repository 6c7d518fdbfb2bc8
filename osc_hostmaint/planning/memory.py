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

#: What a migration record's type (a str) means for us.
MOVE_OF_TYPE: collections.abc.Mapping[str, model.Move] = {
    model.MigrationType.LIVE: model.Move.LIVE,
    model.MigrationType.COLD: model.Move.COLD,
}


class Kind(enum.StrEnum):
    """What can be asked of Nova for one server."""

    LIVE_MIGRATE = 'live migration'
    COLD_MIGRATE = 'cold migration'
    CONFIRM = 'confirmation'


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """One request to Nova that changes something."""

    kind: Kind
    server_id: str


class Answer(enum.Enum):
    """What came of sending an action."""

    #: Nova took it.
    ACCEPTED = enum.auto()
    #: A time-out, a reset, a 5xx: nobody knows; only looking tells.
    IN_DOUBT = enum.auto()
    #: Nova said no, and why.
    REFUSED = enum.auto()
    #: Too many requests: not taken, ask again later.
    POSTPONED = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of sending an action, and when."""

    answer: Answer
    at: float
    reason: str = ''


@dataclasses.dataclass(frozen=True, slots=True)
class Track:
    """What is remembered of one server."""

    #: How it was when it last lay idle on the host, or as first seen.
    before: model.Server
    #: The move last asked for, or adopted.
    move: model.Move | None = None
    #: Moves asked for in this run, and those that Nova did not refuse.
    attempts: int = 0
    taken: int = 0
    #: Nova said yes to the newest of them: the move is surely ours.
    accepted: bool = False
    #: When its first move began, and its last ended.
    began_at: float | None = None
    ended_at: float | None = None
    #: The newest request to move it: when, and the highest record id then.
    asked_at: float | None = None
    asked_after: int = 0
    #: Refusals of moves in a row, the newest one, and when it came.
    refusals: int = 0
    refusal: str = ''
    refused_at: float | None = None
    #: The same for its confirmation.
    confirmed_at: float | None = None
    confirm_refusals: int = 0
    confirm_refusal: str = ''
    #: Nothing is to be asked for it before this time.
    not_before: float = 0.0


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
    #: Since when nothing is left but allocations nobody can explain.
    leftover_since: float | None = None

    def after(
        self, action: Action, outcome: Outcome, highest_id: int
    ) -> 'Memory':
        """Return the memory after an action was sent.

        :param highest_id: the highest record id known when it was sent: the
            record of a move that was taken has a higher one.
        """
        track = self.tracks[action.server_id]
        if action.kind is Kind.CONFIRM:
            track = _after_confirm(track, outcome)
        else:
            track = _after_move(track, action.kind, outcome, highest_id)
        return dataclasses.replace(
            self, tracks={**self.tracks, action.server_id: track}
        )


#: Pause after Nova said that it has too many requests.
POSTPONE_SECONDS = 5.0

#: Pause after a refused confirmation: mostly the record said ``finished`` a
#: moment before the server reached VERIFY_RESIZE.
CONFIRM_PAUSE_SECONDS = 2.0

_MOVES = {
    Kind.LIVE_MIGRATE: model.Move.LIVE,
    Kind.COLD_MIGRATE: model.Move.COLD,
}


def _after_move(
    track: Track, kind: Kind, outcome: Outcome, highest_id: int
) -> Track:
    if outcome.answer is Answer.POSTPONED:
        return dataclasses.replace(
            track, not_before=outcome.at + POSTPONE_SECONDS
        )
    track = dataclasses.replace(
        track,
        move=_MOVES[kind],
        attempts=track.attempts + 1,
        began_at=outcome.at if track.began_at is None else track.began_at,
    )
    if outcome.answer is Answer.REFUSED:
        return dataclasses.replace(
            track,
            refusals=track.refusals + 1,
            refusal=outcome.reason,
            refused_at=outcome.at,
        )
    return dataclasses.replace(
        track,
        taken=track.taken + 1,
        accepted=outcome.answer is Answer.ACCEPTED,
        asked_at=outcome.at,
        asked_after=highest_id,
        refusals=0,
        refused_at=None,
    )


def _after_confirm(track: Track, outcome: Outcome) -> Track:
    if outcome.answer is Answer.POSTPONED:
        return dataclasses.replace(
            track, not_before=outcome.at + POSTPONE_SECONDS
        )
    if outcome.answer is Answer.REFUSED:
        return dataclasses.replace(
            track,
            confirmed_at=None,
            confirm_refusals=track.confirm_refusals + 1,
            confirm_refusal=outcome.reason,
            not_before=outcome.at + CONFIRM_PAUSE_SECONDS,
        )
    return dataclasses.replace(
        track, confirmed_at=outcome.at, confirm_refusals=0
    )
