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

import unittest

import ddt

from tests.unit.simulation import cloud as clouds


@ddt.ddt
class WeighersTestCase(unittest.TestCase):
    def many(self, count: int, kind: str, apart: float = 0.0) -> list[str]:
        """Move servers, one after the other; return where they are then."""
        cloud = clouds.Cloud(['a', 'b', 'c'])
        servers = [cloud.add('a', seconds=1) for _number in range(count)]
        for server in servers:
            getattr(cloud, kind)(server.id)
            cloud.timeline.run_until(cloud.timeline.now + apart)
        while cloud.timeline.run_next():
            pass
        return [str(server.host) for server in servers]

    @ddt.data((0.0, ['b'] * 30), (4.2, ['b'] * 15 + ['c'] * 15))
    @ddt.unpack
    def test_live_migrations_pile_up_for_a_minute(
        self, apart: float, expected: list[str]
    ) -> None:
        self.assertEqual(expected, self.many(30, 'live_migrate', apart))

    def test_cold_migrations_spread(self) -> None:
        found = self.many(10, 'cold_migrate')
        self.assertEqual(['b'] * 5 + ['c'] * 5, sorted(found))
