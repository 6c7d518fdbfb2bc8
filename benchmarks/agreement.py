# SPDX-License-Identifier: Apache-2.0

"""Compare what is predicted of a drain with what becomes of it.

    python -m benchmarks.agreement --clouds 60 --seed 1

Random clouds on the embedded one, each with hosts to drain: is it predicted
to fit, and is everything gone in the end? Prints a line per cloud and, in the
end, the confusion matrix. Whatever was not as predicted is written to a file,
with all that is needed to explain it. Takes about half a minute per cloud.
"""

import argparse
import collections
from collections import abc
import dataclasses
import json
import os
import sys
import time
import typing as ty

from benchmarks import building
from benchmarks import layouts
from osc_hostmaint import api
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.capacity import forecast
from tests import cloud as clouds

#: Hosts that are there all the time, made larger or smaller for each cloud:
#: quicker than new ones.
BASE = 4
#: Seconds after which a drain is given up.
TIMEOUT = 600.0
HEADERS = (
    'Cloud',
    'Hosts',
    'Servers',
    'Fill %',
    'Drained',
    'Leaving',
    'Retries',
    'Predicted',
    'Possible',
    'Left',
    'Seconds',
    '',
)


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """What was predicted of one cloud, and what became of it."""

    seed: str
    layout: layouts.Layout
    preview: dry_runs.Preview
    #: By trying everything; None: it would have taken too long.
    possible: bool | None
    #: The rows of the drain.
    results: tuple[ty.Any, ...]
    #: Names of the servers that were left.
    left: tuple[str, ...]
    #: What could still be asked for afterwards, by host.
    allocations: abc.Mapping[str, ty.Any]
    migrations: tuple[abc.Mapping[str, ty.Any], ...]
    seconds: float

    @property
    def predicted(self) -> str:
        """Whether it fits: 'yes', 'no' or 'unknown'."""
        if self.preview.done:
            return 'yes'
        return 'no' if self.misfits else 'unknown'

    @property
    def misfits(self) -> int:
        """How many servers are predicted not to fit."""
        return sum(r.fits is forecast.Fits.NO for r in self.preview.rows)

    @property
    def agrees(self) -> bool:
        """It was as predicted."""
        return self.predicted == ('no' if self.left else 'yes')

    def cells(self) -> list[str]:
        """Return the line of the table."""
        layout = self.layout
        possible = {True: 'yes', False: 'no', None: '?'}[self.possible]
        return [
            self.seed,
            str(len(layout.hosts)),
            str(len(layout.servers)),
            f'{100 * layout.fill:.0f}',
            str(len(layout.drained)),
            str(len(layout.leaving)),
            str(layout.retries),
            self.predicted + (f' ({self.misfits})' if self.misfits else ''),
            possible,
            str(len(self.left)),
            f'{self.seconds:.0f}',
            '' if self.agrees else '<- disagrees',
        ]


def play(cloud: clouds.Cloud, seed: str, policy: policies.Policy) -> Round:
    """Build a random cloud, predict, drain, and look."""
    layout = layouts.draw(seed)
    building.build(cloud, layout)
    cloud.knobs(lm_seconds=0, cm_seconds=0)
    maintenance = api.Maintenance(cloud.connection(interface='public'))
    policy = dataclasses.replace(policy, retries=layout.retries)
    preview = maintenance.preview(layout.drained, policy=policy)
    began = time.monotonic()
    result = maintenance.drain(
        layout.drained,
        policy=policy,
        skip_capacity_check=True,
        timeout=TIMEOUT,
    )
    seconds = time.monotonic() - began
    return Round(
        seed,
        layout,
        preview,
        layouts.fits(layout),
        tuple(result.rows),
        tuple(
            str(server['name'])
            for host in layout.drained
            for server in cloud.servers(host)
        ),
        {host.name: cloud.allocations(host.name) for host in layout.hosts},
        tuple(cloud.migrations()),
        seconds,
    )


def save(played: Round, directory: str) -> str:
    """Write all that is known of a cloud to a file; return its path."""
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f'{played.seed}.json')
    with open(path, 'w') as file:
        json.dump(dataclasses.asdict(played), file, indent=1, default=str)
    return path


def matrix(rounds: abc.Collection[Round]) -> abc.Iterator[str]:
    """Yield the confusion matrix, line by line."""
    counts = collections.Counter((r.predicted, bool(r.left)) for r in rounds)
    yield '               drained  servers left'
    for fits in ('yes', 'no', 'unknown'):
        yield (
            f'fits: {fits:<7}  '
            f'{counts[fits, False]:7}  {counts[fits, True]:12}'
        )
    agreed = sum(r.agrees for r in rounds)
    yield (
        f'{agreed} of {len(rounds)} as predicted'
        f' ({100 * agreed / max(len(rounds), 1):.1f} %)'
    )
    possible = [r for r in rounds if r.possible is not None]
    right = sum((r.predicted == 'yes') == r.possible for r in possible)
    yield (
        f'{right} of {len(possible)} predictions are what trying everything'
        ' finds'
    )


def _line(cells: abc.Iterable[str]) -> str:
    return '  '.join(
        cell.rjust(len(header)) if header else cell
        for cell, header in zip(cells, HEADERS, strict=True)
    )


def _say(line: str) -> None:
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m benchmarks.agreement')
    parser.add_argument('--clouds', type=int, default=60)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument(
        '--first', type=int, default=1, help='to play only some again'
    )
    parser.add_argument(
        '--spread',
        type=policies.Spread,
        choices=list(policies.Spread),
        default=policies.Spread.BALANCE,
    )
    parser.add_argument(
        '--cache', default='.cloud/cache', help="of the embedded cloud's"
    )
    parser.add_argument(
        '--details',
        default='.cloud/agreement',
        help='where what disagrees is written to',
    )
    parser.add_argument(
        '--all', action='store_true', help='write the others there as well'
    )
    return parser.parse_args()


def main() -> None:
    """Play the clouds, and print how it went."""
    chosen = _arguments()
    policy = policies.Policy(spread=chosen.spread)
    rounds = []
    _say(_line(HEADERS))
    with clouds.Cloud.start(
        hosts=BASE,
        cache=chosen.cache,
        # There may be twelve hosts, and other work for the machine.
        report_interval=10,
        down_time=60,
        rpc_timeout=180,
    ) as cloud:
        for n in range(chosen.first, chosen.first + chosen.clouds):
            played = play(cloud, f'{chosen.seed}-{n}', policy)
            rounds.append(played)
            _say(_line(played.cells()))
            if chosen.all or not played.agrees:
                save(played, chosen.details)
    for line in matrix(rounds):
        _say(line)


if __name__ == '__main__':
    main()
