# SPDX-License-Identifier: Apache-2.0

"""Every duration has one owner, and all can be scaled at once."""

import ast
import os
import pathlib
import re
import subprocess
import sys
from unittest import mock

from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import polling
from tests import openstack
from tests import scaling
from tests import unit
from tests.unit import test_imports

OWNER = 'planning/timing.py'
PAGE = pathlib.Path('doc/source/contributor/changing.rst')
#: What is waited by, or ages are told in.
CALLS = ('sleep', 'wait', 'timedelta')
#: How long a name says that a value is, or that it is no duration.
UNITS = (
    *('_SECONDS', '_PART', '_PERCENT', '_TRIES', '_RETRIES', '_FAILURES'),
    '_AT_ONCE',
)


def others():
    """Return all modules but the owner of durations, as syntax trees."""
    trees = test_imports.trees()
    del trees[OWNER]
    return trees


def called(node):
    """Return the last name of what is called, '' where nothing is."""
    if not isinstance(node, ast.Call):
        return ''
    return getattr(node.func, 'attr', getattr(node.func, 'id', ''))


def copied(node):
    """Yield the durations that are read when a module is imported."""
    if isinstance(node, ast.Attribute) and ast.unparse(node) == (
        f'timing.{node.attr}'
    ):
        yield node.attr
    late = isinstance(node, ast.FunctionDef | ast.Lambda)
    for child in (node.args,) if late else ast.iter_child_nodes(node):
        yield from copied(child)


class TestOwner(unit.TestCase):
    def assert_none(self, find):
        """Fail where another module has what it must not have."""
        found = {name: [*find(tree)] for name, tree in others().items()}
        self.assertEqual({}, {n: what for n, what in found.items() if what})

    def test_no_other_module_names_a_duration(self):
        self.assert_none(
            lambda tree: (
                node.id
                for node in ast.walk(tree)
                if isinstance(node, ast.Name)
                and isinstance(node.ctx, ast.Store)
                and re.search('(?i)_(seconds|tries)$', node.id)
            )
        )

    def test_no_other_module_says_how_long_to_wait(self):
        self.assert_none(
            lambda tree: (
                ast.unparse(node)
                for node in ast.walk(tree)
                if called(node) in CALLS
                and any(
                    isinstance(getattr(part, 'value', None), int | float)
                    for argument in (*node.args, *node.keywords)
                    for part in ast.walk(argument)
                )
            )
        )

    def test_none_is_copied(self):
        """What may be scaled is read where it is used, and each time."""
        scaled = scaling.durations()
        self.assert_none(
            lambda tree: (name for name in copied(tree) if name in scaled)
        )
        self.assert_none(
            lambda tree: (
                name
                for name in test_imports.imported(tree)
                if name.startswith('osc_hostmaint.planning.timing.')
            )
        )

    def test_every_name_tells_its_unit(self):
        values = vars(timing).items()
        numbers = [n for n, v in values if isinstance(v, int | float)]
        self.assertIn('END_TRIES', numbers)
        self.assertEqual([], [n for n in numbers if not n.endswith(UNITS)])

    def test_those_that_stay_are_durations(self):
        durations = {n for n in vars(timing) if n.endswith('_SECONDS')}
        self.assertLess(timing.FIXED, durations)
        self.assertEqual(durations - timing.FIXED, set(scaling.durations()))


class TestPage(unit.TestCase):
    def test_contributors_are_told_the_true_numbers(self):
        told = re.findall(
            r'(\d+) s(?: more)?\s\(``([A-Z_]+)``', PAGE.read_text()
        )
        true = [(f'{getattr(timing, n):.0f}', n) for _value, n in told]
        self.assertGreater(len(told), 8)
        self.assertEqual(true, told)


class TestScaled(unit.TestCase):
    def test_all_but_the_fixed(self):
        before = dict(vars(timing))
        with scaling.scaled(0.5):
            inside = dict(vars(timing))
        self.assertEqual(before, vars(timing))
        self.assertEqual(
            scaling.durations(),
            [n for n, value in before.items() if inside[n] != value],
        )
        for name in scaling.durations():
            self.assertEqual(0.5 * before[name], inside[name])

    def test_it_takes_effect(self):
        looks = {'now': 0.0, 'ages': [], 'move_timing': None}
        looks |= {'filling': False, 'settling': False}
        self.assertEqual(3.0, polling.interval(**looks))
        with scaling.scaled(0.5):
            self.assertEqual(1.5, polling.interval(**looks))


class TestCommand(unit.TestCase):
    def test_it_waits_less(self):
        found = []

        def see(*args):
            found.append((sys.argv[0], timing.SILENCE_SECONDS))
            return 4

        with (
            mock.patch.dict(os.environ, {openstack.FACTOR: '0.2'}),
            mock.patch.object(sys, 'argv', ['openstack.py', 'host', 'list']),
            mock.patch('openstackclient.shell.main', see),
        ):
            self.assertEqual(4, openstack.main())
        self.assertEqual([('openstack', 4.0)], found)
        self.assertEqual(20.0, timing.SILENCE_SECONDS)

    def test_it_is_the_real_one(self):
        command = [sys.executable, '-m', 'tests.openstack', '--version']
        done = subprocess.run(
            command, capture_output=True, text=True, check=False
        )
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stdout, r'^openstack [0-9.]+')
