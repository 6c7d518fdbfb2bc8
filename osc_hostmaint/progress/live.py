# SPDX-License-Identifier: Apache-2.0

"""A view of a run on a terminal that changes as the run goes on.

Each host has a bar, and each server in flight a line below it. Above it
scrolls what is worth keeping. When the run ends the view disappears, and what
was printed above it stays.
"""

import collections
from collections import abc
import contextlib
import logging
import math
import threading
import time
import typing as ty

from rich import console as consoles
from rich import constrain
from rich import live
from rich import progress_bar
from rich import table as tables
from rich import text as texts

from osc_hostmaint import events
from osc_hostmaint import text
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.progress import lines
from osc_hostmaint.progress import run

Clock = abc.Callable[[], float]
MIB = 2**20
#: So wide a bar is at the most, in columns.
BAR_COLUMNS = 16
#: And the names of hosts and of servers, which have ids in the table.
NAME_COLUMNS = 24
#: A terminal shows ``^C`` at the end of the view, and must not fold that.
FREE_COLUMNS = 3
#: So often the view is drawn anew, for the times that go by.
DRAWN_PER_SECOND = 2
#: What scrolls above the view; the view itself shows the rest.
_KEPT = (
    events.Trouble,
    events.HostEnded,
    events.MoveNotAwaited,
    events.ServerBlocked,
    events.RetryScheduled,
    events.LookEnded,
)


def can_be_drawn(stream: ty.TextIO) -> bool:
    """Tell whether a stream is a terminal on which a view can change."""
    return stream.isatty() and consoles.Console(file=stream).is_interactive


class View:
    """Draws what events tell; use it as a context manager.

    It begins with the first host: until then questions may be asked.
    """

    watches_moves = True

    def __init__(
        self,
        stream: ty.TextIO,
        endings: lines.Endings = lines.DRAINED,
        message: abc.Callable[[], str] = str,
        clock: Clock = time.monotonic,
    ):
        """:param stream: a terminal; see :func:`can_be_drawn`.

        :param message: returns what else the user is to be told now.
        """
        self._message = message
        self.console = consoles.Console(file=stream, highlight=False)
        self._above = _Above(self.console)
        self._lines = lines.Progress(
            self._above, endings, grouped=frozenset(codes.Code)
        )
        self._clock = clock
        self._hosts: dict[str, run.Host] = {}
        # The view is drawn by a thread of its own.
        self._lock = threading.Lock()
        self._log = contextlib.ExitStack()
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
        with contextlib.suppress(OSError, ValueError), self._log:
            self._live.stop()
            if message := self._message():
                self.console.out(message)

    @property
    def is_drawn(self) -> bool:
        """It shows messages now."""
        return self._live.is_started

    def publish(self, event: events.Event) -> None:
        """Show what has happened."""
        if isinstance(event, events.HostEvent):
            with self._lock:
                new = run.Host(event.host, self._clock())
                host = self._hosts.setdefault(event.host, new)
                host.note(event, self._clock())
            if not self.is_drawn:
                self._begin()
        failed = isinstance(event, events.MoveEnded) and (
            event.row.result is decisions.Result.FAILED
        )
        if failed or isinstance(event, _KEPT):
            self._lines.publish(event)

    def _begin(self) -> None:
        """Draw from now on, and have what is logged stand above it."""
        stream = self.console.file
        for handler in logging.getLogger().handlers:
            if getattr(handler, 'stream', None) is stream:
                ours = ty.cast('logging.StreamHandler[ty.Any]', handler)
                ours.setStream(self._above)
                self._log.callback(ours.setStream, stream)
        self._live.start()

    def render(self) -> consoles.RenderableType:
        """Return what is to be seen now."""
        with self._lock:
            return self._render()

    def _render(self) -> consoles.RenderableType:
        size = self.console.size
        width = max(1, size.width - FREE_COLUMNS)
        message = texts.Text(self._message(), 'bold')
        told = message.wrap(self.console, width) if message else ()
        # One line stays free for the cursor.
        grid = self._grid(width, max(1, size.height - 1 - len(told)))
        shown = consoles.Group(grid, message) if message else grid
        return constrain.Constrain(shown, width)

    def _grid(self, width: int, room: int) -> tables.Table:
        """Return the lines of hosts and of servers in flight.

        :param room: how many there may be.
        """
        now = self._clock()
        going_on = [h for h in self._hosts.values() if not h.ended]
        fits = len(going_on) <= room
        shown = going_on if fits else going_on[: room - 1]
        # Or how many there are beside those that are shown.
        names = [_('  and %d more') % 99, *(host.name for host in shown)]
        rows = [m.row for host in shown for m in host.moves.values()]
        names += [f'  {_short(row.name)}' for row in rows]
        first = min(_widest(names), NAME_COLUMNS, max(10, width // 4))
        bar_columns = min(BAR_COLUMNS, max(8, width // 5))
        second = max(
            bar_columns,
            min(_widest(map(_where, rows)), NAME_COLUMNS, width // 4),
        )
        rest = max(1, width - first - second - 2)
        grid = tables.Table.grid(padding=(0, 1), expand=False)
        for columns in (first, second, rest):
            grid.add_column(
                no_wrap=True, overflow='ellipsis', max_width=columns
            )
        free = room - len(shown) if fits else 0
        for number, host in enumerate(shown):
            _add_host(grid, host, now, bar_columns)
            # Each host has as much of the room as the others.
            share = math.ceil(free / (len(shown) - number))
            free -= _add_moves(grid, host, now, share)
        if left := len(going_on) - len(shown):
            grid.add_row(_('and %d more') % left, '', _('hosts'))
        return grid


def _add_host(
    grid: tables.Table, host: run.Host, now: float, bar_columns: int
) -> None:
    bar = progress_bar.ProgressBar(
        total=max(1, host.total), completed=host.done, width=bar_columns
    )
    counts = collections.Counter(host.results.values())
    words = [f'{host.done}/{host.total}']
    words += [f'{n} {result}' for result, n in sorted(counts.items())]
    words.append(duration(now - host.began_at))
    if (rest := host.time_left(now)) is not None:
        words.append(_('about %s left') % duration(rest))
    if host.waiting:
        words.append(_('waiting for %s') % text.printable(host.waiting))
    grid.add_row(
        texts.Text(text.printable(host.name), style='bold'),
        bar,
        texts.Text(', '.join(words)),
    )


def _add_moves(
    grid: tables.Table, host: run.Host, now: float, most: int
) -> int:
    """Add servers in flight, and return how many lines they have taken.

    :param most: lines there may be.
    """
    moves = sorted(host.moves.values(), key=lambda m: m.began_at)
    if len(moves) > most:
        # The last line says how many there are beside them.
        moves = moves[: most if most == 1 else max(0, most - 1)]
    for move in moves:
        grid.add_row(
            texts.Text(f'  {_short(move.row.name)}'),
            texts.Text(_where(move.row)),
            _how_far(move, now),
        )
    left = len(host.moves) - len(moves)
    if not left or len(moves) == most:
        return len(moves)
    grid.add_row(_('  and %d more') % left, '', _('in flight'))
    return len(moves) + 1


class _Above:
    """Writes lines above the view, as a stream does."""

    def __init__(self, console: consoles.Console):
        self.console = console

    def write(self, words: str) -> None:
        # Folds between words; nothing in them is markup.
        self.console.print(texts.Text(words.rstrip('\n')))

    def flush(self) -> None:
        """Nothing is kept back."""


def _short(words: str) -> str:
    return text.shorten(text.printable(words), NAME_COLUMNS)


def _where(row: decisions.Row) -> str:
    return _('to %s') % _short(row.destination) if row.destination else ''


def _widest(words: abc.Iterable[str]) -> int:
    return max(map(text.width, words), default=0)


def _how_far(move: run.Move, now: float) -> texts.Text:
    """Return what is known of a server in flight."""
    row, record = move.row, move.row.record
    words = []
    stalled = row.code is codes.Code.STALLED
    if record and record.begun_at is None:
        words.append(_("in Nova's queue"))
    if move.progress:
        words.append(text.copied(move.progress.remaining, move.progress.total))
    if move.rate is not None:
        words.append(f'{move.rate / MIB:.0f} MiB/s')
    if move.time_left is not None:
        words.append(_('%s left') % duration(move.time_left))
    else:
        words.append(duration(now - move.began_at))
    if stalled:
        words.append(_('stalled'))
    elif row.reason:
        words.append(text.printable(row.reason))
    words.append(row.move)
    return texts.Text(', '.join(filter(None, words)), 'red' if stalled else '')


def duration(seconds: float) -> str:
    """Return a time as a clock shows it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f'{hours}:{minutes:02}:{rest:02}'
    return f'{minutes}:{rest:02}'
