# SPDX-License-Identifier: Apache-2.0

"""Evacuations that were begun before, or never end."""

import ddt

from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning import deaths

State = deaths.State
PATIENCE = timing.EFFECT_WAIT_SECONDS


@ddt.ddt
class TestKilledInBetween(deaths.DeathTestCase):
    """What another run of ours has left, with nothing remembered."""

    @ddt.data(
        # as it was left: an evacuation of a stopped server had failed, and
        # perhaps its state was reset already
        ('ERROR', State.SHUTDOWN),
        ('ERROR', State.NOSTATE),
        ('ACTIVE', State.SHUTDOWN),
        ('ACTIVE', State.NOSTATE),
    )
    @ddt.unpack
    def test_what_was_off_stays_off(self, status, power_state):
        story = self.begin()
        history = {'vm1': (base.deed('create'), base.deed('stop'))}
        view = deaths.server(status, power_state=power_state)
        if power_state == State.NOSTATE:
            # Nothing is done before its history is known.
            self.assert_asked((), story, view)
            self.assertEqual({'vm1'}, story.decision.inquiry.history)
            self.assertIsNone(story.row.result)
        kwargs = {'histories': history}
        if status == 'ERROR':
            self.assert_asked(self.RESET, story, view, **kwargs)
            view = deaths.server('ACTIVE', power_state=power_state)
        self.assert_asked(self.STOPPED, story, view, **kwargs)
        story.tick(deaths.there('SHUTOFF'), story.record('done'), **kwargs)

        self.assert_ended(story, 'moved', 'it was off when the host died')

    @ddt.data('ERROR', 'ACTIVE')
    def test_what_ran_comes_up_again(self, status):
        story = self.begin()
        view = deaths.server(status, power_state=State.NOSTATE)
        history = {'vm1': (base.deed('create'), base.deed('evacuate'))}
        self.assert_asked((), story, view)
        self.assertEqual({'vm1'}, story.decision.inquiry.history)
        self.assert_asked(self.EVACUATE, story, view, histories=history)

    @ddt.data('ACTIVE', 'SHUTOFF')
    def test_its_evacuation_goes_on(self, status):
        """It is awaited, and not asked for again."""
        story = self.begin()
        below = builders.VM_STATES[status]
        record = story.record('accepted')
        self.assert_asked((), story, deaths.rebuilding(below), record)
        record = story.record('pre-migrating')
        for _tick in range(60):
            self.assert_asked(
                (), story, deaths.rebuilding(below), record, after=11
            )
        story.tick(deaths.there(status), story.record('done'))

        row = self.assert_ended(story, 'moved', move='evacuation')
        self.assertEqual((status, 0), (row.status, row.attempts))

    def test_its_evacuation_fails(self):
        story = self.begin(retries=0)
        story.tick(deaths.rebuilding('stopped'), story.record('accepted'))
        error = deaths.server('ERROR', power_state=State.SHUTDOWN)
        record = self.failed(story, error)
        # That try counts.
        self.assert_asked((), story, error, record)
        self.assert_ended(story, 'failed', base.FAILURE)

    def test_one_fails_while_ours_may_still_be_carried_out(self):
        """Whose it was is not known: Nova would build it twice."""
        story, view = self.begin(), deaths.server()
        doubt = memories.Answer.IN_DOUBT
        self.assert_asked(self.EVACUATE, story, view, answer=doubt)
        record = story.record('failed', 7, dest='cmp03')
        for _second in range(int(PATIENCE) - 1):
            self.assert_asked((), story, view, record)
            self.assertIsNone(story.row.result)

        self.assert_asked(self.EVACUATE, story, view, record, after=10)

    def test_earlier_failures_count(self):
        story = self.begin(retries=1)
        records = [
            story.record('error', n, seen_at=story.now) for n in (1, 2, 3)
        ]
        running = deaths.server('ERROR', power_state=State.RUNNING)
        self.assert_asked(self.EVACUATE, story, running, *records)
        self.assertTrue(story.decision.rows)
        records.append(self.failed_after(story, running, records))
        self.assert_asked((), story, running, *records, after=60)
        self.assert_ended(story, 'failed', base.FAILURE)

    def failed_after(self, story, view, records):
        record = story.record('error', 4, dest='cmp03')
        story.tick(view, *records, record, failures=deaths.FAILURES)
        return record


@ddt.ddt
class TestNobodyIsAtIt(deaths.DeathTestCase):
    """What was under way when the host died is not awaited for ever."""

    @ddt.data('active', 'stopped', 'error')
    def test_being_rebuilt_and_no_record_of_it(self, below):
        story = self.begin()
        view = deaths.rebuilding(below)
        for _tick in range(3):
            self.assert_asked((), story, view, after=PATIENCE / 4)
            self.assertIsNone(story.row.result)
        for _tick in range(9):
            self.assert_asked((), story, view, after=PATIENCE)
            self.assert_ended(
                story, 'blocked', 'openstack server set --state active vm1'
            )
        # Somebody has done that; what was off stays so.
        off = below == 'stopped'
        self.assert_asked(
            self.STOPPED if off else self.EVACUATE, story, deaths.server()
        )

    def test_its_record_is_never_seen(self):
        """Its destination had just died: Nova lists no such change."""
        story = self.begin()
        story.tick(deaths.server())
        for _tick in range(29):
            self.assert_asked((), story, deaths.rebuilding(), after=10)
            self.assertIsNone(story.row.result)
        for _tick in range(3):
            self.assert_asked((), story, deaths.rebuilding(), after=10)
            self.assert_ended(
                story, 'failed', 'Nova has no migration record of it'
            )
        # It goes on then.
        story.tick(deaths.rebuilding(), story.record('pre-migrating'))
        self.assertIsNone(story.row.result)

    def test_a_record_shows_late(self):
        story = self.begin()
        story.tick(deaths.rebuilding())
        story.tick(deaths.rebuilding(), after=PATIENCE)
        self.assert_asked(
            (), story, deaths.rebuilding(), story.record('pre-migrating')
        )

        self.assertIsNone(story.row.result)

    @ddt.data(
        # its status, type and status of its record
        ('MIGRATING', base.LIVE, 'running'),
        ('MIGRATING', base.LIVE, 'queued'),
        ('RESIZE', base.COLD, 'migrating'),
        ('RESIZE', base.RESIZE, 'pre-migrating'),
    )
    @ddt.unpack
    def test_on_its_way_to_another_host(self, status, type_, record_status):
        story = self.begin()
        record = story.record(record_status, type=type_)
        view = deaths.server(status)
        self.assert_asked((), story, view, record)
        self.assert_ended(story, 'blocked', 'runs nowhere else')
        self.assert_asked((), story, view, record, after=1000)
        self.assert_ended(story, 'blocked', status)
        # Somebody has made sure of that.
        self.assert_asked(self.EVACUATE, story, deaths.server(), record)
        done = story.record('done', 8)
        story.tick(deaths.there(), record, done)
        self.assert_ended(story, 'moved')

    @ddt.data(
        # its status, type and status of its record
        ('VERIFY_RESIZE', base.COLD, 'finished'),
        ('VERIFY_RESIZE', base.RESIZE, 'finished'),
        ('VERIFY_RESIZE', base.COLD, 'confirming'),
        ('REVERT_RESIZE', base.RESIZE, 'reverting'),
        ('RESIZE', base.COLD, 'post-migrating'),
        ('ACTIVE', base.LIVE, 'running'),
    )
    @ddt.unpack
    def test_it_has_left_and_something_of_it_stays(self, status, type_, was):
        """Else an evacuation would never be over."""
        story = self.begin()
        record = story.record(was, type=type_)
        view = deaths.there(status)
        for _tick in range(12):
            self.assert_asked((), story, view, record, after=6)
        row = self.assert_ended(
            story, 'blocked', 'needs nova-compute on this host'
        )

        self.assertEqual(builders.DEST, row.destination)
        self.assertTrue(story.decision.done)

    def test_its_cold_migration_goes_on_elsewhere(self):
        """The destination does the rest of it."""
        story = self.begin()
        moving = deaths.there('RESIZE')
        record = story.record('post-migrating', type=base.COLD)
        story.tick(moving, record, after=5)
        self.assertIsNone(story.row.result)
