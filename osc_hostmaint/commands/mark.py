# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance set`` and ``unset``."""

import argparse
from collections import abc
import logging

from osc_lib.command import command

from osc_hostmaint import exceptions
from osc_hostmaint import plugin
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import help_texts
from osc_hostmaint.commands import options
from osc_hostmaint.commands import table
from osc_hostmaint.i18n import _

LOG = logging.getLogger(__name__)


def _for_each(
    hosts: list[str], do: abc.Callable[[str], object]
) -> exceptions.ExitCode:
    """Try every host, log each failure, and return the exit code."""
    code = exceptions.ExitCode.DONE
    for host in hosts:
        try:
            do(host)
        except exceptions.HostMaintenanceError as error:
            LOG.error('%s', error)
            code = exceptions.ExitCode.FAILED
    return code


class SetHostMaintenance(command.Command):
    _description = _(
        'Put hosts into maintenance: disable their compute services, so that '
        'no new server is scheduled to them; servers on them stay'
    )
    _epilog = help_texts.epilog(
        _('It lasts until "host maintenance unset".'),
        examples=(
            'openstack host maintenance set cmp01 cmp02',
            "openstack host maintenance set --reason 'disk broken' cmp01",
        ),
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = help_texts.lay_out(super().get_parser(prog_name))
        options.add_mark(parser)
        options.add_notify(parser)
        options.add_hosts(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        if problem := options.notify_problem(parsed_args):
            LOG.error('%s', problem)
            return int(exceptions.ExitCode.USAGE)
        with options.notifying(parsed_args) as notifier:
            maintenance = plugin.make_client(self.app.client_manager)
            report = notifier and notifier.begin(maintenance.cloud)
            return _for_each(
                parsed_args.hosts,
                lambda host: maintenance.set(
                    host,
                    reason=parsed_args.reason,
                    force=parsed_args.force,
                    report=report,
                ),
            )


class UnsetHostMaintenance(table.ServersTable):
    #: With ``--restore``.
    _names = table.RESTORE_COLUMNS
    _description = _(
        'Put hosts back into service, and undo the force-down of an evacuation'
    )
    _epilog = help_texts.epilog(
        _(
            'It is refused for a host that somebody else disabled, whose '
            'compute service or hypervisor is down, that servers are still '
            'moving off, or on which nova-compute has not cleaned up after an '
            'evacuation.'
        ),
        _(
            'With --restore, the table and the exit codes are those of "host '
            'maintenance restore"; without it, standard error has the '
            'command that brings the servers back.'
        ),
        examples=(
            'openstack host maintenance unset cmp01',
            'openstack host maintenance unset --restore cmp01 cmp02',
        ),
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = help_texts.lay_out(super().get_parser(prog_name))
        options.add(
            parser,
            options.FLAG,
            force=_(
                'Put the host back even if that would be refused, unless '
                'Nova itself refuses (default: off)'
            ),
            restore=_(
                'Then bring back the servers that left in the maintenance; '
                'start unknown: in 7 days (default: off)'
            ),
        )
        options.add_until(parser)
        options.add_notify(parser)
        options.add_progress(parser)
        # It shows what was done, and never what would be.
        parser.set_defaults(dry_run=False)
        options.add_hosts(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        if not parsed_args.restore:
            for option, default in (('until', None), ('progress', 'auto')):
                if getattr(parsed_args, option) != default:
                    LOG.error(_('--%s: needs --restore'), option)
                    return int(exceptions.ExitCode.USAGE)
        return super().run(parsed_args)

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        if parsed_args.restore:
            from osc_hostmaint import api

            options.echo_until(parsed_args.until)
            return self._carry_out(
                lambda maintenance, report: maintenance.unset_and_restore(
                    parsed_args.hosts,
                    force=parsed_args.force,
                    until=parsed_args.until,
                    report=report,
                    interrupt=self._stop,
                ),
                api.Operation.RESTORE,
            )

        maintenance = plugin.make_client(self.app.client_manager)
        notifier = self._notifier
        report = notifier and notifier.begin(maintenance.cloud)

        def unset(host: str) -> None:
            service = maintenance.unset(
                host, force=parsed_args.force, report=report
            )
            if service.forced_down:
                LOG.warning(
                    _(
                        '%(host)s is in service, but somebody forced it down: '
                        'to undo that, run openstack compute service set --up '
                        '%(host)s nova-compute.'
                    ),
                    {'host': host},
                )

        self._exit_code = _for_each(parsed_args.hosts, unset)
        # Nothing is listed.
        return (), []
