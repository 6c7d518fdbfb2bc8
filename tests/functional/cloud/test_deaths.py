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

import time

from tests.cloud import waiting
from tests.functional.cloud import base


class TestDeaths(base.CloudTest):
    options = {'hosts': 4, 'rpc_timeout': 5, 'long_rpc_timeout': 12}

    def boot_stuck(self, **hosts):
        """Boot servers whose live migration doesn't end, by name: host."""
        return self.cloud.boot_many(
            [
                {'name': name, 'host': host, 'metadata': {'lm_stuck': 'yes'}}
                for name, host in hosts.items()
            ]
        )

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
        self.cloud.act(stuck, base.LIVE)
        self.wait_migrations('running')
        self.cloud.act(waits, base.LIVE)
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
            self.assertEqual(base.addresses(server), base.addresses(found))
        record = next(
            record
            for record in self.cloud.migrations()
            if record['instance_uuid'] == stuck.id
        )
        self.assertEqual('error', record['status'])
        # The guests run on, and the new compute service can move them.
        self.cloud.server_knobs(stuck, lm_stuck='no', lm_seconds='0')
        self.cloud.act(stuck, base.LIVE)
        waiting.wait_for(
            lambda: self.cloud.server(stuck).compute_host != 'cmp01',
            'the server to leave',
        )

    def test_killed_source_does_nothing_more(self):
        server = self.cloud.boot(
            'web', host='cmp01', metadata={'lm_pre_seconds': '4'}
        )
        self.cloud.act(server, base.live_to('cmp02'))
        self.wait_record(server, 'preparing')

        self.cloud.kill_host('cmp01')
        time.sleep(6)  # the destination has answered by then

        self.assertEqual('preparing', self.record(server)['status'])
        self.assertEqual('migrating', self.cloud.server(server).task_state)
        # Nova takes it, but only the source could do it.
        self.assertEqual(202, self.abort(server).status_code)
        self.cloud.start_host('cmp01')
        self.cloud.wait_server(server, 'ACTIVE', host='cmp01')
        waiting.wait_for(
            lambda: (
                ('compute_live_migration_abort', 'Error')
                in self.events(server)
            ),
            'the abort to be too late',
        )
        record = self.record(server)
        self.assertEqual('preparing', record['status'])
        self.assertIn(record['uuid'], self.cloud.allocations('cmp01'))

    def test_destination_prepares(self):
        slow, lost = self.cloud.boot_many(
            [
                {
                    'name': 'slow',
                    'host': 'cmp03',
                    # Longer than a call without heartbeats.
                    'metadata': {'lm_pre_seconds': '7'},
                },
                {
                    'name': 'lost',
                    'host': 'cmp01',
                    'metadata': {'lm_pre_seconds': '300'},
                },
            ]
        )
        self.cloud.act(lost, base.live_to('cmp02'))
        self.cloud.act(slow, base.live_to('cmp04'))
        self.wait_record(lost, 'preparing')
        self.wait_record(slow, 'preparing')

        self.cloud.kill_host('cmp02')
        self.assertEqual(202, self.abort(lost).status_code)

        # In vain: the source looks at it when it stops waiting.
        self.wait_record(lost, 'failed', timeout=20)
        self.cloud.wait_server(lost, 'ACTIVE', host='cmp01')
        self.assertEqual({}, self.cloud.allocations('cmp02'))
        self.wait_record(slow, 'completed')
        self.cloud.wait_server(slow, 'ACTIVE', host='cmp04')

    def test_destination_killed_while_memory_is_copied(self):
        servers = self.boot_stuck(
            aborted='cmp01', arrives='cmp03', waits='cmp04'
        )
        for server in servers:
            self.cloud.act(server, base.live_to('cmp02'))
        for server in servers:
            self.wait_record(server, 'running')
        aborted, arrives, waits = servers

        self.cloud.kill_host('cmp02')
        self.abort(aborted)
        self.wait_record(aborted, 'cancelled')
        self.cloud.wait_server(aborted, 'ACTIVE', host='cmp01')
        self.cloud.server_knobs(arrives, lm_stuck='no', lm_seconds=0)
        self.wait_record(arrives, 'error', timeout=20)
        self.cloud.wait_server(arrives, 'ERROR', host='cmp02')
        self.assertEqual('running', self.record(waits)['status'])

        self.cloud.start_host('cmp02')
        self.cloud.server_knobs(waits, lm_stuck='no', lm_seconds=0)
        self.wait_record(waits, 'completed')
        self.cloud.wait_server(waits, 'ACTIVE', host='cmp02')
        # Its guest did arrive: what can't be found can't be stopped.
        self.cloud.act(arrives, {'os-resetState': {'state': 'active'}})
        self.cloud.act(arrives, {'os-stop': None})
        self.cloud.wait_server(arrives, 'SHUTOFF', host='cmp02')

    def test_crashed_destination(self):
        live, there, cold = self.cloud.boot_many(
            [
                {
                    'name': 'live',
                    'host': 'cmp01',
                    'metadata': {'lm_stuck': 'yes'},
                },
                {'name': 'there', 'host': 'cmp02'},
                {
                    'name': 'cold',
                    'host': 'cmp03',
                    'state': 'SHUTOFF',
                    'metadata': {'cm_seconds': '300'},
                },
            ]
        )
        self.cloud.act(live, base.live_to('cmp02'))
        self.cloud.act(cold, base.cold_to('cmp02'))
        self.wait_record(live, 'running')
        self.wait_record(cold, 'migrating')
        time.sleep(2)  # the first bytes come a moment later

        self.cloud.crash_host('cmp02')
        self.wait_record(live, 'failed')
        self.cloud.wait_server(live, 'ACTIVE', host='cmp01')
        self.cloud.server_knobs(cold, cm_seconds=0)
        self.wait_record(cold, 'error')
        self.cloud.wait_server(cold, 'ERROR', host='cmp03')

        self.cloud.start_host('cmp02')
        self.cloud.act(there, base.live_to('cmp04'))
        self.wait_record(there, 'completed')
        # It has been off since its host was.
        self.assertEqual(4, self.cloud.server(there).power_state)

    def test_casts_wait_for_the_service(self):
        server = self.cloud.boot('off', host='cmp01', state='SHUTOFF')

        self.cloud.kill_host('cmp02')
        self.cloud.act(server, base.cold_to('cmp02'))
        self.wait_record(server, 'pre-migrating')
        time.sleep(2)
        self.assertEqual('resize_prep', self.cloud.server(server).task_state)
        self.cloud.start_host('cmp02')
        self.cloud.wait_server(server, 'VERIFY_RESIZE', host='cmp02')

        self.cloud.kill_host('cmp01')
        self.cloud.act(server, {'confirmResize': None})
        self.wait_record(server, 'confirming')
        time.sleep(2)
        self.assertEqual('confirming', self.record(server)['status'])
        self.cloud.start_host('cmp01')
        self.wait_record(server, 'confirmed')
        self.cloud.wait_server(server, 'SHUTOFF', host='cmp02')

    def test_calls_expire(self):
        soon, late, next_ = self.cloud.boot_many(
            [{'name': n, 'host': 'cmp01'} for n in ('soon', 'late', 'next')]
        )
        check = 'compute_check_can_live_migrate_destination'

        for host, server in (('cmp02', soon), ('cmp03', late)):
            self.cloud.kill_host(host)
            self.cloud.act(server, base.live_to(host))
        began = time.monotonic()
        for server in (soon, late):
            # Nobody works on the call: its time-out is the short one.
            self.wait_record(server, 'error', timeout=12)
            self.cloud.wait_server(server, 'ACTIVE', host='cmp01')
        self.cloud.start_host('cmp02')
        waiting.wait_for(
            lambda: check in dict(self.events(soon)), 'the belated check'
        )
        left = self.options['long_rpc_timeout'] - (time.monotonic() - began)
        time.sleep(max(0, left + 1))
        self.cloud.start_host('cmp03')
        self.cloud.act(next_, base.live_to('cmp03'))

        self.wait_record(next_, 'completed')
        self.assertIn(check, dict(self.events(next_)))
        self.assertNotIn(check, dict(self.events(late)))

    def test_confirming_takes_time(self):
        server = self.cloud.boot(
            'off',
            host='cmp01',
            state='SHUTOFF',
            metadata={'cm_finish_seconds': '300', 'cm_confirm_seconds': '300'},
        )
        self.cloud.act(server, base.cold_to('cmp02'))
        self.cloud.wait_server(server, 'RESIZE', task_state='resize_finish')
        self.cloud.server_knobs(server, cm_finish_seconds=0)
        self.cloud.wait_server(server, 'VERIFY_RESIZE')

        self.cloud.act(server, {'confirmResize': None})
        self.wait_record(server, 'confirming')
        self.cloud.kill_host('cmp01')
        self.cloud.start_host('cmp01')

        # Nova never takes it up again.
        answer = self.cloud.act(server, {'confirmResize': None}, check=False)
        self.assertEqual(400, answer.status_code)
        self.assertEqual('confirming', self.record(server)['status'])
