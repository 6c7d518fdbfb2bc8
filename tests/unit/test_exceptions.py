# SPDX-License-Identifier: Apache-2.0

"""Exit codes and errors that scripts depend on."""

from osc_lib import exceptions as osc_exceptions

from osc_hostmaint import exceptions
from tests import unit


class TestExitCode(unit.TestCase):
    def test_codes_are_the_documented_ones(self):
        self.assertEqual(
            {
                'DONE': 0,
                'FAILED': 1,
                'USAGE': 2,
                'LEFT': 3,
                'TIMEOUT': 4,
                'INTERRUPTED': 130,
            },
            {code.name: code.value for code in exceptions.ExitCode},
        )


class TestErrors(unit.TestCase):
    def test_osc_shows_each_as_one_line(self):
        """OSC prints a CommandError's message, and no traceback."""
        for error in (
            exceptions.UnknownHost('no such host'),
            exceptions.Refused('no such host'),
            exceptions.InvalidMark('no such host'),
            exceptions.NotPermitted('no such host'),
            exceptions.Unavailable('no such host'),
            exceptions.ApiTooOld('no such host'),
        ):
            with self.subTest(type(error).__name__):
                self.assertIsInstance(error, osc_exceptions.CommandError)
                self.assertEqual('no such host', str(error))

    def test_no_answer_is_a_doubt_unless_it_says_otherwise(self):
        self.assertTrue(exceptions.Unavailable('').in_doubt)
        self.assertFalse(exceptions.Unavailable('', in_doubt=False).in_doubt)
