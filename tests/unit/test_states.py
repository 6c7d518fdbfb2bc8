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

"""The guide's table of states is what the rules say."""

import csv
import io
import pathlib
import unittest

from osc_hostmaint.planning import verdicts
from tests.unit import builders
from tools import states

ROOT = pathlib.Path(__file__).parents[2]
TABLE = ROOT / 'doc' / 'source' / 'user' / 'states.csv'


class StatesTestCase(unittest.TestCase):
    def test_the_table_is_up_to_date(self) -> None:
        written = io.StringIO()
        states.write(written)
        self.assertEqual(
            TABLE.read_text(),
            written.getvalue(),
            'run: python tools/states.py > doc/source/user/states.csv',
        )

    def test_every_status_of_the_rules_is_in_it(self) -> None:
        with TABLE.open(newline='') as file:
            told = {row['Status'] for row in csv.DictReader(file)}
        server = builders.server('vm', 'PASSWORD')
        unknown = verdicts.judge(server).reason.replace('PASSWORD', '{}')
        for status in builders.VM_STATES:
            server = builders.server('vm', status)
            if verdicts.judge(server).reason != unknown.format(status):
                self.assertIn(status, told)

    def test_what_is_blocked_says_why(self) -> None:
        for status, option, happens, why in states.rows():
            with self.subTest(status=status, option=option):
                self.assertTrue(why or happens != 'blocked')
                self.assertNotIn('{', why)
