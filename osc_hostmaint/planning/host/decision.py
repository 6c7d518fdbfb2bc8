# SPDX-License-Identifier: Apache-2.0

"""What was decided: actions, a row per server, what to look at next."""

import dataclasses
import datetime
import enum

from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.host import circuit_breaker
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status


class Result(enum.StrEnum):
    """What became of one server."""

    MOVED = 'moved'
    #: Shelved: it is on no host.
    OFFLOADED = 'offloaded'
    #: Its move is under way in Nova, and nobody awaits it any longer.
    MOVING = 'moving'
    BLOCKED = 'blocked'
    FAILED = 'failed'
    GONE = 'gone'
    #: Left alone: it is not ours to bring home, or not any more.
    SKIPPED = 'skipped'


#: Servers that a line names.
_LISTED = 3
_NOT_LEFT = (Result.MOVED, Result.OFFLOADED, Result.GONE, Result.SKIPPED)


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What is reported of one server."""

    server_id: str
    name: str
    host: str
    #: The status it had before its move.
    status: str
    move: str
    #: Where it goes or went; '' where nothing says so, mostly because no move
    #: was begun.
    destination: str
    phase: server_status.Phase
    reason: str = ''
    #: What the reason says, in a word.
    code: codes.Code = codes.Code.NONE
    attempts: int = 0
    #: From the first look that showed its last move neither accepted nor
    #: queued to the end of the record, by Nova's clock. Without a record (of
    #: shelving) from the first request. None where no move began.
    seconds: float | None = None
    #: Its migration record that counts, if any.
    record: model.Migration | None = None
    #: Of a restore: when it left the host that it is brought back to; None
    #: where it has not left yet.
    left_at: datetime.datetime | None = None
    #: What its owner wants (model.Server.wish).
    wish: str = ''

    @property
    def result(self) -> Result | None:
        """What became of it, None while that is open."""
        if self.phase is server_status.Phase.STILL_MOVING:
            return Result.MOVING
        if self.phase in server_status.FINAL:
            return Result(self.phase.value)
        return None

    @property
    def left(self) -> bool:
        """Something of it is still on the host, or went wrong."""
        return self.result not in _NOT_LEFT


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """What the next observation must look at."""

    #: The migration records, those changed lately.
    records: bool = True
    #: The newest of them, changed or not: Nova does not list one as changed
    #: that was only created.
    newest: bool = False
    #: The list of servers on the host.
    servers: bool = False
    #: The compute services' states.
    services: bool = False
    #: These, as they were after the list of servers was made.
    after_servers: bool = False
    #: Who holds allocations on the host.
    consumers: bool = False
    #: Servers to be looked at one by one.
    visit: frozenset[str] = frozenset()
    #: Records to be asked why they failed.
    explain: frozenset[int] = frozenset()
    #: Records whose migrations are to be asked how far they are.
    progress: frozenset[int] = frozenset()
    #: Servers to be asked what was done to them.
    history: frozenset[str] = frozenset()
    #: Migrations, by their UUIDs, whose records are to be searched for.
    trace: frozenset[str] = frozenset()

    @property
    def singles(self) -> bool:
        """Something is to be looked at one by one."""
        return bool(
            self.visit
            or self.explain
            or self.progress
            or self.history
            or self.trace
        )


class Stage(enum.StrEnum):
    """How far an operation is with a host."""

    #: Servers are to be moved or awaited, or may still arrive.
    OPEN = 'open'
    #: Only the last lists are still to be looked at.
    FINAL_CHECK = 'final check'
    #: Allocations without a server may still be tidied up.
    CLEAN_UP = 'clean-up'
    DONE = 'done'


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """All that follows from one observation."""

    actions: tuple[memories.Action, ...]
    rows: tuple[Row, ...]
    query: Query
    memory: memories.HostMemory
    #: Nothing more will happen: the stage is DONE, or nothing is awaited.
    done: bool
    stage: Stage = Stage.DONE
    #: A move has failed, and whether its server is in ERROR is not known yet.
    doubtful: bool = False
    #: Moves that only the policy's ``most_starts`` keeps from starting.
    held_back: int = 0
    #: Servers whose moves in this run are over, well or badly.
    finished: tuple[circuit_breaker.Finished, ...] = ()
    #: Why the host can't be drained at all any more; '' where it can.
    trouble: str = ''
    #: What is waited for, if a line has to say it.
    wait: server_status.Wait | None = None
    #: Seconds until the next look.
    interval: float = 0.0

    @property
    def waiting_for(self) -> str:
        """What is waited for: a line for people."""
        if self.wait is None:
            return ''
        servers = self.wait.servers
        listed = ', '.join(servers[:_LISTED])
        if len(servers) > _LISTED:
            listed += f' and {len(servers) - _LISTED} more'
        return f'{self.wait.reason}: {listed}' if listed else self.wait.reason

    @property
    def drained(self) -> bool:
        """Nothing of any server is left on the host."""
        return (
            self.done
            and self.stage is Stage.DONE
            and not self.trouble
            and not any(row.left for row in self.rows)
        )
