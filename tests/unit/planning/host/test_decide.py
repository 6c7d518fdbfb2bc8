# SPDX-License-Identifier: Apache-2.0

"""What is done with one host or server: a pure function of what is seen."""

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
#: Whoever asked for it has had time enough to confirm it.
LONG_AGO = NOW - timing.CONFIRM_WAIT_SECONDS
LIVE = memories.ActionKind.LIVE_MIGRATE
COLD = memories.ActionKind.COLD_MIGRATE
CONFIRM = memories.ActionKind.CONFIRM
FIRST = memories.HostMemory()
AWAY = builders.server('vm2', 'VERIFY_RESIZE', host=builders.DEST)


def finished(seen_at=LONG_AGO):
    """Return the record of vm2, which waits to be confirmed."""
    return builders.migration(
        2, 'finished', 'vm2', type=base.COLD, seen_at=seen_at
    )


class TestStart(base.DecideTestCase):
    def test_each_server_is_moved_by_the_gentlest_way(self):
        found = self.decide(
            memory=FIRST,
            servers=[
                builders.server('running'),
                builders.server('stopped', 'SHUTOFF'),
                builders.server('suspended', 'SUSPENDED'),
                builders.server('booting', 'BUILD'),
            ],
        )
        self.assertEqual({'running': LIVE, 'stopped': COLD}, self.asks(found))
        self.assertEqual(
            {
                'running': 'waiting',
                'stopped': 'waiting',
                'suspended': 'blocked',
                'booting': 'busy',
            },
            {row.server_id: row.phase for row in found.rows},
        )
        self.assertFalse(found.done)

    def test_the_largest_first(self):
        servers = [
            builders.server(f'vm{mb}', memory_mb=mb)
            for mb in (512, 8192, 1024)
        ]
        for parallel in (1, 2):
            policy = policies.Policy(parallel=parallel)
            found = self.decide(servers=servers, policy=policy)
            self.assertEqual(
                ['vm8192', 'vm1024'][:parallel], list(self.asks(found))
            )

    def test_earlier_run_is_continued(self):
        """Run again after a crash: no second move, and the confirmation."""
        found = self.decide(
            memory=FIRST,
            servers=[base.MIGRATING],
            migrations=[
                builders.migration(1, 'running', 'vm1'),
                finished(),
                builders.migration(3, 'error', 'vm1'),
            ],
            visited=[AWAY],
        )
        self.assertEqual({'vm2': CONFIRM}, self.asks(found))

    def test_confirmation_is_left_to_others_first(self):
        found = self.decide(
            memory=FIRST, migrations=[finished(seen_at=NOW)], visited=[AWAY]
        )
        self.assertEqual({}, self.asks(found))
        self.assertIn(
            'to confirm their moves (at most 10 s): vm2', found.waiting_for
        )
        self.assertEqual(NOW + timing.CONFIRM_WAIT_SECONDS, found.wait.until)


class TestLife(base.DecideTestCase):
    @unit.cases(
        # what is seen beside a server that is to be moved
        # The record of a deleted server vanishes: it is `queued` for ever.
        {
            'servers': [builders.server('vm2')],
            'visited': [base.DELETED],
            'migrations': [builders.migration(1, 'queued', 'vm1')],
        },
        # A service that died while this one was queued has left it behind.
        {
            'servers': [builders.server('vm2')],
            'migrations': [
                builders.migration(1, 'queued', 'vm2', seen_at=NOW - 60)
            ],
        },
        # It has arrived late.
        {'servers': [builders.server('vm2')], 'visited': [base.THERE]},
    )
    def test_nothing_holds_it_up(self, observed):
        """The source runs one at once."""
        memory = builders.memory(builders.server_memory(), slots=1)
        found = self.decide(memory=memory, **observed)
        self.assertEqual({'vm2': LIVE}, self.asks(found))

    def test_postponed_it_waits(self):
        memory = builders.memory(builders.server_memory()).after(
            memories.Action(LIVE, 'vm1'),
            memories.Outcome(memories.SendStatus.POSTPONED, NOW),
            highest_id=0,
        )
        later = NOW + timing.POSTPONED_WAIT_SECONDS
        for now, asked in ((NOW, {}), (later, {'vm1': LIVE})):
            found = self.decide(memory=memory, servers=[base.HERE], now=now)
            self.assertEqual(asked, self.asks(found))
            self.assertFalse(found.done)


class TestRows(base.DecideTestCase):
    @unit.cases(
        # from when to when its record says; it was asked for 30 s ago
        ((60, 66), 6.0),
        ((60, None), 40.0),
        ((None, None), None),
        # Nova keeps no record of it.
        ((), 20.0),
    )
    def test_seconds_are_those_of_the_record(self, times, seconds):
        remembered = builders.server_memory(
            began_at=NOW - 30, ended_at=NOW - 10, attempts=2
        )
        begun_at, ended_at = (
            time and builders.cloud_time(time) for time in times or (0, 0)
        )
        record = builders.migration(
            status='completed', begun_at=begun_at, ended_at=ended_at
        )
        row = self.row(
            self.decide(
                memory=builders.memory(remembered),
                visited=[base.THERE],
                migrations=[record] if times else [],
                # Its clock was 100 s after the mark 10 s ago.
                ahead=NOW - 10 - builders.cloud_time(100).timestamp(),
            )
        )
        self.assertEqual((seconds, 2), (row.seconds, row.attempts))

    @unit.cases((base.SUSPENDED, ''), (base.HERE, 'live migration'))
    def test_before_a_move_begins(self, server, move):
        row = self.row(self.decide(servers=[server]))
        self.assertEqual(
            (move, '', 0, None),
            (row.move, row.destination, row.attempts, row.seconds),
        )


HERE = base.HERE
THERE = base.THERE
MOVING = base.MIGRATING


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
        self.assertEqual(
            memories.Action(memories.ActionKind.CONFIRM, 'vm1'), action
        )


class TestLiveOrCold(base.TimelineTestCase):
    def begin(self, **options):
        return super().begin(running=policies.Running.LIVE_OR_COLD, **options)

    def test_impossible_live(self):
        timeline = self.begin()
        self.expect(
            timeline, (LIVE, HERE, {'answer': base.FINAL}), (COLD, HERE)
        )
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
            (memories.ActionKind.ABORT, MOVING, 'running'),
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
        failed = {'failures': {7: ''}, **self.DOWN}
        later = {'after': timing.RETRY_WAIT_SECONDS}
        self.expect(
            self.begin(),
            (LIVE, HERE),
            (None, MOVING, 'running', self.DOWN),
            (
                memories.ActionKind.ABORT,
                MOVING,
                'running',
                {**self.DOWN, 'after': timing.DOWN_GRACE_SECONDS},
            ),
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
