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

"""How many moves to start, for a source whose limit nobody tells us."""

import unittest

import ddt
import hypothesis
from hypothesis import strategies

from osc_hostmaint.planning import timing
from osc_hostmaint.planning import window
from tests.unit import builders

FLIGHTS = strategies.builds(
    window.InFlight,
    coming=strategies.integers(0, 4),
    queued=strategies.integers(0, 4),
    running=strategies.integers(0, 12),
    cold=strategies.integers(0, 4),
)
SLOTS = strategies.none() | strategies.integers(1, 12)
QUEUES = strategies.sampled_from([1, 2])


@ddt.ddt
class TestCount(unittest.TestCase):
    @ddt.data(
        # statuses of records, asked for without a record; coming, queued,
        # running
        ([], 0, (0, 0, 0)),
        ([], 2, (2, 0, 0)),
        (['accepted'], 1, (2, 0, 0)),
        (['queued'], 0, (0, 1, 0)),
        (['preparing'], 0, (0, 0, 1)),
        (['running', 'post-migrating'], 0, (0, 0, 2)),
        (['a status of tomorrow'], 0, (0, 0, 1)),
        (['accepted', 'queued', 'preparing', 'running'], 0, (1, 1, 2)),
    )
    @ddt.unpack
    def test_live(self, statuses, asked, expected):
        records = [
            builders.migration(i, status) for i, status in enumerate(statuses)
        ]
        found = window.count(records, asked=asked, cold=3)

        self.assertEqual(window.InFlight(*expected, cold=3), found)
        self.assertEqual(sum(expected), found.live)
        self.assertEqual(sum(expected) + 3, found.total)


@ddt.ddt
class TestLearnSlots(unittest.TestCase):
    @ddt.data(
        # known so far; coming, queued, running; known now
        (None, (0, 0, 0), None),
        (None, (1, 0, 1), None),
        (None, (0, 1, 1), 1),
        (None, (0, 1, 4), 4),
        # Every one is queued for a moment.
        (None, (0, 1, 0), None),
        (None, (1, 1, 1), None),
        (1, (0, 1, 1), 1),
        # A slot that is changing hands is none the less.
        (4, (0, 1, 3), 4),
        (4, (0, 0, 1), 4),
        # More run than were known: how many is open again.
        (1, (0, 0, 2), None),
        (1, (0, 1, 2), 2),
    )
    @ddt.unpack
    def test_table(self, slots, now, expected):
        self.assertEqual(
            expected, window.learn_slots(slots, window.InFlight(*now))
        )


@ddt.ddt
class TestLiveStarts(unittest.TestCase):
    @ddt.data(
        # slots; coming, queued, running; how many to start
        (None, (0, 0, 0), 2),
        (None, (1, 0, 0), 1),
        (None, (2, 0, 0), 0),
        (None, (0, 0, 1), 2),
        (None, (0, 1, 1), 0),
        # All slots are full, and one is to wait.
        (1, (0, 0, 1), 1),
        (1, (1, 0, 1), 0),
        (1, (0, 1, 1), 0),
        (4, (0, 0, 4), 1),
        # A slot is free: one for it, one to wait.
        (1, (0, 0, 0), 2),
        (4, (0, 0, 3), 2),
        (4, (1, 0, 3), 1),
        (4, (2, 0, 3), 0),
    )
    @ddt.unpack
    def test_one_waits(self, slots, now, expected):
        self.assertEqual(
            expected, window.live_starts(window.InFlight(*now), slots)
        )

    @ddt.data(
        (None, 1),
        (timing.QUICK_ENDS_SECONDS, 1),
        (60.0, 1),
        (timing.QUICK_ENDS_SECONDS / 2, 2),
    )
    @ddt.unpack
    def test_two_wait_where_moves_are_brisk(self, between, expected):
        self.assertEqual(expected, window.queue_length(between))

    @hypothesis.given(FLIGHTS, SLOTS, QUEUES)
    def test_nothing_is_claimed_long_before_it_is_needed(
        self, now, slots, queue
    ):
        starts = window.live_starts(now, slots, queue)

        self.assertGreaterEqual(starts, 0)
        if now.queued >= queue:
            self.assertEqual(0, starts)
        if slots is not None and starts:
            taken = max(slots, now.running)
            self.assertEqual(taken + queue, now.live + starts)

    @ddt.data(1, 2, 3, 4, 8, 12, 30)
    def test_every_slot_gets_used_and_few_wait(self, limit):
        """A source that takes what waits at every look, up to its limit."""
        slots, queued, running = None, 0, 0
        for _look in range(2 * limit + 2):
            now = window.InFlight(queued=queued, running=running)
            slots = window.learn_slots(slots, now)
            queued += window.live_starts(now, slots)
            taken = min(queued, limit - running)
            queued, running = queued - taken, running + taken
            self.assertLessEqual(queued, max(2, limit // 2))

        self.assertEqual(limit, running)
        self.assertEqual(limit, slots)
        self.assertGreaterEqual(queued, 1)


@ddt.ddt
class TestShare(unittest.TestCase):
    @ddt.data(
        # coming, queued, running, cold; waiting: live, cold; --parallel
        # -> live, cold to start
        ((0, 0, 0, 0), (9, 9), None, (2, 2)),
        ((0, 1, 1, 0), (9, 9), None, (0, 2)),
        ((0, 1, 1, 1), (9, 9), None, (0, 1)),
        ((0, 1, 1, 2), (9, 9), None, (0, 0)),
        ((0, 0, 0, 0), (1, 0), None, (1, 0)),
        ((0, 0, 0, 0), (0, 1), None, (0, 1)),
        ((0, 0, 0, 0), (9, 9), 1, (1, 0)),
        ((0, 0, 1, 0), (9, 9), 1, (0, 0)),
        ((0, 0, 0, 1), (9, 9), 1, (0, 0)),
        ((0, 0, 0, 0), (9, 9), 3, (2, 1)),
        ((0, 1, 1, 0), (9, 9), 4, (0, 2)),
        ((0, 0, 0, 0), (0, 9), 4, (0, 4)),
    )
    @ddt.unpack
    def test_table(self, now, waiting, parallel, expected):
        self.assertEqual(
            expected,
            window.share(window.InFlight(*now), None, parallel, *waiting),
        )

    @hypothesis.given(
        FLIGHTS,
        SLOTS,
        strategies.none() | strategies.integers(1, 8),
        strategies.integers(0, 9),
        strategies.integers(0, 9),
        QUEUES,
    )
    def test_never_more_than_allowed_or_waiting(
        self, now, slots, parallel, live_waiting, cold_waiting, queue
    ):
        live, cold = window.share(
            now, slots, parallel, live_waiting, cold_waiting, queue
        )

        self.assertIn(live, range(live_waiting + 1))
        self.assertIn(cold, range(cold_waiting + 1))
        if parallel is None:
            self.assertLessEqual(cold, window.COLD_WINDOW)
        elif live or cold:
            self.assertLessEqual(now.total + live + cold, parallel)
