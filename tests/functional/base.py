# SPDX-License-Identifier: Apache-2.0

"""The real ``openstack`` command against an embedded cloud."""

import dataclasses
import datetime
import email.utils
import json
import os
import signal
import subprocess
import sys
import time
import typing as ty
import unittest

from tests import cloud as clouds
from tests import openstack
from tests.cloud import waiting
from tests.functional import output
from tests.functional import rights
from tests.functional import shell

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
CACHE = os.path.join(ROOT, '.cloud', 'cache')
#: The shell, with all durations multiplied by shell.FACTOR.
OPENSTACK = [sys.executable, '-m', 'tests.openstack']
#: Who runs the commands. The policy files of the guide let the role of this
#: user do what they need, and nothing else.
OPERATOR = 'maintainer'
#: No command of a test may take longer; a hang must not hang the run.
LIMIT = 240

COLUMNS = [
    'Server ID',
    'Name',
    'Host',
    'Status',
    'Move',
    'Destination',
    'Result',
    'Code',
    'Reason',
    'Attempts',
    'Seconds',
]


def reset_signals() -> None:
    """Let a command be interrupted, whatever started the tests.

    What is started with ``&`` or ``nohup`` ignores some signals, and so does
    what it starts.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@dataclasses.dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> ty.Any:
        return json.loads(self.out)


def addresses(server: ty.Any) -> list[str]:
    """The addresses of a server, sorted."""
    return sorted(
        address['addr']
        for network in server['addresses'].values()
        for address in network
    )


def lot(
    host: str, state: str, count: int, **spec: object
) -> list[dict[str, object]]:
    """Descriptions of servers to boot."""
    return [
        {'name': f'{state.lower()}-{n}', 'host': host, 'state': state, **spec}
        for n in range(count)
    ]


_running: list[clouds.Cloud] = []


def _cloud() -> clouds.Cloud:
    """The cloud of this process, which is kept until the process ends."""
    if not _running:
        _running.append(clouds.Cloud.start(cache=CACHE, hosts=4, max_live=4))
    return _running[0]


class FunctionalTest(unittest.TestCase):
    """Uses the cloud that all these tests of a process share."""

    #: Options of the cloud that are changed for the tests of a class.
    options: ty.ClassVar[dict[str, ty.Any]] = {}
    cloud: clouds.Cloud

    def setUp(self) -> None:
        super().setUp()
        self.cloud = _cloud()
        self.addCleanup(self._purge)
        if self.options:
            self.cloud.change(**self.options)

    def set_date(self, ahead: datetime.timedelta) -> None:
        """Let the API's ``Date`` be a front end's, whose clock is wrong."""
        date = datetime.datetime.now(datetime.UTC) + ahead
        self.cloud.faults.add(
            headers={'Date': email.utils.format_datetime(date, usegmt=True)}
        )

    def _purge(self) -> None:
        try:
            self.cloud.purge()
        except BaseException:
            # The next test has a new one.
            _running.clear()
            self.cloud.stop()
            raise

    def start(
        self, line: str, *more: str, user: str = OPERATOR, **env: str
    ) -> 'subprocess.Popen[str]':
        """Start ``openstack`` with the words of a line, and some more."""
        return self.popen([*OPENSTACK, *line.split(), *more], user, **env)

    def start_observed(self, line: str) -> 'subprocess.Popen[str]':
        """Start a command, and return it once it has looked at the moves."""
        self.cloud.requests.reset()
        process = self.start(line)
        waiting.wait_for(
            lambda: any(
                request.path.endswith('/os-migrations')
                # That is asked before anything is done.
                and request.query != 'limit=1'
                for request in self.cloud.requests.log()
            ),
            'the command to look',
        )
        return process

    def environ(self, user: str = OPERATOR) -> dict[str, str]:
        """The environment of a command's process."""
        return {
            **os.environ,
            openstack.FACTOR: str(shell.FACTOR),
            **self.cloud.env(user),
        }

    def popen(
        self, command: list[str], user: str = OPERATOR, **env: str
    ) -> 'subprocess.Popen[str]':
        """Start a command for some user of the cloud."""
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**self.environ(user), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=reset_signals,
        )
        self.addCleanup(self._reap, process)
        return process

    @staticmethod
    def _reap(process: 'subprocess.Popen[str]') -> None:
        if process.poll() is None:
            process.kill()
            process.communicate()

    def read_until(self, process: 'subprocess.Popen[str]', words: str) -> str:
        """Read what a command says on stderr up to a line with some words."""
        assert process.stderr is not None
        line = ''
        while words not in line:
            self.assertIsNone(process.poll(), line)
            line = process.stderr.readline()
        return line

    def end(self, process: 'subprocess.Popen[str]') -> Done:
        """Wait for the end of a started command."""
        out, err = process.communicate(timeout=LIMIT)
        self.assertNotIn('Traceback', err)
        output.check(process.args, out)
        return Done(process.returncode, out, err)

    def run_command(
        self, line: str, *more: str, user: str = OPERATOR, **env: str
    ) -> Done:
        """Run ``openstack`` in this process and return how it ended.

        The requests of our commands have to be in the guide's table of
        rights.
        """
        words = [*line.split(), *more]
        began = time.time()
        done = Done(*shell.run(words, {**self.cloud.env(user), **env}))
        ours = words[:2] == ['host', 'maintenance']
        # A fake API has no such log.
        if ours and isinstance(self.cloud, clouds.Cloud):
            log = self.cloud.requests.log()
            asked = [request for request in log if request.time >= began]
            self.assertEqual(set(), rights.unknown(asked), words)
        self.assertNotIn('Traceback', done.err)
        output.check(words, done.out)
        return done

    def openstack(
        self, line: str, *more: str, code: int = 0, user: str = OPERATOR
    ) -> str:
        """Run ``openstack``, expect an exit code, return its stdout."""
        done = self.run_command(line, *more, user=user)
        self.assertEqual(code, done.code, done.err)
        return done.out

    def drain(self, line: str, code: int = 0) -> list[dict[str, ty.Any]]:
        """Drain, expect an exit code, and return the rows."""
        out = self.openstack(
            f'host maintenance drain -f json {line}', code=code
        )
        rows = json.loads(out)
        for row in rows:
            self.assertEqual(COLUMNS, list(row))
        return ty.cast('list[dict[str, ty.Any]]', rows)

    def show(self, host: str) -> dict[str, ty.Any]:
        """What ``show`` says of a host."""
        out = self.openstack(f'host maintenance show -f json {host}')
        return ty.cast('dict[str, ty.Any]', json.loads(out))

    def assert_empty(self, host: str) -> None:
        """By Nova's and Placement's own word, nothing is on a host."""
        self.assertEqual([], self.cloud.servers(host))
        self.assertEqual({}, self.cloud.allocations(host))

    def assert_same_elsewhere(
        self, before: ty.Iterable[ty.Any], host: str
    ) -> None:
        """Servers are what they were, but for the host they are on."""
        now = {s['id']: s for s in self.cloud.servers()}
        for old in before:
            new = now[old['id']]
            self.assertNotEqual(host, new['OS-EXT-SRV-ATTR:host'])
            self.assertEqual(old['status'], new['status'], old['name'])
            self.assertEqual(addresses(old), addresses(new), old['name'])
            self.assertEqual(old['name'], new['name'])

    def records(self, host: str) -> list[dict[str, ty.Any]]:
        """The migration records of moves off a host."""
        return self.cloud.migrations(source_compute=host)

    def changes(self) -> list[ty.Any]:
        """What was asked of Nova and Placement that changes something."""
        return [
            request
            for request in self.cloud.requests.log()
            if request.service != 'identity' and request.method != 'GET'
        ]
