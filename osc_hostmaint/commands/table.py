# SPDX-License-Identifier: Apache-2.0

"""Commands that list the result, or the expected result, of each server."""

import argparse
import collections.abc
import contextlib
import errno
import io
import logging
import os
import sys
import typing as ty

from osc_lib.command import command

from osc_hostmaint import exceptions
from osc_hostmaint import streams
from osc_hostmaint import text
from osc_hostmaint.commands import columns
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api
    from osc_hostmaint.progress import lines as progress_lines

LOG = logging.getLogger(__name__)

COLUMNS = (
    'Server ID',
    'Name',
    'Host',
    'Status',
    'Move',
    'Destination',
    'Result',
    'Reason',
    'Attempts',
    'Seconds',
)

PREVIEW_COLUMNS = (
    'Server ID',
    'Name',
    'Host',
    'Status',
    'Move',
    'Fits',
    'Candidates',
    'Reason',
)

#: With ``--evacuate``: what becomes of what is on local disks.
LOCAL_DISK = 'Local Disk'
EVACUATION_COLUMNS = (
    *PREVIEW_COLUMNS[: PREVIEW_COLUMNS.index('Fits')],
    LOCAL_DISK,
    *PREVIEW_COLUMNS[PREVIEW_COLUMNS.index('Fits') :],
)
#: What is said of it, by preview.Row.local_disk.
_LOCAL_DISKS = {None: '', True: 'lost unless shared', False: 'kept'}

#: Who, what and why: shown where there is no room for more.
ESSENTIAL = ('Server ID', 'Name', 'Result', LOCAL_DISK, 'Fits', 'Reason')
#: A narrower terminal has no room for all columns.
WIDE = 132


class ServersTable(command.Lister):
    """A row per server, and an exit code for the result."""

    _exit_code = int(exceptions.ExitCode.DONE)

    def _result(self, result: 'api.DrainResult') -> columns.Output:
        """Return the rows of what was done, and keep the exit code."""
        for error in result.errors.values():
            LOG.error('%s', text.printable(error))
        self._exit_code = int(result.exit_code)
        return COLUMNS, [_row(row) for row in result.rows]

    def _preview(
        self,
        preview: 'api.Preview',
        *,
        evacuation: bool = False,
        coming_home: bool = False,
    ) -> columns.Output:
        """Return the rows of what would be done, and keep the exit code.

        :param evacuation: the hosts have died.
        :param coming_home: the servers were on the hosts before.
        """
        from osc_hostmaint.progress import lines as progress_lines

        self._exit_code = int(
            exceptions.ExitCode.DONE
            if preview.done
            else exceptions.ExitCode.LEFT
        )
        if self.app.options.verbose_level > 0 and sys.stderr is not None:
            # A stream that breaks must not cost the table.
            with contextlib.suppress(OSError, ValueError):
                for line in progress_lines.preview_lines(
                    preview, coming_home=coming_home
                ):
                    sys.stderr.write(f'{text.printable(line)}\n')
                sys.stderr.flush()
        for error in preview.errors.values():
            LOG.error('%s', text.printable(error))
            self._exit_code = int(exceptions.ExitCode.FAILED)
        names = EVACUATION_COLUMNS if evacuation else PREVIEW_COLUMNS
        return names, [_preview_row(row, names) for row in preview.rows]

    def run(self, parsed_args: argparse.Namespace) -> int:
        # A mistyped -c is an error: found out after hours, it would cost
        # the table.
        names: tuple[str, ...] = COLUMNS
        if parsed_args.dry_run:
            evacuation = getattr(parsed_args, 'evacuate', False)
            names = EVACUATION_COLUMNS if evacuation else PREVIEW_COLUMNS
        self._generate_columns_and_selector(parsed_args, names)
        try:
            # A Lister returns 0 whatever it lists.
            super().run(parsed_args)
        finally:
            with contextlib.suppress(OSError):
                streams.settle(sys.stderr)
        return self._exit_code

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: collections.abc.Sequence[str],
        data: collections.abc.Iterable[collections.abc.Sequence[ty.Any]],
    ) -> int:
        stdout = self.app.stdout
        if stdout is None:
            # Closed by the shell (``>&-``): nobody wants the table.
            return 0
        self._fit(parsed_args, stdout, column_names)
        try:
            super().produce_output(parsed_args, column_names, data)
            streams.settle(stdout)
        except OSError as error:
            with contextlib.suppress(OSError):
                streams.settle(stdout)
            # Nobody looks at a terminal that is closed.
            if error.errno != errno.EIO:
                raise
        return 0

    def _fit(
        self,
        parsed_args: argparse.Namespace,
        stdout: ty.TextIO,
        names: collections.abc.Container[str],
    ) -> None:
        """Make sure that the table can be printed, and read."""
        if isinstance(stdout, io.TextIOWrapper):
            # A name that the locale can't show must not cost the table.
            stdout.reconfigure(errors='backslashreplace')
        chosen = parsed_args.columns or parsed_args.max_width > 0
        if parsed_args.formatter != 'table' or chosen or not stdout.isatty():
            return
        # 0: a terminal that does not know.
        if 0 < os.get_terminal_size(stdout.fileno()).columns < WIDE:
            parsed_args.columns = [c for c in ESSENTIAL if c in names]
            LOG.warning(
                _(
                    'The terminal is too narrow for all columns: make it %d '
                    'columns wide, or use -f json or -c <column>.'
                ),
                WIDE,
            )

    def _reporter(
        self, endings: 'progress_lines.Endings | None' = None
    ) -> 'api.Reporter | None':
        from osc_hostmaint.progress import lines as progress_lines

        if self.app.options.verbose_level == 0 or sys.stderr is None:
            return None
        return progress_lines.Progress(
            sys.stderr, endings or progress_lines.DRAINED
        )


def _row(row: 'api.Row') -> tuple[ty.Any, ...]:
    return (
        row.server_id,
        columns.Name(row.name),
        row.host,
        row.status,
        row.move,
        row.destination,
        str(row.result or ''),
        columns.Printable(row.reason),
        row.attempts,
        columns.Seconds(row.seconds),
    )


def _preview_row(
    row: 'api.PreviewRow', names: collections.abc.Iterable[str]
) -> tuple[ty.Any, ...]:
    values = {
        'Server ID': row.server_id,
        'Name': columns.Name(row.name),
        'Host': row.host,
        'Status': row.status,
        'Move': row.move,
        LOCAL_DISK: _LOCAL_DISKS[row.local_disk],
        'Fits': str(row.fits or ''),
        'Candidates': columns.Count(row.candidates),
        'Reason': columns.Printable(row.reason),
    }
    return tuple(values[name] for name in names)
