# SPDX-License-Identifier: Apache-2.0

"""Cells that do not answer: what is not seen is not gone."""

import pytest

from tests.cloud import waiting
from tests.functional import base

SILENT = 'its cell does not answer'


class TestDownCells(base.FunctionalTest):
    def stop_cell(self, far: str = '', *, skipped: bool = True) -> None:
        self.cloud.silence_cells(far, skipped)
        self.addCleanup(self.cloud.heal_cells)

    def assert_cell_down(self, host: str, err: str) -> None:
        (line,) = (each for each in err.splitlines() if SILENT in each)
        self.assertIn(f'host {host}: {SILENT}', line)

    def test_host_of_another_cell(self) -> None:
        """It can be seen, and nothing more; the others are drained."""
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        self.stop_cell('far01')

        done = self.run_command('host maintenance list -f json')

        (row,) = done.json
        self.assertEqual(
            ('far01', 'unknown', None, SILENT),
            (row['Host'], row['Mode'], row['Servers'], row['Reason']),
        )
        for line in (
            'show far01',
            'set far01',
            'unset far01',
            'drain far01',
            'drain --dry-run far01',
            'drain --evacuate --fenced far01',
            'restore far01',
            'unset --restore far01',
        ):
            with self.subTest(line):
                done = self.run_command(f'host maintenance {line}')
                self.assertEqual(1, done.code, done.err)
                self.assert_cell_down('far01', done.err)

        done = self.run_command('host maintenance drain -f json far01 cmp01')

        self.assertEqual(1, done.code, done.err)
        # It is said before the others are drained, and again in the end.
        first, _drained, last = done.err.partition('cmp01: drained')
        self.assert_cell_down('far01', first)
        self.assert_cell_down('far01', last)
        self.assertEqual(['moved'] * 2, [r['Result'] for r in done.json])
        self.assertEqual('maintenance', self.show('cmp01')['mode'])
        self.openstack('host maintenance unset cmp01')

    @pytest.mark.soak
    def test_down_cell_is_named_when_lists_fail(self) -> None:
        self.cloud.boot('server', host='cmp01')
        self.stop_cell('far01', skipped=False)

        done = self.run_command('host maintenance drain cmp01')

        self.assertEqual(1, done.code, done.err)
        self.assertIn('far01', done.err)
        self.assertIn('list_records_by_skipping_down_cells', done.err)
        self.assertNotIn('drained', done.err.replace('not drained', ''))

    def _has_looked_twice(self) -> bool:
        log = self.cloud.requests.log()
        return sum(r.path.endswith('/os-services') for r in log) >= 2

    @pytest.mark.soak
    def test_cell_goes_down_and_comes_back(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        self.cloud.knobs(lm_seconds=600)
        process = self.start('host maintenance drain -f json cmp01')
        # What has not begun by then may be lost on its way.
        waiting.wait_for(self._have_begun, 'both live migrations to begin')
        self.stop_cell()
        self.cloud.requests.reset()
        # The second look comes after it was said that the first showed none.
        waiting.wait_for(
            self._has_looked_twice, 'the services to be looked at'
        )
        self.cloud.heal_cells()
        self.cloud.knobs(lm_seconds=0)

        done = self.end(process)

        self.assertEqual(0, done.code, done.err)
        self.assertIn('waiting for the cell', done.err)
        self.assertNotIn('UNKNOWN', done.err + done.out)
        self.assertEqual({'moved'}, {row['Result'] for row in done.json})
        self.assert_empty('cmp01')

    @pytest.mark.soak
    def test_cell_stays_down(self) -> None:
        servers = self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 6))
        self.cloud.requests.reset()
        process = self.start('host maintenance drain -f json cmp01')
        waiting.wait_for(self._has_moved_one, 'a server to be moved')
        self.stop_cell()

        done = self.end(process)

        self.assertEqual(1, done.code, done.err)
        self.assertIn(f'host cmp01: {SILENT}', done.err)
        self.assertNotIn('evacuate', done.err + done.out)
        self.assertNotIn('UNKNOWN', done.err + done.out)
        self.assertEqual(
            {server.id for server in servers},
            {row['Server ID'] for row in done.json},
        )
        for row in done.json:
            if row['Result'] != 'moved':
                self.assertIn(SILENT, row['Reason'])

    @pytest.mark.soak
    def test_cell_goes_down_while_a_server_is_suspended_again(self) -> None:
        """Whether it runs is not known then."""
        server = self.cloud.boot('s', host='cmp01', state='SUSPENDED')
        self.cloud.knobs(lm_seconds=600)
        process = self.start(
            'host maintenance drain -f json --suspended resume '
            '--server-timeout 15s cmp01'
        )
        waiting.wait_for(
            lambda: self.cloud.migrations(status='running'), 'its migration'
        )
        # The cell falls silent before the drain sees it suspended.
        self.cloud.faults.add(method='GET', path=f'{server.id}$', delay=2)
        self.cloud.knobs(lm_seconds=0)
        waiting.wait_for(
            lambda: any(
                request.action == 'suspend'
                for request in self.cloud.requests.log()
            ),
            'it to be suspended again',
            interval=0.05,
        )
        self.cloud.wait_server(server, 'SUSPENDED')
        self.stop_cell()
        self.cloud.faults.clear()
        self.read_until(process, 'failed')
        self.cloud.heal_cells()
        done = self.end(process)

        # 1 if the cell answers only after the last look at the host.
        self.assertIn(done.code, (1, 3), done.err)
        (row,) = done.json
        self.assertEqual('failed', row['Result'])
        self.assertNotIn('left running', row['Reason'])
        self.assertIn(SILENT, row['Reason'])

    def _have_begun(self) -> bool:
        states = [record['status'] for record in self.records('cmp01')]
        return len(states) == 2 and 'accepted' not in states

    def _has_moved_one(self) -> bool:
        return any(
            record['status'] == 'completed' for record in self.records('cmp01')
        )
