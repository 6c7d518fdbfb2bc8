# SPDX-License-Identifier: Apache-2.0

"""Measure how much longer a drain takes that tells bad receivers of it.

    python -m benchmarks.notify [--servers 8] [--seconds 5]

Drains a host of the embedded cloud, once for each kind of receiver and before
each once without any, with one live migration at a time. Prints the seconds
from the start of the command to its table, how much longer that is than
without, and the seconds from the table to the exit.
"""

import argparse
from collections import abc
import contextlib
import os
import pathlib
import subprocess
import sys
import threading
import time

from tests import cloud as clouds
from tests import receivers

OPENSTACK = pathlib.Path(sys.executable).with_name('openstack')
HEADERS = ('Receiver', 'Table', 'Without', 'Longer %', 'Then')


def kinds(never: threading.Event) -> dict[str, receivers.Behaviour | None]:
    """Return how receivers behave, by name; None is not there at all."""
    elsewhere = receivers.answers(307, Location='http://127.0.0.2/')
    return {
        'good': receivers.takes,
        'slow': receivers.holds(never),
        'failing': receivers.answers(503),
        'lying': receivers.talks_nonsense,
        'redirecting': elsewhere,
        'stalling': receivers.waits_on,
        'endless': receivers.without_end(200),
        'gone': None,
    }


def drain(
    cloud: clouds.Cloud, servers: int, seconds: float, *urls: str
) -> tuple[float, float]:
    """Return the seconds from the start to the table, and to the exit.

    :param seconds: of each move.
    """
    cloud.purge()
    cloud.knobs(lm_seconds=seconds)
    cloud.boot_many(
        [{'name': f'vm{n}', 'host': 'cmp01'} for n in range(servers)]
    )
    words = [str(OPENSTACK), 'host', 'maintenance', 'drain', 'cmp01']
    words += [word for url in urls for word in ('--notify', url)]
    began = time.monotonic()
    with subprocess.Popen(
        [*words, '-f', 'json'],
        env={**os.environ, **cloud.env('maintainer'), 'NO_PROXY': '*'},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        while process.stdout.read(1) not in (b']', b''):
            pass
        table = time.monotonic()
        process.stdout.read()
    if process.returncode:
        raise RuntimeError(f'the drain ended with {process.returncode}')
    return table - began, time.monotonic() - table


def lines(servers: int, seconds: float) -> abc.Iterator[str]:
    """Yield the table, line by line."""
    yield '  '.join(HEADERS)
    never = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(never.set)
        cloud = clouds.Cloud.start(hosts=3, max_live=1)
        stack.callback(cloud.stop)
        for name, behave in kinds(never).items():
            without, _then = drain(cloud, servers, seconds)
            with contextlib.ExitStack() as listening:
                receiver = receivers.Receiver(behave or receivers.takes)
                if behave:
                    listening.enter_context(receiver)
                table, then = drain(cloud, servers, seconds, receiver.url())
            cells = [
                name,
                f'{table:.1f}',
                f'{without:.1f}',
                f'{100 * (table / without - 1):.1f}',
                f'{then:.1f}',
            ]
            yield '  '.join(
                cell.rjust(len(header))
                for cell, header in zip(cells, HEADERS, strict=True)
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--servers', type=int, default=8)
    parser.add_argument('--seconds', type=float, default=5.0)
    parsed = parser.parse_args()
    for line in lines(parsed.servers, parsed.seconds):
        sys.stdout.write(f'{line}\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main()
