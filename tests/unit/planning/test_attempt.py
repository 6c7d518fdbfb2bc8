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

"""One try to place servers."""

import unittest

from osc_hostmaint.planning import attempt as attempts
from tests.unit.planning import clouds

A, B = clouds.hosts('a', 'b')


class TestAttempt(unittest.TestCase):
    def test_it_can_be_made_again_with_other_limits(self):
        demands = clouds.demands(5)
        nodes = [A, clouds.Host('b', enabled=False)]
        tried = clouds.attempt(nodes, demands)

        again = tried.again(opened=frozenset({'b'}))

        self.assertEqual(1, len(tried.outcome.left))
        self.assertEqual((), again.outcome.left)
        self.assertEqual(tried.limits.leaving, again.limits.leaving)
        self.assertEqual(tried.outcome, tried.again().outcome)

    def test_it_can_be_made_again_with_some_of_them(self):
        demands = clouds.demands(5)
        tried = clouds.attempt([A], demands)

        again = tried.again(demands[1:])

        self.assertEqual((), again.outcome.left)
        self.assertNotIn('vm00', again.outcome.placed)

    def test_the_others_stay_where_they_are(self):
        group = clouds.group('anti-affinity', 'vm1', 'vm2')
        demands = [
            clouds.demand('vm1', source='src1'),
            clouds.demand('vm2', source='src2'),
        ]
        nodes = [clouds.filled('src2', 0.5), clouds.filled('b', 1)]
        tried = clouds.attempt(nodes, demands, groups=[group])

        again = tried.again(demands[:1], leaving=frozenset({'src1'}))

        self.assertEqual(('vm1',), again.outcome.left)

    def test_carried_out_it_is_as_it_would_be_afterwards(self):
        demands = clouds.demands(5)
        tried = clouds.attempt([A], demands)

        floor = tried.carried_out()

        self.assertEqual(1.0, floor.room.load('a'))
        self.assertEqual(0.0, tried.task.room.load('a'))
        self.assertEqual(4, len(floor.placed))


class TestTask(unittest.TestCase):
    GROUP = clouds.group('anti-affinity', 'vm1', 'vm2', 'vm3')

    def others(self, host, **moved):
        """Return how many others of the group are on a host."""
        demands = [clouds.demand('vm1')]
        seen = clouds.survey(
            [A, B],
            demands,
            groups=[self.GROUP],
            located={'vm1': 'a', 'vm2': 'a', 'vm3': 'b'},
        )
        task = attempts.task(seen, demands, clouds.limits(demands), moved)
        return task.neighbours.others('vm1', host)

    def test_members_are_where_the_survey_saw_them(self):
        self.assertEqual((1, 1), (self.others('a'), self.others('b')))

    def test_those_that_moved_are_where_they_went(self):
        self.assertEqual(
            (0, 2), (self.others('a', vm2='b'), self.others('b', vm2='b'))
        )

    def test_what_has_to_go_is_at_its_source(self):
        self.assertEqual(
            2, self.others(clouds.SOURCE, vm2=clouds.SOURCE, vm3=clouds.SOURCE)
        )

    def test_so_it_is_though_it_was_seen_elsewhere(self):
        demands = [clouds.demand('vm1')]
        seen = clouds.survey(
            [A], demands, groups=[self.GROUP], located={'vm1': 'a'}
        )
        task = attempts.task(
            seen, demands, clouds.limits(demands), {'vm1': 'a'}
        )

        self.assertTrue(task.neighbours.admit('vm2', 'a'))

    def test_without_groups_nobody_is_kept_apart(self):
        demands = [clouds.demand('vm1')]
        seen = clouds.survey([A], demands, groups=None)
        task = attempts.task(seen, demands, clouds.limits(demands))

        self.assertTrue(task.neighbours.admit('vm1', 'a'))
