# SPDX-License-Identifier: Apache-2.0

"""Evacuations that are broken off, or asked for twice: nothing is lost."""

import collections
import signal
import typing as ty

import pytest

from tests.cloud import waiting
from tests.functional import test_evacuate


class SlowEvacuationTest(test_evacuate.EvacuationTest):
    def slow_servers(self, active: int) -> list[dict[str, ty.Any]]:
        """Servers that are rebuilt slowly, on a host that died."""
        states = ['ACTIVE'] * active + ['SHUTOFF'] * 3 + ['ERROR']
        servers = self.cloud.boot_many(
            [
                {
                    'name': f'{state.lower()}-{n}',
                    'host': 'cmp01',
                    'state': state,
                }
                for n, state in enumerate(states)
            ]
        )
        # Off, and broken since then: it is to be off again.
        self.cloud.act(servers[-2], {'os-resetState': {'state': 'error'}})
        self.cloud.knobs(boot_seconds=3)
        self.die()
        return self.cloud.servers('cmp01')

    def wait_records(self, count: int, *statuses: str) -> None:
        def there() -> bool:
            found = [
                record
                for record in self.records('cmp01')
                if not statuses or record['status'] in statuses
            ]
            return len(found) >= count

        waiting.wait_for(there, f'{count} records in {statuses or "any"}')

    def assert_all_elsewhere(self, before: ty.Iterable[ty.Any]) -> None:
        """And in the state they were in; what was broken, is repaired."""
        as_left = []
        for server in before:
            if server['status'] == 'ERROR':
                off = server['name'].startswith('shutoff')
                status = 'SHUTOFF' if off else 'ACTIVE'
                server = {**server, 'status': status}
            as_left.append(server)
        self.assert_same_elsewhere(as_left, 'cmp01')
        self.assert_rebuilt_once(as_left)

    def assert_cleans_up(self, servers: ty.Iterable[ty.Any]) -> None:
        self.cloud.start_host('cmp01')
        self.openstack('host maintenance unset cmp01')
        self.assert_back_in_service()
        self.assert_runs_once(servers)


@pytest.mark.soak
class TestKilled(SlowEvacuationTest):
    def test_killed_and_interrupted(self) -> None:
        """With -9 as the first are under way; the next run with Ctrl-C."""
        before = self.slow_servers(active=10)

        self.cloud.knobs(boot_seconds=3600)
        process = self.start(f'{test_evacuate.LINE} cmp01')
        self.wait_records(4)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        process = self.start(f'{test_evacuate.LINE} cmp01')
        self.read_until(process, 'waiting for another run to finish')
        self.cloud.knobs(boot_seconds=3)
        # It begins a while after what it found under way.
        waiting.wait_for(
            lambda: {r['status'] for r in self.records('cmp01')} == {'done'},
            'the end of what was begun',
        )
        known = len(self.records('cmp01'))
        self.assertLess(known, len(before))
        self.wait_records(known + 1)
        process.send_signal(signal.SIGINT)
        done = self.end(process)

        self.assertEqual(130, done.code, done.err)
        results = collections.Counter(row['Result'] for row in done.json)
        self.assertEqual({'moved', 'blocked'}, set(results), done.out)
        records = self.records('cmp01')
        self.assertEqual(
            {'done'}, {r['status'] for r in records}, 'all was awaited'
        )
        self.assertLess(len(records), len(before))

        done = self.run_command(f'{test_evacuate.LINE} cmp01')

        self.assertEqual(0, done.code, done.err)
        self.assertEqual({'moved'}, {row['Result'] for row in done.json})
        self.assert_all_elsewhere(before)
        self.assert_cleans_up(before)


@pytest.mark.soak
class TestTwoRuns(SlowEvacuationTest):
    def test_two_at_once(self) -> None:
        before = self.slow_servers(active=5)
        line = f'{test_evacuate.LINE} cmp01'

        processes = [self.start(line), self.start(line)]

        for process in processes:
            done = self.end(process)
            self.assertEqual(0, done.code, done.err)
            self.assertEqual({'moved'}, {r['Result'] for r in done.json})
        self.assert_all_elsewhere(before)
        self.assert_cleans_up(before)

    def test_the_host_comes_back(self) -> None:
        """It is not powered off: nothing more is evacuated, nor lost."""
        before = self.slow_servers(active=8)
        process = self.start(f'{test_evacuate.LINE} --parallel 1 cmp01')
        self.wait_records(2, 'done')
        self.cloud.knobs(boot_seconds=3600)
        self.wait_records(1, 'accepted', 'pre-migrating')
        self.cloud.start_host('cmp01')
        self.cloud.knobs(boot_seconds=3)
        done = self.end(process)

        self.assertEqual(1, done.code, done.err)
        self.assertIn('cmp01 sends heartbeats again', done.err)
        rows = {row['Server ID']: row for row in done.json}
        self.assertEqual({s['id'] for s in before}, {*rows})
        left = [r for r in rows.values() if r['Result'] != 'moved']
        for row in left:
            self.assertEqual('blocked', row['Result'])
            self.assertIn('cmp01 sends heartbeats again', row['Reason'])
        there = self.cloud.servers('cmp01')
        self.assertEqual(
            {row['Server ID'] for row in left}, {s['id'] for s in there}
        )
        self.assertTrue(there, 'all have left before it was noticed')

        # What was being built as it started, Nova has marked done since.
        self.assertGreater(self.show('cmp01')['awaiting_cleanup'], 0)
        done = self.run_command('host maintenance unset cmp01')
        self.assertEqual(1, done.code, done.err)
        self.assertIn('restart it if it is running', done.err)
        self.cloud.restart_host('cmp01')
        self.openstack('host maintenance unset cmp01')
        self.assert_back_in_service()
        self.assert_runs_once(s for s in before if s['status'] != 'ERROR')
