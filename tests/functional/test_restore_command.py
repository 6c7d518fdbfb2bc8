# SPDX-License-Identifier: Apache-2.0

"""The command that unset prints, and what it brings back."""

import time
import typing as ty

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

    def test_unset_says_how_to_bring_back_what_left(self) -> None:
        self.leave('earlier')
        self.openstack('host maintenance unset cmp01')
        # Maintenance begins with the newest heartbeat before it.
        time.sleep(5)
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
