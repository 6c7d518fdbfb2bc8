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

"""The embedded cloud: evacuations off hosts that have died."""

from openstack import exceptions

from tests.functional.cloud import base

EVACUATE = {'evacuate': {}}
# Below 2.95 each server gets the state back that it had.
AS_BEFORE = '2.94'


class TestEvacuations(base.CloudTest):
    def evacuate(self, server):
        self.cloud.act(server, EVACUATE, microversion=AS_BEFORE)

    def test_states_come_back(self):
        servers = self.cloud.boot_many(
            [
                {'name': state, 'host': 'cmp01', 'state': state}
                for state in ('ACTIVE', 'SHUTOFF', 'ERROR')
            ]
        )
        self.cloud.crash_host('cmp01')
        self.cloud.force_down('cmp01')
        for server, status in zip(
            servers, ('ACTIVE', 'SHUTOFF', 'ACTIVE'), strict=True
        ):
            self.evacuate(server)
            self.wait_record(server, 'done')
            found = self.cloud.wait_server(server, status)
            self.assertIn(found.compute_host, ('cmp02', 'cmp03'))
            self.assertEqual(base.addresses(server), base.addresses(found))

    def test_failures(self):
        ends = {'claim': 'ACTIVE', 'spawn': 'ERROR'}
        for stage, status in ends.items():
            with self.subTest(stage=stage):
                server = self.cloud.boot(
                    stage,
                    host='cmp01',
                    metadata={'ev_fail': stage, 'ev_fail_times': '1'},
                )
                self.cloud.kill_host('cmp01')
                self.cloud.force_down('cmp01')
                self.evacuate(server)
                self.wait_record(server, 'failed')
                self.cloud.wait_server(server, status, host='cmp01')
                # The next attempt is not among the first.
                self.evacuate(server)
                self.wait_record(server, 'done')
                self.cloud.wait_server(server, 'ACTIVE')
                self.cloud.start_host('cmp01')
                self.cloud.force_down('cmp01', down=False)

    def test_source_starts_in_the_middle(self):
        server = self.cloud.boot('server', host='cmp01')
        self.cloud.server_knobs(server, boot_seconds=3600)
        self.cloud.kill_host('cmp01')
        self.cloud.force_down('cmp01')
        self.evacuate(server)
        self.cloud.wait_server(server, task_state='rebuild_spawning')

        self.cloud.start_host('cmp01')
        # It takes it for over, and is wrong.
        self.wait_record(server, 'completed')
        found = self.cloud.server(server)
        self.assertEqual(
            ('REBUILD', 'rebuild_spawning', 'cmp01'),
            (found.status, found.task_state, found.compute_host),
        )

        self.cloud.server_knobs(server, boot_seconds=0)
        self.wait_record(server, 'done')
        with self.assertRaisesRegex(
            exceptions.BadRequestException, 'Unable to force up host cmp01'
        ):
            self.cloud.force_down('cmp01', down=False)
        self.cloud.restart_host('cmp01')
        self.assertEqual('completed', self.record(server)['status'])
        self.cloud.force_down('cmp01', down=False)
        self.cloud.wait_service('cmp01', 'up')
