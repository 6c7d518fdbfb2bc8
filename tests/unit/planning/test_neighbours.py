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

"""Who of a server group may go where."""

import unittest

from osc_hostmaint.planning import neighbours
from tests.unit.planning import clouds

MEMBERS = ('vm1', 'vm2', 'vm3')


def those(policy: str, most: int = 1, **located: str) -> neighbours.Neighbours:
    """Return the members of one group, and where they are."""
    group = clouds.group(policy, *MEMBERS, most=most)
    return neighbours.Neighbours([group], located)


class TestPlaces(unittest.TestCase):
    def test_others_are_counted_on_each_host(self):
        them = those('anti-affinity', vm1='a', vm2='a', vm3='b')

        self.assertEqual(1, them.others('vm1', 'a'))
        self.assertEqual(1, them.others('vm1', 'b'))
        self.assertEqual(2, them.others('vm3', 'a'))
        self.assertEqual(0, them.others('vm3', 'b'))
        self.assertEqual(0, them.others('vm1', 'z'))

    def test_a_server_is_on_one_host_only(self):
        them = those('anti-affinity', vm1='a')
        them.put('vm1', 'b')

        self.assertEqual(0, them.others('vm2', 'a'))
        self.assertEqual(1, them.others('vm2', 'b'))

    def test_what_is_in_no_group_is_none_of_ours(self):
        them = those('anti-affinity', vm1='a')
        them.put('stranger', 'a')

        self.assertIsNone(them.group('stranger'))
        self.assertEqual(0, them.others('stranger', 'a'))
        self.assertEqual(1, them.others('vm2', 'a'))
        self.assertTrue(them.admit('stranger', 'a'))
        self.assertEqual(0, them.strain('stranger', 'a'))

    def test_groups_do_not_mix(self):
        them = neighbours.Neighbours(
            [
                clouds.group('anti-affinity', 'vm1', group_id='one'),
                clouds.group('anti-affinity', 'vm2', group_id='two'),
            ],
            {'vm1': 'a'},
        )

        self.assertTrue(them.admit('vm2', 'a'))

    def test_copies_are_independent(self):
        them = those('anti-affinity', vm1='a', vm2='src')
        other = them.copy()
        other.put('vm1', 'b')

        self.assertFalse(them.admit('vm2', 'a'))
        self.assertTrue(other.admit('vm2', 'a'))
        self.assertFalse(other.admit('vm2', 'b'))
        self.assertTrue(them.admit('vm2', 'b'))

    def test_hosts_of_the_others_are_known(self):
        them = those('soft-affinity', vm1='a', vm2='a', vm3='b')
        them.put('vm3', 'c')

        self.assertEqual({'a', 'c'}, set(them.hosts_of_others('vm1')))
        self.assertEqual({'a'}, set(them.hosts_of_others('vm3')))
        self.assertEqual(set(), set(them.hosts_of_others('stranger')))


class TestRules(unittest.TestCase):
    def test_anti_affinity_keeps_apart(self):
        them = those('anti-affinity', vm1='a', vm2='src')

        self.assertFalse(them.admit('vm2', 'a'))
        self.assertTrue(them.admit('vm2', 'b'))

    def test_anti_affinity_does_not_count_oneself(self):
        self.assertTrue(those('anti-affinity', vm1='a').admit('vm1', 'a'))

    def test_anti_affinity_may_allow_more_than_one(self):
        them = those('anti-affinity', 2, vm1='a', vm2='src', vm3='src')

        self.assertTrue(them.admit('vm2', 'a'))
        them.put('vm2', 'a')
        self.assertFalse(them.admit('vm3', 'a'))

    def test_affinity_keeps_where_members_are(self):
        them = those('affinity', vm1='src', vm2='src')

        self.assertTrue(them.admit('vm1', 'src'))
        self.assertFalse(them.admit('vm1', 'a'))

    def test_affinity_would_take_a_host_of_another_member(self):
        them = those('affinity', vm1='src', vm2='a')

        self.assertTrue(them.admit('vm1', 'a'))
        self.assertFalse(them.admit('vm1', 'b'))

    def test_soft_rules_forbid_nothing(self):
        for policy in ('soft-affinity', 'soft-anti-affinity', 'new one'):
            with self.subTest(policy):
                them = those(policy, vm1='a', vm2='src')

                self.assertTrue(them.admit('vm2', 'a'))
                self.assertTrue(them.admit('vm2', 'b'))

    def test_soft_rules_have_their_likes(self):
        for policy, near, apart in (
            ('soft-affinity', -1, 0),
            ('soft-anti-affinity', 1, 0),
            ('affinity', 0, 0),
            ('anti-affinity', 0, 0),
            ('new one', 0, 0),
        ):
            with self.subTest(policy):
                them = those(policy, vm1='a', vm2='src')

                self.assertEqual(near, them.strain('vm2', 'a'))
                self.assertEqual(apart, them.strain('vm2', 'b'))
