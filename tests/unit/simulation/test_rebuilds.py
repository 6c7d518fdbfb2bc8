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


class TwiceTestCase(RebuildsTestCase):
    """What Nova does not refuse, and somebody has to notice."""

    def setUp(self) -> None:
        super().setUp()
        self.cloud.fence('a')
        self.one = self.server()

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
