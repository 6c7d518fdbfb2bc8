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

"""What the simulated Nova refuses, and how."""

import collections
import unittest

import ddt

from osc_hostmaint import exceptions
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import timeline
from tests.unit.simulation import world

Refusal = world.Refusal
STATES = (
    'active',
    'stopped',
    'paused',
    'suspended',
    'shelved',
    'shelved_offloaded',
    'rescued',
    'resized',
    'error',
    'soft-delete',
    'building',
)
#: NOVA-FACTS section 2.
TAKEN = {
    'live_migrate': {'active', 'paused'},
    'cold_migrate': {'active', 'stopped'},
    'resume': {'suspended'},
    'suspend': {'active'},
    'shelve': {'active', 'stopped', 'paused', 'suspended'},
    'offload': {'shelved'},
    'evacuate': {'active', 'stopped', 'error'},
}


@ddt.ddt
class StatesTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b'])

    def test_locked(self) -> None:
        server = self.cloud.add('a')
        self.cloud.lock(server.id)
        with self.assertRaisesRegex(exceptions.RequestRefused, 'locked'):
            self.cloud.stop(server.id)
        self.cloud.live_migrate(server.id)
        self.assertEqual('MIGRATING', server.status)


class RefusalsTestCase(unittest.TestCase):
    """What is set beforehand."""

    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b'])

    def test_each_to_its_kind(self) -> None:
        server = self.cloud.add(
            'a',
            'suspended',
            refusals=collections.deque(
                [
                    'not like this',
                    Refusal('never', final=True, kind='resume'),
                    Refusal('not now', kind='suspend'),
                ]
            ),
        )
        with self.assertRaisesRegex(
            exceptions.RequestRefused, 'never'
        ) as caught:
            self.cloud.resume(server.id)
        self.assertTrue(caught.exception.final)
        self.cloud.resume(server.id)
        self.cloud.timeline.run_until(timeline.START + 5)
        with self.assertRaisesRegex(exceptions.RequestRefused, 'not like'):
            self.cloud.live_migrate(server.id)
        with self.assertRaisesRegex(exceptions.RequestRefused, 'not now'):
            self.cloud.suspend(server.id)
        self.cloud.suspend(server.id)

    def test_a_refused_request_leaves_no_trace(self) -> None:
        server = self.cloud.add('a', refusals=collections.deque(['no']))
        deeds = list(server.deeds)
        with self.assertRaises(exceptions.RequestRefused):
            self.cloud.live_migrate(server.id)
        self.assertEqual(deeds, server.deeds)
        self.assertEqual([], self.cloud.works)
