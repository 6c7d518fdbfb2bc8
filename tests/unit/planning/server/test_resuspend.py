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
ActionKind = memories.ActionKind
Phase = base.Phase
RESUME = policies.Policy(suspended=policies.Suspended.RESUME)
STOP = dataclasses.replace(RESUME, stop='interrupted')
ABANDON = dataclasses.replace(STOP, abandon='interrupted')
#: Resumed by this run, and by one before it.
RESUMED = base.asked(ActionKind.RESUME, base.SUSPENDED)
FOUND = builders.server_memory(base.SUSPENDED, found_resumed=True)
COMPLETED = base.record('completed')
ELSEWHERE = builders.server(status='SUSPENDED', host=builders.DEST)
FIRST = memories.HostMemory()


class ResuspendTestCase(base.ServerContextTestCase):
    def require_suspend(self, *records, policy=RESUME, **kwargs):
        kwargs.setdefault('remembered', RESUMED)
        return super().require_suspend(*records, policy=policy, **kwargs)

    def assert_suspend_due(self, assessed):
        self.assertIs(Phase.MOVING, assessed.phase)
        self.assertIs(ActionKind.SUSPEND, assessed.ask)


@ddt.ddt
class TestDue(ResuspendTestCase):
    @ddt.data(RESUMED, FOUND)
    def test_suspended_after_its_move(self, remembered):
        assessed = self.require_suspend(
            COMPLETED, view=base.THERE, remembered=remembered
        )

        self.assert_suspend_due(assessed)
        self.assertEqual(builders.DEST, assessed.destination)
        self.assertEqual(COMPLETED, assessed.record)

    @ddt.data(
        base.record(),
        base.record(type=base.COLD, status='migrating'),
    )
    def test_not_while_a_move_is_under_way(self, record):
        """Given up, but it goes on; the view of the server is an old one."""
        assessed = self.require_suspend(
            record,
            remembered=base.refused(
                ActionKind.ABORT,
                timing.END_TRIES,
                remembered=RESUMED,
                record_id=7,
            ),
            others_down={'cmp02': 0.0},
        )

        self.assertIs(Phase.FAILED, assessed.phase)
        self.assertIsNone(assessed.ask)
        self.assertIn('it was SUSPENDED', assessed.reason)
        self.assertIn('--suspended resume', assessed.reason)
        self.assertIn('cmp02 is down', assessed.reason)


@ddt.ddt
class TestAsked(ResuspendTestCase):
    """It was asked to be suspended."""

    def after(self, view=base.THERE, policy=RESUME, **request):
        remembered = base.asked(
            ActionKind.SUSPEND, remembered=RESUMED, **request
        )
        return self.require_suspend(
            COMPLETED, view=view, remembered=remembered, policy=policy
        )

    def test_done_and_its_address_is_another(self):
        assessed = self.after(dataclasses.replace(ELSEWHERE, addresses=()))

        self.assertIs(Phase.FAILED, assessed.phase)
        self.assertIn('fixed addresses', assessed.reason)

    @ddt.data('rebooting', 'suspending', 'deleting')
    def test_owner_changes_it_meanwhile(self, task):
        """Nova would answer 409: what comes of that is to be seen."""
        view = builders.server(host=builders.DEST, task_state=task)
        for remembered in (
            RESUMED,
            base.refused(ActionKind.SUSPEND, remembered=RESUMED),
        ):
            assessed = self.require_suspend(
                COMPLETED, view=view, remembered=remembered
            )

            self.assertIs(Phase.BUSY, assessed.phase)
            self.assertIsNone(assessed.ask)
            self.assertTrue(assessed.visit)
            self.assertEqual(builders.DEST, assessed.destination)


@ddt.ddt
class TestOverdue(ResuspendTestCase):
    """--server-timeout: it is told that it runs."""

    @ddt.data(
        (base.asked(ActionKind.SUSPEND, remembered=RESUMED), 'suspending'),
        (RESUMED, 'rebooting'),
    )
    @ddt.unpack
    def test_task(self, remembered, task):
        policy = dataclasses.replace(RESUME, server_timeout=60.0)
        for under_way, final in ((59.0, False), (60.0, True)):
            assessed = self.require_suspend(
                COMPLETED,
                view=builders.server(host=builders.DEST, task_state=task),
                remembered=dataclasses.replace(
                    remembered, under_way_since=NOW - under_way
                ),
                policy=policy,
            )

            self.assertIs(final, assessed.phase is Phase.FAILED)
            self.assertIs(final, assessed.given_up)
        self.assertIn('moved to cmp02, but left running', assessed.reason)
        self.assertIn('openstack server suspend vm1', assessed.reason)
        self.assertIn('longer than 60 s', assessed.reason)


@ddt.ddt
class TestRefused(ResuspendTestCase):
    def refused(self, refusals, view=base.THERE, **kwargs):
        request = {'final': kwargs.pop('final', False)}
        remembered = base.refused(
            ActionKind.SUSPEND,
            refusals,
            remembered=kwargs.pop('remembered', RESUMED),
            refused_at=NOW - 2,
            **request,
        )
        return self.require_suspend(
            COMPLETED, view=view, remembered=remembered, **kwargs
        )

    @ddt.data((timing.END_TRIES, False), (1, True))
    @ddt.unpack
    def test_fails_after_the_last_try(self, refusals, final):
        assessed = self.refused(refusals, final=final)

        self.assertIs(Phase.FAILED, assessed.phase)
        self.assertIn('moved to cmp02, but left running', assessed.reason)
        self.assertIn(base.REFUSAL, assessed.reason)
        self.assertEqual(builders.DEST, assessed.destination)
        self.assertEqual(COMPLETED, assessed.record)


@ddt.ddt
class TestStopped(base.DecideTestCase):
    """Interrupted in each step: what is owed is done, or told."""

    def stopped(self, remembered=RESUMED, policy=STOP, **observed):
        return self.decide(
            memory=builders.memory(remembered), policy=policy, **observed
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
        ('RUNNING', {'vm1': ActionKind.SUSPEND}),
        ('ON_ITS_WAY', {}),
        ('ARRIVED', {'vm1': ActionKind.SUSPEND}),
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
    def update(self, *servers, memory=FIRST, policy=base.RESUME, **observed):
        seen = builders.observation(servers, **observed)
        return host_memory.update(seen, requested.operation(policy), memory)


@ddt.ddt
class TestHistory(ResumedTestCase):
    """What a history says."""

    def found(self, *history, view=None, policy=base.RESUME):
        view = view or base.changed()
        memory = builders.memory(
            builders.server_memory(view), suspects=frozenset({'vm1'})
        )
        found = self.update(
            view,
            memory=memory,
            policy=policy,
            histories={'vm1': tuple(history)},
        )
        self.assertEqual(set(), found.suspects)
        return found.servers['vm1']

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
    def test_resume_in_the_history(self, actions, expected):
        history = [
            base.instance_action(action, seconds=60.0 + n)
            for n, action in enumerate(actions)
        ]

        self.assertIs(expected, self.found(*history).found_resumed)

    @ddt.data((0, True), (60, True), (-1, False))
    @ddt.unpack
    def test_only_during_this_maintenance(self, seconds, expected):
        remembered = self.found(base.instance_action(seconds=seconds))

        self.assertIs(expected, remembered.found_resumed)

    @ddt.data(
        # who resumed it, in which project; ours
        (base.US, base.OUR_PROJECT, True),
        (base.US, base.OWNERS_PROJECT, True),
        # Another operator's run.
        (base.OWNER, base.OUR_PROJECT, True),
        (base.OWNER, base.OWNERS_PROJECT, False),
    )
    @ddt.unpack
    def test_resume_by_operator_only(self, user, project, ours):
        remembered = self.found(
            base.instance_action(user=user, project=project)
        )

        self.assertIs(ours, remembered.found_resumed)
