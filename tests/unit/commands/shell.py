# SPDX-License-Identifier: Apache-2.0

"""A shell around one command: what a user types, and gets back."""

import contextlib
import dataclasses
import io
import logging
import tempfile
import types
import typing as ty
import unittest
from unittest import mock

from osc_hostmaint import api

CONNECTION = 'the connection of the shell'


@dataclasses.dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str
    #: What was logged: OSC shows that on stderr.
    errors: list[str]


class _Errors(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self, lines: list[str]):
        super().__init__(logging.ERROR)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


class CommandTestCase(unittest.TestCase):
    """A test of one command, with the public API behind it stubbed."""

    #: The command's class.
    command: ty.Any = None

    def setUp(self):
        super().setUp()
        self.maintenance = mock.create_autospec(api.Maintenance, instance=True)
        patch = mock.patch.object(
            api, 'Maintenance', return_value=self.maintenance
        )
        self.made = self.enterContext(patch)

    def parse(self, arguments: str | list[str]):
        """Return the command and its parsed arguments."""
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
        """Type a command."""
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

    @contextlib.contextmanager
    def logged(self):
        """Collect the errors that are logged."""
        errors: list[str] = []
        handler = _Errors(errors)
        logger = logging.getLogger('osc_hostmaint.commands')
        logger.addHandler(handler)
        try:
            yield errors
        finally:
            logger.removeHandler(handler)

    def assert_usage(self, arguments: str | list[str], words: str):
        """Fail unless the arguments are refused, with these words."""
        stderr = io.StringIO()
        with (
            contextlib.redirect_stderr(stderr),
            self.assertRaises(SystemExit) as caught,
        ):
            self.parse(arguments)

        self.assertEqual(2, caught.exception.code)
        self.assertIn(words, stderr.getvalue())
        self.made.assert_not_called()

    def help(self) -> str:
        """Return the help text, on one line."""
        command, _parsed = self.parse('cmp01')
        text = command.get_parser('openstack').format_help()
        return ' '.join(text.split())
