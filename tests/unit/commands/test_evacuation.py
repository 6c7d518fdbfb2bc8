# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance drain --evacuate``."""

import contextlib
import functools
import os
import select
import signal
import subprocess

from osc_hostmaint import exceptions
from osc_hostmaint.commands import drain as commands
from tests import unit
from tests.unit.commands import program
from tests.unit.commands import shell
from tests.unit.commands import test_streams as streams


class TestOptions(shell.CommandTestCase):
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


class TestQuestion(streams.ProgramTestCase):
    """The whole program, on a terminal."""

    def ask(self, typed: bytes = b''):
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

    def read(self, terminal, until=b'', again=None):
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

    @unit.cases(
        # what is typed, the answer
        (b'y\n', 'sure'),
        (b'n\n', 'not sure'),
        (b'\n', 'not sure'),
        (b'what?\ny\n', 'sure'),
        # Ctrl-D
        (b'\x04', 'not sure'),
    )
    def test_answer(self, typed, answer):
        _ours, told = self.ask(typed)
        self.wait(self.process)
        self.assertIn(r'Is [bold]cmp\x1b01[/] off? ', told)
        self.assertIn(f'cmp01: {answer}; stop: False', told)
        self.assert_no_surprise(told)

    @unit.cases(b'\x03', signal.SIGTERM, signal.SIGHUP)
    def test_broken_off(self, how):
        """By Ctrl-C, or a signal."""
        ours, _told = self.ask()
        send = functools.partial(self.process.send_signal, how)
        if isinstance(how, bytes):
            send = functools.partial(os.write, ours, how)
        send()
        told = self.read(ours, again=send)

        self.assertEqual(130, self.wait(self.process))
        self.assertIn('cmp01: broken off; stop: True', told)
        # No move is in flight that could be waited for.
        self.assertNotIn('nothing new', told)
        self.assert_no_surprise(told)
