# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance show`` and ``list``."""

import argparse
from collections import abc
import datetime
import logging
import typing as ty

from osc_lib import utils
from osc_lib.cli import format_columns
from osc_lib.command import command

from osc_hostmaint import exceptions
from osc_hostmaint import plugin
from osc_hostmaint import text
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import help_texts
from osc_hostmaint.commands import options
from osc_hostmaint.commands import terminal
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api

LOG = logging.getLogger(__name__)

#: As model.Mode has them; that module is not imported for every command.
MODES = ('operational', 'maintenance', 'disabled', 'unknown')
COLUMNS: tuple[str, ...] = (
    *('Host', 'Mode', 'State', 'Since', 'Servers', 'Reason'),
)
LONG_COLUMNS = (
    *COLUMNS,
    *('Set By', 'Service State', 'Forced Down', 'Availability Zone', 'Age'),
)
ALL_COLUMNS = (*LONG_COLUMNS, 'Hypervisor Type')
#: Of show.
FIELDS = (
    *('host', 'mode', 'reason', 'since', 'set_by', 'service_state'),
    *('updated_at', 'forced_down', 'availability_zone', 'servers'),
    *('servers_by_status', 'moving', 'moves', 'blocked', 'awaiting_confirm'),
    *('awaiting_cleanup', 'allocations', 'drained'),
)
#: What a narrow terminal does not show, the first one first.
_DISPENSABLE = (
    *('Service State', 'Forced Down', 'Hypervisor Type'),
    *('Availability Zone', 'Set By', 'Mode', 'Since', 'Age', 'Reason'),
)


def _fields(service: 'api.Service') -> dict[str, ty.Any]:
    from osc_hostmaint import mark as marks
    from osc_hostmaint.planning.host import down_cells

    silent, mark = service.silent, service.mark
    updated = service.updated_at
    # Ours without its head, others' as it is.
    reason = mark.reason if mark else service.disabled_reason or ''
    state = 'up' if service.up else 'down'
    return {
        'host': service.host,
        'mode': str(service.mode),
        'reason': down_cells.CELL if silent else reason,
        'since': marks.iso(mark.since) if mark else None,
        'set_by': mark.by if mark else None,
        'service_state': 'unknown' if silent else state,
        'updated_at': marks.iso(updated) if updated else None,
        'forced_down': None if silent else service.forced_down,
        'availability_zone': service.zone,
    }


def _state(service: 'api.Service') -> str:
    """Return in a word whether a host works, as far as Nova knows."""
    if service.silent:
        return 'unknown'
    if service.forced_down:
        return 'forced down'
    return 'up' if service.up else 'down'


def _moves(shown: 'api.Summary') -> columns.Listed:
    values, lines = [], []
    for move in shown.moves:
        record, progress = move.record, move.progress
        value: dict[str, ty.Any] = {
            'server_id': record.server_id,
            'name': move.name,
            'type': record.type,
            'status': record.status,
            'source': record.source,
            'destination': record.dest or '',
        }
        words = [f'{record.type} {record.status}']
        if record.dest:
            words.append(f'{record.source} to {record.dest}')
        if progress:
            value['memory_bytes'] = progress.total
            value['memory_remaining_bytes'] = progress.remaining
            how_much = text.copied(progress.remaining, progress.total)
            words.append(_('%s copied') % how_much)
        values.append(value)
        lines.append(f'{move.name} ({record.server_id}): {", ".join(words)}')
    return columns.Listed(values, lines)


def _blocked(shown: 'api.Summary') -> columns.Listed:
    values = [
        {
            'server_id': row.server_id,
            'name': row.name,
            'code': str(row.code),
            'reason': row.reason,
        }
        for row in shown.blocked
    ]
    lines = [*terminal.sentences(shown.blocked)]
    # The first one is blank.
    return columns.Listed(values, lines[1:])


class ShowHostMaintenance(command.ShowOne):
    _description = _(
        "Show a host's maintenance state, and what is still on it"
    )
    _epilog = help_texts.epilog(
        examples=(
            'openstack host maintenance show cmp01',
            'openstack host maintenance show -f json cmp01',
        ),
        columns=FIELDS,
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = help_texts.lay_out(super().get_parser(prog_name))
        options.add_host(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        maintenance = plugin.make_client(self.app.client_manager)
        shown = maintenance.show(parsed_args.host)
        fields = {
            **_fields(shown.service),
            'servers': shown.servers,
            'servers_by_status': format_columns.DictColumn(
                dict(shown.servers_by_status)
            ),
            'moving': format_columns.DictColumn(
                {'out': shown.moving_out, 'in': shown.moving_in}
            ),
            'moves': _moves(shown),
            'blocked': _blocked(shown),
            'awaiting_confirm': shown.awaiting_confirm,
            'awaiting_cleanup': shown.awaiting_cleanup,
            'allocations': shown.allocations,
            'drained': shown.drained,
        }
        if terminal.width_for(parsed_args, self.app.stdout) is not None:
            parsed_args.fit_width = True
        values = utils.get_dict_properties(fields, FIELDS)
        return FIELDS, columns.harmless(values, parsed_args.formatter)


class ListHostMaintenance(command.Lister):
    _exit_code = exceptions.ExitCode.DONE
    _description = _(
        'List hosts in maintenance, with the number of servers left on each'
    )
    _epilog = help_texts.epilog(
        _('Hosts whose cell does not answer (unknown) are always listed.'),
        examples=(
            'openstack host maintenance list --long',
            'openstack host maintenance list --older-than 14d -f json',
        ),
        columns=ALL_COLUMNS,
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = help_texts.lay_out(super().get_parser(prog_name))
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
        which.add_argument(
            '--older-than',
            metavar='<duration>',
            type=options.duration,
            help=_(
                'List hosts in maintenance for longer than this (2h, 14d); '
                'exit code 3 if there are any (default: off)'
            ),
        )
        parser.add_argument(
            '--long',
            action='store_true',
            help=_(
                'Also list who set it and how long ago, the service, the '
                'zone and the type of the hypervisor (default: off)'
            ),
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        from osc_hostmaint import model

        maintenance = plugin.make_client(self.app.client_manager)
        modes = frozenset(
            model.Mode if parsed_args.all else [model.Mode(parsed_args.mode)]
        )
        typed = parsed_args.all or parsed_args.long
        older_than = None
        if parsed_args.older_than:
            older_than = datetime.timedelta(seconds=parsed_args.older_than)
        hosts = maintenance.list(
            modes, hypervisor_types=typed, older_than=older_than
        )
        if older_than:
            self._judge(hosts)
        names = LONG_COLUMNS if parsed_args.long else COLUMNS
        if typed:
            names += ('Hypervisor Type',)
        rows = (
            {
                **_fields(listed.service),
                'state': _state(listed.service),
                'servers': columns.Count(listed.servers),
                'age': columns.Age(listed.age),
                'hypervisor_type': listed.hypervisor_type,
            }
            for listed in hosts
        )
        shown = [
            columns.harmless(
                utils.get_dict_properties(row, names), parsed_args.formatter
            )
            for row in rows
        ]
        terminal.fit(
            parsed_args,
            self.app.stdout,
            {
                name: [columns.shown(row[i]) for row in shown]
                for i, name in enumerate(names)
            },
            _DISPENSABLE,
            folded='Reason',
        )
        return names, shown

    def _judge(self, hosts: abc.Sequence['api.ListedHost']) -> None:
        """Let the exit code tell whether any host has been forgotten."""
        if hosts:
            self._exit_code = exceptions.ExitCode.LEFT
        if unknown := [h.service.host for h in hosts if h.service.silent]:
            self._exit_code = exceptions.ExitCode.FAILED
            LOG.error(
                _(
                    'The cells of these hosts do not answer, so it is not '
                    'known how long they have been in maintenance: %s'
                ),
                ', '.join(unknown),
            )

    def run(self, parsed_args: argparse.Namespace) -> int:
        # A Lister returns 0 whatever it lists.
        super().run(parsed_args)
        return int(self._exit_code)
