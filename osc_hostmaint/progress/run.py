# SPDX-License-Identifier: Apache-2.0

"""How far a run is, put together from its events."""

import collections
import dataclasses

from osc_hostmaint import events
from osc_hostmaint import model
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import status as server_status

Phase = server_status.Phase
#: In bytes a second: below it, the time left is not known.
LEAST_RATE = 2**20


@dataclasses.dataclass(slots=True)
class Move:
    """A server in flight."""

    row: decisions.Row
    #: When it was first seen to be.
    began_at: float
    #: When it was looked at lately, and how many bytes were left to copy then.
    samples: collections.deque[tuple[float, int]] = dataclasses.field(
        default_factory=collections.deque
    )
    #: As it was seen last; None: not at all.
    progress: model.Progress | None = None

    def note(self, progress: model.Progress) -> None:
        """Keep how far it is."""
        self.progress, now = progress, progress.seen_at
        self.samples.append((now, progress.remaining))
        # However seldom it is asked for, two make a rate.
        while len(self.samples) > 2 and (
            now - self.samples[0][0] > timing.PROGRESS_RATE_SECONDS
        ):
            self.samples.popleft()

    @property
    def rate(self) -> float | None:
        """By how many bytes less is left each second; None: not known."""
        if len(self.samples) < 2:
            return None
        (began_at, before), (now, left) = self.samples[0], self.samples[-1]
        return max(0.0, (before - left) / max(now - began_at, 1e-6))

    @property
    def time_left(self) -> float | None:
        """Seconds until all is copied; None where that cannot be told."""
        rate = self.rate or 0.0
        if self.progress and rate >= LEAST_RATE:
            return self.progress.remaining / rate
        return None


@dataclasses.dataclass(slots=True)
class Host:
    """A host that is being drained, or that servers return to."""

    name: str
    began_at: float
    done: int = 0
    total: int = 0
    #: Of servers that have one, by id.
    results: dict[str, decisions.Result] = dataclasses.field(
        default_factory=dict
    )
    #: By the server's id.
    moves: dict[str, Move] = dataclasses.field(default_factory=dict)
    #: How many servers have moved meanwhile, and when the last one had.
    moved: int = 0
    last_at: float = 0.0
    waiting: str = ''
    ended: bool = False

    def note(self, event: events.HostEvent, now: float) -> None:
        """Keep what has happened."""
        self.done, self.total = event.done, event.total
        match event:
            case events.HostStarted() | events.HostEnded():
                for row in event.rows:
                    self._note_row(row, now)
                self.ended = isinstance(event, events.HostEnded)
            case events.Waiting():
                self.waiting = event.reason
            case events.WaitingEnded():
                self.waiting = ''
            case events.MoveProgressed():
                self._note_progress(event)
            case events.MoveStarted():
                # Another attempt is another move.
                self.moves.pop(event.server_id, None)
                self._note_row(event.row, now, event.destination)
            case events.ServerEvent():
                if _has_moved(event) and event.server_id in self.moves:
                    self.moved, self.last_at = self.moved + 1, now
                self._note_row(event.row, now)

    def _note_row(
        self, row: decisions.Row, now: float, destination: str = ''
    ) -> None:
        server_id = row.server_id
        if row.result:
            self.results[server_id] = row.result
        else:
            self.results.pop(server_id, None)
        # Between two attempts it is not in flight.
        begun = row.record or row.attempts or destination
        waits = row.phase in (Phase.WAITING, Phase.BUSY) and not destination
        if row.result or waits or not begun:
            self.moves.pop(server_id, None)
            return
        if destination and not row.destination:
            row = dataclasses.replace(row, destination=destination)
        known = self.moves.get(server_id)
        if known and (not known.row.record or _is_same(known.row, row)):
            known.row = row
        else:
            self.moves[server_id] = Move(row, now)

    def _note_progress(self, event: events.MoveProgressed) -> None:
        move = self.moves.get(event.server_id)
        # The answer may be about the attempt before.
        if move and _is_same(move.row, event.row):
            move.note(event.progress)

    def time_left(self, now: float) -> float | None:
        """Return in how many seconds it will be done; None: not known.

        As fast as its moves have ended so far, and not before what is copied
        now.
        """
        left = [m.time_left for m in self.moves.values() if m.time_left]
        still = self.total - self.done
        if self.moved and still:
            each = (self.last_at - self.began_at) / self.moved
            left.append(each * still - (now - self.last_at))
        elif len(left) < still:
            return None
        longest = max(left, default=0.0)
        return longest if longest > 0 else None


def _has_moved(event: events.ServerEvent) -> bool:
    failed = event.row.result is decisions.Result.FAILED
    return isinstance(event, events.MoveEnded) and not failed


def _is_same(one: decisions.Row, other: decisions.Row) -> bool:
    """Tell whether both are about the same migration."""
    return bool(
        one.record and other.record and one.record.id == other.record.id
    )
