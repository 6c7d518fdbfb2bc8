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

"""What leaves no migration record: resume, suspend, shelve, offload."""

import collections
import unittest

import ddt

from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import timeline
from tests.unit.simulation import world

Effect = world.Effect


def statuses(cloud: clouds.Cloud, server: world.Server) -> list[str]:
    """Let everything happen; return how a server changed."""
    seen = ['']
    while cloud.timeline.run_next():
        line = f'{server.status}, {server.task_state} on {server.host}'
        if line != seen[-1]:
            seen.append(line)
    return seen[1:]


@ddt.ddt
class TasksTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b'])

    @ddt.data(
        ('resume', 'suspended', 'SUSPENDED, resuming', 'ACTIVE'),
        ('suspend', 'active', 'ACTIVE, suspending', 'SUSPENDED'),
        ('pause', 'active', 'ACTIVE, pausing', 'PAUSED'),
        ('unpause', 'paused', 'PAUSED, unpausing', 'ACTIVE'),
        ('stop', 'active', 'ACTIVE, powering-off', 'SHUTOFF'),
        ('start_server', 'stopped', 'SHUTOFF, powering-on', 'ACTIVE'),
        ('reboot', 'active', 'REBOOT, rebooting', 'ACTIVE'),
        ('soft_delete', 'error', 'ERROR, soft-deleting', 'SOFT_DELETED'),
    )
    @ddt.unpack
    def test_plain(
        self, method: str, vm_state: str, busy: str, after: str
    ) -> None:
        server = self.cloud.add('a', vm_state)
        getattr(self.cloud, method)(server.id)
        self.assertEqual(
            [f'{busy} on a', f'{after}, None on a'],
            statuses(self.cloud, server),
        )

    @ddt.data(
        (Effect.NOTHING, 'SUSPENDED, None on a'),
        (Effect.ERROR, 'ERROR, None on a'),
        (Effect.HANGS, 'SUSPENDED, resuming on a'),
    )
    @ddt.unpack
    def test_effects(self, effect: Effect, after: str) -> None:
        effects = {'resume': collections.deque([effect])}
        server = self.cloud.add('a', 'suspended', effects=effects)
        self.cloud.resume(server.id)
        self.assertEqual(after, statuses(self.cloud, server)[-1])
        self.assertIsNot(True, server.work.well)

    def test_the_next_one_goes_well(self) -> None:
        effects = {'resume': collections.deque([Effect.NOTHING])}
        server = self.cloud.add('a', 'suspended', effects=effects)
        for status in ('SUSPENDED', 'ACTIVE'):
            self.cloud.resume(server.id)
            statuses(self.cloud, server)
            self.assertEqual(status, server.status)


class ShelveTestCase(unittest.TestCase):
    def shelve(self, offload: int, **values: object) -> list[str]:
        self.cloud = clouds.Cloud(['a', 'b'], shelved_offload_time=offload)
        self.server = self.cloud.add('a', 'suspended', **values)
        self.cloud.shelve(self.server.id)
        return statuses(self.cloud, self.server)

    def test_offloaded_at_once(self) -> None:
        self.assertEqual(
            [
                'SUSPENDED, shelving on a',
                'SUSPENDED, shelving_image_pending_upload on a',
                'SUSPENDED, shelving_image_uploading on a',
                'SHELVED, shelving_offloading on a',
                'SHELVED_OFFLOADED, None on a',
                'SHELVED_OFFLOADED, None on None',
            ],
            self.shelve(0),
        )
        self.assertEqual(set(), self.cloud.allocations[self.server.id].keys())

    def test_never_offloaded(self) -> None:
        self.assertEqual('SHELVED, None on a', self.shelve(-1)[-1])
        self.assertEqual({'a'}, self.cloud.allocations[self.server.id].keys())

    def test_offloaded_by_request(self) -> None:
        self.shelve(-1)
        self.cloud.offload(self.server.id)
        self.assertEqual(
            [
                'SHELVED, shelving_offloading on a',
                'SHELVED_OFFLOADED, None on a',
                'SHELVED_OFFLOADED, None on None',
            ],
            statuses(self.cloud, self.server),
        )

    def test_offloaded_after_a_while(self) -> None:
        began = timeline.START
        self.assertEqual(
            'SHELVED_OFFLOADED, None on None', self.shelve(60)[-1]
        )
        self.assertGreater(self.cloud.timeline.now - began, 60)

    def test_of_a_volume_there_is_no_image(self) -> None:
        self.assertEqual(
            [
                'SUSPENDED, shelving on a',
                'SHELVED_OFFLOADED, None on a',
                'SHELVED_OFFLOADED, None on None',
            ],
            self.shelve(-1, volume_backed=True),
        )

    def test_nothing_comes_of_it(self) -> None:
        effects = {'shelve': collections.deque([Effect.NOTHING])}
        self.assertEqual(
            'SUSPENDED, None on a', self.shelve(0, effects=effects)[-1]
        )


class WantedTestCase(unittest.TestCase):
    """What others than a drain last brought a server to."""

    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b'])
        self.operator = world.operator()

    def test_what_its_owner_does(self) -> None:
        server = self.cloud.add('a')
        self.cloud.stop(server.id)
        statuses(self.cloud, server)
        self.assertEqual('stopped', server.wanted)

    def test_what_a_drain_does(self) -> None:
        server = self.cloud.add('a', 'suspended')
        self.cloud.resume(server.id, self.operator)
        statuses(self.cloud, server)
        self.assertEqual('ACTIVE', server.status)
        self.assertEqual('suspended', server.wanted)

    def test_what_does_not_change_a_state(self) -> None:
        server = self.cloud.add('a', 'suspended')
        self.cloud.resume(server.id, self.operator)
        statuses(self.cloud, server)
        self.cloud.reboot(server.id)
        statuses(self.cloud, server)
        self.assertEqual('suspended', server.wanted)
