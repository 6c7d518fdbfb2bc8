# SPDX-License-Identifier: Apache-2.0

"""The ``openstack`` command within this process."""

from collections import abc
import contextlib
import io
import logging
import os
import typing as ty
from unittest import mock
import warnings

from openstackclient import shell
from osc_lib import clientmanager

from tests import openstack
from tests import scaling

#: All durations of the tool are multiplied by this: Nova's own are also
#: shorter in the embedded cloud.
FACTOR = float(os.environ.get(openstack.FACTOR, '0.25'))


@contextlib.contextmanager
def _logging_restored() -> ty.Iterator[None]:
    """Keep the handlers and levels of the loggers that a command changes."""
    root = logging.getLogger()
    names = ('cliff', 'iso8601', 'requests', 'stevedore')
    loggers = [root, *map(logging.getLogger, names)]
    levels = [logger.level for logger in loggers]
    handlers = root.handlers[:]
    # Otherwise the test runner would format each line of debugging.
    root.handlers[:] = []
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _forget_clients() -> None:
    """Have each command make its own clients.

    ``osc-lib`` keeps them with its class, as a process runs the commands of
    one user.
    """
    for attribute in vars(clientmanager.ClientManager).values():
        if isinstance(attribute, clientmanager.ClientCache):
            attribute._handle = None


def run(argv: list[str], env: abc.Mapping[str, str]) -> tuple[int, str, str]:
    """Run a command, and return its exit code, its stdout and its stderr.

    This saves the second of CPU time that a process needs to start. Signals,
    terminals and pipes need a real one.
    """
    stdout, stderr = io.StringIO(), io.StringIO()
    _forget_clients()
    with (
        mock.patch.dict(os.environ, env),
        warnings.catch_warnings(),
        _logging_restored(),
        scaling.scaled(FACTOR),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        try:
            code = shell.main(argv)
        except SystemExit as error:
            # This is how argparse reports wrong usage.
            code = error.code if isinstance(error.code, int) else 1
    return code, stdout.getvalue(), stderr.getvalue()
