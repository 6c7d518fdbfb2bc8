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

import collections
import unittest

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import client as clients
from tests.unit.simulation import faults
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world

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


@ddt.ddt
class RequestsTestCase(ClientTestCase):
    @ddt.data(*REQUESTS)
    def test_each(self, kind: str) -> None:
        vm_state, deed = REQUESTS[kind]
        client = self.client()
        server = self.cloud.add(scene.SOURCE, vm_state)
        getattr(client, kind)(server.id)
        self.assertIsNotNone(server.task_state)
        (posted,) = client.posted
        self.assertEqual(
            (kind, server.id), (posted[0].kind, posted[0].subject)
        )
        self.assertTrue(posted[0].changes)
        self.assertEqual('', posted[1])
        self.assertEqual([posted[0]], client.log)
        newest = client.history(server.id)[-1]
        self.assertEqual(
            (deed, 'operator', 'admin'),
            (newest.action, newest.user_id, newest.project_id),
        )

    @ddt.data('abort', 'force_complete')
    def test_what_ends_a_migration(self, kind: str) -> None:
        client = self.client()
        client.live_migrate(self.server.id)
        self.clock.sleep(2)
        (record,) = client.migrations(scene.SOURCE)
        self.assertEqual('running', record.status)
        getattr(client, kind)(self.server.id, record.id)
        self.assertEqual(
            [('live_migrate', ''), (kind, '')],
            [(request.kind, answer) for request, answer in client.posted],
        )
        self.clock.sleep(1)
        self.assertIsNone(self.server.task_state)

    def test_confirm(self) -> None:
        client = self.client()
        client.cold_migrate(self.server.id, 'cmp03')
        self.clock.sleep(10)
        client.confirm(self.server.id)
        self.clock.sleep(3)
        self.assertEqual(('ACTIVE', 'cmp03'), self.seen(client))

    def seen(self, client: clients.Client) -> tuple[str, str | None]:
        server = client.server(self.server.id)
        return server.status, server.host

    def test_where_to(self) -> None:
        client = self.client()
        client.live_migrate(self.server.id, 'cmp04')
        self.clock.sleep(10)
        self.assertEqual(('ACTIVE', 'cmp04'), self.seen(client))

    def test_a_refusal(self) -> None:
        client = self.client()
        with self.assertRaises(exceptions.RequestRefused) as caught:
            client.live_migrate(self.server.id, 'nowhere')
        self.assertTrue(caught.exception.final)
        self.assertIn('nowhere', client.posted[0][1])
        self.assertEqual(1, len(client.history(self.server.id)))


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


class ListsTestCase(ClientTestCase):
    def test_changes_since_leaves_out_what_was_never_updated(self) -> None:
        client = self.client()
        client.live_migrate(self.server.id)
        self.clock.sleep(0.2)
        self.assertEqual(
            ['accepted'],
            [r.status for r in client.migrations(scene.SOURCE)],
        )
        since = world.EPOCH
        self.assertEqual([], client.migrations(scene.SOURCE, since))
        self.clock.sleep(10)
        self.assertEqual(1, len(client.migrations(scene.SOURCE, since)))

    def test_flights(self) -> None:
        for host in ('cmp02', 'cmp03'):
            self.cloud.live_migrate(self.cloud.add(host).id)
        self.cloud.add_resized('cmp02', 'cmp03')
        client = self.client()
        self.assertEqual([], client.flights())
        self.clock.sleep(1)
        found = client.flights()
        self.assertEqual({'cmp02', 'cmp03'}, {r.source for r in found})
        self.assertGreater(found[0].id, found[1].id)
        self.clock.sleep(10)
        self.assertEqual([], client.flights())
        self.assertEqual({'flights': 3}, client.counts())

    def test_unconfirmed(self) -> None:
        server = self.cloud.add_resized(scene.SOURCE, 'cmp02')
        self.cloud.add_resized('cmp02', scene.SOURCE)
        client = self.client()
        (record,) = client.unconfirmed(scene.SOURCE)
        self.assertEqual(server.id, record.server_id)
        self.assertEqual(model.MigrationType.RESIZE, record.type)
        self.assertIn(record.uuid, client.allocations(scene.SOURCE))

    def test_soft_deleted_servers_are_listed(self) -> None:
        self.cloud.add(scene.SOURCE, 'soft-delete')
        self.assertEqual(
            ['SOFT_DELETED', 'ACTIVE'],
            [s.status for s in self.client().servers(scene.SOURCE)],
        )

    def test_what_was_listed(self) -> None:
        client = self.client()
        client.servers(scene.SOURCE)
        self.cloud.delete(self.server.id)
        client.servers(scene.SOURCE)
        self.assertEqual({self.server.id}, client.listed[scene.SOURCE])
        self.assertAlmostEqual(START + 0.15, client.last_look[scene.SOURCE])

    def test_a_server(self) -> None:
        self.clock.sleep(7.5)
        self.cloud.stop(self.server.id)
        seen = self.client().server(self.server.id)
        self.assertEqual('tenant', seen.project_id)
        self.assertEqual(7, (seen.updated_at - world.EPOCH).total_seconds())
        self.cloud.delete(self.server.id)
        self.assertEqual(
            'DELETED', self.client().server(self.server.id).status
        )


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


class ProgressTestCase(ClientTestCase):
    def progress(self) -> float | None:
        seen = self.client(latency=0).progress(self.server.id, 1)
        return seen and seen.remaining / seen.total

    def look(self, seconds: float) -> list[float | None]:
        """Begin to move it; return how far it is every second."""
        self.cloud.live_migrate(self.server.id)
        looks = []
        while self.clock.now() < START + seconds:
            self.clock.sleep(1)
            looks.append(self.progress())
        return looks

    def test_while_it_runs(self) -> None:
        self.assertIsNone(self.progress())
        looks = self.look(7)
        running = [look for look in looks if look is not None]
        self.assertEqual(4, len(running))
        self.assertEqual(sorted(running, reverse=True), running)
        self.assertEqual([None, None], looks[-2:])

    def test_one_that_never_converges(self) -> None:
        self.server.stuck = 1
        looks = self.look(60)
        self.assertLess(min(looks[2:]), 0.25)
        self.assertGreater(min(looks[2:]), 0.19)
        self.assertAlmostEqual(looks[-1], looks[20], delta=0.02)
        self.assertGreater(len(set(looks[20:])), 1)

    def test_memory(self) -> None:
        self.cloud.live_migrate(self.server.id)
        self.clock.sleep(2)
        seen = self.client().progress(self.server.id, 1)
        self.assertEqual(1024 * 2**20, seen.total)


class HistoryTestCase(ClientTestCase):
    def test_whose_deeds(self) -> None:
        server = self.cloud.add(scene.SOURCE, 'suspended')
        client = self.client()
        client.resume(server.id)
        self.clock.sleep(5)
        self.cloud.pause(server.id)
        self.clock.sleep(5)
        self.cloud.live_migrate(server.id)
        found = client.history(server.id)
        self.assertEqual(
            [
                ('create', 'tenant'),
                ('suspend', 'tenant'),
                ('resume', 'admin'),
                ('pause', 'tenant'),
                ('live-migration', 'admin'),
            ],
            [(deed.action, deed.project_id) for deed in found],
        )
        self.assertEqual('operator', found[2].user_id)
        self.assertEqual('colleague', found[4].user_id)
        times = [deed.started_at for deed in found]
        self.assertEqual(sorted(times), times)
        self.assertLess(times[1], world.EPOCH)

    def test_of_a_deleted_server(self) -> None:
        self.cloud.delete(self.server.id)
        self.assertEqual(
            ['create', 'delete'],
            [d.action for d in self.client().history(self.server.id)],
        )

    def test_of_a_new_one(self) -> None:
        server = self.cloud.create(scene.SOURCE)
        self.assertEqual(
            [('create', world.EPOCH)],
            [
                (d.action, d.started_at)
                for d in self.client().history(server.id)
            ],
        )


class FailureTestCase(ClientTestCase):
    def test_the_reason(self) -> None:
        self.server.fates = collections.deque(
            [world.Fate.NO_HOST, world.Fate.ROLLED_BACK]
        )
        client = self.client()
        reasons = []
        for _number in range(2):
            client.live_migrate(self.server.id)
            self.clock.sleep(10)
            record = client.migrations(scene.SOURCE)[0]
            reasons.append(client.failure(record))
        self.assertIn('No valid host', reasons[0])
        self.assertEqual('', reasons[1])
