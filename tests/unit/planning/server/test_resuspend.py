# SPDX-License-Identifier: Apache-2.0

"""What was resumed to be moved: it is found, and suspended again."""

import dataclasses

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import resuspend
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
HOST = builders.HOST
ActionKind = memories.ActionKind
Phase = base.Phase
RESUME = policies.Policy(suspended=policies.Suspended.RESUME)
LEAVE = policies.Policy()
SHELVE = policies.Policy(suspended=policies.Suspended.SHELVE)
STOP = dataclasses.replace(RESUME, stop=builders.INTERRUPTED)
ABANDON = dataclasses.replace(STOP, abandon=builders.INTERRUPTED)
#: Resumed by this run.
RESUMED = base.asked(ActionKind.RESUME, base.SUSPENDED)
COMPLETED = base.record('completed')
UNTAG_REFUSED = base.refused(
    ActionKind.UNTAG,
    remembered=builders.server_memory(builders.server(status='SHUTOFF')),
    refused_at=NOW - 2,
    final=True,
)
ELSEWHERE = builders.server(status='SUSPENDED', host=builders.DEST)


class TestRequireSuspend(base.ServerContextTestCase):
    def require(self, phase, *records, remembered=RESUMED, **kwargs):
        kwargs = {'policy': RESUME, 'view': base.THERE, **kwargs}
        records = records or (COMPLETED,)
        found = self.require_suspend(*records, remembered=remembered, **kwargs)
        self.assertIs(phase, found.phase)
        return found

    @unit.cases((RESUMED, base.THERE), (None, base.TAGGED_THERE))
    def test_suspended_after_its_move(self, remembered, view):
        """It was resumed by this run, or by another."""
        found = self.require(Phase.MOVING, remembered=remembered, view=view)
        self.assertIs(ActionKind.SUSPEND, found.ask)
        self.assertEqual(builders.DEST, found.destination)
        self.assertEqual(COMPLETED, found.record)

    @unit.cases(base.record(), base.record(type=base.COLD, status='migrating'))
    def test_not_while_a_move_is_under_way(self, record):
        """Given up, but it goes on; the view of the server is an old one."""
        found = self.require(
            *(Phase.FAILED, record),
            view=base.HERE,
            remembered=base.refused(
                *(ActionKind.ABORT, timing.END_TRIES),
                remembered=RESUMED,
                record_id=7,
            ),
            others_down={'cmp02': 0.0},
        )
        self.assertIsNone(found.ask)
        self.assertIn('it was SUSPENDED', found.reason)
        self.assertIn('cmp02 is down', found.reason)

    def test_done_and_its_address_is_another(self):
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
            *('suspending', Phase.MOVING, 'not suspended again yet'),
        ),
        (RESUMED, 'rebooting', Phase.BUSY, 'left running', 'server suspend'),
    )
    def test_overdue(self, remembered, task, before, *words):
        """--server-timeout: it is told that it runs, or may run."""
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
        for each in ('moved to cmp02, but', 'longer than 60 s', *words):
            self.assertIn(each, found.reason)
        self.assertEqual(words[1:] != (), 'server suspend' in found.reason)

    @unit.cases({'unseen': {'vm1': NOW}}, {'silent': HOST})
    def test_overdue_where_its_cell_does_not_answer(self, silence):
        found = self.require(
            Phase.FAILED,
            remembered=dataclasses.replace(
                base.asked(ActionKind.SUSPEND, remembered=RESUMED),
                under_way_since=NOW - 60.0,
            ),
            policy=dataclasses.replace(RESUME, server_timeout=60.0),
            **silence,
        )
        self.assertNotIn('left running', found.reason)
        self.assertIn('its cell does not answer', found.reason)
        self.assertIn('openstack server show vm1', found.reason)

    def test_its_cell_does_not_answer_any_more(self):
        tagged = dataclasses.replace(RESUMED, tag_tried_at=NOW)
        found = resuspend.require_suspend(
            base.context(remembered=tagged, view=None),
            server_status.ServerStatus(Phase.FAILED, 'no answer'),
        )
        self.assertIs(Phase.FAILED, found.phase)
        self.assertIn('to suspend it; no answer', found.reason)

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


class TestResumedByOthers(base.ServerContextTestCase):
    """Who resumed it may be about to move it."""

    EXCLUDE = policies.Policy(exclude=frozenset({'vm1'}))
    MOVED_BY_US = base.asked(before=base.SUSPENDED)

    @unit.cases(
        # where it is; with what; whether it is suspended at once
        (HOST, {'policy': EXCLUDE}, False),
        (HOST, {'policy': EXCLUDE, 'unchanged': 60.0}, True),
        (HOST, {'policy': EXCLUDE, 'remembered': RESUMED}, True),
        # It left before this run.
        (builders.DEST, {}, False),
        (builders.DEST, {'unchanged': 60.0}, True),
        (builders.DEST, {'records': (COMPLETED,)}, True),
        # They may try it again.
        (
            HOST,
            {
                'records': (base.record('error'),),
                'failures': {7: base.FAILURE},
                'remembered': MOVED_BY_US,
                'retries': 0,
            },
            False,
        ),
    )
    def test_left_to_them(self, host, options, at_once):
        options = {'nova_time': builders.SINCE, **options}
        changed = builders.cloud_time(-options.pop('unchanged', 59.0))
        view = builders.server(host=host, tagged=True, updated_at=changed)
        records = options.pop('records', ())
        for now in (NOW, NOW + 1):
            found = self.require_suspend(
                *records, view=view, now=now, **options
            )
            if at_once:
                self.assertIs(ActionKind.SUSPEND, found.ask)
                continue
            self.assertEqual((Phase.SETTLING, None), (found.phase, found.ask))
            self.assertEqual(('', NOW + 1), (found.reason, found.wake_at))
            self.assertIs(now > NOW, found.visit)
            self.assertIn('move or suspend them (at most 60 s)', found.awaits)


class TestRequireUntag(base.ServerContextTestCase):
    """It does not run, but has the tag."""

    def require(self, status='SUSPENDED', policy=RESUME, host=HOST, **kwargs):
        view = builders.server(status=status, host=host, tagged=True)
        view = dataclasses.replace(view, task_state=kwargs.pop('task', None))
        kwargs = {'remembered': builders.server_memory(view), **kwargs}
        return self.require_suspend(view=view, policy=policy, **kwargs)

    @unit.cases(
        # how it is, where; with which policy; what is asked for
        ('SUSPENDED', builders.DEST, RESUME, ActionKind.UNTAG),
        ('SHUTOFF', builders.DEST, RESUME, ActionKind.UNTAG),
        ('PAUSED', HOST, RESUME, ActionKind.UNTAG),
        # A run was killed before it resumed it: this one goes on.
        ('SUSPENDED', HOST, RESUME, ActionKind.RESUME),
        # Not any more, though.
        ('SUSPENDED', HOST, LEAVE, ActionKind.UNTAG),
        ('SUSPENDED', HOST, SHELVE, ActionKind.UNTAG),
        # Nova would answer 409.
        ('RESCUE', HOST, RESUME, None),
        ('ERROR', builders.DEST, RESUME, None),
    )
    def test_asked_for(self, status, host, policy, asked):
        self.assertIs(asked, self.require(status, policy, host).ask)

    def test_somebody_is_at_it(self):
        found = self.require(host=builders.DEST, task='resuming')
        self.assertEqual((Phase.BUSY, None), (found.phase, found.ask))

    @unit.cases(
        # with what; the reason
        ({'policy': ABANDON}, 'interrupted'),
        ({'remembered': UNTAG_REFUSED}, base.REFUSAL),
    )
    def test_it_remains(self, options, words):
        """It is moved all the same."""
        found = self.require('SHUTOFF', host=builders.DEST, **options)
        self.assertEqual((Phase.MOVED, None), (found.phase, found.ask))
        self.assertIn(f'osc-hostmaint:resumed ({words})', found.reason)
        self.assertIn('server unset --tag', found.reason)

    def test_resumed_by_its_owner_after_that(self):
        remembered = base.asked(
            ActionKind.UNTAG, remembered=RESUMED, asked_at=NOW - 2
        )
        found = self.require_suspend(
            view=base.THERE, remembered=remembered, policy=RESUME
        )
        self.assertIsNone(found.ask)


class TestTaggedAndNotResumed(base.DecideTestCase):
    """What was seen of it is older than its tag."""

    @unit.cases(
        (memories.SendStatus.POSTPONED, 'interrupted'),
        (memories.SendStatus.REFUSED, base.REFUSAL),
    )
    def test_looked_at_again(self, answer, words):
        memory = builders.memory(builders.server_memory(base.SUSPENDED)).after(
            memories.Action(ActionKind.RESUME, 'vm1'),
            memories.Outcome(answer, NOW + 1, base.REFUSAL, final=True),
            highest_id=0,
        )
        for seen_at, tagged, asked, result in (
            (NOW, False, {}, None),
            (NOW + 2, True, {'vm1': ActionKind.UNTAG}, None),
            (NOW + 2, False, {}, 'blocked'),
        ):
            view = dataclasses.replace(
                base.SUSPENDED, seen_at=seen_at, tagged=tagged
            )
            found = self.decide(
                memory=memory, policy=STOP, servers=[view], now=NOW + 9
            )
            self.assertEqual(asked, self.asks(found))
            self.assertIs(seen_at == NOW, 'vm1' in found.query.visit)
            self.assert_row(found, result)
        self.assertIn(words, self.row(found).reason)


class TestStopped(base.DecideTestCase):
    """Interrupted in each step: what is owed is done, or told."""

    def stopped(self, remembered=RESUMED, policy=STOP, **observed):
        return self.decide(
            memory=builders.memory(remembered), policy=policy, **observed
        )

    RUNNING = {'servers': [base.HERE]}
    _BUSY = {'task_state': 'resuming', 'tagged': True}
    RESUMING = {'servers': [builders.server(status='SUSPENDED', **_BUSY)]}
    ON_ITS_WAY = {'servers': [base.MIGRATING], 'migrations': [base.record()]}
    ARRIVED = {'visited': [base.THERE], 'migrations': [COMPLETED]}
    SUSPENDING = {
        'visited': [dataclasses.replace(base.THERE, task_state='suspending')],
        'migrations': [COMPLETED],
    }
    UNSEEN = {'migrations': [COMPLETED]}
    HIDDEN = {**ARRIVED, 'unseen': {'vm1': NOW}}
    HOST_HIDDEN = {**ARRIVED, 'silent': HOST}

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
        ('HIDDEN', 'suspend it; its cell does not answer'),
        ('HOST_HIDDEN', 'suspend it; its cell does not answer'),
    )
    def test_abandoned_it_is_told(self, look, words, result='failed'):
        found = self.stopped(policy=ABANDON, **getattr(self, look))
        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertEqual({}, self.asks(found))
        row = self.row(found)
        self.assertEqual(result, row.result)
        self.assertIn('it was SUSPENDED', row.reason)
        self.assertIn('run this again to suspend it', row.reason)
        self.assertIn(words, row.reason)
