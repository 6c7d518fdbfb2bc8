# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance show`` and ``list``, and all columns."""

import datetime
import json

from osc_hostmaint import api
from osc_hostmaint import model
from osc_hostmaint.commands import columns
from osc_hostmaint.commands import status
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import summary
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.commands import shell

SINCE = '2026-11-20T23:31:07Z'
UPDATED = '2026-11-20T23:40:02Z'
HOSTILE = '\x1b[2Jbroken\nfan'
AGE = datetime.timedelta(days=1, hours=2, minutes=3, seconds=4)


MOVE = summary.MoveInFlight(
    builders.migration(), HOSTILE, model.Progress(2**30, 2**32)
)
BLOCKED = builders.untouched(
    server_status.Phase.BLOCKED,
    'suspended',
    name=HOSTILE,
    code=codes.Code.SUSPENDED,
)


def shown(service=None, **kwargs):
    return summary.Summary(
        service=service or builders.service(),
        **{
            'servers': 3,
            'servers_by_status': {'ACTIVE': 2, 'SHUTOFF': 1},
            'moves': (MOVE,),
            'blocked': (BLOCKED,),
            'awaiting_confirm': 1,
            'awaiting_cleanup': 2,
            'allocations': 4,
            **kwargs,
        },
    )


class TestShow(shell.CommandTestCase):
    command = status.ShowHostMaintenance
    method = 'show'

    def test_fields(self):
        """Frozen: scripts depend on them."""
        updated = datetime.datetime.fromisoformat(UPDATED)
        self.asked.return_value = shown(builders.service(updated_at=updated))
        done = self.run_command('-f json cmp01')

        self.assertEqual(0, done.code)
        self.assertEqual(
            {
                'host': 'cmp01',
                'mode': 'maintenance',
                'reason': 'kernel',
                'since': SINCE,
                'set_by': 'alice',
                'service_state': 'up',
                'updated_at': UPDATED,
                'forced_down': False,
                'availability_zone': 'nova',
                'servers': 3,
                'servers_by_status': {'ACTIVE': 2, 'SHUTOFF': 1},
                'moving': {'out': 1, 'in': 0},
                'moves': [
                    {
                        'server_id': 'vm1',
                        'name': HOSTILE,
                        'type': 'live-migration',
                        'status': 'running',
                        'source': 'cmp01',
                        'destination': 'cmp02',
                        'memory_bytes': 2**32,
                        'memory_remaining_bytes': 2**30,
                    }
                ],
                'blocked': [
                    {
                        'server_id': 'vm1',
                        'name': HOSTILE,
                        'code': 'suspended',
                        'reason': 'suspended',
                    }
                ],
                'awaiting_confirm': 1,
                'awaiting_cleanup': 2,
                'allocations': 4,
                'drained': False,
            },
            json.loads(done.stdout),
        )
        self.asked.assert_called_once_with('cmp01')

    @unit.cases(
        # the service, what is shown of it
        (
            builders.service(enabled=True),
            {
                'mode': 'operational',
                'since': None,
                'set_by': None,
                'updated_at': None,
                'reason': '',
                'drained': True,
            },
        ),
        # Somebody else's reason is shown as it is.
        (
            builders.service(disabled_reason=HOSTILE, up=False),
            {'mode': 'disabled', 'reason': HOSTILE, 'service_state': 'down'},
        ),
    )
    def test_other_services(self, service, expected):
        counts = ('servers', 'awaiting_confirm', 'allocations')
        self.asked.return_value = shown(
            service,
            **dict.fromkeys((*counts, 'awaiting_cleanup'), 0),
            **dict.fromkeys(('moves', 'blocked'), ()),
            servers_by_status={},
        )
        fields = json.loads(self.run_command('-f json cmp01').stdout)
        self.assertEqual({**fields, **expected}, fields)

    def test_what_moves_and_what_is_blocked_for_people(self):
        self.asked.return_value = shown()
        out = self.run_command('cmp01').stdout
        self.assertIn('live-migration running, cmp01 to cmp02, 3.0 of', out)
        self.assertIn('| blocked           | suspended: suspended ', out)
        self.assertEqual(2, out.count(r'\x1b[2Jbroken\nfan (vm1)'), out)


class TestList(shell.CommandTestCase):
    command = status.ListHostMaintenance
    method = 'list'

    def setUp(self):
        super().setUp()
        theirs = builders.service(
            host='cmp02', disabled_reason=HOSTILE, up=False, forced_down=True
        )
        unknown = builders.service(
            host='cmp03', disabled_reason=None, silent=True
        )
        self.asked.return_value = (
            api.ListedHost(builders.service(), 3, age=AGE),
            api.ListedHost(theirs, 0),
            api.ListedHost(unknown, None),
        )

    @unit.cases(
        ('', {'maintenance'}),
        ('--mode maintenance', {'maintenance'}),
        ('--mode operational', {'operational'}),
        ('--mode disabled', {'disabled'}),
        ('--all', set(model.Mode)),
    )
    def test_which(self, arguments, modes):
        self.assertEqual(0, self.run_command(arguments).code)
        self.asked.assert_called_once_with(
            frozenset(map(model.Mode, modes)),
            hypervisor_types=arguments == '--all',
            older_than=None,
        )

    @unit.cases(([], 0), ([0], 3), ([0, 2], 1), ([2], 1))
    def test_older_than(self, listed, code):
        """One whose cell does not answer may be one of them."""
        hosts = self.asked.return_value
        self.asked.return_value = tuple(hosts[number] for number in listed)
        done = self.run_command('--older-than 14d -f json')
        self.assertEqual(code, done.code)
        self.assertEqual(code == 1, 'do not answer' in str(done.errors))
        self.asked.assert_called_once_with(
            frozenset({model.Mode.MAINTENANCE}),
            hypervisor_types=False,
            older_than=datetime.timedelta(days=14),
        )

    @unit.cases('--mode disabled', '--all')
    def test_older_than_is_of_maintenance(self, option):
        with self.assertRaises(SystemExit):
            self.run_command(f'--older-than 1d {option}')

    def test_columns(self):
        """Frozen: scripts depend on them."""
        self.assertEqual(
            (
                'Host, Mode, State, Since, Servers, Reason',
                [
                    ('cmp01', 'maintenance', 'up', SINCE, 3, 'kernel'),
                    ('cmp02', 'disabled', 'forced down', None, 0, HOSTILE),
                    ('cmp03', *('unknown',) * 2, None, None, down_cells.CELL),
                ],
            ),
            self.listed(''),
        )

    def test_long(self):
        names, rows = self.listed('--long')

        self.assertEqual(
            'Host, Mode, State, Since, Servers, Reason, Set By, '
            'Service State, Forced Down, Availability Zone, Age, '
            'Hypervisor Type',
            names,
        )
        self.assertEqual(
            [
                ('alice', 'up', False, 'nova', 93784),
                (None, 'down', True, 'nova', None),
                (None, 'unknown', None, 'nova', None),
            ],
            [row[-6:-1] for row in rows],
        )

    @unit.cases(('--all', True), ('--long', True), ('', False))
    def test_hypervisor_type(self, line, shown):
        self.asked.return_value = (
            api.ListedHost(builders.service(), 3, 'ironic'),
        )

        (row,) = json.loads(self.run_command(f'{line} -f json').stdout)
        found = row.get('Hypervisor Type')
        self.assertEqual('ironic' if shown else None, found)
        call = self.asked.call_args
        self.assertEqual(shown, call.kwargs['hypervisor_types'])

    @unit.cases('table', 'value', 'csv')
    def test_no_text_acts_on_a_terminal(self, form):
        theirs = builders.service(host=HOSTILE, zone=HOSTILE)
        self.asked.return_value = (api.ListedHost(theirs, 3, HOSTILE),)
        shown = self.run_command(f'--long -f {form}').stdout
        self.assertEqual(3, shown.count('[2Jbroken'))
        self.assertTrue(shown.replace('\n', '').isprintable())


ODD = 'a\x1b[31m\n\u202eb'


class TestColumns(unit.TestCase):
    @unit.cases(
        # the column, for people, for machines
        (columns.Printable(ODD), r'a\x1b[31m\n\u202eb', ODD),
        (columns.Name('web'), 'web', 'web'),
        (columns.Name('x' * 255), 'x' * 59 + '…', 'x' * 255),
        (columns.Name('\x1b' * 99), r'\x1b' * 14 + r'\x1…', '\x1b' * 99),
        (columns.Reason('x' * 2001), 'x' * 1999 + '…', 'x' * 2001),
        (columns.Seconds(4.26), '4.3', 4.3),
        (columns.Seconds(0.0), '0.0', 0.0),
        (columns.Seconds(None), '', None),
        (columns.Count(12), '12', 12),
        (columns.Count(0), '0', 0),
        (columns.Count(None), '', None),
        (columns.Age(AGE), '1d 2h', 93784),
        (columns.Age(AGE % datetime.timedelta(days=1)), '2h 3m', 7384),
        (columns.Age(datetime.timedelta(seconds=59)), '0m', 59),
        (columns.Age(None), '', None),
    )
    def test_values(self, column, people, machines):
        self.assertEqual(people, column.human_readable())
        self.assertEqual(machines, column.machine_readable())

    @unit.cases(
        *((form, ('', '', 3, r'\x1b')) for form in ('table', 'csv', 'value')),
        ('json', (None, None, 3, '\x1b')),
    )
    def test_what_is_unknown(self, formatter, expected):
        """Numbers stay numbers: CSV quotes everything else."""
        values = (None, columns.Count(None), columns.Count(3), '\x1b')
        found = columns.harmless(values, formatter)
        shown = (
            getattr(v, 'machine_readable', lambda v=v: v)() for v in found
        )
        self.assertEqual(expected, tuple(shown))

    def test_a_shell_only_stores_it(self):
        """cliff puts it between double quotes, and escapes only these."""
        name = '`id` $(id) $HOME \\ "x"'
        values = (name, columns.Listed([{'name': name}], [name]), None, 3)
        shown, listed, unknown, number = columns.harmless(values, 'shell')
        self.assertEqual(r'\`id\` \$(id) \$HOME \\ "x"', shown)
        self.assertNotRegex(listed, r'(?<!\\)[$`]')
        self.assertEqual(('', 3), (unknown, number))
