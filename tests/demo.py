# SPDX-License-Identifier: Apache-2.0

"""``python -m tests.demo``: drain a host of a real cloud, before your eyes.

Starts an embedded cloud with servers on it, drains a host with the real
``openstack`` command, shows before and after, and ends.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import typing as ty

from tests import cloud as clouds

HOST = 'cmp01'
OPENSTACK = os.path.join(os.path.dirname(sys.executable), 'openstack')

SERVERS: list[dict[str, ty.Any]] = [
    {'name': f'web-{n}', 'host': HOST, 'flavor': 'm1.small'} for n in range(5)
] + [
    {'name': 'database', 'host': HOST, 'flavor': 'm1.xlarge', 'locked': True},
    {'name': 'build-agent', 'host': HOST, 'state': 'PAUSED'},
    {'name': 'archive', 'host': HOST, 'state': 'SHUTOFF'},
    {'name': 'old-wiki', 'host': HOST, 'state': 'SHUTOFF'},
]


class Failed(Exception):
    """The demonstration did not show what it should."""


def openstack(cloud: clouds.Cloud, line: str) -> None:
    """Run a command as a person would, and show it."""
    print(f'\n$ openstack {line}', flush=True)
    done = subprocess.run(
        [OPENSTACK, *shlex.split(line)],
        env={**os.environ, **cloud.env('admin')},
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise Failed(f'"openstack {line}" ended with {done.returncode}')


def addresses(server: dict[str, ty.Any]) -> str:
    """The addresses of a server, for people."""
    return ', '.join(
        sorted(
            address['addr']
            for network in server['addresses'].values()
            for address in network
        )
    )


def compare(
    before: list[dict[str, ty.Any]], after: list[dict[str, ty.Any]]
) -> None:
    """Show what has become of every server; fail if it is not the same."""
    print('\nBefore and after:', flush=True)
    now = {server['id']: server for server in after}
    wrong = []
    for old in sorted(before, key=lambda server: str(server['name'])):
        new = now[old['id']]
        places = [s['OS-EXT-SRV-ATTR:host'] for s in (old, new)]
        states = [s['status'] for s in (old, new)]
        homes = [addresses(s) for s in (old, new)]
        same = states[0] == states[1] and homes[0] == homes[1]
        print(
            f'  {old["name"]:12} {" -> ".join(places)}  {states[1]:8} '
            f'{homes[1]:10} {"same as before" if same else "CHANGED"}'
        )
        if not same or places[1] == HOST:
            wrong.append(old['name'])
    if wrong:
        raise Failed(f'not moved as they should be: {", ".join(wrong)}')


def show(cloud: clouds.Cloud) -> None:
    """Drain a host, with what there is before and after."""
    cloud.knobs(lm_seconds=1.5)
    print('Building servers on it ...', flush=True)
    cloud.boot_many(SERVERS)
    before = cloud.servers()
    columns = '-c Name -c Status -c Networks -c Host'
    openstack(cloud, f'server list --all-projects --long {columns}')
    openstack(
        cloud,
        f'host maintenance drain --reason "kernel update CHG0042" {HOST}',
    )
    openstack(cloud, f'host maintenance show {HOST}')
    openstack(cloud, f'server list --all-projects --host {HOST}')
    compare(before, cloud.servers())
    openstack(cloud, 'host maintenance list')
    openstack(cloud, f'host maintenance unset {HOST}')
    openstack(cloud, 'host maintenance list --all')


def main() -> int:
    """Return the exit code."""
    print('Starting Keystone, Placement and Nova on this machine ...')
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix='hostmaint-demo-') as where:
        state = os.path.join(where, 'cloud')
        with clouds.Cloud.start(hosts=4, state=state) as cloud:
            try:
                show(cloud)
            except Failed as error:
                print(f'demo: {error}', file=sys.stderr)
                return 1
    print(f'\n{HOST} was drained, and is back in service.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
