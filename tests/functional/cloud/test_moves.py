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

import collections

from tests.functional.cloud import base


class TestMoves(base.CloudTest):
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
        before = {server.id: base.addresses(server) for server in servers}
        for server in servers:
            self.cloud.act(server, base.LIVE)

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
            after[moved.id] = base.addresses(moved)
        self.assertEqual(before, after)
        self.assertEqual(8, len({a for (a,) in after.values()}))

    def test_cold_migration(self):
        server = self.cloud.boot('off', host='cmp01', state='SHUTOFF')

        self.cloud.act(server, base.COLD)
        moved = self.cloud.wait_server(server, 'VERIFY_RESIZE')
        self.assertNotEqual('cmp01', moved.compute_host)
        self.cloud.act(server, {'confirmResize': None})

        moved = self.cloud.wait_server(server, 'SHUTOFF')
        self.assertEqual(4, moved.power_state)
        self.assertEqual(base.addresses(server), base.addresses(moved))
        self.assertEqual({}, self.cloud.allocations('cmp01'))

    def test_failing_moves(self):
        knobs = {
            'precheck': (
                {'lm_fail': 'precheck'},
                base.LIVE,
                'error',
                'ACTIVE',
            ),
            'pre': ({'lm_fail': 'pre'}, base.LIVE, 'failed', 'ACTIVE'),
            'running': (
                {'lm_fail': 'running', 'lm_seconds': '0.2'},
                base.LIVE,
                'failed',
                'ACTIVE',
            ),
            'post': (
                {'lm_fail': 'post', 'lm_seconds': '0'},
                base.LIVE,
                'error',
                'ERROR',
            ),
            'disk': ({'cm_fail': 'disk'}, base.COLD, 'error', 'ACTIVE'),
            'error': ({'cm_fail': 'error'}, base.COLD, 'error', 'ERROR'),
            'finish': ({'cm_fail': 'finish'}, base.COLD, 'error', 'ERROR'),
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

    def test_failing_at_first_only(self):
        cases = {
            'precheck': ({'lm_fail': 'precheck'}, base.LIVE),
            'pre': ({'lm_fail': 'pre'}, base.LIVE),
            'running': ({'lm_fail': 'running'}, base.LIVE),
            'disk': ({'cm_fail': 'disk'}, base.COLD),
        }
        once = {'lm_fail_times': '1', 'cm_fail_times': '1'}
        servers = self.cloud.boot_many(
            [
                {'name': name, 'host': 'cmp01', 'metadata': {**knob, **once}}
                for name, (knob, _) in cases.items()
            ]
        )

        for bad, good in (
            (('error', 'failed'), None),
            (None, ('completed', 'finished')),
        ):
            for server in servers:
                self.cloud.act(server, cases[server.name][1])
            for server in servers:
                with self.subTest(server.name, bad=bad):
                    self.wait_record(server, *(bad or good))
                    self.cloud.wait_server(
                        server,
                        'VERIFY_RESIZE'
                        if good and server.name == 'disk'
                        else 'ACTIVE',
                    )

        for server in servers:
            moves = self.cloud.migrations(instance_uuid=server.id)
            self.assertEqual(2, len(moves))

    def test_failing_twice_on_one_host(self):
        self.cloud.knobs('cmp02', lm_fail='pre', lm_fail_times=2)
        servers = self.cloud.boot_many(
            [{'name': f'web-{n}', 'host': 'cmp01'} for n in range(2)]
        )
        for wanted in ('failed', 'failed', 'completed'):
            for server in servers:
                self.cloud.act(server, base.live_to('cmp02'))
            for server in servers:
                self.wait_record(server, wanted)
                self.cloud.wait_server(server, 'ACTIVE')
