# SPDX-License-Identifier: Apache-2.0

import collections

import pytest

from tests.functional.cloud import base

pytestmark = pytest.mark.soak


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
