# SPDX-License-Identifier: Apache-2.0

"""The ``openstack`` command without the seconds that it takes to start.

``python -m tests.preloaded <socket>`` has all modules loaded, and makes a copy
of itself for each command that ``python -S <this file> <socket> ...`` asks
for: with the files, the environment and the working directory of that. Where
both share a terminal, it is interrupted by Ctrl-C as any other command.

For commands that other programs start; tests themselves run them in their own
process (tests/functional/shell.py).
"""

import contextlib
import json
import os
import signal
import socket
import sys
import traceback

_FDS = (0, 1, 2)
_MOST = 65536
_INTERRUPTS = (signal.SIGINT, signal.SIGHUP)


def ask(path: str, words: list[str]) -> int:
    """Have a command run with our files, and return its exit code."""
    for number in _INTERRUPTS:
        # It is for the command itself to say what becomes of it.
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(path)
        wanted = {
            'words': words,
            'env': dict(os.environ),
            'where': os.getcwd(),
        }
        socket.send_fds(connection, [json.dumps(wanted).encode()], _FDS)
        answer = connection.recv(_MOST)
    return int(answer)


def serve(path: str) -> None:
    """Run the commands that are asked for, until we are ended."""
    _load()
    for number in _INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    # Nobody waits for those that run the commands.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path + '.part')
        listener.listen()
        # The sign that it is ready.
        os.rename(path + '.part', path)
        while True:
            connection, _address = listener.accept()
            with connection:
                if not os.fork():
                    _answer(connection)


def _answer(connection: socket.socket) -> None:
    """Run a command, send its exit code, and end."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        text, fds, _flags, _address = socket.recv_fds(
            connection, _MOST, len(_FDS)
        )
        child = os.fork()
        if not child:
            _become(json.loads(text), fds)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.send(str(code).encode())
    finally:
        os._exit(0)


def _load() -> None:
    """Load what commands load when they run."""
    from keystoneauth1.identity import generic  # noqa: F401
    from openstackclient.compute.v2 import server  # noqa: F401

    from osc_hostmaint import api  # noqa: F401
    from osc_hostmaint.commands import drain  # noqa: F401
    from osc_hostmaint.commands import mark  # noqa: F401
    from osc_hostmaint.commands import plan  # noqa: F401
    from osc_hostmaint.commands import restore  # noqa: F401
    from osc_hostmaint.commands import status  # noqa: F401
    from osc_hostmaint.progress import run  # noqa: F401
    from tests import openstack  # noqa: F401


def _become(wanted: dict[str, object], fds: list[int]) -> None:
    """Be a command, and end with it."""
    code = 1
    try:
        for ours, theirs in zip(_FDS, fds, strict=True):
            os.dup2(theirs, ours)
            os.close(theirs)
        # They may be of another kind: pipes, where ours are files.
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = open(1, 'w', closefd=False)  # noqa: SIM115
        sys.stderr = open(2, 'w', 1, closefd=False)  # noqa: SIM115
        for number in _INTERRUPTS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(wanted['env'])  # type: ignore[call-overload]
        os.chdir(str(wanted['where']))
        sys.argv[1:] = wanted['words']  # type: ignore[assignment]
        from tests import openstack

        code = openstack.main() or 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for each in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                each.flush()
        os._exit(code)


if __name__ == '__main__':
    if __package__:
        serve(sys.argv[1])
    else:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
