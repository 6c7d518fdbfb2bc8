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

"""What is sent, how often, and what becomes of bad days of the network."""

import datetime
import http.server
import json
import os
import pathlib
import tempfile
import threading
import typing as ty
import unittest
from unittest import mock

import ddt
from keystoneauth1 import fixture
import openstack
import requests
import requests_mock

from osc_hostmaint import exceptions
from osc_hostmaint.nova import gateway
from osc_hostmaint.nova import records
from tests.unit.nova import cloud

SERVICES = f'{cloud.NOVA}/os-services'
SERVICE = f'{SERVICES}/{cloud.service()["id"]}'
ACTION = f'{cloud.NOVA}/servers/vm1/action'

#: Failures after which a question may be asked again.
PASSING: list[tuple[str, dict[str, ty.Any]]] = [
    *[
        (str(status), {'status_code': status, 'reason': 'Some Reason'})
        for status in (429, 500, 502, 503, 504)
    ],
    ('connect_timeout', {'exc': requests.exceptions.ConnectTimeout}),
    ('read_timeout', {'exc': requests.exceptions.ReadTimeout}),
    (
        'reset',
        {
            'exc': requests.exceptions.ConnectionError(
                "('Connection aborted.', ConnectionResetError(104, 'reset'))"
            )
        },
    ),
    (
        'refused',
        {
            'exc': requests.exceptions.ConnectionError(
                'HTTPSConnectionPool: [Errno 111] Connection refused'
            )
        },
    ),
    (
        'dns',
        {
            'exc': requests.exceptions.ConnectionError(
                'NameResolutionError: Name or service not known'
            )
        },
    ),
]


@ddt.ddt
class ReadTest(cloud.CloudTestCase):
    @ddt.unpack
    @ddt.named_data(*PASSING)
    def test_passing_failure(self, failure: dict[str, ty.Any]) -> None:
        fine = {'json': {'services': [cloud.service()]}}
        asked = self.cloud.get(SERVICES, [failure, failure, fine])
        self.assertEqual(['cmp01'], [s.host for s in self.gateway.services()])
        self.assertEqual(3, asked.call_count)
        self.assertEqual(2, self.sleep.call_count)

    @ddt.unpack
    @ddt.named_data(*PASSING)
    def test_lasting_failure(self, failure: dict[str, ty.Any]) -> None:
        asked = self.cloud.get(SERVICES, **failure)
        with self.assertRaises(exceptions.Unavailable) as caught:
            self.gateway.services()
        self.assertEqual(3, asked.call_count)
        self.assertIn('Nova: GET /os-services', str(caught.exception))
        self.assert_one_line(caught.exception)

    @ddt.data(400, 403, 404, 409, 413)
    def test_an_answer_is_an_answer(self, status: int) -> None:
        asked = self.cloud.get(SERVICES, **cloud.fault('x', status, 'No.'))
        with self.assertRaises(exceptions.CloudError):
            self.gateway.services()
        self.assertEqual(1, asked.call_count)
        self.sleep.assert_not_called()

    def test_placement_too(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/os-hypervisors/detail',
            json={'hypervisors': [cloud.hypervisor(1, 'cmp01')]},
        )
        self.cloud.get(
            f'{cloud.PLACEMENT}/resource_providers/provider-1/allocations',
            [{'status_code': 503}, {'json': {'allocations': {'vm1': {}}}}],
        )
        self.assertEqual({'vm1'}, self.gateway.consumers('cmp01'))

    def test_later_page(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/servers',
            [
                {
                    'json': {
                        'servers': [{'id': 'vm1'}],
                        'servers_links': [{'rel': 'next', 'href': 'x'}],
                    }
                },
                {'status_code': 502},
                {'json': {'servers': [{'id': 'vm2'}]}},
            ],
        )
        self.assertEqual(2, self.gateway.server_count('cmp01'))


@ddt.ddt
class ChangeTest(cloud.CloudTestCase):
    """Whatever happens, what changes something is sent once."""

    def setUp(self) -> None:
        super().setUp()
        self.service = records.service(cloud.service())

    @ddt.unpack
    @ddt.named_data(*PASSING)
    def test_post(self, failure: dict[str, ty.Any]) -> None:
        posted = self.cloud.post(ACTION, **failure)
        with self.assertRaises(exceptions.Unavailable) as caught:
            self.gateway.live_migrate('vm1')
        self._assert_once(posted, failure, caught.exception)
        self.assertIn(
            'Nova: POST /servers/vm1/action os-migrateLive',
            str(caught.exception),
        )

    @ddt.unpack
    @ddt.named_data(*PASSING)
    def test_put(self, failure: dict[str, ty.Any]) -> None:
        put = self.cloud.put(SERVICE, **failure)
        with self.assertRaises(exceptions.Unavailable) as caught:
            self.gateway.enable(self.service)
        self._assert_once(put, failure, caught.exception)

    def _assert_once(
        self,
        sent: ty.Any,
        failure: dict[str, ty.Any],
        error: exceptions.Unavailable,
    ) -> None:
        self.assertEqual(1, sent.call_count)
        self.sleep.assert_not_called()
        # 429 says that it was not carried out; no other failure does.
        self.assertIs(failure.get('status_code') != 429, error.in_doubt)
        self.assert_one_line(error)

    def test_token_that_keystone_took_back(self) -> None:
        posted = self.cloud.post(
            ACTION, [cloud.fault('x', 401, 'Who?'), {'status_code': 202}]
        )
        self.gateway.live_migrate('vm1')
        # The first was not carried out.
        self.assertEqual(2, posted.call_count)
        tokens = [r.headers['X-Auth-Token'] for r in posted.request_history]
        self.assertEqual(['token-1', 'token-2'], tokens)
        bodies = [r.json() for r in posted.request_history]
        self.assertEqual(bodies[0], bodies[1])

    def test_new_token_does_not_help(self) -> None:
        posted = self.cloud.post(ACTION, **cloud.fault('x', 401, 'Who?'))
        with self.assertRaisesRegex(exceptions.NotPermitted, 'log in'):
            self.gateway.live_migrate('vm1')
        self.assertEqual(2, posted.call_count)

    def test_failure_after_a_new_token(self) -> None:
        posted = self.cloud.post(
            ACTION,
            [cloud.fault('x', 401, 'Who?'), {'status_code': 504}],
        )
        with self.assertRaises(exceptions.Unavailable) as caught:
            self.gateway.live_migrate('vm1')
        self.assertEqual(2, posted.call_count)
        self.assertTrue(caught.exception.in_doubt)


class RetriesOfCloudsYamlTest(ChangeTest):
    """Who asks for retries gets them for questions only."""

    config = {
        'compute_connect_retries': 5,
        'compute_status_code_retries': 5,
        'compute_retriable_status_codes': [429, 500, 502, 503, 504],
    }


class TokenTest(cloud.CloudTestCase):
    def test_expiry_passes_unnoticed(self) -> None:
        self.cloud.get(SERVICES, json={'services': []})
        soon = self.token()
        now = datetime.datetime.now(datetime.UTC)
        soon.expires = now + datetime.timedelta(seconds=5)
        login = self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            [
                {'json': soon, 'headers': {'X-Subject-Token': 'short'}},
                {'json': self.token(), 'headers': {'X-Subject-Token': 'long'}},
            ],
        )
        for _tick in range(3):
            self.gateway.services()
        self.assertEqual(2, login.call_count)
        self.assertEqual('long', self.last_request().headers['X-Auth-Token'])

    def test_keystone_away_when_a_token_is_due(self) -> None:
        self.cloud.get(SERVICES, **cloud.fault('x', 401, 'Who?'))
        self.gateway.user_name()
        self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            **cloud.fault('error', 503, 'Down\nfor good.'),
        )
        with self.assertRaisesRegex(
            exceptions.Unavailable, 'Down for good.*HTTP 503'
        ) as caught:
            self.gateway.services()
        self.assert_one_line(caught.exception)


class TimeoutTest(cloud.CloudTestCase):
    def _timeouts(self) -> set[float]:
        self.cloud.get(SERVICES, json={'services': []})
        self.cloud.put(SERVICE, json={'service': cloud.service()})
        self.cloud.post(ACTION, status_code=202)
        self.gateway.services()
        self.gateway.enable(records.service(cloud.service()))
        self.gateway.live_migrate('vm1')
        self.gateway.user_name()
        # Of the login and the discovery too.
        self.assertGreater(len(self.cloud.request_history), 5)
        return {r.timeout for r in self.cloud.request_history}

    def test_ours(self) -> None:
        self.assertEqual({gateway.TIMEOUT_SECONDS}, self._timeouts())

    def test_of_clouds_yaml(self) -> None:
        self.conn = self.connect(api_timeout=7)
        self.gateway = gateway.Gateway(self.conn)
        self.assertEqual({7.0}, self._timeouts())

    def test_user_name_before_anything_else(self) -> None:
        self.gateway.user_name()
        timeouts = {r.timeout for r in self.cloud.request_history}
        self.assertEqual({gateway.TIMEOUT_SECONDS}, timeouts)


@ddt.ddt
class AnswerTest(cloud.CloudTestCase):
    """A status that says 200, over what is no answer of Nova's."""

    NO_ANSWERS: list[tuple[str, dict[str, ty.Any]]] = [
        (
            'login_page',
            {
                'text': '<html>Please log in</html>',
                'headers': {'Content-Type': 'text/html\x1b[1m'},
            },
        ),
        ('empty', {'text': ''}),
        ('cut', {'text': '{"services": [{"id": '}),
        ('not_text', {'content': b'\xff\xfe\x00'}),
        ('other_json', {'json': {'message': 'Please log in'}}),
        ('list', {'json': ['services']}),
        ('string', {'json': 'services'}),
        ('null', {'json': None}),
        ('redirect_to_nowhere', {'status_code': 302}),
    ]

    @ddt.unpack
    @ddt.named_data(*NO_ANSWERS)
    def test_read(self, answer: dict[str, ty.Any]) -> None:
        self.cloud.get(SERVICES, **answer)
        with self.assertRaisesRegex(
            exceptions.CloudError, 'Nova: GET /os-services.*proxy'
        ) as caught:
            self.gateway.services()
        self.assert_one_line(caught.exception)

    @ddt.unpack
    @ddt.named_data(*NO_ANSWERS)
    def test_change(self, answer: dict[str, ty.Any]) -> None:
        self.cloud.put(SERVICE, **answer)
        with self.assertRaises(exceptions.Unavailable) as caught:
            self.gateway.enable(records.service(cloud.service()))
        self.assertTrue(caught.exception.in_doubt)
        self.assert_one_line(caught.exception)


@ddt.ddt
class SkewTest(cloud.CloudTestCase):
    def _skew(self, *headers: dict[str, str]) -> datetime.timedelta:
        self.cloud.get(
            SERVICES,
            [{'json': {'services': []}, 'headers': h} for h in headers],
        )
        for _header in headers:
            self.gateway.services()
        return self.gateway.now() - datetime.datetime.now(datetime.UTC)

    def _date(self, hours: int, zone: str) -> dict[str, str]:
        time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(
            hours=hours
        )
        return {'Date': time.strftime(f'%a, %d %b %Y %H:%M:%S {zone}')}

    @ddt.data('GMT', '-0000', '+0000')
    def test_nova_is_ahead(self, zone: str) -> None:
        skew = self._skew(self._date(3, zone))
        self.assertAlmostEqual(3 * 3600, skew.total_seconds(), delta=30)

    def test_another_zone(self) -> None:
        skew = self._skew(self._date(3, '+0300'))
        self.assertAlmostEqual(0, skew.total_seconds(), delta=30)

    GARBAGE = (
        'soon',
        '',
        '0',
        'Fri, 20 Nov 2026',
        'Fri, 99 Nov 2026 99:99:99 GMT',
        'Fri, 20 Nov 0001 00:00:00 +9999',
        'Fri, 20 Nov 9999 23:59:59 -9999',
        'Fri, 20 Nov 2026 10:00:00 +99999999999999999999',
        '\x1b[31m',
    )

    @ddt.data(*GARBAGE)
    def test_garbage(self, date: str) -> None:
        self._skew({'Date': date})

    def test_missing(self) -> None:
        self.assertLess(abs(self._skew({})), datetime.timedelta(seconds=0.5))

    def test_missing_later_changes_nothing(self) -> None:
        skew = self._skew(self._date(-2, 'GMT'), {}, {'Date': 'soon'})
        self.assertAlmostEqual(-2 * 3600, skew.total_seconds(), delta=30)


class CacheOfCloudsYamlTest(unittest.TestCase):
    """openstacksdk may be told to keep answers; a loop must not see them."""

    CLOUDS = {
        'cache': {
            'class': 'dogpile.cache.memory',
            'expiration_time': 3600,
            'expiration': {'compute.server': 3600},
        },
        'clouds': {
            'prod': {
                'auth': {
                    'auth_url': cloud.IDENTITY,
                    'username': 'alice',
                    'password': 'secret',
                    'project_name': 'admin',
                    'user_domain_id': 'default',
                    'project_domain_id': 'default',
                }
            }
        },
    }

    def test_answers_are_fresh(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = pathlib.Path(folder, 'clouds.yaml')
        path.write_text(json.dumps(self.CLOUDS))
        answers = self.enterContext(requests_mock.Mocker())
        token = fixture.V3Token(user_name='alice')
        token.set_project_scope()
        nova = token.add_service('compute')
        nova.add_standard_endpoints(public=cloud.NOVA)
        answers.get(
            cloud.IDENTITY,
            json={'version': fixture.V3Discovery(cloud.IDENTITY)},
        )
        answers.post(
            f'{cloud.IDENTITY}/auth/tokens',
            json=token,
            headers={'X-Subject-Token': 't'},
        )
        answers.get(cloud.NOVA, json=cloud.nova_versions())
        answers.get(
            f'{cloud.NOVA}/servers/vm1',
            [
                {'json': {'server': cloud.server(status='MIGRATING')}},
                {'json': {'server': cloud.server(status='ACTIVE')}},
            ],
        )
        config = openstack.config.OpenStackConfig(
            config_files=[str(path)], load_envvars=False
        )
        conn = openstack.connection.Connection(
            config=config.get_one(cloud='prod')
        )
        self.addCleanup(conn.close)
        self.assertTrue(conn.cache_enabled)
        asking = gateway.Gateway(conn)
        seen = [asking.server('vm1').status for _tick in range(2)]
        self.assertEqual(['MIGRATING', 'ACTIVE'], seen)


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self, *, hangs_up: bool):
        super().__init__(('127.0.0.1', 0), _Nova)
        #: After an answer, though it was not announced.
        self.hangs_up = hangs_up
        self.log: list[str] = []


class _Nova(http.server.BaseHTTPRequestHandler):
    """A Nova that takes changes and hangs up instead of answering."""

    protocol_version = 'HTTP/1.1'
    server: _Server

    def do_GET(self) -> None:
        self.server.log.append('GET')
        body = json.dumps(cloud.nova_versions()).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.server.hangs_up

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers['Content-Length']))
        self.server.log.append('POST')
        self.close_connection = True

    def log_message(self, *arguments: ty.Any) -> None:
        pass


@ddt.ddt
class SocketTest(unittest.TestCase):
    """The layers below keystoneauth1 don't send twice either."""

    @ddt.unpack
    @ddt.named_data(
        ('kept_connection', False, {1}),
        # Found dead before or while the request is sent.
        ('stale_connection', True, {0, 1}),
    )
    def test_hangs_up(self, hangs_up: bool, expected: set[int]) -> None:
        self.enterContext(mock.patch.dict(os.environ, {'NO_PROXY': '*'}))
        server = _Server(hangs_up=hangs_up)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        root = f'http://127.0.0.1:{server.server_port}/v2.1'
        config = openstack.config.OpenStackConfig(
            load_yaml_config=False, load_envvars=False
        ).get_one(
            auth_type='none',
            auth={'endpoint': root},
            compute_endpoint_override=root,
        )
        conn = openstack.connection.Connection(config=config)
        self.addCleanup(conn.close)
        with self.assertRaises(exceptions.Unavailable) as caught:
            gateway.Gateway(conn).live_migrate('vm1')
        self.assertTrue(caught.exception.in_doubt)
        self.assertIn(server.log.count('POST'), expected)
