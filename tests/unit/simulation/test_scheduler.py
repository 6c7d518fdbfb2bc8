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

"""The simulated scheduler filters and weighs as Nova's does."""

import collections
import unittest

import ddt

from osc_hostmaint import model
from osc_hostmaint import survey
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import inventory
from tests.unit.simulation import timeline
from tests.unit.simulation import world


class SchedulerTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b', 'c'])
        self.server = self.cloud.add('a')

    def go_on(self, seconds: float = timeline.FOREVER) -> None:
        """Let what happens in a time happen, by default everything."""
        if seconds < timeline.FOREVER:
            self.cloud.timeline.run_until(self.cloud.timeline.now + seconds)
            return
        while self.cloud.timeline.run_next():
            pass

    def move(
        self, host: str = '', kind: str = 'live_migrate', **values: object
    ) -> str | None:
        """Move a new server off a host; return where it is then."""
        server = self.cloud.add('a', **values)
        getattr(self.cloud, kind)(server.id, host=host)
        self.go_on()
        self.assertEqual('' if server.host != 'a' else 'error', _error(server))
        return server.host


def _error(server: world.Server) -> str:
    """Return 'error' if no host was found for it, and that is told."""
    assert server.work and server.work.record
    untold = 'No valid host was found' not in server.failure
    return '' if untold else server.work.record.status


@ddt.ddt
class FiltersTestCase(SchedulerTestCase):
    def test_the_host_asked_for(self) -> None:
        self.assertEqual('c', self.move('c'))
        self.assertEqual('c', self.move('c', 'cold_migrate'))

    def test_it_passes_the_filters(self) -> None:
        self.cloud.disable('b')
        self.cloud.hosts['c'].inventory.capacity['MEMORY_MB'] = 100
        for host in ('b', 'c', 'a'):
            with self.subTest(host):
                self.assertEqual('a', self.move(host))
                self.assertIsNone(list(self.cloud.records.values())[-1].dest)
        self.assertEqual('a', self.move('b', 'cold_migrate'))

    def test_the_services(self) -> None:
        for values in (
            {'enabled': False},
            {'up': False},
            {'forced_down': True},
        ):
            with self.subTest(**values):
                self.cloud.hosts['b'].turn(0, **values)
                self.assertEqual('c', self.move())
                self.assertEqual('a', self.move('b'))
                self.cloud.hosts['b'].turn(
                    0, enabled=True, up=True, forced_down=False
                )

    @ddt.data(inventory.VCPU, inventory.MEMORY_MB, inventory.DISK_GB, 'CUSTOM')
    def test_room_in_every_class(self, name: str) -> None:
        room = {'VCPU': 2, 'MEMORY_MB': 2, 'DISK_GB': 2, name: 5}
        for host, capacity in (('b', 9), ('c', 10)):
            self.cloud.hosts[host].inventory.capacity[name] = capacity
        found = [self.move(room=room) for _number in range(4)]
        self.assertEqual(['a', 'b', 'c', 'c'], sorted(found))
        self.assertEqual([], self.cloud.overfilled)

    def test_room_is_taken_as_soon_as_it_is_scheduled(self) -> None:
        for host in ('b', 'c'):
            self.cloud.hosts[host].inventory.capacity['MEMORY_MB'] = 1024
        servers = [self.cloud.add('a') for _number in range(3)]
        for server in servers:
            self.cloud.live_migrate(server.id)
        self.go_on()
        self.assertEqual({'a', 'b', 'c'}, {s.host for s in servers})

    def test_one_that_does_not_answer_is_not_tried_again(self) -> None:
        timing = world.Timing(rpc=60, heartbeat=300)
        self.cloud = clouds.Cloud(['a', 'b', 'c'], timing=timing)
        server = self.cloud.add('a')
        self.cloud.crash('b')
        self.cloud.live_migrate(server.id)
        self.go_on(30)
        self.assertEqual({'b'}, self.cloud.allocations[server.id].keys())
        self.go_on(40)
        self.assertEqual('c', server.host)
        self.assertEqual({}, +self.cloud.hosts['b'].inventory.used)

    def test_a_zone(self) -> None:
        self.cloud.hosts['c'].zone = 'east'
        pinned = model.Needs(zone='east', zone_known=True)
        self.assertEqual('c', self.move(needs=pinned))
        self.assertEqual('a', self.move('b', needs=pinned))
        self.assertEqual('b', self.move('b'))
        # What is no aggregate's name binds nobody.
        nowhere = model.Needs(zone='nova', zone_known=True)
        self.assertEqual('c', self.move('c', needs=nowhere))

    def test_traits(self) -> None:
        fast = frozenset({'FAST'})
        self.cloud.hosts['c'].traits = fast | {'NEW'}
        needs = model.Needs(required_traits=fast)
        self.assertEqual('c', self.move(needs=needs))
        self.assertEqual('a', self.move('b', needs=needs))
        needs = model.Needs(forbidden_traits=fast)
        self.assertEqual('b', self.move(needs=needs))
        self.assertEqual('a', self.move('c', needs=needs))

    def test_aggregates(self) -> None:
        specs = (('ssd', 'yes'), ('tier', '1'))
        for host, metadata in (
            ('b', {'ssd': 'yes', 'tier': '2'}),
            ('c', {'ssd': 'yes'}),
            ('c', {'tier': '1'}),
        ):
            self.cloud.aggregates.append(
                survey.Aggregate(frozenset({host}), metadata)
            )
        needs = model.Needs(aggregate_specs=specs)
        self.assertEqual('c', self.move(needs=needs))
        self.assertEqual('a', self.move('b', needs=needs))


class GroupsTestCase(SchedulerTestCase):
    def test_anti_affinity(self) -> None:
        self.cloud.group('anti-affinity', self.server, self.cloud.add('b'))
        self.cloud.live_migrate(self.server.id)
        self.go_on()
        self.assertEqual('c', self.server.host)

    def refuse(self, host: str) -> None:
        self.cloud.live_migrate(self.server.id, host=host)
        self.go_on()
        self.assertEqual('a', self.server.host)
        self.assertEqual('error', _error(self.server))

    def test_the_host_of_another_member(self) -> None:
        self.cloud.group('anti-affinity', self.server, self.cloud.add('b'))
        self.refuse('b')

    def test_most_per_host(self) -> None:
        others = [self.cloud.add('b')]
        self.cloud.group(
            'anti-affinity', self.server, *others, most_per_host=2
        )
        self.cloud.live_migrate(self.server.id, host='b')
        self.go_on()
        self.assertEqual('b', self.server.host)

    def test_a_deleted_member(self) -> None:
        other = self.cloud.add('b')
        self.cloud.group('anti-affinity', self.server, other)
        self.cloud.delete(other.id)
        self.cloud.live_migrate(self.server.id, host='b')
        self.go_on()
        self.assertEqual('b', self.server.host)

    def test_who_is_on_the_way_is_not_seen(self) -> None:
        other = self.cloud.add('c')
        self.cloud.group('anti-affinity', self.server, other)
        self.cloud.live_migrate(other.id, host='b')
        self.go_on(2)
        self.cloud.live_migrate(self.server.id, host='b')
        self.go_on()
        self.assertEqual({'b'}, {self.server.host, other.host})
        assert self.server.work and other.work
        self.assertEqual({other.id}, self.server.work.clashes)
        self.assertEqual(set(), other.work.clashes)

    def test_affinity(self) -> None:
        # Neither may leave the other, so neither may leave.
        other = self.cloud.add('a')
        self.cloud.group('affinity', self.server, other)
        for host in ('', 'b'):
            self.refuse(host)
        other.host = 'b'
        self.refuse('c')
        self.cloud.live_migrate(self.server.id)
        self.go_on()
        self.assertEqual('b', self.server.host)
        assert self.server.work
        self.assertEqual(set(), self.server.work.clashes)

    def test_affinity_that_is_broken(self) -> None:
        other = self.cloud.add('a')
        self.cloud.group('affinity', self.server, other)
        self.cloud.live_migrate(self.server.id, 'c')
        self.go_on()
        assert self.server.work
        self.assertEqual({other.id}, self.server.work.clashes)

    def test_soft_ones(self) -> None:
        for policy, host in (
            ('soft-affinity', 'c'),
            ('soft-anti-affinity', 'b'),
        ):
            with self.subTest(policy):
                self.setUp()
                other = self.cloud.add('c')
                self.cloud.group(policy, self.server, other)
                self.cloud.live_migrate(self.server.id)
                self.go_on()
                self.assertEqual(host, self.server.host)

    def test_it_is_told_of_the_server(self) -> None:
        self.assertIs(False, self.server.shown().needs.grouped)
        group = self.cloud.group('soft-affinity', self.server)
        self.assertIs(True, self.server.shown().needs.grouped)
        self.assertIs(group, self.cloud.group_of(self.server))


class WeighersTestCase(SchedulerTestCase):
    def many(self, count: int, kind: str, apart: float = 0.0) -> list[str]:
        """Move servers, one after the other; return the hosts' shares."""
        servers = [self.cloud.add('a', seconds=1) for _number in range(count)]
        for server in servers:
            getattr(self.cloud, kind)(server.id)
            self.go_on(apart)
        self.go_on()
        return [str(server.host) for server in servers]

    def test_the_emptiest_host(self) -> None:
        self.cloud.add('b', memory_mb=4096)
        self.assertEqual('c', self.move())

    def test_every_resource_counts(self) -> None:
        # It has the most memory, and little of the rest.
        for host, vcpus, memory in (('b', 2, 9000), ('c', 8, 8000)):
            capacity = self.cloud.hosts[host].inventory.capacity
            capacity.update(VCPU=vcpus, MEMORY_MB=memory)
        self.assertEqual('c', self.move())

    def test_live_migrations_pile_up(self) -> None:
        self.assertEqual(['b'] * 20, self.many(20, 'live_migrate'))

    def test_it_switches_once_a_minute(self) -> None:
        found = self.many(30, 'live_migrate', apart=4.2)
        shares = [(host, found.count(host)) for host in dict.fromkeys(found)]
        self.assertEqual([('b', 15), ('c', 15)], shares)
        self.assertEqual(['b'] * 15, found[:15])

    def test_cold_migrations_spread(self) -> None:
        found = self.many(10, 'cold_migrate')
        self.assertEqual({'b': 5, 'c': 5}, dict(collections.Counter(found)))

    def test_what_is_so(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b', 'c'], piles_up=False)
        found = self.many(10, 'live_migrate')
        self.assertEqual({'b': 5, 'c': 5}, dict(collections.Counter(found)))


class InventoryTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.inventory = inventory.Inventory({'VCPU': 4, 'MEMORY_MB': 100})

    def test_exactly_full(self) -> None:
        self.inventory.take({'VCPU': 3})
        self.assertTrue(self.inventory.fits({'VCPU': 1, 'MEMORY_MB': 100}))
        self.assertFalse(self.inventory.fits({'VCPU': 2}))
        self.assertFalse(self.inventory.fits({'MEMORY_MB': 101}))
        self.inventory.give_back({'VCPU': 1})
        self.assertTrue(self.inventory.fits({'VCPU': 2}))

    def test_overfull(self) -> None:
        self.inventory.take({'VCPU': 5})
        self.assertFalse(self.inventory.fits({'VCPU': 1}))
        self.assertTrue(self.inventory.fits({'VCPU': 0, 'MEMORY_MB': 1}))

    def test_a_class_that_it_does_not_have(self) -> None:
        self.assertFalse(self.inventory.fits({'PCPU': 1}))
        self.assertTrue(self.inventory.fits({'PCPU': 0}))

    def test_what_a_server_takes(self) -> None:
        self.assertEqual(
            {'VCPU': 2, 'MEMORY_MB': 4096, 'DISK_GB': 8},
            inventory.needed(4096, volume_backed=False),
        )
        self.assertEqual(
            {'VCPU': 1, 'MEMORY_MB': 512},
            inventory.needed(512, volume_backed=True),
        )
