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

"""``openstack host maintenance drain``."""

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
from osc_hostmaint.commands import client
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import options
from osc_hostmaint.commands import policy
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint.diary import writer
    from osc_hostmaint.planning import decision
    from osc_hostmaint.planning import preview as previews

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

#: Who, what and why: shown where there is no room for more.
ESSENTIAL = ('Server ID', 'Name', 'Result', 'Fits', 'Reason')
#: A narrower terminal has no room for all columns.
WIDE = 132


class DrainHostMaintenance(command.Lister):
    _description = _(
        'Move every server off hosts. The hosts are put into maintenance '
        'first. Running and paused servers are live-migrated, stopped ones '
        'cold-migrated and confirmed; moves that are under way are awaited. '
        'What can not be moved is reported as blocked, with the reason. The '
        'command may be interrupted or killed at any moment: run it again, '
        'and it goes on. It ends with exit code 0 if every host is drained, '
        '1 if it could not do it, 3 if servers are left, 4 if --timeout '
        'passed first and 130 if it was interrupted.'
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        options.add_mark(parser)
        policy.add(parser)
        parser.add_argument(
            '--timeout',
            metavar='<duration>',
            type=options.duration,
            help=_(
                'End after this time (90, 90s, 15m, 2h) with exit code 4; '
                'moves in flight go on in Nova (default: never)'
            ),
        )
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help=_(
                'Change nothing: show the move that each server would get, '
                'and whether the other hosts can take all of them. Exit code '
                '0 if all would move and fit, 3 if not'
            ),
        )
        parser.add_argument(
            '--skip-capacity-check',
            action='store_true',
            help=_(
                'Begin even if the other hosts can not take all servers; by '
                'default nothing is moved then'
            ),
        )
        parser.add_argument(
            '--save-observations',
            metavar='<file>',
            help=_(
                'Keep what is seen and done in this file, for a report of a '
                'bug. It is appended to if it has such observations already'
            ),
        )
        parser.add_argument(
            '--save-names',
            action='store_true',
            help=_(
                'Keep the names and addresses of servers in that file, too; '
                'otherwise they are replaced'
            ),
        )
        options.add_hosts(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        from osc_hostmaint import interrupt
        from osc_hostmaint import report

        if parsed_args.dry_run:
            return self._preview(parsed_args, report)
        stop = interrupt.Interrupt(streams.descriptor(sys.stderr))
        with _diary(parsed_args) as diary, stop.watching():
            result = client.maintenance(self.app).drain(
                parsed_args.hosts,
                reason=parsed_args.reason,
                force=parsed_args.force,
                policy=policy.read(parsed_args),
                timeout=parsed_args.timeout,
                report=self._reporter(report),
                interrupt=stop,
                diary=diary,
                skip_capacity_check=parsed_args.skip_capacity_check,
            )
        for error in result.errors.values():
            LOG.error('%s', text.printable(error))
        self._exit_code = int(result.exit_code)
        return COLUMNS, [_row(row) for row in result.rows]

    def _preview(
        self, parsed_args: argparse.Namespace, report: ty.Any
    ) -> columns.Output:
        if parsed_args.save_observations is not None:
            raise exceptions.HostMaintenanceError(
                _('--dry-run has no observations to save.')
            )
        preview = client.maintenance(self.app).preview(
            parsed_args.hosts,
            force=parsed_args.force,
            policy=policy.read(parsed_args),
        )
        self._exit_code = int(
            exceptions.ExitCode.DONE
            if preview.done
            else exceptions.ExitCode.LEFT
        )
        if self.app.options.verbose_level > 0 and sys.stderr is not None:
            # A stream that breaks must not cost the table.
            with contextlib.suppress(OSError, ValueError):
                for line in report.preview_lines(preview):
                    sys.stderr.write(f'{text.printable(line)}\n')
                sys.stderr.flush()
        for error in preview.errors.values():
            LOG.error('%s', text.printable(error))
            self._exit_code = int(exceptions.ExitCode.FAILED)
        return PREVIEW_COLUMNS, [_preview_row(row) for row in preview.rows]

    def run(self, parsed_args: argparse.Namespace) -> int:
        # A mistyped -c is an error: found out after hours, it would cost
        # the table.
        names = PREVIEW_COLUMNS if parsed_args.dry_run else COLUMNS
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
                    'wide, or use -f json or -c <column>.'
                ),
                WIDE,
            )

    def _reporter(self, report: ty.Any) -> ty.Any:
        if self.app.options.verbose_level == 0 or sys.stderr is None:
            return report.Silence()
        return report.Progress(sys.stderr)


def _diary(
    parsed_args: argparse.Namespace,
) -> 'contextlib.AbstractContextManager[writer.Diary | None]':
    """Return what keeps the observations, if they are to be kept.

    :raises HostMaintenanceError: they can't be.
    """
    path = parsed_args.save_observations
    if path is not None:
        # cattrs takes a while to import.
        from osc_hostmaint.diary import writer

        return writer.Diary(
            path,
            names=parsed_args.save_names,
            warn=lambda words: LOG.warning('%s', words),
        )
    if parsed_args.save_names:
        raise exceptions.HostMaintenanceError(
            _('--save-names needs --save-observations <file>.')
        )
    return contextlib.nullcontext()


def _row(row: 'decision.Row') -> tuple[ty.Any, ...]:
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


def _preview_row(row: 'previews.Row') -> tuple[ty.Any, ...]:
    return (
        row.server_id,
        columns.Name(row.name),
        row.host,
        row.status,
        row.move,
        str(row.fits or ''),
        columns.Count(row.candidates),
        columns.Printable(row.reason),
    )
