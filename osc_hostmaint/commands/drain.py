# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance drain``."""

import argparse
import contextlib
import functools
import logging
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import text
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
            'was refused, 3 if servers are left, 4 if --timeout or --until '
            'passed first, 130 if it was interrupted.'
        ),
        examples=(
            'openstack host maintenance drain --dry-run cmp01',
            "openstack host maintenance drain --reason 'kernel update' cmp01",
        ),
        columns=table.COLUMNS,
        preview_columns=table.EVACUATION_COLUMNS,
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = help_texts.lay_out(super().get_parser(prog_name))
        options.add_mark(parser)
        policy.add(parser)
        evacuation.add(parser)
        options.add_run(
            parser,
            skip_capacity_check=_(
                'Start even if the servers do not all fit on the other hosts '
                '(default: move nothing then)'
            ),
        )
        options.add(
            parser,
            {'metavar': '<file>'},
            save_observations=_(
                'Append what is seen and done to this file, for a bug report '
                '(default: not saved)'
            ),
        )
        options.add(
            parser,
            options.FLAG,
            save_names=_(
                'Save the names and addresses of servers in that file '
                '(default: replaced by placeholders)'
            ),
        )
        options.add_notify(parser)
        options.add_progress(parser)
        options.add_hosts(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        from osc_hostmaint.planning import policy as policies

        problem = (
            evacuation.problem(parsed_args)
            or _problem(parsed_args)
            or policies.avoidance_problem(
                policy.read(parsed_args), parsed_args.hosts
            )
        )
        if problem:
            LOG.error('%s', text.printable(problem))
            return int(exceptions.ExitCode.USAGE)
        return super().run(parsed_args)

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        from osc_hostmaint import api

        how: dict[str, ty.Any] = {
            'force': parsed_args.force,
            'policy': policy.read(parsed_args),
            'fenced': parsed_args.fenced,
        }
        if parsed_args.dry_run:
            return self._preview(
                lambda maintenance, report: maintenance.preview(
                    parsed_args.hosts, report=report, **how
                )
            )
        options.echo_until(parsed_args.until)
        dead = parsed_args.evacuate
        with _recording(parsed_args) as recording:
            return self._carry_out(
                lambda maintenance, report: maintenance.drain(
                    parsed_args.hosts,
                    reason=parsed_args.reason,
                    confirm=evacuation.confirm(self._stop) if dead else None,
                    timeout=parsed_args.timeout,
                    until=parsed_args.until,
                    recording=recording,
                    skip_capacity_check=parsed_args.skip_capacity_check,
                    report=report,
                    interrupt=self._stop,
                    **how,
                ),
                api.Operation.EVACUATION if dead else api.Operation.DRAIN,
            )


def _problem(parsed_args: argparse.Namespace) -> str:
    """Return why observations cannot be saved as asked for, or ''."""
    if parsed_args.save_observations is None:
        if parsed_args.save_names:
            return _('--save-names: needs --save-observations <file>')
    elif parsed_args.dry_run:
        return _('--save-observations: cannot be used with --dry-run')
    return ''


def _recording(
    parsed_args: argparse.Namespace,
) -> 'contextlib.AbstractContextManager[api.Recording | None]':
    """Return what keeps the observations, if they are to be kept.

    :raises HostMaintenanceError: they can't be.
    """
    path, names = parsed_args.save_observations, parsed_args.save_names
    if path is None:
        return contextlib.nullcontext()
    from osc_hostmaint import api

    warn = functools.partial(LOG.warning, '%s')
    return api.Recording(path, names=names, warn=warn)
