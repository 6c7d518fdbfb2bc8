# SPDX-License-Identifier: Apache-2.0

"""Members of groups, and what would help where servers do not fit."""

from osc_hostmaint.planning.capacity import server_groups
from osc_hostmaint.planning.capacity import suggestions
from tests import unit
from tests.unit.planning import clouds

ONE_BY_ONE = (
    'the servers of each host alone would fit: drain one host, put it back '
    'into service, then drain the next'
)
MEMBERS = ('vm1', 'vm2', 'vm3')


def sources(*names: str) -> list[clouds.Host]:
    """Return hosts to be drained that are half full."""
    return [clouds.filled(name, 0.5, maintenance=True) for name in names]


def halves(*names: str):
    """Return a server that takes half a host on each of some hosts."""
    return [clouds.demand(f'on {n}', clouds.HALF, source=n) for n in names]


class TestSuggestions(unit.TestCase):
    def find(self, nodes, demands):
        """Return what would help."""
        return suggestions.find(clouds.assign(nodes, demands))

    def test_one_by_one_must_help_each_host(self):
        nodes = [clouds.filled('a', 0.5), *sources('one', 'two')]
        demands = halves('one', 'two')
        large = clouds.demand('x', clouds.WHOLE, 'two')
        self.assertEqual(ONE_BY_ONE, self.find(nodes, demands)[0])
        # Each may take the other's server only.
        self.assertEqual(ONE_BY_ONE, self.find(nodes[1:], demands)[0])
        self.assertNotIn(ONE_BY_ONE, self.find(nodes, [*demands, large]))

    def test_a_disabled_host_would_have_room(self):
        off = clouds.Host('off', enabled=False)
        self.assertEqual(
            'all would fit with off in service (now disabled)',
            self.find([off], clouds.demands(1))[0],
        )


def those(policy: str, most: int = 1, **located: str):
    """Return the members of one group, and where they are."""
    group = clouds.group(policy, *MEMBERS, most=most)
    return server_groups.GroupMembers([group], located)


class TestPlaces(unit.TestCase):
    def test_server_without_group_is_ignored(self):
        them = those('anti-affinity', vm1='a')
        them.put('stranger', 'a')
        self.assertIsNone(them.group('stranger'))
        self.assertEqual(0, them.others('stranger', 'a'))
        self.assertEqual(1, them.others('vm2', 'a'))
        self.assertTrue(them.allows('stranger', 'a'))
        self.assertEqual(0, them.soft_penalty('stranger', 'a'))

    def test_hosts_of_other_members(self):
        them = those('soft-affinity', vm1='a', vm2='a', vm3='b')
        them.put('vm3', 'c')
        self.assertEqual({'a', 'c'}, set(them.hosts_of_others('vm1')))
        self.assertEqual({'a'}, set(them.hosts_of_others('vm3')))
        self.assertEqual(set(), set(them.hosts_of_others('stranger')))
