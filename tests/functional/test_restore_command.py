# SPDX-License-Identifier: Apache-2.0

"""The command that unset prints, and what it brings back."""

import datetime
import typing as ty

from osc_hostmaint.planning import timing
from tests.cloud import waiting
from tests.functional import base


class TestRestoreCommand(base.FunctionalTest):
    def leave(self, name: str) -> None:
        """Let one more server leave in a maintenance."""
        self.cloud.boot(name, host='cmp01')
        (row,) = self.drain('cmp01')
        self.assertEqual('moved', row['Result'])

    def restored(self, line: str) -> set[ty.Any]:
        rows = self.run_command(f'{line} --dry-run -f json').json
        return {row['Name'] for row in rows if row['Move']}

    def await_later_heartbeat(self) -> None:
        """Maintenance begins with the newest heartbeat before it."""
        (moved,) = self.records('cmp01')
        left_at = datetime.datetime.fromisoformat(moved['updated_at'])
        later = left_at + datetime.timedelta(
            seconds=timing.CLOCK_SKEW_SECONDS + timing.ROUNDING_SECONDS
        )
        compute = self.cloud.connection().compute
        waiting.wait_for(
            lambda: any(
                datetime.datetime.fromisoformat(service.updated_at) > later
                for service in compute.services(binary='nova-compute')
            ),
            'a later heartbeat',
        )

    def test_unset_says_how_to_bring_back_what_left(self) -> None:
        self.leave('earlier')
        self.openstack('host maintenance unset cmp01')
        self.await_later_heartbeat()
        self.leave('now')
        since = self.show('cmp01')['since']
        done = self.run_command('host maintenance unset cmp01')
        command = f'host maintenance restore cmp01 --since {since}'
        self.assertTrue(
            done.err.rstrip().endswith(f'openstack {command}'), done.err
        )
        self.assertEqual({'now'}, self.restored(command))
        self.assertEqual(
            {'earlier', 'now'}, self.restored('host maintenance restore cmp01')
        )
        done = self.run_command('host maintenance unset cmp01')
        self.assertEqual((0, ''), (done.code, done.err), 'already so')
