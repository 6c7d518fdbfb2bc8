# SPDX-License-Identifier: Apache-2.0

"""What became of a server's moves: from its records and what it looks like."""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
ActionKind = memories.ActionKind
Phase = base.Phase
EFFECT_WAIT = timing.EFFECT_WAIT_SECONDS
RESIZING = builders.server(status='RESIZE')
REVERTING = builders.server(status='REVERT_RESIZE')


class TestRecords(base.ServerContextTestCase):
    """A record's status and a later look at the server."""

    @unit.cases(
        # type of the record, the server as seen since, phase, status
        (base.LIVE, base.MIGRATING, Phase.MOVING, 'accepted', 'queued'),
        (base.LIVE, base.MIGRATING, Phase.MOVING, 'preparing', 'running'),
        (base.LIVE, base.MIGRATING, Phase.MOVING, 'a status of tomorrow'),
        (base.LIVE, base.MIGRATING, Phase.SETTLING, 'completed', 'error'),
        # The server is there ~0.1 s before the record says so.
        (base.LIVE, base.THERE, Phase.MOVING, 'running'),
        # Who is there after a failure was moved by other means.
        (base.LIVE, base.THERE, Phase.MOVED, 'completed', 'failed'),
        (base.LIVE, base.LEFT, Phase.SETTLING, 'completed'),
        (base.LIVE, base.HERE, Phase.SETTLING, 'completed'),
        (base.LIVE, base.DELETED, Phase.GONE, 'running', 'completed', 'error'),
        (base.COLD, RESIZING, Phase.MOVING, 'pre-migrating', 'post-migrating'),
        (base.COLD, base.LEFT, Phase.MOVING, 'confirming'),
        # The record ends 0.4 to 2 s before the server does.
        (base.COLD, base.VERIFY_THERE, Phase.SETTLING, 'confirmed'),
        (base.COLD, base.THERE, Phase.MOVED, 'confirmed'),
        (base.COLD, REVERTING, Phase.SETTLING, 'reverted'),
        # An owner's resize that has ended leaves a server like any other.
        (base.RESIZE, RESIZING, Phase.MOVING, 'migrating'),
        (base.RESIZE, REVERTING, Phase.MOVING, 'reverting'),
        (base.RESIZE, base.HERE, Phase.WAITING, 'reverted', 'error'),
        (base.RESIZE, base.HERE, Phase.WAITING, 'confirmed'),
        (base.RESIZE, base.THERE, Phase.MOVED, 'confirmed'),
        (base.EVACUATION, base.THERE, Phase.MOVED, 'done'),
        (base.EVACUATION, base.HERE, Phase.MOVING, 'pre-migrating'),
    )
    def test_phase(self, kind, view, phase, *statuses):
        for status in statuses:
            with self.subTest(status):
                record = base.record(status, type=kind)
                self.assert_phase(phase, record, view=view)

    def test_left_without_an_observed_move(self):
        self.assertTrue(self.assert_phase(Phase.SETTLING, view=None).visit)

    @unit.cases(
        # status of the record, the server since: about to settle?
        ('completed', builders.server(status='MIGRATING', host='x'), True),
        ('failed', builders.server(status='MIGRATING', host='x'), True),
        # It is at rest: a confirmation that failed.
        ('error', base.VERIFY_THERE, False),
    )
    def test_a_server_that_has_not_settled(self, status, view, settling):
        """What takes longer is something new, like its owner's resize."""
        phase = Phase.SETTLING if settling else Phase.MOVED
        for waited in (0, EFFECT_WAIT - 0.1):
            record = base.record(status, seen_at=NOW - waited)
            assessed = self.assert_phase(phase, record, view=view)
            self.assertIs(settling, assessed.visit)
        record = base.record(status, seen_at=NOW - EFFECT_WAIT)
        self.assert_phase(Phase.MOVED, record, view=view)

    def test_confirmed_and_it_does_not_settle(self):
        view = base.VERIFY_THERE
        record = base.record('confirmed', seen_at=NOW - 29.9)
        assessed = self.assert_phase(Phase.SETTLING, record, view=view)
        self.assertTrue(assessed.visit)

        record = base.record('confirmed', seen_at=NOW - EFFECT_WAIT)
        assessed = self.assert_phase(Phase.FAILED, record, view=view)
        self.assertIn('VERIFY_RESIZE', assessed.reason)
        self.assertIn('openstack server resize confirm vm1', assessed.reason)
        self.assertEqual(builders.DEST, assessed.destination)

    @unit.cases('completed', 'error', 'failed', 'cancelled')
    def test_view_before_the_end_is_ignored(self, status):
        before = dataclasses.replace(base.HERE, seen_at=base.SEEN - 0.1)
        assessed = self.assert_phase(
            Phase.SETTLING, base.record(status), view=before
        )
        self.assertTrue(assessed.visit)


class TestAskedFor(base.ServerContextTestCase):
    """A move was asked for, and no record shows it yet."""

    def lost(self, waited, view=base.HERE, **kwargs):
        return self.assess(
            view=view,
            remembered=base.asked(asked_at=NOW - waited, failure='no answer'),
            **kwargs,
        )

    @unit.cases(
        # the server as it looks since, where it stands
        (base.HERE, Phase.MOVING),
        (base.MIGRATING, Phase.MOVING),
        (builders.server(status='RESIZE', host=builders.DEST), Phase.MOVING),
        # Its record is still to be seen: only then it can be confirmed.
        (base.VERIFY_THERE, Phase.MOVING),
        (base.LEFT, Phase.MOVING),
        (base.DELETED, Phase.GONE),
        (base.THERE, Phase.MOVED),
        # Seen before the request.
        (dataclasses.replace(base.THERE, seen_at=base.ASKED - 1), 'moving'),
    )
    def test_before_a_record_shows(self, view, phase):
        for kind in (ActionKind.LIVE_MIGRATE, ActionKind.COLD_MIGRATE):
            self.assert_phase(phase, view=view, remembered=base.asked(kind))

    def test_earlier_record_is_not_of_this_move(self):
        """Right after the request the newest record is the previous one."""
        self.assert_phase(
            Phase.MOVING,
            base.record('error', 6, seen_at=base.ASKED - 1),
            remembered=base.asked(asked_after=6, taken=2),
            failures={6: base.FAILURE},
        )

    def test_not_visited_at_once(self):
        old = dataclasses.replace(base.HERE, seen_at=NOW - 60)
        self.assertFalse(self.lost(1, old).visit)
        self.assertTrue(self.lost(timing.UNMOVED_RECHECK_SECONDS, old).visit)

    def test_what_is_awaited_is_said_after_a_while(self):
        self.assertEqual('', self.lost(timing.UNANSWERED_SECONDS - 1).awaits)
        awaited = self.lost(timing.UNANSWERED_SECONDS).awaits
        self.assertIn('requested (at most 30 s)', awaited)

    def test_unanswered_goes_by_when_records_were_seen(self):
        to_host = base.asked(host=builders.DEST)
        for before, expected in ((0, True), (0.1, False)):
            seen_at = base.ASKED + timing.UNANSWERED_SECONDS - before
            assessed = self.assess(
                view=base.MIGRATING, remembered=to_host, migrations_at=seen_at
            )
            self.assertIs(expected, assessed.unanswered)

    def test_changed_by_its_owner(self):
        """Its owner has resized it where it is."""
        assessed = self.lost(EFFECT_WAIT + 1, base.VERIFY_HERE)
        self.assertEqual(Phase.FAILED, assessed.phase)
        self.assertIn('its owner has not confirmed a resize', assessed.reason)

    def test_retried_after_a_pause(self):
        assessed = self.lost(EFFECT_WAIT + 1)
        self.assertEqual(Phase.SETTLING, assessed.phase)
        self.assertIn('had no effect: no answer', assessed.reason)
        assessed = self.lost(EFFECT_WAIT + timing.RETRY_WAIT_SECONDS)
        self.assertEqual(Phase.WAITING, assessed.phase)
        self.assertIs(model.Move.LIVE, assessed.move)

    def assert_given_up(self, phase, remembered, *words, **kwargs):
        """Of one that is on its way, without a record."""
        assessed = self.assert_phase(
            phase, view=base.MIGRATING, remembered=remembered, **kwargs
        )
        self.assertIs(remembered.latest, assessed.pending)
        final = phase in server_status.FINAL
        self.assertIs(final, assessed.given_up)
        for told in (*words, 'openstack server event list vm1'):
            self.assertIs(final, told in assessed.reason)

    @unit.cases(ActionKind.LIVE_MIGRATE, ActionKind.COLD_MIGRATE)
    def test_its_request_may_be_lost(self, kind):
        """Nova took it, and its conductor never made a record."""
        limit = timing.UNRECORDED_WAIT_SECONDS
        words = f'its {kind} was requested 300 s ago'
        for waited, phase in (
            (limit - 1, Phase.MOVING),
            (limit, Phase.FAILED),
        ):
            remembered = base.asked(kind, asked_at=NOW - waited)
            self.assert_given_up(phase, remembered, words)

    @unit.cases((0.0, 0.0, True), (9.0, 0.0, True), (9.0, 9.0, False))
    def test_overdue(self, records_ago, server_ago, overdue):
        """Not by what time it is: a request may have hung since it looked."""
        context = base.context(
            view=dataclasses.replace(base.HERE, seen_at=NOW - server_ago),
            migrations_at=NOW - records_ago,
            remembered=builders.server_memory(under_way_since=NOW - 60.0),
            policy=policies.Policy(server_timeout=60.0),
        )
        self.assertIs(overdue, bool(context.overdue))

    @unit.cases((59.0, Phase.MOVING), (60.0, Phase.STILL_MOVING))
    def test_bounded_by_server_timeout(self, under_way, phase):
        remembered = dataclasses.replace(
            base.asked(), under_way_since=NOW - under_way
        )
        policy = policies.Policy(server_timeout=60.0)
        self.assert_given_up(
            phase, remembered, 'longer than 60 s', policy=policy
        )


class TestConfirmed(base.ServerContextTestCase):
    """A confirmation was asked for often, and its record does not change."""

    ASKED_AT = NOW - 2 * EFFECT_WAIT

    @unit.cases(
        # How it looks since, where it stands
        (None, Phase.MOVING),
        (base.VERIFY_THERE, Phase.FAILED),
        # Where its cell did not answer, its record was not listed.
        (base.THERE, Phase.MOVED),
    )
    def test_the_server_is_looked_at_before_that_counts(self, view, phase):
        old = dataclasses.replace(base.VERIFY_THERE, seen_at=self.ASKED_AT)
        often = {'taken': timing.END_TRIES, 'asked_at': self.ASKED_AT}
        record = base.record('finished', type='migration', seen_at=NOW - 300)
        for failure in ('', 'HTTP 503'):
            asked = base.asked(ActionKind.CONFIRM, failure=failure, **often)
            assessed = self.assert_phase(
                phase, record, view=view or old, remembered=asked
            )
            self.assertEqual(view is None, assessed.visit)
            if phase is Phase.FAILED:
                self.assertIn(f'effect: {failure or "check"}', assessed.reason)


class TestLiveOrCold(base.ServerContextTestCase):
    """What can't be live-migrated is cold-migrated, if we are told so."""

    EXHAUSTED = tuple(
        base.record('error', n, seen_at=NOW - 100) for n in (7, 8, 9)
    )

    @unit.cases(
        ((), base.refused(final=True), base.REFUSAL),
        (EXHAUSTED, None, base.FAILURE),
    )
    def test_paused_server_has_no_cold_fallback(
        self, records, remembered, why
    ):
        assessed = self.assess(
            *records,
            view=builders.server(status='PAUSED'),
            remembered=remembered,
            failures={r.id: base.FAILURE for r in records},
            policy=policies.Policy(running=policies.Running.LIVE_OR_COLD),
        )
        self.assertIn(assessed.phase, (Phase.BLOCKED, Phase.FAILED))
        self.assertEqual(1, assessed.reason.count(why))
        self.assertIn('openstack server unpause vm1', assessed.reason)
