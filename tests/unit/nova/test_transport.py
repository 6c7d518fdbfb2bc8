# SPDX-License-Identifier: Apache-2.0

"""What is sent, how often, and what becomes of bad answers."""

import http.server
import json
import os
import threading
import typing as ty
from unittest import mock

import openstack
import requests

from osc_hostmaint import exceptions
from osc_hostmaint.nova import gateway
from osc_hostmaint.nova import records
from osc_hostmaint.nova import transport
from tests import unit
from tests.unit.nova import cloud

SERVICES = f'{cloud.NOVA}/os-services'
SERVICE = f'{SERVICES}/{cloud.service()["id"]}'
ACTION = f'{cloud.NOVA}/servers/vm1/action'
MIGRATION = f'{cloud.NOVA}/servers/vm1/migrations/7'

#: Failures after which a question may be asked again.
PASSING: list[tuple[str, dict[str, ty.Any]]] = [
    *[
        (str(status), {'status_code': status, 'reason': 'Some Reason'})
        for status in (429, 500, 502, 503, 504)
    ],
    ('connect_timeout', {'exc': requests.exceptions.ConnectTimeout}),
    ('read_timeout', {'exc': requests.exceptions.ReadTimeout}),
    # Reset, refused, or a name that does not resolve.
    ('no_connection', {'exc': requests.exceptions.ConnectionError('reset')}),
]


class ReadTest(cloud.CloudTestCase):
    @unit.named_cases(*PASSING)
    def test_passing_failure(self, failure: dict[str, ty.Any]) -> None:
        fine = {'json': {'services': [cloud.service()]}}
        asked = self.cloud.get(SERVICES, [failure, failure, fine])
        self.assertEqual(['cmp01'], [s.host for s in self.gateway.services()])
        self.assertEqual(3, asked.call_count)
        self.assertEqual(1.5, self.slept)

    @unit.named_cases(*PASSING)
    def test_lasting_failure(self, failure: dict[str, ty.Any]) -> None:
        asked = self.cloud.get(SERVICES, **failure)
        with self.raises(exceptions.Unavailable, 'Nova: GET /os-services'):
            self.gateway.services()
        self.assertEqual(3, asked.call_count)

    @unit.cases(400, 403, 404, 409, 413)
    def test_an_answer_is_an_answer(self, status: int) -> None:
        asked = self.cloud.get(SERVICES, **cloud.fault('x', status, 'No.'))
        with self.raises(exceptions.CloudError):
            self.gateway.services()
        self.assertEqual(1, asked.call_count)
        self.sleep.assert_not_called()

    def test_later_page(self) -> None:
        first, second = cloud.pages('servers', [{'id': '1'}], [{'id': '2'}])
        answers = [first, {'status_code': 502}, second]
        self.cloud.get(f'{cloud.NOVA}/servers', answers)
        self.assertEqual(2, self.gateway.server_count('cmp01'))


class ChangeTest(cloud.CloudTestCase):
    """What would do its work twice is sent once, whatever happens."""

    def setUp(self) -> None:
        super().setUp()
        self.service = records.service(cloud.service())

    @unit.named_cases(*PASSING)
    def test_put(self, failure: dict[str, ty.Any]) -> None:
        fine = {'json': {'service': cloud.service()}}
        as_before = {'json': {'services': [cloud.service()]}}
        self.cloud.get(SERVICES, **as_before)
        put = self.cloud.put(SERVICE, [failure, failure, fine])
        self.gateway.disable(self.service, 'x')
        self.assertEqual(3, put.call_count)

    @unit.named_cases(*PASSING)
    def test_sent_once(self, failure: dict[str, ty.Any]) -> None:
        for method, path, what, call in (
            ('POST', ACTION, ' os-migrateLive', self.gateway.live_migrate),
            ('DELETE', MIGRATION, '', lambda s: self.gateway.abort(s, 7)),
        ):
            sent = self.cloud.request(method, path, **failure)
            words = f'Nova: {method} {path.removeprefix(cloud.NOVA)}{what}'
            with self.raises(exceptions.Unavailable, words) as caught:
                call('vm1')
            self.assertEqual(1, sent.call_count)
            self.sleep.assert_not_called()
            # 429 says that it was not carried out; no other failure does.
            in_doubt = failure.get('status_code') != 429
            self.assertIs(in_doubt, caught.exception.in_doubt)

    def test_token_that_keystone_took_back(self) -> None:
        posted = self.cloud.post(
            ACTION, [cloud.fault('x', 401, 'Who?'), {'status_code': 202}]
        )
        self.gateway.live_migrate('vm1')
        # The first was not carried out.
        first, second = posted.request_history
        self.assertEqual('token-1', first.headers['X-Auth-Token'])
        self.assertEqual('token-2', second.headers['X-Auth-Token'])
        self.assertEqual(first.json(), second.json())

    def test_new_token_does_not_help(self) -> None:
        posted = self.cloud.post(ACTION, **cloud.fault('x', 401, 'Who?'))
        with self.raises(exceptions.NotPermitted, 'log in'):
            self.gateway.live_migrate('vm1')
        self.assertEqual(2, posted.call_count)

    def test_failure_after_a_new_token(self) -> None:
        posted = self.cloud.post(
            ACTION, [cloud.fault('x', 401, 'Who?'), {'status_code': 504}]
        )
        with self.raises(exceptions.Unavailable) as caught:
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


class HostileTest(cloud.CloudTestCase):
    @unit.cases(
        ('5', 10),
        ('61', 120),
        ('31536000', 120),
        ('1' + 20 * '0', 120),
        ('-1', 1.5),
        ('soon', 1.5),
        ('', 1.5),
    )
    def test_retry_after(self, asked: str, slept: float) -> None:
        headers = {'Retry-After': asked}
        self.cloud.get(SERVICES, status_code=503, headers=headers)
        with self.raises(exceptions.Unavailable, 'HTTP 503'):
            self.gateway.services()
        self.assertEqual(slept, self.slept)

    def test_the_user_does_not_want_to_wait(self) -> None:
        headers = {'Retry-After': '50'}
        asked = self.cloud.get(SERVICES, status_code=503, headers=headers)
        self.gateway.pause.stopping = lambda: self.slept > 3
        with self.raises(exceptions.Unavailable):
            self.gateway.services()
        self.assertEqual((1, 3.5), (asked.call_count, self.slept))

    @unit.cases('https://evil.example.org/', '//evil.example.org', None)
    def test_redirect_elsewhere(self, target: str) -> None:
        headers = {'Location': target} if target else {}
        self.cloud.get(SERVICES, status_code=302, headers=headers)
        words = 'GET /os-services.*(nowhere|evil).*is not followed'
        with self.raises(exceptions.Unavailable, words):
            self.gateway.services()
        posted = self.cloud.post(ACTION, status_code=307, headers=headers)
        with self.raises(exceptions.Unavailable):
            self.gateway.live_migrate('vm1')
        self.assertEqual(1, posted.call_count)

    def test_redirect_within_the_origin(self) -> None:
        headers = {'Location': '/v2.1/os-services/?binary=nova-compute'}
        self.cloud.get(SERVICES, status_code=301, headers=headers)
        self.cloud.get(f'{SERVICES}/', json={'services': [cloud.service()]})
        self.assertEqual(['cmp01'], [s.host for s in self.gateway.services()])

    def test_too_large(self) -> None:
        self.cloud.get(
            SERVICES, json={'services': [cloud.service(zone=1000 * 'x')]}
        )
        self.enterContext(mock.patch.object(transport, 'MAX_BYTES', 1000))
        with self.raises(exceptions.Unavailable, 'too large'):
            self.gateway.services()

    @unit.cases(
        {'host': None},
        {'host': 7},
        {'zone': ['az']},
        {'forced_down': 'no'},
        {'updated_at': 'yesterday'},
        {'updated_at': 5},
        {'disabled_reason': {}},
    )
    def test_malformed_service(self, changes: ty.Any) -> None:
        self.cloud.get(SERVICES, json={'services': [cloud.service(**changes)]})
        with self.raises(exceptions.Unavailable, 'GET /os-services: a part'):
            self.gateway.services()

    def test_ids_are_quoted(self) -> None:
        quoted = f'{cloud.NOVA}/servers/..%2Fos-services%3Fx%3D%2F%23'
        self.cloud.get(quoted, **cloud.fault('x', 404, 'No.'))
        self.answer('/servers/detail', servers=[])
        found = self.gateway.server('../os-services?x=/#')
        self.assertEqual('DELETED', found.status)


class AnswerTest(cloud.CloudTestCase):
    """A status that says 200, over what is no answer of Nova's."""

    NO_ANSWERS: list[tuple[str, dict[str, ty.Any]]] = [
        ('login_page', {'text': '<html>Please log in</html>'}),
        ('hostile_type', {'headers': {'Content-Type': 'text/html\x1b[1m'}}),
        ('empty', {'text': ''}),
        ('cut', {'text': '{"services": [{"id": '}),
        ('not_text', {'content': b'\xff\xfe\x00'}),
        ('other_json', {'json': {'message': 'Please log in'}}),
        ('list', {'json': ['services']}),
        ('string', {'json': 'services'}),
        ('null', {'json': None}),
        ('redirect_to_nowhere', {'status_code': 302}),
    ]

    @unit.named_cases(*NO_ANSWERS)
    def test_read(self, answer: dict[str, ty.Any]) -> None:
        self.cloud.get(SERVICES, **answer)
        with self.raises(
            exceptions.CloudError, 'Nova: GET /os-services.*proxy'
        ):
            self.gateway.services()

    @unit.named_cases(*NO_ANSWERS)
    def test_change(self, answer: dict[str, ty.Any]) -> None:
        self.cloud.put(SERVICE, **answer)
        self.cloud.get(SERVICES, json={'services': [cloud.service()]})
        with self.raises(exceptions.Unavailable) as caught:
            self.gateway.disable(records.service(cloud.service()), 'x')
        self.assertTrue(caught.exception.in_doubt)


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


class SocketTest(unit.TestCase):
    """The layers below keystoneauth1 don't send twice either."""

    @unit.named_cases(
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
