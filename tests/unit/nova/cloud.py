# SPDX-License-Identifier: Apache-2.0

"""A cloud that only talks: Keystone, Nova and Placement over requests-mock.

The connection, its authentication, its discovery of versions and whatever
openstacksdk and keystoneauth1 do between our code and the socket are real.
"""

import contextlib
import typing as ty
from unittest import mock

from keystoneauth1 import fixture
from openstack import connection
import openstack.config
import requests_mock

from osc_hostmaint.nova import gateway
from tests import unit

IDENTITY = 'https://identity.example.org/v3'
TOKENS = f'{IDENTITY}/auth/tokens'
NOVA = 'https://nova.example.org/v2.1'
PLACEMENT = 'https://placement.example.org'

#: How the user alice logs in.
AUTH = {
    'auth_url': IDENTITY,
    'username': 'alice',
    'password': 'secret',
    'project_name': 'admin',
    'user_domain_id': 'default',
    'project_domain_id': 'default',
}
REQUEST_ID = 'req-1c9f6f3e-5c3b-4f0e-8d7a-0d2b3a4c5d6e'


def service(host: str = 'cmp01', **changes: ty.Any) -> dict[str, ty.Any]:
    """Return an entry of GET /os-services."""
    return {
        'id': 'c0ffee00-0000-4000-8000-000000000001',
        'binary': 'nova-compute',
        'host': host,
        'zone': 'az1',
        'status': 'enabled',
        'state': 'up',
        'updated_at': '2026-11-20T23:30:00.000000',
        'disabled_reason': None,
        'forced_down': False,
        **changes,
    }


def server(
    server_id: str = 'vm1', host: str | None = 'cmp01', **changes: ty.Any
):
    """Return an entry of GET /servers/detail (2.100)."""
    return {
        'id': server_id,
        'name': f'name of {server_id}',
        'status': 'ACTIVE',
        'OS-EXT-STS:vm_state': 'active',
        'OS-EXT-STS:task_state': None,
        'OS-EXT-STS:power_state': 1,
        'OS-EXT-SRV-ATTR:host': host,
        'addresses': {},
        'flavor': {'ram': 2048, 'vcpus': 1, 'disk': 10, 'extra_specs': {}},
        'image': {'id': 'image-1', 'links': [], 'properties': {}},
        'tenant_id': 'p',
        'user_id': 'u',
        'created': '2026-11-20T22:00:00Z',
        'updated': '2026-11-20T23:31:07Z',
        'pinned_availability_zone': None,
        'scheduler_hints': {},
        **changes,
    }


#: In both lists of migrations.
_MIGRATION: ty.Any = {
    'status': 'running',
    'source_compute': 'cmp01',
    'source_node': 'cmp01.example.org',
    'dest_compute': 'cmp02',
    'dest_node': 'cmp02.example.org',
    'dest_host': '192.0.2.2',
    'created_at': '2026-11-20T23:31:07.000000',
    'user_id': 'u',
    'project_id': 'p',
}


def migration(number: int = 1, **changes: ty.Any) -> dict[str, ty.Any]:
    """Return an entry of GET /os-migrations."""
    return {
        **_MIGRATION,
        'id': number,
        'uuid': f'uuid-{number}',
        'instance_uuid': 'vm1',
        'migration_type': 'live-migration',
        'updated_at': None,
        'old_instance_type_id': 1,
        'new_instance_type_id': 1,
        **changes,
    }


def server_migration(number: int = 1, **changes: ty.Any) -> dict[str, ty.Any]:
    """Return an entry of GET /servers/{id}/migrations: one that runs."""
    return {
        **_MIGRATION,
        'id': number,
        'uuid': f'uuid-{number}',
        'server_uuid': 'vm1',
        'updated_at': '2026-11-20T23:32:00.000000',
        'memory_total_bytes': 2147483648,
        # More than all of it: what the guest writes to is copied again.
        'memory_processed_bytes': 3221225472,
        'memory_remaining_bytes': 134217728,
        'disk_total_bytes': 0,
        'disk_processed_bytes': 0,
        'disk_remaining_bytes': 0,
        **changes,
    }


def instance_action(number: int, name: str, **changes: ty.Any):
    """Return an entry of GET /servers/{id}/os-instance-actions."""
    return {
        'action': name,
        'instance_uuid': 'vm1',
        'request_id': f'req-{number}',
        'user_id': 'u',
        'project_id': 'p',
        'start_time': f'2026-11-20T23:{number:02}:00.000000',
        'message': None,
        'updated_at': None,
        **changes,
    }


def hypervisor(number: int, host: str, **changes: ty.Any) -> dict[str, ty.Any]:
    """Return an entry of GET /os-hypervisors/detail."""
    return {
        'id': f'provider-{number}',
        'hypervisor_hostname': f'{host}.example.org',
        'service': {'id': f'service-{number}', 'host': host},
        **changes,
    }


def group(group_id: str, **changes: ty.Any) -> dict[str, ty.Any]:
    """Return an entry of GET /os-server-groups (2.64)."""
    return {
        'id': group_id,
        'name': f'name of {group_id}',
        'policy': 'affinity',
        'rules': {},
        'members': [],
        'project_id': 'p',
        'user_id': 'u',
        **changes,
    }


def allocations(**held: dict[str, int]) -> dict[str, ty.Any]:
    """Return an answer of GET /resource_providers/{id}/allocations."""
    return {
        'allocations': {
            consumer: {'resources': amounts}
            for consumer, amounts in held.items()
        },
        'resource_provider_generation': 7,
    }


def tree(*providers: str) -> dict[str, ty.Any]:
    """Return an answer of GET /resource_providers?in_tree={id}."""
    return {'resource_providers': [{'uuid': uuid} for uuid in providers]}


def link(path: str) -> list[dict[str, str]]:
    """Return a link to the next page, as Nova behind a proxy gives it."""
    return [{'rel': 'next', 'href': f'http://10.0.0.1:8774{path}'}]


def pages(key: str, *lists: list[ty.Any]) -> list[dict[str, ty.Any]]:
    """Return the answers of a list, page by page, to requests-mock."""
    answers = [{'json': {key: each}} for each in lists]
    for answer in answers[:-1]:
        answer['json'][f'{key}_links'] = link('/elsewhere')
    return answers


def fault(kind: str, status: int, message: str) -> dict[str, ty.Any]:
    return {
        'status_code': status,
        'json': {kind: {'code': status, 'message': message}},
        'headers': {
            'Content-Type': 'application/json; charset=UTF-8',
            'X-Openstack-Request-Id': REQUEST_ID,
        },
    }


def forbidden(policy: str) -> dict[str, ty.Any]:
    """Return Nova's answer where a policy does not allow a request."""
    words = f"Policy doesn't allow {policy} to be performed."
    return fault('forbidden', 403, words)


def nova_versions(maximum: str = '2.104') -> dict[str, ty.Any]:
    """Return what Nova says of itself at its endpoint."""
    return {
        'version': {
            'id': 'v2.1',
            'status': 'CURRENT',
            'version': maximum,
            'min_version': '2.1',
            'updated': '2013-07-23T11:33:21Z',
            'links': [{'rel': 'self', 'href': f'{NOVA}/'}],
            'media-types': [],
        }
    }


def placement_versions(maximum: str = '1.39') -> dict[str, ty.Any]:
    """Return what Placement says of itself at its endpoint."""
    return {
        'versions': [
            {
                'id': 'v1.0',
                'status': 'CURRENT',
                'max_version': maximum,
                'min_version': '1.0',
                'links': [{'rel': 'self', 'href': ''}],
            }
        ]
    }


class CloudTestCase(unit.TestCase):
    """With ``self.cloud`` to say how it answers, and ``self.sent``."""

    #: What clouds.yaml says, beside how to log in.
    config: dict[str, ty.Any] = {}
    nova_maximum = '2.104'
    services = ('compute', 'placement')

    def setUp(self) -> None:
        self.cloud = self.enterContext(requests_mock.Mocker())
        self.sleep = self.enterContext(
            mock.patch('keystoneauth1.session.time.sleep', autospec=True)
        )
        self.set_up_identity()
        self.versions = self.cloud.get(
            NOVA, json=nova_versions(self.nova_maximum)
        )
        self.cloud.get(PLACEMENT, json=placement_versions())
        self.conn = self.connect(**self.config)
        self.gateway = gateway.Gateway(self.conn)

    @property
    def slept(self) -> float:
        return sum(call.args[0] for call in self.sleep.call_args_list)

    def set_up_identity(self) -> None:
        """Let Keystone give out tokens, another each time."""
        self.cloud.get(
            IDENTITY, json={'version': fixture.V3Discovery(IDENTITY)}
        )
        self.tokens = self.give(*(self.token() for _time in range(8)))

    def give(self, *tokens: fixture.V3Token) -> ty.Any:
        """Let Keystone give out these tokens, as token-1 and so on."""
        answers = [
            {
                'json': token,
                'headers': {'X-Subject-Token': f'token-{number}'},
                'status_code': 201,
            }
            for number, token in enumerate(tokens, 1)
        ]
        return self.cloud.post(TOKENS, answers)

    def token(self) -> fixture.V3Token:
        token = fixture.V3Token(user_name='alice')
        token.set_project_scope()
        token.add_role('admin')
        endpoints = {'compute': NOVA, 'placement': PLACEMENT}
        for kind in self.services:
            token.add_service(kind).add_standard_endpoints(
                public=endpoints[kind], region='RegionOne'
            )
        return token

    def connect(self, **config: ty.Any) -> connection.Connection:
        settings: ty.Any = {'auth_type': 'password', 'auth': AUTH, **config}
        region = openstack.config.OpenStackConfig(
            load_yaml_config=False, load_envvars=False
        ).get_one(region_name='RegionOne', **settings)
        conn = connection.Connection(config=region)
        self.addCleanup(conn.close)
        return conn

    @property
    def sent(self) -> list[str]:
        """The requests to Nova and Placement, discovery left out."""
        return [
            f'{request.method} {request.url.removeprefix(root)}'
            for request in self.cloud.request_history
            for root in (NOVA, PLACEMENT)
            if request.url.removeprefix(root)[:1] == '/'
            and request.url != f'{root}/'
        ]

    def last_request(self) -> ty.Any:
        return self.cloud.request_history[-1]

    def answer(self, path: str, **json: ty.Any) -> ty.Any:
        return self.cloud.get(NOVA + path, json=json)

    def answer_pages(self, path: str, key: str, *lists: list[ty.Any]) -> None:
        self.cloud.get(NOVA + path, pages(key, *lists))

    @contextlib.contextmanager
    def raises(self, kind: ty.Any, words: str = '') -> ty.Any:
        """Expect an exception, which can be shown as it stands."""
        with self.assertRaisesRegex(kind, words) as caught:
            yield caught
        message = str(caught.exception)
        self.assertTrue(message.isprintable(), repr(message))
        self.assertLess(len(message), 2000)

    def assert_version(self, version: str) -> None:
        """Check the microversion of the latest request: `compute 2.87`."""
        headers = self.last_request().headers
        self.assertEqual(version, headers['OpenStack-API-Version'])
        if version.startswith('compute'):
            older = headers['X-OpenStack-Nova-API-Version']
            self.assertEqual(version, f'compute {older}')
