# SPDX-License-Identifier: Apache-2.0

"""Measure how long commands take to start.

    python -m benchmarks.startup [--pairs 20]

Runs ``openstack host maintenance show`` and ``openstack compute service list``
in turn, as processes, against an API on loopback that answers at once. Prints
how many times as long ours took, the median of all pairs: until its first
request to Nova, and as a whole, with all its requests.
"""

import argparse
from collections import abc
import os
import pathlib
import statistics
import subprocess
import sys
import time

from tests.functional import fake_api

OPENSTACK = pathlib.Path(sys.executable).with_name('openstack')
OURS = ('host', 'maintenance', 'show', 'cmp01')
THEIRS = ('compute', 'service', 'list')
SERVICES = '/v2.1/os-services'


def measure(
    api: fake_api.FakeApi, words: abc.Sequence[str]
) -> tuple[float, float]:
    """Return seconds until a command asks Nova, and until it has ended."""
    asked_at: list[float] = []

    def note(request: fake_api.Request) -> None:
        if request.path == SERVICES:
            asked_at.append(time.monotonic())

    api.behaviours[:] = [note]
    began_at = time.monotonic()
    subprocess.run(
        [OPENSTACK, *words],
        env={**os.environ, **api.env()},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return asked_at[0] - began_at, time.monotonic() - began_at


def main() -> None:
    """Print both medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--pairs', type=int, default=20)
    pairs = parser.parse_args().pairs
    with fake_api.FakeApi() as api:
        # The first ones fill the caches of files.
        measure(api, OURS)
        measure(api, THEIRS)
        ratios = []
        for pair in range(pairs):
            # Each of them comes first in turn.
            order = (OURS, THEIRS) if pair % 2 else (THEIRS, OURS)
            took = {words: measure(api, words) for words in order}
            both = zip(took[OURS], took[THEIRS], strict=True)
            ratios.append([ours / theirs for ours, theirs in both])
    starts, wholes = zip(*ratios, strict=True)
    sys.stdout.write(
        f'until the first request to Nova: {statistics.median(starts):.3f}\n'
        f'as a whole: {statistics.median(wholes):.3f}\n'
    )


if __name__ == '__main__':
    main()
