# SPDX-License-Identifier: Apache-2.0

"""Measure what it costs to watch a drain.

    python -m benchmarks.progress [--servers 30] [--rounds 3]

Drains a host of an embedded cloud with the live view, into a pipe, and
quietly, in turn. Prints for each how long it took (the median), how much was
asked of Nova to be changed, and how much to be told, with the requests for
progress apart.
"""

import argparse
import collections
import os
import pathlib
import statistics
import subprocess
import sys
import time

from tests import cloud as clouds
from tests.functional import terminal

OPENSTACK = pathlib.Path(sys.executable).with_name('openstack')
DRAIN = ('host', 'maintenance', 'drain', 'cmp01')
#: The options before it, and whether it has a terminal.
WAYS = {
    'live': ((), True),
    'lines': ((), False),
    'quiet': (('--quiet',), False),
}


def measure(
    cloud: clouds.Cloud, way: str, servers: int
) -> tuple[float, collections.Counter[str]]:
    """Return how long a drain took, and what was asked, by kind."""
    cloud.knobs(lm_seconds=3)
    cloud.boot_many(
        [{'name': f'web-{n}', 'host': 'cmp01'} for n in range(servers)]
    )
    cloud.requests.reset()
    began_at = time.monotonic()
    options, has_terminal = WAYS[way]
    command = [str(OPENSTACK), *options, *DRAIN]
    env = {**os.environ, **cloud.env('admin'), 'TERM': 'xterm'}
    if has_terminal:
        shell = terminal.Terminal(command, env)
        shell.process.communicate()
        shell.close()
        if shell.process.returncode:
            raise subprocess.CalledProcessError(
                shell.process.returncode, command
            )
    else:
        subprocess.run(command, env=env, capture_output=True, check=True)
    passed = time.monotonic() - began_at
    asked = collections.Counter(
        _kind(request.method, request.path)
        for request in cloud.requests.log()
        if request.service == 'compute'
    )
    cloud.purge()
    return passed, asked


def _kind(method: str, path: str) -> str:
    if method != 'GET':
        return 'changes'
    parts = path.strip('/').split('/')
    if 'servers' in parts and parts[-2] == 'migrations':
        return 'progress'
    return 'looks'


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--servers', type=int, default=30)
    parser.add_argument('--rounds', type=int, default=3)
    options = parser.parse_args()
    found = collections.defaultdict(list)
    with clouds.Cloud.start(hosts=4) as cloud:
        for _round in range(options.rounds):
            for way in WAYS:
                found[way].append(measure(cloud, way, options.servers))
    for way, runs in found.items():
        seconds = statistics.median(passed for passed, _asked in runs)
        asked = [
            f'{kind} {[counts[kind] for _passed, counts in runs]}'
            for kind in ('changes', 'looks', 'progress')
        ]
        sys.stdout.write(f'{way}: {seconds:.1f} s, {", ".join(asked)}\n')


if __name__ == '__main__':
    main()
