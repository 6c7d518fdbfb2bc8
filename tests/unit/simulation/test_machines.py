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

"""Compute hosts that die, and come back."""

import unittest

import ddt

from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import timeline
from tests.unit.simulation import world

START = timeline.START


class MachinesTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b'])

    def until(self, seconds: float) -> None:
        self.cloud.timeline.run_until(START + seconds)

    def reach(self, server: world.Server, status: str) -> None:
        """Let time pass until a server's record says something."""
        while not any(
            r.server is server and r.status == status
            for r in self.cloud.records.values()
        ):
            self.assertTrue(self.cloud.timeline.run_next(), status)

    def end(self, server: world.Server) -> str:
        """Let everything happen."""
        while self.cloud.timeline.run_next():
            pass
        records = [
            r.status for r in self.cloud.records.values() if r.server is server
        ]
        return f'{records}, {server.status} on {server.host}'


class SourceTestCase(MachinesTestCase):
    def test_it_dies_and_comes_back(self) -> None:
        server = self.cloud.add('a')
        self.cloud.live_migrate(server.id)
        self.reach(server, 'running')
        self.cloud.crash('a')
        self.assertEqual('MIGRATING', server.status)
        self.assertTrue(self.cloud.hosts['a'].up)
        self.until(70)
        self.assertFalse(self.cloud.hosts['a'].up)
        self.assertEqual('MIGRATING', server.status)
        self.cloud.start('a')
        self.assertEqual('ACTIVE', server.status)
        self.assertEqual('error', self.cloud.records[1].status)
        self.assertEqual({'a'}, self.cloud.allocations[server.id].keys())

    def test_what_waits_for_a_slot(self) -> None:
        servers = [self.cloud.add('a') for _number in range(2)]
        for server in servers:
            self.cloud.live_migrate(server.id)
        self.until(2)
        self.cloud.crash('a')
        self.cloud.start('a')
        self.assertEqual(
            {'error', 'queued'},
            {r.status for r in self.cloud.records.values()},
        )
        self.assertEqual({'ACTIVE'}, {s.status for s in servers})
        # Its slots are free again.
        for server in servers:
            self.cloud.live_migrate(server.id)
        self.until(60)
        self.assertEqual({'b'}, {s.host for s in servers})

    def test_it_dies_before_a_request_reaches_it(self) -> None:
        server = self.cloud.add('a')
        self.cloud.live_migrate(server.id)
        self.reach(server, 'accepted')
        self.cloud.crash('a')
        self.until(30)
        self.assertEqual('accepted', self.cloud.records[1].status)
        self.cloud.start('a')
        self.assertEqual("['error'], ACTIVE on a", self.end(server))

    def test_a_disk_is_being_copied(self) -> None:
        server = self.cloud.add('a', 'stopped')
        self.cloud.cold_migrate(server.id)
        self.reach(server, 'migrating')
        self.cloud.crash('a')
        self.cloud.start('a')
        self.assertEqual("['migrating'], SHUTOFF on a", self.end(server))
        self.cloud.cold_migrate(server.id)
        self.assertEqual(
            "['migrating', 'finished'], VERIFY_RESIZE on b", self.end(server)
        )

    def test_leaks(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b'], leaks=True)
        server = self.cloud.add('a')
        self.cloud.live_migrate(server.id)
        self.reach(server, 'running')
        self.cloud.crash('a')
        self.cloud.start('a')
        self.end(server)
        record = self.cloud.records[1]
        self.assertEqual({'a'}, self.cloud.allocations[record.uuid].keys())
        self.assertEqual({'b'}, self.cloud.allocations[server.id].keys())

    def test_a_cold_migration_that_was_to_begin(self) -> None:
        server = self.cloud.add('a')
        self.cloud.cold_migrate(server.id)
        self.reach(server, 'pre-migrating')
        self.cloud.crash('a')
        self.until(5)
        self.cloud.start('a')
        self.assertEqual("['error'], ERROR on a", self.end(server))

    def test_a_confirmation_waits(self) -> None:
        server = self.cloud.add('a', 'stopped')
        self.cloud.cold_migrate(server.id)
        self.end(server)
        self.cloud.crash('a')
        self.cloud.confirm(server.id)
        self.assertEqual(
            "['confirming'], VERIFY_RESIZE on b", self.end(server)
        )
        self.cloud.start('a')
        self.assertEqual("['confirmed'], SHUTOFF on b", self.end(server))


@ddt.ddt
class TasksTestCase(MachinesTestCase):
    @ddt.data(
        ('suspend', 'active', 'SUSPENDED'),
        ('resume', 'suspended', 'ACTIVE'),
        ('offload', 'shelved', 'SHELVED_OFFLOADED'),
        ('stop', 'active', 'SHUTOFF'),
    )
    @ddt.unpack
    def test_what_it_is_asked_while_dead_waits(
        self, method: str, vm_state: str, after: str
    ) -> None:
        server = self.cloud.add('a', vm_state)
        before = server.status
        self.cloud.crash('a')
        getattr(self.cloud, method)(server.id)
        self.until(90)
        self.assertEqual(before, server.status)
        self.assertIsNotNone(server.task_state)
        self.cloud.start('a')
        self.end(server)
        self.assertEqual((after, None), (server.status, server.task_state))

    @ddt.data(
        ('suspend', 'active', 'ACTIVE', 'suspending'),
        ('stop', 'active', 'SHUTOFF', None),
    )
    @ddt.unpack
    def test_what_it_was_at_when_it_died(
        self, method: str, vm_state: str, after: str, task: str | None
    ) -> None:
        server = self.cloud.add('a', vm_state)
        getattr(self.cloud, method)(server.id)
        self.until(0.3)
        self.cloud.crash('a')
        self.cloud.start('a')
        self.end(server)
        self.assertEqual((after, task), (server.status, server.task_state))

    def test_a_build(self) -> None:
        server = self.cloud.create('a')
        self.until(1)
        self.cloud.crash('a')
        self.cloud.start('a')
        self.end(server)
        self.assertEqual('ERROR', server.status)


class DestinationTestCase(MachinesTestCase):
    def setUp(self) -> None:
        self.cloud = clouds.Cloud(
            ['a', 'b', 'c'], timing=world.Timing(prepare=3)
        )
        self.server = self.cloud.add('a')

    def move(self, until: str, *, hangs: bool = True) -> None:
        """Begin to move it, and let the destination die at some point."""
        self.cloud.live_migrate(self.server.id, host='b')
        self.reach(self.server, until)
        self.cloud.crash('b', hangs=hangs)

    def hang_and_abort(self, status: str) -> None:
        self.move(status)
        self.assertEqual(
            f"['{status}'], MIGRATING on a", self.end(self.server)
        )
        self.cloud.abort(self.server.id, 1)
        self.assertEqual("['cancelled'], ACTIVE on a", self.end(self.server))

    def test_it_hangs_while_it_prepares(self) -> None:
        self.hang_and_abort('preparing')

    def test_it_hangs_while_it_runs(self) -> None:
        self.hang_and_abort('running')

    def test_it_can_not_be_forced(self) -> None:
        self.move('running')
        self.cloud.force_complete(self.server.id, 1)
        self.assertEqual("['running'], MIGRATING on a", self.end(self.server))

    def test_the_host_comes_back(self) -> None:
        self.move('running')
        self.until(30)
        self.cloud.start('b')
        self.assertEqual("['failed'], ACTIVE on a", self.end(self.server))

    def test_it_is_given_up_while_it_prepares(self) -> None:
        self.move('preparing', hangs=False)
        self.assertEqual("['failed'], ACTIVE on a", self.end(self.server))
        self.assertGreater(self.cloud.timeline.now - START, 60)

    def test_it_runs_on_to_a_dead_host(self) -> None:
        self.move('running', hangs=False)
        self.assertEqual("['error'], ERROR on b", self.end(self.server))

    def test_the_checks_before(self) -> None:
        self.cloud.crash('b')
        self.cloud.live_migrate(self.server.id, host='b')
        self.until(50)
        self.assertEqual('accepted', self.cloud.records[1].status)
        self.assertIsNone(self.cloud.records[1].dest)
        self.assertEqual("['error'], ACTIVE on a", self.end(self.server))

    def test_the_scheduler_takes_another(self) -> None:
        self.cloud.crash('b')
        self.cloud.live_migrate(self.server.id)
        self.assertEqual("['completed'], ACTIVE on c", self.end(self.server))
        self.assertGreater(self.cloud.timeline.now - START, 60)

    def test_the_scheduler_knows_it_is_down(self) -> None:
        self.cloud.crash('b')
        self.until(61)
        self.cloud.live_migrate(self.server.id)
        self.until(75)
        self.assertEqual('c', self.server.host)

    def test_a_disk_arrives(self) -> None:
        self.cloud.cold_migrate(self.server.id, host='b')
        self.reach(self.server, 'migrating')
        self.cloud.crash('b')
        self.assertEqual(
            "['post-migrating'], RESIZE on b", self.end(self.server)
        )
        self.cloud.start('b')
        self.assertEqual(
            "['finished'], VERIFY_RESIZE on b", self.end(self.server)
        )
