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

"""After its move a server is what it was, or that is a failure."""

import dataclasses

import ddt

from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from tests.unit import builders
from tests.unit.planning import base

Kind = memories.Kind
Phase = base.Phase


@ddt.ddt
class TestVerification(base.CaseTestCase):
    """After its move a server is what it was, or that is a failure."""

    def moved(self, before, **after):
        return self.stand(
            base.record('completed'),
            view=dataclasses.replace(base.THERE, **after),
            track=builders.track(before),
        )

    @ddt.data(
        # before, after, phase, words
        ('active', 'active', Phase.MOVED, ''),
        ('paused', 'paused', Phase.MOVED, ''),
        ('stopped', 'stopped', Phase.MOVED, ''),
        ('active', 'stopped', Phase.FAILED, 'was active and is stopped'),
        ('paused', 'active', Phase.FAILED, 'was paused and is active'),
        ('stopped', 'active', Phase.FAILED, 'was stopped and is active'),
        ('active', 'error', Phase.FAILED, 'was active and is error'),
        # First seen in the middle of a resize or a build.
        ('resized', 'active', Phase.MOVED, ''),
        ('building', 'active', Phase.MOVED, ''),
        # Its owner resizes it where it is now: that hides what it was.
        ('active', 'resized', Phase.MOVED, ''),
        ('stopped', 'resized', Phase.MOVED, ''),
    )
    @ddt.unpack
    def test_state(self, before, after, phase, words):
        stand = self.moved(builders.server(vm_state=before), vm_state=after)

        self.assertEqual(phase, stand.phase)
        self.assertIn(words, stand.reason)
        self.assertEqual(builders.DEST, stand.destination)

    def test_what_the_owner_does_meanwhile_is_no_failure(self):
        stand = self.moved(base.HERE, status='REBOOT', task_state='rebooting')

        self.assertEqual(Phase.MOVED, stand.phase)

    @ddt.data(
        (('10.0.0.5',), ('10.0.0.5',), ''),
        ((), ('10.0.0.5',), ''),
        (('10.0.0.5',), ('10.0.0.6',), 'were 10.0.0.5 and are 10.0.0.6'),
        (('10.0.0.5',), (), 'were 10.0.0.5 and are none'),
        (('10.0.0.5', 'fd00::5'), ('10.0.0.5',), '10.0.0.5, fd00::5 and are'),
    )
    @ddt.unpack
    def test_fixed_addresses(self, before, after, words):
        stand = self.moved(builders.server(addresses=before), addresses=after)

        self.assertEqual(Phase.FAILED if words else Phase.MOVED, stand.phase)
        self.assertIn(words, stand.reason)

    def test_both_values_of_every_difference_are_told(self):
        stand = self.moved(base.HERE, vm_state='stopped', addresses=())

        self.assertIn('was active and is stopped', stand.reason)
        self.assertIn('were 10.0.0.5 and are none', stand.reason)
        self.assertIn('moved to cmp02, but', stand.reason)


@ddt.ddt
class TestPrice(base.CaseTestCase):
    """What its owner noticed of a good move is told."""

    OR_COLD = policies.Policy(running=policies.Running.LIVE_OR_COLD)
    COLD = policies.Policy(running=policies.Running.COLD)

    def moved(self, track, policy, *earlier, **kwargs):
        stand = self.assert_phase(
            Phase.MOVED,
            *earlier,
            base.record('confirmed', 20, type=base.COLD),
            view=dataclasses.replace(
                base.THERE, vm_state=track.before.vm_state
            ),
            track=track,
            policy=policy,
            **kwargs,
        )
        return stand.reason

    def test_restarted_as_asked_for(self):
        track = base.asked(Kind.COLD_MIGRATE)

        self.assertEqual(
            'restarted: as asked for (--running cold)',
            self.moved(track, self.COLD),
        )

    def test_restarted_on_the_way_home(self):
        track = base.asked(Kind.COLD_MIGRATE)
        policy = dataclasses.replace(self.COLD, home=builders.DEST)

        self.assertEqual(
            'restarted: by its cold migration', self.moved(track, policy)
        )

    def test_restarted_because_it_was_refused(self):
        track = base.asked(Kind.COLD_MIGRATE, track=base.refused(final=True))

        self.assertEqual(
            f'restarted: {base.REFUSAL}', self.moved(track, self.OR_COLD)
        )

    def test_restarted_because_it_failed(self):
        failed = [base.record('error', n) for n in (7, 8, 9)]
        reason = self.moved(
            base.asked(Kind.COLD_MIGRATE),
            self.OR_COLD,
            *failed,
            failures={r.id: base.FAILURE for r in failed},
        )

        self.assertEqual(f'restarted: {base.FAILURE}', reason)

    def test_a_stopped_server_notices_nothing(self):
        stopped = builders.server(status='SHUTOFF')
        track = base.asked(Kind.COLD_MIGRATE, stopped)

        self.assertEqual('', self.moved(track, policies.Policy()))

    def test_of_a_move_that_was_not_ours_nothing_is_said(self):
        self.assertEqual('', self.moved(builders.track(), policies.Policy()))

    def test_live_migrated_it_notices_nothing(self):
        stand = self.assert_phase(
            Phase.MOVED,
            base.record('completed'),
            view=base.THERE,
            track=base.asked(),
        )

        self.assertEqual('', stand.reason)


class TestBroken(base.CaseTestCase):
    def test_in_error_it_is_not_called_moved(self):
        """Whatever it was: first seen in the middle of a resize."""
        stand = self.assert_phase(
            Phase.FAILED,
            base.record('completed'),
            view=builders.server(status='ERROR', host=builders.DEST),
            track=builders.track(builders.server(vm_state='resized')),
        )

        self.assertIn('moved to cmp02, but in ERROR there', stand.reason)
        self.assertIn('openstack server show vm1', stand.reason)


class TestOnNoHost(base.CaseTestCase):
    def test_offloaded(self):
        stand = self.assert_phase(
            Phase.MOVED,
            view=builders.server(status='SHELVED_OFFLOADED'),
            track=base.asked(Kind.SHELVE, base.SUSPENDED),
        )

        self.assertIn('SHELVED_OFFLOADED', stand.reason)
        self.assertIsNone(stand.destination)
