# SPDX-License-Identifier: Apache-2.0

"""What the metadata of aggregates speaks against."""

from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit.planning import clouds
from tests.unit.planning.capacity import test_eligible as base

SSD = 'CUSTOM_SSD'
THEIRS = "in another project's aggregate"
NOT_OURS = "not in its project's aggregate"
NO_SSD = 'not in an aggregate with ssd=true'


def aggregate(*hosts: str, **metadata: str) -> snapshots.Aggregate:
    """Return an aggregate; metadata's ``__`` are colons."""
    return snapshots.Aggregate(
        frozenset(hosts),
        {k.replace('__', ':'): v for k, v in metadata.items()},
    )


class TestAggregates(base.EligibleTestCase):
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
        nodes = [clouds.Host('a', traits=frozenset({SSD})), clouds.Host('b')]
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
