# SPDX-License-Identifier: Apache-2.0

"""A shell in a terminal, in which the commands of a page are typed."""

from collections import abc
import contextlib
import fcntl
import os
import pathlib
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import typing as ty

import pyte

from tests.pages import blocks

_ROWS = 30
#: A screen that never scrolls, and never breaks a line: where lines are too
#: long for a page, they are folded between words.
_TALL, _WIDE = 1000, 5000
#: No command may take longer, in seconds.
_LIMIT = 240.0
#: Stands before and after an exit code.
_MARK = '\x1e'
_END = re.compile(rf'{_MARK}(\d+){_MARK}'.encode())
#: Runs one script after the other, as an interactive shell does: $? and
#: functions stay, and Ctrl-C ends the command alone.
_LOOP = """
trap : INT
code=0
while IFS= read -r script <&3; do
    (exit $code)
    . "$script"
    code=$?
    printf '\\036%s\\036' "$code"
done 3< "$1"
"""


class Ended(ty.NamedTuple):
    """How a command ended.

    :ivar seen: what stood on the screen when it was looked at.
    """

    code: int
    text: str
    seen: str


class Session:
    """It has to be closed."""

    def __init__(self, env: abc.Mapping[str, str], where: pathlib.Path):
        self._stack = contextlib.ExitStack()
        self._scripts = pathlib.Path(
            self._stack.enter_context(tempfile.TemporaryDirectory())
        )
        pipe = self._scripts / 'pipe'
        os.mkfifo(pipe)
        self._ours, theirs = os.openpty()
        size = struct.pack('HHHH', _ROWS, blocks.COLUMNS, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        self._process = subprocess.Popen(
            ['sh', '-c', _LOOP, 'sh', str(pipe)],
            cwd=where,
            env={**env, 'TERM': 'xterm'},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_own,
        )
        os.close(theirs)
        self._pipe = self._stack.enter_context(pipe.open('w'))

    def run(
        self,
        script: str,
        look_at: abc.Sequence[str] = (),
        interrupt_at: abc.Sequence[str] = (),
    ) -> Ended:
        """Run a script, and return how it ended.

        :param look_at: look at the screen when it has all of these words.
        :param interrupt_at: press Ctrl-C when it has all of these words.
        """
        path = self._scripts / 'script'
        path.write_text(script)
        print(path, file=self._pipe, flush=True)
        screen = pyte.Screen(_WIDE, _TALL)
        stream = pyte.ByteStream(screen)
        seen = ''
        tail = b''
        deadline = time.monotonic() + _LIMIT
        while True:
            tail += self._read(deadline, screen)
            if end := _END.search(tail):
                stream.feed(tail[: end.start()])
                break
            whole, mark, tail = tail.partition(_MARK.encode())
            stream.feed(whole)
            tail = mark + tail
            if look_at and all(word in _text(screen) for word in look_at):
                seen, look_at = _text(screen), ()
            if interrupt_at and all(
                word in _text(screen) for word in interrupt_at
            ):
                interrupt_at = ()
                os.write(self._ours, b'\x03')
        text = _text(screen)
        if missed := [*look_at, *interrupt_at]:
            raise AssertionError(f'{script}never showed {missed}:\n{text}')
        return Ended(int(end[1]), text, seen)

    def _read(self, deadline: float, screen: pyte.Screen) -> bytes:
        left = max(0.0, deadline - time.monotonic())
        if not select.select([self._ours], [], [], left)[0]:
            raise AssertionError(f'it takes too long:\n{_text(screen)}')
        return os.read(self._ours, 4096)

    def close(self) -> None:
        """End the shell, and what runs in it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._ours)
        self._stack.close()


def _text(screen: pyte.Screen) -> str:
    # Screen.display looks at every cell, and almost all are empty.
    lines = [''] * (max(screen.buffer, default=-1) + 1)
    for y in list(screen.buffer):
        row = screen.buffer[y]
        cells = (row[x].data for x in range(max(row, default=-1) + 1))
        lines[y] = ''.join(cells).rstrip()
    return '\n'.join(lines).rstrip()


def _own() -> None:
    """Make the standard input the terminal of a process.

    Ctrl-C has its usual effect there, whatever started the tests.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
