# SPDX-License-Identifier: Apache-2.0

import collections
import contextlib
import dataclasses
import functools
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import hypothesis
from hypothesis import strategies

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.recording import replay
from osc_hostmaint.recording import writer
from tests.unit.simulation import faults
from tests.unit.simulation import outcomes
from tests.unit.simulation import scene

SERVERS = strategies.lists(
    strategies.tuples(
        strategies.sampled_from(
            ['active', 'stopped', 'paused', 'suspended', 'shelved']
        ),
        strategies.floats(0.5, 60),
        strategies.sampled_from(outcomes.MoveOutcome),
    ),
    min_size=1,
    max_size=5,
)
FAILING = strategies.dictionaries(
    strategies.integers(0, 80),
    strategies.sampled_from(
        [faults.LOST, faults.DROPPED_LATE, faults.TOO_MANY, faults.REFUSED]
    ),
    max_size=4,
)
POLICIES = strategies.fixed_dictionaries(
    {
        'running': strategies.sampled_from(policies.Running),
        'suspended': strategies.sampled_from(policies.Suspended),
        'on_stall': strategies.sampled_from(policies.OnStall),
        'retries': strategies.integers(0, 2),
        'server_timeout': strategies.sampled_from([None, 30.0]),
    }
)


class ReplayTestCase(unittest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(folder, 'seen.jsonl')

    def drain(self, cloud, hosts=(scene.SOURCE,), names=False, **options):
        """Drain hosts of a simulated cloud, and keep what was seen."""
        self.path.unlink(missing_ok=True)
        with writer.Recording(
            str(self.path), names=names, warn=self.fail
        ) as recording:
            return scene.run(cloud, hosts, recording=recording, **options)

    def ticks(self):
        """Return all that was decided, decided again."""
        return list(replay.replay(str(self.path)))

    def assert_same(self):
        """Fail if anything is decided otherwise."""
        ticks = self.ticks()
        self.assertTrue(ticks)
        for tick in ticks:
            self.assertEqual((), tick.differences, tick.line)

    def lines(self):
        """Return the file's lines as JSON values."""
        return [json.loads(line) for line in self.path.open()]

    def write(self, lines):
        """Put JSON values into the file."""
        dumps = functools.partial(json.dumps, separators=(',', ':'))
        self.path.write_text(''.join(f'{dumps(line)}\n' for line in lines))

    def told(self, *arguments):
        """Return the exit code, and what is told."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = replay.main(arguments or [str(self.path)])
        return code, out.getvalue(), err.getvalue()


class TestReplay(ReplayTestCase):
    def test_a_drain_of_several_hosts(self):
        hosts = ('cmp01', 'cmp02')
        run = self.drain(scene.cloud(5, source=hosts), hosts)

        self.assertEqual(0, run.exit_code)
        ticks = self.ticks()
        self.assertEqual(set(hosts), {t.then.seen.host for t in ticks})
        self.assertEqual(
            10, sum(len(tick.now.actions) for tick in ticks), 'one a server'
        )
        self.assert_same()

    def test_a_drain_that_was_killed(self):
        self.drain(scene.cloud(3))
        whole = self.path.read_bytes()
        # The first decision is told whole, and is the longest by far.
        for part in (0.5, 0.7, 0.9):
            self.path.write_bytes(whole[: int(len(whole) * part)])
            self.assert_same()

    def test_every_drain_begins_anew(self):
        self.drain(scene.cloud(3))
        self.write(self.lines() * 2)

        self.assert_same()

    def test_a_tick_can_be_decided_once_more(self):
        """What a test of a bug needs."""
        self.drain(scene.cloud(3))
        tick = next(t for t in self.ticks() if t.memory.servers)
        again = replay.decide.decide(
            tick.then.seen,
            requested.operation(tick.then.policy),
            tick.memory,
            tick.then.now,
        )

        self.assertEqual(tick.now, again)


class TestGuided(ReplayTestCase):
    """Drains in which somebody says where moves go, and which wait."""

    def outcomes(self):
        """Return what came of each action, by its answer."""
        found = collections.defaultdict(list)
        for line in self.lines():
            if acted := line.get('acted'):
                found[acted['outcome']['answer']].append(acted)
        return found

    def test_destinations_that_were_picked(self):
        run = self.drain(scene.cloud(6), guided=True)

        self.assertEqual(0, run.exit_code)
        self.assertEqual(
            {'cmp02', 'cmp03', 'cmp04'},
            {a['action']['host'] for a in self.outcomes()['accepted']},
        )
        self.assert_same()

    @hypothesis.settings(max_examples=30)
    @hypothesis.given(SERVERS, FAILING, POLICIES, strategies.integers(1, 2))
    def test_any_drain(self, servers, failing, policy, bound):
        cloud = scene.cloud(0, hosts=('cmp01', 'cmp02', 'cmp03'))
        for vm_state, seconds, outcome in servers:
            cloud.add(
                scene.SOURCE,
                vm_state,
                seconds=seconds,
                outcomes=collections.deque([outcome]),
            )
        self.drain(
            cloud,
            faults=faults.numbered(failing),
            timeout=900.0,
            guided=True,
            per_destination=bound,
            **policy,
        )

        self.assert_same()


class TestDifferences(ReplayTestCase):
    def setUp(self):
        super().setUp()
        self.drain(scene.cloud(2))

    def change(self, field, change):
        """Change a field of the first decision that has a value for it."""
        lines = self.lines()
        decided = [
            tree
            for line in lines
            for each in line.get('decided', {}).values()
            for tree in (each if isinstance(each, list) else [each])
        ]
        first = next(tree for tree in decided if tree.get(field))
        first[field] = change(first[field])
        self.write(lines)

    def test_of_actions(self):
        self.change('actions', lambda actions: actions[1:])
        code, out, _err = self.told()

        self.assertEqual(1, code)
        self.assertEqual(1, out.count('DIFFERS: actions: '))
        self.assertIn(', 1 of them differ', out)

    def test_of_a_servers_status(self):
        self.change(
            'statuses', lambda old: {key: ['blocked', 'x'] for key in old}
        )
        code, out, _err = self.told()

        self.assertEqual(1, code)
        self.assertRegex(out, r'DIFFERS: \S+: blocked \(x\); now: waiting')

    def test_of_the_end(self):
        self.change('done', lambda _done: [False])

        self.assertIn('DIFFERS: done: False; now: True', self.told()[1])

    def test_of_what_is_decided_today(self):
        """The code is changed, not the file."""
        honest = replay.decide.decide

        def idle(*args):
            return dataclasses.replace(honest(*args), actions=())

        with mock.patch.object(replay.decide, 'decide', idle):
            code, out, _err = self.told()

        self.assertEqual(1, code)
        self.assertIn('DIFFERS: actions: live migration of', out)
        self.assertIn('; now: none', out)


class TestMain(ReplayTestCase):
    def test_the_same(self):
        self.drain(scene.cloud(2))
        code, out, err = self.told()

        self.assertEqual((0, ''), (code, err))
        self.assertRegex(out, r'\n\d+ decisions, 0 of them differ\n$')
        self.assertEqual(2, len(re.findall('live migration.*asked for', out)))
        self.assertRegex(out, r'line \d+: cmp01 at [\d.]+ s: done')
        self.assertNotIn('DIFFERS', out)

    def test_no_recording(self):
        self.path.write_text('clouds:\n{}\n')
        code, out, err = self.told()

        self.assertEqual((2, ''), (code, out))
        self.assertIn('line 1', err)

    def test_hostile_text_is_harmless(self):
        self.drain(scene.cloud(1))
        lines = self.lines()
        lines[1]['decided']['cmp01'][0]['statuses'] = {
            'vm\x1b[2J': ['blocked', '\x1b[2J\u202e']
        }
        self.write(lines)
        code, out, _err = self.told()

        self.assertEqual(1, code)
        self.assertTrue(out.replace('\n', '').isprintable())

    def run_program(self, **streams):
        """Start the program."""
        return subprocess.Popen(
            [sys.executable, '-m', replay.__name__, str(self.path)],
            env={**os.environ, 'PYTHONWARNINGS': 'ignore'},
            text=True,
            **streams,
        )

    def test_as_a_program(self):
        self.drain(scene.cloud(1))
        with self.run_program(stdout=subprocess.PIPE) as process:
            self.assertIn(', 0 of them differ', process.stdout.read())
        self.assertEqual(0, process.returncode)

    def test_stdout_closed(self):
        """``| head``."""
        self.drain(scene.cloud(1))
        process = self.run_program(
            stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with process:
            process.stdout.close()
            self.assertEqual('', process.stderr.read())
        self.assertEqual(141, process.returncode)
