# SPDX-License-Identifier: Apache-2.0

"""Measure the capacity model: its requests, its time, its memory, its truth.

    python -m benchmarks.capacity

For clouds of some sizes: how many requests a ``--dry-run`` makes of generated
answers of Nova and Placement, how long the planning itself takes on one core
and how much memory, and how long picking one destination. Then how often the
packing finds no way where trying everything finds one, with and without each
of its parts. Exits with 1 if a limit is broken.
"""

import argparse
import collections
from collections import abc
import dataclasses
import random
import sys
import time
import tracemalloc
import typing as ty

from benchmarks import exact
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.planning.capacity import destination as destination_choice
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import packing
from tests.unit.engine import large_clouds
from tests.unit.nova import cloud
from tests.unit.planning import packing_problems

SIZES = tuple(
    large_clouds.Size(servers, hosts, fill, disabled)
    for fill, disabled in ((0.6, 0), (0.97, 0), (1.0, 12))
    for servers in (10, 500)
    for hosts in (5, 2000)
)
MOST_SECONDS = 2.0
MOST_MIB = 200.0
MIB = 2**20
#: In per cent of tight problems: an answer as by trying everything.
LEAST_AGREEMENT = 97.0
#: Of the runs of a measurement the quickest counts: others share the machine.
RUNS = 3


@dataclasses.dataclass(frozen=True)
class Cost:
    """What it takes to know whether servers fit."""

    size: large_clouds.Size
    requests: int
    allowed: int
    misfits: int
    #: Processor time of planning, and of picking one destination.
    seconds: float
    pick_seconds: float
    #: Of planning, what it works on included.
    mib: float

    @property
    def kept(self) -> bool:
        """No limit is broken."""
        return (
            self.requests <= self.allowed
            and self.seconds < MOST_SECONDS
            and self.mib < MOST_MIB
        )

    def line(self) -> str:
        """Return a row of the table."""
        return (
            f'{self.size.servers:7} {self.size.hosts:6} {self.size.fill:5.0%}'
            f' {self.size.disabled:9} {self.requests:9} {self.allowed:8}'
            f' {self.misfits:8} {self.seconds:8.2f} {self.mib:6.1f}'
            f' {1000 * self.pick_seconds:8.0f}'
            f'{"" if self.kept else "  <- too much"}'
        )


class _Talk(cloud.CloudTestCase):
    """A connection to a cloud that only talks."""

    def __init__(self) -> None:
        super().__init__('setUp')
        self.setUp()
        self.enough = self.doCleanups


def _seen(
    size: large_clouds.Size,
) -> tuple[large_clouds.Cloud, dry_run.DryRun, float]:
    """Look at a cloud; return also the MiB that what was seen takes."""
    talk = _Talk()
    try:
        answers = large_clouds.Cloud(talk.cloud, size)
        tracemalloc.start()
        found = answers.look(talk.gateway)
        taken, _peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    finally:
        talk.enough()
    return answers, found, taken / MIB


def _quickest(work: abc.Callable[[], object]) -> float:
    """Return the processor time of some work, in seconds."""
    took = []
    for _run in range(RUNS):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took)


def measure(size: large_clouds.Size) -> Cost:
    """Measure what it takes in a cloud."""
    answers, seen, mib = _seen(size)

    def plan() -> forecast.CapacityForecast:
        return forecast.forecast(seen.snapshot, seen.demands, seen.limits)

    tracemalloc.start()
    capacity_forecast = plan()
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    demands = {d.server.id: d for d in seen.demands}
    flow = destination_choice.Flow(
        demands,
        seen.limits,
        {i: capacity_forecast.placed.get(i, '') for i in demands},
    )
    return Cost(
        size,
        answers.requests,
        answers.allowed,
        len(capacity_forecast.misfits),
        _quickest(plan),
        _quickest(
            lambda: destination_choice.pick(
                seen.snapshot, flow, next(iter(demands))
            )
        ),
        mib + peak / MIB,
    )


#: Ways to pack: all that is done, and what it is without each part.
VARIANTS: dict[str, dict[str, ty.Any]] = {
    'all of it': {},
    'without trying all ways': {'steps': 0},
    'without changing places': {'swaps': False},
    'without either': {'steps': 0, 'swaps': False},
    'without "evenly"': {'strategies': (packing.most_constrained_first,)},
    'without "choosy first"': {'strategies': (packing.evenly,)},
    'only "evenly" and all ways': {
        'strategies': (packing.evenly,),
        'swaps': False,
    },
    'only "evenly"': {
        'strategies': (packing.evenly,),
        'steps': 0,
        'swaps': False,
    },
}


def errors(
    hosts: int, count: int, *, spoilt: bool
) -> tuple[dict[str, float], str]:
    """Return how often each variant is wrong, in per cent, and of what.

    :param hosts: how many each problem has.
    :param spoilt: the answer may be no, and is found by trying everything.
    """
    wrong: collections.Counter[str] = collections.Counter()
    answers: collections.Counter[bool] = collections.Counter()
    for seed in range(count):
        task = packing_problems.draw(
            random.Random(seed), hosts, spoilt=spoilt
        ).task
        answer = exact.fits(task) if spoilt else True
        if answer is None:
            continue
        answers[answer] += 1
        for name, options in VARIANTS.items():
            fits = not packing.pack(task, **options).left
            wrong[name] += fits is not answer
    total = max(1, answers.total())
    return (
        {name: 100 * wrong[name] / total for name in VARIANTS},
        f'{answers[True]} yes, {answers[False]} no',
    )


def _say(line: str = '') -> None:
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()


def _costs() -> bool:
    _say(
        'servers  hosts  full  disabled  requests  allowed  misfits  seconds'
        '    MiB  pick ms'
    )
    kept = True
    for size in SIZES:
        cost = measure(size)
        kept = kept and cost.kept
        _say(cost.line())
    return kept


def _row(name: str, cells: abc.Iterable[str]) -> str:
    return f'{name:28}' + ''.join(f'{cell:>18}' for cell in cells)


def _truth(count: int) -> bool:
    columns = {
        'to 6 hosts': errors(0, 2 * count, spoilt=True),
        '12 hosts': errors(12, count, spoilt=False),
        '30 hosts': errors(30, count // 2, spoilt=False),
    }
    _say('wrong answers to tight problems, in %')
    _say(_row('', columns))
    for name in VARIANTS:
        rates = [wrong[name] for wrong, _of in columns.values()]
        _say(_row(name, (f'{rate:.1f}' for rate in rates)))
    _say(_row('of', (of for _wrong, of in columns.values())))
    worst = max(wrong['all of it'] for wrong, _of in columns.values())
    return 100 - worst >= LEAST_AGREEMENT


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m benchmarks.capacity')
    parser.add_argument('--problems', type=int, default=200)
    return parser.parse_args()


def main() -> int:
    """Print the tables; return the exit code."""
    chosen = _arguments()
    kept = _costs()
    _say()
    kept = _truth(chosen.problems) and kept
    return 0 if kept else 1


if __name__ == '__main__':
    sys.exit(main())
