# SPDX-License-Identifier: Apache-2.0

"""Evacuations that were begun before, or never end."""

from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning import evacuation_base

State = evacuation_base.State
rebuilding = evacuation_base.rebuilding
server = evacuation_base.server
there = evacuation_base.there
PATIENCE = timing.EFFECT_WAIT_SECONDS


class TestKilledInBetween(evacuation_base.EvacuatedServerTestCase):
    """What another run of ours has left, with nothing remembered."""

    @unit.cases(
        # as it was left: an evacuation of a stopped server had failed, and
        # perhaps its state was reset already
        ('ERROR', State.SHUTDOWN),
        ('ERROR', State.NOSTATE),
        ('ACTIVE', State.SHUTDOWN),
        ('ACTIVE', State.NOSTATE),
    )
    def test_stopped_server_stays_stopped(self, status, power_state):
        timeline = self.begin()
        view = server(status, power_state=power_state)
        if power_state == State.NOSTATE:
            # Nothing is done before its history is known.
            self.assert_asked((), view)
            self.assertEqual({'vm1'}, timeline.decision.query.history)
            self.assertIsNone(timeline.row.result)
        kwargs = {'histories': base.history('create', 'stop')}
        if status == 'ERROR':
            self.assert_asked(self.RESET, view, **kwargs)
            view = server('ACTIVE', power_state=power_state)
        self.assert_asked(self.STOPPED, view, **kwargs)
        timeline.tick(there('SHUTOFF'), timeline.record('done'), **kwargs)
        self.assert_ends('moved', 'it was off when the host died')

    @unit.cases('ERROR', 'ACTIVE')
    def test_running_server_is_started_again(self, status):
        timeline = self.begin()
        view = server(status, power_state=State.NOSTATE)
        history = base.history('create', 'evacuate')
        self.assert_asked((), view)
        self.assertEqual({'vm1'}, timeline.decision.query.history)
        self.assert_asked(self.EVACUATE, view, histories=history)

    @unit.cases('ACTIVE', 'SHUTOFF')
    def test_its_evacuation_goes_on(self, status):
        """It is awaited, and not asked for again."""
        timeline = self.begin()
        below = builders.VM_STATES[status]
        record = timeline.record('accepted')
        self.assert_asked((), rebuilding(below), record)
        record = timeline.record('pre-migrating')
        for _tick in range(60):
            self.assert_asked((), rebuilding(below), record, after=11)
        timeline.tick(there(status), timeline.record('done'))

        row = self.assert_ends('moved', move='evacuation')
        self.assertEqual((status, 0), (row.status, row.attempts))

    def test_its_evacuation_fails(self):
        timeline = self.begin(retries=0)
        timeline.tick(rebuilding('stopped'), timeline.record('accepted'))
        error = server('ERROR', power_state=State.SHUTDOWN)
        # That try counts.
        self.assert_asked((), error, self.failed(error))
        self.assert_ends('failed', base.FAILURE)

    def test_failure_while_ours_is_in_doubt(self):
        """Whose it was is not known: Nova would build it twice."""
        timeline, view = self.begin(), server()
        doubt = memories.SendStatus.IN_DOUBT
        self.assert_asked(self.EVACUATE, view, answer=doubt)
        record = timeline.record('failed', 7, dest='cmp03')
        for _second in range(int(PATIENCE) - 1):
            self.assert_asked((), view, record)
            self.assertIsNone(timeline.row.result)
        self.assert_asked(self.EVACUATE, view, record, after=10)

    def test_earlier_failures_count(self):
        timeline = self.begin(retries=1)
        records = [
            timeline.record('error', n, seen_at=timeline.now)
            for n in (1, 2, 3)
        ]
        running = server('ERROR', power_state=State.RUNNING)
        self.assert_asked(self.EVACUATE, running, *records)
        self.assertTrue(timeline.decision.rows)
        records.append(timeline.record('error', 4, dest='cmp03'))
        timeline.tick(running, *records, failures=evacuation_base.FAILURES)
        self.assert_asked((), running, *records, after=60)
        self.assert_ends('failed', base.FAILURE)


class TestNobodyIsAtIt(evacuation_base.EvacuatedServerTestCase):
    """What was under way when the host died is not awaited for ever."""

    @unit.cases('active', 'stopped', 'error')
    def test_rebuilding_without_record(self, below):
        timeline = self.begin()
        view = rebuilding(below)
        for _tick in range(3):
            self.assert_asked((), view, after=PATIENCE / 4)
            self.assertIsNone(timeline.row.result)
        for _tick in range(9):
            self.assert_asked((), view, after=PATIENCE)
            self.assert_ends(
                'blocked', 'openstack server set --state active vm1'
            )
        # Somebody has done that; what was off stays so.
        off = below == 'stopped'
        self.assert_asked(self.STOPPED if off else self.EVACUATE, server())

    def test_its_record_is_never_seen(self):
        """Its destination had just died: Nova lists no such change."""
        timeline = self.begin()
        timeline.tick(server())
        for _tick in range(29):
            self.assert_asked((), rebuilding(), after=10)
            self.assertIsNone(timeline.row.result)
        for _tick in range(3):
            self.assert_asked((), rebuilding(), after=10)
            self.assert_ends('failed', 'Nova has no migration record of it')
        # It goes on then.
        timeline.tick(rebuilding(), timeline.record('pre-migrating'))
        self.assertIsNone(timeline.row.result)

    def test_a_record_shows_late(self):
        timeline = self.begin()
        timeline.tick(rebuilding())
        timeline.tick(rebuilding(), after=PATIENCE)
        self.assert_asked((), rebuilding(), timeline.record('pre-migrating'))
        self.assertIsNone(timeline.row.result)

    @unit.cases(
        # its status, type and status of its record
        ('MIGRATING', base.LIVE, 'running'),
        ('MIGRATING', base.LIVE, 'queued'),
        ('RESIZE', base.COLD, 'migrating'),
        ('RESIZE', base.RESIZE, 'pre-migrating'),
    )
    def test_on_its_way_to_another_host(self, status, type_, record_status):
        timeline = self.begin()
        record = timeline.record(record_status, type=type_)
        view = server(status)
        self.assert_asked((), view, record)
        self.assert_ends('blocked', 'runs nowhere else')
        self.assert_asked((), view, record, after=1000)
        self.assert_ends('blocked', status)
        # Somebody has made sure of that.
        self.assert_asked(self.EVACUATE, server(), record)
        done = timeline.record('done', 8)
        timeline.tick(there(), record, done)
        self.assert_ends('moved')

    @unit.cases(
        # its status, type and status of its record
        ('VERIFY_RESIZE', base.COLD, 'finished'),
        ('VERIFY_RESIZE', base.RESIZE, 'finished'),
        ('VERIFY_RESIZE', base.COLD, 'confirming'),
        ('REVERT_RESIZE', base.RESIZE, 'reverting'),
        ('RESIZE', base.COLD, 'post-migrating'),
        ('ACTIVE', base.LIVE, 'running'),
    )
    def test_left_before_the_host_died(self, status, type_, was):
        """Else an evacuation would never be over."""
        timeline = self.begin()
        record = timeline.record(was, type=type_)
        view = there(status)
        for _tick in range(12):
            self.assert_asked((), view, record, after=6)
        row = self.assert_ends('blocked', 'needs nova-compute on this host')
        self.assertEqual(builders.DEST, row.destination)
        self.assertTrue(timeline.decision.done)

    def test_its_cold_migration_goes_on_elsewhere(self):
        """The destination does the rest of it."""
        timeline = self.begin()
        record = timeline.record('post-migrating', type=base.COLD)
        timeline.tick(there('RESIZE'), record, after=5)
        self.assertIsNone(timeline.row.result)
