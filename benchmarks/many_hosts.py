# SPDX-License-Identifier: Apache-2.0

"""Compare the drain of many hosts in one call with that of one of them.

    python -m benchmarks.many_hosts [--answer SECONDS]
    python -m benchmarks.many_hosts --embedded

Each source has 20 servers, or 15 on the embedded cloud, and runs one live
migration at a time. The first form drains 50 hosts of the simulated Nova,
which takes 50 ms for each answer, or as long as is given: the times are
virtual. It leaves out that the hosts are marked, which takes two requests
each. The second form drains 20 hosts of the embedded cloud with the command,
with moves of 30 s.

Prints a line per kind of drain: how long the moves of the host took that took
longest, and the whole drain; when the first host and the last one began to
move servers; how long after the last move the drain ended; and requests and
processor time per server, which includes that of the simulated Nova.
"""

import argparse
import collections
from collections import abc
import dataclasses
import datetime
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

from tests import cloud as embedded
from tests.unit.simulation import scene

HEADERS = (
    'Hosts',
    'Seconds',
    'Picked',
    'Longest host',
    'Drain',
    'First',
    'Last',
    'End',
    'Requests/server',
    'CPU ms/server',
)
SECONDS = (10.0, 30.0, 60.0)
#: Of an answer.
ANSWER_SECONDS = 0.05
SERVERS, EMBEDDED_SERVERS = 20, 15
HOSTS, EMBEDDED_HOSTS = 50, 20
DESTINATIONS, EMBEDDED_DESTINATIONS = 100, 8
#: Of each host of the embedded cloud: room for all.
SIZE = {'vcpus': 256, 'ram_gib': 512, 'disk_gib': 8000}
OPENSTACK = pathlib.Path(sys.executable).with_name('openstack')


@dataclasses.dataclass(frozen=True)
class Figures:
    """How one drain went; times are seconds from its beginning."""

    hosts: int
    servers: int
    seconds: float
    picked: bool
    drain: float
    #: Of each host: when its first move began, and its last one ended.
    moves: list[tuple[float, float]]
    requests: collections.Counter[str]
    cpu: float

    def cells(self) -> list[str]:
        """Return a row of the table."""
        ended = max(end for _begin, end in self.moves)
        return [
            f'{self.hosts}',
            f'{self.seconds:g}',
            'yes' if self.picked else 'no',
            f'{max(end - begin for begin, end in self.moves):.1f}',
            f'{self.drain:.1f}',
            f'{min(begin for begin, _end in self.moves):.1f}',
            f'{max(begin for begin, _end in self.moves):.1f}',
            f'{self.drain - ended:.1f}',
            f'{self.requests.total() / self.servers:.2f}',
            f'{1000 * self.cpu / self.servers:.0f}',
        ]


def simulate(
    hosts: int, seconds: float, *, picked: bool, answer: float
) -> Figures:
    """Drain hosts of the simulated Nova."""
    sources = tuple(f'source{n:02}' for n in range(hosts))
    others = tuple(f'other{n:03}' for n in range(DESTINATIONS))
    cloud = scene.cloud(
        SERVERS, source=sources, hosts=(*sources, *others), seconds=seconds
    )
    began_at = time.process_time()
    run = scene.run(cloud, sources, guided=picked, latency=answer)
    cpu = time.process_time() - began_at
    moves = []
    for host in sources:
        records = [r for r in cloud.records.values() if r.source == host]
        begin = min(r.created_at for r in records) - run.began
        end = max(r.updated_at or 0.0 for r in records) - run.began
        moves.append((begin, end))
    return Figures(
        hosts,
        hosts * SERVERS,
        seconds,
        picked,
        run.seconds,
        moves,
        run.client.counts(),
        cpu,
    )


def play(cloud: embedded.Cloud, hosts: int, seconds: float) -> Figures:
    """Drain hosts of an embedded cloud."""
    sources = [f'cmp{n + 1:02}' for n in range(hosts)]
    cloud.knobs(lm_seconds=seconds)
    for host in sources:
        cloud.boot_many(
            [
                {'name': f'{host}-{n}', 'host': host, 'flavor': 'm1.tiny'}
                for n in range(EMBEDDED_SERVERS)
            ]
        )
    cloud.requests.reset()
    before = _cpu()
    began_at = time.time()
    command = [OPENSTACK, 'host', 'maintenance', 'drain', *sources]
    done = subprocess.run(
        [*map(str, command), '-f', 'json', '--progress', 'none'],
        env={**os.environ, **cloud.env('admin')},
        stdout=subprocess.PIPE,
        check=True,
    )
    drain = time.time() - began_at
    if any(row['Result'] != 'moved' for row in json.loads(done.stdout)):
        raise SystemExit(done.stdout.decode())
    log = cloud.requests.log()
    records = cloud.migrations()
    moves = []
    for host in sources:
        mine = [r for r in records if r['source_compute'] == host]
        begin = min(_at(r['created_at']) for r in mine) - began_at
        end = max(_at(r['updated_at']) for r in mine) - began_at
        moves.append((begin, end))
    figures = Figures(
        hosts,
        hosts * EMBEDDED_SERVERS,
        seconds,
        True,
        drain,
        moves,
        collections.Counter(f'{r.method} {r.template}' for r in log),
        _cpu() - before,
    )
    cloud.purge()
    return figures


def _cpu() -> float:
    """Return the processor time of commands that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _at(text: str) -> float:
    """Return seconds of the epoch; Nova leaves out the time zone."""
    time_ = datetime.datetime.fromisoformat(text)
    return time_.replace(tzinfo=datetime.UTC).timestamp()


def figures(*, on_cloud: bool, answer: float) -> abc.Iterator[Figures]:
    """Yield what is measured, one after the other.

    :param answer: seconds that the simulated Nova takes for each answer.
    """
    if on_cloud:
        count = EMBEDDED_HOSTS + EMBEDDED_DESTINATIONS
        with embedded.Cloud.start(hosts=count) as cloud:
            for host in cloud.hosts():
                cloud.size_host(host, **SIZE)
            for hosts in (1, EMBEDDED_HOSTS):
                yield play(cloud, hosts, 30.0)
        return
    for seconds in SECONDS:
        for picked in (False, True):
            for hosts in (1, HOSTS):
                yield simulate(hosts, seconds, picked=picked, answer=answer)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.many_hosts')
    parser.add_argument('--embedded', action='store_true')
    parser.add_argument('--answer', type=float, default=ANSWER_SECONDS)
    args = parser.parse_args()
    sys.stdout.write('  '.join(HEADERS) + '\n')
    for found in figures(on_cloud=args.embedded, answer=args.answer):
        line = '  '.join(
            cell.rjust(len(header))
            for cell, header in zip(found.cells(), HEADERS, strict=True)
        )
        sys.stdout.write(f'{line}\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main()
