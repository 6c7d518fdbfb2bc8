# SPDX-License-Identifier: Apache-2.0

"""What may import what, and what it costs every ``openstack`` command."""

import ast
import collections
from collections import abc
import enum
import pathlib
import subprocess
import sys

import osc_hostmaint
from osc_hostmaint import nova_states
from tests import unit

PACKAGE = pathlib.Path(osc_hostmaint.__file__).parent
#: "Split by noun before 400."
MAX_LINES = 400
#: Of a folder; more can't be seen at a glance.
MAX_MODULES = 12
#: In planning/, from the bottom up: what each package may import, beside the
#: modules of planning/ itself.
FLOORS = {
    'server': (),
    'batches': ('capacity', 'host', 'server'),
    'capacity': ('server',),
    'drain': ('server',),
    'evacuation': ('server',),
    'host': ('server',),
    'restore': ('host', 'server'),
}

#: Imported only when a command does its work.
HEAVY = tuple(
    f'osc_hostmaint.{package}'
    for package in 'api recording engine nova planning operations'.split()
)
#: What planning may import of the standard library.
PURE = (
    *('abc', 'collections', 'contextlib', 'copy', 'dataclasses', 'datetime'),
    *('enum', 'functools', 'hashlib', 'heapq', 'ipaddress', 'itertools'),
    *('math', 'types', 'typing'),
)
#: Which package may import what of ours, beside itself.
PARTNERS = {
    'notifications': (
        *('events', 'exceptions', 'i18n', 'mark', 'planning', 'streams'),
        'text',
    ),
    'recording': (
        *('exceptions', 'i18n', 'model', 'planning', 'streams', 'text'),
    ),
    'planning': ('mark', 'model', 'nova_states'),
    'progress': ('events', 'i18n', 'model', 'planning', 'text'),
}

#: Prints what importing our part of the start adds to what is there anyway.
START = """
import argparse, importlib, logging, pkgutil, re, sys, typing
import cliff.columns, cliff.lister, cliff.show
import oslo_i18n
import osc_lib.cli.format_columns, osc_lib.command.command, osc_lib.exceptions
before = set(sys.modules)
import osc_hostmaint.plugin, osc_hostmaint.commands
for module in pkgutil.iter_modules(osc_hostmaint.commands.__path__):
    importlib.import_module('osc_hostmaint.commands.' + module.name)
print(*sorted(set(sys.modules) - before))
"""


def imported(tree: ast.AST) -> abc.Iterator[str]:
    """Yield the full name of everything that is imported below a node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def used(tree: ast.Module) -> abc.Iterator[str]:
    """Yield what a module imports to do its work, types left aside."""
    for node in tree.body:
        if isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.dump(node.test):
            continue
        yield from imported(node)


def imported_at_once(tree: ast.Module) -> abc.Iterator[str]:
    """Yield what is imported when the module is, types left aside."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(node)


def within(name: str, *packages: str) -> bool:
    """Tell whether a name is one of some packages or lies in one."""
    return any(name == p or name.startswith(f'{p}.') for p in packages)


def trees(folder: str = '') -> dict[str, ast.Module]:
    """Return the modules in a folder of the package, as syntax trees."""
    found = {
        module.relative_to(PACKAGE).as_posix(): ast.parse(module.read_text())
        for module in PACKAGE.joinpath(folder).rglob('*.py')
    }
    if len(found) < 2:
        raise LookupError(f'no modules in {folder}')
    return found


class TestImports(unit.TestCase):
    def assert_none(self, folder, names, is_wrong):
        """Fail where a module of a folder imports what it must not."""
        wrong = {
            module: [name for name in names(tree) if is_wrong(name)]
            for module, tree in trees(folder).items()
        }

        self.assertEqual({}, {m: n for m, n in wrong.items() if n})

    def test_packages_know_their_partners_only(self):
        for package, partners in PARTNERS.items():
            known = [f'osc_hostmaint.{p}' for p in (package, *partners)]
            self.assert_none(
                package,
                imported,
                lambda name, known=known: (
                    within(name, 'osc_hostmaint') and not within(name, *known)
                ),
            )

    def test_planning_knows_no_clock_and_no_cloud(self):
        self.assert_none(
            'planning',
            imported,
            lambda name: not within(name, *PURE, 'osc_hostmaint'),
        )

    def test_engine_is_handed_the_cloud(self):
        users = [f'osc_hostmaint.{p}' for p in ('nova', 'operations', 'api')]
        self.assert_none('engine', imported, lambda name: within(name, *users))

    def test_only_nova_speaks_to_openstack(self):
        found = {
            (module, name)
            for module, tree in trees().items()
            for name in imported(tree)
            if not module.startswith('nova/')
            and within(name, 'openstack', 'keystoneauth1')
        }
        self.assertEqual(
            {('operations/maintenance.py', 'openstack.connection')}, found
        )

    def test_only_the_live_view_needs_rich(self):
        found = {
            module
            for module, tree in trees().items()
            for name in imported_at_once(tree)
            if within(name, 'rich')
        }
        self.assertEqual({'progress/live.py'}, found)

    def test_only_recordings_need_cattrs(self):
        """And that is imported only where observations are kept."""
        found = {
            (module, package)
            for module, tree in trees().items()
            for name in imported(tree)
            for package in ('cattrs', 'attr', 'osc_hostmaint.recording')
            if within(name, package)
            and (
                package != 'osc_hostmaint.recording'
                or not module.startswith('recording/')
            )
        }
        self.assertEqual(
            {
                ('recording/records.py', 'cattrs'),
                ('api.py', 'osc_hostmaint.recording'),
            },
            found,
        )

    def test_only_notifications_need_cloudevents(self):
        """And that is imported only where events are sent."""
        found = {
            module.partition('/')[0]
            for module, tree in trees().items()
            for name in imported(tree)
            if within(name, 'cloudevents')
        }
        self.assertEqual({'notifications'}, found)
        self.assert_none(
            '',
            imported_at_once,
            lambda name: name == 'osc_hostmaint.notifications.notifier',
        )
        (light,) = (
            tree
            for module, tree in trees('notifications').items()
            if module == 'notifications/url.py'
        )
        self.assertEqual(
            {'urllib.parse', 'osc_hostmaint.i18n._'}, {*imported(light)}
        )

    def test_commands_load_the_rest_late(self):
        self.assert_none(
            'commands', imported_at_once, lambda name: within(name, *HEAVY)
        )

    def test_commands_use_the_public_api_only(self):
        hidden = ('osc_hostmaint.engine', 'osc_hostmaint.nova')
        self.assert_none('commands', used, lambda name: within(name, *hidden))

    def test_planning_packages_import_downward_only(self):
        for package, below in FLOORS.items():
            known = [f'osc_hostmaint.planning.{p}' for p in (package, *below)]
            others = [f'osc_hostmaint.planning.{p}' for p in FLOORS]
            self.assert_none(
                f'planning/{package}',
                used,
                lambda name, known=known, others=others: (
                    within(name, *others) and not within(name, *known)
                ),
            )

    def test_no_import_circles(self):
        edges = {
            _module(path): set(used(tree)) for path, tree in trees().items()
        }
        while leaves := {
            m for m, names in edges.items() if not names & set(edges)
        }:
            edges = {m: n for m, n in edges.items() if m not in leaves}
        self.assertEqual([], sorted(edges))

    def test_one_place_asks_which_operation_runs(self):
        asking = {
            path
            for path, tree in trees().items()
            if path.startswith(('planning/', 'engine/'))
            and any(
                isinstance(node, ast.Attribute)
                and node.attr in ('evacuate', 'home')
                and 'policy' in ast.unparse(node.value).lower()
                for node in ast.walk(tree)
            )
        }
        # A restore knows its own home.
        self.assertEqual(
            {'planning/requested.py', 'planning/restore/operation.py'}, asking
        )

    def test_one_place_names_the_states_of_nova(self):
        names = {
            state.value
            for states in vars(nova_states).values()
            if isinstance(states, type) and issubclass(states, enum.StrEnum)
            for state in states
        }
        found = {
            (path, constant.value)
            for path, tree in trees().items()
            for node in ast.walk(tree)
            for constant in ast.walk(node)
            if isinstance(constant, ast.Constant)
            and constant.value in names
            # Other words are written in lower case as well.
            and (isinstance(node, ast.Compare) or constant.value.isupper())
        }

        self.assertEqual(set(), {f for f in found if f[0] != 'nova_states.py'})


def _module(path: str) -> str:
    return 'osc_hostmaint.' + path.removesuffix('.py').replace('/', '.')


class TestStart(unit.TestCase):
    def test_every_openstack_command_stays_quick(self):
        done = subprocess.run(
            [sys.executable, '-c', START],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        added = done.stdout.split()

        self.assertIn('osc_hostmaint.plugin', added)
        self.assertIn('osc_hostmaint.commands.drain', added)
        self.assertEqual(
            [],
            [
                name
                for name in added
                if not within(name, 'osc_hostmaint') or within(name, *HEAVY)
            ],
        )


class TestSize(unit.TestCase):
    def test_no_module_is_too_long(self):
        lines = {
            module.relative_to(PACKAGE).as_posix(): len(
                module.read_text().splitlines()
            )
            for module in PACKAGE.rglob('*.py')
        }
        self.assertIn('planning/host/decide.py', lines)
        self.assertEqual(
            {}, {name: n for name, n in lines.items() if n > MAX_LINES}
        )

    def test_no_folder_has_too_many_modules(self):
        folders = collections.Counter(
            module.parent.relative_to(PACKAGE).as_posix()
            for module in PACKAGE.rglob('*.py')
            if module.name != '__init__.py'
        )
        self.assertIn('planning/host', folders)
        self.assertEqual(
            {}, {name: n for name, n in folders.items() if n > MAX_MODULES}
        )
