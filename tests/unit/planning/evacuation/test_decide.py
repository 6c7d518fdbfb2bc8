# SPDX-License-Identifier: Apache-2.0

"""Evacuations tick by tick: what is asked for, and what becomes of it."""

import dataclasses

import ddt

from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning import deaths

Kind = memories.Kind
State = deaths.State
RETRY = timing.RETRY_WAIT_SECONDS
PATIENCE = timing.EFFECT_WAIT_SECONDS
REFUSED = memories.Outcome(memories.Answer.REFUSED, 0.0, base.REFUSAL)
FINAL = memories.Outcome(
    memories.Answer.REFUSED, 0.0, base.REFUSAL, final=True
)


@ddt.ddt
class TestGood(deaths.DeathTestCase):
    @ddt.data('ACTIVE', 'SHUTOFF')
    def test_evacuated(self, status):
        story = self.begin()
        below = builders.VM_STATES[status]
        self.assert_asked(self.EVACUATE, story, deaths.server(status))
        self.assert_asked((), story, deaths.rebuilding(below))
        record = story.record('accepted', dest=None)
        self.assert_asked((), story, deaths.rebuilding(below), record)
        record = story.record('pre-migrating')
        self.assert_asked((), story, deaths.rebuilding(below), record)
        story.tick(deaths.there(status), story.record('done'))

        row = self.assert_ended(story, 'moved', move='evacuation')
        self.assertEqual(status, row.status)
        self.assertEqual(builders.DEST, row.destination)
        self.assertEqual('', row.reason)
        self.assertEqual(1, row.attempts)

    @ddt.data(
        # How long ago it was asked for: the service, the servers; starts?
        (timing.SERVICE_RECHECK_SECONDS, 0, True),
        (timing.SERVICE_RECHECK_SECONDS + 1, 0, False),
        # Lists take a minute, and that of the services was the last.
        (61, 61, True),
        (*[timing.SLOW_SERVICE_VALID_SECONDS + 1] * 2, False),
    )
    @ddt.unpack
    def test_only_off_a_host_that_was_just_looked_at(
        self, service_ago, servers_ago, starts
    ):
        """It may have come back since."""
        story = self.begin()
        story.tick(
            deaths.server(),
            after=0,
            service_at=story.now - service_ago,
            servers_at=story.now - servers_ago,
            migrations_at=story.now - servers_ago,
        )
        self.assertEqual(starts, bool(story.decision.actions))
        self.assertTrue(starts or story.decision.inquiry.services)

    def test_what_is_in_error_comes_up(self):
        story = self.begin()
        view = deaths.server('ERROR', power_state=State.RUNNING)
        self.assert_asked(self.EVACUATE, story, view)
        story.tick(deaths.there(), story.record('done'))

        self.assertEqual('ERROR', self.assert_ended(story, 'moved').status)

    def test_left_stopped(self):
        story = self.begin(leave_stopped=True)
        self.assert_asked(self.STOPPED, story, deaths.server())
        story.tick(deaths.there('SHUTOFF'), story.record('done'))

        self.assert_ended(story, 'moved')

    def test_in_error_left_stopped(self):
        story = self.begin(leave_stopped=True)
        view = deaths.server('ERROR', power_state=State.RUNNING)
        self.assert_asked(self.RESET, story, view)
        self.assert_asked((), story, view)
        self.assert_asked(self.STOPPED, story, deaths.server())
        story.tick(deaths.there('SHUTOFF'), story.record('done'))

        self.assert_ended(story, 'moved')

    def test_a_host_is_asked_for(self):
        story = self.begin(to='cmp07')
        (action,) = story.tick(deaths.server())
        self.assertEqual(('cmp07', False), (action.host, action.spread))

        story = self.begin()
        (action,) = story.tick(deaths.server())
        self.assertEqual(('', True), (action.host, action.spread))

    @ddt.data(
        # as it is when the record says done already
        deaths.rebuilding(),
        deaths.server(),
        deaths.server(task_state='powering-off'),
        deaths.there(task_state='powering-off'),
        deaths.there(**deaths.REBUILDING),
    )
    def test_the_record_is_ahead_of_its_server(self, view):
        story = self.begin()
        story.tick(deaths.server('SHUTOFF'))
        done = story.record('done')
        for _tick in range(10):
            self.assert_asked((), story, view, done)
            self.assertIsNone(story.row.result)
        story.tick(deaths.there('SHUTOFF'), done)

        self.assert_ended(story, 'moved')

    def test_it_is_at_rest_here_for_a_moment_before_it_is_there(self):
        """Built and stopped already, but its host does not change."""
        story = self.begin()
        story.tick(deaths.server('SHUTOFF'))
        record = story.record('pre-migrating')
        for _tick in range(20):
            view = deaths.server(
                'SHUTOFF', updated_at=builders.cloud_time(story.now)
            )
            ahead = 1.0 - builders.SINCE.timestamp()
            self.assert_asked((), story, view, record, after=7, ahead=ahead)


@ddt.ddt
class TestBad(deaths.DeathTestCase):
    def test_it_came_up_though_it_had_been_stopped(self):
        story = self.begin()
        story.tick(deaths.server('SHUTOFF'))
        story.tick(deaths.there('ACTIVE'), story.record('done'))

        self.assert_ended(
            story, 'failed', 'its state was stopped and is active'
        )

    def test_a_running_one_fails_and_is_tried_again(self):
        story = self.begin()
        running = deaths.server()
        self.assert_asked(self.EVACUATE, story, running)
        # A failed claim leaves it as it was; no valid host does not.
        record = self.failed(story, running, 7, 'failed')
        self.assert_asked(self.EVACUATE, story, running, record)
        error = deaths.server('ERROR', power_state=State.RUNNING)
        record = self.failed(story, error, 8)
        self.assert_asked(self.EVACUATE, story, error, record)
        story.tick(deaths.there(), story.record('done', 9))

        row = self.assert_ended(story, 'moved')
        self.assertEqual(('ACTIVE', 3), (row.status, row.attempts))

    @ddt.data(
        # as what its host told last of the guest is known still, and not
        State.SHUTDOWN,
        State.NOSTATE,
    )
    def test_a_stopped_one_fails_and_is_not_started(self, power_state):
        story = self.begin()
        self.assert_asked(self.EVACUATE, story, deaths.server('SHUTOFF'))
        error = deaths.server('ERROR', power_state=power_state)
        record = self.failed(story, error)
        self.assert_asked(self.RESET, story, error, record)
        self.assert_asked((), story, error, record)
        reset = deaths.server('ACTIVE', power_state=power_state)
        self.assert_asked(self.STOPPED, story, reset, record)
        story.tick(deaths.there('SHUTOFF'), story.record('done', 8))

        row = self.assert_ended(story, 'moved')
        self.assertEqual(('SHUTOFF', 2), (row.status, row.attempts))

    def test_somebody_has_reset_it_by_hand(self):
        story = self.begin()
        story.tick(deaths.server('SHUTOFF'))
        reset = deaths.server('ACTIVE', power_state=State.SHUTDOWN)
        record = self.failed(story, reset)

        self.assert_asked(self.STOPPED, story, reset, record)

    @ddt.data(
        # --retries, picks by us, attempts
        (0, False, 1),
        (2, False, 3),
        # Nova's own pick comes on top.
        (0, True, 2),
        (2, True, 4),
    )
    @ddt.unpack
    def test_attempts(self, retries, picked, attempts):
        """Each undoes the reset, which is asked for again."""
        story = self.begin(retries=retries)
        error = deaths.server('ERROR', power_state=State.SHUTDOWN)
        reset = deaths.server('ACTIVE', power_state=State.SHUTDOWN)
        records, view, resets, evacuations = [], error, 0, 0
        for _tick in range(60):
            asked = story.tick(view, *records, failures=deaths.FAILURES)
            for action in asked:
                if action.kind is Kind.RESET:
                    resets, view = resets + 1, reset
                    continue
                evacuations += 1
                self.assertEqual('active', view.vm_state)
                self.assertTrue(action.stopped)
                if not picked:
                    self.no_pick(story)
                elif evacuations == 1:
                    self.pick(story, 'cmp03')
                number, view = len(records) + 1, error
                records.append(story.record('error', number, dest='cmp03'))
            if story.row.result:
                break
        row = self.assert_ended(story, 'failed', base.FAILURE)
        self.assertEqual(
            (attempts, attempts, attempts),
            (evacuations, resets, row.attempts),
        )

    def pick(self, story, host):
        """Let the evacuation just asked for be to a pick of ours."""
        self._direct(story, host=host, spread=True)

    def no_pick(self, story):
        self._direct(story, spread=False)

    def _direct(self, story, **changes):
        track = story.memory.tracks['vm1']
        errand = dataclasses.replace(track.errand(Kind.EVACUATE), **changes)
        story.memory = builders.memory(
            builders.remember(track, Kind.EVACUATE, errand),
            alone_since=story.memory.own.alone_since,
        )

    def test_refused_for_good(self):
        story = self.begin()
        self.assert_asked(self.EVACUATE, story, deaths.server(), answer=FINAL)
        self.assert_asked((), story, deaths.server())

        self.assert_ended(story, 'blocked', base.REFUSAL)

    def test_refused_and_tried_again(self):
        story = self.begin(retries=1)
        self.assert_asked(
            self.EVACUATE, story, deaths.server(), answer=REFUSED
        )
        self.assert_asked(
            self.EVACUATE,
            story,
            deaths.server(),
            after=RETRY,
            answer=REFUSED,
        )
        self.assert_asked((), story, deaths.server(), after=60)

        self.assert_ended(story, 'blocked', base.REFUSAL)

    def test_its_reset_is_refused(self):
        story = self.begin()
        view = deaths.server('ERROR', power_state=State.SHUTDOWN)
        self.assert_asked(self.RESET, story, view, answer=FINAL)
        self.assert_asked((), story, view, after=60)

        self.assert_ended(story, 'blocked', base.REFUSAL)

    def test_nothing_comes_of_its_reset(self):
        story = self.begin(retries=1)
        view = deaths.server('ERROR', power_state=State.SHUTDOWN)
        self.assert_asked(self.RESET, story, view)
        self.assert_asked((), story, view, after=PATIENCE - 1)
        self.assert_asked(self.RESET, story, view, after=1)
        self.assert_asked((), story, view, after=PATIENCE)

        self.assert_ended(story, 'failed', 'request to reset it')

    def test_nobody_knows_whether_nova_took_it(self):
        """It is not asked for again while it may have."""
        story = self.begin()
        doubt = memories.Answer.IN_DOUBT
        self.assert_asked(self.EVACUATE, story, deaths.server(), answer=doubt)
        for _tick in range(4):
            self.assert_asked((), story, deaths.server(), after=7)
        # Its record would be there by now.
        self.assert_asked(self.EVACUATE, story, deaths.server(), after=7)

    def test_the_record_says_done_and_it_stays_here(self):
        story = self.begin()
        story.tick(deaths.server())
        done = story.record('done')
        self.assert_asked((), story, deaths.server(), done)
        self.assert_asked(
            self.EVACUATE, story, deaths.server(), done, after=PATIENCE
        )
        self.assertIn('record says done', story.row.reason)

    def test_deleted_meanwhile(self):
        story = self.begin()
        story.tick(deaths.server())
        story.tick(builders.server(status='DELETED'))

        self.assert_ended(story, 'gone')

    def test_its_destination_dies(self):
        story = self.begin()
        story.tick(deaths.server())
        record = story.record('pre-migrating')
        down = frozenset({builders.DEST})
        for _tick in range(3):
            self.assert_asked(
                (), story, deaths.rebuilding(), record, down=down, after=20
            )

        self.assert_ended(story, 'failed', 'destination cmp02 is down')

    def test_it_takes_too_long(self):
        story = self.begin(server_timeout=60.0)
        story.tick(deaths.server())
        record = story.record('pre-migrating')
        story.tick(deaths.rebuilding(), record)
        self.assert_asked((), story, deaths.rebuilding(), record, after=60)

        self.assert_ended(story, 'moving', 'may still be running in Nova')
