# SPDX-License-Identifier: Apache-2.0

import datetime

import pytest

from tests.cloud import waiting
from tests.functional.cloud import base

pytestmark = pytest.mark.soak


class TestDeaths(base.CloudTest):
    options = {'hosts': 4, 'rpc_timeout': 5, 'long_rpc_timeout': 12}

    def under_way(self, server):
        """What Nova shows of a live migration that goes on."""
        answer = self.cloud.connection().compute.get(
            f'/servers/{server.id}/migrations'
        )
        return next(iter(answer.json()['migrations']), {})

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
        waiting.wait_for(
            lambda: self.under_way(live).get('memory_processed_bytes'),
            'the first bytes',
        )

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

    def test_calls_expire(self):
        soon, late, next_ = self.cloud.boot_many(
            [{'name': n, 'host': 'cmp01'} for n in ('soon', 'late', 'next')]
        )
        check = 'compute_check_can_live_migrate_destination'

        for host, server in (('cmp02', soon), ('cmp03', late)):
            self.cloud.kill_host(host)
            self.cloud.act(server, base.live_to(host))
        for server in (soon, late):
            self.wait_record(server, 'error')
            self.cloud.wait_server(server, 'ACTIVE', host='cmp01')
        self.cloud.start_host('cmp02')
        waiting.wait_for(
            lambda: check in dict(self.events(soon)), 'the belated check'
        )
        # So long that nobody takes the other call any more.
        asked = datetime.datetime.fromisoformat(
            self.record(late)['created_at'] + '+00:00'
        )
        life = datetime.timedelta(seconds=self.options['long_rpc_timeout'] + 1)
        waiting.wait_for(
            lambda: datetime.datetime.now(datetime.UTC) > asked + life,
            'the end of the call',
        )
        self.cloud.start_host('cmp03')
        self.cloud.act(next_, base.live_to('cmp03'))

        self.wait_record(next_, 'completed')
        self.assertIn(check, dict(self.events(next_)))
        self.assertNotIn(check, dict(self.events(late)))
