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
