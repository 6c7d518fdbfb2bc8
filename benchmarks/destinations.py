# SPDX-License-Identifier: Apache-2.0

"""Compare drains with a destination that fails every move and without one.

    python -m benchmarks.destinations

Forty ACTIVE servers leave one host of the simulated Nova for four others, of
which the emptiest rolls back every live migration, or for three good ones.
Prints a line per kind of host: both times, the one as a multiple of the
other, how many moves went to the bad host, and how many servers are left.
"""

from collections import abc
import sys

from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import scene

HOSTS = ('cmp01', 'cmp02', 'cmp03', 'cmp04', 'cmp05')
BAD = 'cmp02'
SERVERS = 40
SLOTS = (1, 2, 4)
SECONDS = (4, 30, 120)
HEADERS = ('Slots', 'Seconds', 'Good', 'Bad', 'Bad/Good', 'To bad', 'Left')


def build(slots: int, seconds: float, *, bad: bool) -> clouds.Cloud:
    """Return a cloud with something on all other hosts than the bad one."""
    hosts = HOSTS if bad else tuple(host for host in HOSTS if host != BAD)
    made = scene.cloud(SERVERS, hosts=hosts, seconds=seconds, slots=slots)
    for host in hosts[1:]:
        if host != BAD:
            made.add(host, memory_mb=65536)
    if bad:
        made.hosts[BAD].black_hole_since = made.timeline.now
    return made


def measure(slots: int, seconds: float) -> list[str]:
    """Drain one host in both clouds, and return a line of the table."""
    good = scene.run(build(slots, seconds, bad=False), guided=True)
    bad = scene.run(build(slots, seconds, bad=True), guided=True)
    to_bad = sum(r.host == BAD for r, _answer in bad.client.posted)
    return [
        f'{slots}',
        f'{seconds:g}',
        f'{good.seconds:.0f}',
        f'{bad.seconds:.0f}',
        f'{bad.seconds / good.seconds:.2f}',
        f'{to_bad}',
        f'{sum(row.left for row in bad.result.rows)}',
    ]


def lines() -> abc.Iterator[str]:
    """Yield the table, line by line."""
    yield '  '.join(HEADERS)
    for slots in SLOTS:
        for seconds in SECONDS:
            cells = measure(slots, seconds)
            yield '  '.join(
                cell.rjust(len(header))
                for cell, header in zip(cells, HEADERS, strict=True)
            )


def main() -> None:
    """Print the table."""
    for line in lines():
        sys.stdout.write(f'{line}\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main()
