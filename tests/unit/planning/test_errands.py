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

"""What Nova keeps no record of: resume, shelve, offload, confirm here."""

import dataclasses

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
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
    def test_due(self, kind):
        stand = self.step(kind)

        self.assertEqual(Phase.WAITING, stand.phase)
        self.assertIs(kind, stand.ask)
        self.assertEqual('', stand.reason)

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
    def test_patience_counts_by_the_look_at_the_server(self, kind):
        """Not by the time of day: nobody has looked since."""
        stand = self.step(kind, base.asked(kind), 1, now=base.ASKED + 3600)

        self.assertEqual(Phase.MOVING, stand.phase)
        self.assertTrue(stand.visit)

    @ddt.data(*STEPS)
    def test_in_the_end_it_has_failed(self, kind):
        track = base.asked(kind, taken=3)
        stand = self.step(kind, track, timing.EFFECT_WAIT_SECONDS)

        self.assertEqual(Phase.FAILED, stand.phase)
        self.assertIn('nothing came of it', stand.reason)
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

    @ddt.data(*STEPS)
    def test_another_kind_says_nothing_of_it(self, kind):
        others = [k for k in Kind if k is not kind]
        for other in set(others) - memories.RECORDED:
            stand = self.step(kind, base.asked(other, STEPS[kind][0]))

            self.assertIs(kind, stand.ask, other)


@ddt.ddt
class TestTasks(ErrandsTestCase):
    """Nova is at it: awaited for as long as that takes."""

    @ddt.data(
        # asked for; status and task state since
        (Kind.RESUME, 'SUSPENDED', 'resuming'),
        (Kind.SUSPEND, 'ACTIVE', 'suspending'),
        (Kind.SHELVE, 'SUSPENDED', 'shelving'),
        (Kind.SHELVE, 'SUSPENDED', 'shelving_image_pending_upload'),
        (Kind.SHELVE, 'SUSPENDED', 'shelving_image_uploading'),
        (Kind.OFFLOAD, 'SHELVED', 'shelving_offloading'),
        # By default Nova offloads what was shelved by itself.
        (Kind.SHELVE, 'SHELVED', 'shelving_offloading'),
    )
    @ddt.unpack
    def test_ours(self, kind, status, task):
        for waited in (1, 60, 3600):
            view = builders.server(status=status, task_state=task)
            stand = self.assert_phase(
                Phase.MOVING,
                view=view,
                track=base.asked(kind, base.SUSPENDED, asked_at=NOW - waited),
            )

            self.assertIs(kind, stand.pending)
            self.assertIsNone(stand.ask)

    @ddt.data(
        ('SUSPENDED', 'resuming'),
        ('ACTIVE', 'suspending'),
        ('SHELVED', 'shelving_offloading'),
        ('ACTIVE', 'shelving'),
    )
    @ddt.unpack
    def test_somebody_elses(self, status, task):
        stand = self.assert_phase(
            Phase.BUSY, view=builders.server(status=status, task_state=task)
        )

        self.assertIn(task, stand.reason)


@ddt.ddt
class TestOverdue(ErrandsTestCase):
    """--server-timeout holds for what has no record, too."""

    def overdue(self, view, track, under_way, **options):
        return self.stand(
            view=view,
            track=dataclasses.replace(track, under_way_since=NOW - under_way),
            policy=policies.Policy(server_timeout=60.0, **options),
        )

    @ddt.data(
        (Kind.RESUME, 'SUSPENDED', 'resuming', 'asked to resume'),
        (Kind.SUSPEND, 'ACTIVE', 'suspending', 'asked to suspend'),
        (Kind.SHELVE, 'SUSPENDED', 'shelving', 'asked to shelve'),
        (Kind.OFFLOAD, 'SHELVED', 'shelving_offloading', 'asked to offload'),
    )
    @ddt.unpack
    def test_what_was_asked_for(self, kind, status, task, words):
        view = builders.server(status=status, task_state=task)
        track = base.asked(kind, base.SUSPENDED)

        stand = self.overdue(view, track, 59.0)
        self.assertIs(Phase.MOVING, stand.phase)

        stand = self.overdue(view, track, 60.0)
        self.assertIs(Phase.FAILED, stand.phase)
        self.assertTrue(stand.given_up)
        self.assertIs(kind, stand.pending)
        self.assertIn('longer than 60 s', stand.reason)
        self.assertIn(words, stand.reason)

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

    def test_done_at_last_it_is_moved(self):
        stand = self.overdue(base.HERE, builders.track(), 3600.0)

        self.assertIs(Phase.WAITING, stand.phase)


@ddt.ddt
class TestPace(ErrandsTestCase):
    """A server without a record is looked at: often first, then less so."""

    @ddt.data(
        # seconds since the request, since the last look; look again
        (0.5, None, False),
        (1.0, None, True),
        (3.0, 0.5, False),
        (3.0, 1.0, True),
        # A fifth of the time it has taken so far.
        (30.0, 5.9, False),
        (30.0, 6.0, True),
        # But now and then whatever it takes.
        (3600.0, 9.9, False),
        (3600.0, 10.0, True),
    )
    @ddt.unpack
    def test_visits(self, waited, looked, expected):
        seen_at = NOW - (waited + 9 if looked is None else looked)
        stand = self.stand(
            view=builders.server(
                status='SUSPENDED', task_state='resuming', seen_at=seen_at
            ),
            track=base.asked(Kind.RESUME, asked_at=NOW - waited),
        )

        self.assertEqual(Phase.MOVING, stand.phase)
        self.assertIs(expected, stand.visit)

    @ddt.data((1.0, True), (9.0, True), (11.0, False), (3600.0, False))
    @ddt.unpack
    def test_soon(self, waited, expected):
        stand = self.stand(
            view=builders.server(status='SUSPENDED', task_state='resuming'),
            track=base.asked(Kind.RESUME, asked_at=NOW - waited),
        )

        self.assertIs(expected, stand.soon)


@ddt.ddt
class TestShelve(base.CaseTestCase):
    """--suspended shelve: it may take one step or two."""

    POLICY = policies.Policy(
        suspended=policies.Suspended.SHELVE, shelved=policies.Shelved.LEAVE
    )
    TRACK = base.asked(Kind.SHELVE, base.SUSPENDED)

    def test_nova_has_offloaded_it_itself(self):
        self.assert_phase(
            Phase.MOVED,
            view=builders.server(status='SHELVED_OFFLOADED'),
            track=self.TRACK,
            policy=self.POLICY,
        )

    def test_nova_leaves_it_to_us(self):
        """Whatever --shelved says: this one we have shelved."""
        stand = self.assert_phase(
            Phase.WAITING, view=SHELVED, track=self.TRACK, policy=self.POLICY
        )

        self.assertIs(Kind.OFFLOAD, stand.ask)
        self.assertIs(model.Move.SHELVE, stand.move)

    def test_what_others_have_shelved_is_left(self):
        self.assert_phase(Phase.BLOCKED, view=SHELVED, policy=self.POLICY)

    def test_deleted_meanwhile(self):
        self.assert_phase(Phase.GONE, view=base.DELETED, track=self.TRACK)

    def test_left_unseen(self):
        stand = self.assert_phase(
            Phase.SETTLING, view=base.LEFT, track=self.TRACK
        )

        self.assertTrue(stand.visit)

    def test_broken_by_it(self):
        self.assert_phase(
            Phase.BLOCKED,
            view=builders.server(status='ERROR'),
            track=self.TRACK,
            policy=self.POLICY,
        )


@ddt.ddt
class TestResumedAndBroken(base.CaseTestCase):
    """What we resumed and can't move any more is a failure, told so."""

    @ddt.data('ERROR', 'RESCUE', 'TOMORROW')
    def test_status(self, status):
        stand = self.assert_phase(
            Phase.FAILED,
            view=builders.server(status=status),
            track=base.asked(Kind.RESUME, base.SUSPENDED),
            policy=STEPS[Kind.RESUME][1],
        )

        self.assertIn('it was resumed to be moved', stand.reason)
