# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance restore``."""

import argparse
import contextlib
import datetime
import typing as ty

from osc_hostmaint import mark as marks
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import help_texts
from osc_hostmaint.commands import options
from osc_hostmaint.commands import policy
from osc_hostmaint.commands import table
from osc_hostmaint.i18n import _

#: The same kind of move that took a server away.
AS_LEFT = 'as-left'


def since(words: str) -> datetime.datetime | datetime.timedelta:
    """Return a duration, or a time; UTC where it has no offset, as Nova's.

    :raises argparse.ArgumentTypeError: it is neither, or nothing can have
        left a host then.
    """
    with contextlib.suppress(argparse.ArgumentTypeError):
        return datetime.timedelta(seconds=options.duration(words))
    from osc_hostmaint.planning import timing

    ahead = datetime.timedelta(seconds=timing.PLANTED_AHEAD_SECONDS)
    latest = datetime.datetime.now(datetime.UTC) + ahead
    with contextlib.suppress(ValueError):
        time = datetime.datetime.fromisoformat(words)
        if time.tzinfo is None:
            time = time.replace(tzinfo=datetime.UTC)
        if marks.EARLIEST <= time <= latest:
            return time
    raise argparse.ArgumentTypeError(
        _(
            '%r is neither a duration nor a time in the past: write 90, 90s, '
            '15m, 2h, 7d or 2026-11-20T23:31:07Z'
        )
        % words
    )


class RestoreHostMaintenance(table.ServersTable):
    _names = table.RESTORE_COLUMNS
    _preview_names = table.RESTORE_PREVIEW_COLUMNS
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
            'was refused, 3 if servers are not back, 4 if --timeout or '
            '--until passed first, 130 if it was interrupted.'
        ),
        examples=(
            'openstack host maintenance restore --dry-run cmp01',
            'openstack host maintenance restore --since 2h cmp01 cmp02',
        ),
        columns=table.RESTORE_COLUMNS,
        preview_columns=table.RESTORE_PREVIEW_COLUMNS,
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        from osc_hostmaint.planning import policy as policies
        from osc_hostmaint.planning import timing

        default = options.spelled(timing.RESTORE_SINCE_SECONDS)
        parser = help_texts.lay_out(super().get_parser(prog_name))
        options.add(
            parser,
            {'metavar': '<time>', 'type': since, 'default': default},
            since=_(
                'Servers that left within this time (90, 90s, 15m, 2h, 7d) '
                'or since 2026-11-20T23:31:07Z (default: %(default)s)'
            ),
        )
        options.add(
            parser,
            {
                'choices': [
                    AS_LEFT,
                    *(each.value for each in policies.Running),
                ],
                'default': AS_LEFT,
            },
            running=_(
                'ACTIVE and PAUSED servers; as-left moves each the way it '
                'left, live or cold (default: %(default)s)'
            ),
        )
        policy.add_choices(parser, stopped=policy.STOPPED)
        options.add(
            parser,
            {'choices': ['leave', 'resume'], 'default': 'leave'},
            suspended=_(
                'SUSPENDED servers; resume also suspends them again after '
                'the move (default: %(default)s)'
            ),
        )
        policy.add_exclusion(parser)
        policy.add_tenant_policy(parser)
        options.add(
            parser,
            {
                **options.COUNT,
                'dest': 'per_destination',
                'default': timing.RESTORES_AT_ONCE,
            },
            parallel=_(
                'Most moves in flight to each host, including those of '
                'others (default: %(default)s)'
            ),
        )
        policy.add_failures(parser)
        options.add_run(
            parser,
            skip_capacity_check=_(
                'Start even if its servers do not all fit on a host '
                '(default: move none to it then)'
            ),
        )
        options.add_notify(parser)
        options.add_progress(parser)
        options.add_hosts(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        from osc_hostmaint import api
        from osc_hostmaint.planning import policy as policies

        running = parsed_args.running
        how: dict[str, ty.Any] = {
            'since': parsed_args.since,
            'running': None
            if running == AS_LEFT
            else policies.Running(running),
            'policy': policy.read(parsed_args, but=('since', 'running')),
        }
        if parsed_args.dry_run:
            return self._preview(
                lambda maintenance, report: maintenance.preview_restore(
                    parsed_args.hosts, report=report, **how
                ),
                coming_home=True,
            )
        options.echo_until(parsed_args.until)
        return self._carry_out(
            lambda maintenance, report: maintenance.restore(
                parsed_args.hosts,
                timeout=parsed_args.timeout,
                until=parsed_args.until,
                skip_capacity_check=parsed_args.skip_capacity_check,
                report=report,
                interrupt=self._stop,
                **how,
            ),
            api.Operation.RESTORE,
        )
