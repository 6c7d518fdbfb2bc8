# SPDX-License-Identifier: Apache-2.0

"""A view of a run on a terminal that changes as the run goes on.

Each host has a bar, and each server in flight a line below it. Above it
scrolls what is worth keeping. When the run ends the view disappears, and what
was printed above it stays.
"""

import collections
from collections import abc
import contextlib
import dataclasses
import time
import typing as ty

from rich import console as consoles
from rich import live
from rich import progress_bar
from rich import table as tables
from rich import text as texts

from osc_hostmaint import events
from osc_hostmaint import interrupt as interrupts
from osc_hostmaint import nova_states
from osc_hostmaint import text
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.progress import lines

Clock = abc.Callable[[], float]
GIB = 2**30
MIB = 2**20
#: So wide a bar is at the most, in columns.
BAR_COLUMNS = 30
#: So often the view is drawn anew, for the times that go by.
DRAWN_PER_SECOND = 2
#: What scrolls above the view; the view itself shows the rest.
_KEPT = (
    events.Trouble,
    events.HostEnded,
    events.MoveNotAwaited,
    events.ServerBlocked,
    events.RetryScheduled,
)


@dataclasses.dataclass(slots=True)
class _Move:
    """A server in flight."""

    row: decisions.Row
    began_at: float
    remaining: int | None = None
    total: int = 0
    #: When that was seen, and bytes per second by then.
    seen_at: float = 0.0
    rate: float = 0.0


@dataclasses.dataclass(slots=True)
class _Host:
    """A host that is being drained, or that servers return to."""

    name: str
    began_at: float
    done: int = 0
    total: int = 0
    results: dict[str, str] = dataclasses.field(default_factory=dict)
    moves: dict[str, _Move] = dataclasses.field(default_factory=dict)
    #: When a server was done for the last time.
    last_at: float | None = None
    waiting: str = ''
    ended: bool = False


class View:
    """Draws what events tell; use it as a context manager.

    It begins with the first host: until then questions may be asked.
    """

    watches_moves = True

    def __init__(
        self,
        stream: ty.TextIO,
        endings: lines.Endings = lines.DRAINED,
        interrupt: interrupts.Interrupt | None = None,
        clock: Clock = time.monotonic,
    ):
        """:param interrupt: its message is shown."""
        self._interrupt = interrupt
        self.console = consoles.Console(file=stream, highlight=False)
        self._lines = lines.Progress(_Above(self.console), endings)
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self._live = live.Live(
            console=self.console,
            get_renderable=self.render,
            refresh_per_second=DRAWN_PER_SECOND,
            transient=True,
            redirect_stdout=False,
        )

    def __enter__(self) -> ty.Self:
        return self

    def __exit__(self, *_error: object) -> None:
        # A terminal that is gone must not cost the table.
        with contextlib.suppress(OSError, ValueError):
            self._live.stop()
            if message := self._message:
                self.console.out(message)

    @property
    def _message(self) -> str:
        return self._interrupt.message if self._interrupt else ''

    def publish(self, event: events.Event) -> None:
        """Show what has happened."""
        if isinstance(event, events.HostEvent):
            self._note(event)
            self._live.start()
        failed = isinstance(event, events.MoveEnded) and (
            event.row.result is decisions.Result.FAILED
        )
        if failed or isinstance(event, _KEPT):
            self._lines.publish(event)

    def _note(self, event: events.HostEvent) -> None:
        now = self._clock()
        host = self._hosts.setdefault(event.host, _Host(event.host, now))
        if event.done > host.done:
            host.last_at = now
        host.done, host.total = event.done, event.total
        match event:
            case events.HostStarted() | events.HostEnded():
                for row in event.rows:
                    self._note_row(host, row, now)
                host.ended = isinstance(event, events.HostEnded)
            case events.Waiting():
                host.waiting = event.reason
            case events.WaitingEnded():
                host.waiting = ''
            case events.MoveProgressed():
                self._note_progress(host, event, now)
            case events.RequestSent():
                self._note_row(host, event.row, now, event.destination)
            case events.ServerEvent():
                self._note_row(host, event.row, now)

    def _note_row(
        self, host: _Host, row: decisions.Row, now: float, to: str = ''
    ) -> None:
        if row.result:
            host.results[row.server_id] = str(row.result)
            host.moves.pop(row.server_id, None)
            return
        host.results.pop(row.server_id, None)
        if to and not row.destination:
            row = dataclasses.replace(row, destination=to)
        begun = row.record is not None or row.attempts > 0 or bool(to)
        if row.server_id in host.moves:
            host.moves[row.server_id].row = row
        elif begun:
            host.moves[row.server_id] = _Move(row, now)

    def _note_progress(
        self, host: _Host, event: events.MoveProgressed, now: float
    ) -> None:
        move = host.moves.get(event.server_id)
        if move is None:
            return
        remaining, passed = event.progress.remaining, now - move.seen_at
        if move.remaining is not None and passed > 0:
            move.rate = (move.remaining - remaining) / passed
        move.remaining, move.total = remaining, event.progress.total
        move.seen_at = now

    def render(self) -> consoles.RenderableType:
        """Return what is to be seen now."""
        now = self._clock()
        going_on = [h for h in self._hosts.values() if not h.ended]
        # One line stays free for the cursor.
        room = max(1, self.console.size.height - 1 - bool(self._message))
        shown = going_on[:room]
        grid = tables.Table.grid(padding=(0, 1), expand=False)
        for _column in range(3):
            grid.add_column(no_wrap=True, overflow='ellipsis')
        free = room - len(shown)
        for host in shown:
            self._add_host(grid, host, now)
            moves = sorted(host.moves.values(), key=lambda m: m.began_at)
            # Each host has as much of the room as the others.
            most = free // len(shown)
            if len(moves) > most:
                moves = moves[: max(0, most - 1)]
            for move in moves:
                grid.add_row(
                    texts.Text(f'  {_short(move.row.name)}'),
                    _short(_where(move.row)),
                    _how_far(move, now),
                )
            left = len(host.moves) - len(moves)
            if left and most:
                grid.add_row(_('  and %d more in flight') % left, '', '')
        if self._message:
            return consoles.Group(grid, texts.Text(self._message, 'bold'))
        return grid

    def _add_host(self, grid: tables.Table, host: _Host, now: float) -> None:
        bar = progress_bar.ProgressBar(
            total=max(1, host.total),
            completed=host.done,
            width=min(BAR_COLUMNS, max(5, self.console.size.width // 4)),
        )
        counts = collections.Counter(host.results.values())
        words = [f'{host.done}/{host.total}']
        words += [f'{n} {result}' for result, n in sorted(counts.items())]
        words.append(duration(now - host.began_at))
        if (rest := _time_left(host, now)) is not None:
            words.append(_('about %s left') % duration(rest))
        if host.waiting:
            words.append(_('waiting for %s') % text.printable(host.waiting))
        grid.add_row(
            texts.Text(text.printable(host.name), style='bold'),
            bar,
            texts.Text(', '.join(words)),
        )


class _Above:
    """Writes lines above the view, as a stream does."""

    def __init__(self, console: consoles.Console):
        self.console = console

    def write(self, words: str) -> None:
        self.console.out(words, end='')

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return True


def _short(words: str) -> str:
    return text.shorten(text.printable(words), lines.NAME_COLUMNS)


def _where(row: decisions.Row) -> str:
    return f'→ {row.destination}' if row.destination else ''


def _how_far(move: _Move, now: float) -> texts.Text:
    """Return what is known of a server in flight."""
    row, record = move.row, move.row.record
    words = [row.move, duration(now - move.began_at)]
    stalled = row.code is codes.Code.STALLED
    if record and record.status in nova_states.NOT_BEGUN:
        words.insert(1, _("in Nova's queue"))
    elif move.remaining is not None and move.total:
        copied = move.total - move.remaining
        words.append(
            _('%(copied).1f of %(total).1f GiB, %(rate).0f MiB/s')
            % {
                'copied': max(0, copied) / GIB,
                'total': move.total / GIB,
                'rate': max(0.0, move.rate) / MIB,
            }
        )
    if stalled:
        words.append(_('stalled'))
    elif row.reason:
        words.append(text.printable(row.reason))
    return texts.Text(', '.join(filter(None, words)), 'red' if stalled else '')


def _time_left(host: _Host, now: float) -> float | None:
    """Return in how many seconds a host will be done, if that can be told.

    As fast as its servers were done so far.
    """
    if host.last_at is None or not host.done or host.done >= host.total:
        return None
    each = (host.last_at - host.began_at) / host.done
    return max(0.0, each * (host.total - host.done) - (now - host.last_at))


def duration(seconds: float) -> str:
    """Return a time as a clock shows it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f'{hours}:{minutes:02}:{rest:02}'
    return f'{minutes}:{rest:02}'
