# SPDX-License-Identifier: Apache-2.0

"""The demonstration shows what it promises."""

import subprocess
import sys
import unittest

import pytest

from tests.functional import base


@pytest.mark.soak
class TestDemo(unittest.TestCase):
    def test_demo(self) -> None:
        done = subprocess.run(
            [sys.executable, '-m', 'tests.demo'],
            cwd=base.ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=base.LIMIT,
        )

        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn('drained (9 moved)', done.stderr)
        self.assertEqual(9, done.stdout.count('same as before'))
        self.assertNotIn('CHANGED', done.stdout)
