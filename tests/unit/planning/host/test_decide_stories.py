# SPDX-License-Identifier: Apache-2.0

"""One server from the first look to the end, tick by tick."""

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base

Kind = memories.Kind
FINAL = memories.Outcome(
    memories.Answer.REFUSED, 0.0, base.REFUSAL, final=True
)

HERE = base.HERE
THERE = base.THERE
MOVING = base.MIGRATING


class TestResized(base.StoryTestCase):
    """--resized confirm of a resize that lies on this host."""

    def test_confirmed_it_is_moved(self):
        story = self.begin(resized=policies.Resized.CONFIRM, stagger=0.5)
        record = builders.migration(
            3,
            'finished',
            type=base.RESIZE,
            source=builders.DEST,
            dest=builders.HOST,
            seen_at=base.NOW + 1,
        )
        self.assertIsNone(story.asks(base.VERIFY_HERE, record))
        self.assertFalse(story.decision.done)
        asked = story.asks(base.VERIFY_HERE, record, after=5)
        self.assertIs(Kind.CONFIRM, asked)
        self.assertIsNone(story.asks(base.VERIFY_HERE))
        self.assertIs(Kind.LIVE_MIGRATE, story.asks(HERE))
        story.tick(THERE, story.record('completed'))

        row = self.assert_ended(story, 'moved', move='live migration')
        self.assertEqual('ACTIVE', row.status)

    def test_how_it_came_here_before_does_not_matter(self):
        """That was a live migration; only the resize is to be confirmed."""
        story = self.begin(resized=policies.Resized.CONFIRM, stagger=1.0)
        arrived = builders.migration(
            3,
            'completed',
            source=builders.DEST,
            dest=builders.HOST,
            seen_at=base.NOW + 1,
        )

        self.assertIs(Kind.CONFIRM, story.asks(base.VERIFY_HERE, arrived))

    def test_stopped_meanwhile_its_own_confirmation_is_not_mistaken(self):
        story = self.begin(resized=policies.Resized.CONFIRM)
        self.assertIs(Kind.CONFIRM, story.asks(base.VERIFY_HERE))
        stopped = builders.server(status='SHUTOFF')
        self.assertIs(Kind.COLD_MIGRATE, story.asks(stopped))
        finished = story.record('finished', type=base.COLD)

        self.assertIs(Kind.CONFIRM, story.asks(base.VERIFY_THERE, finished))


@ddt.ddt
class TestTo(base.StoryTestCase):
    """--to <host>: asked for each time, and never left to the scheduler."""

    @ddt.data('live', 'cold')
    def test_each_attempt(self, running):
        story = self.begin(to='cmp07', running=policies.Running(running))
        kind = {'live': base.LIVE, 'cold': base.COLD}[running]
        (action,) = story.tick(HERE)
        self.assertEqual('cmp07', action.host)
        failed = story.record('error', type=kind)
        failures = {7: base.FAILURE}
        story.tick(HERE, failed, failures=failures)
        (action,) = story.tick(
            HERE, failed, failures=failures, after=timing.RETRY_WAIT_SECONDS
        )
        self.assertEqual('cmp07', action.host)

    def test_confirmations_go_nowhere(self):
        story = self.begin(to='cmp07')
        story.tick(builders.server(status='SHUTOFF'))
        finished = story.record('finished', type=base.COLD, dest='cmp07')
        (action,) = story.tick(base.VERIFY_THERE, finished)

        self.assertEqual(memories.Action(Kind.CONFIRM, 'vm1'), action)


class TestLiveOrCold(base.StoryTestCase):
    def test_impossible_live(self):
        story = self.begin(running=policies.Running.LIVE_OR_COLD)
        self.assertIs(Kind.LIVE_MIGRATE, story.asks(HERE, answer=FINAL))
        self.assertIs(Kind.COLD_MIGRATE, story.asks(HERE))
        finished = story.record('finished', type=base.COLD)
        self.assertIs(Kind.CONFIRM, story.asks(base.VERIFY_THERE, finished))
        story.tick(THERE, story.record('confirmed', type=base.COLD))

        row = self.assert_ended(
            story,
            'moved',
            f'restarted: {base.REFUSAL}',
            move='cold migration',
        )
        self.assertEqual(2, row.attempts)

    def test_took_too_long(self):
        story = self.begin(
            running=policies.Running.LIVE_OR_COLD, server_timeout=60.0
        )
        story.tick(HERE)
        running = story.record('running')
        self.assertIsNone(story.asks(MOVING, running))
        self.assertIsNone(story.asks(MOVING, running, after=59))
        (action,) = story.tick(MOVING, running)
        self.assertIs(Kind.ABORT, action.kind)
        self.assertEqual(7, action.record_id)
        self.assertIsNone(story.asks(MOVING, running))
        cancelled = story.record('cancelled')
        self.assertIs(Kind.COLD_MIGRATE, story.asks(HERE, cancelled))
        confirmed = story.record('confirmed', 8, type=base.COLD)
        story.tick(THERE, cancelled, confirmed)

        self.assert_ended(story, 'moved', 'restarted: it took longer than 60')


class TestDestinationDown(base.StoryTestCase):
    def test_aborted_and_tried_again(self):
        story = self.begin()
        story.tick(HERE)
        running = story.record('running')
        down = frozenset({builders.DEST})
        self.assertIsNone(story.asks(MOVING, running, down=down))
        (action,) = story.tick(
            MOVING, running, down=down, after=timing.DOWN_GRACE_SECONDS
        )
        self.assertIs(Kind.ABORT, action.kind)
        cancelled = story.record('cancelled')
        failures = {7: ''}
        story.tick(HERE, cancelled, down=down, failures=failures)
        asked = story.asks(
            HERE,
            cancelled,
            down=down,
            failures=failures,
            after=timing.RETRY_WAIT_SECONDS,
        )
        self.assertIs(Kind.LIVE_MIGRATE, asked)

    def test_it_comes_back(self):
        story = self.begin()
        story.tick(HERE)
        running = story.record('running')
        story.tick(MOVING, running, down=frozenset({builders.DEST}))
        story.tick(MOVING, running, after=20)
        asked = story.asks(
            MOVING, running, down=frozenset({builders.DEST}), after=20
        )

        self.assertIsNone(asked, 'its absences do not add up')


@ddt.ddt
class TestRetries(base.StoryTestCase):
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
        story = self.begin(retries=retries)
        records = [
            base.record('error', n, seen_at=story.now)
            for n in range(1, before + 1)
        ]
        failures = dict.fromkeys(range(99), base.FAILURE)
        asked = 0
        for _tick in range(20):
            if story.asks(HERE, *records, failures=failures):
                asked += 1
                records.append(story.record('error', len(records) + 1))
                story.tick(HERE, *records, failures=failures)
            story.now += timing.RETRY_WAIT_SECONDS
        self.assertEqual(attempts, asked)
        row = self.assert_ended(story, 'failed', base.FAILURE)
        self.assertEqual(attempts, row.attempts)
