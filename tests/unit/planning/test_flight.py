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

"""A move in flight: it goes on, stalls, takes too long, loses its way."""

import dataclasses

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import flight
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
Phase = base.Phase
OnStall = policies.OnStall
GIB = 2**30
STALL = 600.0


def progress(remaining=GIB, ago=0.0):
    """Return how far the migration of record 7 was so long ago."""
    return {7: model.Progress(remaining, 4 * GIB, NOW - ago)}


def stalled(seconds, track=None):
    """Return the track of a server whose memory has not shrunk for so long."""
    track = track or builders.track()
    return flight.keep_least(
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
        self.assertIs(Phase.FAILED, stand.phase)
        self.assertIsNone(stand.ask)
        self.assertIn('it may still go on in Nova', stand.reason)
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

    @ddt.data(*OnStall)
    def test_before_its_time(self, on_stall):
        stand = self.stall(on_stall, STALL - 1)

        self.assertIsNone(stand.ask)
        self.assertEqual('', stand.reason)

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

    def test_an_abort_says_why_there_is_no_other_attempt(self):
        stand = self.stall(OnStall.ABORT)

        self.assertEqual(stand.reason, stand.why)

    def test_a_completion_that_was_forced_is_awaited(self):
        for ago in (1, 3600):
            stand = self.stall(
                OnStall.FORCE_COMPLETE,
                track=base.asked(
                    Kind.FORCE_COMPLETE,
                    track=stalled(STALL),
                    asked_at=NOW - ago,
                    record_id=7,
                ),
            )

            self.assertIsNone(stand.ask)
            self.assertIn('stalled', stand.reason)

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

    def test_of_another_migration_before_it(self):
        track = base.asked(
            Kind.FORCE_COMPLETE, track=stalled(STALL), record_id=6
        )
        stand = self.stall(OnStall.FORCE_COMPLETE, track=track)

        self.assertIs(Kind.FORCE_COMPLETE, stand.ask)

    def test_it_counts_by_looks_at_the_progress(self):
        """Nobody has looked for long: then nobody knows."""
        stand = self.fly(
            policy=policies.Policy(on_stall=OnStall.ABORT, stall_after=STALL),
            track=stalled(STALL),
            progress=progress(ago=1),
        )

        self.assertIsNone(stand.ask)

    def test_what_is_known_of_the_one_before_it(self):
        """Of this one nobody knows yet."""
        stand = self.fly(
            policy=policies.Policy(on_stall=OnStall.ABORT, stall_after=STALL),
            track=stalled(3600),
        )

        self.assertIsNone(stand.ask)

    def test_never_looked_at(self):
        stand = self.fly(
            policy=policies.Policy(on_stall=OnStall.ABORT, stall_after=0.0)
        )

        self.assertIsNone(stand.ask)


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

    def test_in_time(self):
        stand = self.under_way(self.LIMIT - 1)

        self.assertIsNone(stand.ask)
        self.assertEqual('', stand.reason)

    @ddt.data('accepted', 'queued', 'preparing', 'running', 'post-migrating')
    def test_a_live_migration_is_aborted(self, status):
        stand = self.under_way(self.LIMIT, status=status)

        self.assertIs(Kind.ABORT, stand.ask)
        self.assertEqual(
            'it took longer than 60 s (--server-timeout)', stand.reason
        )
        self.assertEqual(stand.reason, stand.why)
        self.assertTrue(stand.soon)

    def test_the_abort_is_awaited(self):
        track = base.asked(Kind.ABORT, record_id=7, asked_at=NOW - 1)
        stand = self.under_way(self.LIMIT, track=track)

        self.assertIsNone(stand.ask)
        self.assertTrue(stand.soon)

    @ddt.data(
        base.asked(
            Kind.ABORT, record_id=7, asked_at=NOW - timing.EFFECT_WAIT_SECONDS
        ),
        base.refused(Kind.ABORT, timing.END_TRIES, record_id=7),
    )
    def test_an_abort_that_has_no_effect(self, track):
        stand = self.under_way(self.LIMIT, track=track, phase=Phase.FAILED)

        self.assert_given_up(stand)
        self.assertIn('can not be aborted', stand.reason)

    def test_why_it_can_not_be_aborted(self):
        track = base.refused(Kind.ABORT, timing.END_TRIES, record_id=7)
        stand = self.under_way(self.LIMIT, track=track, phase=Phase.FAILED)

        self.assertIn(base.REFUSAL, stand.reason)

    def test_refused_it_is_asked_for_again(self):
        track = base.refused(
            Kind.ABORT, timing.END_TRIES - 1, record_id=7, refused_at=NOW - 5
        )

        self.assertIs(Kind.ABORT, self.under_way(self.LIMIT, track=track).ask)

    @ddt.data(base.COLD, base.RESIZE, base.EVACUATION)
    def test_nothing_else_can_be_aborted(self, kind):
        stand = self.under_way(
            self.LIMIT, kind=kind, status='migrating', phase=Phase.FAILED
        )

        self.assert_given_up(stand)
        self.assertIn('longer than 60 s', stand.reason)

    def test_without_a_limit(self):
        stand = self.fly(track=builders.track(under_way_since=0.0))

        self.assertIsNone(stand.ask)

    def test_what_was_not_seen_under_way_yet(self):
        self.fly(policy=self.POLICY)


@ddt.ddt
class TestDestinationDown(FlightTestCase):
    """The compute service where it is going has died."""

    GRACE = timing.DOWN_GRACE_SECONDS

    @ddt.data(None, GRACE - 1)
    def test_it_may_come_back(self, down_for):
        since = None if down_for is None else NOW - down_for
        stand = self.fly(destination_down_since=since)

        self.assertIsNone(stand.ask)

    def test_it_counts_by_the_look_at_the_services(self):
        stand = self.fly(
            destination_down_since=NOW - self.GRACE, service_at=NOW - 1
        )

        self.assertIsNone(stand.ask)

    def test_a_live_migration_is_aborted_and_tried_again(self):
        stand = self.fly(destination_down_since=NOW - self.GRACE)

        self.assertIs(Kind.ABORT, stand.ask)
        self.assertIn('destination cmp02 is down', stand.reason)
        self.assertEqual('', stand.why)

    def test_a_cold_migration_is_not_awaited(self):
        stand = self.fly(
            kind=base.COLD,
            status='migrating',
            destination_down_since=NOW - self.GRACE,
            phase=Phase.FAILED,
        )

        self.assert_given_up(stand)

    def test_it_counts_more_than_a_stall(self):
        """That says that there is to be no other attempt."""
        stand = self.fly(
            policy=policies.Policy(on_stall=OnStall.ABORT),
            track=stalled(3600),
            progress=progress(),
            destination_down_since=NOW - self.GRACE,
        )

        self.assertIs(Kind.ABORT, stand.ask)
        self.assertEqual('', stand.why)
