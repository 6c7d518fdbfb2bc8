# SPDX-License-Identifier: Apache-2.0

"""When to look again, and what is said to be waited for.

Nova's times are whole seconds of Nova's clock: here it shows ``SINCE`` when
ours shows 1000 seconds.
"""

import math

import hypothesis
from hypothesis import strategies

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import polling
from osc_hostmaint.planning.host import server_statuses
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

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
        ending=strategies.booleans(),
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
        self.assertEqual(expected and server_status.Wait(*expected), found)


ActionKind = memories.ActionKind
MOVING = {
    'servers': [base.MIGRATING],
    'migrations': [builders.migration(7, seen_at=NOW - 99)],
}
LAST_STATUS = timing.LOOK_LAST_STATUS_SECONDS
LAST_CHECKS = timing.LOOK_LAST_CHECKS_SECONDS
MOVED = builders.server_memory(base.VERIFY_THERE, began_at=NOW - 600)
BEING_BUILT = {'servers': [builders.server(status='BUILD')]}
HERE = {'servers': [base.HERE]}
HERE_BEFORE = {'servers': [builders.server(seen_at=NOW - 9)]}
HELD_BY_A_DELETED_SERVER = {
    'consumers': frozenset({'x'}),
    'visited': [builders.server('x', 'DELETED')],
}


def record(status):
    return builders.migration(7, status)


def finished(ago):
    """Return what is seen of a server that waits for its confirmation."""
    record = builders.migration(
        7, 'finished', type=base.COLD, seen_at=NOW - ago
    )
    return {'visited': [base.VERIFY_THERE], 'migrations': [record]}


class PollingTestCase(base.DecideTestCase):
    def assert_looks_in(self, expected, *remembered, slots=1, **kwargs):
        memory = builders.memory(*remembered, slots=slots)
        found = self.decide(memory=memory, **kwargs).interval
        self.assertAlmostEqual(expected, found)


class TestSettling(PollingTestCase):
    """Something is about to be known in a moment."""

    @unit.cases(
        # To be visited: its record has ended.
        (LAST_STATUS, HERE_BEFORE | {'migrations': [record('completed')]}),
        # To be asked why it failed.
        (LAST_STATUS, HERE | {'migrations': [record('error')]}),
        # To be confirmed; by others, if that is not long ago.
        (LAST_STATUS, finished(60)),
        (timing.LOOK_MOST_AT_THE_END_SECONDS, finished(0.0), MOVED),
        (2.0, finished(8.0), MOVED),
        (LAST_CHECKS, finished(9.9), MOVED),
        # To be looked at for the last time.
        (LAST_CHECKS, {'consumers': None}),
        # Others are waited for.
        (timing.LOOK_OTHERS_SECONDS, HELD_BY_A_DELETED_SERVER),
        (timing.LOOK_OTHERS_SECONDS, BEING_BUILT),
    )
    def test_look(self, expected, observed, *remembered):
        self.assert_looks_in(expected, *remembered, **observed)

    @unit.cases(
        (1.0, LAST_STATUS), (60.0, timing.LOOK_MOST_AT_THE_END_SECONDS)
    )
    def test_what_was_asked_for_without_a_record(self, ago, expected):
        view = builders.server(status='SUSPENDED', task_state='resuming')
        remembered = base.asked(
            ActionKind.RESUME,
            remembered=builders.server_memory(
                base.SUSPENDED, began_at=NOW - ago
            ),
            asked_at=NOW - ago,
        )
        self.assert_looks_in(expected, remembered, servers=[view])

    def test_a_migration_that_is_aborted(self):
        self.assert_looks_in(
            LAST_STATUS,
            base.asked(
                ActionKind.ABORT,
                remembered=builders.server_memory(
                    began_at=NOW - 99, under_way_since=NOW - 99
                ),
                record_id=7,
                asked_at=NOW - 1,
            ),
            policy=policies.Policy(server_timeout=60.0),
            **MOVING,
        )


class TestMoving(PollingTestCase):
    """By how long the moves under way have taken so far."""

    @unit.cases(
        # seconds since it began, since the newest request, slots; seconds
        (3.5, 3.5, 1, 2.8),
        # The second attempt.
        (60.0, 3.0, 1, 2.4),
        # Adopted.
        (3.5, None, 1, 2.8),
        (10.0, None, 4, 2.0),
        # Nothing else is left: the end of the drain may come at any moment.
        (60.0, 60.0, 1, timing.LOOK_MOST_AT_THE_END_SECONDS),
    )
    def test_age(self, began, asked, slots, expected):
        remembered = builders.server_memory(began_at=NOW - began)
        if asked is not None:
            remembered = base.asked(
                remembered=remembered, asked_at=NOW - asked
            )
        self.assert_looks_in(expected, remembered, slots=slots, **MOVING)

    def test_waiting_server_has_no_age(self):
        """The one that failed long ago and is to be tried again."""
        self.assert_looks_in(
            4.0,
            builders.server_memory(began_at=NOW - 5),
            builders.server_memory(
                builders.server('vm2'), began_at=NOW - 99, not_before=NOW + 1
            ),
            servers=[base.MIGRATING, builders.server('vm2')],
            migrations=[
                builders.migration(7),
                builders.migration(8, 'queued', 'vm3'),
            ],
            visited=[builders.server('vm3', 'MIGRATING', host='x')],
        )

    @unit.cases(
        # options; seconds
        ({}, timing.LOOK_MOST_AT_THE_END_SECONDS),
        # Ten looks at the progress in the time that makes a stall.
        ({'stall_after': 30.0}, 3.0),
        ({'server_timeout': 62.0}, 2.0),
    )
    def test_not_later_than_the_next_due_time(self, options, expected):
        remembered = builders.server_memory(
            began_at=NOW - 60, under_way_since=NOW - 60
        )
        self.assert_looks_in(
            expected, remembered, policy=policies.Policy(**options), **MOVING
        )


class TestForetold(PollingTestCase):
    """By when the next move will end, as the ones before it have."""

    def foretold(self, history=frozenset(), ahead=None, **kwargs):
        """Return the seconds to the next look after another move ended so."""
        ended = {
            'record_id': 6,
            'status': 'completed',
            'server_id': 'vm2',
            'updated_at': builders.cloud_time(80),
            'seen_at': NOW - 1,
            **kwargs,
        }
        memory = builders.memory(
            builders.server_memory(began_at=NOW - 60), slots=1, history=history
        )
        return self.decide(
            memory=memory,
            servers=[base.MIGRATING],
            migrations=[
                builders.migration(**ended),
                *MOVING['migrations'],
                # Two are in the queue: the next end but one is not the last.
                builders.migration(8, 'queued', 'vm3', seen_at=NOW - 99),
                builders.migration(9, 'queued', 'vm4', seen_at=NOW - 99),
            ],
            visited=[
                builders.server('vm3', 'MIGRATING'),
                builders.server('vm4', 'MIGRATING'),
            ],
            ahead=ahead,
        ).interval

    @unit.cases('completed', 'failed')
    def test_next_end_from_the_last_move(self, status):
        """It ended a second ago: the next one ends in nineteen."""
        found = self.foretold(status=status)
        self.assertEqual(19 + timing.LOOK_AFTER_END_SECONDS, found)

    def test_clock_difference_from_other_records(self):
        ahead = NOW - 1 - builders.cloud_time(80).timestamp() - 3
        self.assertEqual(
            16 + timing.LOOK_AFTER_END_SECONDS, self.foretold(ahead=ahead)
        )

    @unit.cases(
        # It never took a slot, or not to its end.
        {'status': 'error'},
        {'status': 'cancelled'},
        {'type': base.COLD, 'status': 'confirmed'},
        # It ran elsewhere.
        {'source': builders.DEST, 'dest': builders.HOST},
        # In an earlier run.
        {'history': frozenset({6})},
    )
    def test_records_without_timing(self, kwargs):
        self.assertEqual(timing.LOOK_MOST_SECONDS, self.foretold(**kwargs))
