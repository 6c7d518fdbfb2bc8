# SPDX-License-Identifier: Apache-2.0

"""Rolling maintenance with Ansible, as the guide has it."""

import collections
import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import typing as ty

import pytest

from tests import openstack
from tests import preloaded
from tests.cloud import waiting
from tests.functional import base
from tests.functional import shell

PLAYBOOK = pathlib.Path(base.ROOT) / 'doc/source/ansible/rolling.yml'
GUIDE = pathlib.Path(base.ROOT) / 'doc/source/user/examples'
HOOK = pathlib.Path(__file__).parent / 'rolling/restart.yml'
#: Of one roll.
LIMIT = 900
ROLL = 'kernel CHG0042'
NAME_WITH_DOMAIN = '{{ inventory_hostname }}.x'
HOSTILE = "{{ lookup('pipe', 'false') }} $(reboot) \"'"


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

    def setUp(self) -> None:
        super().setUp()
        self.directory = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        names = '\n'.join(self.hosts)
        # The user's own is not for tests.
        (self.directory / 'ansible.cfg').touch()
        (self.directory / 'inventory').write_text(f'[compute]\n{names}\n')
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
            'ansible_connection': 'local',
            'ansible_become': False,
            'ansible_python_interpreter': sys.executable,
            'control': self.cloud.control_url,
            'host_maintenance_roll': ROLL,
            # By a fact, which has to be there when the role begins.
            'host_maintenance_name': (
                '{{ ansible_facts.nodename and inventory_hostname }}'
            ),
            'host_maintenance_hook': str(HOOK),
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
        return process

    def roll(self, *words: str, code: int = 0, **more: ty.Any) -> str:
        """Roll, expect an exit code, and return what is printed."""
        process = self.start_roll(*words, **more)
        out, _err = process.communicate(timeout=LIMIT)
        self.assertEqual(code, process.returncode, out)
        return out

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


class TestShortRoll(RollingTest):
    def test_three_hosts(self) -> None:
        self.cloud.boot_many(
            [{'name': HOSTILE, 'host': h} for h in ('cmp01', 'cmp02')]
        )
        before = self.cloud.servers()
        watcher = self.watch(2)

        hour = datetime.timedelta(hours=1)
        until = datetime.datetime.now(datetime.UTC) + hour

        out = self.roll(
            host_maintenance_at_once=2,
            host_maintenance_share=100,
            host_maintenance_until=until.isoformat(timespec='minutes'),
        )

        watcher.end()
        self.assertIn(2, map(len, watcher.seen))
        self.assert_done()
        self.assert_same(before)
        self.assert_as_in_guide('rolling', out, 'TASK')

    @pytest.mark.soak
    def test_failed_hook(self) -> None:
        """The host stays as it is; the other host of the batch is done."""
        self.cloud.boot('web', host='cmp02')
        (self.directory / 'cmp03').mkdir()
        fail = self.directory / 'cmp03/fail'
        fail.touch()
        watcher = self.watch(2)
        limits = {'host_maintenance_at_once': 2, 'host_maintenance_share': 100}

        out = self.roll(code=2, **limits)

        self.assert_as_in_guide('rolling-stopped', out, '')
        self.assertEqual('maintenance', self.show('cmp03')['mode'])
        self.assert_done('cmp01')
        self.assertEqual(0, self.hooked('cmp02'))
        fail.unlink()
        self.roll(host_maintenance_restore=True, **limits)
        watcher.end()
        (back,) = self.cloud.servers('cmp02')
        self.assertEqual('web', back['name'])
        self.assertEqual(2, self.hooked('cmp03'))
        self.assert_done('cmp01', 'cmp02')
        self.assertEqual('done', self.fact('cmp03')['state'])

    @pytest.mark.soak
    def test_another_run(self) -> None:
        """A run that has a host out of service is not joined."""
        process = subprocess.run(
            ['ps', '-o', 'pid=,lstart=', '-p', str(os.getpid())],
            env={**os.environ, 'LC_ALL': 'C', 'TZ': 'UTC'},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        self.cloud.requests.reset()
        for node in (os.uname().nodename, 'elsewhere'):
            with self.subTest(node):
                self.claim('cmp02', f'{node} {process}')
                out = self.roll(code=2)
                self.assertIn('service by another run (', out)
        self.assertEqual([], self.changes())
        self.roll('--check', host_maintenance_take_over=True)
        # That process has ended.
        self.claim('cmp02', f'{os.uname().nodename} 1 {process}')
        self.roll('--check')

    def claim(self, host: str, run: str) -> None:
        """Have another run have a host out of service."""
        path = self.directory / host
        path.mkdir(exist_ok=True)
        fact = {'roll': ROLL, 'state': 'out', 'run': run, 'since': ''}
        (path / 'host_maintenance.fact').write_text(json.dumps(fact))

    @pytest.mark.soak
    def test_check(self) -> None:
        self.cloud.boot('web', host='cmp01')
        self.cloud.requests.reset()
        out = self.roll('--check')
        self.assertIn('batch 3: cmp01, moves: 1', out)
        self.assertEqual([], self.changes())
        self.assertEqual([], [*self.directory.glob('*/*.fact')])

    @pytest.mark.soak
    def test_not_begun(self) -> None:
        """Nothing is touched where something is wrong with the call."""
        self.cloud.requests.reset()
        for said, more in (
            ('no compute host cmp01.x', {'name': NAME_WITH_DOMAIN}),
            ('the same name', {'name': 'cmp01'}),
            ('date and time with an offset', {'until': '05:30'}),
            ('hook a file', {'hook': 'none.yml'}),
            ('must be one of: leave, put_back', {'on_failure': 'evacuate'}),
        ):
            with self.subTest(said):
                variables = {
                    f'host_maintenance_{name}': value
                    for name, value in more.items()
                }
                out = self.roll(code=2, **variables)
                self.assertIn(said, ' '.join(out.split()))
        self.assertEqual([], self.changes())


@pytest.mark.soak
class TestLongRoll(RollingTest):
    """Eight hosts in two racks, 40 servers, two server groups."""

    hosts = tuple(f'cmp{n:02}' for n in range(1, 9))

    def setUp(self) -> None:
        super().setUp()
        for name in self.hosts[4:]:
            self.cloud.add_host(name)
        self.racks = self.hosts[:4], self.hosts[4:]
        for number, rack in enumerate(self.racks):
            self.cloud.aggregate(f'rack-{number}', rack)
        apart = [self.cloud.group(n, 'anti-affinity') for n in ('db', 'mq')]
        specs = [
            {'name': f'web-{n}', 'host': self.hosts[n % 8]} for n in range(34)
        ]
        for number, group in enumerate(apart):
            specs += [
                {'name': f'apart-{number}', 'host': host, 'group': group}
                for host in self.hosts[number::3]
            ]
        booted = self.cloud.boot_many(specs)
        self.before = self.cloud.servers()
        self.assertEqual(40, len(self.before))
        of_groups = [s.id for s in booted[34:]]
        half = len(self.hosts[0::3])
        self.watcher = self.watch(
            2,
            racks=self.racks,
            groups=(of_groups[:half], of_groups[half:]),
        )

    def roll(self, *words: str, code: int = 0, **more: ty.Any) -> str:
        return super().roll(
            *words, code=code, host_maintenance_at_once=2, **more
        )

    def test_once_through(self) -> None:
        self.roll()
        self.watcher.end()
        self.assertIn(2, map(len, self.watcher.seen))
        self.assert_done()
        self.assert_same(self.before)
        # All is done, so nothing happens.
        self.cloud.requests.reset()
        self.roll()
        self.assertEqual([], self.changes())

    def test_hosts_that_cannot_be_drained(self) -> None:
        """One never can, and another fails in the middle."""
        on = {h: self.cloud.servers(h) for h in ('cmp03', 'cmp06')}
        fails, stays = on['cmp03'][0], on['cmp06'][0]
        self.cloud.server_knobs(fails, lm_fail='precheck')
        self.openstack(f'server suspend {stays["id"]}')
        self.cloud.wait_server(stays, 'SUSPENDED')

        out = self.roll(code=2)
        self.assertIn('drain ended with exit code 3', out)
        self.assertIn(f'({fails["id"]}): failed', out)
        left = self.show('cmp03')
        self.assertEqual(('maintenance', ROLL), (left['mode'], left['reason']))
        self.assertEqual('stopped', self.fact('cmp03')['state'])
        self.assertEqual(0, self.hooked('cmp03'))

        self.cloud.server_knobs(fails, lm_fail='')
        out = self.roll(code=2)
        self.assertIn('Not done: cmp06 (servers-stay): one server', out)
        self.assert_done(*(h for h in self.hosts if h != 'cmp06'))

        self.openstack(f'server resume {stays["id"]}')
        self.cloud.wait_server(stays, 'ACTIVE')
        self.roll()
        self.watcher.end()
        self.assert_done()
        self.assert_same(self.before)

    def test_killed_in_the_middle(self) -> None:
        self.cloud.knobs(lm_seconds=3)
        process = self.start_roll(host_maintenance_at_once=2)
        self.addCleanup(process.stdout.close)

        def in_the_middle() -> bool:
            done = [h for h in self.hosts if self.hooked(h)]
            moving = self.cloud.migrations(status='running')
            return len(done) >= 3 and bool(moving)

        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        waiting.wait_for(in_the_middle, 'the middle of a roll', LIMIT)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done = [h for h in self.hosts if self.hooked(h)]

        self.roll()
        self.watcher.end()
        self.assertLess(len(done), 8)
        self.assert_done()
        self.assert_same(self.before)
