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

"""The embedded cloud is what the other functional tests take it for."""

import collections
from importlib import metadata
import os
import signal
import subprocess
import sys
import tempfile
import unittest

from keystoneauth1 import exceptions as ksa_exceptions
from openstack import exceptions

from tests.cloud import boot
from tests.cloud import Cloud
from tests.cloud import handle
from tests.cloud import waiting

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
CACHE = os.path.join(ROOT, '.cloud', 'cache')
LIVE = {'os-migrateLive': {'host': None, 'block_migration': 'auto'}}
COLD = {'migrate': {'host': None}}


def addresses(server):
    return sorted(
        address['addr']
        for network in server.addresses.values()
        for address in network
    )


def children(pid):
    """The processes that a process started, and theirs."""
    with open(f'/proc/{pid}/task/{pid}/children') as file:
        found = [int(child) for child in file.read().split()]
    return found + [deep for child in found for deep in children(child)]


def alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


class TestCloud(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cloud = Cloud.start(hosts=3, cache=CACHE)
        cls.addClassCleanup(cls.cloud.stop)

    def setUp(self):
        super().setUp()
        self.addCleanup(self.cloud.purge)

    def wait_migrations(self, *statuses, count=1):
        """Wait until all migration records have one of these statuses."""

        def there():
            found = self.cloud.migrations()
            met = [m for m in found if m['status'] in statuses]
            return len(met) == len(found) == count and found

        return waiting.wait_for(there, f'{count} records in {statuses}')

    def test_states(self):
        servers = self.cloud.boot_many(
            [
                {
                    'name': state,
                    'state': state,
                    'host': 'cmp02',
                    'locked': state == 'PAUSED',
                }
                for state in boot.STATES
            ]
        )

        found = {server.name: server.status for server in servers}
        self.assertEqual({state: state for state in boot.STATES}, found)
        away = {s.name for s in servers if s.compute_host != 'cmp02'}
        self.assertEqual({'VERIFY_RESIZE', 'SHELVED_OFFLOADED'}, away)
        paused = servers[boot.STATES.index('PAUSED')]
        self.assertTrue(paused.is_locked)
        self.assertEqual(3, paused.power_state)
        (resize,) = self.cloud.migrations(migration_type='resize')
        self.assertEqual('cmp02', resize['source_compute'])
        self.assertEqual('finished', resize['status'])
        # All but the one that was offloaded; the resize holds its own.
        self.assertEqual(
            len(boot.STATES) - 1, len(self.cloud.allocations('cmp02'))
        )

        self.cloud.purge()

        self.assertEqual([], self.cloud.servers())
        for host in self.cloud.hosts():
            self.assertEqual({}, self.cloud.allocations(host))

    def test_live_migrations_queue_and_pile_up(self):
        servers = self.cloud.boot_many(
            [
                {
                    'name': f'web-{n}',
                    'host': 'cmp01',
                    'metadata': {'lm_stuck': 'yes'},
                }
                for n in range(8)
            ]
        )
        before = {server.id: addresses(server) for server in servers}
        for server in servers:
            self.cloud.act(server, LIVE)

        self.wait_migrations('queued', 'preparing', 'running', count=8)
        states = collections.Counter(
            record['status'] for record in self.cloud.migrations()
        )
        self.assertEqual(7, states['queued'])
        for server in servers:
            self.cloud.server_knobs(server, lm_stuck='no', lm_seconds=0)
        records = self.wait_migrations('completed', count=8)

        arrived = collections.Counter(r['dest_compute'] for r in records)
        self.assertGreaterEqual(max(arrived.values()), 7, arrived)
        after = {}
        for server in servers:
            moved = self.cloud.wait_server(server, 'ACTIVE')
            self.assertNotEqual('cmp01', moved.compute_host)
            after[moved.id] = addresses(moved)
        self.assertEqual(before, after)
        self.assertEqual(8, len({a for (a,) in after.values()}))

    def test_cold_migration(self):
        server = self.cloud.boot('off', host='cmp01', state='SHUTOFF')

        self.cloud.act(server, COLD)
        moved = self.cloud.wait_server(server, 'VERIFY_RESIZE')
        self.assertNotEqual('cmp01', moved.compute_host)
        self.cloud.act(server, {'confirmResize': None})

        moved = self.cloud.wait_server(server, 'SHUTOFF')
        self.assertEqual(4, moved.power_state)
        self.assertEqual(addresses(server), addresses(moved))
        self.assertEqual({}, self.cloud.allocations('cmp01'))

    def test_failing_moves(self):
        knobs = {
            'precheck': ({'lm_fail': 'precheck'}, LIVE, 'error', 'ACTIVE'),
            'pre': ({'lm_fail': 'pre'}, LIVE, 'failed', 'ACTIVE'),
            'running': (
                {'lm_fail': 'running', 'lm_seconds': '0.2'},
                LIVE,
                'failed',
                'ACTIVE',
            ),
            'post': (
                {'lm_fail': 'post', 'lm_seconds': '0'},
                LIVE,
                'error',
                'ERROR',
            ),
            'disk': ({'cm_fail': 'disk'}, COLD, 'error', 'ACTIVE'),
            'error': ({'cm_fail': 'error'}, COLD, 'error', 'ERROR'),
            'finish': ({'cm_fail': 'finish'}, COLD, 'error', 'ERROR'),
        }
        servers = self.cloud.boot_many(
            [
                {'name': name, 'host': 'cmp01', 'metadata': case[0]}
                for name, case in knobs.items()
            ]
        )
        for server in servers:
            self.cloud.act(server, knobs[server.name][1])
        self.wait_migrations('error', 'failed', count=len(knobs))

        records = {
            record['instance_uuid']: record['status']
            for record in self.cloud.migrations()
        }
        for server in servers:
            _, _, record, status = knobs[server.name]
            with self.subTest(server.name):
                self.assertEqual(record, records[server.id])
                self.cloud.wait_server(server, status)

    def test_killed_host(self):
        stuck, waits = self.cloud.boot_many(
            [
                {
                    'name': name,
                    'host': 'cmp01',
                    'metadata': {'lm_stuck': 'yes'},
                }
                for name in ('stuck', 'waits')
            ]
        )
        self.cloud.act(stuck, LIVE)
        self.wait_migrations('running')
        self.cloud.act(waits, LIVE)
        self.wait_migrations('running', 'queued', count=2)

        self.cloud.kill_host('cmp01')
        self.cloud.wait_service('cmp01', 'down')
        self.assertEqual(
            {'running', 'queued'},
            {record['status'] for record in self.cloud.migrations()},
        )
        self.cloud.start_host('cmp01')

        self.assertEqual('up', self.cloud.service('cmp01').state)
        for server in (stuck, waits):
            found = self.cloud.wait_server(server, 'ACTIVE', host='cmp01')
            self.assertEqual(addresses(server), addresses(found))
        record = next(
            record
            for record in self.cloud.migrations()
            if record['instance_uuid'] == stuck.id
        )
        self.assertEqual('error', record['status'])
        # The guests run on, and the new compute service can move them.
        self.cloud.server_knobs(stuck, lm_stuck='no', lm_seconds='0')
        self.cloud.act(stuck, LIVE)
        waiting.wait_for(
            lambda: self.cloud.server(stuck).compute_host != 'cmp01',
            'the server to leave',
        )

    def test_purge_of_everything_at_once(self):
        self.cloud.knobs(cm_seconds=30)
        added = self.cloud.add_host(vcpus=4)
        group = self.cloud.group('apart', 'anti-affinity')
        servers = self.cloud.boot_many(
            [
                {'name': 'added', 'host': added, 'locked': True},
                {'name': 'grouped', 'group': group, 'state': 'BUILD'},
                *(
                    {
                        'name': f'stuck-{n}',
                        'host': 'cmp01',
                        'metadata': {'lm_stuck': 'yes'},
                    }
                    for n in range(3)
                ),
                {'name': 'cold', 'host': 'cmp02'},
            ]
        )
        for server in servers[2:5]:
            self.cloud.act(server, LIVE)
        self.cloud.act(servers[5], COLD)
        compute = self.cloud.connection().compute
        first, second = (self.cloud.service(h) for h in ('cmp01', 'cmp02'))
        compute.put(f'/os-services/{first.id}', json={'status': 'disabled'})
        compute.put(f'/os-services/{second.id}', json={'forced_down': True})
        self.cloud.kill_host('cmp03')

        self.cloud.purge()

        self.assertEqual([], self.cloud.servers())
        self.assertEqual(['cmp01', 'cmp02', 'cmp03'], self.cloud.hosts())
        services = [
            (s.host, s.state, s.status, s.is_forced_down)
            for s in compute.services(binary='nova-compute')
        ]
        self.assertEqual(
            [(h, 'up', 'enabled', False) for h in self.cloud.hosts()],
            sorted(services),
        )
        for host in self.cloud.hosts():
            self.assertEqual({}, self.cloud.allocations(host))
        self.assertEqual([], list(compute.server_groups(all_projects=True)))
        # Every host takes servers again.
        self.cloud.boot_many(
            [{'name': h, 'host': h} for h in self.cloud.hosts()]
        )

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
        self.assertGreater(shown.seconds, 0)
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


class TestProcesses(unittest.TestCase):
    def test_side_by_side_and_ctrl_c(self):
        with (
            Cloud.start(hosts=1, cache=CACHE) as one,
            Cloud.start(hosts=1, cache=CACHE, token_lifetime=6) as other,
        ):
            one.boot('web')
            self.assertEqual([], other.servers())

            users = other.connection('demo', interface='public')
            token = users.auth_token
            url = other.endpoint('compute') + '/servers'

            def status():
                headers = {'X-Auth-Token': token}
                return other._session.get(url, headers=headers).status_code

            self.assertEqual(200, status())
            waiting.wait_for(lambda: status() == 401, 'the token to expire')
            self.assertEqual([], list(users.compute.servers()))

            supervisor = other._process
            started = children(supervisor.pid)
            self.assertEqual(3, len(started))
            supervisor.send_signal(signal.SIGINT)
            self.assertEqual(0, supervisor.wait(15))
            self.assertEqual([], [pid for pid in started if alive(pid)])
            self.assertFalse(os.path.exists(other.state))

            self.assertEqual('web', one.servers()[0]['name'])
            started = children(one._process.pid)
            one._process.kill()
            waiting.wait_for(
                lambda: not any(map(alive, started)), 'the orphans to die', 5
            )

    def test_failed_start(self):
        with (
            tempfile.TemporaryDirectory() as state,
            tempfile.TemporaryDirectory() as cache,
        ):
            release = metadata.version('openstack-placement')
            template = os.path.join(cache, f'placement-{release}.sqlite')
            with open(template, 'w') as file:
                file.write('not a database, whatever it is called')
            with self.assertRaisesRegex(
                handle.StartError,
                rf'the placement service ended with 1.*{state}'
                r'(?s:.*)file is not a database',
            ):
                Cloud.start(hosts=1, state=state, cache=cache)
            self.assertTrue(os.path.exists(f'{state}/placement.out'))
