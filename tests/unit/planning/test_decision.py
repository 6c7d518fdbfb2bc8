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

"""What a decision says of a server, of the host, and of the next look."""

import unittest

import ddt

from osc_hostmaint.planning import decision as decisions
from osc_hostmaint.planning import standing
from tests.unit import builders

Phase = standing.Phase
Result = decisions.Result


@ddt.ddt
class TestRow(unittest.TestCase):
    @ddt.data(
        # where it stands; what became of it, is something of it left
        (Phase.WAITING, None, True),
        (Phase.BUSY, None, True),
        (Phase.MOVING, None, True),
        (Phase.SETTLING, None, True),
        (Phase.MOVED, Result.MOVED, False),
        (Phase.GONE, Result.GONE, False),
        (Phase.SKIPPED, Result.SKIPPED, False),
        (Phase.BLOCKED, Result.BLOCKED, True),
        (Phase.FAILED, Result.FAILED, True),
    )
    @ddt.unpack
    def test_result(self, phase, result, left):
        row = builders.row(phase=phase)

        self.assertIs(result, row.result)
        self.assertIs(left, row.left)

    def test_every_final_phase_is_a_result(self):
        self.assertEqual(
            {phase.value for phase in standing.FINAL},
            {result.value for result in Result},
        )


@ddt.ddt
class TestInquiry(unittest.TestCase):
    @ddt.data(
        ({}, False),
        ({'servers': True, 'services': True, 'consumers': True}, False),
        ({'visit': frozenset({'vm1'})}, True),
        ({'explain': frozenset({7})}, True),
        ({'progress': frozenset({7})}, True),
        ({'history': frozenset({'vm1'})}, True),
    )
    @ddt.unpack
    def test_singles(self, kwargs, expected):
        self.assertIs(expected, decisions.Inquiry(**kwargs).singles)


@ddt.ddt
class TestDrained(unittest.TestCase):
    @ddt.data(
        ({'done': True}, True),
        ({'done': False}, False),
        ({'done': True, 'checked': False}, False),
        ({'done': True, 'trouble': 'it was put back into service'}, False),
        ({'done': True, 'rows': [builders.row()]}, True),
        (
            {
                'done': True,
                'rows': [builders.row(), builders.row(phase=Phase.BLOCKED)],
            },
            False,
        ),
    )
    @ddt.unpack
    def test_drained(self, kwargs, expected):
        self.assertIs(expected, builders.decision(**kwargs).drained)
