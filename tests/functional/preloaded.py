# SPDX-License-Identifier: Apache-2.0

"""The ``openstack`` command without the seconds of its start.

A server has imported everything once, and forks for each command::

    python -m tests.functional.preloaded <socket>
    python -S -E tests/functional/preloaded.py <socket> <argument>...

The second one is the command: the fork has its environment, its streams and
its exit code. It is for commands that other programs start; tests themselves
have ``run_command``.
"""

from collections import abc
import json
import os
import selectors
import socket
import sys

_STREAMS = (0, 1, 2)


def call(path: str, argv: list[str]) -> int:
    """Have the server run a command, and return its exit code."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [b'.'], _STREAMS)
        with connection.makefile('rw') as stream:
            json.dump([argv, dict(os.environ)], stream)
            stream.write('\n')
            stream.flush()
            return int(stream.readline() or 1)


def serve(path: str) -> None:
    """Run commands until standard input ends."""
    from openstack import connection as _sdk  # noqa: F401
    from openstackclient import shell as _shell  # noqa: F401

    from osc_hostmaint.commands import drain  # noqa: F401
    from osc_hostmaint.commands import mark  # noqa: F401
    from osc_hostmaint.commands import plan  # noqa: F401
    from osc_hostmaint.commands import restore  # noqa: F401
    from osc_hostmaint.commands import status  # noqa: F401
    from osc_hostmaint.operations import maintenance  # noqa: F401
    from osc_hostmaint.progress import run  # noqa: F401
    from tests import openstack

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        selector = selectors.DefaultSelector()
        selector.register(listener, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while 0 not in {key.fd for key, _events in selector.select()}:
            connection, _address = listener.accept()
            # Forked twice, so that nobody has to wait for it.
            if (child := os.fork()) == 0:
                if os.fork() == 0:
                    _run(connection, openstack.main)
                os._exit(0)
            os.waitpid(child, 0)
            connection.close()


def _run(connection: socket.socket, main: abc.Callable[[], int]) -> None:
    code = 1
    try:
        _data, streams, _flags, _address = socket.recv_fds(connection, 1, 3)
        for there, here in zip(streams, _STREAMS, strict=True):
            os.dup2(there, here)
        # They may have been of another kind: files, where these are pipes.
        sys.stdout = open(1, 'w', closefd=False)  # noqa: SIM115
        sys.stderr = open(2, 'w', closefd=False)  # noqa: SIM115
        with connection.makefile('rw') as stream:
            argv, environ = json.loads(stream.readline())
            os.environ.clear()
            os.environ.update(environ)
            sys.argv[1:] = argv
            try:
                code = main()
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 1
            sys.stdout.flush()
            sys.stderr.flush()
            stream.write(f'{code}\n')
    finally:
        os._exit(0)


if __name__ == '__main__':
    if sys.flags.no_site:
        sys.exit(call(sys.argv[1], sys.argv[2:]))
    serve(sys.argv[1])
