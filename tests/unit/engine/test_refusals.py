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

"""Hosts that the scheduler refuses again and again are left alone."""

import unittest

from osc_hostmaint.engine import refusals
from tests.unit.engine import guided
from tests.unit.planning import clouds


class TestRefusals(unittest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.refusals = refusals.Refusals()

    def test_once_may_be_by_chance(self) -> None:
        self.refusals.refused('src', 'a')
        self.assertEqual(frozenset(), self.refusals.shunned('src'))

    def test_twice_is_enough(self) -> None:
        for dest in ('a', 'a', 'b'):
            self.refusals.refused('src', dest)
        self.assertEqual({'a'}, self.refusals.shunned('src'))
        self.assertEqual(frozenset(), self.refusals.shunned('src2'))

    def test_what_was_taken_once_may_be_taken_again(self) -> None:
        self.refusals.taken('src', 'a')
        for _time in range(9):
            self.refusals.refused('src', 'a')
        self.assertEqual(frozenset(), self.refusals.shunned('src'))


class TestPicks(guided.GuidedTestCase):
    def refuse(self, server_id: str, record_id: int) -> None:
        """Let the scheduler refuse the host picked for a server."""
        self.note(guided.record(server_id, None, 'error', record_id=record_id))

    def test_another_cell(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(4))
        self.assertEqual('a', self.go('vm00'))
        self.refuse('vm00', 1)
        self.assertEqual('a', self.go('vm01'))
        self.refuse('vm01', 2)
        self.assertEqual(['b', 'b'], self.go_all('vm02', 'vm03'))

    def test_nobody_else_has_room(self) -> None:
        """The scheduler may know better."""
        self.given(clouds.hosts('a'), clouds.demands(3))
        for number in range(2):
            self.assertEqual('a', self.go(f'vm0{number}'))
            self.refuse(f'vm0{number}', number + 1)
        self.assertEqual('', self.go('vm02'))

    def test_a_move_that_began_there_and_failed(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(3))
        for number in range(2):
            self.go(f'vm0{number}', host='a', spread=False)
            self.note(
                guided.record(
                    f'vm0{number}', 'a', 'failed', record_id=number + 1
                )
            )
        self.assertEqual('a', self.go('vm02'))
