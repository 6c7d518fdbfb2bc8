# SPDX-License-Identifier: Apache-2.0

"""What was resumed to be moved: it is found, and suspended again."""

import dataclasses
import unittest

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import memory as host_memory
from osc_hostmaint.planning.server import memory as memories
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
FIRST = memories.Memory()


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
            others_down={'cmp02': 0.0},
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
        self.assertIn('moved to cmp02, but left running', stand.reason)
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

    @ddt.data((timing.END_TRIES, False), (1, True))
    @ddt.unpack
    def test_in_the_end_it_has_failed(self, refusals, final):
        stand = self.refused(refusals, final=final)

        self.assertIs(Phase.FAILED, stand.phase)
        self.assertIn('moved to cmp02, but left running', stand.reason)
        self.assertIn(base.REFUSAL, stand.reason)
        self.assertEqual(builders.DEST, stand.destination)
        self.assertEqual(COMPLETED, stand.record)


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

    @ddt.data(
        # how it looks; what else is told, the result
        ('RESUMING', 'interrupted'),
        ('RUNNING', 'interrupted'),
        (
            'ON_ITS_WAY',
            'move is still under way in Nova; interrupted',
            'moving',
        ),
        ('ARRIVED', 'moved to cmp02'),
        ('SUSPENDING', 'moved to cmp02'),
        ('UNSEEN', 'outcome of its move is not known; interrupted'),
    )
    @ddt.unpack
    def test_abandoned_it_is_told(self, look, words, result='failed'):
        found = self.stopped(policy=ABANDON, **getattr(self, look))

        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertEqual({}, self.asks(found))
        row = self.row(found)
        self.assertEqual(result, row.result)
        self.assertIn('it was SUSPENDED', row.reason)
        self.assertIn('run this again with --suspended resume', row.reason)
        self.assertIn(words, row.reason)


class ResumedTestCase(unittest.TestCase):
    def take_in(self, *servers, memory=FIRST, policy=base.RESUME, **observed):
        seen = builders.observation(servers, **observed)
        return host_memory.take_in(seen, requested.operation(policy), memory)


@ddt.ddt
class TestHistory(ResumedTestCase):
    """What a history says."""

    def found(self, *history, view=None, policy=base.RESUME):
        view = view or base.changed()
        memory = builders.memory(
            builders.track(view), suspects=frozenset({'vm1'})
        )
        found = self.take_in(
            view,
            memory=memory,
            policy=policy,
            histories={'vm1': tuple(history)},
        )
        self.assertEqual(set(), found.suspects)
        return found.tracks['vm1']

    @ddt.data(
        # what was done since the maintenance began; is it to be suspended
        ((), False),
        (('resume',), True),
        (('suspend', 'resume'), True),
        (('resume', 'live-migration'), True),
        (('resume', 'live-migration', 'live_migration_cancel'), True),
        (('resume', 'lock', 'attach_volume', 'createImage'), True),
        # It is to run, or was suspended and more since.
        (('resume', 'stop', 'start'), False),
        (('resume', 'reboot'), False),
        # Nothing came of that: it runs.
        (('resume', 'suspend'), True),
        (('resume', 'suspend', 'suspend'), True),
        (('stop', 'start', 'suspend'), False),
        (('suspend',), False),
        (('resume', 'rebuild'), False),
        (('resume', 'a deed of tomorrow'), False),
        (('create',), False),
        (('live-migration',), False),
    )
    @ddt.unpack
    def test_deeds(self, actions, expected):
        history = [
            base.deed(action, seconds=60.0 + n)
            for n, action in enumerate(actions)
        ]

        self.assertIs(expected, self.found(*history).found_resumed)

    @ddt.data((0, True), (60, True), (-1, False))
    @ddt.unpack
    def test_only_during_this_maintenance(self, seconds, expected):
        track = self.found(base.deed(seconds=seconds))

        self.assertIs(expected, track.found_resumed)

    @ddt.data(
        # who resumed it, in which project; ours
        (base.US, base.OUR_PROJECT, True),
        (base.US, base.OWNERS_PROJECT, True),
        # Another operator's run.
        (base.OWNER, base.OUR_PROJECT, True),
        (base.OWNER, base.OWNERS_PROJECT, False),
    )
    @ddt.unpack
    def test_by_an_operator_and_not_by_its_owner(self, user, project, ours):
        track = self.found(base.deed(user=user, project=project))

        self.assertIs(ours, track.found_resumed)
