# SPDX-License-Identifier: Apache-2.0

"""Tenants choose the names of their servers: no name may hurt a reader."""

import hypothesis
from hypothesis import strategies

from osc_hostmaint import text
from tests import unit


class TestPrintable(unit.TestCase):
    @unit.cases(
        ('clear screen \x1b[2J', r'clear screen \x1b[2J'),
        ('title \x1b]0;owned\x07', r'title \x1b]0;owned\x07'),
        ('C1 control \x9b31m', r'C1 control \x9b31m'),
        ('two\nlines', r'two\nlines'),
        ('over\rwritten', r'over\rwritten'),
        ('a\ttab', r'a\ttab'),
        ('gpj.\u202eexe', r'gpj.\u202eexe'),
        ('isolate \u2066x\u2069', r'isolate \u2066x\u2069'),
        ('zero\u200bwidth', r'zero\u200bwidth'),
        ('line\u2028separator', r'line\u2028separator'),
        ('\ufeffbom', r'\ufeffbom'),
        ('lone surrogate \ud800', r'lone surrogate \ud800'),
        ('tag \U000e0041', r'tag \U000e0041'),
    )
    def test_what_acts_on_a_terminal_becomes_visible(self, hostile, shown):
        self.assertEqual(shown, text.printable(hostile))

    @unit.cases(
        'web-01.example.org',
        '[bold red]not markup for us[/]',
        'żółć',
        'сервер базы данных',
        'خادم',
        'שרת',
        'データベース',
        'सर्वर',
        'e\u0301',
        '🚀 production',
        'x' * 255,
        '',
    )
    def test_ordinary_text_stays_as_it_is(self, name):
        self.assertEqual(name, text.printable(name))

    @hypothesis.given(strategies.text())
    def test_result_is_one_printable_line(self, hostile):
        shown = text.printable(hostile)
        self.assertTrue(shown.isprintable())
        self.assertEqual(shown, text.printable(shown))
        shown.encode()


class TestShorten(unit.TestCase):
    @unit.cases(
        # the text, so many columns, what is left
        ('', 5, ''),
        ('web', 5, 'web'),
        ('web-1', 5, 'web-1'),
        ('web-10', 5, 'web-…'),
        ('データ', 6, 'データ'),
        ('データ', 5, 'デー…'),
        ('データベ', 6, 'デー…'),
        ('e\u0301e\u0301e\u0301', 3, 'e\u0301e\u0301e\u0301'),
        ('e\u0301e\u0301e\u0301e\u0301', 3, 'e\u0301e\u0301…'),
        ('🚀🚀', 3, '🚀…'),
    )
    def test_cut(self, full, columns, expected):
        self.assertEqual(expected, text.shorten(full, columns))

    @hypothesis.given(
        strategies.text('aデe\u0301🚀'), strategies.integers(1, 20)
    )
    def test_what_fits_stays_and_what_is_cut_is_a_beginning(self, full, n):
        shown = text.shorten(full, n)
        self.assertEqual(shown, text.shorten(shown, n))
        if shown != full:
            self.assertTrue(full.startswith(shown.removesuffix('…')))
            self.assertLess(n, 2 * len(full))
