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

"""What is remembered of a request, by the answer that came."""

import unittest

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import memory as memories
from tests.unit import builders

NOW = builders.NOW
LIVE = memories.Kind.LIVE_MIGRATE
COLD = memories.Kind.COLD_MIGRATE
CONFIRM = memories.Kind.CONFIRM
Answer = memories.Answer


@ddt.ddt
class TestAfter(unittest.TestCase):
    def after(self, kind, answer, track=None, at=NOW):
        memory = builders.memory(
            track or builders.track(), builders.track(builders.server('vm2'))
        )
        found = memory.after(
            memories.Action(kind, 'vm1'),
            memories.Outcome(answer, at, 'Nova says no'),
            highest_id=41,
        )
        # Nothing else changes.
        self.assertEqual(memory.tracks['vm2'], found.tracks['vm2'])
        return found.tracks['vm1']

    @ddt.data(
        # what, how it was answered, the move
        (LIVE, Answer.ACCEPTED, model.Move.LIVE),
        (COLD, Answer.ACCEPTED, model.Move.COLD),
        # Nobody knows: it counts as taken until looking tells.
        (LIVE, Answer.IN_DOUBT, model.Move.LIVE),
    )
    @ddt.unpack
    def test_taken(self, kind, answer, move):
        refused = builders.track(
            attempts=1, refusals=1, refused_at=NOW - 9, began_at=NOW - 9
        )
        found = self.after(kind, answer, refused)

        self.assertEqual(move, found.move)
        self.assertEqual(2, found.attempts)
        self.assertEqual(1, found.taken)
        self.assertIs(answer is Answer.ACCEPTED, found.accepted)
        self.assertEqual(NOW, found.asked_at)
        self.assertEqual(41, found.asked_after)
        self.assertEqual(0, found.refusals)
        self.assertIsNone(found.refused_at)

    def test_the_first_request_is_its_beginning(self):
        found = self.after(LIVE, Answer.ACCEPTED)
        self.assertEqual(NOW, found.began_at)

        found = self.after(LIVE, Answer.ACCEPTED, found, at=NOW + 60)
        self.assertEqual(NOW, found.began_at)

    def test_refused(self):
        found = self.after(LIVE, Answer.REFUSED)
        found = self.after(LIVE, Answer.REFUSED, found, at=NOW + 5)

        self.assertEqual(2, found.attempts)
        self.assertEqual(2, found.refusals)
        self.assertEqual('Nova says no', found.refusal)
        self.assertEqual(NOW + 5, found.refused_at)
        self.assertIsNone(found.asked_at)

    def test_a_refusal_does_not_forget_what_was_taken_before(self):
        """Its record may still show up."""
        found = self.after(LIVE, Answer.ACCEPTED, at=NOW - 60)
        found = self.after(LIVE, Answer.REFUSED, found)

        self.assertEqual(NOW - 60, found.asked_at)

    @ddt.data(LIVE, COLD, CONFIRM)
    def test_postponed_is_no_attempt(self, kind):
        found = self.after(kind, Answer.POSTPONED)

        self.assertEqual(
            builders.track(not_before=NOW + memories.POSTPONE_SECONDS), found
        )

    @ddt.data(Answer.ACCEPTED, Answer.IN_DOUBT)
    def test_confirmation_taken(self, answer):
        found = self.after(CONFIRM, answer, builders.track(confirm_refusals=3))

        self.assertEqual(NOW, found.confirmed_at)
        self.assertEqual(0, found.confirm_refusals)
        self.assertEqual(0, found.attempts)

    def test_confirmation_refused(self):
        """Mostly it came a moment before the server was ready for it."""
        track = builders.track(confirmed_at=NOW - 60, confirm_refusals=1)
        found = self.after(CONFIRM, Answer.REFUSED, track)

        self.assertIsNone(found.confirmed_at)
        self.assertEqual(2, found.confirm_refusals)
        self.assertEqual('Nova says no', found.confirm_refusal)
        self.assertEqual(
            NOW + memories.CONFIRM_PAUSE_SECONDS, found.not_before
        )
