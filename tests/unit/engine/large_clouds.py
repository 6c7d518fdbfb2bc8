# SPDX-License-Identifier: Apache-2.0

"""Clouds of any size that only talk: generated answers over requests-mock.

Hosts have 256 VCPUs, 512 GiB and 16 TB and are about as full; the servers
to move are of six flavors, every fifth is in a server group. The traits of a
host are as many as libvirt reports of a current CPU.
"""

import collections
from collections import abc
import dataclasses
import random
import typing as ty
import urllib.parse

from osc_hostmaint import mark as marks
from osc_hostmaint.engine import reporting
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.nova import gateway as gateways
from osc_hostmaint.planning import policy as policies
from tests.unit import builders
from tests.unit.nova import cloud

SOURCE = 'host-0000'
#: Nova's ``max_limit``: entries of a page.
PAGE = 1000
CLASSES = ('VCPU', 'MEMORY_MB', 'DISK_GB')
CAPACITY = dict(zip(CLASSES, (256, 512 * 1024, 16000), strict=True))
FLAVORS = (
    (1, 2048, 20),
    (2, 4096, 40),
    (4, 8192, 80),
    (8, 16384, 80),
    (8, 32768, 160),
    (16, 65536, 160),
)
POLICIES = ('anti-affinity', 'soft-affinity', 'soft-anti-affinity')
TRAITS = [f'HW_CPU_X86_FEATURE_{n}' for n in range(70)]
#: Requests of which there may be seven in all: ``services`` to the tree of
#: the host's providers.
MOST_LISTS = 7


Query = dict[str, list[str]]
#: Returns the body.
Answer = abc.Callable[[Query], ty.Any]


class Clock:
    def now(self) -> float:
        return builders.NOW

    def sleep(self, seconds: float) -> None:
        raise AssertionError('nothing is waited for')


@dataclasses.dataclass(frozen=True)
class Size:
    servers: int
    #: In all, the one to drain included.
    hosts: int
    #: How full the hosts are.
    fill: float = 0.6
    #: How many of the others are disabled.
    disabled: int = 0


def amounts(flavor: tuple[int, ...]) -> dict[str, int]:
    return dict(zip(CLASSES, flavor, strict=True))


def provider(number: int) -> str:
    return f'{number:08}-0000-4000-8000-000000000000'


class Answers:
    """What Nova and Placement answer, and how often they are asked."""

    def __init__(
        self, mocker: ty.Any, hosts: int, capacity: abc.Mapping[str, int]
    ):
        """:param mocker: requests-mock's.

        :param capacity: of each host.
        """
        self._mocker = mocker
        self._hosts = [f'host-{n:04}' for n in range(hosts)]
        self._capacity = capacity
        #: Of each host, how much is in use.
        self._used: list[abc.Mapping[str, int]] = []
        self._groups: list[dict[str, ty.Any]] = []
        #: How often each list was asked for, by its path.
        self.asked: collections.Counter[str] = collections.Counter()
        nova, placement = cloud.NOVA, cloud.PLACEMENT
        for url, answer in (
            (f'{nova}/os-services', self._services),
            (f'{nova}/servers/detail', self._servers),
            (f'{nova}/os-hypervisors/detail', self._hypervisors),
            (f'{nova}/os-server-groups', self._list_groups),
            (f'{nova}/os-aggregates', self._aggregates),
            (f'{placement}/allocation_candidates', self._candidates),
            (f'{placement}/resource_providers', self._tree),
        ):
            self._answer(url, answer)

    def _answer(self, url: str, answer: Answer, path: str = '') -> None:
        """Have a URL answered.

        :param path: what to count that as, if not by its own.
        """
        path = path or urllib.parse.urlsplit(url).path.removeprefix('/v2.1')

        def count(request: ty.Any, context: ty.Any) -> ty.Any:
            self.asked[path] += 1
            return answer(urllib.parse.parse_qs(request.query))

        self._mocker.get(url, json=count)

    def _services(self, query: Query) -> ty.Any:
        raise NotImplementedError

    def _servers(self, query: Query) -> ty.Any:
        raise NotImplementedError

    def _hypervisors(self, query: Query) -> ty.Any:
        raise NotImplementedError

    def _aggregates(self, query: Query) -> ty.Any:
        raise NotImplementedError

    def _shown(
        self, host: str, flavors: abc.Mapping[str, tuple[int, ...]]
    ) -> list[ty.Any]:
        """Return servers of a host as Nova shows them.

        :param flavors: by the server's id.
        """
        grouped = {m for g in self._groups for m in g['members']}
        return [
            cloud.server(
                server_id,
                host,
                flavor={'ram': flavor[1], 'extra_specs': {}},
                scheduler_hints=(
                    {'group': ['any']} if server_id in grouped else {}
                ),
            )
            for server_id, flavor in flavors.items()
        ]

    def _list_groups(self, query: Query) -> ty.Any:
        start = int(query.get('offset', ['0'])[0])
        return {'server_groups': self._groups[start : start + PAGE]}

    def _tree(self, query: Query) -> ty.Any:
        return cloud.tree(*query['in_tree'])

    def _candidates(self, query: Query) -> ty.Any:
        parts = (p.split(':') for p in query['resources'][0].split(','))
        wanted = {name.upper(): int(amount) for name, amount in parts}
        able = {
            provider(n): used
            for n, used in enumerate(self._used)
            if all(
                used[c] + wanted[c] <= self._capacity[c]
                for c in self._capacity
            )
        }
        return {
            'allocation_requests': [
                {'allocations': {root: {'resources': wanted}}} for root in able
            ],
            'provider_summaries': {
                root: {
                    'root_provider_uuid': root,
                    'parent_provider_uuid': None,
                    'traits': TRAITS,
                    'resources': {
                        c: {'capacity': most, 'used': used[c]}
                        for c, most in self._capacity.items()
                    },
                }
                for root, used in able.items()
            },
        }


class Cloud(Answers):
    """Of one host the servers, of the others how full they are."""

    def __init__(self, mocker: ty.Any, size: Size, nodes: int | None = None):
        """:param mocker: requests-mock's.

        :param nodes: how many hypervisors there are: by default as many as
            hosts; if there are more, the last host has them.
        """
        rng = random.Random(1)
        super().__init__(mocker, size.hosts, CAPACITY)
        self._nodes = nodes or size.hosts
        self._off = frozenset(self._hosts[1 : 1 + size.disabled])
        self._used = [
            {
                c: int(most * min(1.0, max(0.0, rng.gauss(size.fill, 0.1))))
                for c, most in CAPACITY.items()
            }
            for _host in self._hosts
        ]
        #: By the server's id.
        self._flavors = {
            f'server-{n:04}': rng.choice(FLAVORS) for n in range(size.servers)
        }
        grouped = [*self._flavors][::5]
        self._groups = [
            cloud.group(
                f'group-{n}',
                policy=rng.choice(POLICIES),
                members=grouped[n : n + 4],
            )
            for n in range(0, len(grouped), 4)
        ]
        root = f'{cloud.PLACEMENT}/resource_providers/{provider(0)}'
        self._answer(f'{root}/allocations', self._allocations)

    def look(self, gateway: gateways.Gateway) -> dry_run.DryRun:
        """Look at what a drain would do, as ``--dry-run`` does."""
        services = {s.host: s for s in gateway.services()}
        source = dataclasses.replace(
            services[SOURCE],
            enabled=False,
            disabled_reason=marks.write(builders.mark()),
        )
        policy = policies.Policy()
        return dry_run.assess(
            dry_run.see(
                *(gateway, Clock(), services, [source], policy),
                reporting.Preparation(reporting.Publisher(), Clock()),
            )
        )

    @property
    def requests(self) -> int:
        return self.asked.total()

    @property
    def allowed(self) -> int:
        shapes = len(set(self._flavors.values()))
        return MOST_LISTS + shapes + self.asked['/os-server-groups']

    def _page(self, key: str, entries: list[ty.Any], query: Query) -> ty.Any:
        """Return a page (nova/api/openstack/common.py), by a marker."""
        ids = [entry['id'] for entry in entries]
        start = ids.index(query['marker'][0]) + 1 if 'marker' in query else 0
        page = entries[start : start + PAGE]
        more = len(page) == PAGE
        links = {f'{key}_links': cloud.link('/')} if more else {}
        return {key: page, **links}

    def _services(self, query: Query) -> ty.Any:
        return {
            'services': [
                cloud.service(
                    host,
                    id=f'service of {host}',
                    status='disabled' if host in self._off else 'enabled',
                )
                for host in self._hosts
            ]
        }

    def _servers(self, query: Query) -> ty.Any:
        servers = self._shown(SOURCE, self._flavors)
        return self._page('servers', servers, query)

    def _hypervisors(self, query: Query) -> ty.Any:
        kind = 'QEMU' if self._nodes == len(self._hosts) else 'ironic'
        nodes = [
            cloud.hypervisor(
                n,
                self._hosts[min(n, len(self._hosts) - 1)],
                id=provider(n),
                hypervisor_type=kind,
            )
            for n in range(self._nodes)
        ]
        return self._page('hypervisors', nodes, query)

    def _aggregates(self, query: Query) -> ty.Any:
        hosts = {'name': 'all', 'hosts': self._hosts, 'metadata': {}}
        return {'aggregates': [hosts]}

    def _allocations(self, query: Query) -> ty.Any:
        return {
            'allocations': {
                server_id: {'resources': amounts(flavor)}
                for server_id, flavor in self._flavors.items()
            }
        }
