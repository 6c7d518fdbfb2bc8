# SPDX-License-Identifier: Apache-2.0

"""When to look again, and what is said to be waited for.

Nova's times are whole seconds of Nova's clock: here it shows ``SINCE`` when
ours shows 1000 seconds.
"""

import math

import hypothesis
from hypothesis import strategies

from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import polling
from osc_hostmaint.planning.host import server_statuses
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders

NOW = builders.NOW


def ended(*times, began=0.0, unseen=0.0):
    """Return records that ended at these times, and when that was seen."""
    return [
        builders.migration(
            i,
            'completed',
            created_at=builders.cloud_time(began),
            updated_at=builders.cloud_time(time),
            seen_at=NOW + time + unseen,
        )
        for i, time in enumerate(times)
    ]


class TestMoveTiming(unit.TestCase):
    @unit.cases(
        # Ends; slots; the time of a move, between two ends, to the next end.
        ((10, 20, 30), 1, (10, 10, 40)),
        ((10, 20, 30), None, (10, 10, 40)),
        ((10, 13, 20, 23), 2, (10, 5, 30)),
        # The others may end at any moment.
        ((10,), 4, (10, 2.5, 10)),
        # A pause is no move.
        ((10, 20, 30, 630, 640), 1, (10, 10, 650)),
        # What was long ago does not count.
        ((100, 200, 300, 400, 500, 510, 520, 530, 540), 1, (10, 10, 550)),
    )
    def test_next_end_is_estimated(self, ends, slots, expected):
        found = polling.estimate_timing(ended(*ends), slots)
        self.assertEqual(
            expected, (found.move, found.between, found.next_end - NOW)
        )

    def test_nothing_is_known_before_the_first_end(self):
        never = builders.migration(status='completed', updated_at=None)
        self.assertIsNone(polling.estimate_timing([never], 1))

    def test_the_first_end_tells_how_long_a_move_takes(self):
        found = polling.estimate_timing(ended(30, began=10), 1)
        self.assertEqual((20, NOW + 50), (found.move, found.next_end))

    def test_our_clock_differs_and_ends_are_seen_late(self):
        """The one that was seen soonest tells how the clocks differ."""
        late = ended(10, 20, unseen=5)
        soon = ended(0, 1, 30, unseen=0.2)[2:]
        found = polling.estimate_timing([*late, *soon], 1)
        self.assertAlmostEqual(NOW + 40.2, found.next_end)


class TestInterval(unit.TestCase):
    def interval(self, **kwargs):
        return polling.interval(
            **{
                'now': NOW,
                'ages': [5.0],
                'move_timing': None,
                'filling': False,
                'settling': False,
                **kwargs,
            }
        )

    def late(self, seconds):
        """Return when to look where an end is late by so much."""
        return self.interval(
            move_timing=polling.MoveTiming(20, NOW - seconds, 20)
        )

    @unit.cases(
        ({'filling': True}, timing.LOOK_LEAST_SECONDS),
        ({'settling': True}, timing.LOOK_LAST_STATUS_SECONDS),
        ({'ages': []}, timing.LOOK_OTHERS_SECONDS),
    )
    def test_it_follows_what_is_waited_for(self, what, expected):
        self.assertEqual(expected, self.interval(**what))

    @unit.cases(0.1, 1, 5, 600)
    def test_before_the_first_end_it_follows_the_age(self, age):
        looked = self.interval(ages=[age])
        self.assertLessEqual(looked, max(timing.LOOK_FIRST_END_SECONDS, age))
        self.assertLessEqual(looked, timing.LOOK_MOST_SECONDS)

    def test_just_after_the_next_end(self):
        looked = self.late(-15)
        self.assertGreater(looked, 15)
        self.assertLess(looked, 17)

    def test_polling_backs_off_for_a_late_end(self):
        self.assertLess(self.late(2), 20)
        self.assertLessEqual(self.late(2), self.late(10))
        self.assertEqual(timing.LOOK_MOST_SECONDS, self.late(600))

    @hypothesis.given(
        ages=strategies.lists(strategies.floats(0, 1e5), max_size=4),
        move_timing=strategies.none()
        | strategies.builds(
            polling.MoveTiming,
            move=strategies.floats(0, 1e5),
            next_end=strategies.floats(0, 1e5),
            between=strategies.floats(0, 1e5),
        ),
        filling=strategies.booleans(),
        settling=strategies.booleans(),
        slots=strategies.none() | strategies.integers(1, 20),
    )
    def test_interval_is_bounded(self, **kwargs):
        looked = self.interval(**kwargs)
        self.assertGreaterEqual(looked, timing.LOOK_LEAST_SECONDS)
        self.assertLessEqual(looked, timing.LOOK_MOST_FORETOLD_SECONDS)


Phase = server_status.Phase


def status(awaits, wake_at=math.inf, phase=Phase.MOVING):
    return server_status.ServerStatus(phase, awaits=awaits, wake_at=wake_at)


class TestWait(unit.TestCase):
    """What a line says of all that is awaited for servers."""

    @unit.cases(
        ([], None),
        ([status('')], None),
        ([status('x', 5.0)], ('x', 5.0, ('vm0',))),
        ([status('x')], ('x', None, ('vm0',))),
        # What lasts longest, and for whom.
        ([status('x', 5.0), status('y', 9.0)], ('y', 9.0, ('vm1',))),
        ([status('x', 5.0), status('x', 9.0)], ('x', 9.0, ('vm0', 'vm1'))),
        # What has no end of its own hides nothing that has one.
        ([status('x', 5.0), status('y')], ('x', 5.0, ('vm0',))),
        # Its move was given up.
        ([status('x', 5.0, Phase.FAILED)], None),
        ([status('x', 5.0, Phase.STILL_MOVING)], None),
    )
    def test_the_longest_is_said(self, statuses, expected):
        found = server_statuses.wait(
            {f'vm{number}': each for number, each in enumerate(statuses)}
        )
        if expected is None:
            self.assertIsNone(found)
        else:
            self.assertEqual(server_status.Wait(*expected), found)
