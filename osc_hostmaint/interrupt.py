# SPDX-License-Identifier: Apache-2.0

"""Ctrl-C, SIGTERM and SIGHUP, once and twice."""

from collections import abc
import contextlib
import os
import signal
import types
import typing as ty

from osc_hostmaint.i18n import _

#: What is said after the first signal, by its number.
FIRST: abc.Mapping[int, str] = {
    signal.SIGINT: _(
        '\nInterrupted: nothing new is started; waiting for the moves in '
        'flight. Press Ctrl-C again to stop at once.\n'
    ),
    signal.SIGTERM: _(
        '\nTerminated: nothing new is started; waiting for the moves in '
        'flight. Send SIGTERM again to stop at once.\n'
    ),
    signal.SIGHUP: _(
        '\nHung up: nothing new is started; waiting for the moves in '
        'flight. Send SIGTERM to stop at once.\n'
    ),
}
SECOND = _(
    '\nStopped: the moves in flight continue in Nova. Run the same command '
    'again to follow them.\n'
)


class Interrupt:
    """Turns the first signal into a request and the second into an exception.

    The signals are Ctrl-C (SIGINT), SIGTERM and SIGHUP, each unless it is
    ignored already: ``nohup`` and a shell's ``&`` mean that.
    """

    def __init__(self, stderr: int | None = None):
        """:param stderr: file descriptor for the user; None: be silent."""
        self.requested = False
        #: What the user is to be told now, if signals have come.
        self.message = ''
        #: And what of that is still true when all is over.
        self.last_message = ''
        #: Tells whether somebody else shows that now.
        self.is_shown: abc.Callable[[], bool] = bool
        self._stderr = stderr
        self._asking = False

    def _handle(self, number: int, frame: types.FrameType | None) -> None:
        if self._asking:
            self.requested = True
            raise KeyboardInterrupt
        if not self.requested:
            self.requested = True
            self._say(FIRST[number])
        elif number != signal.SIGHUP and not self.last_message:
            # A third one would only cost the table. A terminal that is closed
            # may send several SIGHUPs: one from the shell, one from the
            # kernel. They are one wish.
            self._say(SECOND)
            self.last_message = self.message
            raise KeyboardInterrupt

    def _say(self, text: str) -> None:
        self.message = text.strip()
        # Not through the stream: it may be in the middle of a write.
        if self._stderr is not None and not self.is_shown():
            with contextlib.suppress(OSError):
                os.write(self._stderr, text.encode())

    @contextlib.contextmanager
    def asking(self) -> abc.Iterator[None]:
        """Raise at any signal meanwhile: a question is not a move."""
        self._asking = True
        try:
            yield
        finally:
            self._asking = False

    @contextlib.contextmanager
    def watching(self) -> abc.Iterator[None]:
        """Handle the signals meanwhile; only in the main thread."""
        with _handled(self._handle):
            yield


def calling(act: abc.Callable[[], object]) -> ty.ContextManager[None]:
    """Have the signals do this, and nothing else; in the main thread."""
    return _handled(lambda _number, _frame: act())


@contextlib.contextmanager
def _handled(
    handler: abc.Callable[[int, types.FrameType | None], object],
) -> abc.Iterator[None]:
    with contextlib.ExitStack() as restored:
        for number in FIRST:
            before = signal.getsignal(number)
            # None: not Python's, so it could not be restored.
            if before not in (signal.SIG_IGN, None):
                signal.signal(number, handler)
                restored.callback(signal.signal, number, before)
        yield
