# SPDX-License-Identifier: Apache-2.0

"""What goes over the wire for each question and request."""

import datetime
import typing as ty
from urllib import parse

from osc_hostmaint import model
from osc_hostmaint.nova import records
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit.nova import cloud

SERVERS = '/servers/detail?all_tenants=True&host=cmp01&soft_deleted=True'
TIME = datetime.datetime(2026, 11, 20, 23, 30, 7, tzinfo=datetime.UTC)
SINCE = 'changes-since=2026-11-20T23%3A30%3A07%2B00%3A00'
OFF = 'source_compute=cmp01'
EVACUATIONS = f'/os-migrations?{OFF}&migration_type=evacuation'
MIGRATION = '/servers/vm1/migrations/7'
HISTORY = '/servers/vm1/os-instance-actions'
SHAPE = (('CUSTOM_X', 1), ('MEMORY_MB', 512))

#: The method, its arguments, and what is asked for.
QUESTIONS: list[tuple[str, list[ty.Any], str]] = [
    ('services', [], '/os-services?binary=nova-compute'),
    ('server_count', ['cmp01'], SERVERS.replace('/detail', '')),
    ('server', ['vm1'], '/servers/vm1'),
    (
        *('tagged', []),
        '/servers/detail?all_tenants=True&tags=osc-hostmaint%3Aresumed',
    ),
    ('migrations', ['cmp01'], '/os-migrations?host=cmp01'),
    ('migrations', ['cmp01', TIME], f'/os-migrations?host=cmp01&{SINCE}'),
    ('all_migrations', ['cmp01'], '/os-migrations?host=cmp01'),
    ('migrations_in_flight', [], '/os-migrations'),
    ('unconfirmed', ['cmp01'], f'/os-migrations?{OFF}&status=finished'),
    ('evacuations', ['cmp01'], EVACUATIONS),
    ('evacuated', ['cmp01'], f'{EVACUATIONS}&status=done'),
    ('left', ['cmp01', TIME], f'/os-migrations?{OFF}&{SINCE}'),
    ('moves', [TIME], f'/os-migrations?{SINCE}'),
    (
        *('deleted', [TIME]),
        f'/servers/detail?all_tenants=True&deleted=True&{SINCE}'
        '&sort_key=updated_at&sort_dir=desc',
    ),
    ('progress', ['vm1', 7], MIGRATION),
    ('history', ['vm1'], HISTORY),
    ('hypervisors', [], '/os-hypervisors/detail'),
    ('hypervisor_hosts', [], '/os-hypervisors/detail'),
    ('residents', [], '/os-hypervisors/detail?with_servers=true'),
    ('aggregates', [], '/os-aggregates'),
    ('groups', [], '/os-server-groups?all_projects=True'),
]
GPU = (('VGPU', 1),)
FAST = (GPU, frozenset({'A', 'B'}), frozenset({'C'}))


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
            MIGRATION: {'migration': cloud.server_migration(7)},
            HISTORY: {'instanceActions': [cloud.instance_action(1, 'create')]},
            '/os-migrations': {'migrations': [cloud.migration()]},
            '/os-aggregates': {'aggregates': []},
            '/os-server-groups': {'server_groups': []},
            '/os-hypervisors/detail': {
                'hypervisors': [
                    cloud.hypervisor(n, f'cmp0{n}') for n in (1, 2)
                ]
            },
        }.items():
            self.answer(path, **answer)
        self.put = f'/os-services/{self.service.id}'
        answer = {'service': cloud.service(status='disabled')}
        self.cloud.put(cloud.NOVA + self.put, json=answer)
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

    @unit.named_cases(*((question[0], *question) for question in QUESTIONS))
    def test_question(self, name, arguments, expected):
        getattr(self.gateway, name)(*arguments)
        self.assertEqual([f'GET {expected}'], self.sent)
        self.assert_version('compute 2.87')

    def test_servers(self) -> None:
        # The only list that tells more the newer it is, and costs no RPC.
        self.gateway.servers('cmp01')
        self.assertEqual([f'GET {SERVERS}'], self.sent)
        self.assert_version('compute 2.100')

    def _assert_put(self, body: ty.Any) -> None:
        self.assertEqual(f'PUT {self.put}', self.sent[-1])
        self.assertEqual(body, self.last_request().json())
        self.assert_version('compute 2.87')

    def test_disable(self) -> None:
        service = self.gateway.disable(self.service, 'maintenance: ünïcode')
        self.assertFalse(service.enabled)
        reason = {'disabled_reason': 'maintenance: ünïcode'}
        self._assert_put({'status': 'disabled', **reason})

    def test_enable(self) -> None:
        self.gateway.enable(self.service)
        self._assert_put({'status': 'enabled'})

    def test_force_down(self) -> None:
        for down in (True, False):
            self.gateway.force_down(self.service, down=down)
            self._assert_put({'forced_down': down})
        self.assertEqual(2, len(self.sent))

    def test_hypervisor_states(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/os-hypervisors/provider-1',
            json={'hypervisor': cloud.hypervisor(1, 'cmp01', state='up')},
        )
        self.gateway.hypervisor_states('cmp01')
        # From 2.88 on it would cost an RPC.
        self.assert_version('compute 2.87')

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
        self.assert_version('placement 1.6')

    @unit.cases(
        ([], False, ''),
        ([(GPU,)], False, '&resources1=VGPU:1&group_policy=none'),
        ([FAST], True,
         '&resources1=VGPU:1&required1=A,B,!C&group_policy=isolate'),
        # Refused, as when Nova asks.
        ([(GPU,)], False,
         'required=A&resources1=VGPU:1&group_policy=none', ((), {'A'})),
    )  # fmt: skip
    def test_offers(self, numbered, isolate, more, any_=(SHAPE,)) -> None:
        unnumbered, *groups = (
            model.RequestGroup(*g) for g in (any_, *numbered)
        )
        self.gateway.allocation_candidates(
            snapshots.ResourceRequest(unnumbered, tuple(groups), isolate)
        )
        any_amounts = 'resources=CUSTOM_X:1,MEMORY_MB:512' if any_[0] else ''
        query = f'limit=10000&{any_amounts}{more}'
        (sent,) = map(parse.unquote, self.sent)
        self.assertEqual(f'GET /allocation_candidates?{query}', sent)
        self.assert_version('placement 1.29')

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


class PinnedMicroversionTest(RequestTest):
    """A default for other commands must not change what ours mean."""

    config = {
        'compute_default_microversion': '2.1',
        'placement_default_microversion': '1.0',
    }
