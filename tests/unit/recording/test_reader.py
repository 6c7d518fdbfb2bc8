# SPDX-License-Identifier: Apache-2.0

import dataclasses
import json
import pathlib
import tempfile
import unittest

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.recording import reader
from osc_hostmaint.recording import records
from osc_hostmaint.recording import writer
from tests.unit import builders

SEEN = builders.observation([builders.server('vm1'), builders.server('vm2')])
POLICY = policies.Policy(retries=0)
ACTION = memories.Action(memories.Kind.LIVE_MIGRATE, 'vm1')
OUTCOME = memories.Outcome(memories.Answer.ACCEPTED, 1000.5)


class DiaryTestCase(unittest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(folder, 'seen.jsonl')

    def write(self, *decided, names=True):
        """Write a drain down: looks at the host, and rows."""
        with writer.Diary(
            str(self.path), names=names, warn=self.fail
        ) as diary:
            for seen, rows in decided:
                diary.decided(
                    seen,
                    POLICY,
                    1000.0,
                    builders.decision(rows, actions=(ACTION,)),
                )
                diary.acted('cmp01', ACTION, OUTCOME, 7)

    def read(self):
        """Return all that the file has."""
        return list(reader.read(str(self.path)))

    def lines(self):
        """Return the file's lines, to be changed."""
        return self.path.read_text().splitlines(keepends=True)


class TestRead(DiaryTestCase):
    def test_what_was_written(self):
        later = dataclasses.replace(
            SEEN,
            servers={'vm2': builders.server('vm2', 'SHUTOFF')},
            servers_at=1001.0,
        )
        self.write(
            (SEEN, [builders.row('vm1'), builders.row('vm2')]),
            (later, [builders.row('vm2', reason='x')]),
        )
        began, first, acted, second, _acted = self.read()

        self.assertIsInstance(began, records.Began)
        self.assertEqual(SEEN, first.seen)
        self.assertEqual(2, first.line)
        self.assertEqual({'vm1', 'vm2'}, set(first.stands))
        self.assertEqual(records.Acted('cmp01', ACTION, OUTCOME, 7), acted)
        self.assertEqual(later, second.seen)
        self.assertEqual(POLICY, second.policy)
        self.assertEqual((ACTION,), second.actions)
        self.assertEqual({'vm2': ('moved', 'x')}, second.stands)
        self.assertEqual(4, second.line)


@ddt.ddt
class TestDamage(DiaryTestCase):
    def test_a_torn_last_line(self):
        self.write((SEEN, []), (SEEN, []))
        whole = self.path.read_text()
        last = whole.splitlines()[-1]
        for cut in range(1, len(last) + 1):
            self.path.write_text(whole[:-1][:-cut])
            self.assertEqual(4, len(self.read()))

    def test_a_torn_last_line_of_an_earlier_drain(self):
        self.write((SEEN, []))
        self.path.write_text(self.path.read_text()[:-9])
        self.write((SEEN, []))

        self.assertEqual(
            [records.Began, reader.Decided] * 2 + [records.Acted],
            [type(entry) for entry in self.read()],
        )

    def damaged(self, lines):
        """Return what is said of a file with these lines."""
        self.path.write_text(''.join(lines))
        with self.assertRaises(ValueError) as caught:
            self.read()
        self.assertIn(str(self.path), str(caught.exception))
        return str(caught.exception)

    def test_a_torn_line_in_the_middle(self):
        self.write((SEEN, []), (SEEN, []))
        lines = self.lines()

        self.assertIn(
            'line 3', self.damaged([*lines[:2], '{"acted":{"h\n', *lines[3:]])
        )

    @ddt.data(0, 1)
    def test_a_missing_line(self, number):
        """The first of all, or the first decision."""
        self.write((SEEN, []), (SEEN, []))
        lines = self.lines()
        del lines[number]

        self.assertIn('before it', self.damaged(lines))

    def test_a_newer_format(self):
        self.write()
        line = json.loads(self.path.read_text())
        line['began']['format'] = records.FORMAT + 1

        self.assertIn('format 2', self.damaged([json.dumps(line)]))

    def test_another_order_of_what_was_never_seen(self):
        self.write((SEEN, []))
        began, decided, _acted = self.lines()
        changed = decided.replace(
            '"servers":{', '"servers":{"order":["vm9"],', 1
        )
        self.assertNotEqual(decided, changed)

        self.assertIn('vm9', self.damaged([began, changed, began]))

    def test_an_empty_file(self):
        self.path.touch()

        self.assertEqual([], self.read())

    def test_no_file(self):
        with self.assertRaises(FileNotFoundError):
            self.read()
