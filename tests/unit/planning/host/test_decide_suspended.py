# SPDX-License-Identifier: Apache-2.0

"""Suspended servers from the first look to the end: resumed, or shelved."""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

SendStatus = memories.SendStatus
ActionKind = memories.ActionKind
Phase = base.Phase
NO = memories.Outcome(SendStatus.REFUSED, 0.0, base.REFUSAL)

HERE = base.HERE
THERE = base.THERE
SUSPENDED = base.SUSPENDED
RESUMING = builders.server(status='SUSPENDED', task_state='resuming')
MOVING = base.MIGRATING
SUSPENDING = builders.server(host=builders.DEST, task_state='suspending')
SUSPENDED_THERE = builders.server(status='SUSPENDED', host=builders.DEST)

LIVE = ActionKind.LIVE_MIGRATE
SUSPEND = ActionKind.SUSPEND
RESUME = ActionKind.RESUME


class TestResume(base.TimelineTestCase):
    """--suspended resume: resume, live-migrate, suspend again."""

    def begin(self, **options):
        return super().begin(suspended=policies.Suspended.RESUME, **options)

    def resumed(self, *steps, **options):
        """Return the story of a server that runs now, by our doing.

        :param steps: what else follows.
        """
        timeline = self.begin(**options)
        self.expect(timeline, (RESUME, SUSPENDED), (None, RESUMING))
        self.assertIs(Phase.MOVING, timeline.row.phase)
        self.assertEqual('live migration', timeline.row.move)
        self.expect(timeline, *steps)
        return timeline

    def suspend(self, timeline, view, *records):
        self.expect(timeline, (SUSPEND, view, *records))
        self.assertIsNone(timeline.row.result)

    def test_all_goes_well(self):
        timeline = self.resumed((LIVE, HERE), (None, MOVING, 'running'))
        self.suspend(timeline, THERE, 'completed')
        self.expect(timeline, (None, SUSPENDING, 'completed'))
        self.assertIsNone(timeline.row.result)
        self.expect(timeline, (None, SUSPENDED_THERE, 'completed'))

        row = self.assert_ended(timeline, 'moved', move='live migration')
        self.assertTrue(timeline.decision.drained)
        self.assertEqual(
            ('SUSPENDED', builders.DEST, '', 1),
            (row.status, row.destination, row.reason, row.attempts),
        )

    def test_the_resume_breaks_it(self):
        timeline = self.resumed((None, builders.server(status='ERROR')))
        self.assert_ended(
            timeline, 'failed', 'it was resumed for the migration'
        )

    def test_the_live_migration_is_refused_for_good(self):
        """It ends as it was, where it was."""
        timeline = self.resumed(
            (LIVE, HERE, {'answer': base.FINAL}),
            running=policies.Running.LIVE_OR_COLD,
        )
        self.suspend(timeline, HERE)
        self.expect(timeline, (None, builders.server(task_state='suspending')))
        self.assertIsNone(timeline.row.result)
        self.expect(timeline, (None, SUSPENDED))
        row = self.assert_ended(timeline, 'blocked', base.REFUSAL)
        self.assertNotIn('live-or-cold', row.reason)

    def test_the_live_migration_fails_each_time(self):
        """It stays resumed between the attempts, but not after the last."""
        failures = {'failures': {7: base.FAILURE, 8: base.FAILURE}}
        later = {'after': timing.RETRY_WAIT_SECONDS, **failures}
        timeline = self.resumed(
            (LIVE, HERE),
            (None, HERE, 'error', failures),
            (LIVE, HERE, 'error', later),
            retries=1,
        )
        both = ('error', timeline.record('error', 8), failures)
        self.suspend(timeline, HERE, *both)
        self.expect(timeline, (None, SUSPENDED, *both))

        row = self.assert_ended(timeline, 'failed', base.FAILURE)
        self.assertEqual(2, row.attempts)

    def test_the_live_migration_stalls(self):
        timeline = self.resumed(
            (LIVE, HERE), on_stall=policies.OnStall.ABORT, stall_after=10.0
        )
        for after, ask in ((1, None), (9, None), (1, ActionKind.ABORT)):
            progress = {7: model.Progress(2**20, 2**21, timeline.now + after)}
            options = {'after': after, 'progress': progress}
            self.expect(timeline, (ask, MOVING, 'running', options))
        self.suspend(timeline, HERE, 'cancelled')
        self.expect(timeline, (None, SUSPENDED, 'cancelled'))
        self.assert_ended(timeline, 'failed', 'stalled: 1 MiB of 2 MiB')

    def test_the_suspend_is_refused(self):
        timeline = self.resumed((LIVE, HERE))
        refused = {'after': timing.REFUSED_WAIT_SECONDS, 'answer': NO}
        for _try in range(timing.END_TRIES):
            self.suspend(timeline, THERE, 'completed', refused)
        self.expect(timeline, (None, THERE, 'completed'))
        self.assert_ended(timeline, 'failed', 'could not be suspended again')
        self.assertTrue(timeline.decision.done)

    def test_the_suspend_is_lost(self):
        timeline = self.resumed((LIVE, HERE))
        lost = {'answer': SendStatus.IN_DOUBT}
        self.suspend(timeline, THERE, 'completed', lost)
        self.expect(timeline, (None, THERE, 'completed'))
        later = {'after': timing.EFFECT_WAIT_SECONDS}
        self.suspend(timeline, THERE, 'completed', later)
        self.expect(timeline, (None, SUSPENDED_THERE, 'completed'))
        self.assert_ended(timeline, 'moved')

    def test_its_owner_stops_it_meanwhile(self):
        """It is moved as it is, and not suspended."""
        stopped = builders.server(status='SHUTOFF')
        timeline = self.resumed((ActionKind.COLD_MIGRATE, stopped))
        confirmed = timeline.record('confirmed', type=base.COLD)
        there = builders.server(status='SHUTOFF', host=builders.DEST)
        self.expect(timeline, (None, there, confirmed))
        row = self.assert_ended(timeline, 'moved', move='cold migration')
        self.assertEqual('SHUTOFF', row.status)

    def test_its_owner_suspends_it_meanwhile(self):
        """Before it could be moved: then it is resumed again."""
        later = {'after': timing.EFFECT_WAIT_SECONDS + 1}
        self.resumed((LIVE, HERE, {'answer': NO}), (RESUME, SUSPENDED, later))

    def test_deleted_on_the_way(self):
        timeline = self.resumed((LIVE, HERE), (None, base.DELETED, 'running'))
        self.assert_ended(timeline, 'gone')


class TestShelve(base.TimelineTestCase):
    """--suspended shelve, --shelved offload."""

    SHELVED = builders.server(status='SHELVED')
    OFFLOADING = builders.server(
        status='SHELVED', task_state='shelving_offloading'
    )
    OFFLOADED = builders.server(status='SHELVED_OFFLOADED')
    OFFLOAD = ActionKind.OFFLOAD

    def shelving(self):
        timeline = self.begin(
            suspended=policies.Suspended.SHELVE, shelved=policies.Shelved.LEAVE
        )
        self.expect(timeline, (ActionKind.SHELVE, SUSPENDED))
        uploading = builders.server(
            status='SUSPENDED', task_state='shelving_image_uploading'
        )
        for _minute in range(10):
            self.expect(timeline, (None, uploading, {'after': 60}))
            self.assertIs(Phase.MOVING, timeline.row.phase)
        return timeline

    def assert_offloaded(self, timeline, status='SUSPENDED'):
        self.expect(timeline, (None, self.OFFLOADED))
        row = self.assert_ended(timeline, 'offloaded', move='shelve offload')
        self.assertTrue(timeline.decision.drained)
        self.assertEqual(status, row.status)
        self.assertEqual(1, row.attempts)
        return row

    def test_nova_offloads_it_by_itself(self):
        timeline = self.shelving()
        self.expect(timeline, (None, self.OFFLOADING))
        self.assertIs(Phase.MOVING, timeline.row.phase)
        row = self.assert_offloaded(timeline)
        self.assertIn('SHELVED_OFFLOADED', row.reason)

    def test_nova_leaves_that_to_us(self):
        timeline = self.shelving()
        self.expect(timeline, (self.OFFLOAD, self.SHELVED))
        self.expect(timeline, (None, self.SHELVED))
        self.assert_offloaded(timeline)

    def test_offloaded_by_nova_meanwhile(self):
        """409: it is at it. Then that is awaited."""
        timeline = self.shelving()
        self.expect(timeline, (self.OFFLOAD, self.SHELVED, {'answer': NO}))
        self.expect(timeline, (None, self.OFFLOADING))
        self.assert_offloaded(timeline)

    def test_shelved_by_its_owner(self):
        timeline = self.begin()
        self.expect(timeline, (self.OFFLOAD, self.SHELVED))
        self.assert_offloaded(timeline, 'SHELVED')


NOW = builders.NOW
FIRST = memories.HostMemory()
COMPLETED = builders.migration(7, 'completed')
TAGGED_SUSPENDED = dataclasses.replace(SUSPENDED_THERE, tagged=True)


class TestResumedByAnotherRun(base.DecideTestCase):
    SUSPENDED = builders.memory(builders.server_memory(base.SUSPENDED))

    @unit.cases(*policies.Running)
    def test_on_the_host(self, running):
        """Whatever --running says: a restart would lose what it suspended."""
        policy = policies.Policy(running=running)
        for memory in (FIRST, self.SUSPENDED):
            found = self.decide(
                memory=memory, policy=policy, servers=[base.TAGGED_HERE]
            )
            self.assertEqual(
                {'vm1': ActionKind.LIVE_MIGRATE}, self.asks(found)
            )
            self.assertEqual('SUSPENDED', self.row(found).status)

    def test_by_hand(self):
        """It has no tag: then it is to run."""
        found = self.decide(memory=self.SUSPENDED, servers=[base.HERE])
        self.assertEqual({'vm1': ActionKind.LIVE_MIGRATE}, self.asks(found))
        self.assertEqual('ACTIVE', self.row(found).status)

    @unit.cases(
        # how it is found elsewhere; what is asked for
        (base.TAGGED_THERE, {'vm1': ActionKind.SUSPEND}),
        (TAGGED_SUSPENDED, {'vm1': ActionKind.UNTAG}),
    )
    def test_elsewhere(self, view, asked):
        observed = {'visited': [view], 'migrations': [COMPLETED]}
        for memory in (FIRST, self.SUSPENDED):
            found = self.decide(memory=memory, **observed)
            self.assertEqual(asked, self.asks(found))
            self.assertFalse(found.done)
            self.assertEqual('SUSPENDED', self.row(found).status)

    @unit.cases(
        # Before this maintenance, to this host, or not at all.
        {'created_at': builders.cloud_time(-99)},
        {'source': 'cmp05', 'dest': builders.HOST},
        {'status': 'error'},
    )
    def test_elsewhere_and_not_from_here(self, values):
        record = dataclasses.replace(COMPLETED, **values)
        found = self.decide(
            memory=FIRST, visited=[base.TAGGED_THERE], migrations=[record]
        )
        self.assertEqual((), found.rows)

    def test_moving_when_the_run_was_killed(self):
        moving = builders.server(status='MIGRATING', tagged=True)
        records = [builders.migration(7, 'running')]
        found = self.decide(memory=FIRST, servers=[moving], migrations=records)
        self.assertEqual('SUSPENDED', self.row(found).status)
        found = self.decide(
            memory=found.memory,
            visited=[dataclasses.replace(base.TAGGED_THERE, seen_at=NOW + 9)],
            migrations=[builders.migration(7, 'completed', seen_at=NOW + 8)],
            now=NOW + 9,
        )
        self.assertEqual({'vm1': ActionKind.SUSPEND}, self.asks(found))
