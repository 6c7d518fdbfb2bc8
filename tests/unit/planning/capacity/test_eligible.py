# SPDX-License-Identifier: Apache-2.0

"""What speaks against a host, whatever else goes there."""

import dataclasses

from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit.planning import clouds

Host = clouds.Host
filled = clouds.filled
AVX, SSD, GPU = 'HW_CPU_X86_AVX2', 'CUSTOM_SSD', 'CUSTOM_GPU_BIG'
DISABLED = frozenset({eligible.STATUS_DISABLED})
ZONED, ZONES = clouds.ZONED, clouds.ZONES
THEIRS = "in another project's aggregate"
NOT_OURS = "not in its project's aggregate"
NO_SSD = 'not in an aggregate with ssd=true'


def found(nodes, demand, *, limits=None, **known) -> eligible.Eligible:
    """Return what is worked out for one server."""
    seen = clouds.snapshot(nodes, [demand], **known)
    return eligible.Eligible(seen, limits or clouds.limits([demand]))


class EligibleTestCase(unit.TestCase):
    def assert_against(self, expected, nodes, demand, **known):
        """Check words by host, and that only the others are options."""
        answers = found(nodes, demand, **known)
        against = dict(answers.against(demand))
        against.pop(clouds.SOURCE, None)
        self.assertEqual(expected, against)
        self.assertEqual(
            {host for host, words in expected.items() if not words},
            set(answers.options(demand)),
        )


class TestServices(EligibleTestCase):
    @unit.cases(
        ({}, ''),
        ({'enabled': False}, 'disabled'),
        ({'namesakes': ('id',)}, 'with two compute services of that name'),
        ({'maintenance': True}, 'in maintenance'),
        ({'up': False}, 'down'),
        ({'up': False, 'enabled': False}, 'disabled'),
        ({'traits': DISABLED}, 'not yet enabled in Placement'),
        ({'traits': DISABLED, 'enabled': False}, 'disabled'),
    )
    def test_only_hosts_in_service_take_servers(self, state, words):
        self.assert_against(
            {'a': words, 'b': ''},
            [Host('a', **state), Host('b')],
            clouds.demand('vm1'),
        )

    def test_bare_metal(self):
        """Before Stein Ironic's nodes have VCPU and MEMORY_MB, too."""
        self.assert_against(
            {'a': 'bare metal', 'b': ''},
            clouds.hosts('a', 'b'),
            clouds.demand('vm1'),
            bare_metal=frozenset({'a'}),
        )

    @unit.cases({'enabled': False}, {'maintenance': True})
    def test_disabled_hosts_can_be_assumed_enabled(self, state):
        node = Host('a', traits=DISABLED, **state)
        demand = clouds.demand('vm1')
        limits = clouds.limits([demand], opened=frozenset({'a'}))
        self.assert_against({'a': ''}, [node], demand, limits=limits)

    @unit.cases(
        # limits, is the first host up, what speaks against it
        ({'opened': frozenset({'a'})}, False, 'down'),
        ({'leaving': frozenset({'src', 'a'})}, True, 'to be drained'),
        ({'only': 'b'}, True, 'not b'),
    )
    def test_what_is_wanted_of_hosts(self, wanted, up, words):
        demand = clouds.demand('vm1')
        self.assert_against(
            {'a': words, 'b': ''},
            [Host('a', up=up), Host('b')],
            demand,
            limits=clouds.limits([demand], **wanted),
        )

    def test_a_hypervisor_without_compute_service_is_no_option(self):
        demand = clouds.demand('vm1')
        seen = clouds.snapshot(clouds.hosts('a', 'b'), [demand])
        seen = dataclasses.replace(seen, services={'a': seen.services['a']})
        answers = eligible.Eligible(seen, clouds.limits([demand]))
        self.assertEqual(['a'], list(answers.options(demand)))

    def test_full_host_is_not_eligible(self):
        demand = clouds.demand('vm1')
        answers = found([filled('a', 1)], demand)
        self.assertEqual('', answers.against(demand)['a'])
        self.assertEqual({}, answers.options(demand))


class TestZones(EligibleTestCase):
    @unit.cases(
        # what is known of its zone; against each host
        ({'zone': 'zone1'}, {'a': '', 'b': 'not in zone zone1'}),
        # It need not be there now.
        ({'zone': 'zone2'}, {'a': 'not in zone zone2', 'b': ''}),
        ({}, {'a': '', 'b': ''}),
        # Nova does not tell: it is kept in its host's zone.
        ({'zone_known': False}, {'a': '', 'b': 'not in zone zone1'}),
        # A zone of no aggregate binds nobody.
        ({'zone': 'nova'}, {'a': '', 'b': ''}),
    )
    def test_a_server_stays_in_the_zone_it_asked_for(self, zone, expected):
        self.assert_against(
            expected, ZONED, clouds.demand('vm1', **zone), aggregates=ZONES
        )

    @unit.cases(
        ({'zone_known': False}, ''), ({'zone': 'zone1'}, 'not in zone zone1')
    )
    def test_unknown_zone_can_be_assumed_free(self, zone, words):
        demand = clouds.demand('vm1', **zone)
        self.assert_against(
            {'a': '', 'b': words},
            ZONED,
            demand,
            aggregates=ZONES,
            limits=clouds.limits([demand], strict=False),
        )

    def test_a_zone_binds_where_aggregates_are_not_known(self):
        self.assert_against(
            {'a': 'not in zone nova', 'b': 'not in zone nova'},
            ZONED,
            clouds.demand('vm1', zone='nova'),
        )


class TestTraits(EligibleTestCase):
    NODES = (
        Host('a', traits=frozenset({AVX, SSD})),
        Host('b', traits=frozenset({AVX})),
    )

    @unit.cases(
        ({'required_traits': {AVX, SSD}}, {'a': '', 'b': f'without {SSD}'}),
        ({'forbidden_traits': {SSD}}, {'a': f'with {SSD}', 'b': ''}),
    )
    def test_required_ones_must_be_there_and_others_not(self, needs, expected):
        traits = {name: frozenset(of) for name, of in needs.items()}
        self.assert_against(
            expected, self.NODES, clouds.demand('vm1', **traits)
        )

    @unit.cases(({'VGPU': 1}, ''), ({}, f'without {GPU}'))
    def test_traits_must_be_on_providing_providers(self, more, words):
        node = Host(
            'a',
            nested={'gpu': {'VGPU': 4}},
            nested_traits={'gpu': frozenset({GPU})},
        )
        shape = {**clouds.QUARTER, **more}
        self.assert_against(
            {'a': words},
            [node],
            clouds.demand('vm1', shape, required_traits=frozenset({GPU})),
        )

    def test_only_candidates_with_them_are_options(self):
        node = Host(
            'a',
            nested={'gpu0': {'VGPU': 4}, 'gpu1': {'VGPU': 4}},
            nested_traits={'gpu1': frozenset({GPU})},
        )
        for needs, expected in (
            ({}, {'rp-a-gpu0', 'rp-a-gpu1'}),
            ({'required_traits': frozenset({GPU})}, {'rp-a-gpu1'}),
            ({'forbidden_traits': frozenset({GPU})}, {'rp-a-gpu0'}),
        ):
            with self.subTest(needs):
                demand = clouds.demand('vm1', {'VGPU': 1}, **needs)
                options = found([node], demand).options(demand)
                self.assertEqual(
                    expected, {c[0].provider for c in options['a']}
                )

    def test_known_traits_of_full_hosts_are_used(self):
        full = filled('b', 0.9, traits=frozenset({AVX}))
        demand = clouds.demand('vm1', required_traits=frozenset({SSD}))
        small = clouds.demand('vm2', {'VCPU': 1})
        seen = clouds.snapshot(
            [*self.NODES[:1], full, filled('c', 1)], [demand, small]
        )
        answers = eligible.Eligible(seen, clouds.limits([demand]))
        against = answers.against(demand)
        self.assertEqual(f'without {SSD}', against['b'])
        self.assertEqual('', against['c'])


def aggregate(*hosts: str, **metadata: str) -> snapshots.Aggregate:
    """Return an aggregate; metadata's ``__`` are colons."""
    return snapshots.Aggregate(
        frozenset(hosts),
        {k.replace('__', ':'): v for k, v in metadata.items()},
    )


class TestAggregates(EligibleTestCase):
    NODES = tuple(clouds.hosts('a', 'b', 'c'))

    @unit.cases(
        # project, the projects of aggregates by host; against each host
        ('mine', {'a': ['mine'], 'b': ['theirs']}, ('', THEIRS, NOT_OURS)),
        ('another', {'a': ['mine']}, (THEIRS, '', '')),
        # There may be several projects.
        ('mine', {'a': ['theirs, mine']}, ('', NOT_OURS, NOT_OURS)),
        ('mine', {'a': ['theirs', 'mine']}, ('', NOT_OURS, NOT_OURS)),
    )
    def test_projects_with_an_aggregate_stay_in_it(
        self, project, projects, words
    ):
        aggregates = [
            aggregate(
                host, **{f'filter_tenant_id{n}': v for n, v in enumerate(ids)}
            )
            for host, ids in projects.items()
        ]
        self.assert_against(
            dict(zip('abc', words, strict=True)),
            self.NODES,
            clouds.demand('vm1', project=project),
            aggregates=aggregates,
        )

    def test_projects_are_not_mixed_up(self):
        mine = clouds.demand('vm1', project='mine')
        other = clouds.demand('vm2', project='another')
        seen = clouds.snapshot(
            self.NODES,
            [mine, other],
            aggregates=(aggregate('a', filter_tenant_id='mine'),),
        )
        answers = eligible.Eligible(seen, clouds.limits([mine]))
        self.assertEqual({'a'}, set(answers.options(mine)))
        self.assertEqual({'b', 'c'}, set(answers.options(other)))

    def test_isolated_hosts_are_for_what_requires_their_traits(self):
        metadata = {f'trait__{SSD}': 'required'}
        nodes = [Host('a', traits=frozenset({SSD})), Host('b')]
        for traits, expected in (
            ((), {'a': f'for servers that require {SSD}', 'b': ''}),
            ((SSD,), {'a': '', 'b': f'without {SSD}'}),
        ):
            self.assert_against(
                expected,
                nodes,
                clouds.demand('vm1', required_traits=frozenset(traits)),
                aggregates=(aggregate('a', **metadata),),
            )

    def test_only_required_traits_isolate(self):
        self.assert_against(
            {'a': '', 'b': '', 'c': ''},
            self.NODES,
            clouds.demand('vm1'),
            aggregates=(aggregate('a', **{f'trait__{SSD}': 'yes'}),),
        )

    @unit.cases(
        # what is asked for, each aggregate's host and value; who may take it
        ('true', [('a', 'true'), ('a', 'perhaps'), ('b', 'false')], 'a'),
        # Any of several values will do.
        ('true', [('a', 'true, yes'), ('b', 'yes,true'), ('c', 'no')], 'ab'),
        ('true', [('c', 'untrue')], ''),
        # Operators are left to the scheduler.
        ('<or> yes', [('a', 'yes')], 'abc'),
    )
    def test_extra_specs_ask_for_aggregates(self, wanted, values, takes):
        self.assert_against(
            {host: '' if host in takes else NO_SSD for host in 'abc'},
            self.NODES,
            clouds.demand('vm1', aggregate_specs=(('ssd', wanted),)),
            aggregates=[aggregate(host, ssd=ssd) for host, ssd in values],
        )

    def test_optional_rules_can_be_ignored(self):
        demand = clouds.demand(
            'vm1', project='mine', aggregate_specs=(('ssd', 'true'),)
        )
        for known in (
            aggregate('a', filter_tenant_id='theirs'),
            aggregate('a', filter_tenant_id='mine'),
            aggregate('a', **{f'trait__{SSD}': 'required'}),
            aggregate('a', ssd='false'),
        ):
            with self.subTest(known):
                self.assert_against(
                    {'a': '', 'b': '', 'c': ''},
                    self.NODES,
                    demand,
                    aggregates=(known,),
                    limits=clouds.limits([demand], strict=False),
                )
