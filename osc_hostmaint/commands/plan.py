# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance plan``."""

import argparse
import logging
import typing as ty

from osc_lib import utils
from osc_lib.command import command

from osc_hostmaint import exceptions
from osc_hostmaint import plugin
from osc_hostmaint import text
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import help_texts
from osc_hostmaint.commands import options
from osc_hostmaint.commands import policy
from osc_hostmaint.commands import terminal
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api

LOG = logging.getLogger(__name__)

COLUMNS = (
    *('Batch', 'Host', 'Servers', 'Moves', 'Fits', 'Code', 'Reason'),
    'Avoid',
)
_FORMATTERS = {
    'Batch': columns.Count,
    'Servers': columns.Count,
    'Moves': columns.Count,
    'Fits': columns.Word,
    'Code': columns.Word,
    'Reason': columns.Reason,
}
#: What a narrow terminal does not show, the first one first; none shows Avoid.
_DISPENSABLE = ('Servers', 'Code', 'Moves')


def percent(words: str) -> int:
    """Return a number from 1 to 100.

    :raises argparse.ArgumentTypeError: it is none.
    """
    share = options.number(words.removesuffix('%'), least=1)
    if share > 100:
        raise argparse.ArgumentTypeError(
            _('%r is not a number from 1 to 100') % words
        )
    return share


class PlanHostMaintenance(command.Lister):
    _exit_code = exceptions.ExitCode.DONE
    _description = _(
        'Plan the maintenance of many hosts: batches that can be drained '
        'together, one batch after the other. Nothing is changed'
    )
    _epilog = help_texts.epilog(
        _(
            'After each batch its hosts are taken to be back in service, and '
            'empty. Hosts of the plan that are in maintenance already are '
            'the first batch. Without hosts, aggregates and zones, all hosts '
            'are planned.'
        ),
        _(
            'Exit code: 0 if every host has a batch, 1 if a request failed '
            'or was refused, 3 if a host cannot be drained.'
        ),
        examples=(
            'openstack host maintenance plan --aggregate rack-1 --at-once 4',
            'openstack host maintenance plan --done cmp01 -f json',
        ),
        columns=COLUMNS,
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        from osc_hostmaint.planning import timing

        parser = help_texts.lay_out(super().get_parser(prog_name))
        several = {'action': 'append', 'default': []}
        options.add(
            parser,
            {**several, 'metavar': '<aggregate>'},
            aggregate=_(
                'Plan the hosts of this aggregate, by its name; may be '
                'repeated (default: none)'
            ),
        )
        options.add(
            parser,
            {**several, 'metavar': '<zone>'},
            zone=_(
                'Plan the hosts of this availability zone; may be repeated '
                '(default: none)'
            ),
        )
        options.add(
            parser,
            {**options.COUNT, 'default': timing.HOSTS_AT_ONCE},
            at_once=_('Most hosts in a batch (default: %(default)s)'),
        )
        options.add(
            parser,
            {
                'metavar': '<percent>',
                'type': percent,
                'default': timing.SHARE_PERCENT,
            },
            share=_(
                'Most hosts of any aggregate or zone out of service at once, '
                'but at least one (default: %(default)s)'
            ),
        )
        options.add(
            parser,
            options.HOSTS,
            done=_(
                'Drained already, so that servers go there first (several '
                'with commas, or @<file>); may be repeated (default: none)'
            ),
        )
        policy.add_states(parser)
        policy.add_tenant_policy(parser)
        options.add_hosts(parser, nargs='*')
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> columns.Output:
        maintenance = plugin.make_client(self.app.client_manager)
        plan = maintenance.plan(
            parsed_args.hosts,
            aggregates=parsed_args.aggregate,
            zones=parsed_args.zone,
            done=parsed_args.done,
            at_once=parsed_args.at_once,
            share=parsed_args.share,
            policy=policy.read(parsed_args),
            report=terminal.lines(quiet=not self.app.options.verbose_level),
        )
        if not plan.done:
            self._exit_code = exceptions.ExitCode.LEFT
        for line in (*plan.notes, _sums(plan)):
            LOG.warning('%s', text.printable(line))
        # osc-lib reads attributes, but declares that it takes dicts.
        found: list[ty.Any] = sorted(plan.rows, key=_order)
        # Lists are for programs that read lists.
        lists = parsed_args.formatter in ('json', 'yaml')
        rows = [
            columns.harmless(
                (
                    *utils.get_item_properties(
                        row, COLUMNS[:-1], formatters=_FORMATTERS
                    ),
                    _avoided(row, joined=not lists),
                ),
                parsed_args.formatter,
            )
            for row in found
        ]
        terminal.fit(
            parsed_args,
            self.app.stdout,
            {
                name: [columns.shown(row[i]) for row in rows]
                for i, name in enumerate(COLUMNS)
                if name != 'Avoid'
            },
            _DISPENSABLE,
            folded='Reason',
        )
        return COLUMNS, rows

    def run(self, parsed_args: argparse.Namespace) -> int:
        # A Lister returns 0 whatever it lists.
        super().run(parsed_args)
        return int(self._exit_code)


def _order(row: 'api.PlanRow') -> tuple[ty.Any, ...]:
    """Return what the table is sorted by; what has no batch comes last."""
    return row.batch is None, row.batch or 0, text.natural(row.host)


def _avoided(row: 'api.PlanRow', *, joined: bool) -> list[str] | str:
    hosts = sorted(row.avoid, key=text.natural)
    return ','.join(hosts) if joined else hosts


def _sums(plan: 'api.Plan') -> str:
    """Return how much there is to do, in a line for people."""
    planned = sum(map(len, plan.batches))
    words = _('Hosts: %(planned)d of %(all)d, in batches: %(batches)d. ')
    words += _('Moves: %(moves)d; servers that move again: %(repeated)d.')
    return words % {
        'planned': planned,
        'all': len(plan.rows),
        'batches': len(plan.batches),
        'moves': plan.moves,
        'repeated': plan.repeated,
    }
