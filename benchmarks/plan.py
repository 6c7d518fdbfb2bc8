# SPDX-License-Identifier: Apache-2.0

"""Measure what a plan of many hosts costs.

    python -m benchmarks.plan

Plans all hosts of generated clouds with zones, racks and server groups, over
simulated HTTP: the processor time and the peak memory of all that the command
does, the time of planning alone, the requests, and those of a dry run of the
same hosts. Each cloud has a process of its own. Exits with 1 if a limit is
broken.
"""

import collections
import concurrent.futures
import dataclasses
import multiprocessing
import random
import resource
import sys
import time
import typing as ty
from unittest import mock

from osc_hostmaint import api
from osc_hostmaint.planning.batches import plan as plans
from tests.unit.engine import large_clouds
from tests.unit.nova import cloud

#: Of the largest cloud.
MOST_SECONDS = 20.0
MOST_MIB = 300.0
ZONES = 4
RACKS = 10
GROUPS = 100
MEMBERS = 3
AT_ONCE = 10
#: Small ones are many.
FLAVORS = large_clouds.FLAVORS[:5]
_SHARES = (30, 30, 20, 15, 5)

Query = large_clouds.Query


@dataclasses.dataclass(frozen=True)
class Size:
    """A cloud to plan."""

    hosts: int
    servers: int
    #: How full the scarcest resource is, over all hosts.
    fill: float


#: The first two differ in servers alone.
SIZES = (
    Size(200, 800, 0.7),
    Size(200, 8000, 0.7),
    Size(200, 8000, 0.6),
    Size(200, 8000, 0.8),
    Size(200, 8000, 0.9),
)


@dataclasses.dataclass(frozen=True)
class Cost:
    """What it takes to plan a cloud."""

    size: Size
    requests: int
    #: Of a dry run of the same hosts.
    dry_run: int
    #: Processor time: in all, and of planning alone.
    seconds: float
    planning: float
    #: Peak of the process.
    mib: float
    plan: api.Plan

    @property
    def kept(self) -> bool:
        """No limit is broken."""
        return self.seconds < MOST_SECONDS and self.mib < MOST_MIB

    def line(self) -> str:
        """Return a row of the table."""
        planned = sum(map(len, self.plan.batches))
        return (
            f'{self.size.hosts:5} {self.size.servers:8} {self.size.fill:5.0%}'
            f' {self.requests:9} {self.dry_run:8} {len(self.plan.batches):8}'
            f' {self.size.hosts - planned:5} {self.plan.moves:6}'
            f' {self.plan.repeated:6} {self.seconds:8.1f}'
            f' {self.planning:9.1f} {self.mib:6.0f}'
            f'{"" if self.kept else "  <- too much"}'
        )


class _Cloud(large_clouds.Answers):
    """All hosts, with all their servers."""

    def __init__(self, mocker: ty.Any, size: Size):
        rng = random.Random(1)
        flavors = rng.choices(FLAVORS, _SHARES, k=size.servers)
        total = collections.Counter[str]()
        for flavor in flavors:
            total.update(large_clouds.amounts(flavor))
        capacity = {
            name: int(amount / size.hosts / size.fill)
            for name, amount in total.items()
        }
        super().__init__(mocker, size.hosts, capacity)
        self._used = [collections.Counter[str]() for _host in self._hosts]
        #: By the host's number: the servers, and the flavor of each.
        self._on: list[dict[str, tuple[int, ...]]] = [
            {} for _host in self._hosts
        ]
        # The largest first, or they find no room.
        for number, flavor in enumerate(sorted(flavors, reverse=True)):
            self._place(f'server-{number:05}', flavor, rng)
        self._groups = [self._group(n, rng) for n in range(GROUPS)]
        self._answer(
            f'{cloud.NOVA}/os-migrations', lambda _query: {'migrations': []}
        )
        for number in range(size.hosts):
            self._answer_of(number)

    def _place(
        self, server_id: str, flavor: tuple[int, ...], rng: random.Random
    ) -> None:
        wanted = large_clouds.amounts(flavor)
        able = [
            n
            for n, used in enumerate(self._used)
            if all(used[c] + wanted[c] <= self._capacity[c] for c in wanted)
        ]
        # Of some at random the emptiest, as weighers would have it.
        number = min(
            rng.sample(able, min(3, len(able))),
            key=lambda n: self._used[n]['MEMORY_MB'],
        )
        self._used[number].update(wanted)
        self._on[number][server_id] = flavor

    def _group(self, number: int, rng: random.Random) -> dict[str, ty.Any]:
        hosts = rng.sample(range(len(self._hosts)), MEMBERS)
        mine = [
            sorted(self._on[n])[number % len(self._on[n])]
            for n in hosts
            if self._on[n]
        ]
        return cloud.group(
            f'group-{number}', policy='anti-affinity', members=mine
        )

    def _answer_of(self, number: int) -> None:
        """Answer what is asked of one host's provider."""
        root = f'{cloud.PLACEMENT}/resource_providers/'
        root += large_clouds.provider(number)
        allocations = {
            'allocations': {
                server_id: {'resources': large_clouds.amounts(flavor)}
                for server_id, flavor in self._on[number].items()
            }
        }
        inventories = {
            name: {
                'total': amount,
                'reserved': 0,
                'allocation_ratio': 1.0,
                'min_unit': 1,
                'max_unit': amount,
                'step_size': 1,
            }
            for name, amount in self._capacity.items()
        }
        for name, answer in (
            ('allocations', allocations),
            ('traits', {'traits': large_clouds.TRAITS}),
            ('inventories', {'inventories': inventories}),
        ):
            url = f'{root}/{name}'
            self._answer(url, lambda _query, a=answer: a, name)

    def _services(self, query: Query) -> ty.Any:
        return {
            'services': [
                cloud.service(
                    host, id=f'service of {host}', zone=f'az{n % ZONES}'
                )
                for n, host in enumerate(self._hosts)
            ]
        }

    def _servers(self, query: Query) -> ty.Any:
        host = query.get('host', [''])[0]
        if host not in self._hosts:
            # No server is deleted, and there is no other host.
            return {'servers': []}
        flavors = self._on[self._hosts.index(host)]
        return {'servers': self._shown(host, flavors)}

    def _hypervisors(self, query: Query) -> ty.Any:
        return {
            'hypervisors': [
                cloud.hypervisor(
                    n,
                    host,
                    id=large_clouds.provider(n),
                    hypervisor_type='QEMU',
                )
                for n, host in enumerate(self._hosts)
            ]
        }

    def _aggregates(self, query: Query) -> ty.Any:
        zones = [
            {
                'name': f'az{zone}',
                'hosts': self._hosts[zone::ZONES],
                'metadata': {'availability_zone': f'az{zone}'},
            }
            for zone in range(ZONES)
        ]
        size = len(self._hosts) // RACKS
        racks = [
            {
                'name': f'rack-{rack}',
                'hosts': self._hosts[rack * size : (rack + 1) * size],
                'metadata': {},
            }
            for rack in range(RACKS)
        ]
        return {'aggregates': zones + racks}


class _Talk(cloud.CloudTestCase):
    """A connection to a cloud that only talks."""

    def runTest(self) -> None:
        """Test nothing."""


def measure(size: Size) -> Cost:
    """Measure what it takes in a cloud, in a process of its own."""
    talk = _Talk()
    talk.setUp()
    try:
        answers = _Cloud(talk.cloud, size)
        maintenance = api.Maintenance(talk.conn)
        planning = plans.plan
        spent = []

        def timed(*args: ty.Any, **options: ty.Any) -> api.Plan:
            began = time.process_time()
            made = planning(*args, **options)
            spent.append(time.process_time() - began)
            return made

        began = time.process_time()
        with mock.patch.object(plans, 'plan', timed):
            found = maintenance.plan(at_once=AT_ONCE)
        seconds = time.process_time() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        requests = answers.asked.total()
        answers.asked.clear()
        dry_run = api.Maintenance(talk.connect())
        dry_run.preview([row.host for row in found.rows])
        return Cost(
            *(size, requests, answers.asked.total()),
            *(seconds, *spent, peak, found),
        )
    finally:
        talk.doCleanups()


def _say(line: str) -> None:
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()


def main() -> int:
    """Print the table; return the exit code."""
    _say(
        'hosts  servers  full  requests  dry run  batches  left  moves  again'
        '  seconds  planning    MiB'
    )
    kept = True
    for size in SIZES:
        with concurrent.futures.ProcessPoolExecutor(
            1, multiprocessing.get_context('spawn')
        ) as process:
            cost = process.submit(measure, size).result()
        kept = kept and cost.kept
        _say(cost.line())
    return 0 if kept else 1


if __name__ == '__main__':
    sys.exit(main())
