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

from tests.cloud import making
from tests.cloud import waiting
from tests.functional.cloud import base

# What old databases have, though the API would take none of them.
NAMES = (
    '\x1b[31mred\x1b]0;title\x07',
    '[bold red]markup[/]',
    'abc\u202egnp.exe',
    'two\nlines\tand\ra tab',
    '=cmd|"/c calc"!A1',
    'é' * 255,
    '\x00\x7f\u2028',
    '',
)


class TestServers(base.CloudTest):
    def test_states(self):
        servers = self.cloud.boot_many(
            [
                {
                    'name': state,
                    'state': state,
                    'host': 'cmp02',
                    'locked': state == 'PAUSED',
                }
                for state in making.STATES
            ]
        )

        found = {server.name: server.status for server in servers}
        self.assertEqual({state: state for state in making.STATES}, found)
        away = {s.name for s in servers if s.compute_host != 'cmp02'}
        self.assertEqual({'VERIFY_RESIZE', 'SHELVED_OFFLOADED'}, away)
        paused = servers[making.STATES.index('PAUSED')]
        self.assertTrue(paused.is_locked)
        self.assertEqual(3, paused.power_state)
        (resize,) = self.cloud.migrations(migration_type='resize')
        self.assertEqual('cmp02', resize['source_compute'])
        self.assertEqual('finished', resize['status'])
        # All but the one that was offloaded; the resize holds its own.
        self.assertEqual(
            len(making.STATES) - 1, len(self.cloud.allocations('cmp02'))
        )

        self.cloud.purge()

        self.assertEqual([], self.cloud.servers())
        for host in self.cloud.hosts():
            self.assertEqual({}, self.cloud.allocations(host))

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
            self.cloud.act(server, base.LIVE)
        self.cloud.act(servers[5], base.COLD)
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

    def test_resized_to_a_host(self):
        server = self.cloud.boot(
            'web', host='cmp03', state='VERIFY_RESIZE', to='cmp01'
        )

        self.assertEqual('cmp01', server.compute_host)
        self.assertEqual('m1.medium', server.flavor['original_name'])
        record = self.record(server)
        self.assertEqual('resize', record['migration_type'])
        self.assertEqual('cmp03', record['source_compute'])
        self.assertIn(record['uuid'], self.cloud.allocations('cmp03'))
        with self.assertRaises(ValueError):
            self.cloud.boot('web', host='cmp03', to='cmp01')

    def test_names_that_the_api_refuses(self):
        servers = self.cloud.boot_many(
            [{'name': f'web-{n}'} for n in range(len(NAMES))]
        )
        for server, name in zip(servers, NAMES, strict=True):
            self.cloud.rename(server, name)

        found = {s['id']: s['name'] for s in self.cloud.servers()}
        self.assertEqual(
            dict(zip((s.id for s in servers), NAMES, strict=True)), found
        )
        with self.assertRaises(ValueError):
            self.cloud.rename('no-such-server', 'web')

    def test_leaked_allocation(self):
        leaked = self.cloud.leak_allocation('cmp01')
        chosen = '00000000-0000-4000-8000-00000000f00d'
        self.assertEqual(
            chosen,
            self.cloud.leak_allocation('cmp01', chosen, {'MEMORY_MB': 512}),
        )

        found = self.cloud.allocations('cmp01')
        self.assertEqual({leaked, chosen}, set(found))
        self.assertEqual({'MEMORY_MB': 512}, found[chosen]['resources'])
        self.assertEqual([], self.cloud.servers())
        self.cloud.refresh_host('cmp01')
        self.assertEqual(found, self.cloud.allocations('cmp01'))

        self.cloud.purge()
        self.assertEqual({}, self.cloud.allocations('cmp01'))

    def test_failing_suspend_and_resume(self):
        stays, errs, rests, breaks = self.cloud.boot_many(
            [
                {'name': 'stays', 'metadata': {'suspend_fail': 'stay'}},
                {'name': 'errs', 'metadata': {'suspend_fail': 'error'}},
                {
                    'name': 'rests',
                    'state': 'SUSPENDED',
                    'metadata': {'resume_fail': 'stay'},
                },
                {
                    'name': 'breaks',
                    'state': 'SUSPENDED',
                    'metadata': {'resume_fail': 'error'},
                },
            ]
        )
        for server in (stays, errs):
            self.cloud.act(server, {'suspend': None})
        for server in (rests, breaks):
            self.cloud.act(server, {'resume': None})

        for server, event, status in (
            (stays, 'compute_suspend_instance', 'ACTIVE'),
            (errs, 'compute_suspend_instance', 'ERROR'),
            (rests, 'compute_resume_instance', 'SUSPENDED'),
            (breaks, 'compute_resume_instance', 'ERROR'),
        ):
            with self.subTest(server.name):
                waiting.wait_for(
                    lambda server=server, event=event: (
                        (event, 'Error') in self.events(server)
                    ),
                    'the failure',
                )
                self.cloud.wait_server(server, status)

    def test_shelving_takes_time(self):
        server = self.cloud.boot('web', metadata={'shelve_seconds': '3600'})
        self.cloud.act(server, {'shelve': None})

        self.cloud.wait_server(
            server, 'ACTIVE', task_state='shelving_image_uploading'
        )
        self.cloud.server_knobs(server, shelve_seconds=0)
        self.cloud.wait_server(server, 'SHELVED')
