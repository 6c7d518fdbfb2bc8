# SPDX-License-Identifier: Apache-2.0

"""Rolling maintenance by the real ``ansible-playbook``."""

import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import typing as ty

from tests import openstack
from tests import preloaded
from tests.cloud import waiting
from tests.functional import base
from tests.functional import shell

PLAYBOOK = pathlib.Path(base.ROOT) / 'doc/source/ansible/rolling.yml'
GUIDE = pathlib.Path(base.ROOT) / 'doc/source/user/examples'
ROLLING = pathlib.Path(__file__).parent / 'rolling'
#: Of one roll.
LIMIT = 900
ROLL = 'kernel CHG0042'


class Watcher(threading.Thread):
    """Holds the cloud to a plan's limits, at every moment of a roll."""

    def __init__(
        self,
        cloud: ty.Any,
        hosts: ty.Collection[str],
        at_once: int,
        racks: ty.Collection[ty.Collection[str]] = (),
        groups: ty.Collection[ty.Collection[str]] = (),
    ) -> None:
        """:param racks: one host of each may be out; groups: of servers."""
        super().__init__(daemon=True)
        self._cloud, self._hosts, self._at_once = cloud, hosts, at_once
        self._racks, self._groups = racks, groups
        self._ended = threading.Event()
        self._failure: Exception | None = None
        #: All that were out of service together.
        self.seen: set[frozenset[str]] = set()
        #: Of the moment.
        self.out: frozenset[str] = frozenset()

    def run(self) -> None:
        try:
            while not self._ended.wait(0.3):
                self._look()
        except Exception as error:
            self._failure = error

    def _look(self) -> None:
        services = self._cloud.connection().compute.services(
            binary='nova-compute'
        )
        self.out = frozenset(
            service.host
            for service in services
            if service.host in self._hosts
            and (service.status, service.state) != ('enabled', 'up')
        )
        self.seen.add(self.out)
        assert len(self.out) <= self._at_once, self.out
        for rack in self._racks:
            assert len(self.out.intersection(rack)) <= 1, self.out
        servers = self._cloud.places()
        for group in self._groups:
            here = [s for s in group if servers[s] in self.out]
            assert len(here) <= 1, (self.out, here)

    def end(self) -> None:
        """Stop looking; what was wrong is raised."""
        self._ended.set()
        self.join()
        if self._failure:
            raise self._failure


class RollingTest(base.FunctionalTest):
    hosts: tuple[str, ...] = ('cmp01', 'cmp02', 'cmp03')
    #: How Ansible reaches the hosts. Only ``ssh`` finds them away.
    connection = 'local'

    def setUp(self) -> None:
        super().setUp()
        self.directory = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        names = '\n'.join(self.hosts)
        # The user's own is not for tests.
        (self.directory / 'ansible.cfg').touch()
        (self.directory / 'inventory').write_text(
            f'[compute]\n{names}\n'
            f'[compute:vars]\nansible_connection={self.connection}\n'
        )
        self.environment = {
            **self.cloud.env('admin'),
            openstack.FACTOR: str(shell.FACTOR),
        }
        self.command = self._preload()

    def _preload(self) -> list[str]:
        """Start what runs the commands of a roll, and return the command."""
        path = self.directory / 'openstack.sock'
        process = subprocess.Popen(
            [sys.executable, '-m', preloaded.__name__, str(path)],
            cwd=base.ROOT,
        )
        self.addCleanup(self._reap, process)
        waiting.wait_for(path.exists, 'the command to be loaded')
        return [sys.executable, '-S', '-E', preloaded.__file__, str(path)]

    def variables(self, **more: ty.Any) -> dict[str, ty.Any]:
        return {
            'ansible_become': False,
            'ansible_python_interpreter': sys.executable,
            'control': self.cloud.control_url,
            'host_maintenance_roll': ROLL,
            # By a fact, which has to be there when the role begins.
            'host_maintenance_name': (
                '{{ ansible_facts.nodename and inventory_hostname }}'
            ),
            'host_maintenance_hook': str(ROLLING / 'restart.yml'),
            'host_maintenance_command': self.command,
            'host_maintenance_environment': self.environment,
            'host_maintenance_fact_path': (
                f'{self.directory}/{{{{ inventory_hostname }}}}'
            ),
            'host_maintenance_up_interval': 1,
            'host_maintenance_up_timeout': 60,
            **more,
        }

    def start_roll(
        self, *words: str, **more: ty.Any
    ) -> 'subprocess.Popen[str]':
        """Start a roll with some variables."""
        variables = self.directory / 'variables.json'
        variables.write_text(json.dumps(self.variables(**more)))
        process = subprocess.Popen(
            [
                *(sys.executable, '-m', 'ansible', 'playbook'),
                *('-i', self.directory / 'inventory', '-e', f'@{variables}'),
                *(PLAYBOOK, *words),
            ],
            env={
                **os.environ,
                'ANSIBLE_CONFIG': str(self.directory / 'ansible.cfg'),
                'ANSIBLE_FORKS': str(len(self.hosts)),
                'ANSIBLE_HOME': str(self.directory / 'ansible'),
                'ANSIBLE_NOCOLOR': '1',
                'ANSIBLE_PIPELINING': '1',
                'ANSIBLE_SSH_EXECUTABLE': str(ROLLING / 'ssh'),
                'ANSIBLE_SSH_TRANSFER_METHOD': 'piped',
                # Where a test may put programs of its own.
                'PATH': f'{self.directory}/bin:{os.environ["PATH"]}',
                'ROLLING': str(self.directory),
                # Times with an offset mean the same everywhere.
                'TZ': 'America/New_York',
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=base.reset_signals,
        )
        self.addCleanup(self._reap, process)
        (self.directory / 'pid').write_text(str(process.pid))
        return process

    def roll(self, *words: str, code: int = 0, **more: ty.Any) -> str:
        """Roll, expect an exit code, and return what is printed."""
        process = self.start_roll(*words, **more)
        out, _err = process.communicate(timeout=LIMIT)
        self.assertEqual(code, process.returncode, out)
        return out

    def install(self, host: str, script: str) -> pathlib.Path:
        """Have the hook run a script on a host, in the host's directory."""
        path = self.directory / host / 'install'
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'cd {path.parent}\n{script}\n')
        return path

    def intercept(self, pattern: str, script: str) -> dict[str, list[str]]:
        """Return a variable that has a script run before some commands.

        It is run by the shell that becomes the command, with its words.
        """
        path = self.directory / 'intercepting'
        path.write_text(f'cd {self.directory}\n{script}\ncd "$OLDPWD"\n')
        command = ['sh', str(ROLLING / 'intercept'), pattern, str(path)]
        return {'host_maintenance_command': command + self.command}

    def write_fact(self, host: str, **fact: str) -> None:
        """Write a local fact of a host, as a run does."""
        path = self.directory / host / 'host_maintenance.fact'
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({'roll': ROLL, 'since': '', **fact}))

    def fact(self, host: str) -> dict[str, str]:
        path = self.directory / host / 'host_maintenance.fact'
        fact: dict[str, str] = json.loads(path.read_text())
        return fact

    def hooked(self, host: str) -> int:
        """How many times the hook was run on a host."""
        path = self.directory / host / 'hook'
        return len(path.read_text().splitlines()) if path.exists() else 0

    def assert_done(self, *hosts: str) -> None:
        for host in hosts or self.hosts:
            fact = self.fact(host)
            self.assertEqual((ROLL, 'done'), (fact['roll'], fact['state']))
            self.assertEqual(1, self.hooked(host), host)
            self.assertEqual('operational', self.show(host)['mode'])

    def assert_same(self, before: ty.Iterable[ty.Any]) -> None:
        """Every server is as it was, and moved at most twice."""
        self.assert_same_elsewhere(before, '')
        moves = collections.Counter(
            record['instance_uuid']
            for record in self.cloud.migrations(status='completed')
        )
        moves.update(
            record['instance_uuid']
            for record in self.cloud.migrations(status='confirmed')
        )
        self.assertLessEqual(max(moves.values()), 2)

    def assert_as_in_guide(self, name: str, out: str, begin: str) -> None:
        """What the guide shows that begins so is in what was printed."""
        shown = GUIDE.joinpath(f'{name}.out').read_text().splitlines()
        printed = out.splitlines()
        for line in shown:
            if line.startswith(begin):
                self.assertIn(line, printed)

    def watch(self, at_once: int, **limits: ty.Any) -> Watcher:
        watcher = Watcher(self.cloud, self.hosts, at_once, **limits)
        watcher.start()
        self.addCleanup(watcher.end)
        return watcher
