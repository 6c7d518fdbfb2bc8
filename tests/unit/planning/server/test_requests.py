# SPDX-License-Identifier: Apache-2.0

"""What was asked of Nova: tries, refusals, answers, what has no record."""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
ActionKind = memories.ActionKind
#: What Nova says of our pick at once: the second, of a cold migration, only
#: before Train.
NO_SUCH_HOST = 'Nova: Compute host cmp09 could not be found. (HTTP 400)'
NO_HOST = 'Nova: No valid host was found. (HTTP 400)'
Phase = base.Phase
Suspended = policies.Suspended
EFFECT_WAIT = timing.EFFECT_WAIT_SECONDS
SHELVED = builders.server(status='SHELVED')
#: What is asked for, of a server that looks so, with these options.
STEPS = {
    ActionKind.RESUME: (base.SUSPENDED, {'suspended': Suspended.RESUME}),
    ActionKind.SHELVE: (base.SUSPENDED, {'suspended': Suspended.SHELVE}),
    ActionKind.OFFLOAD: (SHELVED, {}),
    ActionKind.CONFIRM: (
        base.VERIFY_HERE,
        {'resized': policies.Resized.CONFIRM},
    ),
}


def failed(number, kind=base.LIVE, first=7):
    return [base.record('error', first + n, type=kind) for n in range(number)]


class TestTries(unit.TestCase):
    """How often a migration was tried, and whether that is enough."""

    @unit.cases(
        # failed in earlier runs, in this one, --retries; enough
        (0, 0, 0, False),
        (0, 1, 0, True),
        (0, 1, 1, False),
        (0, 2, 1, True),
        (0, 2, 2, False),
        (0, 3, 2, True),
        # A killed run does not get all its attempts back ...
        (1, 1, 2, False),
        (1, 2, 2, True),
        (2, 1, 2, True),
        # ... but each run has one: what was wrong may have been mended.
        (1, 0, 0, False),
        (9, 0, 2, False),
        (9, 1, 2, True),
    )
    def test_exhausted(self, earlier, tries, retries, expected):
        context = base.context(
            *failed(tries), earlier=failed(earlier, first=-10), retries=retries
        )
        self.assertIs(expected, context.exhausted(model.Move.LIVE))
        self.assertFalse(context.exhausted(model.Move.COLD))


def refused(reason=NO_SUCH_HOST, *, final=True):
    return memories.Outcome(memories.SendStatus.REFUSED, NOW, reason, final)


class TestAnswers(unit.TestCase):
    """What the answer to a request says of our pick."""

    def after(self, outcome, kind=ActionKind.LIVE_MIGRATE, **kwargs):
        memory = builders.memory(builders.server_memory())
        kwargs = {'host': 'cmp09', 'spread': True, **kwargs}
        action = memories.Action(kind, 'vm1', **kwargs)
        return memory.after(action, outcome, 6).servers['vm1']

    @unit.cases(
        (ActionKind.LIVE_MIGRATE, NO_SUCH_HOST, True),
        (ActionKind.COLD_MIGRATE, NO_SUCH_HOST, True),
        (ActionKind.COLD_MIGRATE, NO_HOST, False),
    )
    def test_there_is_no_such_host(self, kind, words, final):
        found = self.after(refused(words, final=final), kind=kind)
        self.assertIs(kind, found.host_rejected_for)
        request = found.request(kind)
        self.assertFalse(request.final)
        self.assertEqual((0, 1), (request.refusals, request.taken))
        self.assertEqual(words, request.refusal)

    @unit.cases(
        # Of the server: another pick would have had the same answer.
        (refused(base.REFUSAL), {}),
        (refused(base.REFUSAL, final=False), {}),
        (refused('Compute host cmp08 could not be found.'), {}),
        # The user's pick, and Nova's own.
        (refused(), {'spread': False}),
        (refused(), {'host': ''}),
        (refused(NO_HOST), {'spread': False}),
    )
    def test_another_refusal(self, outcome, given):
        found = self.after(outcome, **given)
        self.assertIsNone(found.host_rejected_for)
        request = found.request(ActionKind.LIVE_MIGRATE)
        self.assertEqual((1, 0), (request.refusals, request.taken))
        self.assertEqual(outcome.final, request.final)


def at(view, seconds):
    """Return a server as it was seen so long after ASKED."""
    return dataclasses.replace(view, seen_at=base.ASKED + seconds)


class TestStep(base.ServerContextTestCase):
    """Due, asked for, lost, refused: the same for each."""

    def step(self, phase, kind, remembered, seen_after=None):
        """Return where a server stands, as seen so long after the request."""
        view, options = STEPS[kind]
        known = {}
        if seen_after is not None:
            view = at(view, seen_after)
            known['now'] = view.seen_at
        return self.assert_phase(
            phase,
            view=view,
            remembered=remembered,
            policy=policies.Policy(**options),
            **known,
        )

    @unit.cases(*STEPS)
    def test_asked_for_it_is_awaited(self, kind):
        """The list is older than the request, and the next may be, too."""
        for seen_after in (-1, 0, 1, EFFECT_WAIT - 1):
            assessed = self.step(
                Phase.MOVING, kind, base.asked(kind), seen_after
            )
            self.assertEqual((kind, None), (assessed.pending, assessed.ask))
            late = seen_after == EFFECT_WAIT - 1
            self.assertIs(late, 'at most 30 s' in assessed.awaits)

    @unit.cases(*STEPS)
    def test_lost_it_is_asked_for_again(self, kind):
        for taken in (1, 2):
            remembered = base.asked(kind, taken=taken)
            assessed = self.step(Phase.WAITING, kind, remembered, EFFECT_WAIT)
            self.assertIs(kind, assessed.ask)

    @unit.cases(*STEPS)
    def test_fails_after_the_last_try(self, kind):
        for failure, words in (('', 'server event list vm1'), ('503', '503')):
            remembered = base.asked(kind, taken=3, failure=failure)
            assessed = self.step(Phase.FAILED, kind, remembered, EFFECT_WAIT)
            self.assertRegex(assessed.reason, f'it had no effect: .*{words}')
            self.assertNotIn('confirmation', assessed.reason)

    @unit.cases(*STEPS)
    def test_refused_it_is_looked_at_first(self, kind):
        remembered = base.refused(kind, refused_at=base.ASKED)

        assessed = self.step(Phase.SETTLING, kind, remembered, -1)
        self.assertTrue(assessed.visit)

        assessed = self.step(Phase.WAITING, kind, remembered, 1)
        self.assertIs(kind, assessed.ask)
        self.assertEqual(base.REFUSAL, assessed.reason)

    @unit.cases(*STEPS)
    def test_refused_again_and_again(self, kind):
        for refusals, phase in (
            (timing.END_TRIES - 1, Phase.WAITING),
            (timing.END_TRIES, Phase.BLOCKED),
        ):
            assessed = self.step(phase, kind, base.refused(kind, refusals))
            self.assertEqual(base.REFUSAL, assessed.reason)

    @unit.cases(
        (ActionKind.RESUME, Phase.BLOCKED),
        (ActionKind.SHELVE, Phase.BLOCKED),
        (ActionKind.OFFLOAD, Phase.BLOCKED),
        # "Not resized": it may be true for a moment only.
        (ActionKind.CONFIRM, Phase.WAITING),
    )
    def test_refused_for_good(self, kind, phase):
        assessed = self.step(phase, kind, base.refused(kind, final=True))
        self.assertEqual(base.REFUSAL, assessed.reason)


class TestOverdueRequests(base.ServerContextTestCase):
    """--server-timeout holds for what has no record, too."""

    @unit.cases(
        ('ACTIVE', 'rebooting'),
        ('BUILD', None),
        ('SUSPENDED', 'resuming'),
        ('MIGRATING', 'migrating'),
    )
    def test_task_of_others(self, status, task):
        for under_way, phase in ((59.0, Phase.BUSY), (60.0, Phase.BLOCKED)):
            assessed = self.assert_phase(
                phase,
                view=builders.server(status=status, task_state=task),
                remembered=builders.server_memory(
                    under_way_since=NOW - under_way
                ),
                policy=policies.Policy(server_timeout=60.0),
            )
        self.assertTrue(assessed.given_up)
        self.assertIn('longer than 60 s', assessed.reason)
        self.assertIn('openstack server event list vm1', assessed.reason)

    def test_offload_is_requested(self):
        """Whatever --shelved says: this one we have shelved."""
        assessed = self.assert_phase(
            Phase.WAITING,
            view=SHELVED,
            remembered=base.asked(ActionKind.SHELVE, base.SUSPENDED),
            policy=policies.Policy(
                suspended=Suspended.SHELVE, shelved=policies.Shelved.LEAVE
            ),
        )
        self.assertIs(ActionKind.OFFLOAD, assessed.ask)
        self.assertIs(model.Move.SHELVE, assessed.move)
