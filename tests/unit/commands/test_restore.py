# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance restore``, and ``unset --restore``."""

import datetime
import json
from unittest import mock

from osc_hostmaint.commands import mark
from osc_hostmaint.commands import restore as commands
from osc_hostmaint.commands import table
from osc_hostmaint.operations import requests
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.commands import shell
from tests.unit.commands import test_dry_run

WEEK = datetime.timedelta(days=7)
#: What is asked for without options.
DEFAULTS = {
    'since': WEEK,
    'running': None,
    'policy': policies.Policy(per_destination=4),
    'timeout': None,
    'until': None,
    'skip_capacity_check': False,
    'report': mock.ANY,
    'interrupt': mock.ANY,
}
RUNNING = policies.Running
UNTIL = datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC)
result = shell.result
HOME = builders.row('vm1', host='cmp02', destination='cmp01')
SKIPPED = builders.row(
    'vm2',
    phase=server_status.Phase.SKIPPED,
    host='cmp03',
    move='',
    destination='',
    reason='moved to cmp03 after it left cmp01',
    attempts=0,
    seconds=None,
    left_at=builders.mark().since,
)


class TestRestore(shell.CommandTestCase):
    command = commands.RestoreHostMaintenance
    method = 'restore'

    def test_defaults_are_the_apis(self):
        self.assertEqual(requests.SINCE, WEEK)

    @unit.cases(
        ('', {}),
        ('--since 2h', {'since': datetime.timedelta(hours=2)}),
        ('--since 2026-11-20T23:31:07Z', {'since': builders.mark().since}),
        ('--since 2026-11-20T23:31:07', {'since': builders.mark().since}),
        ('--timeout 15m', {'timeout': 900}),
        ('--until 2999-01-01T00:00Z', {'until': UNTIL}),
        ('--skip-capacity-check', {'skip_capacity_check': True}),
        ('--running as-left', {'running': None}),
        *[(f'--running {each}', {'running': each}) for each in RUNNING],
    )
    def test_options(self, arguments, values):
        self.run_command(f'{arguments} cmp01 cmp02')
        self.asked.assert_called_once_with(
            ['cmp01', 'cmp02'], **{**DEFAULTS, **values}
        )

    def test_options_of_moves(self):
        self.run_command(
            '--stopped leave --suspended resume --parallel 9 --retries 0 '
            '--max-failures 1 --on-stall abort --stall-after 5m '
            '--server-timeout 1h --exclude vm1 cmp01'
        )

        self.assertEqual(
            policies.Policy(
                stopped=policies.Stopped.LEAVE,
                suspended=policies.Suspended.RESUME,
                exclude=frozenset({'vm1'}),
                per_destination=9,
                retries=0,
                max_failures=1,
                on_stall=policies.OnStall.ABORT,
                stall_after=300,
                server_timeout=3600,
            ),
            self.asked.call_args.kwargs['policy'],
        )

    def test_the_table(self):
        self.asked.return_value = result(HOME, SKIPPED)
        names, (_first, row) = self.listed('cmp01')
        self.assertEqual(', '.join(table.RESTORE_COLUMNS), names)
        self.assertEqual(
            (
                *('vm2', 'name of vm2', 'cmp03', 'ACTIVE', '', '', 'skipped'),
                *('', 'moved to cmp03 after it left cmp01', 0, None),
                '2026-11-20T23:31:07Z',
            ),
            row,
        )

    @unit.cases(
        (result(), 0),
        (result(HOME, code=3), 3),
        (result(code=1, errors={'cmp01': 'in maintenance'}), 1),
    )
    def test_exit_code(self, ended, code):
        self.asked.return_value = ended
        done = self.run_command('cmp01')
        self.assertEqual(code, done.code)
        self.assertEqual(list(ended.errors.values()), done.errors)

    @unit.cases(
        (True, 'all back (1 moved)'), (False, 'not all back (1 moved)')
    )
    def test_the_last_words(self, done, words):
        def restore(_hosts, *, report, **_options):
            report.publish(builders.ended(HOME, drained=done))
            return result(HOME)

        self.asked.side_effect = restore

        told = self.run_command('cmp01').stderr
        self.assertEqual(f'cmp01: {words}\n', told.partition(' ')[2])


class TestDryRun(shell.CommandTestCase):
    command = commands.RestoreHostMaintenance
    method = 'preview_restore'

    @unit.cases(
        ((test_dry_run.misfit(),), {}, 3),
        ((test_dry_run.staying(skipped=True),), {}, 0),
        ((test_dry_run.row(),), {'cmp02': 'in maintenance'}, 1),
    )
    def test_exit_code(self, rows, errors, code):
        self.asked.return_value = test_dry_run.preview(*rows, errors=errors)
        done = self.run_command(
            '--dry-run -f json --since 1h --running cold cmp01'
        )

        self.assertEqual(code, done.code)
        self.assertEqual(list(errors.values()), done.errors)
        self.assertEqual(len(rows), len(json.loads(done.stdout)))
        self.maintenance.restore.assert_not_called()
        self.asked.assert_called_once_with(
            ['cmp01'],
            since=datetime.timedelta(hours=1),
            running=policies.Running.COLD,
            policy=policies.Policy(per_destination=4),
            report=mock.ANY,
        )

    def test_columns(self):
        row = test_dry_run.row(left_at=builders.mark().since)
        self.asked.return_value = test_dry_run.preview(row)
        done = self.run_command('--dry-run -f json cmp01')
        (shown,) = json.loads(done.stdout)
        self.assertEqual([*table.RESTORE_PREVIEW_COLUMNS], [*shown])
        self.assertEqual('2026-11-20T23:31:07Z', shown['Left At'])
        self.assertIn('room at home', done.stderr)


class TestUnset(shell.CommandTestCase):
    command = mark.UnsetHostMaintenance
    method = 'unset_and_restore'

    def test_restore(self):
        self.asked.return_value = result(HOME)
        done = self.run_command(
            '--restore --until 2999-01-01T00:00Z -f value -c Name cmp01 cmp02'
        )

        self.assertEqual((0, 'name of vm1\n'), (done.code, done.stdout))
        self.asked.assert_called_once_with(
            ['cmp01', 'cmp02'],
            force=False,
            until=UNTIL,
            report=mock.ANY,
            interrupt=mock.ANY,
        )
        self.maintenance.unset.assert_not_called()

    def test_errors_and_exit_code(self):
        errors = {'cmp02': '2 moves are still under way from cmp02'}
        self.asked.return_value = result(HOME, code=1, errors=errors)
        done = self.run_command('--restore cmp01 cmp02')
        self.assertEqual((1, [*errors.values()]), (done.code, done.errors))
        self.assertIn('name of vm1', done.stdout)

    @unit.cases(
        ('--until 2999-01-01T00:00Z', '--until: needs --restore'),
        ('--progress live', '--progress: needs --restore'),
    )
    def test_options_of_a_restore(self, options, words):
        command, parsed = self.parse(f'{options} cmp01')
        with self.logged() as errors:
            self.assertEqual(2, command.run(parsed))
        self.assertEqual([words], errors)
        self.asked.return_value = result(HOME)
        done = self.run_command(f'{options} --restore cmp01')
        self.assertEqual((0, []), (done.code, done.errors))

    def test_without_it_nothing_is_printed(self):
        """Whatever format is asked for."""
        for options in ('', '-f json', '-f value', '-f csv'):
            self.made.reset_mock()
            done = self.run_command(f'{options} cmp01')
            self.assertEqual((0, ''), (done.code, done.stdout))
        self.asked.assert_not_called()
