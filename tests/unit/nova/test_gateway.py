#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""What goes over the wire for each question and request."""

import datetime
import typing as ty

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.nova import gateway
from osc_hostmaint.nova import records
from tests.unit.nova import cloud

SERVERS = '/servers/detail?all_tenants=True&host=cmp01&soft_deleted=True'
RECORD = records.migration(cloud.migration())
ACTIONS = f'{cloud.NOVA}/servers/vm1/os-instance-actions'


def link(path: str) -> list[dict[str, str]]:
    """Return a link to the next page, as Nova behind a proxy gives it."""
    return [{'rel': 'next', 'href': f'http://10.0.0.1:8774{path}'}]


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
            '/os-migrations': {'migrations': [cloud.migration()]},
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
        self.cloud.post(f'{cloud.NOVA}/servers/vm1/action', status_code=202)
        self.cloud.get(
            f'{cloud.PLACEMENT}/resource_providers/provider-1/allocations',
            json={'allocations': {'vm1': {}, 'uuid-1': {}}},
        )

    @ddt.unpack
    @ddt.named_data(
        ('services', 'services', [], '/os-services?binary=nova-compute'),
        ('servers', 'servers', ['cmp01'], SERVERS),
        (
            'server_count',
            'server_count',
            ['cmp01'],
            SERVERS.replace('/detail', ''),
        ),
        ('server', 'server', ['vm1'], '/servers/vm1'),
        ('migrations', 'migrations', ['cmp01'], '/os-migrations?host=cmp01'),
        (
            'migrations_since',
            'migrations',
            [
                'cmp01',
                datetime.datetime(
                    2026, 11, 20, 23, 30, 7, tzinfo=datetime.UTC
                ),
            ],
            '/os-migrations?host=cmp01'
            '&changes-since=2026-11-20T23%3A30%3A07%2B00%3A00',
        ),
        (
            'unconfirmed',
            'unconfirmed',
            ['cmp01'],
            '/os-migrations?source_compute=cmp01&status=finished',
        ),
        ('hypervisors', 'hypervisor_hosts', [], '/os-hypervisors/detail'),
    )
    def test_question(
        self, name: str, arguments: list[ty.Any], expected: str
    ) -> None:
        getattr(self.gateway, name)(*arguments)
        self.assertEqual([f'GET {expected}'], self.sent)
        self._assert_nova('2.87')

    @ddt.unpack
    @ddt.named_data(
        (
            'live',
            'live_migrate',
            {'os-migrateLive': {'host': None, 'block_migration': 'auto'}},
        ),
        ('cold', 'cold_migrate', {'migrate': None}),
        ('confirm', 'confirm', {'confirmResize': None}),
    )
    def test_action(self, name: str, body: ty.Any) -> None:
        getattr(self.gateway, name)('vm1')
        self.assertEqual(['POST /servers/vm1/action'], self.sent)
        self.assertEqual(body, self.last_request().json())
        self._assert_nova('2.87')

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

    def test_consumers(self) -> None:
        found = self.gateway.consumers('cmp01')
        self.assertEqual({'vm1', 'uuid-1'}, found)
        self.assertEqual(
            [
                'GET /os-hypervisors/detail',
                'GET /resource_providers/provider-1/allocations',
            ],
            self.sent,
        )
        headers = self.last_request().headers
        self.assertEqual('placement 1.6', headers['OpenStack-API-Version'])

    def test_hypervisors_are_asked_for_once(self) -> None:
        for _tick in range(3):
            self.gateway.consumers('cmp01')
        self.gateway.hypervisor_hosts()
        self.assertEqual(1, self.sent.count('GET /os-hypervisors/detail'))

    def test_discovery_and_login_once(self) -> None:
        for _tick in range(3):
            self.gateway.services()
        self.assertEqual(1, self.versions.call_count)
        self.assertEqual(1, self.tokens.call_count)

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


class OtherMicroversionTest(cloud.CloudTestCase):
    def test_older_nova_is_asked_at_what_it_offers(self) -> None:
        self.versions = self.cloud.get(
            cloud.NOVA, json=cloud.nova_versions('2.60')
        )
        self.cloud.get(f'{cloud.NOVA}/os-services', json={'services': []})
        self.gateway.services()
        headers = self.last_request().headers
        self.assertEqual('compute 2.60', headers['OpenStack-API-Version'])

    def test_least(self) -> None:
        self.cloud.get(cloud.NOVA, json=cloud.nova_versions('2.59'))
        self.cloud.get(f'{cloud.NOVA}/os-services', json={'services': []})
        self.assertEqual([], self.gateway.services())

    def test_too_old(self) -> None:
        self.cloud.get(cloud.NOVA, json=cloud.nova_versions('2.50'))
        with self.assertRaisesRegex(
            exceptions.ApiTooOld, r'\b2\.59\b.*Nova.*\b2\.50\b'
        ) as caught:
            self.gateway.services()
        self.assert_one_line(caught.exception)
        self.assertEqual([], self.sent)

    def test_nova_down_is_not_an_old_nova(self) -> None:
        self.cloud.get(cloud.NOVA, **cloud.fault('computeFault', 503, 'Busy'))
        self.cloud.get(
            f'{cloud.NOVA}/', **cloud.fault('computeFault', 503, 'Busy')
        )
        with self.assertRaisesRegex(exceptions.Unavailable, 'Busy.*503'):
            self.gateway.services()

    def test_versions_missed_at_first(self) -> None:
        # The endpoint fails for a moment, while keystoneauth1 looks at it.
        self.cloud.get(cloud.NOVA, status_code=502)
        self.cloud.get(
            f'{cloud.NOVA}/',
            [{'status_code': 502}, {'json': cloud.nova_versions('2.70')}],
        )
        self.cloud.get(f'{cloud.NOVA}/os-services', json={'services': []})
        self.assertEqual([], self.gateway.services())
        headers = self.last_request().headers
        self.assertEqual('compute 2.70', headers['OpenStack-API-Version'])

    def test_no_microversions_at_all(self) -> None:
        self.cloud.get(cloud.NOVA, json=cloud.nova_versions(''))
        self.cloud.get(f'{cloud.NOVA}/', json=cloud.nova_versions(''))
        with self.assertRaisesRegex(exceptions.ApiTooOld, 'offers none'):
            self.gateway.services()


class ServicesTest(cloud.CloudTestCase):
    def test_cell_that_does_not_answer(self) -> None:
        down = {
            'binary': 'nova-compute',
            'host': 'cmp02',
            'status': 'UNKNOWN',
        }
        self.cloud.get(
            f'{cloud.NOVA}/os-services',
            json={'services': [cloud.service('cmp01'), down]},
        )
        self.assertEqual(['cmp01'], [s.host for s in self.gateway.services()])


@ddt.ddt
class ServersTest(cloud.CloudTestCase):
    def _answer(self, *pages: ty.Any) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/servers/detail', [{'json': p} for p in pages]
        )

    def test_pages(self) -> None:
        self._answer(
            {
                'servers': [cloud.server('vm1'), cloud.server('vm2')],
                'servers_links': link('/servers/detail?marker=elsewhere'),
            },
            {
                'servers': [cloud.server('vm3'), cloud.server('vm4')],
                'servers_links': link('/servers/detail?marker=elsewhere'),
            },
            {'servers': []},
        )
        found = self.gateway.servers('cmp01')
        self.assertEqual(['vm1', 'vm2', 'vm3', 'vm4'], [s.id for s in found])
        self.assertEqual(
            [
                f'GET {SERVERS}',
                f'GET {SERVERS}&marker=vm2',
                f'GET {SERVERS}&marker=vm4',
            ],
            self.sent,
        )

    def test_empty_page(self) -> None:
        # The rest of the list was deleted since the page before.
        self._answer({'servers': [], 'servers_links': link('/servers')})
        self.assertEqual([], self.gateway.servers('cmp01'))

    def test_count_goes_over_pages(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/servers',
            [
                {
                    'json': {
                        'servers': [{'id': 'vm1'}, {'id': 'vm2'}],
                        'servers_links': link('/servers?marker=vm2'),
                    }
                },
                {'json': {'servers': [{'id': 'vm3'}]}},
            ],
        )
        self.assertEqual(3, self.gateway.server_count('cmp01'))
        self.assertIn('marker=vm2', self.sent[-1])

    def test_soft_deleted(self) -> None:
        gone = cloud.server(
            status='SOFT_DELETED', **{'OS-EXT-STS:vm_state': 'soft-delete'}
        )
        self._answer({'servers': [gone]})
        self.assertEqual(
            ['SOFT_DELETED'],
            [s.status for s in self.gateway.servers('cmp01')],
        )

    @ddt.data('cmp02', 'cmp011', None)
    def test_filter_ignored(self, host: str | None) -> None:
        # Nova ignores `host` without a word for who may not use it.
        self._answer(
            {'servers': [cloud.server('vm1'), cloud.server('vm2', host)]}
        )
        with self.assertRaisesRegex(
            exceptions.NotPermitted, 'allow_all_filters'
        ) as caught:
            self.gateway.servers('cmp01')
        self.assert_one_line(caught.exception)

    def test_one_server(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/servers/vm1',
            json={'server': cloud.server(host='cmp03')},
        )
        self.assertEqual('cmp03', self.gateway.server('vm1').host)

    def test_deleted(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/servers/vm1',
            **cloud.fault('itemNotFound', 404, 'Instance vm1 is not found.'),
        )
        found = self.gateway.server('vm1')
        self.assertEqual(
            ('vm1', 'DELETED', None), (found.id, found.status, found.host)
        )

    def test_404_of_a_proxy_is_no_deleted_server(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/servers/vm1',
            status_code=404,
            text='<html><body><h1>404 Not Found</h1></body></html>',
            headers={'Content-Type': 'text/html'},
        )
        with self.assertRaises(exceptions.Unavailable):
            self.gateway.server('vm1')

    def test_404_of_keystone_is_no_deleted_server(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/servers/vm1', **cloud.fault('x', 401, 'Who?')
        )
        self.gateway.user_name()  # Logged in.
        self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            **cloud.fault('error', 404, 'The resource could not be found.'),
        )
        with self.assertRaises(exceptions.Unavailable):
            self.gateway.server('vm1')


class MigrationsTest(cloud.CloudTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.since = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)

    def test_pages_by_uuid(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/os-migrations',
            [
                {
                    'json': {
                        'migrations': [cloud.migration(9), cloud.migration(8)],
                        'migrations_links': link('/os-migrations'),
                    }
                },
                {'json': {'migrations': [cloud.migration(7)]}},
            ],
        )
        found = self.gateway.migrations('cmp01', self.since)
        self.assertEqual([9, 8, 7], [m.id for m in found])
        self.assertEqual(
            'GET /os-migrations?host=cmp01'
            '&changes-since=2026-11-20T00%3A00%3A00%2B00%3A00&marker=uuid-8',
            self.sent[-1],
        )

    def test_newest_page_is_enough_without_a_time(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/os-migrations',
            json={
                'migrations': [cloud.migration(9)],
                'migrations_links': link('/os-migrations'),
            },
        )
        self.assertEqual([9], [m.id for m in self.gateway.migrations('cmp01')])
        self.assertEqual(1, len(self.sent))

    def test_unconfirmed_goes_over_pages(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/os-migrations',
            [
                {
                    'json': {
                        'migrations': [cloud.migration(9)],
                        'migrations_links': link('/os-migrations'),
                    }
                },
                {'json': {'migrations': [cloud.migration(7)]}},
            ],
        )
        found = self.gateway.unconfirmed('cmp01')
        self.assertEqual([9, 7], [m.id for m in found])


class HypervisorsTest(cloud.CloudTestCase):
    def test_pages_by_id(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/os-hypervisors/detail',
            [
                {
                    'json': {
                        'hypervisors': [cloud.hypervisor(1, 'cmp01')],
                        'hypervisors_links': link('/os-hypervisors/detail'),
                    }
                },
                {'json': {'hypervisors': [cloud.hypervisor(2, 'cmp02')]}},
            ],
        )
        self.assertEqual(
            {'cmp01.example.org': 'cmp01', 'cmp02.example.org': 'cmp02'},
            self.gateway.hypervisor_hosts(),
        )
        self.assertEqual(
            [
                'GET /os-hypervisors/detail',
                'GET /os-hypervisors/detail?marker=provider-1',
            ],
            self.sent,
        )

    def test_several_nodes_on_a_host(self) -> None:
        # Ironic: every node is a resource provider of its own.
        nodes = [cloud.hypervisor(1, 'cmp01'), cloud.hypervisor(2, 'cmp01')]
        self.cloud.get(
            f'{cloud.NOVA}/os-hypervisors/detail', json={'hypervisors': nodes}
        )
        for number in (1, 2):
            self.cloud.get(
                f'{cloud.PLACEMENT}/resource_providers/provider-{number}'
                '/allocations',
                json={'allocations': {f'vm{number}': {}}},
            )
        self.assertEqual({'vm1', 'vm2'}, self.gateway.consumers('cmp01'))

    def test_host_without_a_hypervisor(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/os-hypervisors/detail', json={'hypervisors': []}
        )
        self.assertEqual(frozenset(), self.gateway.consumers('cmp01'))


def action(number: int, name: str) -> dict[str, str]:
    """Return an entry of GET /servers/{id}/os-instance-actions."""
    return {
        'action': name,
        'request_id': f'req-{number}',
        'start_time': f'2026-11-20T23:{number:02}:00.000000',
        'instance_uuid': 'vm1',
    }


@ddt.ddt
class FailureTest(cloud.CloudTestCase):
    """Why a move failed."""

    def _answer(self, actions: ty.Any, events: ty.Any) -> None:
        self.cloud.get(ACTIONS, json={'instanceActions': actions})
        self.cloud.get(
            f'{ACTIONS}/req-3',
            json={'instanceAction': {'action': 'migrate', 'events': events}},
        )

    @ddt.data('live-migration', 'migrate')
    def test_newest_move(self, name: str) -> None:
        others = [
            action(5, 'stop'),
            action(1, 'migrate'),
            action(0, 'create'),
            action(2, 'live-migration'),
        ]
        self._answer(
            [*others, action(3, name), action(4, 'confirmResize')],
            [
                {'event': 'conductor_x', 'result': 'Success', 'details': None},
                {
                    'event': 'compute_y',
                    'result': 'Error',
                    'details': 'No valid host was found.',
                },
            ],
        )
        self.assertEqual(
            'No valid host was found.', self.gateway.failure(RECORD)
        )
        self.assertEqual(
            [
                'GET /servers/vm1/os-instance-actions',
                'GET /servers/vm1/os-instance-actions/req-3',
            ],
            self.sent,
        )

    @ddt.unpack
    @ddt.named_data(
        ('no_events', []),
        ('events_null', None),
        ('still_running', [{'event': 'x', 'result': None}]),
        ('none_failed', [{'result': 'Success', 'details': 'not this'}]),
        ('details_null', [{'result': 'Error', 'details': None}]),
        ('before_2_84', [{'result': 'Error'}]),
    )
    def test_nova_does_not_say(self, events: ty.Any) -> None:
        self._answer([action(3, 'migrate')], events)
        self.assertEqual('', self.gateway.failure(RECORD))

    def test_details_of_a_later_event(self) -> None:
        self._answer(
            [action(3, 'migrate')],
            [
                {'result': 'Error', 'details': None},
                {'result': 'Error', 'details': 'disk full'},
            ],
        )
        self.assertEqual('disk full', self.gateway.failure(RECORD))

    def test_no_move(self) -> None:
        self._answer([action(3, 'create')], [])
        self.assertEqual('', self.gateway.failure(RECORD))
        self.assertEqual(1, len(self.sent))

    @ddt.unpack
    @ddt.named_data(('deleted', 404), ('may_not_look', 403))
    def test_no_answer(self, status: int) -> None:
        self.cloud.get(ACTIONS, **cloud.fault('x', status, 'No.'))
        self.assertEqual('', self.gateway.failure(RECORD))

    def test_outage(self) -> None:
        self.cloud.get(ACTIONS, **cloud.fault('x', 503, 'Busy'))
        with self.assertRaises(exceptions.Unavailable):
            self.gateway.failure(RECORD)


@ddt.ddt
class UserNameTest(cloud.CloudTestCase):
    """Who goes into the mark."""

    @ddt.unpack
    @ddt.named_data(
        ('password', {}),
        (
            'token',
            {
                'auth_type': 'token',
                'auth': {
                    'auth_url': cloud.IDENTITY,
                    'token': 'token-0',
                    'project_name': 'admin',
                    'project_domain_id': 'default',
                },
            },
        ),
        (
            'application_credential',
            {
                'auth_type': 'v3applicationcredential',
                'auth': {
                    'auth_url': cloud.IDENTITY,
                    'application_credential_id': 'a',
                    'application_credential_secret': 's',
                },
            },
        ),
    )
    def test_name(self, config: ty.Any) -> None:
        conn = self.connect(**config)
        self.assertEqual('alice', gateway.Gateway(conn).user_name())

    @ddt.unpack
    @ddt.named_data(
        (
            'none',
            {'auth_type': 'none', 'auth': {'endpoint': cloud.NOVA}},
        ),
        (
            'admin_token',
            {
                'auth_type': 'admin_token',
                'auth': {'endpoint': cloud.NOVA, 'token': 't'},
            },
        ),
    )
    def test_without_keystone(self, config: ty.Any) -> None:
        conn = self.connect(**config)
        self.assertEqual('unknown', gateway.Gateway(conn).user_name())
        self.assertEqual([], self.cloud.request_history)

    def test_id_where_there_is_no_name(self) -> None:
        token = self.token()
        token.user_name = ''
        self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            json=token,
            headers={'X-Subject-Token': 't'},
        )
        self.assertEqual(token.user_id, self.gateway.user_name())

    def test_no_request_beyond_the_login(self) -> None:
        for _time in range(3):
            self.gateway.user_name()
        self.assertEqual(1, self.tokens.call_count)

    def test_wrong_password(self) -> None:
        self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            **cloud.fault('error', 401, 'The request you\nhave made \x1b[1m'),
        )
        with self.assertRaisesRegex(
            exceptions.NotPermitted, 'The request you have made.*HTTP 401'
        ) as caught:
            self.gateway.user_name()
        self.assert_one_line(caught.exception)


class NovaTimeTest(cloud.CloudTestCase):
    def test_follows_the_cloud(self) -> None:
        # By whole seconds, which is all that the Date header has.
        self.cloud.get(
            f'{cloud.NOVA}/os-services',
            json={'services': []},
            headers={'Date': 'Fri, 20 Nov 2020 23:31:07 GMT'},
        )
        self.gateway.services()
        expected = datetime.datetime(
            2020, 11, 20, 23, 31, 7, tzinfo=datetime.UTC
        )
        late = self.gateway.now() - expected
        self.assertLess(abs(late), datetime.timedelta(seconds=30))


class ModelTest(cloud.CloudTestCase):
    def test_answers_are_the_models(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/os-migrations',
            json={'migrations': [cloud.migration(3, dest_compute=None)]},
        )
        (found,) = self.gateway.migrations('cmp01')
        self.assertIsInstance(found, model.Migration)
        self.assertIsNone(found.dest)
