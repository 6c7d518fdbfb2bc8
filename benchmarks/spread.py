# SPDX-License-Identifier: Apache-2.0

"""Show how evenly a drain spreads servers, and what it asks for that.

    python -m benchmarks.spread
    python -m benchmarks.spread --spread scheduler --setup equal

On the embedded cloud, with Nova's default weighers. Prints, for each set-up
and for each way to pick destinations, the load of every host before and
after, what would be the best, and the requests. A load is that of a host's
fullest resource class. Takes about two minutes for each.
"""

import argparse
import collections
from collections import abc
import concurrent.futures
import dataclasses
import os
import random
import sys
import time

import openstack

from benchmarks import building
from benchmarks import layouts
from osc_hostmaint import api
from osc_hostmaint.engine import loop
from osc_hostmaint.planning import policy as policies
from tests import cloud as clouds
from tests.cloud import traffic

#: Of hosts: VCPUs, GiB of memory, GiB of disk, and the ratio of the VCPUs.
SIZE = (32, 128, 4000, 4.0)
#: What is asked for only to know what there is room for.
SURVEYS = (
    '/allocation_candidates',
    '/os-aggregates',
    '/os-hypervisors',
    '/os-server-groups',
)
_MOVES = ('os-migrateLive', 'migrate')


def _hosts(many: int) -> tuple[layouts.Host, ...]:
    return tuple(layouts.Host(f'cmp{n + 1:02d}', *SIZE) for n in range(many))


def _layout(
    hosts: tuple[layouts.Host, ...],
    servers: abc.Iterable[layouts.Server],
    drained: tuple[str, ...] = ('cmp01',),
) -> layouts.Layout:
    servers = tuple(servers)
    flavors = tuple(dict.fromkeys(s.flavor for s in servers))
    return layouts.Layout(hosts, flavors, (), servers, drained)


def equal() -> layouts.Layout:
    """24 equal servers on one of five equal hosts."""
    flavor = layouts.Flavor('even', 2, 4096, 20)
    return _layout(
        _hosts(5),
        (layouts.Server(f'even-{n}', 'cmp01', flavor) for n in range(24)),
    )


def uneven() -> layouts.Layout:
    """30 unequal servers on one of six unevenly filled hosts."""
    rng = random.Random(1)
    flavors = [
        layouts.Flavor(f'uneven-{gib}-{vcpus}', vcpus, gib << 10, 10 * gib)
        for gib, vcpus in ((1, 1), (2, 4), (4, 2), (6, 1), (8, 8))
    ]
    servers = [
        layouts.Server(f'uneven-{n}', 'cmp01', rng.choice(flavors))
        for n in range(30)
    ]
    filler = layouts.Flavor('filler', 4, 10 << 10, 40)
    for host, many in (
        ('cmp02', 0),
        ('cmp03', 2),
        ('cmp04', 3),
        ('cmp05', 4),
        ('cmp06', 1),
    ):
        servers += [
            layouts.Server(f'filler-{host}-{n}', host, filler)
            for n in range(many)
        ]
    return _layout(_hosts(6), servers)


def pair() -> layouts.Layout:
    """12 equal servers on each of two of six equal hosts, drained at once."""
    flavor = layouts.Flavor('even', 2, 4096, 20)
    drained = ('cmp01', 'cmp02')
    return _layout(
        _hosts(6),
        (
            layouts.Server(f'even-{host}-{n}', host, flavor)
            for host in drained
            for n in range(12)
        ),
        drained,
    )


SETUPS = {'equal': equal, 'uneven': uneven, 'pair': pair}


def load(host: layouts.Host, used: layouts.Amounts) -> float:
    """Return the load of a host's fullest resource class."""
    return max(
        used.get(name, 0) / total for name, total in host.capacity.items()
    )


def at_least(layout: layouts.Layout) -> float:
    """Return what no spread can go below, as if servers could be cut."""
    used = layout.used()
    hosts = [h for h in layout.hosts if h.name not in layout.drained]
    levels = [load(host, used[host.name]) for host in hosts]
    for name in layouts.CLASSES:
        there = sum(used[host.name][name] for host in hosts)
        moving = sum(s.flavor.amounts[name] for s in layout.leaving)
        total = sum(host.capacity[name] for host in hosts)
        levels.append((there + moving) / total)
        levels.append(_level(layout, name, moving))
    return max(levels)


def _level(layout: layouts.Layout, name: str, moving: int) -> float:
    """Return how high water stands that is poured upon the hosts."""
    used = layout.used()
    hosts = [
        (used[h.name][name], h.capacity[name])
        for h in layout.hosts
        if h.name not in layout.drained
    ]
    hosts.sort(key=lambda h: h[0] / h[1])
    level = 0.0
    for n in range(1, len(hosts) + 1):
        lowest = hosts[:n]
        level = (sum(u for u, _ in lowest) + moving) / sum(
            c for _, c in lowest
        )
        if n == len(hosts) or level <= hosts[n][0] / hosts[n][1]:
            break
    return level


def good(layout: layouts.Layout) -> float:
    """Return a highest load that can be had: the best of many tries."""
    rng = random.Random(1)
    hosts = [h for h in layout.hosts if h.name not in layout.drained]
    found = float('inf')
    for _ in range(300):
        used = layout.used()
        order = sorted(
            layout.leaving,
            key=lambda s: -s.flavor.ram_mb * rng.uniform(0.6, 1.0),
        )
        for server in order:
            amounts = collections.Counter(server.flavor.amounts)
            best = min(hosts, key=lambda h: load(h, used[h.name] + amounts))
            used[best.name].update(amounts)
        found = min(found, max(load(h, used[h.name]) for h in hosts))
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """What became of one set-up."""

    #: By host.
    before: abc.Mapping[str, float]
    after: abc.Mapping[str, float]
    arrived: abc.Mapping[str, int]
    requests: tuple[traffic.Request, ...]
    moved: int
    seconds: float


def measure(
    cloud: clouds.Cloud,
    layout: layouts.Layout,
    policy: policies.Policy,
    copy_seconds: float,
) -> Measured:
    """Drain the hosts of a layout, each by a command of its own."""
    building.build(cloud, layout)
    cloud.knobs(lm_seconds=copy_seconds, cm_seconds=0)
    before = _loads(cloud, layout)
    cloud.requests.reset()
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        results = list(
            pool.map(lambda host: _drain(host, policy), layout.drained)
        )
    seconds = time.monotonic() - began
    rows = [row for result in results for row in result.rows]
    return Measured(
        before,
        _loads(cloud, layout),
        collections.Counter(row.destination for row in rows),
        tuple(cloud.requests.log()),
        sum(str(row.result) == 'moved' for row in rows),
        seconds,
    )


def _drain(host: str, policy: policies.Policy) -> loop.DrainResult:
    with openstack.connect() as connection:
        return api.Maintenance(connection).drain([host], policy=policy)


def _loads(cloud: clouds.Cloud, layout: layouts.Layout) -> dict[str, float]:
    found = {}
    for host in layout.hosts:
        used: collections.Counter[str] = collections.Counter()
        for held in cloud.allocations(host.name).values():
            used.update(held['resources'])
        found[host.name] = load(host, used)
    return found


def lines(layout: layouts.Layout, measured: Measured) -> abc.Iterator[str]:
    """Yield what was measured, line by line."""
    yield 'Host   Before %  After %  Arrived'
    for host in layout.hosts:
        name = host.name
        drained = '  drained' if name in layout.drained else ''
        yield (
            f'{name}  {100 * measured.before[name]:8.1f}'
            f'  {100 * measured.after[name]:7.1f}'
            f'  {measured.arrived.get(name, 0):7}{drained}'
        )
    highest = max(measured.after.values())
    best = good(layout)
    yield (
        f'highest load {100 * highest:.1f} %; can be {100 * best:.1f} %,'
        f' cannot be below {100 * at_least(layout):.1f} %'
    )
    yield f'{measured.moved} servers moved in {measured.seconds:.0f} s'
    yield from _request_lines(measured)


def _request_lines(measured: Measured) -> abc.Iterator[str]:
    requests = [r for r in measured.requests if r.service != 'identity']
    first = min((r.time for r in requests if r.action in _MOVES), default=0.0)
    surveys = [
        r for r in requests if any(part in r.template for part in SURVEYS)
    ]
    later = sum(r.time >= first for r in surveys)
    yield (
        f'{len(requests)} requests: {len(requests) - len(surveys)} of the'
        f' drain itself, {len(surveys) - later} to know whether it fits,'
        f' {later} to spread it'
    )
    counts = collections.Counter(
        (r.service, r.method, r.template) for r in requests
    )
    for (service, method, template), many in counts.most_common():
        yield f'  {many:4}  {method:<6}  {service}  {template}'


def _say(line: str) -> None:
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m benchmarks.spread')
    parser.add_argument('--setup', choices=list(SETUPS))
    parser.add_argument(
        '--spread', type=policies.Spread, choices=list(policies.Spread)
    )
    parser.add_argument(
        '--seconds',
        type=float,
        default=2.0,
        help='that copying the memory of a server takes',
    )
    parser.add_argument(
        '--max-live',
        type=int,
        default=1,
        help="Nova's max_concurrent_live_migrations",
    )
    parser.add_argument(
        '--cache', default='.cloud/cache', help="of the embedded cloud's"
    )
    return parser.parse_args()


def main() -> None:
    """Measure, and print it."""
    chosen = _arguments()
    for name in [chosen.setup] if chosen.setup else SETUPS:
        layout = SETUPS[name]()
        with clouds.Cloud.start(
            hosts=len(layout.hosts),
            cache=chosen.cache,
            max_live=chosen.max_live,
        ) as cloud:
            os.environ.update(cloud.env())
            spreads = [chosen.spread] if chosen.spread else policies.Spread
            for spread in spreads:
                policy = policies.Policy(spread=spread)
                measured = measure(cloud, layout, policy, chosen.seconds)
                _say(f'\n== {SETUPS[name].__doc__} --spread {spread}')
                for line in lines(layout, measured):
                    _say(line)


if __name__ == '__main__':
    main()
