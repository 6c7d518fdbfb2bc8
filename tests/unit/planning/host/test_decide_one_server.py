# SPDX-License-Identifier: Apache-2.0

"""One server from the first look to the end, tick by tick."""

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

ActionKind = memories.ActionKind
FINAL = memories.Outcome(
    memories.SendStatus.REFUSED, 0.0, base.REFUSAL, final=True
)

HERE = base.HERE
THERE = base.THERE
MOVING = base.MIGRATING

LIVE = ActionKind.LIVE_MIGRATE
COLD = ActionKind.COLD_MIGRATE
CONFIRM = ActionKind.CONFIRM


class TestResized(base.TimelineTestCase):
    """--resized confirm of a resize that lies on this host."""

    def begin(self, **options):
        return super().begin(resized=policies.Resized.CONFIRM, **options)

    def arrived(self, status, **kwargs):
        return builders.migration(
            3,
            status,
            source=builders.DEST,
            dest=builders.HOST,
            seen_at=base.NOW + 1,
            **kwargs,
        )

    def test_confirmed_it_is_moved(self):
        timeline = self.begin(stagger=0.5)
        record = self.arrived('finished', type=base.RESIZE)
        self.expect(timeline, (None, base.VERIFY_HERE, record))
        self.assertFalse(timeline.decision.done)
        self.expect(
            timeline,
            (CONFIRM, base.VERIFY_HERE, record, {'after': 5}),
            (None, base.VERIFY_HERE),
            (LIVE, HERE),
            (None, THERE, 'completed'),
        )

        row = self.assert_ended(timeline, 'moved', move='live migration')
        self.assertEqual('ACTIVE', row.status)

    def test_earlier_arrival_is_ignored(self):
        """That was a live migration; only the resize is to be confirmed."""
        self.expect(
            self.begin(stagger=1.0),
            (CONFIRM, base.VERIFY_HERE, self.arrived('completed')),
        )

    def test_stopped_meanwhile_its_own_confirmation_is_not_mistaken(self):
        timeline = self.begin()
        stopped = builders.server(status='SHUTOFF')
        self.expect(timeline, (CONFIRM, base.VERIFY_HERE), (COLD, stopped))
        finished = timeline.record('finished', type=base.COLD)
        self.expect(timeline, (CONFIRM, base.VERIFY_THERE, finished))


class TestTo(base.TimelineTestCase):
    """--to <host>: asked for each time, and never left to the scheduler."""

    @unit.cases('live', 'cold')
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
    def begin(self, **options):
        return super().begin(running=policies.Running.LIVE_OR_COLD, **options)

    def test_impossible_live(self):
        timeline = self.begin()
        self.expect(timeline, (LIVE, HERE, {'answer': FINAL}), (COLD, HERE))
        finished = timeline.record('finished', type=base.COLD)
        self.expect(timeline, (CONFIRM, base.VERIFY_THERE, finished))
        timeline.tick(THERE, timeline.record('confirmed', type=base.COLD))
        row = self.assert_ended(
            timeline, 'moved', f'restarted: {base.REFUSAL}', 'cold migration'
        )
        self.assertEqual(2, row.attempts)

    def test_took_too_long(self):
        timeline = self.begin(server_timeout=60.0)
        self.expect(
            timeline,
            (LIVE, HERE),
            (None, MOVING, 'running'),
            (None, MOVING, 'running', {'after': 59}),
            (ActionKind.ABORT, MOVING, 'running'),
        )
        self.assertEqual(7, timeline.decision.actions[0].record_id)
        self.expect(
            timeline, (None, MOVING, 'running'), (COLD, HERE, 'cancelled')
        )
        confirmed = timeline.record('confirmed', 8, type=base.COLD)
        self.expect(timeline, (None, THERE, 'cancelled', confirmed))
        self.assert_ended(
            timeline, 'moved', 'restarted: it took longer than 60'
        )


class TestDestinationDown(base.TimelineTestCase):
    DOWN = {'down': frozenset({builders.DEST})}

    def test_aborted_and_tried_again(self):
        grace = {'after': timing.DOWN_GRACE_SECONDS}
        failed = {'failures': {7: ''}, **self.DOWN}
        later = {'after': timing.RETRY_WAIT_SECONDS}
        self.expect(
            self.begin(),
            (LIVE, HERE),
            (None, MOVING, 'running', self.DOWN),
            (ActionKind.ABORT, MOVING, 'running', {**self.DOWN, **grace}),
            (None, HERE, 'cancelled', failed),
            (LIVE, HERE, 'cancelled', {**failed, **later}),
        )

    def test_destination_comes_back(self):
        """Its absences do not add up."""
        self.expect(
            self.begin(),
            (LIVE, HERE),
            (None, MOVING, 'running', self.DOWN),
            (None, MOVING, 'running', {'after': 20}),
            (None, MOVING, 'running', {'after': 20, **self.DOWN}),
        )
