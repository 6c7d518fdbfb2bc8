# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance show`` and ``list``."""

import argparse
import typing as ty

from osc_lib.cli import format_columns
from osc_lib.command import command

from osc_hostmaint.commands import client
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import help_texts
from osc_hostmaint.commands import options
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api

#: As model.Mode has them; that module is not imported for every command.
MODES = ('operational', 'maintenance', 'disabled', 'unknown')


def _reason(service: 'api.Service') -> str:
    """Ours without its head, others' as it is."""
    from osc_hostmaint.planning.host import down_cells

    if service.silent:
        return down_cells.CELL
    mark = service.mark
    return mark.reason if mark else service.disabled_reason or ''


def _since(service: 'api.Service') -> str | None:
    from osc_hostmaint import mark

    return mark.iso(service.mark.since) if service.mark else None


class ShowHostMaintenance(command.ShowOne):
    _description = _(
        "Show a host's maintenance state, and what is still on it"
    )
    _epilog = help_texts.epilog(
        examples=(
            'openstack host maintenance show cmp01',
            'openstack host maintenance show -f json cmp01',
        ),
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.formatter_class = help_texts.Formatter
        options.add_host(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        maintenance = client.maintenance(self.app)
        shown = maintenance.show(parsed_args.host)
        service = shown.service
        fields = {
            'host': service.host,
            'mode': str(service.mode),
            'reason': columns.Printable(_reason(service)),
            'since': _since(service),
            'set_by': service.mark.by if service.mark else None,
            'service_state': 'up' if service.up else 'down',
            'forced_down': service.forced_down,
            'availability_zone': service.zone,
            'servers': shown.servers,
            'servers_by_status': format_columns.DictColumn(
                dict(shown.servers_by_status)
            ),
            'moving': format_columns.DictColumn(
                {'out': shown.moving_out, 'in': shown.moving_in}
            ),
            'awaiting_confirm': shown.awaiting_confirm,
            'awaiting_cleanup': shown.awaiting_cleanup,
            'allocations': shown.allocations,
            'drained': shown.drained,
        }
        return tuple(fields), tuple(fields.values())


class ListHostMaintenance(command.Lister):
    _description = _(
        'List hosts in maintenance, with the number of servers left on each'
    )
    _epilog = help_texts.epilog(
        _('Hosts whose cell does not answer (unknown) are always listed.'),
        examples=(
            'openstack host maintenance list --long',
            'openstack host maintenance list --mode disabled -f json',
        ),
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.formatter_class = help_texts.Formatter
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            '--mode',
            metavar='<mode>',
            choices=MODES,
            default='maintenance',
            help=_('Mode of the hosts to list: %s (default: maintenance)')
            % ', '.join(MODES),
        )
        which.add_argument(
            '--all',
            action='store_true',
            help=_('List all compute hosts (default: off)'),
        )
        parser.add_argument(
            '--long',
            action='store_true',
            help=_(
                'Also list who set it, the state of the service, the zone '
                'and the type of the hypervisor (default: off)'
            ),
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        from osc_hostmaint import model

        maintenance = client.maintenance(self.app)
        modes = frozenset(
            model.Mode if parsed_args.all else [model.Mode(parsed_args.mode)]
        )
        names: tuple[str, ...] = ('Host', 'Mode', 'Since', 'Servers', 'Reason')
        row = _short
        typed = parsed_args.all or parsed_args.long
        if parsed_args.long:
            names += (
                'Set By',
                'Service State',
                'Forced Down',
                'Availability Zone',
            )
            row = _long
        hosts = maintenance.list(modes, hypervisor_types=typed)
        if not typed:
            return names, [row(listed) for listed in hosts]
        return (*names, 'Hypervisor Type'), [
            (*row(listed), listed.hypervisor_type) for listed in hosts
        ]


def _short(listed: 'api.ListedHost') -> tuple[ty.Any, ...]:
    service = listed.service
    return (
        service.host,
        str(service.mode),
        _since(service),
        columns.Count(listed.servers),
        columns.Printable(_reason(service)),
    )


def _long(listed: 'api.ListedHost') -> tuple[ty.Any, ...]:
    service = listed.service
    return (
        *_short(listed),
        service.mark.by if service.mark else None,
        _state(service),
        None if service.silent else service.forced_down,
        service.zone,
    )


def _state(service: 'api.Service') -> str:
    if service.silent:
        return 'unknown'
    return 'up' if service.up else 'down'
