# SPDX-License-Identifier: Apache-2.0

"""A plan: which hosts it is of, and what is looked at."""

import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.batches import plan as plans
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit import builders
from tests.unit.operations import base

Code = codes.Code


class PlanTestCase(base.DrainTestCase):
    """Hosts cmp01 and cmp02 have a server each, cmp09 has none."""

    #: What a plan asks beside what a drain does.
    READING = base.DrainTestCase.READING | {'provider', 'tagged'}

    def plan(self, *hosts: str, **wishes: ty.Any) -> plans.Plan:
        found = self.maintenance.plan(hosts, **wishes)
        self.assert_changed_nothing()
        return found

    def never(self, plan: plans.Plan, host: str) -> plans.Row:
        (row,) = (row for row in plan.rows if row.host == host)
        self.assertIsNone(row.batch)
        return row

    def set_host(self, host: str, **values: ty.Any) -> None:
        self.cloud.hosts[host] = builders.service(host=host, **values)


class ChoiceTestCase(PlanTestCase):
    @unit.cases(
        ({}, ['cmp01', 'cmp02', 'cmp09']),
        ({'hosts': ['cmp02', 'cmp02']}, ['cmp02']),
        ({'aggregates': ['rack']}, ['cmp01', 'cmp09']),
        ({'aggregates': ['rack'], 'hosts': ['cmp02']},
         ['cmp01', 'cmp02', 'cmp09']),
        ({'zones': ['edge']}, ['cmp02']),
        ({'zones': ['edge', 'nova'], 'done': ['cmp01']}, ['cmp02', 'cmp09']),
        ({'hosts': ['cmp01'], 'done': ['cmp01']}, []),
    )  # fmt: skip
    def test_hosts(self, wishes, expected) -> None:
        self.set_host('cmp02', enabled=True, zone='edge')
        self.gateway.aggregates.return_value = [
            snapshots.Aggregate(
                frozenset({'cmp01', 'cmp09', 'gone'}), {}, 'rack'
            )
        ]
        wishes = dict(wishes)
        found = self.plan(*wishes.pop('hosts', ()), **wishes)
        self.assertEqual(expected, sorted(row.host for row in found.rows))

    @unit.cases(
        ({'aggregates': ['rach']}, "aggregate named 'rach'; .* mean rack?"),
        ({'aggregates': ['x']}, "named 'x': see openstack aggregate list"),
        ({'zones': ['nov']}, "zone named 'nov'; did you mean nova?"),
        ({'hosts': ['cmp1']}, 'no compute service .* mean cmp01'),
        ({'done': ['cmp1']}, 'no compute service .* mean cmp01'),
    )
    def test_unknown(self, wishes, words) -> None:
        self.gateway.aggregates.return_value = [
            snapshots.Aggregate(frozenset(), {}, 'rack')
        ]
        with self.assertRaisesRegex(exceptions.UnknownHost, words):
            self.maintenance.plan(**wishes)

    @unit.cases(
        *({'at_once': 0}, {'share': 0}, {'share': 101}),
        {'policy': policies.Policy(to='cmp09')},
        {'policy': policies.Policy(evacuate=True)},
    )
    def test_what_makes_no_sense(self, wishes) -> None:
        with self.assertRaises(ValueError):
            self.maintenance.plan(**wishes)

    def test_bare_metal_is_left_out_unless_named(self) -> None:
        self.cloud.hypervisor_of['cmp09'] = model.Hypervisor(
            'rp of cmp09', 'node', 'cmp09', 'ironic'
        )
        found = self.plan()
        self.assertEqual({'cmp01', 'cmp02'}, {row.host for row in found.rows})
        self.assertEqual(
            ('left out, as they manage bare metal (ironic): cmp09',),
            found.notes,
        )
        row = self.never(self.plan('cmp09'), 'cmp09')
        self.assertEqual(Code.HOST_REFUSED, row.code)
        self.assertIn('bare metal', row.reason)


class PlannedTestCase(PlanTestCase):
    def test_plan(self) -> None:
        found = self.plan(at_once=2, share=100)
        self.assertEqual((2, 2, 0), (
            len(found.batches), found.moves, found.repeated
        ))  # fmt: skip
        self.assertEqual((), found.notes)

    def test_aggregates_count_where_no_server_needs_room(self) -> None:
        self.cloud.places = {}
        self.gateway.aggregates.return_value = [
            snapshots.Aggregate(frozenset({'cmp01', 'cmp02'}), {}, 'rack')
        ]
        wishes = {'at_once': 2, 'share': 67}
        found = self.maintenance.plan(['cmp01', 'cmp02'], **wishes)
        self.assertEqual(2, len(found.batches))

    def test_full_hosts_are_looked_at(self) -> None:
        self.cloud.room = dict.fromkeys(('cmp01', 'cmp02', 'cmp09'), 1)
        self.gateway.provider.side_effect = lambda root: snapshots.Provider(
            *(root, root, frozenset()), {'VCPU': snapshots.Inventory(1, 0, 1)}
        )
        found = self.plan('cmp01', 'cmp02')
        # The second server goes to the host that the first has left.
        self.assertEqual((True, 2), (found.done, found.moves))
        self.assertEqual(
            {'rp of cmp01', 'rp of cmp02'},
            {call.args[0] for call in self.gateway.provider.call_args_list},
        )

    @unit.cases(
        (
            {'disabled_reason': 'theirs'},
            Code.HOST_REFUSED,
            'theirs.* set --force cmp01',
        ),
        ({'enabled': True, 'up': False}, Code.HOST_DOWN, '--evacuate cmp01'),
        (
            {'enabled': True, 'up': False, 'forced_down': True},
            *(Code.HOST_DOWN, 'forced down.* set --up cmp01 nova-compute'),
        ),
        (
            {'up': False, 'forced_down': True},
            *(Code.HOST_DOWN, 'forced down.* maintenance unset cmp01'),
        ),
        ({'enabled': True, 'silent': True}, Code.CELL_DOWN, 'cell'),
        ({'enabled': True, 'namesakes': ('x',)}, Code.HOST_REFUSED, 'There a'),
    )
    def test_a_host_that_is_not_drained(self, service, code, words) -> None:
        self.set_host('cmp01', **service)
        row = self.never(self.plan(share=100), 'cmp01')
        self.assertEqual(code, row.code)
        self.assertRegex(row.reason, words)
        self.assertIsNone(row.servers)

    def test_a_host_without_a_hypervisor(self) -> None:
        self.gateway.hypervisors.side_effect = lambda: {
            f'rp of {host}': host for host in ('cmp01', 'cmp09')
        }
        self.gateway.hypervisor_details.side_effect = lambda: [
            model.Hypervisor(f'rp of {host}', f'{host}.example.org', host)
            for host in ('cmp01', 'cmp09')
        ]
        found = self.plan()
        self.assertEqual({'cmp01', 'cmp09'}, {*sum(found.batches, ())})
        row = self.never(found, 'cmp02')
        self.assertEqual(Code.CAPACITY_UNKNOWN, row.code)
        self.assertIn('discover_hosts', row.reason)

    def test_what_nova_disabled_is_drained(self) -> None:
        self.set_host('cmp01', disabled_reason='AUTO: Connection to libvirt')
        found = self.plan('cmp01')
        self.assertEqual((('cmp01',),), found.batches)
        (note,) = found.notes
        self.assertEqual('batch 1 is out of service already: cmp01', note)

    def test_servers_that_stay(self) -> None:
        leave = policies.Policy(running=policies.Running.LEAVE)
        plan = self.plan('cmp01', policy=leave)
        self.assertFalse(plan.done)
        row = self.never(plan, 'cmp01')
        self.assertEqual((1, Code.SERVERS_STAY), (row.servers, row.code))
        self.assertIn('(1 running)', row.reason)

    def test_excluded_servers_are_found_by_name(self) -> None:
        exclude = policies.Policy(exclude=frozenset({'web1'}))
        with self.assertRaisesRegex(exceptions.Refused, 'web1'):
            self.maintenance.plan(['cmp01'], policy=exclude)

    def test_it_is_not_known_who_has_room(self) -> None:
        down = exceptions.Unavailable('Placement is down')
        self.gateway.allocation_candidates.side_effect = down
        with self.assertRaisesRegex(exceptions.Refused, 'Placement is down'):
            self.maintenance.plan()

    def test_no_permission(self) -> None:
        denied = exceptions.NotPermitted('denied')
        self.gateway.check_hosts_shown.side_effect = denied
        with self.assertRaises(exceptions.NotPermitted):
            self.maintenance.plan()

    def test_what_could_not_be_checked_is_said(self) -> None:
        denied = exceptions.NotPermitted('denied')
        self.gateway.aggregates.side_effect = denied
        self.assertEqual(
            ('host aggregates were not checked: denied',), self.plan().notes
        )

    def test_without_servers_it_is_said_too(self) -> None:
        self.cloud.places = {}
        self.gateway.aggregates.side_effect = exceptions.NotPermitted('denied')
        self.assertEqual(
            ('host aggregates were not checked: denied',),
            self.maintenance.plan().notes,
        )
