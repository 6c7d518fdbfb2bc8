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

"""What would help where servers do not fit."""

import unittest

from osc_hostmaint.planning import attempt as attempts
from osc_hostmaint.planning import eligible
from osc_hostmaint.planning import remedies
from tests.unit.planning import clouds

A, B = clouds.hosts('a', 'b')
ONE_BY_ONE = (
    'the servers of each of these hosts alone would fit: drain one, put it '
    'back into service, then drain the next'
)
HALF_FULL = clouds.filled('a', 0.5)


def sources(*names: str) -> list[clouds.Host]:
    """Return hosts to be drained that are half full."""
    return [clouds.filled(name, 0.5, maintenance=True) for name in names]


def halves(*names: str):
    """Return a server that takes half a host on each of some hosts."""
    return [clouds.demand(f'on {n}', clouds.HALF, source=n) for n in names]


class Base(unittest.TestCase):
    def find(self, nodes, demands, **known):
        """Return what would help."""
        return remedies.find(clouds.attempt(nodes, demands, **known))


class TestNothing(Base):
    def test_what_fits_needs_no_help(self):
        off = clouds.Host('off', enabled=False)

        self.assertEqual((), self.find([A, off], clouds.demands(2)))

    def test_nothing_helps_where_nothing_is_known(self):
        self.assertEqual((), self.find([], clouds.demands(1)))


class TestOneByOne(Base):
    def test_two_hosts_that_would_have_fitted_one_by_one(self):
        found = self.find(
            [HALF_FULL, *sources('one', 'two')], halves('one', 'two')
        )

        self.assertEqual(ONE_BY_ONE, found[0])

    def test_they_may_take_each_others_servers_only(self):
        found = self.find(sources('one', 'two'), halves('one', 'two'))

        self.assertEqual(ONE_BY_ONE, found[0])

    def test_it_must_help_each_of_them(self):
        found = self.find(
            [HALF_FULL, *sources('one', 'two')],
            [*halves('one', 'two'), clouds.demand('x', clouds.WHOLE, 'two')],
        )

        self.assertNotIn(ONE_BY_ONE, found)

    def test_a_host_that_is_down_takes_nothing(self):
        down = clouds.filled('two', 0.5, maintenance=True, up=False)
        found = self.find([*sources('one'), down], halves('one', 'two'))

        self.assertNotIn(ONE_BY_ONE, found)

    def test_one_host_is_none_of_several(self):
        found = self.find([HALF_FULL], clouds.demands(1, clouds.WHOLE))

        self.assertNotIn(ONE_BY_ONE, found)

    def test_nothing_is_drained_on_a_way_home(self):
        """Servers of several hosts come to one: no drain is the remedy."""
        wanted = halves('one', 'two')
        nodes = [HALF_FULL, *clouds.hosts('one', 'two')]
        limits = eligible.Limits(frozenset(), only='a')
        tried = attempts.attempt(clouds.survey(nodes, wanted), wanted, limits)
        (found,) = remedies.find(tried)

        self.assertIn('would fit on a if that had', found)


class TestOpened(Base):
    def test_a_disabled_host_would_have_room(self):
        found = self.find(
            [clouds.Host('off', enabled=False)], clouds.demands(1)
        )

        self.assertEqual(
            'all would fit with off in service, which is disabled now',
            found[0],
        )

    def test_one_in_maintenance_as_well(self):
        found = self.find(
            [clouds.Host('kept', maintenance=True)], clouds.demands(1)
        )

        self.assertIn('with kept in service', found[0])

    def test_several_are_named_and_no_more_than_are_needed(self):
        nodes = [clouds.Host(n, enabled=False) for n in ('x', 'y', 'z')]
        found = self.find(nodes, clouds.demands(8))

        self.assertEqual(
            'all would fit with x, y in service, which are disabled now',
            found[0],
        )

    def test_hosts_that_would_not_help_are_not_named(self):
        nodes = [
            clouds.Host('empty', zone='zone2', enabled=False),
            clouds.filled('right', 0.5, zone='zone1', enabled=False),
            clouds.filled('full', 1, zone='zone1', enabled=False),
            clouds.Host('down', zone='zone1', enabled=False, up=False),
        ]
        found = self.find(
            nodes,
            clouds.demands(1, zone='zone1'),
            aggregates=[clouds.zone('zone1', 'right', 'full', 'down')],
        )

        self.assertEqual(
            'all would fit with right in service, which is disabled now',
            found[0],
        )

    def test_full_ones_do_not_hide_the_one_with_room(self):
        full = [
            clouds.filled(f'full{n}', 1, enabled=False)
            for n in range(remedies.MOST_OPENED + 1)
        ]
        found = self.find(
            [*full, clouds.filled('roomy', 0.5, enabled=False)],
            clouds.demands(1),
        )

        self.assertIn('with roomy in service', found[0])

    def test_those_that_could_take_what_is_left_come_first(self):
        # The others have room, too, but for what fits anyway.
        off = [
            clouds.filled(f'off{n}', 0.6, enabled=False)
            for n in range(remedies.MOST_OPENED)
        ]
        large = {c: 10 * n for c, n in clouds.SIZE.items()}
        used = {c: int(0.8 * n) for c, n in large.items()}
        big = clouds.Host('big', enabled=False, size=large, used=used)
        small = clouds.demand('small', {'VCPU': 1, 'MEMORY_MB': 1024})
        found = self.find(
            [HALF_FULL, *off, big], [small, *clouds.demands(1, clouds.WHOLE)]
        )

        self.assertIn('with big in service', found[0])

    def test_if_all_of_them_are_too_few_they_are_not_named(self):
        nodes = [clouds.Host('off', enabled=False)]

        for line in self.find(nodes, clouds.demands(5)):
            self.assertNotIn('off in service', line)

    def test_only_the_one_wanted_is_thought_of(self):
        nodes = [clouds.Host(n, enabled=False) for n in ('x', 'y')]
        found = self.find(nodes, clouds.demands(1), only='y')

        self.assertIn('with y in service', found[0])


class TestFreed(Base):
    def test_the_host_that_lacks_least_is_named(self):
        nodes = [clouds.filled('a', 0.75), clouds.filled('b', 0.625)]
        small = clouds.demand('small', {'VCPU': 1, 'MEMORY_MB': 1024})
        found = self.find(nodes, [small, clouds.demand('vm1', clouds.HALF)])

        # 5 VCPUs, 5 GiB and 60 GB are left on b, where the small one goes.
        self.assertEqual(
            (
                'server vm1 would fit on b if that had 20 DISK_GB, '
                '3072 MEMORY_MB, 3 VCPU more',
            ),
            found,
        )

    def test_a_host_it_may_not_go_to_is_not_named(self):
        group = clouds.group('anti-affinity', 'vm1', 'there')
        small = clouds.demand('small', {'VCPU': 1})
        found = self.find(
            [clouds.filled('a', 0.75), clouds.filled('b', 0.625)],
            [small, clouds.demand('vm1', clouds.HALF)],
            groups=[group],
            located={'there': 'b'},
        )

        (line,) = found
        self.assertIn('would fit on a if', line)
