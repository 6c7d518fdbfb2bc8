# SPDX-License-Identifier: Apache-2.0

"""One server from the first look to the end, tick by tick."""

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base

ActionKind = memories.ActionKind
FINAL = memories.Outcome(
    memories.SendStatus.REFUSED, 0.0, base.REFUSAL, final=True
)

HERE = base.HERE
THERE = base.THERE
MOVING = base.MIGRATING


class TestResized(base.TimelineTestCase):
    """--resized confirm of a resize that lies on this host."""

    def test_confirmed_it_is_moved(self):
        timeline = self.begin(resized=policies.Resized.CONFIRM, stagger=0.5)
        record = builders.migration(
            3,
            'finished',
            type=base.RESIZE,
            source=builders.DEST,
            dest=builders.HOST,
            seen_at=base.NOW + 1,
        )
        self.assertIsNone(timeline.asks(base.VERIFY_HERE, record))
        self.assertFalse(timeline.decision.done)
        asked = timeline.asks(base.VERIFY_HERE, record, after=5)
        self.assertIs(ActionKind.CONFIRM, asked)
        self.assertIsNone(timeline.asks(base.VERIFY_HERE))
        self.assertIs(ActionKind.LIVE_MIGRATE, timeline.asks(HERE))
        timeline.tick(THERE, timeline.record('completed'))

        row = self.assert_ended(timeline, 'moved', move='live migration')
        self.assertEqual('ACTIVE', row.status)

    def test_earlier_arrival_is_ignored(self):
        """That was a live migration; only the resize is to be confirmed."""
        timeline = self.begin(resized=policies.Resized.CONFIRM, stagger=1.0)
        arrived = builders.migration(
            3,
            'completed',
            source=builders.DEST,
            dest=builders.HOST,
            seen_at=base.NOW + 1,
        )

        self.assertIs(
            ActionKind.CONFIRM, timeline.asks(base.VERIFY_HERE, arrived)
        )

    def test_stopped_meanwhile_its_own_confirmation_is_not_mistaken(self):
        timeline = self.begin(resized=policies.Resized.CONFIRM)
        self.assertIs(ActionKind.CONFIRM, timeline.asks(base.VERIFY_HERE))
        stopped = builders.server(status='SHUTOFF')
        self.assertIs(ActionKind.COLD_MIGRATE, timeline.asks(stopped))
        finished = timeline.record('finished', type=base.COLD)

        self.assertIs(
            ActionKind.CONFIRM, timeline.asks(base.VERIFY_THERE, finished)
        )


@ddt.ddt
class TestTo(base.TimelineTestCase):
    """--to <host>: asked for each time, and never left to the scheduler."""

    @ddt.data('live', 'cold')
    def test_each_attempt(self, running):
        timeline = self.begin(to='cmp07', running=policies.Running(running))
        kind = {'live': base.LIVE, 'cold': base.COLD}[running]
        (action,) = timeline.tick(HERE)
        self.assertEqual('cmp07', action.host)
        failed = timeline.record('error', type=kind)
        failures = {7: base.FAILURE}
        timeline.tick(HERE, failed, failures=failures)
        (action,) = timeline.tick(
            HERE, failed, failures=failures, after=timing.RETRY_WAIT_SECONDS
        )
        self.assertEqual('cmp07', action.host)

    def test_confirmations_go_nowhere(self):
        timeline = self.begin(to='cmp07')
        timeline.tick(builders.server(status='SHUTOFF'))
        finished = timeline.record('finished', type=base.COLD, dest='cmp07')
        (action,) = timeline.tick(base.VERIFY_THERE, finished)

        self.assertEqual(memories.Action(ActionKind.CONFIRM, 'vm1'), action)


class TestLiveOrCold(base.TimelineTestCase):
    def test_impossible_live(self):
        timeline = self.begin(running=policies.Running.LIVE_OR_COLD)
        self.assertIs(
            ActionKind.LIVE_MIGRATE, timeline.asks(HERE, answer=FINAL)
        )
        self.assertIs(ActionKind.COLD_MIGRATE, timeline.asks(HERE))
        finished = timeline.record('finished', type=base.COLD)
        self.assertIs(
            ActionKind.CONFIRM, timeline.asks(base.VERIFY_THERE, finished)
        )
        timeline.tick(THERE, timeline.record('confirmed', type=base.COLD))

        row = self.assert_ended(
            timeline,
            'moved',
            f'restarted: {base.REFUSAL}',
            move='cold migration',
        )
        self.assertEqual(2, row.attempts)

    def test_took_too_long(self):
        timeline = self.begin(
            running=policies.Running.LIVE_OR_COLD, server_timeout=60.0
        )
        timeline.tick(HERE)
        running = timeline.record('running')
        self.assertIsNone(timeline.asks(MOVING, running))
        self.assertIsNone(timeline.asks(MOVING, running, after=59))
        (action,) = timeline.tick(MOVING, running)
        self.assertIs(ActionKind.ABORT, action.kind)
        self.assertEqual(7, action.record_id)
        self.assertIsNone(timeline.asks(MOVING, running))
        cancelled = timeline.record('cancelled')
        self.assertIs(ActionKind.COLD_MIGRATE, timeline.asks(HERE, cancelled))
        confirmed = timeline.record('confirmed', 8, type=base.COLD)
        timeline.tick(THERE, cancelled, confirmed)

        self.assert_ended(
            timeline, 'moved', 'restarted: it took longer than 60'
        )


class TestDestinationDown(base.TimelineTestCase):
    def test_aborted_and_tried_again(self):
        timeline = self.begin()
        timeline.tick(HERE)
        running = timeline.record('running')
        down = frozenset({builders.DEST})
        self.assertIsNone(timeline.asks(MOVING, running, down=down))
        (action,) = timeline.tick(
            MOVING, running, down=down, after=timing.DOWN_GRACE_SECONDS
        )
        self.assertIs(ActionKind.ABORT, action.kind)
        cancelled = timeline.record('cancelled')
        failures = {7: ''}
        timeline.tick(HERE, cancelled, down=down, failures=failures)
        asked = timeline.asks(
            HERE,
            cancelled,
            down=down,
            failures=failures,
            after=timing.RETRY_WAIT_SECONDS,
        )
        self.assertIs(ActionKind.LIVE_MIGRATE, asked)

    def test_destination_comes_back(self):
        timeline = self.begin()
        timeline.tick(HERE)
        running = timeline.record('running')
        timeline.tick(MOVING, running, down=frozenset({builders.DEST}))
        timeline.tick(MOVING, running, after=20)
        asked = timeline.asks(
            MOVING, running, down=frozenset({builders.DEST}), after=20
        )

        self.assertIsNone(asked, 'its absences do not add up')


@ddt.ddt
class TestRetries(base.TimelineTestCase):
    """Attempts of a killed run count for the next one."""

    @ddt.data(
        # failures before this run, --retries; attempts of this run
        (0, 2, 3),
        (1, 2, 2),
        (2, 2, 1),
        (9, 2, 1),
        (0, 0, 1),
        (3, 0, 1),
    )
    @ddt.unpack
    def test_attempts(self, before, retries, attempts):
        timeline = self.begin(retries=retries)
        records = [
            base.record('error', n, seen_at=timeline.now)
            for n in range(1, before + 1)
        ]
        failures = dict.fromkeys(range(99), base.FAILURE)
        asked = 0
        for _tick in range(20):
            if timeline.asks(HERE, *records, failures=failures):
                asked += 1
                records.append(timeline.record('error', len(records) + 1))
                timeline.tick(HERE, *records, failures=failures)
            timeline.now += timing.RETRY_WAIT_SECONDS
        self.assertEqual(attempts, asked)
        row = self.assert_ended(timeline, 'failed', base.FAILURE)
        self.assertEqual(attempts, row.attempts)
