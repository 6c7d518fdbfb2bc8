# SPDX-License-Identifier: Apache-2.0

"""Signals, broken pipes and lost terminals leave nothing half done."""

import os
import shlex
import signal
import subprocess

import pytest

from tests.functional import base
from tests.functional import terminal
from tests.functional import test_interruption

LINE = test_interruption.LINE


class TestSignals(test_interruption.SlowServers):
    def assert_nothing_half_done(self) -> None:
        """What has begun has ended, and every server is at rest."""
        busy = [
            s
            for s in self.cloud.servers()
            if s['OS-EXT-STS:task_state'] or s['status'] == 'VERIFY_RESIZE'
        ]
        self.assertEqual([], busy)
        self.assertEqual('disabled', self.cloud.service('cmp01').status)

    @pytest.mark.soak
    def test_sigterm_is_like_one_ctrl_c(self) -> None:
        self.slow_servers(seconds=600)
        process = self.start(LINE)
        self.wait_in_flight()
        self.interrupt(process, signal.SIGTERM)
        self.knob_seconds(0.5)
        done = self.end(process)

        self.assertEqual(130, done.code, done.err)
        results = [row['Result'] for row in done.json]
        self.assertEqual(['blocked', 'blocked', 'moved'], sorted(results))
        self.assertEqual(1, len(self.records('cmp01')))
        self.assert_nothing_half_done()

    def pipe(self, line: str) -> str:
        """Run a line of shell and return what comes out."""
        done = subprocess.run(
            ['/bin/sh', '-c', line.format(shlex.join(base.OPENSTACK))],
            cwd=base.ROOT,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=base.LIMIT,
            check=True,
        )
        self.assertNotIn('Traceback', done.stdout + done.stderr)
        return done.stdout

    def test_stderr_is_closed(self) -> None:
        """It drains to the end, whoever has gone away meanwhile."""
        self.slow_servers(seconds=1)

        # head ends at the first line of progress.
        out = self.pipe('{} host maintenance drain cmp01 2>&1 | head -n 1')

        # The time of day comes before it.
        self.assertRegex(out, r'^[\dT:-]+Z cmp01: 3 servers')
        self.assert_each_moved_once()
        self.assert_empty('cmp01')
        self.assert_nothing_half_done()

    @pytest.mark.soak
    def test_stdout_is_closed(self) -> None:
        self.slow_servers(seconds=1)

        out = self.pipe('{} host maintenance drain cmp01 | true')

        self.assertEqual('', out)
        self.assert_empty('cmp01')
        self.assert_nothing_half_done()

    def test_the_terminal_is_closed(self) -> None:
        """Like one Ctrl-C: the moves in flight are awaited and confirmed."""
        self.slow_servers(seconds=600)
        ours, end = os.openpty()
        process = subprocess.Popen(
            [*base.OPENSTACK, *LINE.split()],
            cwd=base.ROOT,
            env=self.environ(),
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
            preexec_fn=terminal.own,
        )
        self.addCleanup(process.kill)
        os.close(end)
        self.wait_in_flight()
        os.close(ours)
        self.knob_seconds(0.5)

        process.wait(timeout=base.LIMIT)

        self.assert_nothing_half_done()
        self.assertEqual(1, len(self.records('cmp01')))
        self.assertEqual(2, len(self.cloud.servers('cmp01')))
