# SPDX-License-Identifier: Apache-2.0

"""Moves that make no progress, or take too long."""

import dataclasses
import unittest

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import in_flight
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Phase = base.Phase
Kind = memories.Kind
OnStall = policies.OnStall
GIB = 2**30
STALL = 600.0


def progress(remaining=GIB, ago=0.0):
    """Return how far the migration of record 7 was so long ago."""
    return {7: model.Progress(remaining, 4 * GIB, NOW - ago)}


def stalled(seconds, track=None):
    """Return the track of a server whose memory has not shrunk for so long."""
    track = track or builders.track()
    return in_flight.keep_least(
        track, base.record(), model.Progress(GIB, 4 * GIB, NOW - seconds)
    )


class FlightTestCase(base.CaseTestCase):
    def fly(self, *, status='running', kind=base.LIVE, phase=None, **kwargs):
        """Return where a server stands whose move is in flight."""
        record = base.record(status, type=kind, seen_at=NOW - 300)
        kwargs.setdefault('view', base.MIGRATING)
        stand = self.stand(record, **kwargs)
        self.assertEqual(phase or Phase.MOVING, stand.phase, stand)
        self.assertEqual(record, stand.record)
        self.assertEqual(builders.DEST, stand.destination)
        return stand

    def assert_given_up(self, stand):
        self.assertIsNone(stand.ask)
        self.assertIn('it may still be running in Nova', stand.reason)
        self.assertIn('run this again', stand.reason)


@ddt.ddt
class TestStall(FlightTestCase):
    """Memory that does not become less."""

    def stall(self, on_stall=OnStall.WAIT, seconds=STALL, **kwargs):
        kwargs.setdefault('track', stalled(seconds))
        return self.fly(
            policy=policies.Policy(on_stall=on_stall, stall_after=STALL),
            progress=progress(),
            **kwargs,
        )

    @ddt.data(
        (OnStall.WAIT, None),
        (OnStall.FORCE_COMPLETE, Kind.FORCE_COMPLETE),
        (OnStall.ABORT, Kind.ABORT),
    )
    @ddt.unpack
    def test_then(self, on_stall, ask):
        stand = self.stall(on_stall)

        self.assertIs(ask, stand.ask)
        self.assertIn('1024 MiB of 4096 MiB', stand.reason)
        self.assertIn('for 600 s', stand.reason)

    def test_of_another_migration_before_it(self):
        track = base.asked(
            Kind.FORCE_COMPLETE, track=stalled(STALL), record_id=6
        )
        stand = self.stall(OnStall.FORCE_COMPLETE, track=track)

        self.assertIs(Kind.FORCE_COMPLETE, stand.ask)

    @ddt.data(
        (1, Kind.FORCE_COMPLETE),
        (timing.END_TRIES - 1, Kind.FORCE_COMPLETE),
        (timing.END_TRIES, None),
    )
    @ddt.unpack
    def test_refused_it_is_asked_for_a_few_times(self, refusals, ask):
        track = base.refused(
            Kind.FORCE_COMPLETE, refusals, track=stalled(STALL), record_id=7
        )
        stand = self.stall(OnStall.FORCE_COMPLETE, track=track)

        self.assertIs(ask, stand.ask)


@ddt.ddt
class TestProgress(unittest.TestCase):
    """What counts as progress of a live migration."""

    BEFORE = 1000

    @ddt.data(
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
    @ddt.unpack
    def test_less_memory_is_left(self, remaining, record_id, counts):
        track = builders.track(
            least_of=7, least_remaining=self.BEFORE, least_since=NOW - 100
        )
        found = in_flight.keep_least(
            track,
            base.record(record_id=record_id),
            model.Progress(remaining, 4000, NOW),
        )
        self.assertEqual(
            (remaining, NOW) if counts else (self.BEFORE, NOW - 100),
            (found.least_remaining, found.least_since),
        )


@ddt.ddt
class TestTimeout(FlightTestCase):
    """--server-timeout."""

    LIMIT = 60.0

    POLICY = policies.Policy(server_timeout=LIMIT)

    def under_way(self, seconds, **kwargs):
        kwargs.setdefault('track', builders.track())
        track = kwargs.pop('track')
        return self.fly(
            policy=self.POLICY,
            track=dataclasses.replace(track, under_way_since=NOW - seconds),
            **kwargs,
        )

    @ddt.data('accepted', 'queued', 'preparing', 'running', 'post-migrating')
    def test_a_live_migration_is_aborted(self, status):
        stand = self.under_way(self.LIMIT, status=status)

        self.assertIs(Kind.ABORT, stand.ask)
        self.assertEqual(
            'it took longer than 60 s (--server-timeout)', stand.reason
        )
        self.assertEqual(stand.reason, stand.why)
        self.assertTrue(stand.soon)

    @ddt.data(
        base.asked(
            Kind.ABORT, record_id=7, asked_at=NOW - timing.EFFECT_WAIT_SECONDS
        ),
        base.refused(Kind.ABORT, timing.END_TRIES, record_id=7),
    )
    def test_an_abort_that_has_no_effect(self, track):
        stand = self.under_way(
            self.LIMIT, track=track, phase=Phase.STILL_MOVING
        )

        self.assert_given_up(stand)
        self.assertIn('cannot be aborted', stand.reason)


@ddt.ddt
class TestDestinationDown(FlightTestCase):
    """The compute service where it is going has died."""

    GRACE = timing.DOWN_GRACE_SECONDS

    @ddt.data(None, GRACE - 1)
    def test_it_may_come_back(self, down_for):
        since = None if down_for is None else NOW - down_for
        others = {} if since is None else {'cmp02': since}
        stand = self.fly(others_down=others)

        self.assertIsNone(stand.ask)

    def test_a_live_migration_is_aborted_and_tried_again(self):
        stand = self.fly(others_down={'cmp02': NOW - self.GRACE})

        self.assertIs(Kind.ABORT, stand.ask)
        self.assertIn('destination cmp02 is down', stand.reason)
        self.assertEqual('', stand.why)

    def test_a_cold_migration_is_not_awaited(self):
        stand = self.fly(
            kind=base.COLD,
            status='migrating',
            others_down={'cmp02': NOW - self.GRACE},
            phase=Phase.FAILED,
        )

        self.assert_given_up(stand)
