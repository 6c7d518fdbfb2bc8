# SPDX-License-Identifier: Apache-2.0

"""The mark: written, read back, and told from other people's texts."""

import dataclasses
import datetime

import hypothesis
from hypothesis import strategies

from osc_hostmaint import exceptions
from osc_hostmaint import mark as marks
from tests import unit
from tests.unit import builders

EXAMPLE = (
    'maintenance since 2026-11-20T23:31:07Z by alice: kernel update CHG0042'
)

_PRINTABLE = strategies.characters(exclude_categories=('C', 'Z'))
_TIMES = strategies.integers(1262304000, 2**32).map(
    lambda seconds: datetime.datetime.fromtimestamp(seconds, datetime.UTC)
)
_NAMES = strategies.text(
    strategies.one_of(_PRINTABLE, strategies.sampled_from('%: 3A')),
    min_size=1,
    max_size=40,
)
_REASONS = strategies.text(
    strategies.one_of(_PRINTABLE, strategies.sampled_from('%: ')), max_size=150
).map(str.strip)
_MARKS = strategies.builds(
    marks.Mark, since=_TIMES, by=_NAMES, reason=_REASONS
)


class TestWriting(unit.TestCase):
    def test_form_is_the_documented_one(self):
        east = datetime.timezone(datetime.timedelta(hours=2))
        since = builders.SINCE.astimezone(east)
        reason = 'kernel update CHG0042'
        for mark, text in (
            (builders.mark(reason=reason), EXAMPLE),
            (builders.mark(reason=''), EXAMPLE.removesuffix(f': {reason}')),
            (builders.mark(reason=reason, since=since), EXAMPLE),
        ):
            self.assertEqual(text, marks.write(mark))

    def test_one_character_too_many_is_an_error_that_says_so(self):
        room = marks.MAX_LENGTH - len(marks.write(builders.mark(reason='')))
        mark = builders.mark(reason='x' * (room - len(': ') + 1))
        with self.assertRaisesRegex(
            exceptions.InvalidMark, 'too long by 1 char.*255.*--reason'
        ):
            marks.write(mark)

    @hypothesis.given(_MARKS, strategies.integers(0, 400))
    def test_never_over_the_limit_and_never_cut(self, mark, length):
        mark = dataclasses.replace(mark, reason=mark.reason + 'x' * length)
        try:
            text = marks.write(mark)
        except exceptions.InvalidMark:
            self.assertGreater(len(str(mark)), marks.MAX_LENGTH)
        else:
            self.assertLessEqual(len(text), marks.MAX_LENGTH)
            self.assertTrue(text.endswith(mark.reason))


class TestRefusedReasons(unit.TestCase):
    @unit.cases(
        'two\nlines',
        'bell\a',
        'escape \x1b[31mred',
        'right to left \u202e',
        ' blank in front',
        'blank behind ',
        ' ',
    )
    def test_refused(self, reason):
        with self.assertRaises(exceptions.InvalidMark) as caught:
            marks.write(builders.mark(reason=reason))
        self.assertTrue(str(caught.exception).isprintable())


class TestRoundTrip(unit.TestCase):
    @hypothesis.given(_MARKS)
    @hypothesis.example(builders.mark(by='DOM:alice%3A'))
    @hypothesis.example(builders.mark(by='żółć 運用者', reason='ядро: 100%'))
    @hypothesis.example(builders.mark(by='a: b', reason=': c'))
    @hypothesis.example(builders.mark(by='bob', reason='by eve: since 3'))
    def test_reads_back_the_same(self, mark):
        hypothesis.assume(len(str(mark)) <= marks.MAX_LENGTH)
        self.assertEqual(mark, marks.parse(marks.write(mark)))

    @hypothesis.given(_NAMES, _REASONS)
    @hypothesis.example('%', 'kernel')
    @hypothesis.example('%3', 'kernel')
    @hypothesis.example('%FF', 'kernel')
    def test_what_is_read_can_be_written(self, by, reason):
        """A mark that was written by hand must not trap its host."""
        mark = marks.parse(
            f'maintenance since 2026-11-20T23:31:07Z by {by}: {reason}'
        )
        if mark is not None and len(str(mark)) <= marks.MAX_LENGTH:
            self.assertEqual(mark, marks.parse(marks.write(mark)))

    @unit.cases('al%0Aice', '%1B[31m', 'a%E2%80%AEb')
    def test_no_name_hides_what_acts_on_a_terminal(self, by):
        self.assertIsNone(marks.parse(EXAMPLE.replace('alice', by)))


class TestOtherPeoplesTexts(unit.TestCase):
    @unit.cases(
        None,
        '',
        'maintenance since yesterday by alice',
        'Maintenance since 2026-11-20T23:31:07Z by alice: kernel',
        'maintenance since 2026-11-20T23:31:07Z by : kernel',
        'maintenance since 2026-11-20T23:31:07 by alice: kernel',
        'maintenance since 2026-13-40T23:31:07Z by alice: kernel',
        'maintenance since 2009-12-31T23:59:59Z by alice: kernel',
        'in maintenance since 2026-11-20T23:31:07Z by alice: kernel',
        EXAMPLE + '\n',
        EXAMPLE + ' ',
        EXAMPLE.replace('kernel', 'ker\nnel'),
        'AUTO: Connection to libvirt lost: 1',
    )
    def test_not_ours(self, text):
        self.assertIsNone(marks.parse(text))

    @hypothesis.given(strategies.text())
    def test_any_text_can_be_read(self, text):
        self.assertIsNone(marks.parse(text))

    @unit.cases(
        ('AUTO: Connection to libvirt lost: 1', True),
        ('AUTO:', True),
        ('automatic', False),
        (EXAMPLE, False),
        ('', False),
        (None, False),
    )
    def test_is_novas(self, text, expected):
        self.assertEqual(expected, marks.is_novas(text))
