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

"""How often a move in flight is looked at, and what shrinks."""

import unittest

import ddt
import hypothesis
from hypothesis import strategies

from osc_hostmaint import model
from osc_hostmaint.planning import flight
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Phase = base.Phase


@ddt.ddt
class TestLooks(base.CaseTestCase):
    """How far it is, is asked for seldom and not at once."""

    @ddt.data(
        # seconds since it runs, since the last look; look
        (149, None, False),
        (150, None, True),
        (3600, 59, False),
        (3600, 60, True),
    )
    @ddt.unpack
    def test_when(self, runs_for, looked_ago, expected):
        stand = self.stand(
            base.record(seen_at=NOW - runs_for),
            view=base.MIGRATING,
            progress={}
            if looked_ago is None
            else {7: model.Progress(9, 9, NOW - looked_ago)},
            policy=policies.Policy(stall_after=600.0),
        )

        self.assertIs(expected, stand.progress)

    @ddt.data(
        (base.LIVE, 'queued'),
        (base.LIVE, 'preparing'),
        (base.LIVE, 'post-migrating'),
        (base.COLD, 'migrating'),
        (base.RESIZE, 'migrating'),
        # A word of tomorrow's.
        (base.COLD, 'running'),
    )
    @ddt.unpack
    def test_only_of_a_live_migration_that_runs(self, kind, status):
        record = base.record(status, type=kind, seen_at=NOW - 3600)

        self.assertFalse(self.stand(record, view=base.MIGRATING).progress)

    @ddt.data((600.0, 60.0), (50.0, 5.0), (1.0, 1.0), (0.0, 1.0))
    @ddt.unpack
    def test_period(self, stall_after, expected):
        policy = policies.Policy(stall_after=stall_after)

        self.assertEqual(expected, flight.period(policy))


@ddt.ddt
class TestPatience(unittest.TestCase):
    """When to look again at the latest, for the sake of moves in flight."""

    def patience(self, kind=base.LIVE, since=NOW, phase=Phase.MOVING, **kw):
        track = builders.track(under_way_since=since)
        stand = standing.Standing(phase, record=base.record(type=kind))
        return flight.patience(
            builders.memory(track), {'vm1': stand}, policies.Policy(**kw), NOW
        )

    def test_progress_is_looked_at_in_time(self):
        self.assertEqual(60.0, self.patience())
        self.assertEqual(5.0, self.patience(stall_after=50.0))

    def test_nothing_else_has_progress(self):
        self.assertEqual(float('inf'), self.patience(base.COLD))

    def test_what_is_not_under_way_has_time(self):
        self.assertEqual(float('inf'), self.patience(since=None))
        self.assertEqual(float('inf'), self.patience(phase=Phase.MOVED))

    def test_what_is_busy_has_its_time_too(self):
        found = self.patience(
            base.COLD, NOW - 25, Phase.BUSY, server_timeout=30.0
        )

        self.assertEqual(5.0, found)

    def test_a_queue_that_is_stuck(self):
        track = builders.track(stuck_since=NOW - 25)
        stand = standing.Standing(Phase.MOVING, record=base.record('queued'))
        found = flight.patience(
            builders.memory(track),
            {'vm1': stand},
            policies.Policy(server_timeout=30.0),
            NOW,
        )

        self.assertEqual(5.0, found)

    @ddt.data(
        # under way for so long; seconds
        (0.0, 30.0),
        (25.0, 5.0),
        (29.9, timing.OVERDUE_RECHECK_SECONDS),
        # Over its time: that is known already.
        (30.0, float('inf')),
        (99.0, float('inf')),
    )
    @ddt.unpack
    def test_time_out(self, under_way, expected):
        found = self.patience(base.COLD, NOW - under_way, server_timeout=30.0)

        self.assertEqual(expected, found)

    def test_the_most_urgent_counts(self):
        tracks = [
            builders.track(builders.server(f'vm{n}'), under_way_since=NOW - n)
            for n in range(3)
        ]
        stands = {
            t.before.id: standing.Standing(
                Phase.MOVING, record=base.record(type=base.COLD)
            )
            for t in tracks
        }
        policy = policies.Policy(server_timeout=30.0)
        found = flight.patience(builders.memory(*tracks), stands, policy, NOW)

        self.assertEqual(28.0, found)


@ddt.ddt
class TestLeast(unittest.TestCase):
    """What counts as becoming less."""

    BEFORE = 1000

    def keep(self, remaining, record_id=7, before=BEFORE):
        track = builders.track(
            least_of=7, least_remaining=before, least_since=NOW - 100
        )
        found = flight.keep_least(
            track,
            base.record(record_id=record_id),
            model.Progress(remaining, 4000, NOW),
        )
        return found.least_remaining, found.least_since

    @ddt.data(
        # what is left now; does it count
        (BEFORE, False),
        (BEFORE + 500, False),
        # A guest writes meanwhile: up and down says nothing.
        (BEFORE - 9, False),
        (BEFORE - 10, True),
        (0, True),
    )
    @ddt.unpack
    def test_shrinks(self, remaining, counts):
        expected = (remaining, NOW) if counts else (self.BEFORE, NOW - 100)

        self.assertEqual(expected, self.keep(remaining))

    def test_nothing_is_left_and_it_does_not_end(self):
        self.assertEqual((0, NOW - 100), self.keep(0, before=0))

    def test_another_migration_begins_anew(self):
        self.assertEqual((5000, NOW), self.keep(5000, record_id=8))

    def test_the_first_look(self):
        found = flight.keep_least(
            builders.track(), base.record(), model.Progress(9, 9, NOW)
        )

        self.assertEqual(
            (7, 9, NOW),
            (found.least_of, found.least_remaining, found.least_since),
        )

    @hypothesis.given(
        strategies.lists(strategies.integers(0, 10**12), min_size=1)
    )
    def test_slow_is_not_stalled(self, looks):
        """However little it shrinks at a time, in the end it counts."""
        track = builders.track()
        for second, remaining in enumerate(looks):
            track = flight.keep_least(
                track, base.record(), model.Progress(remaining, 1, second)
            )

        self.assertGreaterEqual(track.least_remaining, min(looks))
        self.assertLessEqual(0.99 * track.least_remaining, min(looks))
        self.assertLess(track.least_since, len(looks))
