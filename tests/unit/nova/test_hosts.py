# SPDX-License-Identifier: Apache-2.0

"""Hypervisors, who is on them, and aggregates."""

import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint.nova import records
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.nova import cloud
from tests.unit.nova import recorded

DETAIL = '/os-hypervisors/detail'
HYPERVISORS = cloud.NOVA + DETAIL
#: Of one host.
NODES = [
    cloud.hypervisor(n, 'cmp01', hypervisor_hostname=f'node-{n}')
    for n in (1, 2)
]


class HypervisorsTest(cloud.CloudTestCase):
    def test_pages_by_id(self) -> None:
        first, second = cloud.hypervisor(1, 'cmp01'), cloud.hypervisor(2, 'x')
        self.answer_pages(DETAIL, 'hypervisors', [first], [second])
        self.assertEqual(
            {'cmp01.example.org': 'cmp01', 'x.example.org': 'x'},
            self.gateway.hypervisor_hosts(),
        )
        self.assertEqual(
            {'provider-1': 'cmp01', 'provider-2': 'x'},
            self.gateway.hypervisors(),
        )
        path = 'GET /os-hypervisors/detail'
        self.assertEqual([path, f'{path}?marker=provider-1'], self.sent)

    def test_details(self) -> None:
        data = cloud.hypervisor(
            1, 'cmp01', hypervisor_type='QEMU', host_ip='192.0.2.7'
        )
        nodes = [data, cloud.hypervisor(2, 'cmp02', host_ip=None)]
        self.answer(DETAIL, hypervisors=nodes)
        found = self.gateway.hypervisor_details()
        self.assertEqual(
            [('cmp01', 'QEMU', '192.0.2.7'), ('cmp02', '', '')],
            [(n.host, n.type, n.address) for n in found],
        )
        self.gateway.hypervisors()
        self.assertEqual(1, len(self.sent))

    def test_failure_is_not_kept(self) -> None:
        self.cloud.get(HYPERVISORS, **cloud.fault('x', 500, 'Oops'))
        with self.raises(exceptions.Unavailable):
            self.gateway.hypervisors()
        self.answer(DETAIL, hypervisors=[cloud.hypervisor(1, 'cmp01')])
        self.assertEqual({'provider-1': 'cmp01'}, self.gateway.hypervisors())


class HypervisorStatesTest(cloud.CloudTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.answer(DETAIL, hypervisors=[*NODES, cloud.hypervisor(3, 'cmp02')])

    def _answer(self, number: int, state: str) -> None:
        found = cloud.hypervisor(number, 'x', state=state)
        self.answer(f'/os-hypervisors/provider-{number}', hypervisor=found)

    def test_of_one_host(self) -> None:
        self._answer(1, 'up')
        self._answer(2, 'down')
        self.assertEqual(
            {'node-1': True, 'node-2': False},
            self.gateway.hypervisor_states('cmp01'),
        )
        asked = ('detail', 'provider-1', 'provider-2')
        self.assertEqual(
            [f'GET /os-hypervisors/{a}' for a in asked], self.sent
        )

    def test_asked_anew_each_time(self) -> None:
        for state in ('down', 'up'):
            self._answer(3, state)
            self.assertEqual(
                {'cmp02.example.org': state == 'up'},
                self.gateway.hypervisor_states('cmp02'),
            )
        # But not which ones there are.
        self.assertEqual(3, len(self.sent))


class DownCellTest(cloud.CloudTestCase):
    """Of a cell that does not answer, while the others do."""

    def setUp(self) -> None:
        super().setUp()
        down = {'binary': 'nova-compute', 'host': 'x', 'status': 'UNKNOWN'}
        self.answer('/os-services', services=[cloud.service(), down])
        self.service = self.gateway.services()[-1]
        oops = cloud.fault('computeFault', 500, 'Oops')
        self.cloud.get(HYPERVISORS, **oops)
        self.cloud.put(f'{cloud.NOVA}/os-services/{self.service.id}', **oops)

    def test_a_service_is_found_by_its_name(self) -> None:
        for path, asked, then, change in (
            (
                *('disable-log-reason', {'disabled_reason': 'fan'}),
                {'enabled': False, 'disabled_reason': 'fan'},
                lambda service: self.gateway.disable(service, 'fan'),
            ),
            ('enable', {}, {'enabled': True}, self.gateway.enable),
            (
                *('force-down', {'forced_down': True}, {'forced_down': True}),
                lambda service: self.gateway.force_down(service, down=True),
            ),
        ):
            url = f'{cloud.NOVA}/os-services/{path}'
            self.cloud.put(url, json={'service': {}})
            self.assertEqual(
                dataclasses.replace(self.service, **then), change(self.service)
            )
            last = self.last_request()
            body = {'host': 'x', 'binary': 'nova-compute', **asked}
            self.assertEqual((url, body), (last.url, last.json()))
            self.assert_version('compute 2.52')

    def test_it_is_changed_only_once(self) -> None:
        for reason in ('fan', 'of others'):
            now = {'status': 'disabled', 'disabled_reason': reason}
            self.answer('/os-services', services=[cloud.service('x', **now)])
            if reason == 'fan':
                self.gateway.disable(self.service, 'fan')
            else:
                with self.raises(exceptions.Refused, 'of others'):
                    self.gateway.disable(self.service, 'fan')
            self.assertEqual('GET', self.sent[-1].split()[0])

    def test_a_provider_is_found_by_its_name(self) -> None:
        with self.raises(
            exceptions.UnknownHypervisor, 'cannot be checked.*that of x'
        ):
            self.gateway.allocations('cmp01')
        self.answer('/os-migrations', migrations=[cloud.migration()])
        self.gateway.migrations('cmp01')
        providers = f'{cloud.PLACEMENT}/resource_providers'
        for query in ('name=cmp01.example.org', 'in_tree=p1'):
            self.cloud.get(f'{providers}?{query}', json=cloud.tree('p1'))
        answer = cloud.allocations(vm1={'VCPU': 2})
        self.cloud.get(f'{providers}/p1/allocations', json=answer)
        held = (snapshots.Allocation('p1', 'VCPU', 2),)
        self.assertEqual({'vm1': held}, self.gateway.allocations('cmp01'))

    def test_a_list_lacks_its_hypervisors(self) -> None:
        # Nova's first page may be full before it comes to the cell.
        nodes = [cloud.hypervisor(0, 'cmp01')]
        self.answer('/os-hypervisors/detail', hypervisors=nodes)
        with self.raises(
            exceptions.UnknownHypervisor, 'of x in Placement .*that of x'
        ):
            self.gateway.allocations('x')

    def test_a_failure_says_why(self) -> None:
        with self.raises(
            exceptions.Unavailable, 'Oops; the cell of x does not answer'
        ):
            self.gateway.hypervisors()
        self.assertEqual({}, self.gateway.hypervisor_states('cmp01'))


class ForceDownTest(cloud.CloudTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.service = records.service(cloud.service())
        self.url = f'{cloud.NOVA}/os-services/{self.service.id}'

    def test_answer(self) -> None:
        service = cloud.service(state='down', forced_down=True)
        self.cloud.put(self.url, json={'service': service})
        found = self.gateway.force_down(self.service, down=True)
        self.assertEqual((True, False), (found.forced_down, found.up))

    def test_not_cleaned_up_yet(self) -> None:
        words = 'Unable to force up host cmp01 as `done` evacuation ...'
        self.cloud.put(self.url, **cloud.fault('badRequest', 400, words))
        with self.raises(exceptions.RequestRefused, 'PUT .*Unable to force'):
            self.gateway.force_down(self.service, down=False)
        self.assertEqual(1, len(self.sent))


class ResidentsTest(cloud.CloudTestCase):
    def test_recorded(self) -> None:
        self.cloud.get(HYPERVISORS, json=recorded.HYPERVISORS)
        self.assertEqual(
            {
                '5d455c3f-36a6-4e93-a9ea-8d16d200e204': 'cmp03',
                'd668fcff-b0c5-4389-a2db-8e882a332bd4': 'cmp03',
                '73c7551b-bf6b-4c8f-ac80-4416bcd8a30c': 'cmp02',
                'a9e054c6-ecb7-401a-aa47-107e716bfa58': 'cmp01',
            },
            self.gateway.residents(),
        )
        self.assertEqual(
            {
                '4c5296d2-8252-44a2-9312-a44a4619fdaf': 'cmp03',
                '31a05c2f-55d9-443d-8bfa-54a32a2dd8d8': 'cmp02',
                '3700ae6a-cd89-4316-ae54-f91678f63088': 'cmp01',
            },
            self.gateway.hypervisors(),
        )
        self.assertEqual(1, len(self.sent))

    def test_hypervisors_without_servers(self) -> None:
        # An empty list (>= 2.75), or no word of it.
        nodes = [cloud.hypervisor(1, 'cmp01', servers=[])]
        nodes.append(cloud.hypervisor(2, 'cmp02'))
        self.answer(DETAIL, hypervisors=nodes)
        self.assertEqual({}, self.gateway.residents())
        self.assertEqual(2, len(self.gateway.hypervisors()))

    def test_pages(self) -> None:
        first, second = (
            cloud.hypervisor(n, f'cmp0{n}', servers=[{'uuid': f'vm{n}'}])
            for n in (1, 2)
        )
        self.answer_pages(DETAIL, 'hypervisors', [first], [second])
        self.assertEqual(
            {'vm1': 'cmp01', 'vm2': 'cmp02'}, self.gateway.residents()
        )
        self.assertEqual(
            'GET /os-hypervisors/detail?with_servers=true&marker=provider-1',
            self.sent[-1],
        )

    def test_asked_anew_each_time(self) -> None:
        before, after = (
            cloud.hypervisor(n, f'cmp0{n}', servers=[{'uuid': 'vm1'}])
            for n in (1, 2)
        )
        self.cloud.get(
            HYPERVISORS,
            [{'json': {'hypervisors': [node]}} for node in (before, after)],
        )
        self.assertEqual({'provider-1': 'cmp01'}, self.gateway.hypervisors())
        self.assertEqual({'vm1': 'cmp02'}, self.gateway.residents())
        self.assertEqual({'provider-2': 'cmp02'}, self.gateway.hypervisors())
        self.assertEqual(2, len(self.sent))


class AggregatesTest(cloud.CloudTestCase):
    def test_recorded(self) -> None:
        self.cloud.get(f'{cloud.NOVA}/os-aggregates', json=recorded.AGGREGATES)
        self.assertEqual(
            [
                snapshots.Aggregate(
                    frozenset({'cmp01', 'cmp02'}), {'ssd': 'true'}, 'ssd'
                ),
                snapshots.Aggregate(
                    frozenset(), {'availability_zone': 'edge'}, 'edge'
                ),
            ],
            self.gateway.aggregates(),
        )
