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

from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import timeline


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


class WeighersTestCase(SchedulerTestCase):
    def many(self, count: int, kind: str, apart: float = 0.0) -> list[str]:
        """Move servers, one after the other; return the hosts' shares."""
        servers = [self.cloud.add('a', seconds=1) for _number in range(count)]
        for server in servers:
            getattr(self.cloud, kind)(server.id)
            self.go_on(apart)
        self.go_on()
        return [str(server.host) for server in servers]

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
