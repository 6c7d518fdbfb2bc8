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

"""What a simulated Nova does on purpose, and a real one by bad luck."""

import collections
import unittest

from tests.unit.simulation import cloud as clouds
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

    def test_a_lie(self) -> None:
        self.assertEqual(
            'completed, ACTIVE on a', self.move(world.Fate.LIE)[-1]
        )
        self.assertEqual({'a'}, self.cloud.allocations[self.server.id].keys())
        self.assertEqual(set(), self.cloud.allocations[self.uuid()].keys())

    def uuid(self) -> str:
        return self.cloud.records[1].uuid

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
