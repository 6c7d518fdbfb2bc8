# SPDX-License-Identifier: Apache-2.0

"""What can be typed."""

import argparse
import unittest

import ddt

from osc_hostmaint.commands import options


@ddt.ddt
class TestDuration(unittest.TestCase):
    @ddt.data(
        ('90', 90),
        ('90s', 90),
        ('15m', 900),
        ('2h', 7200),
        ('1', 1),
        ('048h', 172800),
        ('7d', 604800),
    )
    @ddt.unpack
    def test_accepted(self, text, seconds):
        self.assertEqual(seconds, options.duration(text))

    @ddt.data(
        *('', '0', '0h', '-1', '1.5h', '2w', '2 h', 'h', 'd', '1h30m', '15M'),
        *('15 m', '15m ', 'soon', '٣m', f'{10**9}s'),
    )
    def test_refused(self, text):
        with self.assertRaisesRegex(
            argparse.ArgumentTypeError, 'write 90, 90s, 15m, 2h or 7d'
        ):
            options.duration(text)


@ddt.ddt
class TestCount(unittest.TestCase):
    @ddt.data(('1', 1), ('12', 12))
    @ddt.unpack
    def test_accepted(self, text, number):
        self.assertEqual(number, options.count(text))

    @ddt.data('', '0', '-1', '1.5', 'two', '²', '٣', '1e3', '1' * 5000)
    def test_refused(self, text):
        with self.assertRaisesRegex(
            argparse.ArgumentTypeError, 'not a number of at least 1'
        ):
            options.count(text)


@ddt.ddt
class TestNumber(unittest.TestCase):
    @ddt.data(('0', 0), ('1', 1), ('12', 12))
    @ddt.unpack
    def test_accepted(self, text, number):
        self.assertEqual(number, options.number(text))

    @ddt.data('', '-1', '1.5', 'two', '²', '٣', '1e3', '1' * 5000)
    def test_refused(self, text):
        with self.assertRaisesRegex(
            argparse.ArgumentTypeError, 'not a number of at least 0'
        ):
            options.number(text)
