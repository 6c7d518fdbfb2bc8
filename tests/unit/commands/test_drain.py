# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance drain``."""

import errno
import json
import pathlib
import signal
import tempfile
from unittest import mock

import ddt

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint.commands import drain as commands
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import reporting
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.recording import writer
from tests.unit import builders
from tests.unit.commands import shell

HOSTILE = '\x1b[2Jvm\n\u202e[red]'


def result(*rows, errors=None, code=exceptions.ExitCode.DONE):
    """Return how a drain ended."""
    return loop.DrainResult(rows, errors or {}, code)


@ddt.ddt
class TestDrain(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    def setUp(self):
        super().setUp()
        self.maintenance.drain.return_value = result()

    def asked(self):
        """Return what the API was asked for."""
        (call,) = self.maintenance.drain.call_args_list
        return call

    def test_defaults(self):
        self.run_command('cmp01')

        self.assertEqual((['cmp01'],), self.asked().args)
        options = dict(self.asked().kwargs)
        del options['report'], options['interrupt']
        self.assertEqual(
            {
                'reason': None,
                'force': False,
                'policy': policies.Policy(),
                'fenced': False,
                'confirm': None,
                'timeout': None,
                'recording': None,
                'skip_capacity_check': False,
            },
            options,
        )

    def test_options(self):
        self.run_command(
            '--reason kernel --force --to cmp09 --timeout 15m '
            '--skip-capacity-check cmp01 cmp02'
        )

        self.assertEqual((['cmp01', 'cmp02'],), self.asked().args)
        options = self.asked().kwargs
        self.assertEqual('kernel', options['reason'])
        self.assertTrue(options['force'])
        self.assertEqual('cmp09', options['policy'].to)
        self.assertEqual(900, options['timeout'])
        self.assertTrue(options['skip_capacity_check'])

    @ddt.data(*exceptions.ExitCode)
    def test_exit_code(self, code):
        self.maintenance.drain.return_value = result(code=code)

        self.assertEqual(code, self.run_command('cmp01').code)

    def test_columns(self):
        """Frozen: scripts depend on them."""
        self.maintenance.drain.return_value = result(
            builders.row('vm1', seconds=4.26, attempts=2),
            builders.row(
                'vm2',
                name=HOSTILE,
                status='SUSPENDED',
                move='',
                destination='',
                phase=server_status.Phase.BLOCKED,
                reason='suspended',
                attempts=0,
                seconds=None,
            ),
        )
        done = self.run_command('-f json cmp01')

        first, second = json.loads(done.stdout)

        self.assertEqual(
            [
                *('Server ID', 'Name', 'Host', 'Status', 'Move'),
                *('Destination', 'Result', 'Reason', 'Attempts', 'Seconds'),
            ],
            list(first),
        )
        self.assertEqual(
            [
                *('vm1', 'name of vm1', 'cmp01', 'ACTIVE', 'live migration'),
                *('cmp02', 'moved', '', 2, 4.3),
            ],
            list(first.values()),
        )
        self.assertEqual(
            [
                *('vm2', HOSTILE, 'cmp01', 'SUSPENDED', ''),
                *('', 'blocked', 'suspended', 0, None),
            ],
            list(second.values()),
        )

    def test_a_row_without_a_result(self):
        """A host whose drain broke off: what is known is told."""
        self.maintenance.drain.return_value = result(
            builders.row(phase=server_status.Phase.MOVING)
        )
        rows = json.loads(self.run_command('-f json cmp01').stdout)

        self.assertEqual('', rows[0]['Result'])

    def test_errors_and_the_table_are_both_told(self):
        self.maintenance.drain.return_value = result(
            builders.row(),
            errors={'cmp02': 'disabled by somebody else', 'cmp03': 'down'},
            code=exceptions.ExitCode.FAILED,
        )
        done = self.run_command('cmp01 cmp02 cmp03')

        self.assertEqual(1, done.code)
        self.assertEqual(['disabled by somebody else', 'down'], done.errors)
        self.assertIn('vm1', done.stdout)

    def test_errors_are_harmless_for_a_terminal(self):
        self.maintenance.drain.return_value = result(
            errors={'cmp01': f'Nova says {HOSTILE}'},
            code=exceptions.ExitCode.FAILED,
        )
        done = self.run_command('cmp01')

        self.assertEqual([r'Nova says \x1b[2Jvm\n\u202e[red]'], done.errors)

    def test_a_mistyped_column_is_found_before_anything_is_moved(self):
        """Afterwards the table would be lost."""
        with self.assertRaisesRegex(ValueError, 'Rezult'):
            self.run_command('-c Rezult cmp01')

        self.made.assert_not_called()

    def test_usage(self):
        self.assert_usage('', '<host>')
        self.assert_usage('--timeout soon cmp01', '15m')

    def test_help_tells_the_exit_codes(self):
        for words in (
            *('0 if every host is drained', '1 if', '3 if servers are left'),
            *('4 if --timeout', '130 if it was interrupted'),
            *('--parallel <n>', '--timeout <duration>', '--save-names'),
            *('--dry-run', '--skip-capacity-check'),
            *('--evacuate', '--fenced', '--leave-stopped'),
        ):
            self.assertIn(words, self.help())


class TestObservations(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    def setUp(self):
        super().setUp()
        self.maintenance.drain.side_effect = self.work
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(self.folder, 'seen.jsonl')
        self.recording = None

    def work(self, *_args, recording, **_kwargs):
        """Let a decision be kept."""
        self.recording = recording
        if recording:
            recording.decided(
                builders.observation([builders.server()]),
                policies.Policy(),
                1000.0,
                builders.decision([builders.row()]),
            )
        return result(builders.row())

    def run_saving(self, *arguments):
        """Drain, and keep what is seen."""
        return self.run_command(
            ['--save-observations', str(self.path), *arguments, 'cmp01']
        )

    def test_are_not_kept_unless_asked_for(self):
        self.run_command('cmp01')

        self.assertIsNone(self.recording)
        self.assertEqual([], list(pathlib.Path(self.folder).iterdir()))

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
        self.maintenance.drain.side_effect = exceptions.Refused('no')
        for _time in range(2):
            with self.assertRaises(exceptions.Refused):
                self.run_saving()
            self.made.reset_mock()

    def test_a_file_that_can_not_be(self):
        self.path.write_text('clouds:')
        with self.assertRaisesRegex(
            exceptions.HostMaintenanceError, 'contains something else'
        ):
            self.run_saving()

        self.maintenance.drain.assert_not_called()
        self.made.assert_not_called()

    def test_names_alone(self):
        with self.assertRaisesRegex(
            exceptions.HostMaintenanceError, '--save-observations <file>'
        ):
            self.run_command('--save-names cmp01')

        self.maintenance.drain.assert_not_called()

    def test_a_full_disk_is_told_and_ends_nothing(self):
        def work(*args, recording, **kwargs):
            full = OSError(errno.ENOSPC, 'No space left on device')
            with mock.patch.object(
                writer.Recording, '_write', side_effect=full
            ):
                return self.work(*args, recording=recording, **kwargs)

        self.maintenance.drain.side_effect = work
        with mock.patch.object(commands.LOG, 'warning') as warning:
            done = self.run_saving()

        self.assertEqual(0, done.code)
        self.assertIn('vm1', done.stdout)
        (call,) = warning.call_args_list
        self.assertIn('No space left on device', call.args[1])


class TestProgress(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    def told(self):
        """Return what stands on stderr after a decision and an end."""

        def work(*_args, report, **_kwargs):
            decision = builders.decision([builders.row()], done=True)
            publisher = reporting.Publisher(report)
            for event in events.between('cmp01', None, decision):
                publisher.publish(event)
            return result(builders.row())

        self.maintenance.drain.side_effect = work
        done = self.run_command('cmp01')
        self.assertIn('vm1', done.stdout)
        return done.stderr

    def test_stands_on_stderr(self):
        told = self.told()

        self.assertIn('cmp01: 1 server (', told)
        self.assertIn('cmp01: drained', told)

    def test_is_silenced_by_quiet(self):
        self.verbose_level = 0

        self.assertEqual('', self.told())


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
            return result(builders.row(), code=exceptions.ExitCode.INTERRUPTED)

        self.maintenance.drain.side_effect = work
        before = signal.getsignal(signal.SIGINT)
        done = self.run_command('cmp01')

        self.assertEqual(130, done.code)
        self.assertIn('vm1', done.stdout)
        self.assertIn('nothing new is started', done.stderr)
        self.assertEqual(before, signal.getsignal(signal.SIGINT))
