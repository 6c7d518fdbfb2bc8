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

"""Hosts, as servers are put on them in thought."""

import unittest

from osc_hostmaint.planning import floor as floors
from tests.unit.planning import clouds

GPUS = {'gpu0': {'VGPU': 1}, 'gpu1': {'VGPU': 1}}


def floor(nodes, demands, **known) -> floors.Floor:
    """Return a floor that nothing was put on yet."""
    return floors.Floor(clouds.attempt(nodes, demands, **known).task)


class TestFloor(unittest.TestCase):
    def put(self, where, demand, host):
        candidate = where.candidate(demand, host)
        self.assertIsNotNone(candidate)
        where.put(demand, host, candidate)

    def test_what_is_lifted_leaves_its_room(self):
        demands = clouds.demands(2, clouds.WHOLE)
        where = floor(clouds.hosts('a'), demands)
        self.put(where, demands[0], 'a')
        self.assertIsNone(where.candidate(demands[1], 'a'))

        host, candidate = where.lift(demands[0])

        self.assertEqual('a', host)
        self.assertEqual(candidate, where.candidate(demands[1], 'a'))
        self.assertEqual({}, where.placed)

    def test_what_is_lifted_keeps_nobody_away(self):
        group = clouds.group('anti-affinity', 'vm00', 'vm01')
        demands = clouds.demands(2)
        where = floor(clouds.hosts('a'), demands, groups=[group])
        self.put(where, demands[0], 'a')
        self.assertFalse(where.admits(demands[1], 'a'))

        where.lift(demands[0])

        self.assertTrue(where.admits(demands[1], 'a'))

    def test_the_first_candidate_with_room_is_taken(self):
        demands = clouds.demands(3, {'VGPU': 1})
        where = floor([clouds.Host('a', nested=GPUS)], demands)

        for demand in demands[:2]:
            self.put(where, demand, 'a')

        self.assertIsNone(where.candidate(demands[2], 'a'))
        self.assertEqual(
            ['rp-a-gpu0', 'rp-a-gpu1'],
            [c[0].provider for _host, c in where.placed.values()],
        )

    def test_the_packing_tells_who_is_placed_and_who_is_left(self):
        demands = clouds.demands(2, clouds.WHOLE)
        task = clouds.attempt(clouds.hosts('a'), demands).task
        where = floors.Floor(task)
        self.assertFalse(where.complete(task))
        self.put(where, demands[1], 'a')

        packed = where.packing(task)

        self.assertEqual({'vm01': 'a'}, dict(packed.placed))
        self.assertEqual(('vm00',), packed.left)
        self.assertFalse(where.complete(task))
