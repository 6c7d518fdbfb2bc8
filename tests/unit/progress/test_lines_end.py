# SPDX-License-Identifier: Apache-2.0

"""How a drain, an evacuation or a way home is said to have ended."""

import io
import unittest

import ddt

from osc_hostmaint import events
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.progress import lines as progress_lines
from tests.unit import builders

Phase = server_status.Phase


@ddt.ddt
class TestEnd(unittest.TestCase):
    def ended(self, *rows, **kwargs):
        stream = io.StringIO()
        decision = builders.decision(rows, **{'done': True, **kwargs})
        progress = progress_lines.Progress(stream)
        *_others, last = events.between(builders.HOST, None, decision)
        progress.publish(last)
        return stream.getvalue()

    def test_drained(self):
        self.assertEqual('cmp01: drained\n', self.ended())
        self.assertEqual(
            'cmp01: drained (1 gone, 2 moved)\n',
            self.ended(
                builders.row('vm1'),
                builders.row('vm2'),
                builders.row('vm3', phase=Phase.GONE),
            ),
        )

    @ddt.data(
        {'rows': [builders.row(phase=Phase.FAILED)]},
        {'rows': [builders.row(phase=Phase.BLOCKED)]},
        {'trouble': 'put back into service'},
        {'stage': decisions.Stage.OPEN},
    )
    def test_not_drained(self, kwargs):
        rows = kwargs.get('rows', [])
        others = {k: v for k, v in kwargs.items() if k != 'rows'}

        self.assertTrue(
            self.ended(*rows, **others).startswith('cmp01: not drained')
        )

    @ddt.data(
        (progress_lines.EVACUATED, 'evacuated', 'not evacuated'),
        (progress_lines.HOME, 'all back', 'not all back'),
    )
    @ddt.unpack
    def test_other_words(self, endings, well, badly):
        stream = io.StringIO()
        progress = progress_lines.Progress(stream, endings)
        failed = builders.row(phase=Phase.FAILED)
        progress.publish(builders.ended(builders.row()))
        progress.publish(builders.ended(failed, drained=False))

        self.assertEqual(
            [f'cmp01: {well} (1 moved)', f'cmp01: {badly} (1 failed)'],
            stream.getvalue().splitlines(),
        )

    def test_trouble_from_afar_is_harmless(self):
        """It may quote what a server's owner has written."""
        stream = io.StringIO()
        progress_lines.Progress(stream).publish(
            events.Trouble(builders.HOST, 'no \x1b[2J\nanswer')
        )

        self.assertEqual('cmp01: no \\x1b[2J\\nanswer\n', stream.getvalue())


class TestResults(unittest.TestCase):
    """What a row says of its server (decision.Row)."""

    def test_result_is_open_until_the_end(self):
        for phase in Phase:
            row = builders.row(phase=phase)
            with self.subTest(phase):
                final = phase in server_status.FINAL
                self.assertEqual(final, row.result is not None)

    def test_left_rows_by_result(self):
        rows = [builders.row(phase=phase) for phase in server_status.FINAL]

        self.assertEqual({*decisions.Result}, {row.result for row in rows})
        self.assertEqual(
            {'blocked', 'failed', 'moving'},
            {str(row.result) for row in rows if row.left},
        )
