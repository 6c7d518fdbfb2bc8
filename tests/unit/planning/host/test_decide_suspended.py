# SPDX-License-Identifier: Apache-2.0

"""Suspended servers from the first look to the end: resumed, or shelved."""

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base

Answer = memories.Answer
Kind = memories.Kind
Phase = base.Phase
FINAL = memories.Outcome(Answer.REFUSED, 0.0, base.REFUSAL, final=True)
NO = memories.Outcome(Answer.REFUSED, 0.0, base.REFUSAL)

HERE = base.HERE
THERE = base.THERE
SUSPENDED = base.SUSPENDED
RESUMING = builders.server(status='SUSPENDED', task_state='resuming')
MOVING = base.MIGRATING
SUSPENDING = builders.server(host=builders.DEST, task_state='suspending')
SUSPENDED_THERE = builders.server(status='SUSPENDED', host=builders.DEST)


class TestResume(base.StoryTestCase):
    """--suspended resume: resume, live-migrate, suspend again."""

    def resumed(self, **options):
        """Return the story of a server that runs now, by our doing."""
        story = self.begin(suspended=policies.Suspended.RESUME, **options)
        self.assertIs(Kind.RESUME, story.asks(SUSPENDED))
        self.assertIsNone(story.asks(RESUMING))
        self.assertIs(Phase.MOVING, story.row.phase)
        self.assertEqual('live migration', story.row.move)
        return story

    def suspend(self, story, *records, view=THERE, **kwargs):
        self.assertIs(Kind.SUSPEND, story.asks(view, *records, **kwargs))
        self.assertIsNone(story.row.result)

    def test_all_goes_well(self):
        story = self.resumed()
        self.assertIs(Kind.LIVE_MIGRATE, story.asks(HERE))
        self.assertIsNone(story.asks(MOVING, story.record('running')))
        completed = story.record('completed')
        self.suspend(story, completed)
        self.assertIsNone(story.asks(SUSPENDING, completed))
        self.assertIsNone(story.row.result)
        self.assertIsNone(story.asks(SUSPENDED_THERE, completed))

        row = self.assert_ended(story, 'moved', move='live migration')
        self.assertTrue(story.decision.drained)
        self.assertEqual('SUSPENDED', row.status)
        self.assertEqual(builders.DEST, row.destination)
        self.assertEqual('', row.reason)
        self.assertEqual(1, row.attempts)
        self.assertEqual(6.0, row.seconds)

    def test_the_resume_is_refused(self):
        story = self.begin(suspended=policies.Suspended.RESUME)
        self.assertIs(Kind.RESUME, story.asks(SUSPENDED, answer=FINAL))
        self.assertIsNone(story.asks(SUSPENDED))

        self.assert_ended(story, 'blocked', base.REFUSAL)

    def test_the_resume_is_lost_again_and_again(self):
        story = self.begin(suspended=policies.Suspended.RESUME)
        for _attempt in range(3):
            asked = story.asks(
                SUSPENDED,
                after=timing.EFFECT_WAIT_SECONDS,
                answer=Answer.IN_DOUBT,
            )
            self.assertIs(Kind.RESUME, asked)
        story.tick(SUSPENDED, after=timing.EFFECT_WAIT_SECONDS)

        self.assert_ended(story, 'failed', 'request to resume it')

    def test_the_resume_breaks_it(self):
        story = self.resumed()
        story.tick(builders.server(status='ERROR'))

        self.assert_ended(story, 'failed', 'it was resumed for the migration')

    def test_the_live_migration_is_refused_for_good(self):
        """It ends as it was, where it was."""
        story = self.resumed(running=policies.Running.LIVE_OR_COLD)
        self.assertIs(Kind.LIVE_MIGRATE, story.asks(HERE, answer=FINAL))
        self.suspend(story, view=HERE)
        self.assertIsNone(story.asks(builders.server(task_state='suspending')))
        self.assertIsNone(story.row.result)
        self.assertIsNone(story.asks(SUSPENDED))

        row = self.assert_ended(story, 'blocked', base.REFUSAL)
        self.assertNotIn('live-or-cold', row.reason)

    def test_the_live_migration_fails_each_time(self):
        """It stays resumed between the attempts, but not after the last."""
        story = self.resumed(retries=1)
        failures = {7: base.FAILURE, 8: base.FAILURE}
        self.assertIs(Kind.LIVE_MIGRATE, story.asks(HERE))
        first = story.record('error', 7)
        story.tick(HERE, first, failures=failures)
        asked = story.asks(
            HERE, first, failures=failures, after=timing.RETRY_WAIT_SECONDS
        )
        self.assertIs(Kind.LIVE_MIGRATE, asked)
        second = story.record('error', 8)
        self.suspend(story, first, second, view=HERE, failures=failures)
        story.tick(SUSPENDED, first, second, failures=failures)

        row = self.assert_ended(story, 'failed', base.FAILURE)
        self.assertEqual(2, row.attempts)

    def test_the_live_migration_stalls(self):
        story = self.resumed(on_stall=policies.OnStall.ABORT, stall_after=10.0)
        story.tick(HERE)
        running = story.record('running')
        for after, ask in ((1, None), (9, None), (1, Kind.ABORT)):
            progress = {7: model.Progress(2**20, 2**21, story.now + after)}
            asked = story.asks(MOVING, running, after=after, progress=progress)
            self.assertIs(ask, asked)
        cancelled = story.record('cancelled')
        self.suspend(story, cancelled, view=HERE)
        story.tick(SUSPENDED, cancelled)

        self.assert_ended(story, 'failed', 'stalled: 1 MiB of 2 MiB')

    def test_the_suspend_is_refused(self):
        story = self.resumed()
        story.tick(HERE)
        completed = story.record('completed')
        for _try in range(timing.END_TRIES):
            self.suspend(
                story,
                completed,
                after=timing.REFUSED_WAIT_SECONDS,
                answer=NO,
            )
        story.tick(THERE, completed)

        self.assert_ended(story, 'failed', 'could not be suspended again')
        self.assertTrue(story.decision.done)

    def test_the_suspend_is_lost(self):
        story = self.resumed()
        story.tick(HERE)
        completed = story.record('completed')
        self.suspend(story, completed, answer=Answer.IN_DOUBT)
        self.assertIsNone(story.asks(THERE, completed))
        self.suspend(story, completed, after=timing.EFFECT_WAIT_SECONDS)
        story.tick(SUSPENDED_THERE, completed)

        self.assert_ended(story, 'moved')

    def test_its_owner_stops_it_meanwhile(self):
        """It is moved as it is, and not suspended."""
        story = self.resumed()
        stopped = builders.server(status='SHUTOFF')
        self.assertIs(Kind.COLD_MIGRATE, story.asks(stopped))
        confirmed = story.record('confirmed', type=base.COLD)
        story.tick(
            builders.server(status='SHUTOFF', host=builders.DEST), confirmed
        )

        row = self.assert_ended(story, 'moved', move='cold migration')
        self.assertEqual('SHUTOFF', row.status)

    def test_its_owner_suspends_it_meanwhile(self):
        """Before it could be moved: then it is resumed again."""
        story = self.resumed()
        story.tick(HERE, answer=NO)
        asked = story.asks(SUSPENDED, after=timing.EFFECT_WAIT_SECONDS + 1)

        self.assertIs(Kind.RESUME, asked)

    def test_deleted_on_the_way(self):
        story = self.resumed()
        story.tick(HERE)
        story.tick(base.DELETED, story.record('running'))

        self.assert_ended(story, 'gone')


class TestShelve(base.StoryTestCase):
    """--suspended shelve, --shelved offload."""

    OFFLOADED = builders.server(status='SHELVED_OFFLOADED')

    def shelving(self):
        story = self.begin(
            suspended=policies.Suspended.SHELVE,
            shelved=policies.Shelved.LEAVE,
        )
        self.assertIs(Kind.SHELVE, story.asks(SUSPENDED))
        uploading = builders.server(
            status='SUSPENDED', task_state='shelving_image_uploading'
        )
        for _minute in range(10):
            self.assertIsNone(story.asks(uploading, after=60))
            self.assertIs(Phase.MOVING, story.row.phase)
        return story

    def ended(self, story):
        row = self.assert_ended(story, 'offloaded', move='shelve offload')
        self.assertTrue(story.decision.drained)
        self.assertEqual('SUSPENDED', row.status)
        self.assertEqual(1, row.attempts)
        self.assertIn('SHELVED_OFFLOADED', row.reason)

    def test_nova_offloads_it_by_itself(self):
        story = self.shelving()
        offloading = builders.server(
            status='SHELVED', task_state='shelving_offloading'
        )
        self.assertIsNone(story.asks(offloading))
        self.assertIs(Phase.MOVING, story.row.phase)
        self.assertIsNone(story.asks(self.OFFLOADED))

        self.ended(story)

    def test_nova_leaves_that_to_us(self):
        story = self.shelving()
        shelved = builders.server(status='SHELVED')
        self.assertIs(Kind.OFFLOAD, story.asks(shelved))
        self.assertIsNone(story.asks(shelved))
        self.assertIsNone(story.asks(self.OFFLOADED))

        self.ended(story)

    def test_nova_was_quicker(self):
        """409: it is at it. Then that is awaited."""
        story = self.shelving()
        shelved = builders.server(status='SHELVED')
        self.assertIs(Kind.OFFLOAD, story.asks(shelved, answer=NO))
        offloading = builders.server(
            status='SHELVED', task_state='shelving_offloading'
        )
        self.assertIsNone(story.asks(offloading))
        self.assertIsNone(story.asks(self.OFFLOADED))

        self.ended(story)

    def test_shelved_by_its_owner(self):
        story = self.begin()
        shelved = builders.server(status='SHELVED')
        self.assertIs(Kind.OFFLOAD, story.asks(shelved))
        self.assertIsNone(story.asks(self.OFFLOADED))

        row = self.assert_ended(story, 'offloaded', move='shelve offload')
        self.assertEqual('SHELVED', row.status)
        self.assertEqual(1, row.attempts)
