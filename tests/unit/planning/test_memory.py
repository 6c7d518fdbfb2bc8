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
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
Answer = memories.Answer
LIVE = Kind.LIVE_MIGRATE
COLD = Kind.COLD_MIGRATE
#: What brings something to its end.
ENDING = (Kind.CONFIRM, Kind.SUSPEND, Kind.ABORT, Kind.FORCE_COMPLETE)
TAKEN = (Answer.ACCEPTED, Answer.IN_DOUBT)


class AfterTestCase(unittest.TestCase):
    def after(
        self,
        kind,
        answer,
        track=None,
        at=NOW,
        *,
        record_id=0,
        why='',
        final=False,
    ):
        memory = builders.memory(
            track or builders.track(), builders.track(builders.server('vm2'))
        )
        found = memory.after(
            memories.Action(kind, 'vm1', record_id=record_id, why=why),
            memories.Outcome(answer, at, base.REFUSAL, final),
            highest_id=41,
        )
        # Nothing else changes.
        self.assertEqual(memory.tracks['vm2'], found.tracks['vm2'])
        return found.tracks['vm1']


@ddt.ddt
class TestErrands(AfterTestCase):
    """What came of asking for one kind of thing."""

    @ddt.data(*Kind)
    def test_taken(self, kind):
        """Nobody knows of some: they count until looking tells."""
        for answer in TAKEN:
            track = base.refused(kind, 2, asked_at=NOW - 60, taken=1)
            found = self.after(kind, answer, track).errand(kind)

            self.assertEqual(
                memories.Errand(
                    asked_at=NOW,
                    asked_after=41,
                    taken=2,
                    accepted=answer is Answer.ACCEPTED,
                ),
                found,
            )

    @ddt.data(*Kind)
    def test_refused(self, kind):
        track = self.after(kind, Answer.REFUSED, final=True)
        track = self.after(kind, Answer.REFUSED, track, at=NOW + 5)
        found = track.errand(kind)

        self.assertEqual(2, found.refusals)
        self.assertEqual(base.REFUSAL, found.refusal)
        self.assertEqual(NOW + 5, found.refused_at)
        self.assertFalse(found.final, 'the newest answer counts')
        self.assertIsNone(found.asked_at)
        self.assertEqual(0, found.taken)

    def test_refused_for_good(self):
        found = self.after(LIVE, Answer.REFUSED, final=True)

        self.assertTrue(found.errand(LIVE).final)

    @ddt.data(*Kind)
    def test_a_refusal_does_not_forget_what_was_taken_before(self, kind):
        """Its record may still show up."""
        found = self.after(kind, Answer.ACCEPTED, at=NOW - 60)
        found = self.after(kind, Answer.REFUSED, found).errand(kind)

        self.assertEqual(NOW - 60, found.asked_at)
        self.assertEqual(41, found.asked_after)
        self.assertEqual(1, found.taken)

    @ddt.data(*Kind)
    def test_postponed_is_no_attempt(self, kind):
        found = self.after(kind, Answer.POSTPONED)

        self.assertEqual(
            builders.track(not_before=NOW + timing.POSTPONED_WAIT_SECONDS),
            found,
        )

    @ddt.data(*TAKEN, Answer.REFUSED)
    def test_which_migration_was_aborted_and_why(self, answer):
        found = self.after(
            Kind.ABORT, answer, record_id=7, why='stalled'
        ).errand(Kind.ABORT)

        self.assertEqual(7, found.record_id)
        self.assertEqual('stalled', found.why)

    def test_one_kind_says_nothing_of_another(self):
        track = self.after(Kind.RESUME, Answer.ACCEPTED)
        found = self.after(LIVE, Answer.REFUSED, track)

        self.assertEqual(track.errand(Kind.RESUME), found.errand(Kind.RESUME))
        self.assertEqual(memories.NO_ERRAND, found.errand(COLD))
        self.assertEqual(memories.NO_ERRAND, found.errand(None))


@ddt.ddt
class TestMoves(AfterTestCase):
    """The move that a request is part of."""

    @ddt.data(
        # what; the move, moves asked for, the newest migration, begun
        (LIVE, model.Move.LIVE, 1, LIVE, NOW),
        (COLD, model.Move.COLD, 1, COLD, NOW),
        (Kind.SHELVE, model.Move.SHELVE, 1, None, NOW),
        (Kind.OFFLOAD, model.Move.SHELVE, 1, None, NOW),
        (Kind.RESUME, None, 0, None, NOW),
        (Kind.SUSPEND, None, 0, None, None),
        (Kind.CONFIRM, None, 0, None, None),
        (Kind.ABORT, None, 0, None, None),
        (Kind.FORCE_COMPLETE, None, 0, None, None),
    )
    @ddt.unpack
    def test_kind(self, kind, move, attempts, latest, began_at):
        for answer in (*TAKEN, Answer.REFUSED):
            found = self.after(kind, answer)

            self.assertEqual(move, found.move)
            self.assertEqual(attempts, found.attempts)
            self.assertEqual(latest, found.latest)
            self.assertEqual(began_at, found.began_at)

    def test_the_first_request_is_its_beginning(self):
        found = self.after(Kind.RESUME, Answer.ACCEPTED)
        found = self.after(LIVE, Answer.ACCEPTED, found, at=NOW + 60)

        self.assertEqual(NOW, found.began_at)

    def test_what_is_shelved_and_offloaded_is_moved_once(self):
        found = self.after(Kind.SHELVE, Answer.ACCEPTED)
        found = self.after(Kind.OFFLOAD, Answer.ACCEPTED, found)

        self.assertEqual(1, found.attempts)

    def test_every_attempt_counts(self):
        found = self.after(LIVE, Answer.ACCEPTED)
        found = self.after(LIVE, Answer.REFUSED, found)
        found = self.after(COLD, Answer.IN_DOUBT, found)

        self.assertEqual(3, found.attempts)
        self.assertIs(model.Move.COLD, found.move)
        self.assertIs(COLD, found.latest)

    @ddt.data(*ENDING, Kind.RESUME, Kind.SHELVE, Kind.OFFLOAD)
    def test_refused_it_is_not_asked_for_again_at_once(self, kind):
        """Mostly it came a moment before the server was ready for it."""
        found = self.after(kind, Answer.REFUSED)

        self.assertEqual(NOW + timing.REFUSED_WAIT_SECONDS, found.not_before)

    @ddt.data(LIVE, COLD)
    def test_a_refused_migration_has_a_pause_of_its_own(self, kind):
        """It is left to where the server stands: another may do."""
        self.assertEqual(0.0, self.after(kind, Answer.REFUSED).not_before)


@ddt.ddt
class TestResumed(AfterTestCase):
    """Did we resume it, or may we have?"""

    @ddt.data(
        (Answer.ACCEPTED, True),
        (Answer.IN_DOUBT, True),
        (Answer.REFUSED, False),
        (Answer.POSTPONED, False),
    )
    @ddt.unpack
    def test_answers(self, answer, expected):
        self.assertIs(expected, self.after(Kind.RESUME, answer).resumed)

    def test_by_an_earlier_run(self):
        self.assertTrue(builders.track(found_resumed=True).resumed)
        self.assertFalse(builders.track().resumed)


class TestKinds(unittest.TestCase):
    def test_what_starts_something_and_what_ends_it(self):
        self.assertEqual(set(Kind), memories.STARTING | set(ENDING))
        self.assertEqual(set(), memories.STARTING & set(ENDING))

    def test_what_nova_keeps_a_record_of(self):
        self.assertEqual({LIVE, COLD, Kind.EVACUATE}, memories.RECORDED)
