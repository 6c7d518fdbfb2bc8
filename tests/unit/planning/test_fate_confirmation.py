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

"""A server that has left, but for its disk: it awaits a confirmation."""

import math

import ddt

from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
CONFIRM = memories.Kind.CONFIRM
Phase = base.Phase

#: How a run that surely asked for the cold migration remembers that.
OURS = base.asked(memories.Kind.COLD_MIGRATE)
RESIZED = policies.Policy(resized=policies.Resized.CONFIRM)


class ConfirmationTestCase(base.CaseTestCase):
    def finished(self, **kwargs):
        return base.record(
            'finished', **{'type': base.COLD, 'seen_at': NOW - 60, **kwargs}
        )

    def ask(self, record, **kwargs):
        """Return what is asked for where it is under way."""
        stand = self.assert_phase(
            Phase.MOVING, record, view=base.VERIFY_THERE, **kwargs
        )
        self.assertEqual(builders.DEST, stand.destination)
        self.assertIs(record, stand.record)
        return stand.ask


@ddt.ddt
class TestColdMigration(ConfirmationTestCase):
    """A cold migration holds its disk here until it is confirmed."""

    def test_the_run_that_asked_for_it_confirms_at_once(self):
        record = self.finished(seen_at=NOW)

        self.assertIs(CONFIRM, self.ask(record, track=OURS))

    @ddt.data(
        # of another run; asked for by this one, but nobody knows who won
        builders.track(),
        base.asked(memories.Kind.COLD_MIGRATE, accepted=False),
    )
    def test_others_leave_it_to_that_run_for_a_while(self, track):
        """Two confirmations at once put the server into ERROR."""
        due = NOW - timing.CONFIRM_WAIT_SECONDS
        for seen_at, ask in ((due + 1, None), (due, CONFIRM)):
            record = self.finished(seen_at=seen_at)
            self.assertIs(ask, self.ask(record, track=track))

    @ddt.data(0.25, 0.5, 1.0)
    def test_two_others_do_not_confirm_at_the_same_moment(self, stagger):
        policy = policies.Policy(stagger=stagger)
        due = (
            NOW
            - timing.CONFIRM_WAIT_SECONDS
            - stagger * timing.CONFIRM_STAGGER_SECONDS
        )
        for seen_at, ask in ((due + 0.1, None), (due, CONFIRM)):
            record = self.finished(seen_at=seen_at)
            self.assertIs(ask, self.ask(record, policy=policy))

    @ddt.data((0.0, True), (1.0, True), (20.0, False))
    @ddt.unpack
    def test_it_is_looked_at_when_that_time_is_over(self, ago, early):
        policy = policies.Policy(stagger=0.5)
        seen_at = NOW - ago
        stand = self.stand(
            self.finished(seen_at=seen_at),
            view=base.VERIFY_THERE,
            policy=policy,
        )
        due = (
            seen_at
            + timing.CONFIRM_WAIT_SECONDS
            + 0.5 * timing.CONFIRM_STAGGER_SECONDS
        )

        self.assertEqual(due if early else math.inf, stand.wake_at)

    @ddt.data(
        # asked for when this was the highest record, the records; sure
        (6, [7], True),
        (7, [7], False),
        # Ours is the first that came then; this one is somebody else's.
        (6, [7, 8], False),
        (7, [7, 8], True),
    )
    @ddt.unpack
    def test_which_one_was_surely_asked_for(self, asked_after, ids, sure):
        *earlier, last = ids
        records = [base.record('reverted', n, type=base.COLD) for n in earlier]
        stand = self.assert_phase(
            Phase.MOVING,
            *records,
            self.finished(record_id=last, seen_at=NOW),
            view=base.VERIFY_THERE,
            track=base.asked(
                memories.Kind.COLD_MIGRATE, asked_after=asked_after
            ),
        )

        self.assertIs(CONFIRM if sure else None, stand.ask)

    def test_who_surely_asked_does_not_stagger(self):
        record = self.finished(seen_at=NOW)
        policy = policies.Policy(stagger=1.0)

        self.assertIs(CONFIRM, self.ask(record, track=OURS, policy=policy))

    @ddt.data(
        # type, seconds after the maintenance began, ours
        (base.COLD, 60, True),
        (base.COLD, 0, True),
        # Nova's controllers do not agree about the time.
        (base.COLD, -5, True),
        (base.COLD, -5.1, False),
        (base.RESIZE, 60, False),
        (base.RESIZE, -60, False),
    )
    @ddt.unpack
    def test_whose_it_is(self, kind, seconds, ours):
        record = self.finished(
            type=kind, created_at=builders.cloud_time(seconds)
        )
        stand = self.stand(record, view=base.VERIFY_THERE)

        self.assertEqual(Phase.MOVING if ours else Phase.BLOCKED, stand.phase)
        self.assertIs(CONFIRM if ours else None, stand.ask)
        self.assertEqual(builders.DEST, stand.destination)

    @ddt.data(
        (base.COLD, 'cold-migrated before this maintenance'),
        (base.RESIZE, 'resized by its owner'),
    )
    @ddt.unpack
    def test_somebody_elses_says_what_to_do(self, kind, what):
        record = self.finished(type=kind, created_at=builders.cloud_time(-60))
        stand = self.stand(record, view=base.VERIFY_THERE)

        self.assertIn(what, stand.reason)
        self.assertIn('--resized confirm', stand.reason)
        self.assertIn('openstack server resize confirm vm1', stand.reason)

    def test_nothing_is_confirmed_without_a_mark(self):
        self.assert_phase(
            Phase.BLOCKED,
            self.finished(),
            view=base.VERIFY_THERE,
            service=builders.service(disabled_reason='fan broken'),
        )

    def test_of_a_deleted_server(self):
        self.assert_phase(Phase.GONE, self.finished(), view=base.DELETED)

    def test_nobody_has_looked_at_the_server(self):
        """The record is enough: the server is its own business."""
        stand = self.assert_phase(
            Phase.MOVING, self.finished(), view=base.LEFT
        )

        self.assertIs(CONFIRM, stand.ask)


@ddt.ddt
class TestAsked(ConfirmationTestCase):
    """The confirmation itself: in doubt, lost, refused."""

    def test_it_is_awaited(self):
        track = base.asked(CONFIRM, asked_at=NOW - 1)

        self.assertIsNone(self.ask(self.finished(), track=track))

    def test_lost_it_is_asked_for_again(self):
        track = base.asked(CONFIRM, asked_at=NOW - timing.EFFECT_WAIT_SECONDS)

        self.assertIs(CONFIRM, self.ask(self.finished(), track=track))

    @ddt.data(
        # how often it was taken, seconds since the last; ask, phase
        (timing.END_TRIES - 1, 30.0, CONFIRM, Phase.MOVING),
        (timing.END_TRIES, 29.0, None, Phase.MOVING),
        (timing.END_TRIES, 30.0, None, Phase.FAILED),
    )
    @ddt.unpack
    def test_lost_it_is_asked_for_a_few_times(self, taken, ago, ask, phase):
        stand = self.assert_phase(
            phase,
            self.finished(),
            view=base.VERIFY_THERE,
            track=base.asked(CONFIRM, asked_at=NOW - ago, taken=taken),
        )

        self.assertIs(ask, stand.ask)
        if phase is Phase.FAILED:
            self.assertIn('moved to cmp02, but not confirmed', stand.reason)
            self.assertIn('openstack server event list vm1', stand.reason)

    def test_patience_counts_by_the_looks_at_the_records(self):
        """A request may have hung, or the machine have slept."""
        track = base.asked(CONFIRM, asked_at=NOW - timing.EFFECT_WAIT_SECONDS)
        ask = self.ask(self.finished(), track=track, migrations_at=NOW - 1)

        self.assertIsNone(ask)

    @ddt.data(
        (1, Phase.MOVING),
        (timing.END_TRIES - 1, Phase.MOVING),
        (timing.END_TRIES, Phase.FAILED),
    )
    @ddt.unpack
    def test_refused_it_is_asked_for_a_few_times(self, refusals, phase):
        stand = self.stand(
            self.finished(),
            view=base.VERIFY_THERE,
            track=base.refused(CONFIRM, refusals, refused_at=NOW - 5),
        )

        self.assertEqual(phase, stand.phase)
        if phase is Phase.FAILED:
            self.assertIn(base.REFUSAL, stand.reason)
            self.assertIn(builders.DEST, stand.reason)
        else:
            self.assertIs(CONFIRM, stand.ask)

    @ddt.data(
        # was it refused, seconds since the server was looked at; look
        (True, 5, True),
        (True, 0, False),
        (False, 5, False),
    )
    @ddt.unpack
    def test_refused_the_server_is_looked_at(self, refused, ago, expected):
        """It may have been deleted, or confirmed by its owner."""
        kind = base.refused if refused else base.asked
        when = {'refused_at' if refused else 'asked_at': NOW - 5}
        stand = self.stand(
            self.finished(),
            view=builders.server(
                status='VERIFY_RESIZE', host=builders.DEST, seen_at=NOW - ago
            ),
            track=kind(CONFIRM, **when),
        )

        self.assertIs(expected, stand.visit)

    def test_refused_after_one_that_was_lost(self):
        """It need not be awaited: Nova has just said no."""
        track = base.refused(
            CONFIRM, refused_at=NOW - 5, asked_at=NOW - 10, taken=1
        )

        self.assertIs(CONFIRM, self.ask(self.finished(), track=track))

    @ddt.data(
        base.asked(CONFIRM, asked_at=NOW - 10),
        base.refused(CONFIRM, timing.END_TRIES, refused_at=NOW - 10),
    )
    def test_what_was_asked_for_before_is_another_matter(self, track):
        """A resize to this host was confirmed, and the server moved on."""
        record = self.finished(seen_at=NOW - 1)
        track = base.asked(memories.Kind.COLD_MIGRATE, track=track)

        self.assertIs(CONFIRM, self.ask(record, track=track))


@ddt.ddt
class TestResized(ConfirmationTestCase):
    """What is its owner's to confirm: only where we are told to."""

    @ddt.data(
        # type, seconds after the maintenance began
        (base.RESIZE, 60),
        (base.RESIZE, -60),
        (base.COLD, -60),
    )
    @ddt.unpack
    def test_away_from_the_host(self, kind, seconds):
        record = self.finished(
            type=kind, created_at=builders.cloud_time(seconds)
        )

        self.assertIs(CONFIRM, self.ask(record, policy=RESIZED))

    def test_our_own_cold_migration_says_nothing_of_it(self):
        """Whoever asked for that, this is nobody's to confirm at once."""
        record = self.finished(type=base.RESIZE, seen_at=NOW)
        policy = policies.Policy(resized=policies.Resized.CONFIRM, stagger=0.1)

        self.assertIsNone(self.ask(record, track=OURS, policy=policy))

    def test_without_a_mark(self):
        record = self.finished(type=base.RESIZE)
        service = builders.service(disabled_reason='fan broken')

        self.assertIs(
            CONFIRM, self.ask(record, policy=RESIZED, service=service)
        )

    def test_two_runs_do_not_confirm_at_the_same_moment(self):
        policy = policies.Policy(resized=policies.Resized.CONFIRM, stagger=0.5)
        due = NOW - 0.5 * timing.CONFIRM_STAGGER_SECONDS
        for seen_at, ask in ((due + 0.1, None), (due, CONFIRM)):
            record = self.finished(type=base.RESIZE, seen_at=seen_at)
            self.assertIs(ask, self.ask(record, policy=policy))

    def test_confirmed_it_has_left(self):
        record = base.record('confirmed', type=base.RESIZE)
        stand = self.assert_phase(
            Phase.MOVED,
            record,
            view=builders.server(host=builders.DEST),
            track=base.asked(CONFIRM, before=base.VERIFY_THERE),
        )

        self.assertEqual(builders.DEST, stand.destination)
