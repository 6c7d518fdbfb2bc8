# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance set`` and ``unset``."""

import argparse
import collections.abc
import logging
import sys
import typing as ty

from osc_lib.command import command

from osc_hostmaint import exceptions
from osc_hostmaint import streams
from osc_hostmaint import text
from osc_hostmaint.commands import client
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import options
from osc_hostmaint.commands import table
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api

LOG = logging.getLogger(__name__)


def _for_each(
    hosts: collections.abc.Iterable[str],
    do: collections.abc.Callable[[str], object],
) -> int:
    """Try every host, tell of each failure, and return the exit code."""
    code = exceptions.ExitCode.DONE
    for host in hosts:
        try:
            do(host)
        except exceptions.HostMaintenanceError as error:
            LOG.error('%s', text.printable(str(error)))
            code = exceptions.ExitCode.FAILED
    return code


class SetHostMaintenance(command.Command):
    _description = _(
        'Put hosts into maintenance. Their compute services are disabled '
        'with a reason that says since when, by whom and why, so no new '
        'server lands on them; servers on them stay. It lasts until it is '
        'taken back with "host maintenance unset".'
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        options.add_mark(parser)
        options.add_hosts(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        maintenance = client.maintenance(self.app)
        return _for_each(
            parsed_args.hosts,
            lambda host: maintenance.set(
                host, reason=parsed_args.reason, force=parsed_args.force
            ),
        )


class UnsetHostMaintenance(table.ServersTable):
    _description = _(
        'Put hosts back into service. That a host is forced down, as drain '
        '--evacuate --fenced leaves it, is taken back. Refused for a host '
        'that somebody else disabled, whose compute service or hypervisor '
        'is down, that moves are still leaving, or on which nova-compute '
        'has not cleaned up after an evacuation yet. With --restore the '
        'servers that left since the hosts were put into maintenance come '
        'home, and the table and exit codes are those of "host maintenance '
        'restore"; without it nothing is printed.'
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--force',
            action='store_true',
            help=_(
                'Enable the host whatever speaks against it, unless Nova '
                'itself refuses'
            ),
        )
        parser.add_argument(
            '--restore',
            action='store_true',
            help=_(
                'Then bring home the servers that left since the host was '
                'put into maintenance; repeated after that, when nothing '
                'says since when it was, those that left in the last 7 days'
            ),
        )
        # It shows what was done, and never what would be.
        parser.set_defaults(dry_run=False)
        options.add_hosts(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        maintenance = client.maintenance(self.app)
        if parsed_args.restore:
            return self._restore(maintenance, parsed_args)

        def unset(host: str) -> None:
            service = maintenance.unset(host, force=parsed_args.force)
            if service.forced_down:
                LOG.warning(
                    _(
                        '%(host)s is in service, but somebody forced it down: '
                        'openstack compute service set --up %(host)s '
                        'nova-compute takes that back.'
                    ),
                    {'host': host},
                )

        self._exit_code = _for_each(parsed_args.hosts, unset)
        return table.COLUMNS, []

    def _restore(
        self,
        maintenance: 'api.Maintenance',
        parsed_args: argparse.Namespace,
    ) -> columns.Output:
        from osc_hostmaint import interrupt
        from osc_hostmaint.progress import lines as progress_lines

        stop = interrupt.Interrupt(streams.descriptor(sys.stderr))
        with stop.watching():
            result = maintenance.unset_and_restore(
                parsed_args.hosts,
                force=parsed_args.force,
                report=self._reporter(progress_lines.HOME),
                interrupt=stop,
            )
        return self._result(result)

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: collections.abc.Sequence[str],
        data: collections.abc.Iterable[collections.abc.Sequence[ty.Any]],
    ) -> int:
        if not parsed_args.restore:
            return 0
        return super().produce_output(parsed_args, column_names, data)
