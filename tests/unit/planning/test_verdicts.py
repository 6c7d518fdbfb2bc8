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

"""The table of server states: which gets which move, and what is blocked.

Reads like the table in the design: a server's status, its task state, and
what a drain does with it. Which state allows which move is Nova's say.
"""

import unittest

import ddt
import hypothesis
from hypothesis import strategies

from osc_hostmaint import model
from osc_hostmaint.planning import verdicts
from tests.unit import builders

LIVE = model.Move.LIVE
COLD = model.Move.COLD
WAIT = verdicts.Answer.WAIT
BLOCKED = verdicts.Answer.BLOCKED


@ddt.ddt
class TestStates(unittest.TestCase):
    @ddt.data(
        # Nova: os-migrateLive 202.
        ('ACTIVE', None, LIVE),
        ('PAUSED', None, LIVE),
        # os-migrateLive 409, migrate 202.
        ('SHUTOFF', None, COLD),
        # Both 409, and the end is near: awaited, then judged by what it is.
        ('ACTIVE', 'rebooting', WAIT),
        ('ACTIVE', 'image_uploading', WAIT),
        ('ACTIVE', 'deleting', WAIT),
        ('ACTIVE', 'a task of tomorrow', WAIT),
        ('PAUSED', 'unpausing', WAIT),
        ('SHUTOFF', 'powering-on', WAIT),
        ('SUSPENDED', 'resuming', WAIT),
        ('RESCUE', 'unrescuing', WAIT),
        ('SHELVED', 'shelving_offloading', WAIT),
        ('SOFT_DELETED', 'restoring', WAIT),
        ('BUILD', 'spawning', WAIT),
        ('BUILD', None, WAIT),
        ('REBOOT', 'rebooting', WAIT),
        ('HARD_REBOOT', 'rebooting_hard', WAIT),
        ('REBUILD', 'rebuilding', WAIT),
        ('REBUILD', None, WAIT),
        # On its way already, whoever started it.
        ('MIGRATING', 'migrating', WAIT),
        ('MIGRATING', None, WAIT),
        ('RESIZE', 'resize_migrating', WAIT),
        ('RESIZE', None, WAIT),
        ('REVERT_RESIZE', 'resize_reverting', WAIT),
        # Both 409 for good.
        ('SUSPENDED', None, BLOCKED),
        ('SHELVED', None, BLOCKED),
        ('RESCUE', None, BLOCKED),
        ('VERIFY_RESIZE', None, BLOCKED),
        ('SOFT_DELETED', None, BLOCKED),
        ('ERROR', None, BLOCKED),
        # It may keep its task state for ever.
        ('ERROR', 'spawning', BLOCKED),
        ('ERROR', 'migrating', BLOCKED),
        # What we don't know is not touched.
        ('UNKNOWN', None, BLOCKED),
        ('A_STATUS_OF_TOMORROW', None, BLOCKED),
    )
    @ddt.unpack
    def test_state(self, status, task_state, expected):
        verdict = verdicts.judge(
            builders.server(status=status, task_state=task_state)
        )

        if expected in (LIVE, COLD):
            self.assertIs(verdicts.Answer.MOVE, verdict.answer)
            self.assertIs(expected, verdict.move)
        else:
            self.assertIs(expected, verdict.answer)
            self.assertIsNone(verdict.move)


@ddt.ddt
class TestReasons(unittest.TestCase):
    @ddt.data(
        ('SUSPENDED', 'openstack server resume vm1'),
        ('SHELVED', 'openstack server shelve --offload vm1'),
        ('RESCUE', 'openstack server unrescue vm1'),
        ('VERIFY_RESIZE', 'openstack server resize confirm vm1'),
        ('ERROR', 'openstack server set --state active vm1'),
        ('SOFT_DELETED', 'openstack server restore vm1'),
        ('UNKNOWN', 'openstack server show vm1'),
    )
    @ddt.unpack
    def test_blocked_says_what_the_operator_can_do(self, status, command):
        verdict = verdicts.judge(builders.server('vm1', status))

        self.assertIn(command, verdict.reason)

    def test_unknown_status_is_named(self):
        verdict = verdicts.judge(builders.server(status='TOMORROW'))

        self.assertIn('TOMORROW', verdict.reason)

    def test_busy_says_with_what(self):
        verdict = verdicts.judge(builders.server(task_state='image_uploading'))

        self.assertIn('image_uploading', verdict.reason)

    @hypothesis.given(
        strategies.one_of(
            strategies.text(max_size=20),
            strategies.sampled_from(sorted(builders.VM_STATES)),
        ),
        strategies.none() | strategies.text(max_size=20),
    )
    def test_every_server_gets_a_move_or_a_reason(self, status, task_state):
        verdict = verdicts.judge(
            builders.server(status=status, task_state=task_state)
        )

        moves = verdict.answer is verdicts.Answer.MOVE
        self.assertEqual(moves, verdict.move is not None)
        self.assertEqual(moves, not verdict.reason)

    @hypothesis.given(
        strategies.sampled_from(sorted(builders.VM_STATES)),
        strategies.text(min_size=1, max_size=20),
    )
    def test_a_server_with_a_task_is_never_moved(self, status, task_state):
        """Nova would answer 409."""
        verdict = verdicts.judge(
            builders.server(status=status, task_state=task_state)
        )

        self.assertIsNot(verdicts.Answer.MOVE, verdict.answer)
