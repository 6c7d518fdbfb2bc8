# SPDX-License-Identifier: Apache-2.0

import contextlib
import fcntl
import functools
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios

from osc_hostmaint import text
from tests import unit
from tests.unit.commands import program

#: What is always shown, and what else there is room for.
FEW = ('Name', 'Result', 'Code')
MORE = ('Name', 'Status', 'Move', 'Destination', 'Result', 'Code')
WIDE = 132
#: As a shell says that SIGPIPE ended a program.
SIGPIPE = 141
STREAMS = {
    'stdin': subprocess.DEVNULL,
    'stdout': subprocess.PIPE,
    'stderr': subprocess.PIPE,
}
#: What Python and OSC say when they are surprised.
SURPRISES = ('Traceback', 'Exception ignored', 'BrokenPipe', 'Errno 32')


class ProgramTestCase(unit.TestCase):
    """A test of the whole program, and how it treats who listens."""

    def setUp(self) -> None:
        self.done = self.new_folder() / 'done'

    def start(self, work, *arguments, ignored=(), terminal=None, **streams):
        """Start a drain.

        :param terminal: becomes the one that the program is controlled by.
        """

        def prepare() -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                handler = signal.SIG_DFL
                if number in ignored:
                    handler = signal.SIG_IGN
                signal.signal(number, handler)
            if terminal is not None:
                fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

        process = subprocess.Popen(
            [
                *(sys.executable, '-m', program.__name__),
                *(work, str(self.done), *arguments, 'cmp01'),
            ],
            env={**os.environ, 'PYTHONWARNINGS': 'ignore', 'LC_ALL': 'C.utf8'},
            start_new_session=terminal is not None,
            preexec_fn=prepare,
            **{**STREAMS, **streams},
        )
        self.addCleanup(self._reap, process)
        return process

    @staticmethod
    def _reap(process: 'subprocess.Popen[bytes]') -> None:
        with process:
            process.kill()

    def wait(self, process: 'subprocess.Popen[bytes]') -> int:
        """Return the exit code of a drain that went on to its end."""
        code = process.wait(timeout=2 * program.LIMIT)
        self.assertTrue(self.done.exists(), 'the drain itself broke off')
        return code

    def assert_no_surprise(self, told: str) -> None:
        for words in SURPRISES:
            self.assertNotIn(words, told)


class TestBrokenPipes(ProgramTestCase):
    def test_both_into_head(self):
        """``2>&1 | head -1``."""
        process = self.start('talk', stderr=subprocess.STDOUT)
        first = process.stdout.readline()
        process.stdout.close()
        self.assertIn(b'Z cmp01: xxx', first)
        self.assertEqual(SIGPIPE, self.wait(process))

    def test_stdout_nobody_reads(self):
        process = self.start('talk')
        process.stdout.close()
        err = process.stderr.read().decode()
        self.assertEqual(SIGPIPE, self.wait(process))
        self.assertIn('not drained (8 failed)', err)
        self.assert_no_surprise(err)

    def test_stderr_nobody_reads(self):
        """The table is there, and the exit code is the drain's."""
        process = self.start('talk', '-f', 'json')
        process.stderr.close()
        out = process.stdout.read()
        self.assertEqual(3, self.wait(process))
        self.assertEqual(len(program.HOSTILE), len(json.loads(out)))

    def test_a_full_disk(self):
        with open('/dev/full', 'wb') as full:
            process = self.start('talk', stdout=full)
        err = process.stderr.read().decode()
        self.assertEqual(1, self.wait(process))
        self.assertIn('No space left on device\n', err)
        self.assert_no_surprise(err)

    def test_streams_that_were_never_open(self):
        """``>&- 2>&-``."""
        for closed in (1, 2):
            shell = f'exec "$@" {closed}>&-'
            self.done.unlink(missing_ok=True)
            done = subprocess.run(
                [
                    *('sh', '-c', shell, 'sh', sys.executable, '-m'),
                    *(program.__name__, 'talk', str(self.done), 'cmp01'),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual(3, done.returncode, done.stderr)
            self.assertTrue(self.done.exists())
            self.assert_no_surprise(done.stderr)
            told = done.stdout if closed == 2 else done.stderr
            self.assertIn('failed', told)


class TestTerminal(ProgramTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ours, self.theirs = os.openpty()
        self.addCleanup(self.close)

    def close(self) -> None:
        for name in ('ours', 'theirs'):
            if (fd := getattr(self, name)) is not None:
                os.close(fd)
                setattr(self, name, None)

    def start_here(self, *arguments: str, columns: int = 80, **kwargs):
        size = struct.pack('HHHH', 50, columns, 0, 0)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, size)
        process = self.start(
            *arguments,
            stdout=self.theirs,
            stderr=self.theirs,
            terminal=self.theirs,
            **kwargs,
        )
        os.close(self.theirs)
        self.theirs = None
        return process

    def shown(self) -> str:
        """Return all that is shown until the program ends."""
        told = b''
        # EIO: nobody has the other end open any more.
        with contextlib.suppress(OSError):
            while part := os.read(self.ours, 4096):
                told += part
        return told.decode().replace('\r\n', '\n')

    def read_until(self, words: bytes) -> None:
        told = b''
        while words not in told:
            told += os.read(self.ours, 4096)

    @unit.cases(80, WIDE)
    def test_hostile_names_and_reasons(self, columns):
        lines = ('--progress', 'lines')
        process = self.start_here('wait', *lines, columns=columns)
        self.read_until(b'ready')
        process.send_signal(signal.SIGINT)
        shown = self.shown()

        self.assertEqual(130, self.wait(process))
        self.assertTrue(shown.replace('\n', '').isprintable(), shown)
        table = [
            line for line in shown.splitlines() if line.startswith(('+', '|'))
        ]
        self.assertLess(len(program.HOSTILE), len(table))
        for line in table:
            # Nothing is left of it: the line is not cut.
            self.assertEqual(line, text.shorten(line, columns))
        together = ''.join(table)
        for words in ('[bold', 'x1b[2J', 'u202e', 'データ', '=cmd|'):
            self.assertIn(words, together)

    @unit.cases(
        # the width, what is typed, the columns
        (80, (), FEW),
        (80, ('--dry-run',), ('Name', 'Fits', 'Code')),
        (80, ('-c', 'Name', '-c', 'Attempts'), ('Name', 'Attempts')),
        (WIDE, (), MORE),
    )
    def test_columns(self, columns, arguments, expected):
        process = self.start_here('talk', *arguments, columns=columns)
        shown = self.shown()
        self.wait(process)
        header = next(li for li in shown.splitlines() if li.startswith('|'))
        names = [name.strip() for name in header.strip('|').split('|')]
        self.assertEqual(list(expected), names)
        told = 'No valid host was found for' in shown.partition('+--')[2]
        self.assertIs(
            '--dry-run' not in arguments and '-c' not in arguments, told
        )

    def test_is_closed(self):
        """Like one Ctrl-C: what is in flight is awaited."""
        process = self.start_here('wait')
        self.read_until(b'ready')
        self.close()
        self.assertEqual(130, self.wait(process))


class TestQuestion(ProgramTestCase):
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
