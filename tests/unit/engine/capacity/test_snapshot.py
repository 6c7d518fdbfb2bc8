# SPDX-License-Identifier: Apache-2.0

"""What is asked to know who has room, and what is made of the answers."""

import typing as ty
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.engine.capacity import snapshot
from osc_hostmaint.operations import clock
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import clouds

Demand = snapshots.Demand
HOST = builders.HOST
ROW = builders.row(phase=server_status.Phase.WAITING)
VM = {'MEMORY_MB': 512, 'VCPU': 2}
VGPU = model.RequestGroup((('VGPU', 1),))
VCPUS = model.RequestGroup((('VCPU', 2),))
DENIED = exceptions.NotPermitted('policy says no')
DOWN = exceptions.Unavailable('no answer')


def server(server_id, *, grouped=False, **needs) -> model.Server:
    return builders.server(
        server_id, needs=model.Needs(grouped=grouped, **needs)
    )


def observer(gateway: ports.Gateway) -> snapshot.CapacityObserver:
    preparation = reporting.Preparation(reporting.Publisher(), clock.Clock())
    return snapshot.CapacityObserver(gateway, preparation)


class CapacityObserverTestCase(unit.TestCase):
    def setUp(self) -> None:
        self.gateway = mock.create_autospec(ports.Gateway, instance=True)
        self.gateway.allocations.return_value = {}
        self.gateway.groups.return_value = []
        self.gateway.aggregates.return_value = []
        self.gateway.hypervisors.return_value = {'rp1': 'cmp01'}
        self.gateway.hypervisor_details.return_value = []
        self.gateway.allocation_candidates.side_effect = lambda _shape: (
            snapshots.AllocationCandidates({}, ())
        )
        self.surveyor = observer(self.gateway)

    def asked(self) -> list[str]:
        return [call[0] for call in self.gateway.method_calls]

    def usage(self, *servers: model.Server) -> snapshot.SourceUsage:
        return self.surveyor.look_at_sources({HOST: servers})


class TestSourceUsage(CapacityObserverTestCase):
    def test_allocations_of_every_host_are_listed(self) -> None:
        held = clouds.held({'VCPU': 1})
        self.gateway.allocations.side_effect = lambda host: {host: held}
        usage = self.surveyor.look_at_sources({'cmp01': (), 'cmp02': ()})
        self.assertEqual(
            {h: {h: held} for h in ('cmp01', 'cmp02')}, usage.allocations
        )
        self.assertEqual(['allocations'] * 2, self.asked())

    def test_unexplained_consumers(self) -> None:
        held = clouds.held({'VCPU': 1})
        self.gateway.allocations.return_value = {'vm1': held, 'other': held}
        usage = self.usage(server('vm1'), server('vm2'))
        self.assertEqual({'other'}, usage.unexplained(HOST))

    @unit.cases(
        # What it holds, what its flavor asks for, in groups, what of that
        # is asked for, what else it holds.
        ({'VCPU': 2, 'DISK_GB': 0}, {}, (), {'VCPU': 2}, {}),
        # Nested or shared providers may hold it, or none does yet.
        (VM, {'CUSTOM_X': 1, 'VCPU': 4}, (), {'CUSTOM_X': 1, **VM}, {}),
        ({'CUSTOM_X': 9, **VM}, {'CUSTOM_X': 1}, (), {'CUSTOM_X': 1, **VM},
         {'CUSTOM_X': 8}),
        ({'VGPU': 2, **VM}, {}, (VGPU, VGPU), VM, {}),
        ({'VGPU': 3, **VM}, {}, (VGPU, VGPU), VM, {'VGPU': 1}),
        ({'VGPU': 1, **VM}, {}, (VGPU, VGPU), VM, {}),
        ({'VGPU': 4, **VM}, {'VGPU': 3}, (VGPU,), {'VGPU': 3, **VM}, {}),
        ({'VCPU': 3}, {}, (VCPUS,), {'VCPU': 1}, {}),
        ({'NET_BW': 9, **VM}, {}, (VGPU,), VM, {'NET_BW': 9}),
    )  # fmt: skip
    def test_what_a_server_needs(self, held, asked, groups, any_, others):
        self.gateway.allocations.return_value = {'vm1': clouds.held(held)}
        vm1 = server('vm1', resources=snapshots.shape(asked), groups=groups)
        wanted = clouds.request(any_, groups)
        expected = Demand(vm1, wanted, HOST, snapshots.shape(others))
        self.assertEqual(expected, self.usage(vm1).demand(ROW, vm1))

    def test_traits_are_asked_for_with_groups(self) -> None:
        self.gateway.allocations.return_value = {'vm1': clouds.held(VM)}
        traits = {
            f'{k}_traits': frozenset({k}) for k in ('required', 'forbidden')
        }
        vm1 = server('vm1', groups=(VGPU,), isolate=True, **traits)
        unnumbered = model.RequestGroup(snapshots.shape(VM), **traits)
        self.assertEqual(
            snapshots.ResourceRequest(unnumbered, (VGPU,), True),
            self.usage(vm1).demand(ROW, vm1).request,
        )

    def test_holds_nothing_of_the_host(self) -> None:
        self.gateway.allocations.return_value = {
            'a migration': clouds.held(VM)
        }
        vm1 = server('vm1', resources=(('VGPU', 1),))
        for phase in server_status.Phase:
            found = self.usage(vm1).demand(builders.row(phase=phase), vm1)
            under_way = phase in ('moving', 'settling')
            unknown = Demand(vm1, snapshots.UNKNOWN, HOST)
            self.assertEqual(None if under_way else unknown, found)

    def test_allocations_are_unknown(self) -> None:
        vm1 = server('vm1')
        for error in (DENIED, DOWN):
            self.surveyor = observer(self.gateway)
            self.gateway.allocations.side_effect = error
            usage = self.usage(vm1)
            words = f'capacity is not known: {error}'
            self.assertEqual(words, self.surveyor.unknown)
            self.assertEqual([words], self.surveyor.notes)
            self.assertEqual(frozenset(), usage.unexplained(HOST))
            unknown = Demand(vm1, snapshots.UNKNOWN, HOST)
            self.assertEqual(unknown, usage.demand(ROW, vm1))


class TestGroups(CapacityObserverTestCase):
    @unit.cases(True, None)
    def test_groups_are_listed_if_one_may_be_in_one(self, grouped) -> None:
        here = clouds.group('affinity', 'vm1', 'vm2', group_id='1')
        away = clouds.group('affinity', 'vm8', 'vm9', group_id='2')
        self.gateway.groups.return_value = [here, away]
        usage = self.usage(server('vm1', grouped=grouped), server('vm2'))
        self.assertEqual((here,), usage.groups)
        self.assertEqual({'vm1': HOST, 'vm2': HOST}, usage.located)
        self.assertEqual(['groups', 'allocations'], self.asked())
        self.assertEqual([], self.surveyor.notes)

    def test_hosts_of_group_members_are_known(self) -> None:
        group = clouds.group('anti-affinity', 'vm1', 'vm8', 'vm9')
        self.gateway.groups.return_value = [group]
        there = {'vm8': 'cmp08', 'stranger': 'cmp07', 'vm1': 'a moment ago'}
        self.gateway.residents.return_value = there
        usage = self.usage(server('vm1', grouped=True))
        self.assertEqual({'vm1': HOST, 'vm8': 'cmp08'}, usage.located)
        # Before hypervisors: it saves asking for them.
        self.assertEqual(['groups', 'residents', 'allocations'], self.asked())

    @unit.cases(DENIED, DOWN)
    def test_nova_does_not_tell(self, error) -> None:
        self.gateway.groups.side_effect = error
        self.assertIsNone(self.usage(server('vm1', grouped=True)).groups)
        self.assertEqual(
            [f'server groups were not checked: {error}'], self.surveyor.notes
        )
        self.assertEqual('', self.surveyor.unknown)
        self.assertIn('allocations', self.asked())

    @unit.cases(DENIED, DOWN)
    def test_hosts_of_group_members_are_unknown(self, error) -> None:
        group = clouds.group('anti-affinity', 'vm1', 'vm8')
        self.gateway.groups.return_value = [group]
        self.gateway.residents.side_effect = error
        usage = self.usage(server('vm1', grouped=True))
        self.assertEqual((group,), usage.groups)
        self.assertEqual({'vm1': HOST}, usage.located)
        (note,) = self.surveyor.notes
        self.assertIn(f'on other hosts were not checked: {error}', note)


class TestCapacitySnapshot(CapacityObserverTestCase):
    SERVICES: ty.ClassVar = {HOST: builders.service()}
    ZONE = clouds.zone('zone1', 'cmp02')

    def setUp(self) -> None:
        super().setUp()
        self.gateway.aggregates.return_value = [self.ZONE]

    def snapshot(self, *demands: Demand) -> snapshots.CapacitySnapshot:
        return self.surveyor.take(self.usage(), self.SERVICES, demands)

    def test_each_request_is_asked_for_once(self) -> None:
        small, large = clouds.QUARTER, clouds.HALF
        found = self.snapshot(
            clouds.demand('vm1', small),
            clouds.demand('vm2', large),
            clouds.demand('vm3', small),
            Demand(server('vm4'), snapshots.UNKNOWN, HOST),
        )
        requests = [clouds.request(small), clouds.request(large)]
        self.assertEqual(requests, list(found.allocation_candidates))
        self.assertEqual(
            [mock.call(request) for request in requests],
            self.gateway.allocation_candidates.call_args_list,
        )
        self.assertEqual(self.SERVICES, found.services)
        self.assertEqual({'rp1': 'cmp01'}, found.hosts)
        self.assertEqual((self.ZONE,), found.aggregates)
        self.assertEqual('', self.surveyor.unknown)

    def test_aggregates_are_forbidden(self) -> None:
        self.gateway.aggregates.side_effect = DENIED
        found = self.snapshot(clouds.demand('vm1'))
        self.assertEqual((), found.aggregates)
        self.assertEqual(1, len(found.allocation_candidates))
        note = f'host aggregates were not checked: {DENIED}'
        self.assertEqual([note], self.surveyor.notes)
        self.assertEqual('', self.surveyor.unknown)

    @unit.cases('aggregates', 'hypervisors', 'allocation_candidates')
    def test_no_answer(self, kind: str) -> None:
        getattr(self.gateway, kind).side_effect = DOWN
        found = self.snapshot(clouds.demand('vm1'))
        self.assertEqual(({}, {}), (found.allocation_candidates, found.hosts))
        words = f'capacity is not known: {DOWN}'
        self.assertEqual(words, self.surveyor.unknown)
        self.assertEqual([words], self.surveyor.notes)

    def test_nothing_is_asked_when_allocations_are_unknown(self) -> None:
        self.gateway.allocations.side_effect = DENIED
        group = clouds.group('affinity', 'vm1')
        self.gateway.groups.return_value = [group]
        usage = self.usage(server('vm1', grouped=True))
        wanted = [clouds.demand('vm1')]
        found = self.surveyor.take(usage, self.SERVICES, wanted)
        self.assertEqual(['groups', 'allocations'], self.asked())
        # What is known serves all the same.
        self.assertEqual((group,), found.groups)
        self.assertEqual({'vm1': HOST}, found.located)
        self.assertEqual(self.SERVICES, found.services)
        self.assertEqual(1, len(self.surveyor.notes), 'told once')
