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

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import cloud as clouds
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
        self.assertEqual({'a'}, self.cloud.allocations[server.id].keys())

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
        self.assertEqual({'b'}, self.cloud.allocations[server.id].keys())
        self.assertEqual({'a'}, self.cloud.allocations[record.uuid].keys())
        statuses(self.cloud, server)
        self.assertEqual(set(), self.cloud.allocations[record.uuid].keys())

    def test_room_is_held_on_both_hosts_while_it_moves(self) -> None:
        room = {'VCPU': 2, 'MEMORY_MB': 3000, 'CUSTOM_GPU': 1}
        for host in self.cloud.hosts.values():
            host.inventory.capacity['CUSTOM_GPU'] = 4
        server = self.cloud.add('a', 'stopped', room=room)
        self.cloud.cold_migrate(server.id)
        for confirmed in (False, True):
            statuses(self.cloud, server)
            here, there = (
                +self.cloud.hosts[name].inventory.used for name in 'ab'
            )
            self.assertEqual({} if confirmed else room, here)
            self.assertEqual(room, there)
            if not confirmed:
                self.cloud.confirm(server.id)
        self.assertEqual([], self.cloud.overfilled)

    def test_room_is_given_back_after_a_roll_back(self) -> None:
        for fate in world.Fate:
            with self.subTest(fate):
                cloud = clouds.Cloud(['a', 'b'])
                server = cloud.add('a', fates=collections.deque([fate]))
                cloud.live_migrate(server.id)
                statuses(cloud, server)
                assert server.host
                used = {
                    name: +host.inventory.used
                    for name, host in cloud.hosts.items()
                }
                self.assertEqual(server.amounts, used.pop(server.host))
                self.assertEqual([{}], list(used.values()))

    def test_room_of_a_deleted_server(self) -> None:
        server = self.cloud.add('a')
        self.cloud.live_migrate(server.id)
        self.cloud.timeline.run_until(timeline.START + 3)
        self.cloud.delete(server.id)
        for host in self.cloud.hosts.values():
            self.assertEqual({}, +host.inventory.used)

    def test_a_build_without_room(self) -> None:
        self.cloud.hosts['a'].inventory.capacity['VCPU'] = 0
        server = self.cloud.create('a')
        self.assertEqual(
            ['no record, ERROR on None'], statuses(self.cloud, server)
        )
        self.assertEqual(set(), self.cloud.allocations[server.id].keys())

    def test_an_arrival_without_room(self) -> None:
        self.cloud.hosts['b'].inventory.capacity['DISK_GB'] = 1
        server = self.cloud.add('a')
        self.cloud.live_migrate(server.id, 'b')
        self.assertEqual(
            'error, ACTIVE on a', statuses(self.cloud, server)[-1]
        )
        self.assertEqual({'a'}, self.cloud.allocations[server.id].keys())

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

    def test_a_build_holds_an_allocation_first(self) -> None:
        server = self.cloud.create('a')
        self.cloud.timeline.run_until(timeline.START + 0.1)
        self.assertEqual({'a'}, self.cloud.allocations[server.id].keys())
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

    def test_a_build_that_fails(self) -> None:
        server = self.cloud.create('a', fails=True)
        self.assertEqual(
            ['BUILD on None', 'BUILD on a', 'ERROR on None'],
            [
                line.removeprefix('no record, ')
                for line in statuses(self.cloud, server)
            ],
        )
        self.assertEqual(set(), self.cloud.allocations[server.id].keys())


class LiveTestCase(unittest.TestCase):
    """What can become of a live migration."""

    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b', 'c'])

    def move(self, *fates: world.Fate, **values: object) -> list[str]:
        self.server = self.cloud.add(
            'a', fates=collections.deque(fates), **values
        )
        self.cloud.live_migrate(self.server.id)
        return statuses(self.cloud, self.server)

    def test_a_destination_that_can_not_get_ready(self) -> None:
        self.assertEqual(
            [
                'preparing, MIGRATING on a',
                'error, ACTIVE on a',
                'failed, ACTIVE on a',
            ],
            self.move(world.Fate.PRE)[-3:],
        )
        self.assertEqual({'a'}, self.cloud.allocations[self.server.id].keys())

    def test_one_that_breaks_at_its_end(self) -> None:
        self.assertEqual('error, ERROR on a', self.move(world.Fate.BROKEN)[-1])

    def test_a_lie(self) -> None:
        self.assertEqual(
            'completed, ACTIVE on a', self.move(world.Fate.LIE)[-1]
        )
        self.assertEqual({'a'}, self.cloud.allocations[self.server.id].keys())
        self.assertEqual(set(), self.cloud.allocations[self.uuid()].keys())

    def uuid(self) -> str:
        return self.cloud.records[1].uuid

    def test_a_paused_server_stays_paused(self) -> None:
        seen = self.move(vm_state='paused')
        self.assertIn('running, MIGRATING on a', seen)
        self.assertEqual('completed, PAUSED on b', seen[-1])

    def test_one_that_never_converges(self) -> None:
        self.assertEqual('running, MIGRATING on a', self.move(stuck=1)[-1])
        self.cloud.abort(self.server.id, 1)
        self.assertEqual(
            ['running, ACTIVE on a', 'cancelled, ACTIVE on a'],
            statuses(self.cloud, self.server)[-2:],
        )
        self.assertEqual({'a'}, self.cloud.allocations[self.server.id].keys())
        self.assertEqual(set(), self.cloud.allocations[self.uuid()].keys())

    def test_the_next_one_converges(self) -> None:
        self.move(stuck=1)
        self.cloud.abort(self.server.id, 1)
        statuses(self.cloud, self.server)
        self.cloud.live_migrate(self.server.id)
        self.assertEqual(
            'completed, ACTIVE on b', statuses(self.cloud, self.server)[-1]
        )

    def test_it_is_forced_to_its_end(self) -> None:
        self.move(stuck=1)
        began = self.cloud.timeline.now
        self.cloud.force_complete(self.server.id, 1)
        self.assertEqual(
            'completed, ACTIVE on b', statuses(self.cloud, self.server)[-1]
        )
        self.assertLess(self.cloud.timeline.now - began, 1)

    def test_one_that_waits_is_aborted(self) -> None:
        first, second = self.cloud.add('a'), self.cloud.add('a')
        self.cloud.live_migrate(first.id)
        self.cloud.live_migrate(second.id)
        self.cloud.timeline.run_until(timeline.START + 2)
        records = {r.status: r for r in self.cloud.records.values()}
        self.assertEqual({'running', 'queued'}, set(records))
        waits = records['queued']
        self.cloud.abort(waits.server.id, waits.id)
        self.cloud.timeline.run_until(timeline.START + 2.5)
        self.assertEqual('cancelled', waits.status)
        self.assertEqual('ACTIVE', waits.server.status)
        self.assertEqual('running', records['running'].status)
        self.assertEqual(0, self.cloud.hosts['a'].slots.history[-1][2])

    def test_one_that_prepares_is_aborted(self) -> None:
        cloud = clouds.Cloud(['a', 'b'], timing=world.Timing(prepare=5))
        server = cloud.add('a')
        cloud.live_migrate(server.id)
        cloud.timeline.run_until(timeline.START + 2)
        self.assertEqual('preparing', cloud.records[1].status)
        cloud.abort(server.id, 1)
        cloud.timeline.run_until(timeline.START + 3)
        self.assertEqual('preparing', cloud.records[1].status)
        self.assertEqual('cancelled, ACTIVE on a', statuses(cloud, server)[-1])

    def test_an_abort_that_nothing_comes_of(self) -> None:
        effects = {'abort': collections.deque([world.Effect.NOTHING])}
        self.move(stuck=1, effects=effects)
        self.cloud.abort(self.server.id, 1)
        self.assertEqual([], statuses(self.cloud, self.server)[1:])
        self.assertEqual('running', self.cloud.records[1].status)


class ConfirmationTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b'])
        self.server = self.cloud.add('a', 'stopped')
        self.cloud.cold_migrate(self.server.id)
        statuses(self.cloud, self.server)

    def confirm_again(self, seconds: float) -> None:
        self.cloud.confirm(self.server.id)
        now = self.cloud.timeline.now
        self.cloud.timeline.run_until(now + seconds)
        self.cloud.confirm(self.server.id)

    def test_two_at_the_same_moment(self) -> None:
        self.confirm_again(0.04)
        self.assertEqual(
            'error, ERROR on b', statuses(self.cloud, self.server)[-1]
        )
        self.assertEqual(1, len(self.cloud.collisions))

    def test_a_later_one(self) -> None:
        with self.assertRaisesRegex(
            exceptions.RequestRefused, 'not been resized'
        ) as caught:
            self.confirm_again(0.2)
        self.assertFalse(caught.exception.final)
        self.assertEqual(
            'confirmed, SHUTOFF on b', statuses(self.cloud, self.server)[-1]
        )

    def test_one_after_the_other(self) -> None:
        with self.assertRaisesRegex(exceptions.RequestRefused, 'stopped'):
            self.confirm_again(10)

    def test_one_that_fails(self) -> None:
        self.server.effects['confirm'] = collections.deque(
            [world.Effect.ERROR]
        )
        self.cloud.confirm(self.server.id)
        self.assertEqual(
            'error, ERROR on b', statuses(self.cloud, self.server)[-1]
        )

    def test_one_that_was_active(self) -> None:
        server = self.cloud.add('a')
        self.cloud.cold_migrate(server.id)
        statuses(self.cloud, server)
        self.cloud.confirm(server.id)
        self.assertEqual(
            'confirmed, ACTIVE on b', statuses(self.cloud, server)[-1]
        )

    def test_one_that_has_long_been_resized(self) -> None:
        server = self.cloud.add_resized('b', 'a')
        self.assertEqual('VERIFY_RESIZE', server.status)
        self.assertEqual({'a'}, self.cloud.allocations[server.id].keys())
        self.cloud.revert(server.id)
        self.assertEqual(
            'reverted, ACTIVE on b', statuses(self.cloud, server)[-1]
        )
        self.assertEqual({'b'}, self.cloud.allocations[server.id].keys())
