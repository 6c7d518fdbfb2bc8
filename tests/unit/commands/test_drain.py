# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance drain``."""

import errno
import signal
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint.commands import drain as commands
from osc_hostmaint.engine import reporting
from osc_hostmaint.planning import code
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.recording import writer
from tests import unit
from tests.unit import builders
from tests.unit.commands import shell

HOSTILE = '\x1b[2Jvm\n\u202e[red]'
result = shell.result


class TestDrain(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    @unit.cases(
        # what is typed, what the API gets, the fields of its policy
        ('', {}, {}),
        ('--reason kernel --force', {'reason': 'kernel', 'force': True}, {}),
        ('--timeout 15m', {'timeout': 900}, {}),
        ('--skip-capacity-check', {'skip_capacity_check': True}, {}),
        (
            '--avoid cmp03,cmp04 --avoid cmp05 --to cmp06',
            {},
            {'avoid': frozenset({'cmp03', 'cmp04', 'cmp05'}), 'to': 'cmp06'},
        ),
        # Nobody is asked without a terminal. Live is the same as without it.
        ('--evacuate --running live', {}, {'evacuate': True}),
        ('--evacuate --fenced', {'fenced': True}, {'evacuate': True}),
        (
            '--fenced --leave-stopped --evacuate',
            {'fenced': True},
            {'evacuate': True, 'leave_stopped': True},
        ),
    )
    def test_options(self, typed, options, policy):
        self.assertEqual(0, self.run_command(f'{typed} cmp01 cmp02').code)
        defaults = {
            'reason': None,
            'force': False,
            'fenced': False,
            'confirm': None,
            'timeout': None,
            'until': None,
            'recording': None,
            'skip_capacity_check': False,
            'report': mock.ANY,
            'interrupt': mock.ANY,
            'policy': policies.Policy(**policy),
        }

        self.asked.assert_called_once_with(
            ['cmp01', 'cmp02'], **{**defaults, **options}
        )

    @unit.cases(*exceptions.ExitCode)
    def test_exit_code(self, code):
        self.asked.return_value = result(code=code)
        self.assertEqual(code, self.run_command('cmp01').code)

    def test_columns(self):
        """Frozen: scripts depend on them."""
        self.asked.return_value = result(
            builders.row('vm1', name='vm10', seconds=4.26, attempts=2),
            builders.row(
                'vm2',
                name=HOSTILE,
                status='SUSPENDED',
                move='',
                destination='',
                phase=server_status.Phase.BLOCKED,
                reason='suspended',
                code=code.Code.SUSPENDED,
                attempts=0,
                seconds=None,
            ),
            builders.row('vm3', name='vm9', phase=server_status.Phase.MOVING),
        )
        names, rows = self.listed('cmp01')

        self.assertEqual(
            'Server ID, Name, Host, Status, Move, Destination, Result, '
            'Code, Reason, Attempts, Seconds',
            names,
        )
        self.assertEqual(
            [
                (
                    *('vm2', HOSTILE, 'cmp01', 'SUSPENDED', '', ''),
                    *('blocked', 'suspended', 'suspended', 0, None),
                ),
                # Its drain broke off: what is known is shown.
                (
                    *('vm3', 'vm9', 'cmp01', 'ACTIVE'),
                    *('live migration', 'cmp02', '', '', '', 1, 4.2),
                ),
                (
                    *('vm1', 'vm10', 'cmp01', 'ACTIVE'),
                    *('live migration', 'cmp02', 'moved', '', '', 2, 4.3),
                ),
            ],
            rows,
        )

    def test_errors_and_the_table_are_both_shown(self):
        """The errors harmlessly for a terminal, and none of them twice."""
        errors = {'cmp02': f'Nova says {HOSTILE}', 'cmp03': 'down'}
        errors['cmp04'] = errors['cmp03']
        self.asked.return_value = result(builders.row(), errors=errors, code=1)
        done = self.run_command('cmp01 cmp02 cmp03 cmp04')
        self.assertEqual(1, done.code)
        self.assertEqual(
            [r'Nova says \x1b[2Jvm\n\u202e[red]', 'down'], done.errors
        )
        self.assertIn('vm1', done.stdout)

    def test_a_mistyped_column_is_found_before_anything_is_moved(self):
        """Afterwards the table would be lost."""
        with self.assertRaisesRegex(ValueError, 'Rezult'):
            self.run_command('-c Rezult cmp01')
        self.made.assert_not_called()

    @unit.cases(
        # what is typed, what is said
        ('', 'cmp01: drained (1 moved)\n'),
        ('--evacuate', 'cmp01: evacuated (1 moved)\n'),
    )
    def test_the_end_stands_on_stderr_unless_it_is_quiet(self, typed, words):
        def work(*_args, report, **_kwargs):
            reporting.Publisher(report).publish(builders.ended(builders.row()))
            return result(builders.row())

        self.asked.side_effect = work
        for self.verbose_level, expected in ((1, words), (0, '')):
            self.made.reset_mock()
            done = self.run_command(f'{typed} cmp01')
            # In a log each line begins with the time.
            time, _blank, line = done.stderr.partition(' ')
            self.assertEqual(expected, line)
            self.assertIs(bool(line), time.endswith('Z'))
            self.assertIn('vm1', done.stdout)


class TestWrongUsage(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    @unit.cases(
        # what is typed, what is said
        ('--fenced', '--fenced: can only be used with --evacuate'),
        ('--leave-stopped', '--leave-stopped: can only be used with'),
        ('--leave-stopped --fenced', '--fenced, --leave-stopped: can only'),
        ('--dry-run --fenced', '--fenced: can only be used with --evacuate'),
        ('--evacuate --running cold', '--running: cannot be used with --ev'),
        ('--evacuate --stopped leave', '--stopped: cannot be used with --e'),
        ('--evacuate --suspended shelve', '--suspended: cannot be used with'),
        ('--evacuate --shelved leave', '--shelved: cannot be used with'),
        ('--evacuate --resized confirm', '--resized: cannot be used with'),
        (
            '--evacuate --on-stall abort --stall-after 1h',
            '--on-stall, --stall-after: cannot be used with',
        ),
        ('--save-names', '--save-names: needs --save-observations <file>'),
        ('--dry-run --save-observations x', 'cannot be used with --dry-run'),
        ('--avoid cmp02 --spread scheduler', 'with --spread scheduler'),
        ('--dry-run --avoid cmp02,cmp01', '--avoid: cmp01: a host to drain'),
        ('--evacuate --avoid cmp03 --to cmp03', '--avoid: cmp03: a host to'),
    )
    def test_wrong_usage(self, arguments, words):
        command, parsed = self.parse(f'{arguments} cmp01')
        with self.logged() as errors:
            code = command.run(parsed)
        self.assertEqual(exceptions.ExitCode.USAGE, code)
        (error,) = errors
        self.assertIn(words, error)
        self.assertEqual('', self.stdout.getvalue())
        self.made.assert_not_called()


class TestObservations(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    def setUp(self):
        super().setUp()
        self.asked.side_effect = self.work
        self.path = self.new_folder() / 'seen.jsonl'

    @staticmethod
    def work(*_args, recording, **_kwargs):
        """Let a decision be kept."""
        recording.decided(
            builders.observation([builders.server()]),
            policies.Policy(),
            1000.0,
            builders.decision([builders.row()]),
        )
        return result(builders.row())

    def run_saving(self, *arguments):
        return self.run_command(
            ['--save-observations', str(self.path), *arguments, 'cmp01']
        )

    def test_are_kept_without_names(self):
        done = self.run_saving()
        text = self.path.read_text()
        self.assertEqual(0, done.code)
        self.assertEqual(2, text.count('\n'))
        self.assertIn('"decided"', text)
        self.assertNotIn('name of vm1', text)
        self.assertNotIn('10.0.0.5', text)

    def test_the_file_is_closed(self):
        """Also after an error: another drain may write it then."""
        self.asked.side_effect = exceptions.Refused('no')
        for _time in range(2):
            with self.assertRaises(exceptions.Refused):
                self.run_saving()
            self.made.reset_mock()

    def test_refused(self):
        self.path.write_text('clouds:')
        with self.assertRaisesRegex(
            exceptions.HostMaintenanceError, 'contains something else'
        ):
            self.run_saving()
        self.asked.assert_not_called()
        self.made.assert_not_called()

    def test_a_full_disk_is_told_and_ends_nothing(self):
        full = OSError(errno.ENOSPC, 'No space left on device')
        # The first line can be written.
        writes = mock.patch.object(
            writer.Recording, '_write', side_effect=[None, full]
        )
        with writes, self.assertLogs(commands.LOG, 'WARNING') as logged:
            done = self.run_saving()
        self.assertEqual(0, done.code)
        self.assertIn('vm1', done.stdout)
        (line,) = logged.output
        self.assertIn('No space left on device', line)


class TestCtrlC(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    def setUp(self):
        super().setUp()
        # Whatever started the runner may have it ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

    def test_is_a_wish_at_first_and_the_table_is_printed(self):
        def work(*_args, interrupt, **_kwargs):
            self.assertFalse(interrupt.requested)
            signal.raise_signal(signal.SIGINT)
            self.assertTrue(interrupt.requested)
            return result(builders.row(), code=130)

        self.asked.side_effect = work
        before = signal.getsignal(signal.SIGINT)
        done = self.run_command('cmp01')

        self.assertEqual(130, done.code)
        self.assertIn('vm1', done.stdout)
        self.assertIn('nothing new is started', done.stderr)
        self.assertEqual(before, signal.getsignal(signal.SIGINT))
