# SPDX-License-Identifier: Apache-2.0

"""What was asked of Nova: tries, refusals, answers, what has no record."""

import dataclasses
import unittest

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
#: What Nova says of our pick at once: the second, of a cold migration, only
#: before Train.
NO_SUCH_HOST = 'Nova: Compute host cmp09 could not be found. (HTTP 400)'
NO_HOST = 'Nova: No valid host was found. (HTTP 400)'
Phase = base.Phase
SHELVED = builders.server(status='SHELVED')
#: What is asked for, of a server that looks so, with these options.
STEPS = {
    Kind.RESUME: (
        base.SUSPENDED,
        policies.Policy(suspended=policies.Suspended.RESUME),
    ),
    Kind.SHELVE: (
        base.SUSPENDED,
        policies.Policy(suspended=policies.Suspended.SHELVE),
    ),
    Kind.OFFLOAD: (SHELVED, policies.Policy()),
    Kind.CONFIRM: (
        base.VERIFY_HERE,
        policies.Policy(resized=policies.Resized.CONFIRM),
    ),
}


def failed(number, kind=base.LIVE, first=7):
    """Return records of so many failed moves."""
    return [base.record('error', first + n, type=kind) for n in range(number)]


@ddt.ddt
class TestTries(unittest.TestCase):
    """How often a migration was tried, and whether that is enough."""

    @ddt.data(
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
    @ddt.unpack
    def test_exhausted(self, earlier, tries, retries, expected):
        case = base.case(
            *failed(tries),
            earlier=failed(earlier, first=-10),
            retries=retries,
        )

        self.assertIs(expected, case.exhausted(model.Move.LIVE))
        self.assertFalse(case.exhausted(model.Move.COLD))


def action(kind=Kind.LIVE_MIGRATE, **kwargs):
    """Return a move to our own pick."""
    return memories.Action(
        kind, 'vm1', **{'host': 'cmp09', 'spread': True, **kwargs}
    )


def picked(kind=Kind.LIVE_MIGRATE, track=None, **errand):
    """Return the track of a server that was sent to our own pick."""
    return base.asked(kind, track=track, host='cmp09', spread=True, **errand)


def declined(kind=Kind.LIVE_MIGRATE, **errand):
    """Return the track of one that Nova would not send there."""
    return dataclasses.replace(picked(kind, **errand), declined=kind)


def refusal(record_id=7, status='error', **kwargs):
    """Return the record of a move for which Nova found no host."""
    return base.record(status, record_id, **{'dest': None, **kwargs})


def refused(reason=NO_SUCH_HOST, at=NOW, *, final=True):
    """Return Nova's answer to a request that it refuses."""
    return memories.Outcome(memories.Answer.REFUSED, at, reason, final)


@ddt.ddt
class TestAnswers(unittest.TestCase):
    """What the answer to a request says of our pick."""

    def after(self, outcome, track=None, **kwargs):
        memory = builders.memory(track or builders.track())
        return memory.after(action(**kwargs), outcome, 6).tracks['vm1']

    @ddt.data(
        (Kind.LIVE_MIGRATE, NO_SUCH_HOST, True),
        (Kind.COLD_MIGRATE, NO_SUCH_HOST, True),
        (Kind.COLD_MIGRATE, NO_HOST, False),
    )
    @ddt.unpack
    def test_there_is_no_such_host(self, kind, words, final):
        found = self.after(refused(words, final=final), kind=kind)

        self.assertIs(kind, found.declined)
        errand = found.errand(kind)
        self.assertFalse(errand.final)
        self.assertEqual((0, 1), (errand.refusals, errand.taken))
        self.assertEqual(words, errand.refusal)

    @ddt.data(
        # Of the server: another pick would have had the same answer.
        (refused(base.REFUSAL), {}),
        (refused(base.REFUSAL, final=False), {}),
        (refused('Compute host cmp08 could not be found.'), {}),
        # The user's pick, and Nova's own.
        (refused(), {'spread': False}),
        (refused(), {'host': ''}),
        (refused(NO_HOST), {'spread': False}),
    )
    @ddt.unpack
    def test_another_refusal(self, outcome, given):
        found = self.after(outcome, **given)

        self.assertIsNone(found.declined)
        errand = found.errand(Kind.LIVE_MIGRATE)
        self.assertEqual((1, 0), (errand.refusals, errand.taken))
        self.assertEqual(outcome.final, errand.final)


def at(view, seconds):
    """Return a server as it was seen so long after ASKED."""
    return dataclasses.replace(view, seen_at=base.ASKED + seconds)


class ErrandsTestCase(base.CaseTestCase):
    def step(self, kind, track=None, seen_after=None, **kwargs):
        """Return where a server stands of which this is wanted.

        :param seen_after: seconds from the request to the look at it.
        """
        view, policy = STEPS[kind]
        if seen_after is not None:
            view = at(view, seen_after)
            kwargs.setdefault('now', view.seen_at)
        return self.stand(
            view=view,
            track=track or builders.track(view),
            policy=policy,
            **kwargs,
        )


@ddt.ddt
class TestStep(ErrandsTestCase):
    """Due, asked for, lost, refused: the same for each."""

    @ddt.data(*STEPS)
    def test_asked_for_it_is_awaited(self, kind):
        """The list is older than the request, and the next may be, too."""
        for seen_after in (-1, 0, 1, timing.EFFECT_WAIT_SECONDS - 1):
            stand = self.step(kind, base.asked(kind), seen_after)

            self.assertEqual(Phase.MOVING, stand.phase)
            self.assertIs(kind, stand.pending)
            self.assertIsNone(stand.ask)

    @ddt.data(*STEPS)
    def test_lost_it_is_asked_for_again(self, kind):
        for taken in (1, 2):
            track = base.asked(kind, taken=taken)
            stand = self.step(kind, track, timing.EFFECT_WAIT_SECONDS)

            self.assertEqual(Phase.WAITING, stand.phase)
            self.assertIs(kind, stand.ask)

    @ddt.data(*STEPS)
    def test_in_the_end_it_has_failed(self, kind):
        track = base.asked(kind, taken=3)
        stand = self.step(kind, track, timing.EFFECT_WAIT_SECONDS)

        self.assertEqual(Phase.FAILED, stand.phase)
        self.assertIn('had no effect', stand.reason)
        self.assertIn('openstack server event list vm1', stand.reason)
        self.assertNotIn('confirmation', stand.reason)

    @ddt.data(*STEPS)
    def test_refused_it_is_looked_at_first(self, kind):
        track = base.refused(kind, refused_at=base.ASKED)

        stand = self.step(kind, track, -1)
        self.assertEqual(Phase.SETTLING, stand.phase)
        self.assertTrue(stand.visit)

        stand = self.step(kind, track, 1)
        self.assertEqual(Phase.WAITING, stand.phase)
        self.assertIs(kind, stand.ask)
        self.assertEqual(base.REFUSAL, stand.reason)

    @ddt.data(*STEPS)
    def test_refused_again_and_again(self, kind):
        for refusals, phase in (
            (timing.END_TRIES - 1, Phase.WAITING),
            (timing.END_TRIES, Phase.BLOCKED),
        ):
            stand = self.step(kind, base.refused(kind, refusals))

            self.assertEqual(phase, stand.phase)
            self.assertEqual(base.REFUSAL, stand.reason)

    @ddt.data(
        (Kind.RESUME, Phase.BLOCKED),
        (Kind.SHELVE, Phase.BLOCKED),
        (Kind.OFFLOAD, Phase.BLOCKED),
        # "Not resized": it may be true for a moment only.
        (Kind.CONFIRM, Phase.WAITING),
    )
    @ddt.unpack
    def test_refused_for_good(self, kind, phase):
        stand = self.step(kind, base.refused(kind, final=True))

        self.assertEqual(phase, stand.phase)


@ddt.ddt
class TestOverdueErrands(ErrandsTestCase):
    """--server-timeout holds for what has no record, too."""

    def overdue(self, view, track, under_way, **options):
        return self.stand(
            view=view,
            track=dataclasses.replace(track, under_way_since=NOW - under_way),
            policy=policies.Policy(server_timeout=60.0, **options),
        )

    @ddt.data(
        ('ACTIVE', 'rebooting'),
        ('BUILD', None),
        ('SUSPENDED', 'resuming'),
        ('MIGRATING', 'migrating'),
    )
    @ddt.unpack
    def test_what_others_do(self, status, task):
        view = builders.server(status=status, task_state=task)

        stand = self.overdue(view, builders.track(), 59.0)
        self.assertIs(Phase.BUSY, stand.phase)

        stand = self.overdue(view, builders.track(), 60.0)
        self.assertIs(Phase.BLOCKED, stand.phase)
        self.assertTrue(stand.given_up)
        self.assertIn('longer than 60 s', stand.reason)
        self.assertIn('openstack server event list vm1', stand.reason)


class TestShelve(base.CaseTestCase):
    """--suspended shelve: it may take one step or two."""

    POLICY = policies.Policy(
        suspended=policies.Suspended.SHELVE, shelved=policies.Shelved.LEAVE
    )

    TRACK = base.asked(Kind.SHELVE, base.SUSPENDED)

    def test_nova_leaves_it_to_us(self):
        """Whatever --shelved says: this one we have shelved."""
        stand = self.assert_phase(
            Phase.WAITING, view=SHELVED, track=self.TRACK, policy=self.POLICY
        )

        self.assertIs(Kind.OFFLOAD, stand.ask)
        self.assertIs(model.Move.SHELVE, stand.move)
