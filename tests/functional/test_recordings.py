# SPDX-License-Identifier: Apache-2.0

"""Recordings: nobody else's hands on them, and damaged ones replayed."""

import os
import pathlib
import sys
import tempfile

from tests.functional import base

REPLAY = [sys.executable, '-m', 'osc_hostmaint.recording.replay']


class TestRecordings(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(folder, 'seen.jsonl')

    def test_one_that_others_may_use(self) -> None:
        line = f'host maintenance drain --save-observations {self.path} cmp01'
        self.openstack(line)
        before = self.path.read_text()
        self.openstack('host maintenance unset cmp01')
        for text in (before, ''):
            self.path.write_text(text)
            for mode in (0o666, 0o644, 0o660):
                os.chmod(self.path, mode)
                self.cloud.requests.reset()
                done = self.run_command(line)
                self.assertEqual(1, done.code, done.err)
                self.assertEqual(1, len(done.err.splitlines()), done.err)
                self.assertIn(f'others may use it (mode 0{mode:o}', done.err)
                self.assertEqual(text, self.path.read_text())
                self.assertEqual([], self.changes())
        os.chmod(self.path, 0o600)
        self.openstack(line)

    def replay(self) -> base.Done:
        """Replay the file as a developer does."""
        return self.end(self.popen([*REPLAY, str(self.path)]))

    def test_damaged(self) -> None:
        self.cloud.boot('web', host='cmp01')
        self.drain(f'--save-observations {self.path} cmp01')
        done = self.replay()
        self.assertEqual((0, ''), (done.code, done.err))
        whole = self.path.read_text().splitlines(keepends=True)
        for old, new, words in (
            ('{', 100_000 * '[', 'it is nested too deeply'),
            ('{', 2**24 * 'x', 'it is longer than 16777216 characters'),
            ('"status":"ACTIVE"', '"status":null', 'expected str'),
            ('"now":', '"now":"then","x":', 'expected float'),
            ('"enabled":false', '"enabled":"false"', 'expected bool'),
        ):
            self.assertIn(old, whole[1])
            damaged = whole[1].replace(old, new, 1)
            self.path.write_text(''.join([whole[0], damaged, *whole[2:]]))
            done = self.replay()
            self.assertEqual(2, done.code, done.err)
            self.assertEqual(1, len(done.err.splitlines()), done.err)
            self.assertIn(f'{self.path}, line 2: ', done.err)
            self.assertIn(words, done.err)
