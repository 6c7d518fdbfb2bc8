#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

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
