# SPDX-License-Identifier: Apache-2.0

"""What the layers below keystoneauth1 send."""

import http.server
import json
import os
import threading
import typing as ty
from unittest import mock

import openstack

from osc_hostmaint import exceptions
from osc_hostmaint.nova import gateway
from tests import unit
from tests.unit.nova import cloud


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
