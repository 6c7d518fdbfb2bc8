# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance drain --evacuate``."""

import collections.abc
import contextlib
import functools
import os
import select
import signal
import subprocess

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint.commands import drain as commands
from osc_hostmaint.engine import loop
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import status as server_status
from tests.unit import builders
from tests.unit.commands import program
from tests.unit.commands import shell
from tests.unit.commands import test_streams as streams


@ddt.ddt
class TestOptions(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    def setUp(self):
        super().setUp()
        self.maintenance.drain.return_value = loop.DrainResult(
            (), {}, exceptions.ExitCode.DONE
        )

    def options(self):
        """Return what the API was asked to drain with."""
        (call,) = self.maintenance.drain.call_args_list
        return call.kwargs

    @ddt.data(
        # what is typed, what the API gets
        ('--evacuate', {'evacuate': True}, False),
        ('--evacuate --fenced', {'evacuate': True}, True),
        (
            '--fenced --leave-stopped --evacuate',
            {'evacuate': True, 'leave_stopped': True},
            True,
        ),
        # The same as without it.
        ('--evacuate --running live', {'evacuate': True}, False),
        (
            '--evacuate --parallel 3 --to cmp09 --retries 0',
            {'evacuate': True, 'parallel': 3, 'to': 'cmp09', 'retries': 0},
            False,
        ),
    )
    @ddt.unpack
    def test_together(self, arguments, policy, fenced):
        self.assertEqual(0, self.run_command(f'{arguments} cmp01').code)

        self.assertEqual(policies.Policy(**policy), self.options()['policy'])
        self.assertIs(fenced, self.options()['fenced'])

    @ddt.data(
        # what is typed, what is said
        ('--fenced', '--fenced: can only be used with --evacuate'),
        (
            '--leave-stopped',
            '--leave-stopped: can only be used with --evacuate',
        ),
        ('--leave-stopped --fenced', '--fenced, --leave-stopped: can only'),
        ('--dry-run --fenced', '--fenced: can only be used with --evacuate'),
        (
            '--evacuate --running cold',
            '--running: cannot be used with --evacuate',
        ),
        (
            '--evacuate --stopped leave',
            '--stopped: cannot be used with --evacuate',
        ),
        ('--evacuate --suspended shelve', '--suspended: cannot be used with'),
        ('--evacuate --shelved leave', '--shelved: cannot be used with'),
        ('--evacuate --resized confirm', '--resized: cannot be used with'),
        (
            '--evacuate --on-stall abort --stall-after 1h',
            '--on-stall, --stall-after: cannot be used with',
        ),
    )
    @ddt.unpack
    def test_wrong_usage(self, arguments, words):
        command, parsed = self.parse(f'{arguments} cmp01')
        with self.logged() as errors:
            code = command.run(parsed)

        self.assertEqual(exceptions.ExitCode.USAGE, code)
        (error,) = errors
        self.assertIn(words, error)
        self.assertEqual('', self.stdout.getvalue())
        self.made.assert_not_called()

    def test_nobody_is_asked_without_a_terminal(self):
        self.run_command('--evacuate cmp01')

        self.assertIsNone(self.options()['confirm'])

    def test_what_is_told_in_the_end(self):
        def work(*_args, report, **_kwargs):
            row = builders.row(phase=server_status.Phase.FAILED)
            report.publish(builders.ended(row, drained=False))
            report.publish(builders.ended(host='cmp02'))
            return loop.DrainResult((), {}, exceptions.ExitCode.LEFT)

        self.maintenance.drain.side_effect = work
        done = self.run_command('--evacuate cmp01 cmp02')

        self.assertEqual(
            'cmp01: not evacuated (1 failed)\ncmp02: evacuated\n', done.stderr
        )

    def test_help(self):
        for words in ('You vouch', 'have died', 'local disks', 'had'):
            self.assertIn(words, self.help())


@ddt.ddt
class TestQuestion(streams.ProgramTestCase):
    """The whole program, on a terminal."""

    def ask(self, typed: bytes = b''):
        """Start a drain that asks, and type an answer."""
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        self.process = self.start(
            *('ask', '--evacuate', '-f', 'json'),
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            terminal=theirs,
        )
        os.close(theirs)
        told = self.read(ours, until=b'[y/n]')
        if typed:
            os.write(ours, typed)
            told += self.read(ours)
        return ours, told

    def read(
        self,
        terminal: int,
        until: bytes = b'',
        again: collections.abc.Callable[[], object] | None = None,
    ) -> str:
        """Return what is shown, until some words or the end.

        :param again: interrupts the program once more if it says nothing:
            Python misses a signal that comes just before it begins to read.
        """
        told = b''
        # EIO: nobody has the other end open any more.
        with contextlib.suppress(OSError):
            while not until or until not in told:
                if not select.select([terminal], [], [], program.LIMIT)[0]:
                    self.assertTrue(again, f'nothing came after {told!r}')
                    again, once_more = None, again
                    once_more()
                    continue
                part = os.read(terminal, 4096)
                if not part:
                    break
                told += part
        return told.decode()

    @ddt.data(
        # what is typed, the answer
        (b'y\n', 'sure'),
        (b'n\n', 'not sure'),
        (b'\n', 'not sure'),
        (b'what?\ny\n', 'sure'),
        # Ctrl-D
        (b'\x04', 'not sure'),
    )
    @ddt.unpack
    def test_answer(self, typed, answer):
        _ours, told = self.ask(typed)
        self.wait(self.process)

        self.assertIn(r'Is [bold]cmp\x1b01[/] off? ', told)
        self.assertIn(f'cmp01: {answer}; stop: False', told)
        self.assert_no_surprise(told)

    def test_ctrl_c(self):
        ours, _told = self.ask()
        press = functools.partial(os.write, ours, b'\x03')
        press()
        told = self.read(ours, again=press)

        self.assertEqual(130, self.wait(self.process))
        self.assertIn('cmp01: broken off; stop: True', told)
        # No move is in flight that could be waited for.
        self.assertNotIn('nothing new', told)
        self.assert_no_surprise(told)

    @ddt.data(signal.SIGTERM, signal.SIGHUP)
    def test_other_signals(self, number):
        ours, _told = self.ask()
        send = functools.partial(self.process.send_signal, number)
        send()

        told = self.read(ours, again=send)
        self.assertIn('broken off; stop: True', told)
        self.assertEqual(130, self.wait(self.process))
