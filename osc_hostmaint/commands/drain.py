# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance drain``."""

import argparse
import contextlib
import logging
import sys
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import streams
from osc_hostmaint.commands import client
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import evacuation
from osc_hostmaint.commands import options
from osc_hostmaint.commands import policy
from osc_hostmaint.commands import table
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api

LOG = logging.getLogger(__name__)


class DrainHostMaintenance(table.ServersTable):
    _description = _(
        'Move every server off hosts. The hosts are put into maintenance '
        'first. Running and paused servers are live-migrated, stopped ones '
        'cold-migrated and confirmed; moves that are under way are awaited. '
        'What can not be moved is reported as blocked, with the reason. Off '
        'hosts that have died, servers are rebuilt with --evacuate. The '
        'command may be interrupted or killed at any moment: run it again, '
        'and it goes on. It ends with exit code 0 if every host is drained, '
        '1 if it could not do it, 3 if servers are left, 4 if --timeout '
        'passed first and 130 if it was interrupted.'
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        options.add_mark(parser)
        policy.add(parser)
        evacuation.add(parser)
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

    def run(self, parsed_args: argparse.Namespace) -> int:
        if problem := evacuation.problem(parsed_args):
            LOG.error('%s', problem)
            return int(exceptions.ExitCode.USAGE)
        return super().run(parsed_args)

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        from osc_hostmaint import interrupt
        from osc_hostmaint.progress import lines as progress_lines

        if parsed_args.dry_run:
            return self._look_ahead(parsed_args)
        stop = interrupt.Interrupt(streams.descriptor(sys.stderr))
        dead = parsed_args.evacuate
        with _diary(parsed_args) as diary, stop.watching():
            result = client.maintenance(self.app).drain(
                parsed_args.hosts,
                reason=parsed_args.reason,
                force=parsed_args.force,
                policy=policy.read(parsed_args),
                fenced=parsed_args.fenced,
                confirm=evacuation.confirm(stop) if dead else None,
                timeout=parsed_args.timeout,
                report=self._reporter(
                    progress_lines.EVACUATED if dead else None
                ),
                interrupt=stop,
                diary=diary,
                skip_capacity_check=parsed_args.skip_capacity_check,
            )
        return self._result(result)

    def _look_ahead(self, parsed_args: argparse.Namespace) -> columns.Output:
        if parsed_args.save_observations is not None:
            raise exceptions.HostMaintenanceError(
                _('--dry-run has no observations to save.')
            )
        return self._preview(
            client.maintenance(self.app).preview(
                parsed_args.hosts,
                force=parsed_args.force,
                policy=policy.read(parsed_args),
                fenced=parsed_args.fenced,
            ),
            evacuation=parsed_args.evacuate,
        )


def _diary(
    parsed_args: argparse.Namespace,
) -> 'contextlib.AbstractContextManager[api.Diary | None]':
    """Return what keeps the observations, if they are to be kept.

    :raises HostMaintenanceError: they can't be.
    """
    path = parsed_args.save_observations
    if path is not None:
        from osc_hostmaint import api

        return api.Diary(
            path,
            names=parsed_args.save_names,
            warn=lambda words: LOG.warning('%s', words),
        )
    if parsed_args.save_names:
        raise exceptions.HostMaintenanceError(
            _('--save-names needs --save-observations <file>.')
        )
    return contextlib.nullcontext()
