# SPDX-License-Identifier: Apache-2.0

"""Why a server does not fit: words for people."""

import unittest

from tests.unit.planning import clouds

A, B, C = clouds.hosts('a', 'b', 'c')
FULL = clouds.filled('f', 1)


class TestReasons(unittest.TestCase):
    def reason(self, nodes, *demands, **known) -> str:
        """Return the reason told for the first of some servers."""
        found = clouds.capacity_forecast(
            nodes, demands or clouds.demands(1), **known
        )
        return next(iter(found.fits.values())).reason

    def test_what_fits_needs_none(self):
        self.assertEqual('', self.reason([A]))

    def test_there_is_nothing_else(self):
        self.assertEqual('there is no other host', self.reason([]))

    def test_hosts_that_are_drained_as_well_are_no_others(self):
        nodes = clouds.hosts('a', 'b')

        self.assertEqual(
            'there is no other host', self.reason(nodes, leaving=['a', 'b'])
        )

    def test_each_host_has_its_reason_and_the_commonest_comes_first(self):
        nodes = [
            clouds.Host('off', enabled=False),
            clouds.filled('full', 1),
            clouds.filled('fuller', 0.9),
            clouds.Host('down', up=False),
            clouds.Host('kept', maintenance=True),
            clouds.filled('third', 0.8),
        ]

        self.assertEqual(
            'no host can take it: 3 without room, 1 disabled, 1 down, '
            '1 in maintenance',
            self.reason(nodes),
        )

    def test_of_the_only_one_wanted_others_do_not_matter(self):
        nodes = [A, B, FULL]

        self.assertEqual(
            'no host can take it: 1 without room',
            self.reason(nodes, only='f'),
        )
        self.assertEqual(
            'there is no other host', self.reason(nodes, only='src')
        )

    def test_a_zone(self):
        self.assertEqual(
            'no host can take it: 1 not in zone zone2, 1 without room',
            self.reason(
                [A, clouds.filled('f', 1, zone='zone2')],
                clouds.demand('vm1', zone='zone2'),
                aggregates=[clouds.zone('zone2', 'f')],
            ),
        )

    def test_traits(self):
        golden = frozenset({'CUSTOM_GOLD'})
        nodes = [A, clouds.Host('b', traits=golden)]

        self.assertEqual(
            'no host can take it: 1 with CUSTOM_GOLD, 1 without room',
            self.reason(
                [FULL, nodes[1]],
                clouds.demand('vm1', forbidden_traits=golden),
            ),
        )
        self.assertEqual(
            'no host can take it: 1 without CUSTOM_GOLD, 1 without room',
            self.reason(
                [A, FULL], clouds.demand('vm1', required_traits=golden)
            ),
        )

    def test_its_group(self):
        group = clouds.group('anti-affinity', 'vm00', 'there')

        self.assertEqual(
            'no host can take it: 1 excluded by its server group, 1 without '
            'room',
            self.reason([A, FULL], groups=[group], located={'there': 'a'}),
        )

    def test_affinity(self):
        group = clouds.group('affinity', 'vm00')

        self.assertEqual(
            'its server group (affinity) requires the host it is on, so Nova '
            'moves it nowhere else',
            self.reason([A, B], groups=[group]),
        )

    def test_alone_it_would_fit(self):
        demands = clouds.demands(2, clouds.WHOLE)
        for nodes, words in (
            ([A], 'one host could take it alone'),
            (
                [clouds.filled(n, 0) for n in 'ab'],
                '2 hosts could take it alone',
            ),
        ):
            with self.subTest(words):
                more = clouds.demands(len(nodes) + 1, clouds.WHOLE)
                found = clouds.capacity_forecast(nodes, more)
                (misfit,) = found.misfits

                self.assertEqual(
                    f'{words}, but not together with all the others',
                    found.fits[misfit].reason,
                )
        self.assertEqual(2, len(demands))

    def test_rules_depending_on_scheduler_filters(self):
        nodes = [
            clouds.Host('src', zone='zone1', maintenance=True),
            clouds.Host('a', zone='zone2'),
            clouds.filled('f', 1, zone='zone1'),
        ]

        self.assertEqual(
            'depends on scheduler filters that the API does not show: no host '
            'can take it: 1 not in zone zone1, 1 without room',
            self.reason(nodes, clouds.demand('vm1', zone_known=False)),
        )
