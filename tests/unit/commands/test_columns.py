# SPDX-License-Identifier: Apache-2.0

"""Shown to people harmlessly, and to machines intact."""

import unittest

from osc_hostmaint.commands import columns


class TestPrintable(unittest.TestCase):
    def test_people(self):
        value = columns.Printable('a\x1b[31m\n\u202eb')

        self.assertEqual(r'a\x1b[31m\n\u202eb', value.human_readable())

    def test_machines(self):
        value = columns.Printable('a\x1b[31m\n\u202eb')

        self.assertEqual('a\x1b[31m\n\u202eb', value.machine_readable())


class TestName(unittest.TestCase):
    def test_people(self):
        self.assertEqual('web', columns.Name('web').human_readable())
        self.assertEqual(
            'x' * 59 + '…', columns.Name('x' * 255).human_readable()
        )
        self.assertEqual(
            r'\x1b' * 14 + r'\x1…', columns.Name('\x1b' * 99).human_readable()
        )

    def test_machines(self):
        name = '\x1b' * 255

        self.assertEqual(name, columns.Name(name).machine_readable())


class TestSeconds(unittest.TestCase):
    def test_people(self):
        self.assertEqual('4.3', columns.Seconds(4.26).human_readable())
        self.assertEqual('0.0', columns.Seconds(0.0).human_readable())
        self.assertEqual('', columns.Seconds(None).human_readable())

    def test_machines(self):
        self.assertEqual(4.3, columns.Seconds(4.26).machine_readable())
        self.assertIsNone(columns.Seconds(None).machine_readable())


class TestCount(unittest.TestCase):
    def test_people(self):
        self.assertEqual('12', columns.Count(12).human_readable())
        self.assertEqual('0', columns.Count(0).human_readable())
        self.assertEqual('', columns.Count(None).human_readable())

    def test_machines(self):
        self.assertEqual(0, columns.Count(0).machine_readable())
        self.assertIsNone(columns.Count(None).machine_readable())
