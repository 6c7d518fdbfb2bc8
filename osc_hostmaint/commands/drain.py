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
import logging
import sys
import typing as ty

from osc_lib.command import command

from osc_hostmaint.commands import client
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import options
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint.planning import decision

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
        parser.add_argument(
            '--parallel',
            metavar='<n>',
            type=options.count,
            help=_(
                'At most so many moves in flight per host (default: as many '
                'live migrations as Nova runs at once and one that waits, '
                'and two cold migrations)'
            ),
        )
        parser.add_argument(
            '--timeout',
            metavar='<duration>',
            type=options.duration,
            help=_(
                'End after this time (90, 90s, 15m, 2h) with exit code 4; '
                'moves in flight go on in Nova (default: never)'
            ),
        )
        options.add_hosts(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        from osc_hostmaint import interrupt
        from osc_hostmaint import report

        maintenance = client.maintenance(self.app)
        stop = interrupt.Interrupt(sys.stderr.fileno())
        with stop.watching():
            result = maintenance.drain(
                parsed_args.hosts,
                reason=parsed_args.reason,
                force=parsed_args.force,
                parallel=parsed_args.parallel,
                timeout=parsed_args.timeout,
                report=self._reporter(report),
                interrupt=stop,
            )
        for error in result.errors.values():
            LOG.error('%s', error)
        self._exit_code = int(result.exit_code)
        return COLUMNS, [_row(row) for row in result.rows]

    def run(self, parsed_args: argparse.Namespace) -> int:
        # A mistyped -c is an error: found out after hours, it would cost
        # the table.
        self._generate_columns_and_selector(parsed_args, COLUMNS)
        # A Lister returns 0 whatever it lists.
        super().run(parsed_args)
        return self._exit_code

    def _reporter(self, report: ty.Any) -> ty.Any:
        if self.app.options.verbose_level == 0:
            return report.Silence()
        return report.Progress(sys.stderr)


def _row(row: 'decision.Row') -> tuple[ty.Any, ...]:
    return (
        row.server_id,
        columns.Printable(row.name),
        row.host,
        row.status,
        row.move,
        row.destination,
        str(row.result or ''),
        columns.Printable(row.reason),
        row.attempts,
        columns.Seconds(row.seconds),
    )
