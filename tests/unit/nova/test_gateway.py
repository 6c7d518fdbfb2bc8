# SPDX-License-Identifier: Apache-2.0

"""What goes over the wire for each question and request."""

import datetime
import typing as ty

import ddt

from osc_hostmaint.nova import records
from tests.unit.nova import cloud

SERVERS = '/servers/detail?all_tenants=True&host=cmp01&soft_deleted=True'
TIME = datetime.datetime(2026, 11, 20, 23, 30, 7, tzinfo=datetime.UTC)
SINCE = 'changes-since=2026-11-20T23%3A30%3A07%2B00%3A00'
OFF = 'source_compute=cmp01'

#: The method, its arguments, and what is asked for.
QUESTIONS: list[tuple[str, list[ty.Any], str]] = [
    ('services', [], '/os-services?binary=nova-compute'),
    ('server_count', ['cmp01'], SERVERS.replace('/detail', '')),
    ('server', ['vm1'], '/servers/vm1'),
    ('migrations', ['cmp01'], '/os-migrations?host=cmp01'),
    ('migrations', ['cmp01', TIME], f'/os-migrations?host=cmp01&{SINCE}'),
    ('all_migrations', ['cmp01'], '/os-migrations?host=cmp01'),
    ('migrations_in_flight', [], '/os-migrations'),
    ('unconfirmed', ['cmp01'], f'/os-migrations?{OFF}&status=finished'),
    (
        *('evacuations', ['cmp01']),
        f'/os-migrations?{OFF}&migration_type=evacuation',
    ),
    (
        *('evacuated', ['cmp01']),
        f'/os-migrations?{OFF}&migration_type=evacuation&status=done',
    ),
    ('left', ['cmp01', TIME], f'/os-migrations?{OFF}&{SINCE}'),
    ('moves', [TIME], f'/os-migrations?{SINCE}'),
    (
        *('deleted', [TIME]),
        f'/servers/detail?all_tenants=True&deleted=True&{SINCE}'
        '&sort_key=updated_at&sort_dir=desc',
    ),
    ('progress', ['vm1', 7], '/servers/vm1/migrations/7'),
    ('history', ['vm1'], '/servers/vm1/os-instance-actions'),
    ('hypervisors', [], '/os-hypervisors/detail'),
    ('hypervisor_hosts', [], '/os-hypervisors/detail'),
    ('residents', [], '/os-hypervisors/detail?with_servers=true'),
    ('aggregates', [], '/os-aggregates'),
    ('groups', [], '/os-server-groups?all_projects=True'),
]


@ddt.ddt
class RequestTest(cloud.CloudTestCase):
    """Method, path, parameters, body and microversion of each request."""

    def setUp(self) -> None:
        super().setUp()
        self.service = records.service(cloud.service())
        for path, answer in {
            '/os-services': {'services': [cloud.service()]},
            '/servers/detail': {'servers': [cloud.server()]},
            '/servers': {'servers': [{'id': 'vm1'}, {'id': 'vm2'}]},
            '/servers/vm1': {'server': cloud.server()},
            '/servers/vm1/migrations/7': {
                'migration': cloud.server_migration(7)
            },
            '/servers/vm1/os-instance-actions': {
                'instanceActions': [cloud.instance_action(1, 'create')]
            },
            '/os-migrations': {'migrations': [cloud.migration()]},
            '/os-aggregates': {'aggregates': []},
            '/os-server-groups': {'server_groups': []},
            '/os-hypervisors/detail': {
                'hypervisors': [
                    cloud.hypervisor(1, 'cmp01'),
                    cloud.hypervisor(2, 'cmp02'),
                ]
            },
        }.items():
            self.cloud.get(cloud.NOVA + path, json=answer)
        self.cloud.put(
            f'{cloud.NOVA}/os-services/{self.service.id}',
            json={'service': cloud.service(status='disabled')},
        )
        providers = f'{cloud.PLACEMENT}/resource_providers'
        self.cloud.get(providers, json=cloud.tree('provider-1'))
        self.cloud.get(
            f'{providers}/provider-1/allocations',
            json=cloud.allocations(vm1={'VCPU': 2}),
        )
        self.cloud.get(
            f'{cloud.PLACEMENT}/allocation_candidates',
            json={'allocation_requests': [], 'provider_summaries': {}},
        )

    @ddt.unpack
    @ddt.named_data(*((question[0], *question) for question in QUESTIONS))
    def test_question(
        self, name: str, arguments: list[ty.Any], expected: str
    ) -> None:
        getattr(self.gateway, name)(*arguments)
        self.assertEqual([f'GET {expected}'], self.sent)
        self._assert_nova('2.87')

    def test_servers(self) -> None:
        # The only list that tells more the newer it is, and costs no RPC.
        self.gateway.servers('cmp01')
        self.assertEqual([f'GET {SERVERS}'], self.sent)
        self._assert_nova('2.100')

    def test_disable(self) -> None:
        service = self.gateway.disable(self.service, 'maintenance: ünïcode')
        self.assertFalse(service.enabled)
        self.assertEqual([f'PUT /os-services/{self.service.id}'], self.sent)
        self.assertEqual(
            {'status': 'disabled', 'disabled_reason': 'maintenance: ünïcode'},
            self.last_request().json(),
        )
        self._assert_nova('2.87')

    def test_enable(self) -> None:
        self.gateway.enable(self.service)
        self.assertEqual([f'PUT /os-services/{self.service.id}'], self.sent)
        self.assertEqual({'status': 'enabled'}, self.last_request().json())

    def test_force_down(self) -> None:
        for down in (True, False):
            self.gateway.force_down(self.service, down=down)
            self.assertEqual({'forced_down': down}, self.last_request().json())
            self._assert_nova('2.87')
        path = f'PUT /os-services/{self.service.id}'
        self.assertEqual([path, path], self.sent)

    def test_hypervisor_states(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/os-hypervisors/provider-1',
            json={'hypervisor': cloud.hypervisor(1, 'cmp01', state='up')},
        )
        self.gateway.hypervisor_states('cmp01')
        # From 2.88 on it would cost an RPC.
        self._assert_nova('2.87')

    def test_allocations(self) -> None:
        found = self.gateway.allocations('cmp01')
        self.assertEqual({'vm1': {'VCPU': 2}}, found)
        self.assertEqual(
            [
                'GET /os-hypervisors/detail',
                'GET /resource_providers?in_tree=provider-1',
                'GET /resource_providers/provider-1/allocations',
            ],
            self.sent,
        )
        self._assert_placement('1.6')

    def test_offers(self) -> None:
        self.gateway.allocation_candidates(
            (('CUSTOM_X', 1), ('MEMORY_MB', 512))
        )
        self.assertEqual(
            [
                'GET /allocation_candidates'
                '?resources=CUSTOM_X%3A1%2CMEMORY_MB%3A512'
            ],
            self.sent,
        )
        self._assert_placement('1.29')

    def test_hypervisors_are_asked_for_once(self) -> None:
        for _tick in range(3):
            self.gateway.allocations('cmp01')
        self.gateway.hypervisor_hosts()
        self.gateway.hypervisors()
        self.assertEqual(1, self.sent.count('GET /os-hypervisors/detail'))

    def test_discovery_and_login_once(self) -> None:
        for _tick in range(3):
            self.gateway.services()
        self.assertEqual(1, self.versions.call_count)
        self.assertEqual(1, self.tokens.call_count)

    def _assert_placement(self, version: str) -> None:
        headers = self.last_request().headers
        self.assertEqual(
            f'placement {version}', headers['OpenStack-API-Version']
        )

    def _assert_nova(self, version: str) -> None:
        headers = self.last_request().headers
        self.assertEqual(
            f'compute {version}', headers['OpenStack-API-Version']
        )
        self.assertEqual(version, headers['X-OpenStack-Nova-API-Version'])


class PinnedMicroversionTest(RequestTest):
    """A default for other commands must not change what ours mean."""

    config = {
        'compute_default_microversion': '2.1',
        'placement_default_microversion': '1.0',
    }
