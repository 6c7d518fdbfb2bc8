# SPDX-License-Identifier: Apache-2.0

"""What became of a server's moves: from its records and what it looks like."""

import dataclasses

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
ActionKind = memories.ActionKind
Phase = base.Phase
OR_COLD = policies.Policy(running=policies.Running.LIVE_OR_COLD)


class TestUntouched(base.ServerContextTestCase):
    """Nobody has asked for a move of it."""

    def test_left_without_an_observed_move(self):
        assessed = self.assert_phase(Phase.SETTLING, view=base.LEFT)

        self.assertTrue(assessed.visit)


@ddt.ddt
class TestRecords(base.ServerContextTestCase):
    """A record's status and a later look at the server."""

    @ddt.data(
        # type, status of the record, the server as seen since, phase
        (base.LIVE, 'accepted', base.MIGRATING, Phase.MOVING),
        (base.LIVE, 'queued', base.MIGRATING, Phase.MOVING),
        (base.LIVE, 'preparing', base.MIGRATING, Phase.MOVING),
        (base.LIVE, 'running', base.MIGRATING, Phase.MOVING),
        (base.LIVE, 'a status of tomorrow', base.MIGRATING, Phase.MOVING),
        # The server is there ~0.1 s before the record says so.
        (base.LIVE, 'running', base.THERE, Phase.MOVING),
        (base.LIVE, 'running', base.DELETED, Phase.GONE),
        (base.LIVE, 'completed', base.THERE, Phase.MOVED),
        (base.LIVE, 'completed', base.MIGRATING, Phase.SETTLING),
        (base.LIVE, 'completed', base.LEFT, Phase.SETTLING),
        (base.LIVE, 'completed', base.HERE, Phase.SETTLING),
        (base.LIVE, 'completed', base.DELETED, Phase.GONE),
        (base.LIVE, 'error', base.MIGRATING, Phase.SETTLING),
        (base.LIVE, 'error', base.DELETED, Phase.GONE),
        # Somebody moved it by other means.
        (base.LIVE, 'failed', base.THERE, Phase.MOVED),
        (
            base.COLD,
            'pre-migrating',
            builders.server(status='RESIZE'),
            'moving',
        ),
        (
            base.COLD,
            'post-migrating',
            builders.server(status='RESIZE'),
            'moving',
        ),
        (base.COLD, 'confirming', base.LEFT, Phase.MOVING),
        # The record ends 0.4 to 2 s before the server does.
        (
            base.COLD,
            'confirmed',
            base.VERIFY_THERE,
            Phase.SETTLING,
        ),
        (base.COLD, 'confirmed', base.THERE, Phase.MOVED),
        (
            base.COLD,
            'reverted',
            builders.server(status='REVERT_RESIZE'),
            Phase.SETTLING,
        ),
        # An owner's resize that has ended leaves a server like any other.
        (base.RESIZE, 'migrating', builders.server(status='RESIZE'), 'moving'),
        (
            base.RESIZE,
            'reverting',
            builders.server(status='REVERT_RESIZE'),
            'moving',
        ),
        (base.RESIZE, 'reverted', base.HERE, Phase.WAITING),
        (base.RESIZE, 'error', base.HERE, Phase.WAITING),
        (base.RESIZE, 'confirmed', base.HERE, Phase.WAITING),
        (base.RESIZE, 'confirmed', base.THERE, Phase.MOVED),
        (base.EVACUATION, 'done', base.THERE, Phase.MOVED),
        (base.EVACUATION, 'pre-migrating', base.HERE, Phase.MOVING),
    )
    @ddt.unpack
    def test_phase(self, kind, status, view, phase):
        self.assert_phase(phase, base.record(status, type=kind), view=view)

    @ddt.data(
        # status of the record, the server since: about to settle?
        ('completed', builders.server(status='MIGRATING', host='x'), True),
        ('failed', builders.server(status='MIGRATING', host='x'), True),
        # It is at rest: a confirmation that failed.
        ('error', base.VERIFY_THERE, False),
    )
    @ddt.unpack
    def test_a_server_that_has_not_settled(self, status, view, settling):
        """What takes longer is something new, like its owner's resize."""
        for waited in (0, timing.EFFECT_WAIT_SECONDS - 0.1):
            assessed = self.assess(
                base.record(status, seen_at=NOW - waited), view=view
            )
            phase = Phase.SETTLING if settling else Phase.MOVED
            self.assertEqual(phase, assessed.phase)
            self.assertIs(settling, assessed.visit)

        seen_at = NOW - timing.EFFECT_WAIT_SECONDS
        self.assert_phase(
            Phase.MOVED, base.record(status, seen_at=seen_at), view=view
        )

    def test_confirmed_and_it_does_not_settle(self):
        record = base.record('confirmed', seen_at=NOW - 29.9)
        assessed = self.assert_phase(
            Phase.SETTLING, record, view=base.VERIFY_THERE
        )
        self.assertTrue(assessed.visit)

        record = base.record(
            'confirmed', seen_at=NOW - timing.EFFECT_WAIT_SECONDS
        )
        assessed = self.assert_phase(
            Phase.FAILED, record, view=base.VERIFY_THERE
        )
        self.assertIn('VERIFY_RESIZE', assessed.reason)
        self.assertIn('openstack server resize confirm vm1', assessed.reason)
        self.assertEqual(builders.DEST, assessed.destination)

    @ddt.data('completed', 'error', 'failed', 'cancelled')
    def test_view_before_the_end_is_ignored(self, status):
        before = dataclasses.replace(base.HERE, seen_at=base.SEEN - 0.1)
        assessed = self.assert_phase(
            Phase.SETTLING, base.record(status), view=before
        )

        self.assertTrue(assessed.visit)


class TestRecordAheadOfServer(base.ServerContextTestCase):
    """`completed`, and the server still sits on the source."""

    def late(self, **kwargs):
        seen_at = NOW - timing.EFFECT_WAIT_SECONDS - 1
        return self.assess(base.record('completed', seen_at=seen_at), **kwargs)

    def test_or_failed_where_there_is_no_retry_left(self):
        assessed = self.late(retries=0)

        self.assertEqual(Phase.FAILED, assessed.phase)
        self.assertIn('still on cmp01', assessed.reason)


@ddt.ddt
class TestAskedFor(base.ServerContextTestCase):
    """A move was asked for, and no record shows it yet."""

    def lost(self, waited, view=base.HERE, **kwargs):
        return self.assess(
            view=view, remembered=base.asked(asked_at=NOW - waited), **kwargs
        )

    @ddt.data(
        # the server as it looks since, where it stands
        (base.HERE, Phase.MOVING),
        (base.MIGRATING, Phase.MOVING),
        (builders.server(status='RESIZE', host=builders.DEST), Phase.MOVING),
        (base.LEFT, Phase.MOVING),
        (base.DELETED, Phase.GONE),
        (base.THERE, Phase.MOVED),
    )
    @ddt.unpack
    def test_before_a_record_shows(self, view, phase):
        self.assert_phase(phase, view=view, remembered=base.asked())

    def test_a_cold_migration_that_is_faster_than_we_look(self):
        """Its record is still to be seen: only then it can be confirmed."""
        self.assert_phase(
            Phase.MOVING,
            view=base.VERIFY_THERE,
            remembered=base.asked(ActionKind.COLD_MIGRATE),
        )

    def test_earlier_record_is_not_of_this_move(self):
        """Right after the request the newest record is the previous one."""
        self.assert_phase(
            Phase.MOVING,
            base.record('error', 6, seen_at=base.ASKED - 1),
            remembered=base.asked(asked_after=6, taken=2),
            failures={6: base.FAILURE},
        )

    def test_view_before_the_request_is_ignored(self):
        before = dataclasses.replace(base.THERE, seen_at=base.ASKED - 1)
        self.assert_phase(Phase.MOVING, view=before, remembered=base.asked())

    def test_not_visited_at_once(self):
        old = dataclasses.replace(base.HERE, seen_at=NOW - 60)

        self.assertFalse(self.lost(1, old).visit)
        self.assertTrue(self.lost(timing.UNMOVED_RECHECK_SECONDS, old).visit)

    def test_changed_by_its_owner(self):
        """Its owner has resized it where it is."""
        assessed = self.lost(timing.EFFECT_WAIT_SECONDS + 1, base.VERIFY_HERE)

        self.assertEqual(Phase.FAILED, assessed.phase)
        self.assertIn('its owner has not confirmed a resize', assessed.reason)

    def test_retried_after_a_pause(self):
        assessed = self.lost(timing.EFFECT_WAIT_SECONDS + 1)

        self.assertEqual(Phase.SETTLING, assessed.phase)
        self.assertIn('had no effect', assessed.reason)

        assessed = self.lost(
            timing.EFFECT_WAIT_SECONDS + timing.RETRY_WAIT_SECONDS
        )
        self.assertEqual(Phase.WAITING, assessed.phase)
        self.assertIs(model.Move.LIVE, assessed.move)

    @ddt.data(ActionKind.LIVE_MIGRATE, ActionKind.COLD_MIGRATE)
    def test_its_request_may_be_lost(self, kind):
        """Nova took it, and its conductor never made a record."""
        limit = timing.UNRECORDED_WAIT_SECONDS
        for waited, phase in (
            (limit - 1, Phase.MOVING),
            (limit, Phase.FAILED),
        ):
            assessed = self.assert_phase(
                phase,
                view=base.MIGRATING,
                remembered=base.asked(kind, asked_at=NOW - waited),
            )
            self.assertIs(phase in server_status.FINAL, assessed.given_up)
        self.assertIn(f'its {kind} was requested 300 s ago', assessed.reason)
        self.assertIn('openstack server event list vm1', assessed.reason)

    def test_bounded_by_server_timeout(self):
        """--server-timeout."""
        policy = policies.Policy(server_timeout=60.0)
        for under_way, phase in (
            (59.0, Phase.MOVING),
            (60.0, Phase.STILL_MOVING),
        ):
            remembered = dataclasses.replace(
                base.asked(), under_way_since=NOW - under_way
            )
            assessed = self.assert_phase(
                phase,
                view=base.MIGRATING,
                remembered=remembered,
                policy=policy,
            )

            self.assertIs(ActionKind.LIVE_MIGRATE, assessed.pending)
            self.assertIs(phase in server_status.FINAL, assessed.given_up)
        self.assertIn('longer than 60 s', assessed.reason)
        self.assertIn('openstack server event list vm1', assessed.reason)


@ddt.ddt
class TestConfirmed(base.ServerContextTestCase):
    """A confirmation was asked for often, and its record does not change."""

    ASKED_AT = NOW - 2 * timing.EFFECT_WAIT_SECONDS

    @ddt.data(
        # How it looks since, where it stands
        (None, Phase.MOVING),
        (base.VERIFY_THERE, Phase.FAILED),
        # Where its cell did not answer, its record was not listed.
        (base.THERE, Phase.MOVED),
    )
    @ddt.unpack
    def test_the_server_is_looked_at_before_that_counts(self, view, phase):
        old = dataclasses.replace(base.VERIFY_THERE, seen_at=self.ASKED_AT)
        remembered = base.asked(
            ActionKind.CONFIRM, taken=timing.END_TRIES, asked_at=self.ASKED_AT
        )
        assessed = self.assert_phase(
            phase,
            base.record('finished', type='migration', seen_at=NOW - 300),
            view=view or old,
            remembered=remembered,
        )
        self.assertEqual(view is None, assessed.visit)


@ddt.ddt
class TestLiveOrCold(base.ServerContextTestCase):
    """What can't be live-migrated is cold-migrated, if we are told so."""

    REFUSED = base.refused(final=True)

    EXHAUSTED = tuple(
        base.record('error', n, seen_at=NOW - 100) for n in (7, 8, 9)
    )

    @ddt.data(
        {'remembered': REFUSED},
        {'records': EXHAUSTED},
    )
    def test_paused_server_has_no_cold_fallback(self, known):
        records = known.get('records', ())
        assessed = self.assess(
            *records,
            view=builders.server(status='PAUSED'),
            remembered=known.get('remembered'),
            failures={r.id: base.FAILURE for r in records},
            policy=OR_COLD,
        )
        why = base.FAILURE if records else base.REFUSAL

        self.assertIn(assessed.phase, (Phase.BLOCKED, Phase.FAILED))
        self.assertEqual(1, assessed.reason.count(why))
        self.assertIn('openstack server unpause vm1', assessed.reason)
