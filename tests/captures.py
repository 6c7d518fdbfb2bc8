# SPDX-License-Identifier: Apache-2.0

"""Write the guide's captures: what a drain shows on a terminal.

    python -m tests.captures doc/source/user/captures

Drains hosts of an embedded cloud inside of tmux, which has to be installed,
and keeps what stands on the screen, as it is.
"""

from collections import abc
import contextlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import typing as ty
import uuid

from tests import cloud as clouds
from tests.cloud import waiting

OPENSTACK = pathlib.Path(sys.executable).parent
DRAIN = "openstack host maintenance drain --reason 'kernel update CHG0042'"
SERVERS: list[dict[str, ty.Any]] = [
    {'name': 'database', 'flavor': 'm1.xlarge'},
    {'name': 'web-1', 'flavor': 'm1.small'},
    {'name': 'web-2', 'flavor': 'm1.small'},
    {'name': 'web-10', 'flavor': 'm1.small'},
    {'name': 'build-agent', 'state': 'PAUSED'},
    {'name': 'archive', 'state': 'SHUTOFF'},
    {'name': 'old-wiki', 'state': 'SUSPENDED'},
]


class Screen:
    """A shell in a terminal of some size; it has to be closed."""

    def __init__(self, columns: int, rows: int, env: abc.Mapping[str, str]):
        self._socket = f'captures-{uuid.uuid4().hex[:8]}'
        path = f'{OPENSTACK}:{os.environ["PATH"]}'
        variables = {**env, 'PATH': path, 'PS1': '$ ', 'LANG': 'C.UTF-8'}
        size = ['-x', str(columns), '-y', str(rows)]
        # Its own environment alone: a shell's start-up files set others.
        words = [f'{name}={value}' for name, value in variables.items()]
        shell = shlex.join(['env', *words, 'sh'])
        self._tmux('new-session', '-d', *size, shell)
        self._tmux('set-option', 'status', 'off')

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ['tmux', '-L', self._socket, *words],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def type(self, line: str) -> None:
        """Type a line, and the key that ends it."""
        self._tmux('send-keys', '-l', line)
        self._tmux('send-keys', 'Enter')

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._tmux('send-keys', 'C-c')

    @property
    def text(self) -> str:
        """What stands on it."""
        return self._tmux('capture-pane', '-p').rstrip('\n') + '\n'

    def wait_for(self, *words: str) -> str:
        """Wait until all these words stand on it, and return its text."""

        def found() -> str:
            text = self.text
            return text if all(word in text for word in words) else ''

        return waiting.wait_for(found, f'{words} on the screen', 120)

    def close(self) -> None:
        """End the shell, and what runs in it."""
        self._tmux('kill-server')


@contextlib.contextmanager
def screen(
    cloud: clouds.Cloud, columns: int, rows: int
) -> abc.Iterator[Screen]:
    """Return a screen that is closed afterwards, on an empty cloud."""
    opened = Screen(columns, rows, cloud.env('admin'))
    try:
        yield opened
    finally:
        opened.close()
        cloud.purge()


def one_host(cloud: clouds.Cloud) -> abc.Iterator[tuple[str, str]]:
    """Yield what a drain of one host shows, in the middle and at its end."""
    cloud.boot_many([{'host': 'cmp01', **each} for each in SERVERS])
    cloud.knobs(lm_gib_per_second=0.5, cm_seconds=6)
    with screen(cloud, 80, 24) as seen:
        seen.type(f'clear; {DRAIN} cmp01')
        yield 'one-host', seen.wait_for('GiB', '1 moved', 'about ')
        # With the prompt all is there.
        yield 'end', seen.wait_for('suspended: a suspended', '\n$')


def narrow(cloud: clouds.Cloud) -> abc.Iterator[tuple[str, str]]:
    """Yield what fits in half of that width, in the middle."""
    cloud.boot_many([{'host': 'cmp01', **each} for each in SERVERS])
    cloud.knobs(lm_gib_per_second=0.5, cm_seconds=6)
    with screen(cloud, 40, 24) as seen:
        seen.type(f'clear; {DRAIN} cmp01')
        yield 'narrow', seen.wait_for('of 16.0', '1 moved')


def three_hosts(cloud: clouds.Cloud) -> abc.Iterator[tuple[str, str]]:
    """Yield what a drain of three hosts shows, in the middle."""
    hosts = ('cmp01', 'cmp02', 'cmp03')
    cloud.boot_many(
        [
            {'name': f'web-{host[-1]}{n}', 'host': host, 'flavor': 'm1.small'}
            for host in hosts
            for n in range(6)
        ]
    )
    cloud.knobs(lm_gib_per_second=0.5)
    with screen(cloud, 120, 24) as seen:
        seen.type(f'clear; {DRAIN} {" ".join(hosts)}')
        yield 'three-hosts', seen.wait_for('GiB', ' moved', 'about ')


def twelve_hosts(cloud: clouds.Cloud) -> abc.Iterator[tuple[str, str]]:
    """Yield what a drain of twelve hosts shows, where there is room."""
    hosts = [f'cmp{n:02}' for n in range(1, 13)]
    cloud.boot_many(
        [
            {'name': f'web-{host[-2:]}-{n}', 'host': host}
            for host in hosts
            for n in range(3)
        ]
    )
    cloud.knobs(lm_gib_per_second=0.2)
    with screen(cloud, 200, 40) as seen:
        seen.type(f'clear; {DRAIN} {" ".join(hosts)}')
        yield 'twelve-hosts', seen.wait_for('GiB', ' moved', 'about ')


def interrupted(cloud: clouds.Cloud) -> abc.Iterator[tuple[str, str]]:
    """Yield what stands there after Ctrl-C."""
    cloud.boot_many([{'host': 'cmp01', **each} for each in SERVERS])
    cloud.knobs(lm_gib_per_second=0.5, cm_seconds=6)
    with screen(cloud, 80, 24) as seen:
        seen.type(f'clear; {DRAIN} cmp01')
        seen.wait_for('GiB', '1 moved')
        seen.interrupt()
        yield 'interrupted', seen.wait_for('interrupted:')


def plan(cloud: clouds.Cloud) -> abc.Iterator[tuple[str, str]]:
    """Yield a plan of eight hosts, the drain of a batch, and what is next."""
    hosts = [f'cmp{n:02}' for n in range(1, 9)]
    cloud.aggregate('rack-1', hosts[:4])
    cloud.aggregate('rack-2', hosts[4:])
    apart = cloud.group('databases', 'anti-affinity')
    cloud.boot_many(
        [
            *(
                {'name': f'db-{host[-1]}', 'host': host, 'group': apart}
                for host in ('cmp01', 'cmp02', 'cmp05')
            ),
            *(
                {'name': f'web-{host[-1]}{n}', 'host': host}
                for host in hosts
                for n in range(1 + int(host[-1]) % 2)
                if host != 'cmp04'
            ),
            {'name': 'old-wiki', 'host': 'cmp08', 'state': 'SUSPENDED'},
        ]
    )
    racks = '--aggregate rack-1 --aggregate rack-2 --at-once 2'
    command = f'openstack host maintenance plan {racks}'
    first, second = _batches(cloud, command)[:2]
    with screen(cloud, 100, 30) as seen:
        seen.type(f'clear; {command}')
        yield 'plan', seen.wait_for('Moves:', '\n$')
        done: list[str] = []
        for batch, avoid in (first, second):
            seen.type(f'clear; {DRAIN} {batch} --avoid {avoid}')
            text = seen.wait_for('Destination', '\n$')
            for host in batch.split():
                seen.type(f'clear; openstack host maintenance unset {host}')
                seen.wait_for('in service again', '\n$')
            done += batch.split()
        yield 'plan-drain', text
        seen.type(f'clear; {command} --done {",".join(done)}')
        yield 'plan-again', seen.wait_for('Moves:', '\n$')


def _batches(cloud: clouds.Cloud, command: str) -> list[tuple[str, str]]:
    """Return the hosts of each batch of a plan, and those to avoid."""
    printed = subprocess.run(
        [OPENSTACK / 'openstack', *command.split()[1:], '-f', 'json'],
        env={**os.environ, **cloud.env('admin')},
        # A host has no batch.
        check=False,
        capture_output=True,
        text=True,
    ).stdout
    found: dict[int, list[str]] = {}
    avoid: dict[int, str] = {}
    for row in json.loads(printed):
        if number := row['Batch']:
            found.setdefault(number, []).append(row['Host'])
            avoid[number] = ','.join(row['Avoid'])
    return [(' '.join(found[n]), avoid[n]) for n in sorted(found)]


def main() -> int:
    """Write them all, and return the exit code."""
    (where,) = map(pathlib.Path, sys.argv[1:])
    where.mkdir(exist_ok=True)
    for count, scenes in (
        (14, (one_host, narrow, three_hosts, twelve_hosts, interrupted)),
        (8, (plan,)),
    ):
        with clouds.Cloud.start(hosts=count) as cloud:
            for scene in scenes:
                for name, text in scene(cloud):
                    (where / f'{name}.txt').write_text(text)
    return 0


if __name__ == '__main__':
    sys.exit(main())
