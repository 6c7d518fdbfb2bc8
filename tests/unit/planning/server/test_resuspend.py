# SPDX-License-Identifier: Apache-2.0

"""What was resumed to be moved: it is found, and suspended again."""

import dataclasses

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import resuspend
from tests import unit
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


class TestRequireSuspend(base.ServerContextTestCase):
    def require(self, phase, *records, remembered=RESUMED, **kwargs):
        kwargs = {'policy': RESUME, 'view': base.THERE, **kwargs}
        records = records or (COMPLETED,)
        found = self.require_suspend(*records, remembered=remembered, **kwargs)
        self.assertIs(phase, found.phase)
        return found

    @unit.cases(RESUMED, FOUND)
    def test_suspended_after_its_move(self, remembered):
        found = self.require(Phase.MOVING, remembered=remembered)
        self.assertIs(ActionKind.SUSPEND, found.ask)
        self.assertEqual(builders.DEST, found.destination)
        self.assertEqual(COMPLETED, found.record)

    @unit.cases(base.record(), base.record(type=base.COLD, status='migrating'))
    def test_not_while_a_move_is_under_way(self, record):
        """Given up, but it goes on; the view of the server is an old one."""
        remembered = base.refused(
            *(ActionKind.ABORT, timing.END_TRIES),
            remembered=RESUMED,
            record_id=7,
        )
        found = self.require(
            *(Phase.FAILED, record),
            view=base.HERE,
            remembered=remembered,
            others_down={'cmp02': 0.0},
        )
        self.assertIsNone(found.ask)
        self.assertIn('it was SUSPENDED', found.reason)
        self.assertIn('--suspended resume', found.reason)
        self.assertIn('cmp02 is down', found.reason)

    def test_done_and_its_address_is_another(self):
        """It was asked to be suspended."""
        remembered = base.asked(ActionKind.SUSPEND, remembered=RESUMED)
        view = dataclasses.replace(ELSEWHERE, addresses=())
        found = self.require(Phase.FAILED, view=view, remembered=remembered)
        self.assertIn('fixed addresses', found.reason)

    @unit.cases('rebooting', 'suspending', 'deleting')
    def test_owner_changes_it_meanwhile(self, task):
        """Nova would answer 409: what comes of that is to be seen."""
        view = builders.server(host=builders.DEST, task_state=task)
        refused = base.refused(ActionKind.SUSPEND, remembered=RESUMED)
        for remembered in (RESUMED, refused):
            found = self.require(Phase.BUSY, view=view, remembered=remembered)
            self.assertIsNone(found.ask)
            self.assertTrue(found.visit)
            self.assertEqual(builders.DEST, found.destination)

    @unit.cases(
        (
            base.asked(ActionKind.SUSPEND, remembered=RESUMED),
            *('suspending', Phase.MOVING),
        ),
        (RESUMED, 'rebooting', Phase.BUSY),
    )
    def test_overdue(self, remembered, task, before):
        """--server-timeout: it is told that it runs."""
        policy = dataclasses.replace(RESUME, server_timeout=60.0)
        for under_way, phase in ((59.0, before), (60.0, Phase.FAILED)):
            found = self.require(
                phase,
                view=builders.server(host=builders.DEST, task_state=task),
                remembered=dataclasses.replace(
                    remembered, under_way_since=NOW - under_way
                ),
                policy=policy,
            )
            self.assertIs(phase is Phase.FAILED, found.given_up)
        self.assertIn('moved to cmp02, but left running', found.reason)
        self.assertIn('openstack server suspend vm1', found.reason)
        self.assertIn('longer than 60 s', found.reason)

    def test_overdue_where_its_cell_does_not_answer(self):
        """Whether it runs was not seen."""
        found = self.require(
            Phase.FAILED,
            remembered=dataclasses.replace(
                base.asked(ActionKind.SUSPEND, remembered=RESUMED),
                under_way_since=NOW - 60.0,
            ),
            policy=dataclasses.replace(RESUME, server_timeout=60.0),
            unseen={'vm1': NOW},
        )
        self.assertNotIn('left running', found.reason)
        self.assertIn('its cell does not answer', found.reason)
        self.assertIn('openstack server show vm1', found.reason)

    @unit.cases((timing.END_TRIES, False), (1, True))
    def test_fails_after_the_last_try(self, refusals, final):
        remembered = base.refused(
            *(ActionKind.SUSPEND, refusals),
            remembered=RESUMED,
            refused_at=NOW - 2,
            final=final,
        )
        found = self.require(Phase.FAILED, remembered=remembered)
        self.assertIn('moved to cmp02, but left running', found.reason)
        self.assertIn(base.REFUSAL, found.reason)
        self.assertEqual(builders.DEST, found.destination)
        self.assertEqual(COMPLETED, found.record)


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
    ON_ITS_WAY = {'servers': [base.MIGRATING], 'migrations': [base.record()]}
    ARRIVED = {'visited': [base.THERE], 'migrations': [COMPLETED]}
    SUSPENDING = {
        'visited': [dataclasses.replace(base.THERE, task_state='suspending')],
        'migrations': [COMPLETED],
    }
    UNSEEN = {'migrations': [COMPLETED]}

    @unit.cases(
        # how it looks; what is asked for
        ('RESUMING', {}),
        ('RUNNING', {'vm1': ActionKind.SUSPEND}),
        ('ON_ITS_WAY', {}),
        ('ARRIVED', {'vm1': ActionKind.SUSPEND}),
        ('SUSPENDING', {}),
    )
    def test_it_ends_suspended(self, look, asked):
        found = self.stopped(**getattr(self, look))
        self.assertEqual(asked, self.asks(found))
        self.assertFalse(found.done)
        self.assertIsNone(self.row(found).result)

    @unit.cases(
        # how it looks; what else is told, the result
        ('RESUMING', 'interrupted'),
        ('RUNNING', 'interrupted'),
        ('ON_ITS_WAY', 'still under way in Nova; interrupted', 'moving'),
        ('ARRIVED', 'moved to cmp02'),
        ('SUSPENDING', 'moved to cmp02'),
        ('UNSEEN', 'outcome of its move is not known; interrupted'),
    )
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


class TestHistory(unit.TestCase):
    """What a history says."""

    def found(self, *history):
        """Tell whether it is to be suspended again."""
        view = base.changed()
        seen = builders.observation([view], histories={'vm1': history})
        memory = builders.memory(
            builders.server_memory(view), suspects=frozenset({'vm1'})
        )
        operation = requested.operation(base.RESUME)
        found = resuspend.find_resumed(seen, operation, memory)
        self.assertEqual(set(), found.suspects)
        return found.servers['vm1'].found_resumed

    @unit.cases(
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
    def test_resume_in_the_history(self, actions, expected):
        history = [
            base.instance_action(action, seconds=60.0 + n)
            for n, action in enumerate(actions)
        ]
        self.assertIs(expected, self.found(*history))

    @unit.cases((0, True), (60, True), (-1, False))
    def test_only_during_this_maintenance(self, seconds, expected):
        resume = base.instance_action(seconds=seconds)
        self.assertIs(expected, self.found(resume))

    @unit.cases(
        # who resumed it, in which project; ours
        (base.US, base.OUR_PROJECT, True),
        (base.US, base.OWNERS_PROJECT, True),
        # Another operator's run.
        (base.OWNER, base.OUR_PROJECT, True),
        (base.OWNER, base.OWNERS_PROJECT, False),
    )
    def test_resume_by_operator_only(self, user, project, ours):
        resume = base.instance_action(user=user, project=project)
        self.assertIs(ours, self.found(resume))
