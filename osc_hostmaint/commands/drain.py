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
from osc_hostmaint.commands import help_texts
from osc_hostmaint.commands import options
from osc_hostmaint.commands import policy
from osc_hostmaint.commands import table
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api

LOG = logging.getLogger(__name__)


class DrainHostMaintenance(table.ServersTable):
    _description = _(
        'Put hosts into maintenance and move every server off them: running '
        'servers by live migration, stopped ones by cold migration'
    )
    _epilog = help_texts.epilog(
        _(
            'Servers that cannot be moved are reported as blocked, with the '
            'reason. The command may be interrupted or killed at any time: '
            'run it again to continue.'
        ),
        _(
            'Exit code: 0 if every host is drained, 1 if a request failed or '
            'was refused, 3 if servers are left, 4 if --timeout passed first, '
            '130 if it was interrupted.'
        ),
        examples=(
            'openstack host maintenance drain --dry-run cmp01',
            "openstack host maintenance drain --reason 'kernel update' cmp01",
        ),
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.formatter_class = help_texts.Formatter
        options.add_mark(parser)
        policy.add(parser)
        evacuation.add(parser)
        parser.add_argument(
            '--timeout',
            metavar='<duration>',
            type=options.duration,
            help=_(
                'End with exit code 4 after this time (90, 90s, 15m, 2h); '
                'moves in flight continue (default: never)'
            ),
        )
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help=_(
                'Show the moves and change nothing; exit code 0 if all would '
                'move and fit, 3 if not (default: off)'
            ),
        )
        parser.add_argument(
            '--skip-capacity-check',
            action='store_true',
            help=_(
                'Start even if the servers do not all fit on the other hosts '
                '(default: move nothing then)'
            ),
        )
        parser.add_argument(
            '--save-observations',
            metavar='<file>',
            help=_(
                'Append what is seen and done to this file, for a bug report '
                '(default: not saved)'
            ),
        )
        parser.add_argument(
            '--save-names',
            action='store_true',
            help=_(
                'Save the names and addresses of servers in that file '
                '(default: replaced by placeholders)'
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
        with _recording(parsed_args) as recording, stop.watching():
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
                recording=recording,
                skip_capacity_check=parsed_args.skip_capacity_check,
            )
        return self._result(result)

    def _look_ahead(self, parsed_args: argparse.Namespace) -> columns.Output:
        if parsed_args.save_observations is not None:
            raise exceptions.HostMaintenanceError(
                _('--save-observations cannot be used with --dry-run.')
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


def _recording(
    parsed_args: argparse.Namespace,
) -> 'contextlib.AbstractContextManager[api.Recording | None]':
    """Return what keeps the observations, if they are to be kept.

    :raises HostMaintenanceError: they can't be.
    """
    path = parsed_args.save_observations
    if path is not None:
        from osc_hostmaint import api

        return api.Recording(
            path,
            names=parsed_args.save_names,
            warn=lambda words: LOG.warning('%s', words),
        )
    if parsed_args.save_names:
        raise exceptions.HostMaintenanceError(
            _('--save-names needs --save-observations <file>.')
        )
    return contextlib.nullcontext()
