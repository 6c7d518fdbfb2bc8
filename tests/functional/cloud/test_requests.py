# SPDX-License-Identifier: Apache-2.0

import os
import subprocess
import sys

from keystoneauth1 import exceptions as ksa_exceptions
from openstack import exceptions
import pytest

from tests.functional.cloud import base

pytestmark = pytest.mark.soak


class TestRequests(base.CloudTest):
    options = {'hosts': 1}

    def test_faults(self):
        users = self.cloud.connection('demo', interface='public')
        faults = self.cloud.faults
        self.assertEqual([], list(users.compute.servers()))

        faults.add(method='GET', path='/servers', status=503, times=1)
        self.assertEqual(503, users.compute.get('/servers').status_code)
        self.assertEqual(200, users.compute.get('/servers').status_code)

        faults.add(path='/servers/detail', reset=True)
        with self.assertRaisesRegex(
            ksa_exceptions.ConnectFailure, 'ConnectionReset'
        ):
            list(users.compute.servers())
        # The handle is spared.
        self.assertEqual([], self.cloud.servers())
        faults.clear()

        body = {
            'server': {
                'name': 'took',
                'flavorRef': '1',
                'imageRef': self.cloud.facts['image'],
                'networks': 'none',
            }
        }
        faults.add(method='POST', path='/servers$', reset=True, after=True)
        with self.assertRaises(ksa_exceptions.ConnectFailure):
            users.compute.post('/servers', json=body)
        faults.clear()
        faults.add(service='placement', delay=0.3)
        faults.add(service='identity', status=500)
        self.assertEqual(['took'], [s.name for s in users.compute.servers()])

    def test_request_log(self):
        server = self.cloud.boot('web')
        users = self.cloud.connection('demo', interface='public')
        list(users.compute.servers())
        self.cloud.requests.reset()

        users.compute.get_server(server.id)
        users.compute.stop_server(server.id)
        self.cloud.wait_server(server, 'SHUTOFF')

        shown, stopped = self.cloud.requests.log()
        self.assertEqual(
            ('compute', 'GET', f'/v2.1/servers/{server.id}', 200),
            (shown.service, shown.method, shown.path, shown.status),
        )
        self.assertIn('compute 2.', shown.microversion)
        self.assertIn('tests.cloud', shown.user_agent)
        self.assertEqual('os-stop', stopped.action)
        self.assertEqual(
            {
                ('GET', '/v2.1/servers/{id}'): 1,
                ('POST', '/v2.1/servers/{id}/action'): 1,
            },
            dict(self.cloud.requests.counts()),
        )

    def test_users(self):
        self.cloud.boot('mine')
        shell = os.path.join(os.path.dirname(sys.executable), 'openstack')
        run = subprocess.run(
            [shell, 'server', 'list', '-f', 'value'],
            env={**os.environ, **self.cloud.env('demo')},
            capture_output=True,
            text=True,
        )
        self.assertEqual(0, run.returncode, run.stderr)
        self.assertIn('mine', run.stdout)
        self.assertIn('private', run.stdout)
        self.assertIn('cirros', run.stdout)
        other = self.cloud.connection('tenant-b')
        self.assertEqual([], list(other.compute.servers()))
        with self.assertRaises(exceptions.ForbiddenException):
            list(other.compute.services())
