# SPDX-License-Identifier: Apache-2.0

"""Moves that make no progress, or take too long."""

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import in_flight
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Phase = base.Phase
ActionKind = memories.ActionKind
OnStall = policies.OnStall
GIB = 2**30
STALL = 600.0


def progress(remaining=GIB, ago=0.0):
    """Return how far the migration of record 7 was so long ago."""
    return {7: model.Progress(remaining, 4 * GIB, NOW - ago)}


def stalled(seconds, remembered=None):
    """Return the track of a server whose memory has not shrunk for so long."""
    remembered = remembered or builders.server_memory()
    return in_flight.update_least_remaining(
        remembered, base.record(), model.Progress(GIB, 4 * GIB, NOW - seconds)
    )


class InFlightTestCase(base.ServerContextTestCase):
    def fly(self, *, status='running', kind=base.LIVE, phase=None, **kwargs):
        """Return where a server stands whose move is in flight."""
        record = base.record(status, type=kind, seen_at=NOW - 300)
        kwargs.setdefault('view', base.MIGRATING)
        assessed = self.assess(record, **kwargs)
        self.assertEqual(phase or Phase.MOVING, assessed.phase, assessed)
        self.assertEqual(record, assessed.record)
        self.assertEqual(builders.DEST, assessed.destination)
        return assessed

    def assert_given_up(self, assessed):
        self.assertIsNone(assessed.ask)
        self.assertIn('it may still be running in Nova', assessed.reason)
        self.assertIn('run this again', assessed.reason)


class TestStall(InFlightTestCase):
    """Memory that does not become less."""

    def stall(self, on_stall=OnStall.WAIT, seconds=STALL, **kwargs):
        kwargs.setdefault('remembered', stalled(seconds))
        return self.fly(
            policy=policies.Policy(on_stall=on_stall, stall_after=STALL),
            progress=progress(),
            **kwargs,
        )

    @unit.cases(
        (OnStall.WAIT, None),
        (OnStall.FORCE_COMPLETE, ActionKind.FORCE_COMPLETE),
        (OnStall.ABORT, ActionKind.ABORT),
    )
    def test_on_stall_option(self, on_stall, ask):
        assessed = self.stall(on_stall)
        self.assertIs(ask, assessed.ask)
        self.assertIn('1024 MiB of 4096 MiB', assessed.reason)
        self.assertIn('for 600 s', assessed.reason)

    def forces(self, request, *args, **kwargs):
        """Tell whether it is forced after what was asked for before."""
        kind = ActionKind.FORCE_COMPLETE
        remembered = request(kind, *args, remembered=stalled(STALL), **kwargs)
        assessed = self.stall(OnStall.FORCE_COMPLETE, remembered=remembered)
        return assessed.ask is kind

    def test_progress_of_an_earlier_migration_is_ignored(self):
        self.assertTrue(self.forces(base.asked, record_id=6))

    @unit.cases(
        (1, True), (timing.END_TRIES - 1, True), (timing.END_TRIES, False)
    )
    def test_refused_request_is_repeated(self, refusals, forces):
        self.assertIs(forces, self.forces(base.refused, refusals, record_id=7))


class TestProgress(unit.TestCase):
    """What counts as progress of a live migration."""

    BEFORE = 1000

    @unit.cases(
        # Memory that is left now, of which migration; does it count?
        (BEFORE, 7, False),
        (BEFORE + 500, 7, False),
        # A guest writes meanwhile: up and down says nothing.
        (BEFORE - 9, 7, False),
        (BEFORE - 10, 7, True),
        (0, 7, True),
        # Another migration begins anew.
        (BEFORE + 4000, 8, True),
    )
    def test_less_memory_is_left(self, remaining, record_id, counts):
        remembered = builders.server_memory(
            least_of=7, least_remaining=self.BEFORE, least_since=NOW - 100
        )
        found = in_flight.update_least_remaining(
            remembered,
            base.record(record_id=record_id),
            model.Progress(remaining, 4000, NOW),
        )
        self.assertEqual(
            (remaining, NOW) if counts else (self.BEFORE, NOW - 100),
            (found.least_remaining, found.least_since),
        )


class TestTimeout(InFlightTestCase):
    """--server-timeout."""

    LIMIT = 60.0
    LATE = builders.server_memory(under_way_since=NOW - LIMIT)

    def late(self, remembered=LATE, **kwargs):
        policy = policies.Policy(server_timeout=self.LIMIT)
        return self.fly(policy=policy, remembered=remembered, **kwargs)

    @unit.cases('accepted', 'queued', 'preparing', 'running', 'post-migrating')
    def test_a_live_migration_is_aborted(self, status):
        assessed = self.late(status=status)
        self.assertIs(ActionKind.ABORT, assessed.ask)
        self.assertEqual(
            'it took longer than 60 s (--server-timeout)', assessed.reason
        )
        self.assertEqual(assessed.reason, assessed.why)
        self.assertTrue(assessed.soon)

    @unit.cases(
        base.asked(
            ActionKind.ABORT,
            remembered=LATE,
            record_id=7,
            asked_at=NOW - timing.EFFECT_WAIT_SECONDS,
        ),
        base.refused(
            ActionKind.ABORT, timing.END_TRIES, remembered=LATE, record_id=7
        ),
    )
    def test_an_abort_that_has_no_effect(self, remembered):
        assessed = self.late(remembered, phase=Phase.STILL_MOVING)
        self.assert_given_up(assessed)
        self.assertIn('cannot be aborted', assessed.reason)


class TestDestinationDown(InFlightTestCase):
    """The compute service where it is going has died."""

    GRACE = timing.DOWN_GRACE_SECONDS

    def test_a_live_migration_is_aborted_and_tried_again(self):
        assessed = self.fly(others_down={'cmp02': NOW - self.GRACE})
        self.assertIs(ActionKind.ABORT, assessed.ask)
        self.assertIn('destination cmp02 is down', assessed.reason)
        self.assertEqual('', assessed.why)

    def test_a_cold_migration_is_not_awaited(self):
        assessed = self.fly(
            kind=base.COLD,
            status='migrating',
            others_down={'cmp02': NOW - self.GRACE},
            phase=Phase.FAILED,
        )
        self.assert_given_up(assessed)
