# SPDX-License-Identifier: Apache-2.0

"""When a host is looked at again."""

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
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
        (10.0, finished(0.0), MOVED),
        (6.0, finished(4.0), MOVED),
        (LAST_CHECKS, finished(9.9), MOVED),
        # To be looked at for the last time.
        (LAST_CHECKS, {'consumers': None}),
        # Others are waited for.
        (timing.LOOK_OTHERS_SECONDS, HELD_BY_A_DELETED_SERVER),
        (timing.LOOK_OTHERS_SECONDS, BEING_BUILT),
    )
    def test_look(self, expected, observed, *remembered):
        self.assert_looks_in(expected, *remembered, **observed)

    @unit.cases((1.0, LAST_STATUS), (60.0, timing.LOOK_MOST_SECONDS))
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
        remembered = base.asked(
            ActionKind.ABORT,
            remembered=builders.server_memory(
                began_at=NOW - 99, under_way_since=NOW - 99
            ),
            record_id=7,
            asked_at=NOW - 1,
        )
        self.assert_looks_in(
            LAST_STATUS,
            remembered,
            policy=policies.Policy(server_timeout=60.0),
            **MOVING,
        )


class TestMoving(PollingTestCase):
    """By how long the moves under way have taken so far."""

    @unit.cases(
        # seconds since it began, since the newest request, slots; seconds
        (5.0, 5.0, 1, 4.0),
        # The second attempt.
        (60.0, 3.0, 1, 2.4),
        # Adopted.
        (5.0, None, 1, 4.0),
        (10.0, None, 4, 2.0),
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
        waits = builders.server_memory(
            builders.server('vm2'), began_at=NOW - 99, not_before=NOW + 1
        )
        self.assert_looks_in(
            4.0,
            builders.server_memory(began_at=NOW - 5),
            waits,
            servers=[base.MIGRATING, builders.server('vm2')],
            migrations=[
                builders.migration(7),
                builders.migration(8, 'queued', 'vm3'),
            ],
            visited=[builders.server('vm3', 'MIGRATING', host='x')],
        )

    @unit.cases(
        # options; seconds
        ({}, timing.LOOK_MOST_SECONDS),
        # Ten looks at the progress in the time that makes a stall.
        ({'stall_after': 50.0}, 5.0),
        ({'server_timeout': 62.0}, 2.0),
    )
    def test_not_later_than_the_next_due_time(self, options, expected):
        remembered = builders.server_memory(
            began_at=NOW - 60, under_way_since=NOW - 60
        )
        self.assert_looks_in(
            expected, remembered, policy=policies.Policy(**options), **MOVING
        )


class TestMoveTiming(PollingTestCase):
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
            migrations=[builders.migration(**ended), *MOVING['migrations']],
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
