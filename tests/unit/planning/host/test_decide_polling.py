# SPDX-License-Identifier: Apache-2.0

"""When a host is looked at again."""

import dataclasses

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
ActionKind = memories.ActionKind
MOVING = {
    'servers': [base.MIGRATING],
    'migrations': [builders.migration(7, seen_at=NOW - 99)],
}


class PollingTestCase(base.DecideTestCase):
    def interval(self, remembered=None, *, slots=1, **kwargs):
        memory = builders.memory(
            *([remembered] if remembered else []), slots=slots
        )
        return self.decide(memory=memory, **kwargs).interval


@ddt.ddt
class TestSettling(PollingTestCase):
    """Something is about to be known in a moment."""

    @ddt.data(
        # to be visited: its record has ended
        {
            'servers': [builders.server(seen_at=NOW - 9)],
            'migrations': [builders.migration(7, 'completed')],
        },
        # to be asked why it failed
        {
            'servers': [builders.server()],
            'migrations': [builders.migration(7, 'error')],
        },
        # to be confirmed
        {
            'visited': [base.VERIFY_THERE],
            'migrations': [
                builders.migration(
                    7, 'finished', type=base.COLD, seen_at=NOW - 60
                )
            ],
        },
    )
    def test_look(self, observed):
        self.assertEqual(
            timing.LOOK_LAST_STATUS_SECONDS, self.interval(**observed)
        )

    @ddt.data(
        (1.0, timing.LOOK_LAST_STATUS_SECONDS),
        (60.0, timing.LOOK_MOST_SECONDS),
    )
    @ddt.unpack
    def test_what_was_asked_for_without_a_record(self, ago, expected):
        view = builders.server(status='SUSPENDED', task_state='resuming')
        remembered = base.asked(
            ActionKind.RESUME, base.SUSPENDED, asked_at=NOW - ago
        )
        found = self.interval(
            dataclasses.replace(remembered, began_at=NOW - ago), servers=[view]
        )

        self.assertEqual(expected, found)

    def test_a_migration_that_is_aborted(self):
        remembered = base.asked(
            ActionKind.ABORT, record_id=7, asked_at=NOW - 1
        )
        found = self.interval(
            dataclasses.replace(
                remembered, began_at=NOW - 99, under_way_since=NOW - 99
            ),
            policy=policies.Policy(server_timeout=60.0),
            **MOVING,
        )

        self.assertEqual(timing.LOOK_LAST_STATUS_SECONDS, found)


@ddt.ddt
class TestMoving(PollingTestCase):
    """By how long the moves under way have taken so far."""

    def remembered(self, *, began=None, asked=None):
        remembered = builders.server_memory()
        if asked is not None:
            remembered = base.asked(asked_at=NOW - asked)
        began_at = None if began is None else NOW - began
        return dataclasses.replace(remembered, began_at=began_at)

    @ddt.data(
        # seconds since it began, since the newest request; seconds
        (5.0, 5.0, 4.0),
        # The second attempt.
        (60.0, 3.0, 2.4),
        # Adopted.
        (5.0, None, 4.0),
    )
    @ddt.unpack
    def test_age(self, began, asked, expected):
        remembered = self.remembered(began=began, asked=asked)

        self.assertAlmostEqual(expected, self.interval(remembered, **MOVING))

    def test_more_slots_poll_sooner(self):
        remembered = self.remembered(began=10.0)

        self.assertAlmostEqual(
            2.0, self.interval(remembered, slots=4, **MOVING)
        )

    def test_waiting_server_has_no_age(self):
        """The one that failed long ago and is to be tried again."""
        waits = dataclasses.replace(
            builders.server_memory(builders.server('vm2')),
            began_at=NOW - 99,
            not_before=NOW + 1,
        )
        moves = self.remembered(began=5.0)
        found = self.decide(
            memory=builders.memory(moves, waits, slots=1),
            servers=[base.MIGRATING, builders.server('vm2')],
            migrations=[
                builders.migration(7),
                builders.migration(8, 'queued', 'vm3'),
            ],
            visited=[builders.server('vm3', 'MIGRATING', host='x')],
        )

        self.assertAlmostEqual(4.0, found.interval)

    @ddt.data(
        # options; seconds
        ({}, timing.LOOK_MOST_SECONDS),
        # Ten looks at the progress in the time that makes a stall.
        ({'stall_after': 50.0}, 5.0),
        ({'server_timeout': 62.0}, 2.0),
    )
    @ddt.unpack
    def test_not_later_than_the_next_due_time(self, options, expected):
        remembered = dataclasses.replace(
            self.remembered(began=60.0), under_way_since=NOW - 60
        )
        found = self.interval(
            remembered, policy=policies.Policy(**options), **MOVING
        )

        self.assertEqual(expected, found)


@ddt.ddt
class TestMoveTiming(PollingTestCase):
    """By when the next move will end, as the ones before it have."""

    def ended(self, **kwargs):
        return builders.migration(
            **{
                'record_id': 6,
                'status': 'completed',
                'server_id': 'vm2',
                'created_at': builders.cloud_time(60),
                'updated_at': builders.cloud_time(80),
                'seen_at': NOW - 1,
                **kwargs,
            }
        )

    def foretold(self, record, history=frozenset(), ahead=None):
        memory = builders.memory(
            dataclasses.replace(builders.server_memory(), began_at=NOW - 60),
            slots=1,
            history=history,
        )
        found = self.decide(
            memory=memory,
            servers=[base.MIGRATING],
            migrations=[record, *MOVING['migrations']],
            ahead=ahead,
        )
        return found.interval

    @ddt.data('completed', 'failed')
    def test_next_end_from_the_last_move(self, status):
        """It ended a second ago: the next one ends in nineteen."""
        found = self.foretold(self.ended(status=status))

        self.assertEqual(19 + timing.LOOK_AFTER_END_SECONDS, found)

    def test_clock_difference_from_other_records(self):
        record = self.ended()
        ahead = record.seen_at - record.updated_at.timestamp() - 3

        self.assertEqual(
            16 + timing.LOOK_AFTER_END_SECONDS,
            self.foretold(record, ahead=ahead),
        )

    @ddt.data(
        # It never took a slot, or not to its end.
        {'status': 'error'},
        {'status': 'cancelled'},
        {'type': model.MigrationType.COLD, 'status': 'confirmed'},
        # It ran elsewhere.
        {'source': builders.DEST, 'dest': builders.HOST},
    )
    def test_records_without_timing(self, kwargs):
        self.assertEqual(
            timing.LOOK_MOST_SECONDS, self.foretold(self.ended(**kwargs))
        )

    def test_earlier_runs_are_ignored(self):
        found = self.foretold(self.ended(), history=frozenset({6}))

        self.assertEqual(timing.LOOK_MOST_SECONDS, found)


@ddt.ddt
class TestFallingDue(PollingTestCase):
    """A confirmation that is left to others for a while."""

    @ddt.data(
        # for so long it has been there; seconds
        (0.0, 10.0),
        (4.0, 6.0),
        (9.9, timing.LOOK_LAST_CHECKS_SECONDS),
    )
    @ddt.unpack
    def test_look(self, ago, expected):
        found = self.interval(
            dataclasses.replace(
                builders.server_memory(base.VERIFY_THERE), began_at=NOW - 600
            ),
            visited=[base.VERIFY_THERE],
            migrations=[
                builders.migration(
                    7, 'finished', type=base.COLD, seen_at=NOW - ago
                )
            ],
        )

        self.assertAlmostEqual(expected, found)


class TestFinalCheck(PollingTestCase):
    def test_quick_during_the_final_check(self):
        self.assertEqual(
            timing.LOOK_LAST_CHECKS_SECONDS, self.interval(consumers=None)
        )

    def test_slow_while_waiting_for_others(self):
        found = self.interval(
            consumers=frozenset({'x'}),
            visited=[builders.server('x', 'DELETED')],
        )
        self.assertEqual(timing.LOOK_OTHERS_SECONDS, found)
        found = self.interval(servers=[builders.server(status='BUILD')])

        self.assertEqual(timing.LOOK_OTHERS_SECONDS, found)
