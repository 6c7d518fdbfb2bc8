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

"""The simulation behaves as Nova was measured to (NOVA-FACTS)."""

import collections
import unittest

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import client as clients
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world


def statuses(cloud: clouds.Cloud, server: world.Server) -> list[str]:
    """Let everything happen; return how record and server changed."""
    seen = ['']
    while cloud.timeline.run_next():
        records = [r for r in cloud.records.values() if r.server is server]
        record = records[-1].status if records else 'no record'
        line = f'{record}, {server.status} on {server.host}'
        if line != seen[-1]:
            seen.append(line)
    return seen[1:]


class MovesTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b'])

    def test_live(self) -> None:
        server = self.cloud.add('a')
        self.cloud.live_migrate(server.id)
        self.assertEqual(
            [
                'no record, MIGRATING on a',
                'accepted, MIGRATING on a',
                'queued, MIGRATING on a',
                'preparing, MIGRATING on a',
                'running, MIGRATING on a',
                'running, ACTIVE on b',
                'completed, ACTIVE on b',
            ],
            statuses(self.cloud, server),
        )

    def test_cold(self) -> None:
        server = self.cloud.add('a', 'stopped')
        self.cloud.cold_migrate(server.id)
        self.assertEqual(
            [
                'no record, RESIZE on a',
                'pre-migrating, RESIZE on a',
                'migrating, RESIZE on a',
                'post-migrating, RESIZE on b',
                'finished, RESIZE on b',
                'finished, VERIFY_RESIZE on b',
            ],
            statuses(self.cloud, server),
        )
        self.cloud.confirm(server.id)
        self.assertEqual(
            [
                'confirming, VERIFY_RESIZE on b',
                'confirmed, VERIFY_RESIZE on b',
                'confirmed, SHUTOFF on b',
            ],
            statuses(self.cloud, server),
        )

    def test_revert(self) -> None:
        server = self.cloud.add('a')
        self.cloud.cold_migrate(server.id, kind=model.MigrationType.RESIZE)
        statuses(self.cloud, server)
        self.cloud.revert(server.id)
        self.assertEqual(
            [
                'reverting, REVERT_RESIZE on b',
                'reverted, REVERT_RESIZE on a',
                'reverted, ACTIVE on a',
            ],
            statuses(self.cloud, server),
        )

    def test_rolled_back(self) -> None:
        fates = collections.deque([world.Fate.ROLLED_BACK])
        server = self.cloud.add('a', fates=fates)
        self.cloud.live_migrate(server.id)
        self.assertEqual(
            'failed, ACTIVE on a', statuses(self.cloud, server)[-1]
        )
        self.assertEqual({'a'}, self.cloud.allocations[server.id])

    def test_no_valid_host(self) -> None:
        self.cloud.disable('b')
        server = self.cloud.add('a')
        self.cloud.live_migrate(server.id)
        self.assertEqual(
            'error, ACTIVE on a', statuses(self.cloud, server)[-1]
        )
        self.assertIn('No valid host', server.failure)

    def test_allocations_of_a_move(self) -> None:
        server = self.cloud.add('a')
        self.cloud.live_migrate(server.id)
        self.cloud.timeline.run_until(timeline.START + 3)
        record = self.cloud.records[1]
        self.assertEqual({'b'}, self.cloud.allocations[server.id])
        self.assertEqual({'a'}, self.cloud.allocations[record.uuid])
        statuses(self.cloud, server)
        self.assertEqual(set(), self.cloud.allocations[record.uuid])

    def test_the_source_queues(self) -> None:
        cloud = clouds.Cloud(['a', 'b'], slots=2)
        for _number in range(5):
            cloud.live_migrate(cloud.add('a').id)
        cloud.timeline.run_until(timeline.START + 3)
        self.assertEqual(
            {'running': 2, 'queued': 3},
            collections.Counter(r.status for r in cloud.records.values()),
        )

    def test_records_of_a_deleted_server_vanish(self) -> None:
        first, second = self.cloud.add('a'), self.cloud.add('a')
        self.cloud.live_migrate(first.id)
        self.cloud.live_migrate(second.id)
        self.cloud.timeline.run_until(timeline.START + 3)
        self.cloud.delete(first.id)
        self.assertEqual(
            [second], [r.server for r in self.cloud.records.values()]
        )
        self.assertEqual(
            'completed, ACTIVE on b', statuses(self.cloud, second)[-1]
        )

    def test_a_restarted_compute_service(self) -> None:
        server = self.cloud.add('a')
        self.cloud.live_migrate(server.id)
        self.cloud.timeline.run_until(timeline.START + 3)
        self.cloud.crash('a')
        self.assertEqual('MIGRATING', server.status)
        self.assertTrue(self.cloud.hosts['a'].up)
        self.cloud.timeline.run_until(timeline.START + 70)
        self.assertFalse(self.cloud.hosts['a'].up)
        self.cloud.start('a')
        self.assertEqual('ACTIVE', server.status)
        self.assertEqual('error', self.cloud.records[1].status)

    def test_live_migrations_pile_up(self) -> None:
        cloud = clouds.Cloud(['a', 'b', 'c'], piles_up=True)
        for _number in range(4):
            cloud.live_migrate(cloud.add('a').id)
        while cloud.timeline.run_next():
            pass
        self.assertEqual({'b'}, {s.host for s in cloud.servers.values()})

    def test_a_build_holds_an_allocation_first(self) -> None:
        server = self.cloud.create('a')
        self.cloud.timeline.run_until(timeline.START + 0.1)
        self.assertEqual({'a'}, self.cloud.allocations[server.id])
        self.assertEqual(
            ['BUILD on None', 'BUILD on a', 'ACTIVE on a'],
            [
                f'{server.status} on {server.host}',
                *(
                    line.removeprefix('no record, ')
                    for line in statuses(self.cloud, server)
                ),
            ],
        )


@ddt.ddt
class RefusalsTestCase(unittest.TestCase):
    @ddt.data(
        ('active', None, True, True),
        ('active', 'migrating', False, False),
        ('stopped', None, False, True),
        ('paused', None, True, False),
        ('suspended', None, False, False),
        ('shelved', None, False, False),
        ('rescued', None, False, False),
        ('resized', None, False, False),
        ('error', None, False, False),
    )
    @ddt.unpack
    def test_states(
        self, vm_state: str, task_state: str | None, live: bool, cold: bool
    ) -> None:
        for allowed, name in ((live, 'live_migrate'), (cold, 'cold_migrate')):
            with self.subTest(name):
                cloud = clouds.Cloud(['a', 'b'])
                server = cloud.add('a', vm_state, task_state=task_state)
                request = getattr(cloud, name)
                if allowed:
                    request(server.id)
                else:
                    with self.assertRaises(exceptions.RequestRefused):
                        request(server.id)

    def test_nothing_to_confirm(self) -> None:
        cloud = clouds.Cloud(['a', 'b'])
        server = cloud.add('a')
        with self.assertRaises(exceptions.RequestRefused):
            cloud.confirm(server.id)

    def test_no_such_server(self) -> None:
        cloud = clouds.Cloud(['a', 'b'])
        server = cloud.add('a')
        cloud.delete(server.id)
        with self.assertRaises(exceptions.NotFound):
            cloud.live_migrate(server.id)


class ClientTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud(1)
        self.clock = timeline.VirtualClock(self.cloud.timeline)
        self.server = next(iter(self.cloud.servers.values()))

    def test_changes_since_leaves_out_what_was_never_updated(self) -> None:
        client = clients.Client(self.cloud, self.clock)
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

    def test_requests_take_time(self) -> None:
        client = clients.Client(self.cloud, self.clock, latency=0.25)
        client.servers(scene.SOURCE)
        client.services()
        self.assertEqual(timeline.START + 0.5, self.clock.now())

    def test_a_lost_answer(self) -> None:
        client = clients.Client(
            self.cloud, self.clock, faults=faults.posts([faults.LOST])
        )
        with self.assertRaises(exceptions.Unavailable):
            client.live_migrate(self.server.id)
        self.assertEqual('MIGRATING', self.server.status)

    def test_a_lost_request(self) -> None:
        client = clients.Client(
            self.cloud, self.clock, faults=faults.posts([faults.DROPPED])
        )
        with self.assertRaises(exceptions.Unavailable):
            client.live_migrate(self.server.id)
        self.assertEqual('ACTIVE', self.server.status)


class TimelineTestCase(unittest.TestCase):
    def test_an_alarm(self) -> None:
        clock = timeline.VirtualClock(timeline.Timeline())
        clock.alarm(timeline.START + 2, KeyboardInterrupt())
        with self.assertRaises(KeyboardInterrupt):
            clock.sleep(5)
        self.assertEqual(timeline.START + 2, clock.now())

    def test_together(self) -> None:
        line = timeline.Timeline()
        seen: list[str] = []

        def count(
            name: str, pause: float, clock: timeline.VirtualClock
        ) -> str:
            for _number in range(3):
                clock.sleep(pause)
                seen.append(f'{name} {clock.now() - timeline.START:.0f}')
            return name

        names = timeline.together(
            line,
            lambda clock: count('a', 2, clock),
            lambda clock: count('b', 3, clock),
        )
        self.assertEqual(['a', 'b'], names)
        self.assertEqual(['a 2', 'b 3', 'a 4', 'b 6', 'a 6', 'b 9'], seen)

    def test_idle_share(self) -> None:
        line = timeline.Timeline()
        slots = timeline.Slots(line, 2)

        def work() -> timeline.Steps:
            yield slots
            yield 4.0

        first, _second = line.spawn(work()), line.spawn(work())
        line.run_until(timeline.START + 4)
        slots.leave(first)
        line.run_until(timeline.START + 8)
        line.spawn(work())
        # One of two places was free for the latter half of eight seconds.
        self.assertAlmostEqual(0.25, slots.idle_share())
