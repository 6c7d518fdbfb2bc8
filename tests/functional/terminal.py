# SPDX-License-Identifier: Apache-2.0

"""A command that somebody has before them."""

import fcntl
import os
import subprocess
import termios
import threading
import typing as ty

from tests.cloud import waiting
from tests.functional import base


def own() -> None:
    """Make the standard input the terminal that a process belongs to."""
    base.reset_signals()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A command whose stdin and stderr are a terminal, and stdout is not.

    It has to be closed.
    """

    def __init__(
        self, command: ty.Sequence[str], env: ty.Mapping[str, str]
    ) -> None:
        self._ours, theirs = os.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=base.ROOT,
            env=env,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            start_new_session=True,
            preexec_fn=own,
        )
        os.close(theirs)
        self._said = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while chunk := os.read(self._ours, 1024):
                self._said += chunk
        except OSError:
            # That is how a terminal ends whose other side is closed.
            pass

    @property
    def said(self) -> str:
        """All that was written to it, and typed; each line as one word each.

        Lines are broken where the terminal ends.
        """
        return ' '.join(self._said.decode(errors='replace').split())

    def answer(self, question: str, words: str) -> None:
        """Wait for a question, and type the answer."""
        waiting.wait_for(lambda: question in self.said, question)
        os.write(self._ours, words.encode() + b'\n')

    def end(self) -> base.Done:
        """Wait for the end of the command."""
        out, _none = self.process.communicate(timeout=base.LIMIT)
        self._reader.join()
        return base.Done(self.process.returncode, out, self.said)

    def close(self) -> None:
        """End the command if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self._reader.join()
        os.close(self._ours)
