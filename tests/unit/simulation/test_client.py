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

"""The gateway to the simulated cloud."""

import unittest

from osc_hostmaint import exceptions
from tests.unit.simulation import client as clients
from tests.unit.simulation import faults
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

START = timeline.START
#: Each request, and a state of a server that takes it.
REQUESTS = {
    'live_migrate': ('active', 'live-migration'),
    'cold_migrate': ('stopped', 'migrate'),
    'resume': ('suspended', 'resume'),
    'suspend': ('active', 'suspend'),
    'shelve': ('paused', 'shelve'),
    'offload': ('shelved', 'shelveOffload'),
}


class ClientTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud(1)
        self.clock = timeline.VirtualClock(self.cloud.timeline)
        self.server = next(iter(self.cloud.servers.values()))

    def client(self, *chosen: faults.Fault, **options) -> clients.Client:
        if chosen:
            options['faults'] = faults.posts(chosen)
        return clients.Client(self.cloud, self.clock, **options)


class TimeTestCase(ClientTestCase):
    def test_requests_take_time(self) -> None:
        client = self.client(latency=0.25)
        client.servers(scene.SOURCE)
        client.services()
        self.assertEqual(START + 0.5, self.clock.now())

    def test_one_gets_there_although_its_sender_is_killed(self) -> None:
        client = self.client(latency=1.0)
        self.clock.alarm(START + 0.2, scene.Killed())
        with self.assertRaises(scene.Killed):
            client.live_migrate(self.server.id)
        self.assertIsNone(self.server.task_state)
        self.clock.sleep(1)
        self.assertEqual('migrating', self.server.task_state)

    def test_a_lost_answer(self) -> None:
        client = self.client(faults.LOST)
        with self.assertRaises(exceptions.Unavailable):
            client.live_migrate(self.server.id)
        self.assertEqual('MIGRATING', self.server.status)
        self.assertFalse(self.server.work.late)

    def test_a_lost_request(self) -> None:
        client = self.client(faults.DROPPED)
        with self.assertRaises(exceptions.Unavailable):
            client.live_migrate(self.server.id)
        self.assertEqual('ACTIVE', self.server.status)
        self.assertIsNone(client.posted[0][1])

    def test_a_late_one(self) -> None:
        client = self.client(faults.SLOW)
        with self.assertRaises(exceptions.Unavailable):
            client.live_migrate(self.server.id)
        self.assertEqual('ACTIVE', self.server.status)
        self.clock.sleep(16)
        self.assertTrue(self.server.work.late)
        self.assertEqual('', client.posted[0][1])


class DirectedTestCase(ClientTestCase):
    def test_the_host_as_it_was(self) -> None:
        client = self.client()
        client.live_migrate(self.server.id)
        client.cold_migrate(self.cloud.add(scene.SOURCE).id, 'cmp02')
        self.cloud.disable('cmp02')
        ((request, host),) = client.directed
        self.assertEqual('cmp02', request.host)
        self.assertEqual('', host.unfit)
        self.assertEqual(['', 'cmp02'], [r.host for r in client.log])
        works = list(self.cloud.works)
        self.assertEqual(['', 'cmp02'], [work.asked for work in works])
