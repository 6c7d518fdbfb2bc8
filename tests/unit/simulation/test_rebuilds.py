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

"""Servers that are built anew off a host that has died."""

import unittest

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import world

Fate = world.Fate
Power = model.PowerState


class RebuildsTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b', 'c'])

    def server(self, vm_state: str = 'active', *fates: Fate, **values):
        server = self.cloud.add('a', vm_state, **values)
        server.fates.extend(fates)
        return server

    def pass_(self, seconds: float) -> None:
        self.cloud.timeline.run_until(self.cloud.timeline.now + seconds)

    def reach(self, server: world.Server, task_state: str | None) -> None:
        """Let time pass until a server is busy with something."""
        while server.task_state != task_state:
            self.assertTrue(self.cloud.timeline.run_next(), task_state)

    def end(self, server: world.Server) -> str:
        """Let everything happen."""
        while self.cloud.timeline.run_next():
            pass
        return self.shown(server)

    def shown(self, server: world.Server) -> str:
        records = [
            f'{record.status} to {record.dest}'
            for record in self.cloud.records.values()
            if record.server is server
        ]
        return f'{server.status} on {server.host}, {", ".join(records)}'

    def evacuate(self, server: world.Server, **options) -> str:
        """Evacuate a server off a host that is dead."""
        self.cloud.fence('a')
        self.cloud.evacuate(server.id, **options)
        return self.end(server)


@ddt.ddt
class StatesTestCase(RebuildsTestCase):
    @ddt.data(
        ('active', None, False, 'ACTIVE', Power.RUNNING),
        ('stopped', None, False, 'SHUTOFF', Power.SHUTDOWN),
        ('error', Power.RUNNING, False, 'ACTIVE', Power.RUNNING),
        ('error', Power.SHUTDOWN, False, 'ACTIVE', Power.RUNNING),
        ('active', None, True, 'SHUTOFF', Power.SHUTDOWN),
        ('stopped', None, True, 'SHUTOFF', Power.SHUTDOWN),
        ('error', Power.SHUTDOWN, True, 'ACTIVE', Power.RUNNING),
    )
    @ddt.unpack
    def test_each(
        self, vm_state, before, stopped: bool, status: str, after
    ) -> None:
        server = self.server(vm_state, power_state=before)
        self.assertEqual(
            f'{status} on b, done to b',
            self.evacuate(server, stopped=stopped),
        )
        self.assertEqual(after, server.power_state)
        self.assertEqual(['b'], server.path)

    def test_the_way(self) -> None:
        self.cloud.fence('a')
        server = self.server('stopped')
        self.cloud.evacuate(server.id)
        self.assertEqual('REBUILD on a, accepted to None', self.shown(server))
        seen = [(server.status, server.task_state)]
        while self.cloud.timeline.run_next():
            now = (server.status, server.task_state)
            seen += [now] if now != seen[-1] else []
        self.assertEqual(
            [
                ('REBUILD', 'rebuilding'),
                ('REBUILD', 'rebuild_block_device_mapping'),
                ('REBUILD', 'rebuild_spawning'),
                ('ACTIVE', 'powering-off'),
                ('SHUTOFF', None),
            ],
            seen,
        )

    def test_it_rests_on_the_source_before_it_has_left_it(self) -> None:
        self.cloud.fence('a')
        server = self.server()
        self.cloud.evacuate(server.id)
        self.reach(server, None)
        self.assertEqual('ACTIVE on a, pre-migrating to b', self.shown(server))

    def test_both_hosts_hold_it_until_the_source_is_back(self) -> None:
        server = self.server()
        self.evacuate(server)
        self.assertEqual({'a', 'b'}, set(self.cloud.allocations[server.id]))
        self.cloud.start('a')
        self.assertEqual({'b'}, set(self.cloud.allocations[server.id]))

    def test_where_to(self) -> None:
        server = self.server()
        self.assertIn('ACTIVE on c', self.evacuate(server, host='c'))


@ddt.ddt
class RefusalsTestCase(RebuildsTestCase):
    def refused(self, words: str, host: str = '') -> bool:
        server = self.server()
        with self.assertRaisesRegex(
            exceptions.RequestRefused, words
        ) as caught:
            self.cloud.evacuate(server.id, host=host)
        self.assertEqual({}, self.cloud.records)
        return caught.exception.final

    def test_a_host_in_use(self) -> None:
        self.assertTrue(self.refused('service of a is still in use'))

    def test_a_host_that_nobody_has_missed_yet(self) -> None:
        self.cloud.crash('a')
        self.refused('still in use')
        self.pass_(60)
        self.cloud.evacuate(self.server().id)

    def test_the_same_host(self) -> None:
        self.cloud.fence('a')
        self.assertTrue(self.refused('same one', 'a'))

    def test_a_host_that_is_not(self) -> None:
        self.cloud.fence('a')
        with self.assertRaisesRegex(exceptions.NotFound, 'nowhere not found'):
            self.cloud.evacuate(self.server().id, host='nowhere')


class FailuresTestCase(RebuildsTestCase):
    def test_no_host(self) -> None:
        self.cloud.disable('b')
        self.cloud.disable('c')
        server = self.server('stopped')
        self.assertEqual('ERROR on a, error to None', self.evacuate(server))
        self.assertEqual(Power.SHUTDOWN, server.power_state)
        self.assertIn('No valid host', server.failure)
        self.assertEqual({'a'}, set(self.cloud.allocations[server.id]))

    def test_a_claim(self) -> None:
        for vm_state, status in (
            ('active', 'ACTIVE'),
            ('stopped', 'SHUTOFF'),
            ('error', 'ERROR'),
        ):
            server = self.server(vm_state, Fate.PRECHECK)
            before = server.power_state
            self.assertEqual(
                f'{status} on a, failed to b', self.evacuate(server, host='b')
            )
            self.assertEqual(before, server.power_state)
            self.assertEqual({'a'}, set(self.cloud.allocations[server.id]))

    def test_a_spawn(self) -> None:
        for fate in (Fate.PRE, Fate.ROLLED_BACK, Fate.BROKEN):
            server = self.server('stopped', fate)
            self.assertEqual(
                'ERROR on a, failed to b', self.evacuate(server, host='b')
            )
            self.assertEqual(Power.NOSTATE, server.power_state)
            self.assertEqual({'a'}, set(self.cloud.allocations[server.id]))

    def test_a_record_behind_its_server(self) -> None:
        self.cloud.fence('a')
        server = self.server()
        self.cloud.evacuate(server.id)
        while server.host == 'a':
            self.assertTrue(self.cloud.timeline.run_next())
        self.assertEqual('ACTIVE on b, pre-migrating to b', self.shown(server))
        self.assertEqual('ACTIVE on b, done to b', self.end(server))

    def test_a_server_that_is_deleted_meanwhile(self) -> None:
        self.cloud.fence('a')
        server = self.server()
        self.cloud.evacuate(server.id)
        self.pass_(1)
        self.cloud.delete(server.id)
        self.assertEqual('REBUILD on a, ', self.end(server))
        self.assertEqual({}, self.cloud.allocations[server.id])

    def test_a_reset_in_the_middle(self) -> None:
        self.cloud.fence('a')
        server = self.server()
        self.cloud.evacuate(server.id)
        self.reach(server, 'rebuild_spawning')
        self.cloud.reset(server.id)
        self.assertEqual('ACTIVE', server.status)
        self.assertEqual('ERROR on a, failed to b', self.end(server))


class DestinationTestCase(RebuildsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cloud.fence('a')
        self.one = self.server()

    def test_it_is_dead_and_nobody_knows(self) -> None:
        self.cloud.crash('b')
        self.cloud.evacuate(self.one.id)
        self.pass_(30)
        self.assertEqual(
            'REBUILD on a, accepted to None', self.shown(self.one)
        )
        self.cloud.start('b')
        self.assertEqual('ACTIVE on b, done to b', self.end(self.one))

    def test_it_dies_in_the_middle(self) -> None:
        self.cloud.evacuate(self.one.id)
        self.reach(self.one, 'rebuild_spawning')
        self.cloud.crash('b')
        self.pass_(300)
        self.cloud.start('b')
        self.assertEqual(
            'REBUILD on a, pre-migrating to b', self.end(self.one)
        )


class SourceTestCase(RebuildsTestCase):
    """The host comes back, and cleans up."""

    def setUp(self) -> None:
        super().setUp()
        self.one = self.server()
        self.cloud.fence('a')
        self.cloud.evacuate(self.one.id)

    def test_afterwards(self) -> None:
        self.end(self.one)
        self.cloud.start('a')
        self.assertEqual('ACTIVE on b, completed to b', self.shown(self.one))

    def test_in_the_middle(self) -> None:
        self.reach(self.one, 'rebuild_spawning')
        self.cloud.start('a')
        self.assertEqual('REBUILD on a, completed to b', self.shown(self.one))
        # Whoever builds it does not know that, and has the last word.
        self.assertEqual('ACTIVE on b, done to b', self.end(self.one))
        self.assertEqual({'b'}, set(self.cloud.allocations[self.one.id]))
        self.assertEqual([], self.cloud.torn)

    def test_what_was_not_evacuated_stays(self) -> None:
        other = self.server('stopped')
        self.end(self.one)
        self.cloud.start('a')
        self.assertEqual('SHUTOFF on a, ', self.shown(other))

    def test_no_forced_up_before_it_has_cleaned_up(self) -> None:
        self.cloud.force_down('a', down=False)
        self.cloud.force_down('a')
        self.end(self.one)
        with self.assertRaisesRegex(
            exceptions.RequestRefused, 'Unable to force up host a'
        ):
            self.cloud.force_down('a', down=False)
        self.cloud.start('a')
        self.assertFalse(self.cloud.hosts['a'].in_use)
        self.cloud.force_down('a', down=False)
        self.assertTrue(self.cloud.hosts['a'].in_use)

    def test_only_the_newest_record_of_a_server(self) -> None:
        self.end(self.one)
        first = self.cloud.records[1]
        first.status, self.one.host = 'accepted', 'a'
        self.cloud.evacuate(self.one.id)
        second = self.cloud.records[2]
        self.cloud.start('a')
        self.assertEqual('accepted', first.status)
        self.assertEqual('completed', second.status)


class TwiceTestCase(RebuildsTestCase):
    """What Nova does not refuse, and somebody has to notice."""

    def setUp(self) -> None:
        super().setUp()
        self.cloud.fence('a')
        self.one = self.server()

    def test_one_after_the_other(self) -> None:
        self.evacuate(self.one)
        self.cloud.fence('b')
        self.cloud.evacuate(self.one.id)
        self.assertIn('ACTIVE on c', self.end(self.one))
        self.assertEqual([], self.cloud.doubles)
        self.assertEqual([], self.cloud.torn)

    def test_two_at_once(self) -> None:
        self.cloud.evacuate(self.one.id)
        self.pass_(2)
        self.cloud.evacuate(self.one.id, host='c')
        ((first, second),) = self.cloud.doubles
        self.assertLess(first.began, second.began)
        # The first is done, and the second does not expect that.
        self.assertEqual(
            'ERROR on b, done to b, failed to c', self.end(self.one)
        )
        ((work, host),) = self.cloud.torn
        self.assertEqual(('c', 'b'), (work.dest, host))

    def test_at_the_last_moment(self) -> None:
        self.cloud.evacuate(self.one.id)
        self.reach(self.one, None)
        self.cloud.evacuate(self.one.id, host='c')
        self.end(self.one)
        self.assertEqual(1, len(self.cloud.doubles))
        ((work, host),) = self.cloud.torn
        self.assertEqual(('c', 'b'), (work.dest, host))

    def test_the_conductor_takes_the_record_of_another(self) -> None:
        self.cloud.evacuate(self.one.id)
        self.cloud.evacuate(self.one.id)
        self.end(self.one)
        self.assertEqual(
            ['failed', 'accepted'],
            [r.status for r in self.cloud.records.values()],
        )

    def test_one_that_nobody_is_at_any_more(self) -> None:
        self.cloud.evacuate(self.one.id)
        self.reach(self.one, 'rebuild_spawning')
        self.cloud.crash('b')
        self.cloud.evacuate(self.one.id, host='c')
        self.assertIn('ACTIVE on c', self.end(self.one))
        self.assertEqual([], self.cloud.doubles)
