# SPDX-License-Identifier: Apache-2.0

"""Live migrations that do not end by themselves."""

import re
import signal
import typing as ty

from tests.cloud import waiting
from tests.functional import base

LINE = 'host maintenance drain -f json --stall-after 3s'


class TestStall(base.FunctionalTest):
    def stuck(self, name: str = 'stuck') -> ty.Any:
        return self.cloud.boot(name, host='cmp01', metadata={'lm_stuck': '1'})

    def assert_on_source(self, server: ty.Any) -> None:
        now = self.cloud.server(server)
        self.assertEqual(('ACTIVE', 'cmp01'), (now.status, now.compute_host))
        self.assertIsNone(now.task_state)

    def test_wait_shows_it(self) -> None:
        server = self.stuck()
        process = self.start(f'{LINE} cmp01')
        told = self.read_until(process, 'stalled')

        self.assertRegex(told, r'stalled: \d+ MiB of 2048 MiB')
        self.assertEqual('MIGRATING', self.cloud.server(server).status)
        self.cloud.server_knobs(server, lm_stuck='')
        done = self.end(process)
        self.assertEqual(0, done.code, done.err)
        self.assertEqual('moved', done.json[0]['Result'])

    def test_force_complete(self) -> None:
        server = self.stuck()

        (row,) = self.drain('--stall-after 3s --on-stall force-complete cmp01')

        self.assertEqual('moved', row['Result'])
        self.assertEqual(1, row['Attempts'])
        self.assertNotEqual('cmp01', self.cloud.server(server).compute_host)

    def test_abort(self) -> None:
        """It stays as it was, and holds up nobody."""
        server = self.stuck()
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))

        rows = self.drain('--stall-after 3s --on-stall abort cmp01', code=3)

        self.assertEqual(
            {'stuck': 'failed', 'active-0': 'moved', 'active-1': 'moved'},
            {row['Name']: row['Result'] for row in rows},
        )
        (row,) = [row for row in rows if row['Name'] == 'stuck']
        self.assertIn('stalled', row['Reason'])
        self.assertIn('aborted', row['Reason'])
        self.assertEqual(1, row['Attempts'])
        self.assert_on_source(server)
        (record,) = self.cloud.migrations(instance_uuid=server.id)
        self.assertEqual('cancelled', record['status'])

    def test_server_timeout(self) -> None:
        """Also of a cold migration, which Nova can't abort."""
        live = self.stuck('live')
        cold = self.cloud.boot(
            'cold',
            host='cmp01',
            state='SHUTOFF',
            metadata={'cm_seconds': '600'},
        )

        rows = self.drain('--server-timeout 4s cmp01', code=3)

        reasons = {row['Name']: row['Reason'] for row in rows}
        self.assertEqual(
            {'live': 'failed', 'cold': 'moving'},
            {row['Name']: row['Result'] for row in rows},
        )
        self.assertIn('--server-timeout', reasons['live'])
        self.assertIn('aborted', reasons['live'])
        self.assert_on_source(live)
        self.assertIn('--server-timeout', reasons['cold'])
        self.assertIn('run this again', reasons['cold'])
        self.cloud.server_knobs(cold, cm_seconds='0')
        self.cloud.server_knobs(live, lm_stuck='')
        self.drain('cmp01')
        self.assertEqual('SHUTOFF', self.cloud.server(cold).status)

    def test_interrupted_while_one_is_stuck(self) -> None:
        """What is awaited after Ctrl-C can still be aborted by others."""
        server = self.stuck()
        process = self.start(f'{LINE} cmp01')
        waiting.wait_for(
            lambda: self.cloud.migrations(status='running'), 'a move'
        )
        process.send_signal(signal.SIGTERM)
        (record,) = self.cloud.migrations(status='running')
        self.openstack(f'server migration abort {server.id} {record["id"]}')
        done = self.end(process)

        self.assertEqual(130, done.code, done.err)
        (row,) = done.json
        self.assertEqual('failed', row['Result'])
        self.assertTrue(re.search('cancelled|interrupted', row['Reason']))
        self.assert_on_source(server)
