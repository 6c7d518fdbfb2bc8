# SPDX-License-Identifier: Apache-2.0

"""Commands that list the result, or the expected result, of each server."""

import argparse
from collections import abc
import contextlib
import errno
import functools
import io
import logging
import sys
import typing as ty

from osc_lib import utils
from osc_lib.command import command

from osc_hostmaint import exceptions
from osc_hostmaint import plugin
from osc_hostmaint import streams
from osc_hostmaint import text
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import options
from osc_hostmaint.commands import terminal

if ty.TYPE_CHECKING:
    from osc_hostmaint import api
    from osc_hostmaint import interrupt
    from osc_hostmaint.progress import lines as progress_lines

    CarryOut = abc.Callable[[api.Maintenance, api.Reporter], api.DrainResult]
    Look = abc.Callable[[api.Maintenance, api.Reporter], api.Preview]

LOG = logging.getLogger(__name__)

_SERVER = ('Server ID', 'Name', 'Host', 'Status', 'Move')
COLUMNS = (
    *_SERVER,
    *('Destination', 'Result', 'Code', 'Reason', 'Attempts', 'Seconds'),
)
PREVIEW_COLUMNS = (*_SERVER, 'Wish', 'Fits', 'Candidates', 'Code', 'Reason')
#: With ``--evacuate``.
EVACUATION_COLUMNS = (
    *_SERVER,
    *('Wish', 'Local Disk', 'Fits', 'Candidates', 'Code', 'Reason'),
)
#: Of a restore.
RESTORE_COLUMNS = (*COLUMNS, 'Left At')
RESTORE_PREVIEW_COLUMNS = (*PREVIEW_COLUMNS, 'Left At')
_FORMATTERS = {
    'Name': columns.Name,
    'Wish': columns.Name,
    'Local Disk': columns.LocalDisk,
    'Fits': columns.Word,
    'Candidates': columns.Count,
    'Result': columns.Word,
    'Code': columns.Word,
    'Reason': columns.Reason,
    'Seconds': columns.Seconds,
    'Left At': columns.Time,
}

#: What a terminal shows below the table, or not at all.
_NOT_ON_TERMINALS = frozenset({'Reason', 'Attempts', 'Seconds'})
#: What else a narrow one does not show, the first one first.
_DISPENSABLE = (
    *('Left At', 'Candidates', 'Status', 'Host', 'Move', 'Destination'),
)


def _tell(lines: abc.Iterable[str]) -> None:
    """Write lines for people, if anybody reads them."""
    stream: ty.TextIO | None = sys.stderr
    if stream:
        # A stream that breaks must not cost the table.
        with contextlib.suppress(OSError, ValueError):
            for line in lines:
                stream.write(f'{text.printable(line)}\n')
            stream.flush()


def _order(row: 'api.Row | api.PreviewRow') -> tuple[ty.Any, ...]:
    """Return what a table is sorted by: the host, then the server's name."""
    return text.natural(row.host), text.natural(row.name), row.server_id


class ServersTable(command.Lister):
    """A row per server, and an exit code for the result."""

    _exit_code = exceptions.ExitCode.DONE
    _names: tuple[str, ...] = COLUMNS
    _preview_names: tuple[str, ...] = PREVIEW_COLUMNS
    #: ``--progress``.
    _how = 'auto'
    #: What is listed.
    _rows: abc.Sequence[ty.Any] = ()
    #: Sends events elsewhere, if that is wanted.
    _notifier: 'api.Notifier | None' = None

    @functools.cached_property
    def _stop(self) -> 'interrupt.Interrupt':
        from osc_hostmaint import interrupt

        return interrupt.Interrupt(streams.descriptor(sys.stderr))

    @property
    def _is_quiet(self) -> bool:
        """Tell whether only trouble is shown."""
        return not self.app.options.verbose_level or self._how == 'none'

    def _carry_out(
        self, carry_out: 'CarryOut', operation: 'api.Operation'
    ) -> columns.Output:
        """Return the rows of what was done, and keep the exit code.

        :param carry_out: asks the client for it, with what listens.
        """
        # From here on: it takes a while until there is a client.
        with self._stop.watching(), contextlib.ExitStack() as stack:
            from osc_hostmaint import api
            from osc_hostmaint.progress import lines as progress_lines

            maintenance = plugin.make_client(self.app.client_manager)
            shows = self._listener(progress_lines.ENDINGS[operation])
            listeners = [stack.enter_context(shows)]
            if notifier := self._notifier:
                listeners.append(notifier.begin(maintenance.cloud, operation))
            result = carry_out(maintenance, api.Publisher(*listeners))
        return self._output(result, result.exit_code)

    def _listener(
        self, endings: 'progress_lines.Endings'
    ) -> 'contextlib.AbstractContextManager[api.Reporter]':
        """Return what shows how a run goes."""
        stream: ty.TextIO | None = sys.stderr
        if stream and self._is_live:
            from osc_hostmaint.progress import live

            view = live.View(stream, endings, self._stop)
            self._stop.is_shown = lambda: view.is_drawn
            return view
        lines = terminal.lines(quiet=self._is_quiet, endings=endings)
        return contextlib.nullcontext(lines)

    @property
    def _is_live(self) -> bool:
        """Tell whether there is a live view."""
        stream, how = sys.stderr, self._how
        if self._is_quiet or how == 'lines' or not stream.isatty():
            return False
        # With --verbose others write between the lines.
        if how == 'auto' and self.app.options.verbose_level > 1:
            return False
        from osc_hostmaint.progress import live

        return live.can_be_drawn(stream)

    def _preview(
        self, look: 'Look', *, coming_home: bool = False
    ) -> columns.Output:
        """Return the rows of what would be done, and keep the exit code.

        :param look: asks the client for it, with what listens.
        :param coming_home: the servers were on the hosts before.
        """
        from osc_hostmaint.progress import lines as progress_lines

        maintenance = plugin.make_client(self.app.client_manager)
        preview = look(maintenance, terminal.lines(quiet=self._is_quiet))
        told: abc.Iterable[str] = preview.notes
        if not self._is_quiet:
            told = progress_lines.preview_lines(
                preview, coming_home=coming_home
            )
        _tell(told)
        code = exceptions.ExitCode.LEFT
        if preview.errors:
            code = exceptions.ExitCode.FAILED
        elif preview.done:
            code = exceptions.ExitCode.DONE
        return self._output(preview, code)

    def _output(
        self, found: 'api.DrainResult | api.Preview', code: exceptions.ExitCode
    ) -> columns.Output:
        for error in dict.fromkeys(found.errors.values()):
            LOG.error('%s', text.printable(error))
        self._exit_code = code
        # osc-lib reads attributes, but declares that it takes dicts.
        rows: list[ty.Any] = sorted(found.rows, key=_order)
        self._rows = rows
        return self._names, [
            utils.get_item_properties(row, self._names, formatters=_FORMATTERS)
            for row in rows
        ]

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._how = parsed_args.progress
        if parsed_args.dry_run:
            evacuation = getattr(parsed_args, 'evacuate', False)
            self._names = (
                EVACUATION_COLUMNS if evacuation else self._preview_names
            )
        # A mistyped -c is an error: found out after hours, it would cost
        # the table.
        self._generate_columns_and_selector(parsed_args, self._names)
        if problem := options.notify_problem(parsed_args):
            LOG.error('%s', problem)
            return int(exceptions.ExitCode.USAGE)
        try:
            # The last events are delivered once the table is printed.
            with options.notifying(parsed_args) as self._notifier:
                # A Lister returns 0 whatever it lists.
                super().run(parsed_args)
        finally:
            with contextlib.suppress(OSError):
                streams.settle(sys.stderr)
        return int(self._exit_code)

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: abc.Sequence[str],
        data: abc.Iterable[abc.Sequence[ty.Any]],
    ) -> int:
        stdout = self.app.stdout
        # None: closed by the shell (``>&-``), so nobody wants the table.
        if stdout is None or not column_names:
            return 0
        if isinstance(stdout, io.TextIOWrapper):
            # A name that the locale can't show must not cost the table.
            stdout.reconfigure(errors='backslashreplace')
        rows = [columns.harmless(row, parsed_args.formatter) for row in data]
        table = self._on_terminals(column_names, rows)
        fitted = terminal.fit(parsed_args, stdout, table, _DISPENSABLE)
        try:
            super().produce_output(parsed_args, column_names, rows)
            if fitted:
                for line in terminal.sentences(self._rows):
                    stdout.write(f'{line}\n')
            streams.settle(stdout)
        except OSError as error:
            with contextlib.suppress(OSError):
                streams.settle(stdout)
            # Nobody looks at a terminal that is closed.
            if error.errno != errno.EIO:
                raise
        return 0

    def _on_terminals(
        self,
        names: abc.Sequence[str],
        rows: abc.Sequence[abc.Sequence[ty.Any]],
    ) -> dict[str, list[str]]:
        """Return the columns that a wide terminal shows."""
        left_out = set(_NOT_ON_TERMINALS)
        if not terminal.alike(self._rows):
            left_out.add('Server ID')
        if len({row.host for row in self._rows}) < 2:
            left_out.add('Host')
        if not any(getattr(row, 'wish', '') for row in self._rows):
            left_out.add('Wish')
        return {
            name: [columns.shown(row[i]) for row in rows]
            for i, name in enumerate(names)
            if name not in left_out
        }
