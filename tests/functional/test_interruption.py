# SPDX-License-Identifier: Apache-2.0

"""Killed, interrupted, timed out, run twice: nothing is lost."""

import collections
import datetime
import signal
import subprocess
from unittest import mock

import pytest

from osc_hostmaint.operations import clock
from tests.cloud import waiting
from tests.functional import base

LINE = 'host maintenance drain -f json --parallel 1 cmp01'


class SlowServers(base.FunctionalTest):
    """A host whose servers take a while to move."""

    def slow_servers(self, seconds: float = 3) -> None:
        self.knob_seconds(seconds)
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 2) + base.lot('cmp01', 'SHUTOFF', 1)
        )

    def knob_seconds(self, seconds: float) -> None:
        """Have moves take so long, also those in flight."""
        self.cloud.knobs(lm_seconds=seconds, cm_seconds=seconds)

    def wait_in_flight(self) -> None:
        waiting.wait_for(
            lambda: (
                self.cloud.migrations(status='running')
                or self.cloud.migrations(status='migrating')
            ),
            'a move',
        )

    def interrupt(self, process: 'subprocess.Popen[str]', number: int) -> None:
        """Send a signal, and wait until the command says that it has it."""
        process.send_signal(number)
        # Two signals at once would be one.
        self.read_until(process, 'nothing new is started')

    def assert_each_moved_once(self) -> None:
        counts = collections.Counter(
            record['instance_uuid'] for record in self.records('cmp01')
        )
        self.assertEqual({1}, set(counts.values()), counts)
        self.assertEqual(3, len(counts))


class TestInterruption(SlowServers):
    def test_two_at_once(self) -> None:
        self.slow_servers()
        before = self.cloud.servers('cmp01')
        line = 'host maintenance drain -f json cmp01'
        processes = [self.start(line), self.start(line)]
        results = [self.end(process) for process in processes]

        for done in results:
            self.assertEqual(0, done.code, done.err)
            self.assertEqual({'moved'}, {r['Result'] for r in done.json})
        self.assert_each_moved_once()
        self.assert_empty('cmp01')
        self.assert_same_elsewhere(before, 'cmp01')

    @pytest.mark.soak
    def test_two_hosts_from_two_shells(self) -> None:
        """What the one sends to the other's host is moved on from there."""
        self.cloud.knobs(lm_seconds=2, cm_seconds=1)
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 4)
            + base.lot('cmp01', 'SHUTOFF', 2)
            + base.lot('cmp02', 'ACTIVE', 2)
            + base.lot('cmp02', 'SHUTOFF', 1)
        )
        before = self.cloud.servers()
        first = self.start('host maintenance drain -f json cmp01')
        waiting.wait_for(
            lambda: self.cloud.migrations(status='running'), 'a move'
        )
        second = self.start('host maintenance drain -f json cmp02')

        for process in (first, second):
            done = self.end(process)
            self.assertEqual(0, done.code, done.err)
            self.assertEqual({'moved'}, {r['Result'] for r in done.json})
        for host in ('cmp01', 'cmp02'):
            self.assert_empty(host)
            self.assert_same_elsewhere(before, host)
            # The scheduler refuses what the one has picked on the other's
            # host before it knew.
            moved = [
                record['instance_uuid']
                for record in self.records(host)
                if record['status'] != 'error'
            ]
            self.assertEqual(len(set(moved)), len(moved), 'each only once')

    def test_interrupted_once(self) -> None:
        self.slow_servers(seconds=600)
        process = self.start(LINE)
        self.wait_in_flight()
        self.interrupt(process, signal.SIGINT)
        self.knob_seconds(0.5)
        done = self.end(process)

        self.assertEqual(130, done.code, done.err)
        results = [row['Result'] for row in done.json]
        self.assertEqual(
            ['blocked', 'blocked', 'moved'],
            sorted(results),
            'what had begun was awaited, and nothing new began',
        )
        self.assertEqual(1, len(self.records('cmp01')))
        self.assertFalse(
            [s for s in self.cloud.servers() if s['status'] == 'VERIFY_RESIZE']
        )

    def test_interrupted_twice(self) -> None:
        """The second signal need not be the same as the first."""
        self.slow_servers(seconds=600)
        process = self.start('host maintenance drain -f json cmp01')
        waiting.wait_for(
            lambda: self.cloud.migrations(status='running'), 'a move'
        )
        self.interrupt(process, signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        done = self.end(process)

        self.assertEqual(130, done.code, done.err)
        self.assertIn('the moves in flight continue in Nova', done.err)
        results = {row['Name']: row['Result'] for row in done.json}
        self.assertEqual(dict.fromkeys(results, 'moving'), results)
        self.assertEqual(3, len(results))
        self.assertIn('not drained (3 moving)', done.err)
        self.assertTrue(self.cloud.migrations(status='running'))

    def test_timeout(self) -> None:
        self.slow_servers(seconds=30)

        rows = self.drain('--timeout 6s cmp01', code=4)

        self.assertEqual(3, len(rows))
        for row in rows:
            if row['Result'] != 'moved':
                self.assertIn('--timeout passed', row['Reason'])
        self.assertIn('moving', {row['Result'] for row in rows})
        self.assertNotIn('failed', {row['Result'] for row in rows})
        self.knob_seconds(1)
        self.drain('cmp01')
        self.assert_each_moved_once()

    def test_until(self) -> None:
        """A laptop that sleeps meanwhile: what has begun is awaited."""
        self.slow_servers(seconds=2)
        for wrong in (
            'drain --until 2026-11-01T06:00Z',
            'unset --until 06:00',
        ):
            done = self.run_command(f'host maintenance {wrong} cmp01')
            self.assertEqual(2, done.code, done.err)
        hour = datetime.timedelta(hours=1)

        def utc(_clock: clock.Clock) -> datetime.datetime:
            moves = self.cloud.migrations(source_compute='cmp01')
            return datetime.datetime.now(datetime.UTC) + 2 * len(moves) * hour

        until = datetime.datetime.now(datetime.UTC) + hour
        with mock.patch.object(clock.Clock, 'utc', utc):
            done = self.run_command(f'{LINE} --until {until.isoformat()}')

        self.assertEqual(4, done.code, done.err)
        self.assertIn('No move starts after', done.err)
        self.assertIn('--until passed: no other move is started', done.err)
        results = {row['Result']: row['Reason'] for row in done.json}
        self.assertEqual({'moved', 'blocked'}, {*results})
        self.assertIn('run the command again', results['blocked'])
        self.assertEqual(1, len(self.records('cmp01')))

        local = until.astimezone()
        done = self.run_command(
            f'host maintenance unset --restore --until {local:%H:%M} cmp01'
        )

        self.assertEqual(0, done.code, done.err)
        self.assertIn(f'after {local:%Y-%m-%d %H:%M}:00', done.err)
        self.assertEqual(3, len(self.cloud.servers('cmp01')))


class TestBadDays(SlowServers):
    @pytest.mark.soak
    def test_parallel(self) -> None:
        self.slow_servers(seconds=1)
        process = self.start('host maintenance drain --parallel 1 cmp01')
        busiest = 0

        def ended() -> bool:
            nonlocal busiest
            busy = [
                s for s in self.cloud.servers() if s['OS-EXT-STS:task_state']
            ]
            busiest = max(busiest, len(busy))
            return process.poll() is not None

        waiting.wait_for(ended, 'the end of the drain', base.LIMIT, 0.25)
        done = self.end(process)

        self.assertEqual(0, done.code, done.err)
        self.assertEqual(1, busiest)
        self.assert_each_moved_once()

    def test_compute_service_dies(self) -> None:
        self.slow_servers(seconds=60)
        process = self.start('host maintenance drain -f json cmp01')
        waiting.wait_for(
            lambda: self.cloud.migrations(status='running'), 'a move'
        )
        self.cloud.kill_host('cmp01')
        done = self.end(process)

        self.assertEqual(3, done.code, done.err)
        self.assertEqual(3, len(done.json))
        left = [row for row in done.json if row['Result'] != 'moved']
        self.assertTrue(left)
        for row in left:
            self.assertIn('compute service on cmp01 is down', row['Reason'])

    def test_compute_service_comes_back(self) -> None:
        """Nova missed its heartbeats; what had begun went on."""
        self.cloud.knobs(lm_seconds=600)
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        process = self.start(LINE)
        self.wait_in_flight()
        self.cloud.force_down('cmp01')
        self.read_until(
            process, 'cmp01: waiting for the compute service to come back'
        )
        self.cloud.force_down('cmp01', False)
        self.cloud.knobs(lm_seconds=0)
        done = self.end(process)

        self.assertEqual(0, done.code, done.err)
        self.assertEqual(['moved', 'moved'], [r['Result'] for r in done.json])
        self.assertEqual([1, 1], [row['Attempts'] for row in done.json])
