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
from tests.unit.simulation import admission
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

    @ddt.data(*TAKEN)
    def test_states(self, method: str) -> None:
        request = getattr(self.cloud, method)
        if method == 'evacuate':
            self.cloud.force_down('a')
        for vm_state in STATES:
            with self.subTest(vm_state):
                server = self.cloud.add('a', vm_state)
                if vm_state in TAKEN[method]:
                    request(server.id)
                    self.assertIsNotNone(server.task_state)
                    continue
                with self.assertRaisesRegex(
                    exceptions.RequestRefused, f'vm_state {vm_state}'
                ) as caught:
                    request(server.id)
                self.assertFalse(caught.exception.final)

    @ddt.data(*sorted(TAKEN.keys() - {'evacuate'}))
    def test_busy(self, method: str) -> None:
        for vm_state in TAKEN[method]:
            server = self.cloud.add('a', vm_state, task_state='powering-off')
            with self.assertRaisesRegex(
                exceptions.RequestRefused, 'task_state powering-off'
            ):
                getattr(self.cloud, method)(server.id)

    @ddt.data(*admission.STATES)
    def test_deleted(self, method: str) -> None:
        server = self.cloud.add('a')
        self.cloud.delete(server.id)
        method = 'start_server' if method == 'start' else method
        with self.assertRaises(exceptions.NotFound):
            getattr(self.cloud, method)(server.id)

    def test_an_evacuation_of_a_busy_server(self) -> None:
        self.cloud.force_down('a')
        for vm_state in sorted(TAKEN['evacuate']):
            server = self.cloud.add('a', vm_state, task_state='powering-off')
            self.cloud.evacuate(server.id)
            self.assertEqual('REBUILD', server.status)

    def test_two_at_once(self) -> None:
        server = self.cloud.add('a')
        self.cloud.live_migrate(server.id)
        with self.assertRaisesRegex(
            exceptions.RequestRefused, 'task_state migrating'
        ):
            self.cloud.cold_migrate(server.id)

    def test_nothing_to_confirm(self) -> None:
        server = self.cloud.add('a', 'resized')
        with self.assertRaisesRegex(
            exceptions.RequestRefused, 'not been resized'
        ):
            self.cloud.confirm(server.id)

    def test_locked(self) -> None:
        server = self.cloud.add('a')
        self.cloud.lock(server.id)
        with self.assertRaisesRegex(exceptions.RequestRefused, 'locked'):
            self.cloud.stop(server.id)
        self.cloud.live_migrate(server.id)
        self.assertEqual('MIGRATING', server.status)

    def test_unlocked(self) -> None:
        server = self.cloud.add('a', locked=True)
        self.cloud.unlock(server.id)
        self.cloud.stop(server.id)
        self.assertEqual('powering-off', server.task_state)


@ddt.ddt
class DestinationTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b'])
        self.server = self.cloud.add('a')

    @ddt.data(
        ('live_migrate', 'nowhere'),
        ('cold_migrate', 'nowhere'),
        ('cold_migrate', 'a'),
    )
    @ddt.unpack
    def test_refused_for_good(self, method: str, host: str) -> None:
        with self.assertRaises(exceptions.RequestRefused) as caught:
            getattr(self.cloud, method)(self.server.id, host=host)
        self.assertTrue(caught.exception.final)
        self.assertIsNone(self.server.task_state)

    def test_a_source_that_is_down(self) -> None:
        self.cloud.crash('a')
        self.cloud.timeline.run_until(timeline.START + 70)
        with self.assertRaisesRegex(
            exceptions.RequestRefused, 'unavailable'
        ) as caught:
            self.cloud.cold_migrate(self.server.id)
        self.assertFalse(caught.exception.final)
        self.cloud.live_migrate(self.server.id)
        self.cloud.timeline.run_until(timeline.START + 80)
        self.assertEqual('error', self.cloud.records[1].status)
        self.assertEqual('ACTIVE', self.server.status)


class EndsTestCase(unittest.TestCase):
    """Aborts and forced completions."""

    def setUp(self) -> None:
        timing = world.Timing(record=1, schedule=1, queue=2, prepare=5)
        self.cloud = clouds.Cloud(['a', 'b'], timing=timing)
        self.server = self.cloud.add('a')
        self.cloud.live_migrate(self.server.id)

    def until(self, status: str) -> None:
        while not (
            1 in self.cloud.records and self.cloud.records[1].status == status
        ):
            self.assertTrue(self.cloud.timeline.run_next(), status)

    def refused(self, method: str, record_id: int = 1) -> str:
        with self.assertRaises(exceptions.CloudError) as caught:
            getattr(self.cloud, method)(self.server.id, record_id)
        self.assertFalse(getattr(caught.exception, 'final', False))
        return str(caught.exception)[-9:]

    def test_before_it_is_queued(self) -> None:
        self.until('accepted')
        self.assertEqual('HTTP 400)', self.refused('abort'))
        self.assertEqual('HTTP 400)', self.refused('force_complete'))

    def test_before_it_runs(self) -> None:
        for status in ('queued', 'preparing'):
            self.until(status)
            self.assertEqual('HTTP 400)', self.refused('force_complete'))
        self.cloud.abort(self.server.id, 1)
        self.until('cancelled')

    def test_two_aborts(self) -> None:
        self.until('running')
        self.cloud.abort(self.server.id, 1)
        self.cloud.abort(self.server.id, 1)
        self.cloud.force_complete(self.server.id, 1)
        self.until('cancelled')
        self.assertEqual('ACTIVE', self.server.status)

    def test_after_its_end(self) -> None:
        self.until('completed')
        self.assertEqual('HTTP 409)', self.refused('abort'))
        self.assertEqual('HTTP 409)', self.refused('force_complete'))

    def test_another_servers(self) -> None:
        self.until('running')
        self.assertEqual('HTTP 404)', self.refused('abort', 2))
        with self.assertRaises(exceptions.RequestRefused) as caught:
            self.cloud.force_complete(self.server.id, 2)
        self.assertTrue(caught.exception.final)

    def test_a_paused_server_is_not_forced(self) -> None:
        self.until('running')
        self.server.vm_state = 'paused'
        self.assertEqual('HTTP 409)', self.refused('force_complete'))


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
