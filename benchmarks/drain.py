# SPDX-License-Identifier: Apache-2.0

"""Measure drains against the simulated Nova, in virtual time.

    python -m benchmarks.drain

Prints a line per kind of host: how long its drain took, as a multiple of the
time Nova takes if everything is asked for at once; which share of the slots'
time went unused; what was asked of Nova, and how many live migrations waited
on the source at the most. The move's time is that of copying memory; Nova
takes about half a second beside it.
"""

from collections import abc
import sys

from tests.unit.simulation import scene

SLOTS = (1, 2, 4, 8)
SECONDS = (2, 4, 10, 60, 300)
SERVERS = (12, 100)
HEADERS = (
    'Slots',
    'Seconds',
    'Servers',
    'Time/Floor',
    'Idle %',
    'Requests/Server',
    'Queued',
)


def measure(slots: int, seconds: float, servers: int) -> list[str]:
    """Drain one host and return a line of the table."""
    floor = scene.least_seconds(
        scene.cloud(servers, seconds=seconds, slots=slots)
    )
    cloud = scene.cloud(servers, seconds=seconds, slots=slots)
    run = scene.run(cloud)
    source = cloud.hosts[scene.SOURCE].slots
    return [
        f'{slots}',
        f'{seconds:g}',
        f'{servers}',
        f'{run.seconds / floor:.3f}',
        f'{100 * source.idle_share():.1f}',
        f'{len(run.client.log) / servers:.2f}',
        f'{source.most_waiting()}',
    ]


def lines() -> abc.Iterator[str]:
    """Yield the table, line by line."""
    yield '  '.join(HEADERS)
    for slots in SLOTS:
        for seconds in SECONDS:
            for servers in SERVERS:
                cells = measure(slots, seconds, servers)
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
