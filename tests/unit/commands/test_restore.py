# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance restore``, and ``unset --restore``."""

import datetime
import json
from unittest import mock

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint.commands import mark
from osc_hostmaint.commands import restore as commands
from osc_hostmaint.engine import loop
from osc_hostmaint.operations import requests
from osc_hostmaint.operations import restore as restore_
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.progress import lines as progress_lines
from tests.unit import builders
from tests.unit.commands import shell
from tests.unit.commands import test_dry_run

Phase = server_status.Phase
Stage = decisions.Stage
WEEK = datetime.timedelta(days=7)
#: What is asked for without options, but for who is told.
DEFAULTS = {
    'since': WEEK,
    'running': None,
    'policy': policies.Policy(per_destination=4),
    'timeout': None,
    'skip_capacity_check': False,
}


def result(*rows, code=0, errors=None):
    """Return how it ended."""
    return loop.DrainResult(rows, errors or {}, exceptions.ExitCode(code))


HOME = builders.row('vm1', host='cmp02', destination='cmp01')
SKIPPED = builders.row(
    'vm2',
    phase=Phase.SKIPPED,
    host='cmp03',
    move='',
    destination='',
    reason='moved to cmp03 after it left cmp01',
    attempts=0,
    seconds=None,
)


@ddt.ddt
class TestRestore(shell.CommandTestCase):
    command = commands.RestoreHostMaintenance

    def setUp(self):
        super().setUp()
        self.maintenance.restore.return_value = result(HOME, SKIPPED)

    def asked(self, arguments=''):
        """Return what the API is asked for."""
        self.run_command(f'{arguments} cmp01')
        ((args, kwargs),) = self.maintenance.restore.call_args_list
        self.assertEqual((['cmp01'],), args)
        self.assertIsInstance(kwargs.pop('report'), progress_lines.Progress)
        self.assertFalse(kwargs.pop('interrupt').requested)
        return kwargs

    def test_defaults(self):
        self.assertEqual(DEFAULTS, self.asked())
        self.assertEqual(restore_.PARALLEL, commands.PARALLEL)
        self.assertEqual(requests.SINCE, DEFAULTS['since'])

    @ddt.data(
        ('--since 2h', {'since': datetime.timedelta(hours=2)}),
        ('--since 30d', {'since': datetime.timedelta(days=30)}),
        ('--timeout 15m', {'timeout': 900}),
        ('--skip-capacity-check', {'skip_capacity_check': True}),
        ('--running as-left', {'running': None}),
        ('--running live', {'running': policies.Running.LIVE}),
        ('--running cold', {'running': policies.Running.COLD}),
        ('--running leave', {'running': policies.Running.LEAVE}),
        (
            '--running live-or-cold',
            {'running': policies.Running.LIVE_OR_COLD},
        ),
    )
    @ddt.unpack
    def test_options(self, arguments, values):
        self.assertEqual({**DEFAULTS, **values}, self.asked(arguments))

    def test_options_of_moves(self):
        asked = self.asked(
            '--stopped leave --suspended resume --parallel 9 --retries 0 '
            '--max-failures 1 --on-stall abort --stall-after 5m '
            '--server-timeout 1h'
        )

        self.assertEqual(
            policies.Policy(
                stopped=policies.Stopped.LEAVE,
                suspended=policies.Suspended.RESUME,
                per_destination=9,
                retries=0,
                max_failures=1,
                on_stall=policies.OnStall.ABORT,
                stall_after=300,
                server_timeout=3600,
            ),
            asked['policy'],
        )

    @ddt.data(
        ('', '<host>'),
        ('cmp01 --since soon', 'is not a duration'),
        ('cmp01 --parallel 0', 'at least 1'),
        ('cmp01 --suspended shelve', 'invalid choice'),
        ('cmp01 --to cmp02', 'unrecognized'),
        ('cmp01 --evacuate', 'unrecognized'),
    )
    @ddt.unpack
    def test_usage(self, arguments, words):
        self.assert_usage(arguments, words)

    def test_the_table(self):
        done = self.run_command('-f json cmp01 cmp02')
        _first, row = json.loads(done.stdout)

        self.assertEqual(0, done.code)
        self.assertEqual(
            [
                *('vm2', 'name of vm2', 'cmp03', 'ACTIVE', '', ''),
                *('skipped', 'moved to cmp03 after it left cmp01', 0, None),
            ],
            list(row.values()),
        )
        self.assertEqual(
            [
                *('Server ID', 'Name', 'Host', 'Status', 'Move'),
                *('Destination', 'Result', 'Reason', 'Attempts', 'Seconds'),
            ],
            list(row),
        )
        ((args, _kwargs),) = self.maintenance.restore.call_args_list
        self.assertEqual((['cmp01', 'cmp02'],), args)

    @ddt.data(
        (result(), 0),
        (result(HOME, code=3), 3),
        (result(HOME, code=4), 4),
        (result(HOME, code=130), 130),
        (result(code=1, errors={'cmp01': 'in maintenance'}), 1),
    )
    @ddt.unpack
    def test_exit_code(self, ended, code):
        self.maintenance.restore.return_value = ended
        done = self.run_command('cmp01')

        self.assertEqual(code, done.code)
        self.assertEqual(list(ended.errors.values()), done.errors)

    @ddt.data((True, 'all back (1 moved)'), (False, 'not all back (1 moved)'))
    @ddt.unpack
    def test_the_last_words(self, done, words):
        def restore(_hosts, *, report, **_options):
            report.publish(builders.ended(HOME, drained=done))
            return result(HOME)

        self.maintenance.restore.side_effect = restore

        self.assertEqual(f'cmp01: {words}\n', self.run_command('cmp01').stderr)

    def test_a_mistyped_column_is_found_before_anything_is_asked(self):
        with self.assertRaisesRegex(ValueError, 'Resalt'):
            self.run_command('-c Resalt cmp01')

        self.made.assert_not_called()

    def test_help(self):
        text = self.help()

        self.assertIn('default: 7d', text)
        self.assertIn('{as-left,live,live-or-cold,cold,leave}', text)
        self.assertIn('(default: as-left)', text)
        self.assertIn('(default: 4)', text)


@ddt.ddt
class TestDryRun(shell.CommandTestCase):
    command = commands.RestoreHostMaintenance

    def run_dry(self, arguments='cmp01'):
        """Type it."""
        done = self.run_command(f'--dry-run {arguments}')
        self.maintenance.restore.assert_not_called()
        return done

    @ddt.data(
        ((test_dry_run.row(),), {}, 0),
        ((), {}, 0),
        ((test_dry_run.misfit(),), {}, 3),
        ((test_dry_run.staying(),), {}, 3),
        ((test_dry_run.staying(skipped=True),), {}, 0),
        ((test_dry_run.row(),), {'cmp02': 'in maintenance'}, 1),
    )
    @ddt.unpack
    def test_exit_code(self, rows, errors, code):
        self.maintenance.preview_restore.return_value = test_dry_run.preview(
            *rows, errors=errors
        )
        done = self.run_dry('-f json --since 1h --running cold cmp01')

        self.assertEqual(code, done.code)
        self.assertEqual(list(errors.values()), done.errors)
        self.assertEqual(len(rows), len(json.loads(done.stdout)))
        self.maintenance.preview_restore.assert_called_once_with(
            ['cmp01'],
            since=datetime.timedelta(hours=1),
            running=policies.Running.COLD,
            policy=policies.Policy(per_destination=4),
        )

    def test_columns(self):
        self.maintenance.preview_restore.return_value = test_dry_run.preview(
            test_dry_run.row()
        )
        done = self.run_dry('-f value -c Fits -c Host cmp01')

        self.assertEqual('cmp01 yes\n', done.stdout)
        self.assertIn('room at home', done.stderr)


class TestUnset(shell.CommandTestCase):
    command = mark.UnsetHostMaintenance

    def test_restore(self):
        self.maintenance.unset_and_restore.return_value = result(HOME)
        done = self.run_command('--restore -f value -c Name cmp01 cmp02')

        self.assertEqual((0, 'name of vm1\n'), (done.code, done.stdout))
        self.maintenance.unset_and_restore.assert_called_once_with(
            ['cmp01', 'cmp02'],
            force=False,
            report=mock.ANY,
            interrupt=mock.ANY,
        )
        self.maintenance.unset.assert_not_called()

    def test_errors_and_exit_code(self):
        self.maintenance.unset_and_restore.return_value = result(
            HOME,
            code=1,
            errors={'cmp02': '2 moves are still under way from cmp02'},
        )
        done = self.run_command('--restore cmp01 cmp02')

        self.assertEqual(1, done.code)
        self.assertEqual(
            ['2 moves are still under way from cmp02'], done.errors
        )
        self.assertIn('name of vm1', done.stdout)

    def test_without_it_nothing_is_printed(self):
        """Whatever format is asked for."""
        for options in ('', '-f json', '-f value', '-f csv'):
            self.made.reset_mock()
            done = self.run_command(f'{options} cmp01')

            self.assertEqual((0, ''), (done.code, done.stdout))
        self.maintenance.unset_and_restore.assert_not_called()
