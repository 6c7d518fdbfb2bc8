# SPDX-License-Identifier: Apache-2.0

"""What can be typed."""

import argparse

from osc_hostmaint.commands import options
from tests import unit

DURATION = options.DURATION['type']
NUMBER = options.NUMBER['type']
COUNT = options.COUNT['type']
NO_NUMBERS = ('', '-1', '1.5', 'two', '²', '٣', '1e3', '1' * 5000)
NO_DURATIONS = (
    *('', '0', '0h', '-1', '1.5h', '2w', '2 h', 'h', 'd', '1h30m', '15M'),
    *('15 m', '15m ', 'soon', '٣m', f'{10**9}s'),
)


class TestTypes(unit.TestCase):
    @unit.cases(
        *((DURATION, '90', 90), (DURATION, '90s', 90)),
        *((DURATION, '15m', 900), (DURATION, '2h', 7200), (DURATION, '1', 1)),
        *((DURATION, '048h', 172800), (DURATION, '7d', 604800)),
        *((NUMBER, '0', 0), (NUMBER, '1', 1), (NUMBER, '12', 12)),
        *((COUNT, '1', 1), (COUNT, '12', 12)),
    )
    def test_accepted(self, kind, text, value):
        self.assertEqual(value, kind(text))

    @unit.cases('90s', '10m', '25h', '7d')
    def test_spelled(self, text):
        self.assertEqual(text, options.spelled(float(DURATION(text))))

    @unit.cases(
        (DURATION, NO_DURATIONS, 'write 90, 90s, 15m, 2h or 7d'),
        (NUMBER, NO_NUMBERS, 'not a number of at least 0'),
        (COUNT, ('0', *NO_NUMBERS), 'not a number of at least 1'),
        (options.host, ('', ' '), 'the name of a host is empty'),
    )
    def test_refused(self, kind, texts, words):
        for text in texts:
            with (
                self.subTest(text),
                self.assertRaisesRegex(argparse.ArgumentTypeError, words),
            ):
                kind(text)
