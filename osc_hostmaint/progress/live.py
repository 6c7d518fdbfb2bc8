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
import os
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
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.progress import lines
from osc_hostmaint.progress import run

Clock = abc.Callable[[], float]
MIB = 2**20
#: So wide a bar is at the most, in columns.
BAR_COLUMNS = 16
#: And the names of hosts and of servers, which have ids in the table.
NAME_COLUMNS = 24
#: A narrower terminal shows neither bars nor destinations.
NARROW_COLUMNS = 45
#: A terminal shows ``^C`` at the end of the view, and must not fold that.
FREE_COLUMNS = 3
#: A name, a bar or a destination, and how far that is.
_Line = tuple[consoles.RenderableType, ...]
#: What scrolls above the view; the view itself shows the rest.
_KEPT = (
    events.Notice,
    events.HostEnded,
    events.MoveNotAwaited,
    events.ServerBlocked,
    events.RetryScheduled,
    events.LookEnded,
)


def can_be_drawn(stream: ty.TextIO) -> bool:
    """Tell whether a stream is a terminal on which a view can change."""
    return stream.isatty() and consoles.Console(file=stream).is_interactive


class Messages(ty.Protocol):
    """What else the user is to be told; '' where there is nothing."""

    #: Now.
    message: str
    #: When all is over.
    last_message: str


class View:
    """Draws what events tell; use it as a context manager.

    It begins with the first host: until then questions may be asked.
    """

    watches_moves = True

    def __init__(
        self,
        stream: ty.TextIO,
        endings: lines.Endings,
        messages: Messages,
        clock: Clock = time.monotonic,
    ):
        """:param stream: a terminal; see :func:`can_be_drawn`.

        :param clock: the one of ``seen_at`` in events.
        """
        self._messages = messages
        self._stream = stream
        self.console = consoles.Console(file=stream, highlight=False)
        # One at a time: it goes back by as many lines as it drew before.
        self._drawing = threading.RLock()
        self._above = _Above(self._write)
        self._lines = lines.Progress(
            self._above, endings, grouped=frozenset(codes.Code)
        )
        self._clock = clock
        self._hosts: dict[str, run.Host] = {}
        # It is drawn by a thread of its own.
        self._noting = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_drawn, daemon=True)
        self._log = contextlib.ExitStack()
        self._live = live.Live(
            console=self.console,
            get_renderable=self.render,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
        )

    def __enter__(self) -> ty.Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()
        # A terminal that is gone must not cost the table.
        with contextlib.suppress(OSError, ValueError):
            if message := self._messages.last_message:
                self.console.out(message)

    @property
    def is_drawn(self) -> bool:
        """It shows messages now."""
        return self._live.is_started

    def publish(self, event: events.Event) -> None:
        """Show what has happened."""
        try:
            self._show(event)
        except Exception:
            # Nobody shows messages then but who shows them otherwise.
            self._end()
            raise

    def _show(self, event: events.Event) -> None:
        if isinstance(event, events.HostEvent):
            with self._noting:
                new = run.Host(event.host, self._clock())
                host = self._hosts.setdefault(event.host, new)
                host.note(event, self._clock())
            if not self.is_drawn:
                self._begin()
            elif not self._thread.is_alive():
                self._draw()
        failed = isinstance(event, events.MoveEnded) and (
            event.row.result is decisions.Result.FAILED
        )
        if failed or isinstance(event, _KEPT):
            self._lines.publish(event)

    def _begin(self) -> None:
        """Draw from now on, and have what is logged stand above it."""
        for handler in logging.getLogger().handlers:
            if getattr(handler, 'stream', None) is self._stream:
                ours = ty.cast('logging.StreamHandler[ty.Any]', handler)
                ours.setStream(self._above)
                self._log.callback(ours.setStream, self._stream)
        with self._drawing:
            self._measure()
            self._live.start(refresh=True)
            # A command that is killed could not show it again.
            self.console.show_cursor()
        # The system may have no thread for it: each event draws it then.
        with contextlib.suppress(RuntimeError):
            self._thread.start()

    def _end(self) -> None:
        """Take the view away, and leave the terminal as it was."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        with contextlib.suppress(Exception), self._drawing:
            self._live.stop()
        # It has failed where it was interrupted as it began.
        with contextlib.suppress(OSError, ValueError), self._log:
            self.console.show_cursor()

    def _keep_drawn(self) -> None:
        # Nobody looks at a terminal that is gone.
        with contextlib.suppress(OSError, ValueError):
            while not self._over.wait(timing.PROGRESS_REDRAW_SECONDS):
                self._draw()

    def _draw(self) -> None:
        with self._drawing:
            self._measure()
            self._live.refresh()

    def _write(self, words: str) -> None:
        """Write a line above the view."""
        # Nothing in it is markup. The terminal folds it, so that advised
        # commands can be copied whole.
        line = texts.Text(words.rstrip('\n'), no_wrap=True, overflow='ignore')
        with self._drawing:
            self._draw()
            # A text by itself would lose its settings.
            self.console.print(consoles.Group(line), crop=False)

    def _measure(self) -> None:
        """Take the terminal's size as it is now.

        By itself rich goes by ``COLUMNS`` and by the terminal of stdin.
        """
        with contextlib.suppress(OSError, ValueError):
            columns, rows = os.get_terminal_size(self._stream.fileno())
            if columns and rows:
                self.console.size = consoles.ConsoleDimensions(columns, rows)

    def render(self) -> consoles.RenderableType:
        """Return what is to be seen now."""
        with self._noting:
            return self._render()

    def _render(self) -> consoles.RenderableType:
        size = self.console.size
        width = max(1, size.width - FREE_COLUMNS)
        message = texts.Text(self._messages.message, 'bold')
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
        names = [_('and %d more') % 99, *(host.name for host in shown)]
        rows = [m.row for host in shown for m in host.moves.values()]
        names += [f'  {_short(row)}' for row in rows]
        first = min(_widest(names), NAME_COLUMNS, max(10, width // 4))
        bar_columns = second = 0
        if width >= NARROW_COLUMNS:
            bar_columns = min(BAR_COLUMNS, max(8, width // 5))
            where = _widest(map(_where, rows))
            second = max(bar_columns, min(where, NAME_COLUMNS, width // 4))
        rest = max(1, width - first - second - 2)
        grid = tables.Table.grid(padding=(0, 1), expand=False)
        for columns in filter(None, (first, second, rest)):
            grid.add_column(
                no_wrap=True, overflow='ellipsis', max_width=columns
            )
        free = room - len(shown) if fits else 0
        lines_: list[_Line] = []
        for number, host in enumerate(shown):
            # Each host has as much of the room as the others.
            share = math.ceil(free / (len(shown) - number))
            of_moves = _move_lines(host, now)[:share]
            free -= len(of_moves)
            hidden = len(host.moves) > share
            first_line = _host_line(host, now, bar_columns, counted=hidden)
            lines_ += [first_line, *of_moves]
        if left := len(going_on) - len(shown):
            lines_.append((_('and %d more') % left, '', _('hosts')))
        for line in lines_:
            grid.add_row(*(line if second else (line[0], line[2])))
        return grid


def _host_line(
    host: run.Host, now: float, bar_columns: int, *, counted: bool
) -> _Line:
    """Return the line of a host.

    :param counted: it says how many moves are in flight.
    """
    bar = progress_bar.ProgressBar(
        total=max(1, host.total), completed=host.done, width=bar_columns
    )
    counts = collections.Counter(host.results.values())
    words = [f'{host.done}/{host.total}']
    words += [f'{n} {result}' for result, n in sorted(counts.items())]
    if counted:
        words.append(_('%d in flight') % len(host.moves))
    words.append(duration(now - host.began_at))
    if (rest := host.time_left(now)) is not None:
        words.append(_('about %s left') % duration(rest))
    if host.waiting:
        words.append(_('waiting for %s') % text.printable(host.waiting))
    name = texts.Text(text.printable(host.name), style='bold')
    return name, bar, texts.Text(', '.join(words))


def _move_lines(host: run.Host, now: float) -> list[_Line]:
    """Return a line for each server in flight, the oldest first."""
    return [
        (
            texts.Text(f'  {_short(move.row)}'),
            texts.Text(_where(move.row)),
            _how_far(move, now),
        )
        for move in sorted(host.moves.values(), key=lambda m: m.began_at)
    ]


class _Above:
    """Writes lines above the view, as a stream does."""

    def __init__(self, write: abc.Callable[[str], None]):
        self.write = write

    def flush(self) -> None:
        """Nothing is kept back."""


def _short(row: decisions.Row) -> str:
    name = text.printable(row.name or row.server_id)
    return text.shorten(name, NAME_COLUMNS)


def _where(row: decisions.Row) -> str:
    if not row.destination:
        return ''
    host = text.printable(row.destination)
    return _('to %s') % text.shorten(host, NAME_COLUMNS)


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
