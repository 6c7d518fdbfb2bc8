# SPDX-License-Identifier: Apache-2.0

import collections
import contextlib
import dataclasses
import functools
import io
import json
import os
import re
import subprocess
import sys
from unittest import mock

import hypothesis
from hypothesis import strategies

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.host import decide
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.recording import replay
from osc_hostmaint.recording import writer
from tests import unit
from tests.unit import builders
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


class ReplayTestCase(unit.TestCase):
    def setUp(self):
        self.path = self.new_folder() / 'seen.jsonl'

    def drain(self, cloud, hosts=(scene.SOURCE,), **options):
        """Drain hosts of a simulated cloud, and keep what was seen."""
        self.path.unlink(missing_ok=True)
        with writer.Recording(str(self.path), warn=self.fail) as recording:
            return scene.run(cloud, hosts, recording=recording, **options)

    def ticks(self):
        return list(replay.replay(str(self.path)))

    def assert_same(self):
        """Return all ticks; fail if anything is decided otherwise."""
        ticks = self.ticks()
        self.assertTrue(ticks)
        for tick in ticks:
            self.assertEqual((), tick.differences, tick.line)
        return ticks

    def lines(self):
        return [json.loads(line) for line in self.path.open()]

    def write(self, lines):
        dumps = functools.partial(json.dumps, separators=(',', ':'))
        self.path.write_text(''.join(f'{dumps(line)}\n' for line in lines))

    def told(self):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = replay.main([str(self.path)])
        return code, out.getvalue(), err.getvalue()


class TestReplay(ReplayTestCase):
    def test_a_drain_of_several_hosts(self):
        hosts = ('cmp01', 'cmp02')
        run = self.drain(scene.cloud(5, source=hosts), hosts)
        self.assertEqual(0, run.exit_code)
        ticks = self.assert_same()
        self.assertEqual(set(hosts), {t.then.seen.host for t in ticks})
        self.assertEqual(10, sum(len(tick.now.actions) for tick in ticks))

    def test_a_drain_that_was_killed(self):
        self.drain(scene.cloud(3))
        whole = self.path.read_bytes()
        # The first decision is told whole, and is the longest by far.
        for part in (0.5, 0.7, 0.9):
            self.path.write_bytes(whole[: int(len(whole) * part)])
            self.assert_same()

    def test_a_server_that_gets_another_name(self):
        """As one does that is deleted; neither name is kept."""
        operation = requested.operation(policies.Policy())
        memory = memories.HostMemory()
        with writer.Recording(str(self.path), warn=self.fail) as recording:
            for name in ('web', 'other', ''):
                seen = builders.observation([builders.server(name=name)])
                found = decide.decide(seen, operation, memory, builders.NOW)
                recording.decided(seen, operation.policy, builders.NOW, found)
                memory = found.memory
        self.assertEqual(3, len(self.assert_same()))

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

    def test_destinations_that_were_picked(self):

        self.assertEqual(0, self.drain(scene.cloud(6), guided=True).exit_code)
        self.assertEqual(
            {'cmp02', 'cmp03', 'cmp04'},
            {
                line['acted']['action']['host']
                for line in self.lines()
                if 'acted' in line
                and line['acted']['outcome']['answer'] == 'accepted'
            },
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

    @unit.cases(
        # the field, its change, what is told
        ('actions', lambda old: old[1:], 'actions: (?s:.*), 1 of them differ'),
        (
            'statuses',
            lambda old: {key: ['blocked', 'x'] for key in old},
            r'\S+: blocked \(x\); now: waiting',
        ),
        ('done', lambda _old: [False], 'done: False; now: True'),
    )
    def test_of_the_file(self, field, change, words):
        self.change(field, change)
        code, out, _err = self.told()
        self.assertEqual(1, code)
        self.assertRegex(out, f'DIFFERS: {words}')

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

    @unit.cases(
        # what is done with the output, the exit code
        (lambda out: out.read(), 0),
        # ``| head``
        (lambda out: out.close(), 141),
    )
    def test_as_a_program(self, use, code):
        self.drain(scene.cloud(1))
        with subprocess.Popen(
            [sys.executable, '-m', replay.__name__, str(self.path)],
            env={**os.environ, 'PYTHONWARNINGS': 'ignore'},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            shown = use(process.stdout)
            self.assertEqual('', process.stderr.read())
        self.assertEqual(code, process.returncode)
        if shown is not None:
            self.assertIn(', 0 of them differ', shown)
