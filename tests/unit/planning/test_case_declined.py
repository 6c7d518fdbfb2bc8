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

"""Nova would not move a server to the host that we had picked."""

import dataclasses
import unittest

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning import tracks
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
Phase = base.Phase
LIVE, COLD = Kind.LIVE_MIGRATE, Kind.COLD_MIGRATE
#: What Nova says of our pick at once: the second, of a cold migration, only
#: before Train.
NO_SUCH_HOST = 'Nova: Compute host cmp09 could not be found. (HTTP 400)'
NO_HOST = 'Nova: No valid host was found. (HTTP 400)'


def action(kind=LIVE, **kwargs):
    """Return a move to our own pick."""
    return memories.Action(
        kind, 'vm1', **{'host': 'cmp09', 'spread': True, **kwargs}
    )


def picked(kind=LIVE, track=None, **errand):
    """Return the track of a server that was sent to our own pick."""
    return base.asked(kind, track=track, host='cmp09', spread=True, **errand)


def declined(kind=LIVE, **errand):
    """Return the track of one that Nova would not send there."""
    return dataclasses.replace(picked(kind, **errand), declined=kind)


def refusal(record_id=7, status='error', **kwargs):
    """Return the record of a move for which Nova found no host."""
    return base.record(status, record_id, **{'dest': None, **kwargs})


def refused(reason=NO_SUCH_HOST, at=NOW, *, final=True):
    """Return Nova's answer to a request that it refuses."""
    return memories.Outcome(memories.Answer.REFUSED, at, reason, final)


@ddt.ddt
class TestAnswers(unittest.TestCase):
    """What the answer to a request says of our pick."""

    def after(self, outcome, track=None, **kwargs):
        memory = builders.memory(track or builders.track())
        return memory.after(action(**kwargs), outcome, 6).tracks['vm1']

    @ddt.data(
        (LIVE, NO_SUCH_HOST, True),
        (COLD, NO_SUCH_HOST, True),
        (COLD, NO_HOST, False),
    )
    @ddt.unpack
    def test_there_is_no_such_host(self, kind, words, final):
        found = self.after(refused(words, final=final), kind=kind)

        self.assertIs(kind, found.declined)
        errand = found.errand(kind)
        self.assertFalse(errand.final)
        self.assertEqual((0, 1), (errand.refusals, errand.taken))
        self.assertEqual(words, errand.refusal)

    @ddt.data(
        # Of the server: another pick would have had the same answer.
        (refused(base.REFUSAL), {}),
        (refused(base.REFUSAL, final=False), {}),
        (refused('Compute host cmp08 could not be found.'), {}),
        # The user's pick, and Nova's own.
        (refused(), {'spread': False}),
        (refused(), {'host': ''}),
        (refused(NO_HOST), {'spread': False}),
    )
    @ddt.unpack
    def test_another_refusal(self, outcome, given):
        found = self.after(outcome, **given)

        self.assertIsNone(found.declined)
        errand = found.errand(LIVE)
        self.assertEqual((1, 0), (errand.refusals, errand.taken))
        self.assertEqual(outcome.final, errand.final)

    @ddt.data(*set(memories.Answer) - {memories.Answer.REFUSED})
    def test_no_refusal(self, answer):
        found = self.after(memories.Outcome(answer, NOW, NO_SUCH_HOST))

        self.assertIsNone(found.declined)

    @ddt.data(*memories.Answer)
    def test_it_is_remembered(self, answer):
        outcome = memories.Outcome(answer, NOW, base.REFUSAL, final=True)
        found = self.after(outcome, declined(), host='', spread=False)

        self.assertIs(LIVE, found.declined)

    def test_a_final_refusal_of_novas_own_pick_is_one(self):
        track = self.after(refused())
        track = self.after(refused(), track, host='', spread=False)

        self.assertTrue(track.errand(LIVE).final)
        self.assertIs(LIVE, track.declined)

    def test_whose_pick_it_was_is_remembered(self):
        for given, expected in (
            ({}, True),
            ({'spread': False}, False),
            ({'host': ''}, False),
        ):
            for answer in (memories.Answer.ACCEPTED, memories.Answer.REFUSED):
                outcome = memories.Outcome(answer, NOW, base.REFUSAL)
                found = self.after(outcome, **given)
                self.assertIs(expected, found.errand(LIVE).picked)


@ddt.ddt
class TestRecords(unittest.TestCase):
    """What the record of the move says of our pick."""

    def declined(self, *records, track=None):
        """Return by which kind of move our pick was declined."""
        memory = tracks.take_in(
            builders.observation([builders.server()], records),
            policies.Policy(),
            builders.memory(track or picked()),
        )
        return memory.tracks['vm1'].declined

    @ddt.data('error', 'failed', 'cancelled')
    def test_no_destination(self, status):
        self.assertIs(LIVE, self.declined(refusal(status=status)))

    def test_a_cold_migration(self):
        record = refusal(type=base.COLD)

        self.assertIs(COLD, self.declined(record, track=picked(COLD)))

    @ddt.data(
        # It got there, or goes on.
        base.record('error'),
        base.record('completed'),
        base.record('accepted', dest=None),
        base.record('running', dest=None),
        # Of another move.
        refusal(6),
        refusal(source='cmp07'),
        refusal(server_id='vm2'),
    )
    def test_it_is_not_our_picks_fault(self, record):
        self.assertIsNone(self.declined(record))

    @ddt.data(
        base.asked(),
        base.asked(host='cmp09'),
        base.asked(spread=True),
        builders.track(),
    )
    def test_it_was_not_our_pick(self, track):
        self.assertIsNone(self.declined(refusal(), track=track))

    def test_nothing_has_come_of_it_yet(self):
        self.assertIsNone(self.declined())

    def test_it_is_remembered(self):
        later = base.asked(COLD, track=declined(), asked_after=7)

        self.assertIs(LIVE, self.declined(refusal(), track=later))
        again = refusal(8, type=base.COLD)
        self.assertIs(LIVE, self.declined(refusal(), again, track=later))


@ddt.ddt
class TestTries(unittest.TestCase):
    """Nova's own pick comes on top of ours."""

    def exhausted(self, records, track, *, retries=2, earlier=(), **kwargs):
        case = base.case(
            *records, track=track, retries=retries, earlier=earlier, **kwargs
        )
        return case.exhausted(model.Move.LIVE)

    @ddt.data(
        # failures in earlier runs, of Nova's picks in this, --retries; enough
        (0, 0, 0, False),
        (0, 1, 0, True),
        (0, 2, 2, False),
        (0, 3, 2, True),
        # A run has one try of its own, and our pick is none ...
        (9, 0, 0, False),
        (9, 1, 0, True),
        (9, 1, 2, True),
        # ... and what earlier runs picked counts.
        (1, 1, 2, False),
        (1, 2, 2, True),
    )
    @ddt.unpack
    def test_exhausted(self, earlier, tries, retries, expected):
        found = self.exhausted(
            [refusal(7 + n) for n in range(1 + tries)],
            declined(taken=1 + tries),
            retries=retries,
            earlier=[refusal(-n) for n in range(earlier)],
        )

        self.assertIs(expected, found)

    def test_without_it_all_of_them_count(self):
        records = [refusal(7 + n) for n in range(3)]

        self.assertTrue(self.exhausted(records, picked(taken=3)))
        self.assertFalse(self.exhausted(records, declined(taken=3)))

    def test_refused_at_once(self):
        """It left no record."""
        memory = builders.memory(builders.track())
        memory = memory.after(action(), refused(at=NOW - 9), 6)
        self.assertFalse(self.exhausted([], memory.tracks['vm1'], retries=0))
        memory = memory.after(
            action(host='', spread=False),
            memories.Outcome(memories.Answer.ACCEPTED, NOW - 8),
            6,
        )
        self.assertTrue(self.exhausted([], memory.tracks['vm1'], retries=0))
        self.assertFalse(self.exhausted([], memory.tracks['vm1'], retries=1))

    def test_another_host_would_have_failed_as_well(self):
        """The record says no more than that; why it failed does."""
        for words, expected in (
            ({7: 'No valid host was found. '}, False),
            ({7: 'the network is down'}, True),
            ({7: ''}, True),
            ({}, False),
        ):
            found = self.exhausted(
                [refusal()], declined(), retries=0, failures=words
            )
            self.assertIs(expected, found, words)

    def test_another_kind_has_no_more_tries_for_it(self):
        """Our pick for its live migration says nothing of a cold one."""
        track = base.asked(COLD, track=declined(), taken=1)
        case = base.case(
            refusal(),
            base.record('error', 8, type=base.COLD),
            track=track,
            retries=0,
        )

        self.assertEqual(1, case.declined(model.Move.LIVE))
        self.assertEqual(0, case.declined(model.Move.COLD))
        self.assertTrue(case.exhausted(model.Move.COLD))
        for move in (model.Move.SHELVE, model.Move.RESIZE):
            self.assertEqual(0, case.declined(move))

    def test_who_was_never_declined(self):
        case = base.case(track=builders.track())
        for move in model.Move:
            self.assertEqual(0, case.declined(move))


@ddt.ddt
class TestFate(base.CaseTestCase):
    def failed(self, failures, track, *, ago=1.0, **kwargs):
        """Return where it stands after so many moves without a host."""
        records = [refusal(7 + n, seen_at=NOW - ago) for n in range(failures)]
        return self.stand(
            *records,
            track=track,
            failures={r.id: base.FAILURE for r in records},
            **kwargs,
        )

    def test_novas_own_pick_needs_no_pause(self):
        stand = self.failed(1, declined())

        self.assertEqual(Phase.WAITING, stand.phase)
        self.assertIs(LIVE, stand.ask)
        self.assertIn(base.FAILURE, stand.reason)
        self.assertEqual(
            Phase.SETTLING, self.failed(1, picked()).phase, 'else it does'
        )

    @ddt.data((2, 1), (3, 2))
    @ddt.unpack
    def test_further_tries_wait_as_ever(self, failures, factor):
        track = declined(taken=failures, asked_after=5 + failures)
        pause = factor * timing.RETRY_WAIT_SECONDS
        for ago, phase in (
            (pause - 0.5, Phase.SETTLING),
            (pause + 0.5, Phase.WAITING),
        ):
            stand = self.failed(failures, track, ago=ago)
            self.assertEqual(phase, stand.phase)

    @ddt.data(0, 1, 2)
    def test_retries_are_novas_own(self, retries):
        for failures in range(1, 3 + retries):
            track = declined(taken=failures, asked_after=5 + failures)
            stand = self.failed(failures, track, ago=60.0, retries=retries)
            expected = (
                Phase.WAITING if failures <= 1 + retries else Phase.FAILED
            )
            self.assertEqual(expected, stand.phase, failures)

    def test_refused_at_once(self):
        """Nova may have a better pick: it is asked for at once."""
        for retries in (0, 2):
            memory = builders.memory(builders.track())
            memory = memory.after(action(), refused(), 6)
            track = memory.tracks['vm1']
            stand = self.stand(track=track, retries=retries)

            self.assertEqual(Phase.WAITING, stand.phase)
            self.assertIs(LIVE, stand.ask)
            self.assertEqual(NO_SUCH_HOST, stand.reason)

    def test_a_story(self):
        story = base.Story(policies.Policy(retries=0))
        here = builders.server()
        (first,) = story.tick(here)
        self.assertEqual(('', True), (first.host, first.spread))
        # What the engine has done with it.
        story.memory = builders.memory(picked(asked_at=story.now))
        failed = story.record('error', dest=None)
        (second,) = story.tick(here, failed, failures={7: base.FAILURE})
        self.assertEqual(('', False), (second.host, second.spread))
        again = story.record('error', 8, dest=None)
        failures = {7: base.FAILURE, 8: base.FAILURE}
        self.assertEqual(
            [], story.tick(here, failed, again, failures=failures)
        )
        self.assertEqual('failed', story.row.result)
