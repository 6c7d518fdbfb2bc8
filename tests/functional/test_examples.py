# SPDX-License-Identifier: Apache-2.0

"""The examples of the guide, as they stand there, against a cloud."""

import contextlib
import json
import pathlib
import re
import subprocess
import tempfile
import textwrap
import typing as ty

from osc_hostmaint import api
from tests import scaling
from tests.functional import base
from tests.functional import shell

GUIDE = pathlib.Path(base.ROOT) / 'doc/source/user'
#: A title, with its line below.
_TITLE = re.compile(r'^(.+)\n(?:-{3,})$', re.MULTILINE)
#: A paragraph that ends with ``::``, and what is indented below it.
_EXAMPLE = re.compile(r'::\n\n((?:(?: {4}.*)?\n)+)')


def examples() -> dict[str, list[str]]:
    """Return the examples of the Python API, by the title above them."""
    _before, *parts = _TITLE.split((GUIDE / 'api.rst').read_text())
    found = {
        title: [textwrap.dedent(each) for each in _EXAMPLE.findall(text)]
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }
    return {title: each for title, each in found.items() if each}


class TestPythonApi(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        directory = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(contextlib.chdir(directory))
        self.enterContext(scaling.scaled(shell.FACTOR))
        self.maintenance = api.Maintenance(self.cloud.connection())
        self.patched: list[str] = []

    def boot(self, state: str = 'ACTIVE') -> None:
        self.cloud.boot_many(
            [{'name': 'web-1', 'host': 'cmp01', 'state': state}]
        )

    def play(self, title: str) -> dict[str, ty.Any]:
        """Run the examples below a title, and return their variables."""
        names: dict[str, ty.Any] = {
            'maintenance': self.maintenance,
            'patch': self.patched.append,
            'power_off': self.power_off,
        }
        for example in examples()[title]:
            exec(example, names)
        return names

    def power_off(self, host: str) -> None:
        self.cloud.kill_host(host)
        self.cloud.wait_service(host, 'down')

    def test_each_is_run(self) -> None:
        tested = [
            'Will it fit?',
            'Many hosts',
            'Hosts that have died',
            'Bringing servers back',
            'How to drain',
            'Events',
        ]
        self.assertEqual(tested, list(examples()))

    def test_preview_and_drain(self) -> None:
        self.boot()
        names = self.play('Will it fit?')
        self.assertTrue(names['preview'].done)
        self.assert_moved(names['result'])

    def test_plan(self) -> None:
        self.cloud.aggregate('rack-1', ['cmp01', 'cmp02'])
        self.boot()
        names = self.play('Many hosts')
        self.assertEqual(['cmp02', 'cmp01'], self.patched)
        self.assert_moved(names['result'])
        self.assert_empty('cmp01')
        self.assertEqual((), self.maintenance.list([api.Mode.MAINTENANCE]))

    def test_evacuate(self) -> None:
        self.boot()
        names = self.play('Hosts that have died')
        self.assert_moved(names['result'])

    def test_restore(self) -> None:
        self.boot()
        self.maintenance.drain(['cmp01'])
        self.maintenance.unset('cmp01')
        names = self.play('Bringing servers back')
        self.assertIs(api.ExitCode.DONE, names['result'].exit_code)
        (server,) = self.cloud.servers('cmp01')
        self.assertEqual('web-1', server['name'])

    def test_policy(self) -> None:
        self.boot('SUSPENDED')
        self.play('How to drain')
        (server,) = self.cloud.servers()
        self.assertEqual('SUSPENDED', server['status'])
        self.assert_empty('cmp01')

    def test_events(self) -> None:
        self.boot()
        self.play('Events')
        (line,) = pathlib.Path('moves.jsonl').read_text().splitlines()
        told = json.loads(line)
        self.assertEqual('moved', told['result'])
        self.assertTrue(told['destination'])
        lines = pathlib.Path('events.jsonl').read_text().splitlines()
        sent = [json.loads(line)['type'] for line in lines]
        self.assertEqual('osc-hostmaint.maintenance.set', sent[0])
        self.assertEqual('osc-hostmaint.drain.ended', sent[-1])

    def assert_moved(self, result: api.DrainResult) -> None:
        self.assertEqual(
            [('web-1', api.Result.MOVED)],
            [(row.name, row.result) for row in result.rows],
        )


class TestScript(base.FunctionalTest):
    """A shell script, and what it prints."""

    def test_several_hosts(self) -> None:
        self.cloud.boot_many(
            [
                {'name': 'web-1', 'host': 'cmp01'},
                {'name': 'web-2', 'host': 'cmp02'},
                {'name': 'old-wiki', 'host': 'cmp02'},
            ]
        )
        self.assert_prints('several-hosts', 0)

    def test_rack(self) -> None:
        self.cloud.aggregate('rack-1', ['cmp01', 'cmp02', 'cmp03'])
        self.cloud.boot_many(
            [
                {'name': 'web-1', 'host': 'cmp01'},
                {'name': 'old-wiki', 'host': 'cmp03', 'state': 'SUSPENDED'},
            ]
        )
        # Nothing of cmp03 can be moved.
        self.assert_prints('patch-rack', 3, '2999-12-31T05:30Z')
        self.assert_empty('cmp01')
        out = self.openstack('host maintenance list -f json')
        self.assertEqual([], json.loads(out))

    def test_check_forgotten(self) -> None:
        mark = 'maintenance since 2026-10-05T22:10:00Z by alice: '
        self.openstack(
            'compute service set --disable cmp01 nova-compute',
            *('--disable-reason', f'{mark}disk is replaced, CHG0042'),
        )
        self.openstack('host maintenance set cmp02')
        self.assert_prints('check-forgotten', 1, '14d')

    def assert_prints(self, name: str, code: int, *words: str) -> None:
        """Run a script with some words, and compare what it prints."""
        examples = GUIDE / 'examples'
        script = (examples / f'{name}.sh').read_text()
        command = ' '.join(base.OPENSTACK)
        functions = (
            f'openstack() {{ {command} "$@"; }}\n'
            'patch_host() { echo "$1 is patched"; }\n'
        )
        environ = {**self.environ(), 'PYTHONPATH': base.ROOT}
        with tempfile.TemporaryDirectory() as directory:
            done = subprocess.run(
                ['sh', '-c', functions + script, name, *words],
                cwd=directory,
                env=environ,
                capture_output=True,
                text=True,
                timeout=base.LIMIT,
            )
        self.assertEqual(code, done.returncode, done.stderr)
        printed = [line.rstrip() for line in done.stdout.splitlines()]
        expected = (examples / f'{name}.out').read_text().splitlines()
        self.assertEqual(expected, printed, done.stderr)
