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

"""What is asked where a host has died, and where servers come home."""

import unittest

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import client as clients
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world


class DeadHostTestCase(unittest.TestCase):
    """What an evacuation, and a way back, ask for."""

    def setUp(self) -> None:
        self.cloud = scene.cloud(1)
        self.clock = timeline.VirtualClock(self.cloud.timeline)
        (self.server,) = self.cloud.servers.values()
        self.me = clients.Client(self.cloud, self.clock)
        self.began = self.me.now()

    def evacuate(self) -> None:
        service = self.cloud.hosts[scene.SOURCE].shown()
        self.cloud.power_off(scene.SOURCE)
        self.assertTrue(self.me.force_down(service, down=True).forced_down)
        self.me.evacuate(self.server.id, 'cmp03', stopped=True)
        self.clock.sleep(10)

    def test_an_evacuation(self) -> None:
        self.evacuate()
        seen = self.me.server(self.server.id)
        self.assertEqual(('SHUTOFF', 'cmp03'), (seen.status, seen.host))
        self.assertEqual(model.PowerState.SHUTDOWN, seen.power_state)
        (posted, answer), *_others = self.me.posted
        self.assertEqual(('cmp03', ''), (posted.host, answer))
        self.assertEqual(
            'evacuate', self.me.history(self.server.id)[-1].action
        )

    def test_a_reset(self) -> None:
        self.server.vm_state, self.server.power_state = 'error', 4
        self.me.reset(self.server.id)
        seen = self.me.server(self.server.id)
        self.assertEqual(('ACTIVE', 4), (seen.status, seen.power_state))
        self.assertEqual(
            'resetState', self.me.history(self.server.id)[-1].action
        )

    def test_what_is_to_be_cleaned_up(self) -> None:
        self.assertEqual([], self.me.evacuated(scene.SOURCE))
        self.evacuate()
        (record,) = self.me.evacuated(scene.SOURCE)
        self.assertEqual(self.server.id, record.server_id)
        self.assertEqual([], self.me.evacuated('cmp03'))
        service = self.cloud.hosts[scene.SOURCE].shown()
        with self.assertRaises(exceptions.RequestRefused):
            self.me.force_down(service, down=False)
        self.cloud.start(scene.SOURCE)
        self.assertEqual([], self.me.evacuated(scene.SOURCE))
        self.assertTrue(self.me.force_down(service, down=False).up)

    def test_what_has_left(self) -> None:
        other = self.cloud.add('cmp02')
        self.cloud.live_migrate(other.id)
        self.evacuate()
        (left,) = self.me.left(scene.SOURCE, self.began)
        self.assertEqual(self.server.id, left.server_id)
        self.assertEqual([], self.me.left(scene.SOURCE, self.me.now()))
        moves = self.me.moves(self.began)
        self.assertCountEqual(
            [self.server.id, other.id], [r.server_id for r in moves]
        )

    def test_a_record_that_was_never_changed(self) -> None:
        self.cloud.fence(scene.SOURCE)
        self.cloud.crash('cmp03')
        self.me.evacuate(self.server.id, 'cmp03')
        self.clock.sleep(10)
        self.assertEqual(1, len(self.me.migrations(scene.SOURCE)))
        self.assertEqual([], self.me.moves(self.began))

    def test_deleted_ones(self) -> None:
        self.assertEqual([], self.me.deleted(self.began))
        self.clock.sleep(5)
        self.cloud.delete(self.server.id)
        (shown,) = self.me.deleted(self.began)
        self.assertEqual(
            (self.server.id, self.server.name, 'DELETED', scene.SOURCE),
            (shown.id, shown.name, shown.status, shown.host),
        )
        self.clock.sleep(5)
        self.assertEqual([], self.me.deleted(self.me.now()))

    def test_where_it_was(self) -> None:
        self.cloud.live_migrate(self.server.id, 'cmp02')
        self.clock.sleep(10)
        self.server.fates.append(world.Fate.ROLLED_BACK)
        self.cloud.live_migrate(self.server.id)
        self.clock.sleep(10)
        self.cloud.delete(self.server.id)
        ask = self.me.origins
        self.assertEqual({scene.SOURCE}, ask(self.server.id, self.began))
        self.assertEqual(set(), ask(self.server.id, self.me.now()))

    def test_disks(self) -> None:
        self.assertTrue(self.me.server(self.server.id).local_disk)
        self.server.volume_backed = True
        self.assertFalse(self.me.server(self.server.id).local_disk)
