#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Suspending again what was resumed to be moved, wherever it ended up."""

import dataclasses

import ddt

from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import owing
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
Phase = base.Phase
RESUME = policies.Policy(suspended=policies.Suspended.RESUME)
STOP = dataclasses.replace(RESUME, stop='interrupted')
ABANDON = dataclasses.replace(STOP, abandon='interrupted')

#: Resumed by this run, and by one before it.
RESUMED = base.asked(Kind.RESUME, base.SUSPENDED)
FOUND = builders.track(base.SUSPENDED, found_resumed=True)
COMPLETED = base.record('completed')
ELSEWHERE = builders.server(status='SUSPENDED', host=builders.DEST)


class OwingTestCase(base.CaseTestCase):
    def settle(self, *records, policy=RESUME, **kwargs):
        kwargs.setdefault('track', RESUMED)
        return super().settle(*records, policy=policy, **kwargs)

    def assert_owed(self, stand):
        self.assertIs(Phase.MOVING, stand.phase)
        self.assertIs(Kind.SUSPEND, stand.ask)


@ddt.ddt
class TestDue(OwingTestCase):
    @ddt.data(RESUMED, FOUND)
    def test_after_its_move(self, track):
        stand = self.settle(COMPLETED, view=base.THERE, track=track)

        self.assert_owed(stand)
        self.assertEqual(builders.DEST, stand.destination)
        self.assertEqual(COMPLETED, stand.record)

    @ddt.data(RESUMED, FOUND)
    def test_where_no_move_went_well(self, track):
        for known in (
            {'track': base.refused(times=3, track=track)},
            {'track': base.refused(final=True, track=track)},
        ):
            self.assert_owed(self.settle(**known))

        failed = base.record('error', seen_at=NOW - 100)
        policy = dataclasses.replace(RESUME, retries=0)
        stand = self.settle(
            failed, failures={7: base.FAILURE}, policy=policy, track=track
        )
        self.assert_owed(stand)

    def test_not_before_the_last_attempt(self):
        """Meanwhile it waits for the next one, running."""
        failed = base.record('error', seen_at=NOW - 100)
        stand = self.settle(failed, failures={7: base.FAILURE})

        self.assertIs(Phase.WAITING, stand.phase)
        self.assertIs(Kind.LIVE_MIGRATE, stand.ask)

    @ddt.data(*sorted(set(Phase) - standing.FINAL))
    def test_not_while_anything_is_open(self, phase):
        stand = standing.Standing(phase)
        found = owing.settle(base.case(track=RESUMED), stand)

        self.assertEqual(stand, found)

    @ddt.data(
        builders.track(),
        builders.track(base.SUSPENDED),
        base.refused(Kind.RESUME, before=base.SUSPENDED),
        base.asked(Kind.RESUME, base.HERE),
    )
    def test_not_what_we_did_not_resume(self, track):
        stand = self.settle(COMPLETED, view=base.THERE, track=track)

        self.assertIn(stand.phase, standing.FINAL)
        self.assertIsNone(stand.ask)

    @ddt.data('SUSPENDED', 'SHUTOFF', 'PAUSED', 'ERROR')
    def test_not_what_does_not_run(self, status):
        view = builders.server(status=status, host=builders.DEST)
        stand = self.settle(COMPLETED, view=view)

        self.assertIsNone(stand.ask)
        self.assertIn(stand.phase, standing.FINAL)

    def test_deleted_meanwhile(self):
        stand = self.settle(COMPLETED, view=base.DELETED)

        self.assertIs(Phase.GONE, stand.phase)

    @ddt.data(
        base.record(),
        base.record(type=base.COLD, status='migrating'),
    )
    def test_not_while_a_move_is_under_way(self, record):
        """Given up, but it goes on; the view of the server is an old one."""
        stand = self.settle(
            record,
            track=base.refused(
                Kind.ABORT, timing.END_TRIES, track=RESUMED, record_id=7
            ),
            destination_down_since=0.0,
        )

        self.assertIs(Phase.FAILED, stand.phase)
        self.assertIsNone(stand.ask)
        self.assertIn('it was SUSPENDED', stand.reason)
        self.assertIn('--suspended resume', stand.reason)
        self.assertIn('cmp02 is down', stand.reason)


@ddt.ddt
class TestAsked(OwingTestCase):
    """It was asked to be suspended."""

    def after(self, view=base.THERE, policy=RESUME, **errand):
        track = base.asked(Kind.SUSPEND, track=RESUMED, **errand)
        return self.settle(COMPLETED, view=view, track=track, policy=policy)

    def test_it_is_awaited(self):
        stand = self.after()

        self.assertIs(Phase.MOVING, stand.phase)
        self.assertIs(Kind.SUSPEND, stand.pending)
        self.assertIsNone(stand.ask)
        self.assertEqual(builders.DEST, stand.destination)

    @ddt.data(1, 60, 3600)
    def test_a_long_suspend_is_awaited(self, waited):
        """All its memory is written to a disk."""
        view = builders.server(host=builders.DEST, task_state='suspending')
        stand = self.after(view, asked_at=NOW - waited, taken=3)

        self.assertIs(Phase.MOVING, stand.phase)
        self.assertIs(Kind.SUSPEND, stand.pending)
        self.assertIsNone(stand.ask)

    def test_lost_it_is_asked_for_again(self):
        self.assert_owed(
            self.after(asked_at=NOW - timing.EFFECT_WAIT_SECONDS, taken=1)
        )

    def test_lost_too_often(self):
        stand = self.after(asked_at=NOW - timing.EFFECT_WAIT_SECONDS, taken=3)

        self.assertIs(Phase.FAILED, stand.phase)
        self.assertIn('moved to cmp02, but it was SUSPENDED', stand.reason)
        self.assertIn('openstack server suspend vm1', stand.reason)
        self.assertEqual(builders.DEST, stand.destination)

    def test_done(self):
        stand = self.after(ELSEWHERE)

        self.assertIs(Phase.MOVED, stand.phase)
        self.assertEqual(builders.DEST, stand.destination)
        self.assertEqual('', stand.reason)

    def test_done_on_the_source(self):
        """Refused for good, and as it was: told why it is left."""
        track = base.asked(
            Kind.SUSPEND, track=base.refused(final=True, track=RESUMED)
        )
        stand = self.settle(view=base.SUSPENDED, track=track)

        self.assertIs(Phase.BLOCKED, stand.phase)
        self.assertEqual(base.REFUSAL, stand.reason)

    def test_done_and_its_address_is_another(self):
        stand = self.after(dataclasses.replace(ELSEWHERE, addresses=()))

        self.assertIs(Phase.FAILED, stand.phase)
        self.assertIn('fixed addresses', stand.reason)

    @ddt.data('rebooting', 'suspending', 'deleting')
    def test_its_owner_is_at_it(self, task):
        """Nova would answer 409: what comes of that is to be seen."""
        view = builders.server(host=builders.DEST, task_state=task)
        for track in (RESUMED, base.refused(Kind.SUSPEND, track=RESUMED)):
            stand = self.settle(COMPLETED, view=view, track=track)

            self.assertIs(Phase.BUSY, stand.phase)
            self.assertIsNone(stand.ask)
            self.assertTrue(stand.visit)
            self.assertEqual(builders.DEST, stand.destination)


@ddt.ddt
class TestOverdue(OwingTestCase):
    """--server-timeout: it is told that it runs."""

    @ddt.data(
        (base.asked(Kind.SUSPEND, track=RESUMED), 'suspending'),
        (RESUMED, 'rebooting'),
    )
    @ddt.unpack
    def test_task(self, track, task):
        policy = dataclasses.replace(RESUME, server_timeout=60.0)
        for under_way, final in ((59.0, False), (60.0, True)):
            stand = self.settle(
                COMPLETED,
                view=builders.server(host=builders.DEST, task_state=task),
                track=dataclasses.replace(
                    track, under_way_since=NOW - under_way
                ),
                policy=policy,
            )

            self.assertIs(final, stand.phase is Phase.FAILED)
            self.assertIs(final, stand.given_up)
        self.assertIn('moved to cmp02, but it was SUSPENDED', stand.reason)
        self.assertIn('openstack server suspend vm1', stand.reason)
        self.assertIn('longer than 60 s', stand.reason)


@ddt.ddt
class TestRefused(OwingTestCase):
    def refused(self, refusals, view=base.THERE, **kwargs):
        errand = {'final': kwargs.pop('final', False)}
        track = base.refused(
            Kind.SUSPEND,
            refusals,
            track=kwargs.pop('track', RESUMED),
            refused_at=NOW - 2,
            **errand,
        )
        return self.settle(COMPLETED, view=view, track=track, **kwargs)

    def test_it_is_asked_for_again(self):
        self.assert_owed(self.refused(timing.END_TRIES - 1))

    def test_it_is_looked_at_first(self):
        before = builders.server(host=builders.DEST, seen_at=NOW - 3)
        stand = self.refused(1, before)

        self.assertIs(Phase.SETTLING, stand.phase)
        self.assertTrue(stand.visit)

    @ddt.data((timing.END_TRIES, False), (1, True))
    @ddt.unpack
    def test_in_the_end_it_has_failed(self, refusals, final):
        stand = self.refused(refusals, final=final)

        self.assertIs(Phase.FAILED, stand.phase)
        self.assertIn('moved to cmp02, but it was SUSPENDED', stand.reason)
        self.assertIn(base.REFUSAL, stand.reason)
        self.assertEqual(builders.DEST, stand.destination)
        self.assertEqual(COMPLETED, stand.record)

    def test_on_the_source(self):
        track = base.refused(
            Kind.SUSPEND,
            timing.END_TRIES,
            track=base.refused(final=True, track=RESUMED),
        )
        stand = self.settle(track=track)

        self.assertIs(Phase.FAILED, stand.phase)
        self.assertTrue(stand.reason.startswith('it was SUSPENDED'))


@ddt.ddt
class TestStopped(base.DecideTestCase):
    """Interrupted in each step: what is owed is done, or told."""

    def stopped(self, track=RESUMED, policy=STOP, **observed):
        return self.decide(
            memory=builders.memory(track), policy=policy, **observed
        )

    RUNNING = {'servers': [base.HERE]}
    RESUMING = {
        'servers': [builders.server(status='SUSPENDED', task_state='resuming')]
    }
    ON_ITS_WAY = {
        'servers': [base.MIGRATING],
        'migrations': [base.record()],
    }
    ARRIVED = {'visited': [base.THERE], 'migrations': [COMPLETED]}
    SUSPENDING = {
        'visited': [
            builders.server(host=builders.DEST, task_state='suspending')
        ],
        'migrations': [COMPLETED],
    }

    UNSEEN = {'migrations': [COMPLETED]}

    @ddt.data(
        # how it looks; what is asked for
        ('RESUMING', {}),
        ('RUNNING', {'vm1': Kind.SUSPEND}),
        ('ON_ITS_WAY', {}),
        ('ARRIVED', {'vm1': Kind.SUSPEND}),
        ('SUSPENDING', {}),
    )
    @ddt.unpack
    def test_it_ends_suspended(self, look, asked):
        found = self.stopped(**getattr(self, look))

        self.assertEqual(asked, self.asks(found))
        self.assertFalse(found.done)
        self.assertIsNone(self.row(found).result)

    def test_what_is_still_suspended_is_left_so(self):
        found = self.stopped(
            builders.track(base.SUSPENDED), servers=[base.SUSPENDED]
        )

        self.assertEqual({}, self.asks(found))
        self.assertEqual('blocked', self.row(found).result)
        self.assertEqual('interrupted', self.row(found).reason)

    @ddt.data(
        # how it looks; what else is told
        ('RESUMING', 'interrupted'),
        ('RUNNING', 'interrupted'),
        ('ON_ITS_WAY', 'its move is under way in Nova; interrupted'),
        ('ARRIVED', 'moved to cmp02'),
        ('SUSPENDING', 'moved to cmp02'),
        ('UNSEEN', 'was not seen any more; interrupted'),
    )
    @ddt.unpack
    def test_abandoned_it_is_told(self, look, words):
        found = self.stopped(policy=ABANDON, **getattr(self, look))

        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertEqual({}, self.asks(found))
        row = self.row(found)
        self.assertEqual('failed', row.result)
        self.assertIn('it was SUSPENDED', row.reason)
        self.assertIn('run this again with --suspended resume', row.reason)
        self.assertIn(words, row.reason)

    def test_abandoned_after_it_was_suspended(self):
        found = self.stopped(
            base.asked(Kind.SUSPEND, track=RESUMED),
            ABANDON,
            visited=[ELSEWHERE],
            migrations=[COMPLETED],
        )

        self.assertEqual('moved', self.row(found).result)

    def test_somebody_has_put_the_host_back_into_service(self):
        found = self.stopped(
            policy=RESUME,
            service=builders.service(enabled=True),
            servers=[base.HERE],
        )

        self.assertEqual({'vm1': Kind.SUSPEND}, self.asks(found))

    def test_the_hosts_compute_service_is_down(self):
        """Nobody is there to suspend it."""
        found = self.decide(
            memory=builders.memory(RESUMED, down_since=0.0),
            policy=RESUME,
            service=builders.service(up=False),
            servers=[base.HERE],
        )

        self.assertTrue(found.done)
        self.assertIn('it was SUSPENDED', self.row(found).reason)
        self.assertIn('is down', self.row(found).reason)
