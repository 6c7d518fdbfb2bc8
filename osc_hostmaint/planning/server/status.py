# SPDX-License-Identifier: Apache-2.0

"""Where one server stands: what became of it so far, and what comes next."""

import dataclasses
import enum
import math

from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.server import memory as memories


class Phase(enum.StrEnum):
    """Where a server stands."""

    WAITING = 'waiting'
    BUSY = 'busy'
    MOVING = 'moving'
    SETTLING = 'settling'
    MOVED = 'moved'
    #: Shelved, and on no host until it is unshelved.
    OFFLOADED = 'offloaded'
    #: Its move is under way in Nova, but not awaited any longer.
    STILL_MOVING = 'still moving'
    BLOCKED = 'blocked'
    FAILED = 'failed'
    GONE = 'gone'
    #: It is not ours to move, or not any more.
    SKIPPED = 'skipped'


#: For now.
FINAL = frozenset(
    {
        *(Phase.MOVED, Phase.OFFLOADED, Phase.STILL_MOVING),
        *(Phase.BLOCKED, Phase.FAILED, Phase.GONE, Phase.SKIPPED),
    }
)
OPEN = frozenset(Phase) - FINAL


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Something that is waited for."""

    #: What, and for how long at most: for people.
    reason: str
    #: When it is over, by our clock; None: when what is seen says so.
    until: float | None = None
    #: For which servers, where the reason does not say.
    servers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class ServerStatus:
    """Where one server stands, and what must be known to decide further."""

    phase: Phase
    reason: str = ''
    #: What the reason says, in a word.
    code: codes.Code = codes.Code.NONE
    #: With WAITING: the move it is to get.
    move: model.Move | None = None
    #: What is to be asked of Nova for it: with WAITING, in its turn.
    ask: memories.ActionKind | None = None
    #: With an evacuation: it is to stay stopped.
    stopped: bool = False
    #: With an abort: why there is to be no other attempt.
    why: str = ''
    #: The record that says so.
    record: model.Migration | None = None
    #: What was asked for and no record shows, that takes up room meanwhile.
    pending: memories.ActionKind | None = None
    #: Something goes on in Nova still, though it is not awaited any longer.
    given_up: bool = False
    #: The server must be looked at.
    visit: bool = False
    #: When something falls due.
    wake_at: float = math.inf
    #: What is awaited, where a line has to say it.
    awaits: str = ''
    #: Something will be known in a moment.
    soon: bool = False
    #: Records that must be asked why they failed.
    explain: frozenset[int] = frozenset()
    #: It must be asked what was done to the server.
    history: bool = False
    #: It must be asked how far the record's migration is.
    progress: bool = False
    destination: str | None = None
    #: The host that it was sent to has not begun with it.
    unanswered: bool = False
