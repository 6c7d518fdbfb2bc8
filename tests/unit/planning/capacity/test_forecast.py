# SPDX-License-Identifier: Apache-2.0

"""Will it fit? What is said about each server, with known answers."""

import dataclasses
from unittest import mock

from osc_hostmaint import model
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import packing
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit.planning import clouds

Host = clouds.Host
filled = clouds.filled
A, B, C, D = clouds.hosts('a', 'b', 'c', 'd')
YES, NO, UNKNOWN = forecast.Fits.YES, forecast.Fits.NO, forecast.Fits.UNKNOWN
ZONED, ZONES = clouds.ZONED, clouds.ZONES


class Base(unit.TestCase):
    def fits(self, *args, **known) -> list[forecast.Fits]:
        self.found = clouds.capacity_forecast(*args, **known)
        return [fit.fits for fit in self.found.fits.values()]

    def only(self, *args, **known) -> forecast.Fit:
        (fit,) = clouds.capacity_forecast(*args, **known).fits.values()
        return fit


class TestAnswers(Base):
    """Placement refuses a request, or knows more than it was asked for."""

    @unit.cases(
        # What fits, and the hosts that could take it alone.
        ([(UNKNOWN, None), (YES, 1)], [A], [clouds.WHOLE, clouds.QUARTER],
         {'refused': 'Placement: No such trait', 'candidates': ()}),
        ([(YES, None), (YES, 2)], [A, B], [clouds.WHOLE, clouds.QUARTER]),
        ([(UNKNOWN, None), (YES, 1)], [filled('a', 0.5)],
         [clouds.WHOLE, clouds.QUARTER]),
        # The other might go elsewhere.
        ([(YES, None), (UNKNOWN, 1)], [A], [clouds.WHOLE, clouds.QUARTER]),
        ([(YES, None), (NO, 0)], [filled('a', 0.5)],
         [clouds.HALF, clouds.WHOLE]),
    )  # fmt: skip
    def test_first_of_two(self, expected, nodes, sizes, answer=None):
        first, second = (
            clouds.demand(f'vm{n}', size) for n, size in enumerate(sizes)
        )
        seen = clouds.snapshot(nodes, [first, second])
        answers = dict(seen.allocation_candidates)
        answers[first.request] = dataclasses.replace(
            answers[first.request], **(answer or {'cut': True})
        )
        found = forecast.forecast(
            dataclasses.replace(seen, allocation_candidates=answers),
            [first, second],
            clouds.limits([first, second]),
        ).fits
        fits = [found[d.server.id] for d in (first, second)]
        self.assertEqual(expected, [(f.fits, f.candidates) for f in fits])
        for fit in fits:
            if fit.fits is UNKNOWN:
                words = 'No such trait' if answer else 'at most 10,000 alloc'
                self.assertIn(words, fit.reason)


class TestTogether(Base):
    def test_exactly_full(self):
        self.assertEqual([YES] * 8, self.fits([A, B], clouds.demands(8)))
        self.assertEqual((), self.found.misfits)
        self.assertEqual((), self.found.suggestions)

    def test_one_unit_short(self):
        for name, size in clouds.SIZE.items():
            with self.subTest(name):
                short = Host('b', size={**clouds.SIZE, name: size - 1})
                fits = self.fits([A, short], clouds.demands(8))
                self.assertEqual([YES] * 7 + [NO], sorted(fits)[::-1])
                self.assertEqual(1, len(self.found.misfits))

    def test_two_hosts_together_that_would_have_fitted_one_by_one(self):
        sources = [filled(n, 0.5) for n in ('src1', 'src2')]
        demands = [
            clouds.demand('vm1', clouds.HALF, source='src1'),
            clouds.demand('vm2', clouds.HALF, source='src2'),
        ]
        nodes = [*sources, filled('a', 0.5)]
        self.assertEqual([NO, YES], sorted(self.fits(nodes, demands)))
        self.assertEqual(
            'the servers of each host alone would fit: drain one host, put '
            'it back into service, then drain the next',
            self.found.suggestions[0],
        )
        for demand in demands:
            self.assertEqual([YES], self.fits(nodes, [demand]))

    def test_several_resources_may_be_scarce(self):
        nodes = [
            Host('a', used={'VCPU': 12}),
            Host('b', used={'MEMORY_MB': 12288}),
            Host('c', used={'DISK_GB': 120}),
        ]
        demands = [
            clouds.demand(f'all {c}', {**clouds.QUARTER, c: clouds.SIZE[c]})
            for c in ('VCPU', 'MEMORY_MB', 'DISK_GB')
        ]
        self.assertEqual([NO, YES, YES], sorted(self.fits(nodes[:2], demands)))
        self.assertEqual([YES] * 3, self.fits(nodes, demands))
        self.assertNotEqual('a', self.found.placed['all VCPU'])

    def test_only_one_host_is_wanted(self):
        demands = clouds.demands(5)
        self.assertEqual(
            [NO] + [YES] * 4, sorted(self.fits([A, B], demands, only='a'))
        )
        self.assertEqual({'a'}, set(self.found.placed.values()))
        self.assertEqual(1, self.found.fits['vm00'].candidates)

    def test_nothing_to_move(self):
        self.assertEqual([], self.fits([A], []))
        self.assertEqual(0, self.found.hosts)
        self.assertEqual((), self.found.utilizations)


class TestDoubts(Base):
    @unit.cases(
        # The zone that it was asked for, hosts without room, does it fit?
        ('zone1', '', YES),
        ('zone1', 'b', YES),
        ('zone1', 'a', NO),
        ('zone2', 'a', YES),
        ('zone2', 'b', NO),
        ('nova', 'a', YES),
        (None, 'a', YES),
        (None, 'ab', NO),
        ('not told', '', YES),
        ('not told', 'b', YES),
        ('not told', 'a', UNKNOWN),
        ('not told', 'ab', NO),
    )
    def test_zones(self, zone, full, fits):
        told = zone != 'not told'
        demand = clouds.demand(
            'vm1', zone=zone if told else None, zone_known=told
        )
        nodes = [
            filled(node.name, 1, zone=node.zone) if node.name in full else node
            for node in ZONED
        ]
        fit = self.only(nodes, [demand], aggregates=ZONES)
        self.assertEqual(fits, fit.fits)

    @unit.cases(
        # Without room no doubt matters, and neither does the only zone.
        (filled('a', 1), {'zone_known': False}, NO),
        (filled('a', 1), {'unchecked': ('hw:numa_nodes',)}, NO),
        (A, {'zone_known': False}, YES),
    )
    def test_what_is_certain(self, node, doubt, fits):
        demand = clouds.demand('vm1', **doubt)
        self.assertEqual(fits, self.only([node], [demand]).fits)

    def test_unknown_zone_may_not_fit_with_others(self):
        demands = [
            clouds.demand(f'vm{n}', clouds.WHOLE, zone_known=False)
            for n in range(2)
        ]
        fits = self.fits(ZONED, demands, aggregates=ZONES)
        self.assertEqual([UNKNOWN, YES], sorted(fits))

    @unit.cases(
        {'filter_tenant_id': 'theirs'},
        {'trait:CUSTOM_SSD': 'required'},
        {'ssd': 'false'},
    )
    def test_rules_depending_on_scheduler_filters(self, metadata):
        demand = clouds.demand(
            'vm1', project='mine', aggregate_specs=(('ssd', 'true'),)
        )
        aggregate = snapshots.Aggregate(frozenset({'a'}), metadata)
        fit = self.only([A], [demand], aggregates=[aggregate])
        self.assertEqual((UNKNOWN, 1), (fit.fits, fit.candidates))
        self.assertIn('depends on scheduler filters', fit.reason)

    def test_what_only_the_scheduler_can_judge(self):
        demand = clouds.demand('vm1', unchecked=('hw:numa_nodes', 'hw:tpm'))
        fit = self.only([A], [demand])
        self.assertEqual(UNKNOWN, fit.fits)
        self.assertIn('check hw:numa_nodes, hw:tpm', fit.reason)

    def test_without_an_allocation_nothing_is_known(self):
        demands = [clouds.demand('vm1', {}), clouds.demand('vm2')]
        self.assertEqual([UNKNOWN, YES], sorted(self.fits([A], demands)))
        fit = self.found.fits['vm1']
        self.assertIsNone(fit.candidates)
        self.assertIn('no allocation', fit.reason)

    @unit.cases(
        # is it in a group, the groups; does it fit
        (None, None, UNKNOWN),
        (True, None, UNKNOWN),
        (False, None, YES),
        # Not among those listed.
        (True, (), UNKNOWN),
    )
    def test_groups_that_are_not_known(self, grouped, groups, fits):
        demand = clouds.demand('vm1', grouped=grouped)
        fit = self.only([A], [demand], groups=groups)
        self.assertEqual(fits, fit.fits)
        if groups is not None:
            self.assertIn('server group is not known', fit.reason)

    @unit.cases(
        ('anti-affinity', False, UNKNOWN),
        ('anti-affinity', True, YES),
        ('soft-anti-affinity', False, YES),
        ('soft-affinity', False, YES),
    )
    def test_group_members_with_unknown_hosts(self, policy, located, fits):
        demand = clouds.demand('vm1', grouped=True)
        group = clouds.group(policy, 'vm1', 'elsewhere')
        where = {'elsewhere': 'b'} if located else {}
        fit = self.only([A, B], [demand], groups=[group], located=where)
        self.assertEqual(fits, fit.fits)

    def test_unknown_altogether(self):
        found = forecast.unknown(clouds.demands(2), 'no rights')
        fit = forecast.Fit(UNKNOWN, None, 'no rights')
        fits = {'vm00': fit, 'vm01': fit}
        self.assertEqual(forecast.CapacityForecast(fits, {}), found)
        self.assertEqual((), found.misfits)


class TestTries(Base):
    def test_with_fewer_rules_it_is_never_worse(self):
        demands = clouds.demands(4, clouds.HALF, zone_known=False)
        packed = packing.pack
        calls: list[object] = []

        def clumsy(task):
            """Find nothing at all at the second try."""
            calls.append(task)
            if len(calls) == 1:
                return packed(task)
            return occupancies.Occupancy(task)

        with mock.patch.object(packing, 'pack', clumsy):
            fits = self.fits(ZONED, demands, aggregates=ZONES)
        self.assertEqual(2, fits.count(YES))


class TestCandidates(Base):
    def test_hosts_that_could_take_it_alone_are_counted(self):
        demands = [
            clouds.demand('half', clouds.HALF),
            clouds.demand('whole', clouds.WHOLE),
        ]
        nodes = [A, filled('b', 0.5), filled('c', 0.75)]
        fits = clouds.capacity_forecast(nodes, demands).fits
        self.assertEqual(
            {'half': 2, 'whole': 1},
            {i: fit.candidates for i, fit in fits.items()},
        )

    def test_groups_take_candidates_away(self):
        group = clouds.group('anti-affinity', 'vm00', 'there')
        known = {'groups': [group], 'located': {'there': 'b'}}
        fit = self.only([A, B, C], clouds.demands(1), **known)
        self.assertEqual(2, fit.candidates)


class TestUtilizations(Base):
    def test_before_and_after_the_tightest_first(self):
        nodes = [
            Host('a', used={'MEMORY_MB': 8192}),
            Host('b', used={'VCPU': 2}),
        ]
        found = clouds.capacity_forecast(nodes, clouds.demands(2))
        self.assertEqual(2, found.hosts)
        self.assertEqual(
            (
                forecast.Utilization('MEMORY_MB', 8192, 16384, 32768),
                forecast.Utilization('VCPU', 2, 10, 32),
                forecast.Utilization('DISK_GB', 0, 80, 320),
            ),
            found.utilizations,
        )

    def test_hosts_that_may_take_none_do_not_count(self):
        nodes = [A, Host('b', enabled=False), filled('c', 1)]
        found = clouds.capacity_forecast(nodes, clouds.demands(1))
        self.assertEqual(1, found.hosts)
        self.assertEqual(
            {16384, 160, 16}, {fill.capacity for fill in found.utilizations}
        )

    def test_servers_that_do_not_fit_use_nothing(self):
        found = clouds.capacity_forecast([A], clouds.demands(3, clouds.HALF))
        self.assertEqual(
            {160, 16384, 16}, {f.after for f in found.utilizations}
        )

    def test_nested_providers_are_part_of_their_host(self):
        node = Host('a', nested={'gpu0': {'VGPU': 2}, 'gpu1': {'VGPU': 2}})
        demands = clouds.demands(3, {'VCPU': 1, 'VGPU': 1})
        found = clouds.capacity_forecast([node], demands)
        fill = forecast.Utilization('VGPU', 0, 3, 4)
        self.assertIn(fill, found.utilizations)

    def test_small_cards_are_not_emptied_first(self):
        sizes = {'gpu0': 1, 'gpu1': 1, 'gpu2': 2}
        node = Host(
            'a', nested={name: {'VGPU': n} for name, n in sizes.items()}
        )
        two_cards = (model.RequestGroup((('VGPU', 1),)),) * 2
        demands = clouds.demands(2, groups=two_cards, isolate=True)
        self.assertEqual((), clouds.capacity_forecast([node], demands).misfits)

    def test_shared_storage_is_reported(self):
        nodes = clouds.hosts(*'ab', size={'VCPU': 64})
        shared = [clouds.shared_disk(100, 10)]
        demands = clouds.demands(3, {'VCPU': 1, 'DISK_GB': 20})
        found = clouds.capacity_forecast(nodes, demands, shared=shared)
        fill = forecast.Utilization('DISK_GB', 10, 70, 100)
        self.assertEqual(fill, found.utilizations[0])
