# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance restore``."""

import argparse
import datetime
import sys
import typing as ty

from osc_hostmaint import streams
from osc_hostmaint.commands import client
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import help_texts
from osc_hostmaint.commands import options
from osc_hostmaint.commands import policy
from osc_hostmaint.commands import table
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api

#: The same kind of move that took a server away.
AS_LEFT = 'as-left'
#: Moves in flight to each host; operations.restore.PARALLEL, which is not
#: imported for every command.
PARALLEL = 4


class RestoreHostMaintenance(table.ServersTable):
    _description = _(
        'Bring back the servers whose latest move took them off the hosts, '
        'which must be in service'
    )
    _epilog = help_texts.epilog(
        _(
            'Servers that were resized or moved again since then are left '
            'alone (skipped), deleted ones are only counted. The command '
            'may be interrupted or killed at any time: run it again to '
            'continue.'
        ),
        _(
            'Exit code: 0 if all servers are back, 1 if a request failed or '
            'was refused, 3 if servers are not back, 4 if --timeout passed '
            'first, 130 if it was interrupted.'
        ),
        examples=(
            'openstack host maintenance restore --dry-run cmp01',
            'openstack host maintenance restore --since 2h cmp01 cmp02',
        ),
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.formatter_class = help_texts.Formatter
        parser.add_argument(
            '--since',
            metavar='<duration>',
            type=options.duration,
            default='7d',
            help=_(
                'Servers that left within this time: 90, 90s, 15m, 2h, 7d '
                '(default: %(default)s)'
            ),
        )
        _add_states(parser)
        policy.add_exclusion(parser)
        parser.add_argument(
            '--parallel',
            metavar='<n>',
            type=options.count,
            default=PARALLEL,
            help=_(
                'Most moves in flight to each host, including those of '
                'others (default: %(default)s)'
            ),
        )
        policy.add_retries(parser)
        policy.add_stalls(parser)
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
                'Start even if its servers do not all fit on a host '
                '(default: move none to it then)'
            ),
        )
        options.add_hosts(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        from osc_hostmaint import interrupt
        from osc_hostmaint.progress import lines as progress_lines

        maintenance = client.maintenance(self.app)
        how: dict[str, ty.Any] = {
            'since': datetime.timedelta(seconds=parsed_args.since),
            'running': _running(parsed_args),
            'policy': _policy(parsed_args),
        }
        if parsed_args.dry_run:
            return self._preview(
                maintenance.preview_restore(parsed_args.hosts, **how),
                coming_home=True,
            )
        stop = interrupt.Interrupt(streams.descriptor(sys.stderr))
        with stop.watching():
            result = maintenance.restore(
                parsed_args.hosts,
                timeout=parsed_args.timeout,
                report=self._reporter(progress_lines.HOME),
                interrupt=stop,
                skip_capacity_check=parsed_args.skip_capacity_check,
                **how,
            )
        return self._result(result)


def _add_states(parser: argparse.ArgumentParser) -> None:
    from osc_hostmaint.planning import policy as policies

    policy.add_words(
        parser,
        '--running',
        [AS_LEFT, *(each.value for each in policies.Running)],
        AS_LEFT,
        _(
            'ACTIVE and PAUSED servers; as-left moves each the way it left, '
            'live or cold'
        ),
    )
    policy.add_choice(
        parser,
        '--stopped',
        policies.Policy().stopped,
        _('SHUTOFF servers: cold-migrate them or leave them'),
    )
    policy.add_words(
        parser,
        '--suspended',
        [policies.Suspended.LEAVE.value, policies.Suspended.RESUME.value],
        policies.Suspended.LEAVE.value,
        _('SUSPENDED servers; resume also suspends them again after the move'),
    )


def _running(parsed_args: argparse.Namespace) -> 'api.Running | None':
    from osc_hostmaint.planning import policy as policies

    if parsed_args.running == AS_LEFT:
        return None
    return policies.Running(parsed_args.running)


def _policy(parsed_args: argparse.Namespace) -> 'api.Policy':
    from osc_hostmaint.planning import policy as policies

    return policies.Policy(
        stopped=policies.Stopped(parsed_args.stopped),
        suspended=policies.Suspended(parsed_args.suspended),
        exclude=frozenset(parsed_args.exclude),
        per_destination=parsed_args.parallel,
        retries=parsed_args.retries,
        max_failures=parsed_args.max_failures,
        on_stall=policies.OnStall(parsed_args.on_stall),
        stall_after=parsed_args.stall_after,
        server_timeout=parsed_args.server_timeout,
    )
