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

"""Hosts that are not as dead as they seem, and what shows it."""

from tests.unit.simulation import test_rebuilds
from tests.unit.simulation import timeline
from tests.unit.simulation import world


class FenceTestCase(test_rebuilds.RebuildsTestCase):
    """A host that is not as dead as it seems."""

    def torn(self) -> list[str]:
        server = self.server()
        self.cloud.evacuate(server.id)
        self.end(server)
        return [host for _work, host in self.cloud.torn]

    def test_its_nova_compute_alone_is_dead(self) -> None:
        self.cloud.crash('a')
        self.cloud.force_down('a')
        self.assertEqual(['a'], self.torn())

    def test_it_has_no_power(self) -> None:
        self.cloud.fence('a')
        self.assertEqual([], self.torn())

    def test_it_is_back(self) -> None:
        self.cloud.fence('a')
        self.cloud.start('a')
        self.assertEqual(['a'], self.torn())

    def test_a_guest_that_does_not_run(self) -> None:
        self.cloud.force_down('a')
        server = self.server('stopped')
        self.cloud.evacuate(server.id)
        self.end(server)
        self.assertEqual([], self.cloud.torn)

    def test_what_is_cast_to_it_does_nothing_later(self) -> None:
        server = self.server()
        self.cloud.power_off('a')
        self.cloud.stop(server.id)
        self.assertEqual('powering-off', server.task_state)
        self.pass_(60)
        self.cloud.evacuate(server.id)
        self.end(server)
        self.cloud.start('a')
        self.assertEqual('ACTIVE on b, completed to b', self.end(server))

    def test_a_cold_migration_to_it(self) -> None:
        server = self.cloud.add('b')
        self.cloud.cold_migrate(server.id, host='a')
        self.reach(server, 'resize_migrated')
        self.cloud.fence('a')
        self.pass_(5)
        self.assertEqual('a', server.host)
        self.cloud.evacuate(server.id)
        self.end(server)
        self.cloud.start('a')
        self.end(server)
        self.assertEqual('ACTIVE', server.status)
        self.assertNotEqual('a', server.host)


class HeartbeatsTestCase(test_rebuilds.RebuildsTestCase):
    def updated(self) -> float:
        shown = self.cloud.hosts['a'].shown().updated_at
        return (shown - world.utc(timeline.START)).total_seconds()

    def test_each_ten_seconds(self) -> None:
        self.pass_(9)
        self.assertEqual(0, self.updated())
        self.pass_(27)
        self.assertEqual(30, self.updated())

    def test_no_more_of_one_that_is_dead(self) -> None:
        self.pass_(15)
        self.cloud.crash('a')
        self.pass_(54)
        self.assertEqual(10, self.updated())
        self.assertTrue(self.cloud.hosts['a'].shown().up)
        self.pass_(1)
        self.assertFalse(self.cloud.hosts['a'].shown().up)
        self.pass_(8)
        self.cloud.start('a')
        self.pass_(11)
        self.assertEqual(88, self.updated())

    def test_of_one_that_is_forced_down(self) -> None:
        self.cloud.force_down('a')
        self.pass_(20)
        self.assertEqual(20, self.updated())
        self.assertFalse(self.cloud.hosts['a'].shown().up)

    def test_requests_count_as_well(self) -> None:
        self.cloud.power_off('a')
        for number, act in enumerate(
            (self.cloud.force_down, self.cloud.disable, self.cloud.enable)
        ):
            self.pass_(1)
            act('a')
            self.assertEqual(number + 1, self.updated())
