# SPDX-License-Identifier: Apache-2.0

"""Long drains: a destination dies midway, and tokens expire."""

import typing as ty

import pytest

from tests.cloud import waiting
from tests.functional import base

LINE = 'host maintenance drain -f json cmp01'


@pytest.mark.soak
class TestDeadHost(base.FunctionalTest):
    options: ty.ClassVar = {'token_lifetime': 5}

    def record(self, server: ty.Any, status: str) -> ty.Any:
        """Wait for a record of a server in some status, and return it."""
        return waiting.wait_for(
            lambda: next(
                iter(
                    self.cloud.migrations(
                        instance_uuid=server.id, status=status
                    )
                ),
                None,
            ),
            f'{server.name} to be {status}',
            timeout=150,
        )

    def test_destination_dies_during_a_long_drain(self) -> None:
        """A cold migration can't be aborted: it goes on with its host."""
        self.openstack('host maintenance set cmp03 cmp04')
        live, cold = self.cloud.boot_many(
            [
                {
                    'name': 'live',
                    'host': 'cmp01',
                    'metadata': {'lm_stuck': '1'},
                },
                {
                    'name': 'cold',
                    'host': 'cmp01',
                    'state': 'SHUTOFF',
                    'metadata': {'cm_seconds': '5'},
                },
            ]
        )
        process = self.start(LINE)
        self.record(live, 'running')
        self.record(cold, 'migrating')
        self.cloud.kill_host('cmp02')
        self.openstack('host maintenance unset cmp03')
        self.record(live, 'cancelled')
        self.cloud.server_knobs(live, lm_stuck='')
        done = self.end(process)

        self.assertEqual(3, done.code, done.err)
        self.assert_tokens_expired_unnoticed(done)
        rows = {row['Name']: row for row in done.json}
        self.assertEqual('moved', rows['live']['Result'])
        self.assertEqual('cmp03', rows['live']['Destination'])
        self.assertEqual(2, rows['live']['Attempts'])
        self.assertEqual('failed', rows['cold']['Result'])
        reason = rows['cold']['Reason']
        self.assertIn('its destination cmp02 is down', reason)
        self.assertIn('run this again', reason)

        self.cloud.start_host('cmp02')
        (row,) = self.drain('cmp01')
        self.assertEqual('moved', row['Result'])
        self.assertEqual('SHUTOFF', self.cloud.server(cold).status)
        self.assert_empty('cmp01')

    def assert_tokens_expired_unnoticed(self, done: base.Done) -> None:
        log = self.cloud.requests.log()
        tokens = [r for r in log if r.template == '/v3/auth/tokens']
        # One for each of three commands, and then one every few seconds.
        self.assertGreater(len(tokens), 4)
        self.assertNotIn('401', done.err)
        self.assertNotIn('Keystone', done.err)
