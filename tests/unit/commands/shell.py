# SPDX-License-Identifier: Apache-2.0

"""A shell around one command: what a user types, and gets back."""

import contextlib
import dataclasses
import io
import json
import logging
import tempfile
import types
import typing as ty
from unittest import mock

from osc_hostmaint import api
from osc_hostmaint import exceptions
from osc_hostmaint.engine import loop
from tests import unit

CONNECTION = 'the connection of the shell'


def result(*rows, code=0, errors=None):
    return loop.DrainResult(rows, errors or {}, exceptions.ExitCode(code))


@dataclasses.dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str
    #: What was logged: OSC shows that on stderr.
    errors: list[str]


class _Errors(logging.Handler):
    def __init__(self, lines: list[str]):
        super().__init__(logging.ERROR)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


class CommandTestCase(unit.TestCase):
    """A test of one command, with the public API behind it stubbed."""

    #: The command's class.
    command: ty.Any = None
    #: What it asks the API for.
    method = 'drain'

    def setUp(self):
        self.maintenance = mock.create_autospec(api.Maintenance, instance=True)
        patch = mock.patch.object(
            api, 'Maintenance', return_value=self.maintenance
        )
        self.made = self.enterContext(patch)
        for name in ('drain', 'restore', 'unset_and_restore'):
            getattr(self.maintenance, name).return_value = result()
        self.asked = getattr(self.maintenance, self.method)

    def parse(self, arguments: str | list[str]):
        if isinstance(arguments, str):
            arguments = arguments.split()
        self.stdout = io.StringIO()
        app = types.SimpleNamespace(
            client_manager=types.SimpleNamespace(sdk_connection=CONNECTION),
            options=types.SimpleNamespace(verbose_level=self.verbose_level),
            stdout=self.stdout,
        )
        command = self.command(app, None)
        return command, command.get_parser('openstack').parse_args(arguments)

    #: 0 with ``--quiet``.
    verbose_level = 1

    def run_command(self, arguments: str | list[str]) -> Done:
        command, parsed = self.parse(arguments)
        # A real file: Ctrl-C is answered through its descriptor.
        with (
            tempfile.TemporaryFile('w+') as stderr,
            contextlib.redirect_stderr(stderr),
            self.logged() as errors,
        ):
            code = command.run(parsed)
            stderr.seek(0)
            told = stderr.read()
        self.made.assert_called_once_with(CONNECTION)
        return Done(code, self.stdout.getvalue(), told, errors)

    def listed(self, arguments: str):
        """Type a command, and return what is listed: names, and rows."""
        rows = json.loads(self.run_command(f'-f json {arguments}').stdout)
        (names,) = {', '.join(row) for row in rows}
        return names, [tuple(row.values()) for row in rows]

    @contextlib.contextmanager
    def logged(self):
        errors: list[str] = []
        handler = _Errors(errors)
        logger = logging.getLogger('osc_hostmaint.commands')
        logger.addHandler(handler)
        try:
            yield errors
        finally:
            logger.removeHandler(handler)

    def assert_usage(self, arguments: str | list[str], words: str):
        stderr = io.StringIO()
        with (
            contextlib.redirect_stderr(stderr),
            self.assertRaises(SystemExit) as caught,
        ):
            self.parse(arguments)

        self.assertEqual(2, caught.exception.code)
        self.assertIn(words, stderr.getvalue())
        self.made.assert_not_called()
