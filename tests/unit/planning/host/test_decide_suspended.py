# SPDX-License-Identifier: Apache-2.0

"""Suspended servers from the first look to the end: resumed, or shelved."""

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base

SendStatus = memories.SendStatus
ActionKind = memories.ActionKind
Phase = base.Phase
FINAL = memories.Outcome(SendStatus.REFUSED, 0.0, base.REFUSAL, final=True)
NO = memories.Outcome(SendStatus.REFUSED, 0.0, base.REFUSAL)

HERE = base.HERE
THERE = base.THERE
SUSPENDED = base.SUSPENDED
RESUMING = builders.server(status='SUSPENDED', task_state='resuming')
MOVING = base.MIGRATING
SUSPENDING = builders.server(host=builders.DEST, task_state='suspending')
SUSPENDED_THERE = builders.server(status='SUSPENDED', host=builders.DEST)


class TestResume(base.TimelineTestCase):
    """--suspended resume: resume, live-migrate, suspend again."""

    def resumed(self, **options):
        """Return the story of a server that runs now, by our doing."""
        timeline = self.begin(suspended=policies.Suspended.RESUME, **options)
        self.assertIs(ActionKind.RESUME, timeline.asks(SUSPENDED))
        self.assertIsNone(timeline.asks(RESUMING))
        self.assertIs(Phase.MOVING, timeline.row.phase)
        self.assertEqual('live migration', timeline.row.move)
        return timeline

    def suspend(self, timeline, *records, view=THERE, **kwargs):
        self.assertIs(
            ActionKind.SUSPEND, timeline.asks(view, *records, **kwargs)
        )
        self.assertIsNone(timeline.row.result)

    def test_all_goes_well(self):
        timeline = self.resumed()
        self.assertIs(ActionKind.LIVE_MIGRATE, timeline.asks(HERE))
        self.assertIsNone(timeline.asks(MOVING, timeline.record('running')))
        completed = timeline.record('completed')
        self.suspend(timeline, completed)
        self.assertIsNone(timeline.asks(SUSPENDING, completed))
        self.assertIsNone(timeline.row.result)
        self.assertIsNone(timeline.asks(SUSPENDED_THERE, completed))

        row = self.assert_ended(timeline, 'moved', move='live migration')
        self.assertTrue(timeline.decision.drained)
        self.assertEqual('SUSPENDED', row.status)
        self.assertEqual(builders.DEST, row.destination)
        self.assertEqual('', row.reason)
        self.assertEqual(1, row.attempts)
        self.assertEqual(6.0, row.seconds)

    def test_the_resume_is_refused(self):
        timeline = self.begin(suspended=policies.Suspended.RESUME)
        self.assertIs(
            ActionKind.RESUME, timeline.asks(SUSPENDED, answer=FINAL)
        )
        self.assertIsNone(timeline.asks(SUSPENDED))

        self.assert_ended(timeline, 'blocked', base.REFUSAL)

    def test_the_resume_is_lost_again_and_again(self):
        timeline = self.begin(suspended=policies.Suspended.RESUME)
        for _attempt in range(3):
            asked = timeline.asks(
                SUSPENDED,
                after=timing.EFFECT_WAIT_SECONDS,
                answer=SendStatus.IN_DOUBT,
            )
            self.assertIs(ActionKind.RESUME, asked)
        timeline.tick(SUSPENDED, after=timing.EFFECT_WAIT_SECONDS)

        self.assert_ended(timeline, 'failed', 'request to resume it')

    def test_the_resume_breaks_it(self):
        timeline = self.resumed()
        timeline.tick(builders.server(status='ERROR'))

        self.assert_ended(
            timeline, 'failed', 'it was resumed for the migration'
        )

    def test_the_live_migration_is_refused_for_good(self):
        """It ends as it was, where it was."""
        timeline = self.resumed(running=policies.Running.LIVE_OR_COLD)
        self.assertIs(
            ActionKind.LIVE_MIGRATE, timeline.asks(HERE, answer=FINAL)
        )
        self.suspend(timeline, view=HERE)
        self.assertIsNone(
            timeline.asks(builders.server(task_state='suspending'))
        )
        self.assertIsNone(timeline.row.result)
        self.assertIsNone(timeline.asks(SUSPENDED))

        row = self.assert_ended(timeline, 'blocked', base.REFUSAL)
        self.assertNotIn('live-or-cold', row.reason)

    def test_the_live_migration_fails_each_time(self):
        """It stays resumed between the attempts, but not after the last."""
        timeline = self.resumed(retries=1)
        failures = {7: base.FAILURE, 8: base.FAILURE}
        self.assertIs(ActionKind.LIVE_MIGRATE, timeline.asks(HERE))
        first = timeline.record('error', 7)
        timeline.tick(HERE, first, failures=failures)
        asked = timeline.asks(
            HERE, first, failures=failures, after=timing.RETRY_WAIT_SECONDS
        )
        self.assertIs(ActionKind.LIVE_MIGRATE, asked)
        second = timeline.record('error', 8)
        self.suspend(timeline, first, second, view=HERE, failures=failures)
        timeline.tick(SUSPENDED, first, second, failures=failures)

        row = self.assert_ended(timeline, 'failed', base.FAILURE)
        self.assertEqual(2, row.attempts)

    def test_the_live_migration_stalls(self):
        timeline = self.resumed(
            on_stall=policies.OnStall.ABORT, stall_after=10.0
        )
        timeline.tick(HERE)
        running = timeline.record('running')
        for after, ask in ((1, None), (9, None), (1, ActionKind.ABORT)):
            progress = {7: model.Progress(2**20, 2**21, timeline.now + after)}
            asked = timeline.asks(
                MOVING, running, after=after, progress=progress
            )
            self.assertIs(ask, asked)
        cancelled = timeline.record('cancelled')
        self.suspend(timeline, cancelled, view=HERE)
        timeline.tick(SUSPENDED, cancelled)

        self.assert_ended(timeline, 'failed', 'stalled: 1 MiB of 2 MiB')

    def test_the_suspend_is_refused(self):
        timeline = self.resumed()
        timeline.tick(HERE)
        completed = timeline.record('completed')
        for _try in range(timing.END_TRIES):
            self.suspend(
                timeline,
                completed,
                after=timing.REFUSED_WAIT_SECONDS,
                answer=NO,
            )
        timeline.tick(THERE, completed)

        self.assert_ended(timeline, 'failed', 'could not be suspended again')
        self.assertTrue(timeline.decision.done)

    def test_the_suspend_is_lost(self):
        timeline = self.resumed()
        timeline.tick(HERE)
        completed = timeline.record('completed')
        self.suspend(timeline, completed, answer=SendStatus.IN_DOUBT)
        self.assertIsNone(timeline.asks(THERE, completed))
        self.suspend(timeline, completed, after=timing.EFFECT_WAIT_SECONDS)
        timeline.tick(SUSPENDED_THERE, completed)

        self.assert_ended(timeline, 'moved')

    def test_its_owner_stops_it_meanwhile(self):
        """It is moved as it is, and not suspended."""
        timeline = self.resumed()
        stopped = builders.server(status='SHUTOFF')
        self.assertIs(ActionKind.COLD_MIGRATE, timeline.asks(stopped))
        confirmed = timeline.record('confirmed', type=base.COLD)
        timeline.tick(
            builders.server(status='SHUTOFF', host=builders.DEST), confirmed
        )

        row = self.assert_ended(timeline, 'moved', move='cold migration')
        self.assertEqual('SHUTOFF', row.status)

    def test_its_owner_suspends_it_meanwhile(self):
        """Before it could be moved: then it is resumed again."""
        timeline = self.resumed()
        timeline.tick(HERE, answer=NO)
        asked = timeline.asks(SUSPENDED, after=timing.EFFECT_WAIT_SECONDS + 1)

        self.assertIs(ActionKind.RESUME, asked)

    def test_deleted_on_the_way(self):
        timeline = self.resumed()
        timeline.tick(HERE)
        timeline.tick(base.DELETED, timeline.record('running'))

        self.assert_ended(timeline, 'gone')


class TestShelve(base.TimelineTestCase):
    """--suspended shelve, --shelved offload."""

    OFFLOADED = builders.server(status='SHELVED_OFFLOADED')

    def shelving(self):
        timeline = self.begin(
            suspended=policies.Suspended.SHELVE,
            shelved=policies.Shelved.LEAVE,
        )
        self.assertIs(ActionKind.SHELVE, timeline.asks(SUSPENDED))
        uploading = builders.server(
            status='SUSPENDED', task_state='shelving_image_uploading'
        )
        for _minute in range(10):
            self.assertIsNone(timeline.asks(uploading, after=60))
            self.assertIs(Phase.MOVING, timeline.row.phase)
        return timeline

    def ended(self, timeline):
        row = self.assert_ended(timeline, 'offloaded', move='shelve offload')
        self.assertTrue(timeline.decision.drained)
        self.assertEqual('SUSPENDED', row.status)
        self.assertEqual(1, row.attempts)
        self.assertIn('SHELVED_OFFLOADED', row.reason)

    def test_nova_offloads_it_by_itself(self):
        timeline = self.shelving()
        offloading = builders.server(
            status='SHELVED', task_state='shelving_offloading'
        )
        self.assertIsNone(timeline.asks(offloading))
        self.assertIs(Phase.MOVING, timeline.row.phase)
        self.assertIsNone(timeline.asks(self.OFFLOADED))

        self.ended(timeline)

    def test_nova_leaves_that_to_us(self):
        timeline = self.shelving()
        shelved = builders.server(status='SHELVED')
        self.assertIs(ActionKind.OFFLOAD, timeline.asks(shelved))
        self.assertIsNone(timeline.asks(shelved))
        self.assertIsNone(timeline.asks(self.OFFLOADED))

        self.ended(timeline)

    def test_offloaded_by_nova_meanwhile(self):
        """409: it is at it. Then that is awaited."""
        timeline = self.shelving()
        shelved = builders.server(status='SHELVED')
        self.assertIs(ActionKind.OFFLOAD, timeline.asks(shelved, answer=NO))
        offloading = builders.server(
            status='SHELVED', task_state='shelving_offloading'
        )
        self.assertIsNone(timeline.asks(offloading))
        self.assertIsNone(timeline.asks(self.OFFLOADED))

        self.ended(timeline)

    def test_shelved_by_its_owner(self):
        timeline = self.begin()
        shelved = builders.server(status='SHELVED')
        self.assertIs(ActionKind.OFFLOAD, timeline.asks(shelved))
        self.assertIsNone(timeline.asks(self.OFFLOADED))

        row = self.assert_ended(timeline, 'offloaded', move='shelve offload')
        self.assertEqual('SHELVED', row.status)
        self.assertEqual(1, row.attempts)
