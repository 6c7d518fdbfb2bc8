# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance plan``."""

import csv
import io
import json
import re
from unittest import mock

from osc_hostmaint import api
from osc_hostmaint import exceptions
from osc_hostmaint.commands import plan
from osc_hostmaint.planning import policy as policies
from tests import unit
from tests.unit.commands import shell

NEVER = api.PlanRow(
    *(None, 'cmp9', None, None, None),
    code=api.Code.HOST_DOWN,
    reason='it is down\x1b[2J',
)
PLAN = api.Plan(
    (
        api.PlanRow(2, 'cmp10', 3, 4, api.Fits.YES),
        NEVER,
        api.PlanRow(1, 'cmp2', 0, 0, api.Fits.YES, avoid=('cmp10', 'cmp3')),
    ),
    repeated=1,
    notes=('not checked: \x1b[2J',),
)


class PlanTestCase(shell.CommandTestCase):
    command = plan.PlanHostMaintenance
    method = 'plan'

    def setUp(self):
        super().setUp()
        self.asked.return_value = PLAN

    @unit.cases((1, 'cmp2: listing\n'), (0, ''))
    def test_what_takes_long_is_said(self, verbose_level, words):
        def look(_hosts, *, report, **_options):
            report.publish(api.Notice('cmp2', 'listing'))
            return PLAN

        self.asked.side_effect, self.verbose_level = look, verbose_level
        self.assertEqual(words, self.run_command('').stderr.partition(' ')[2])

    def test_rows(self):
        """Frozen: scripts depend on them."""
        done = self.run_command('-f json')
        self.assertEqual(exceptions.ExitCode.LEFT, done.code)
        self.assertEqual(
            [
                {
                    'Batch': 1,
                    'Host': 'cmp2',
                    'Servers': 0,
                    'Moves': 0,
                    'Fits': 'yes',
                    'Code': '',
                    'Reason': '',
                    'Avoid': ['cmp3', 'cmp10'],
                },
                {
                    'Batch': 2,
                    'Host': 'cmp10',
                    'Servers': 3,
                    'Moves': 4,
                    'Fits': 'yes',
                    'Code': '',
                    'Reason': '',
                    'Avoid': [],
                },
                {
                    'Batch': None,
                    'Host': 'cmp9',
                    'Servers': None,
                    'Moves': None,
                    'Fits': '',
                    'Code': 'host-down',
                    'Reason': 'it is down\x1b[2J',
                    'Avoid': [],
                },
            ],
            json.loads(done.stdout),
        )

    def test_other_formats_have_no_lists(self):
        done = self.run_command('-f csv')
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        self.assertEqual('cmp3,cmp10', rows[0]['Avoid'])
        self.assertEqual('', rows[2]['Batch'])
        self.assertNotIn('\x1b', done.stdout)

    @unit.cases(
        ('value', 'Batch', ['cmp2', 'cmp10', 'cmp9']),
        ('value', 'Moves --sort-descending', ['cmp9', 'cmp10', 'cmp2']),
        ('json', 'Moves', ['cmp2', 'cmp10', 'cmp9']),
    )
    def test_what_has_no_number_can_be_sorted(self, how, column, expected):
        done = self.run_command(f'-f {how} -c Host --sort-column {column}')
        self.assertEqual(expected, re.findall(r'cmp\d+', done.stdout))

    def test_sums_and_notes(self):
        with self.assertLogs('osc_hostmaint.commands.plan') as logged:
            self.run_command('')
        self.assertEqual(
            [
                'not checked: \\x1b[2J',
                'Hosts: 2 of 3, in batches: 2. Moves: 4; servers that move '
                'again: 1.',
            ],
            [record.getMessage() for record in logged.records],
        )

    def test_every_host_has_a_batch(self):
        self.asked.return_value = api.Plan(())
        self.assertEqual(exceptions.ExitCode.DONE, self.run_command('').code)

    @unit.cases(
        ('', {}),
        ('cmp1 cmp2', {'hosts': ['cmp1', 'cmp2']}),
        (
            '--aggregate a --aggregate b --zone z',
            {'aggregates': ['a', 'b'], 'zones': ['z']},
        ),
        ('--at-once 4 --share 50%', {'at_once': 4, 'share': 50}),
        ('--done cmp1,cmp2 --done cmp3', {'done': ['cmp1', 'cmp2', 'cmp3']}),
        (
            '--suspended shelve',
            {'policy': policies.Policy(suspended=policies.Suspended.SHELVE)},
        ),
    )
    def test_wishes(self, arguments, wishes):
        self.run_command(arguments)
        expected = {
            'aggregates': [],
            'zones': [],
            'done': [],
            'at_once': 1,
            'share': 25,
            'policy': policies.Policy(),
            'report': mock.ANY,
            **wishes,
        }
        hosts = expected.pop('hosts', [])
        self.asked.assert_called_once_with(hosts, **expected)

    @unit.cases('--share 0', '--share 101', '--share x', '--at-once 0')
    def test_wrong_usage(self, arguments):
        with self.assertRaises(SystemExit) as raised:
            self.run_command(arguments)
        self.assertEqual(exceptions.ExitCode.USAGE, raised.exception.code)
