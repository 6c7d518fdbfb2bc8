# SPDX-License-Identifier: Apache-2.0

"""Random clouds, as values: hosts, what is on them, and what is to be drained.

And whether it fits, by trying everything: nothing of this is taken from the
package, which is what is to be measured.
"""

import collections
from collections import abc
import dataclasses
import random

Amounts = abc.Mapping[str, int]

CLASSES = ('VCPU', 'MEMORY_MB', 'DISK_GB')
TRAIT = 'CUSTOM_GOLD'
#: Give up placing servers at random after so many that found no room.
_MISSES = 60
#: Give up trying everything after so many steps.
_STEPS = 400_000


@dataclasses.dataclass(frozen=True, slots=True)
class Flavor:
    """How large servers are, and whether they require the trait."""

    name: str
    vcpus: int
    ram_mb: int
    disk_gb: int
    golden: bool = False

    @property
    def amounts(self) -> Amounts:
        """What a server of it takes, by resource class."""
        return dict(
            zip(CLASSES, (self.vcpus, self.ram_mb, self.disk_gb), strict=True)
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """A compute host."""

    name: str
    vcpus: int
    ram_gib: int
    disk_gib: int
    #: The allocation ratio of its VCPUs.
    ratio: float = 1.0
    zone: str | None = None
    golden: bool = False
    disabled: bool = False

    @property
    def capacity(self) -> Amounts:
        """What it has, by resource class."""
        totals = (
            int(self.vcpus * self.ratio),
            self.ram_gib << 10,
            self.disk_gib,
        )
        return dict(zip(CLASSES, totals, strict=True))


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """A server group."""

    name: str
    policy: str
    most_per_host: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """A server on its host."""

    name: str
    host: str
    flavor: Flavor
    state: str = 'ACTIVE'
    #: The zone it is pinned to.
    zone: str | None = None
    group: Group | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """A cloud, and which of its hosts are to be drained."""

    hosts: tuple[Host, ...]
    flavors: tuple[Flavor, ...]
    groups: tuple[Group, ...]
    servers: tuple[Server, ...]
    drained: tuple[str, ...]
    retries: int = 2

    @property
    def leaving(self) -> tuple[Server, ...]:
        """The servers that are to move."""
        return tuple(s for s in self.servers if s.host in self.drained)

    @property
    def fill(self) -> float:
        """How full the tightest resource class is, over all hosts."""
        return _fill(self.hosts, self.servers)

    def used(self) -> dict[str, collections.Counter[str]]:
        """What the servers that stay take, by host."""
        found: dict[str, collections.Counter[str]] = {
            host.name: collections.Counter() for host in self.hosts
        }
        for server in self.servers:
            if server.host not in self.drained:
                found[server.host].update(server.flavor.amounts)
        return found


def _fill(hosts: abc.Iterable[Host], servers: abc.Iterable[Server]) -> float:
    capacity: collections.Counter[str] = collections.Counter()
    used: collections.Counter[str] = collections.Counter()
    for host in hosts:
        capacity.update(host.capacity)
    for server in servers:
        used.update(server.flavor.amounts)
    return max(used[name] / capacity[name] for name in CLASSES)


class _Draft:
    """A cloud that is being filled."""

    def __init__(self, rng: random.Random, hosts: abc.Sequence[Host]):
        self._rng = rng
        self._hosts = hosts
        self._weights = [rng.uniform(0.2, 1.0) for _ in hosts]
        self.servers: list[Server] = []

    def used(self, host: Host) -> collections.Counter[str]:
        found: collections.Counter[str] = collections.Counter()
        for server in self.servers:
            if server.host == host.name:
                found.update(server.flavor.amounts)
        return found

    def _may(self, host: Host, flavor: Flavor, group: Group | None) -> bool:
        used, capacity = self.used(host), host.capacity
        if any(used[c] + n > capacity[c] for c, n in flavor.amounts.items()):
            return False
        if flavor.golden and not host.golden:
            return False
        members = [s.host for s in self.servers if group and s.group == group]
        if group and group.policy == 'anti-affinity':
            return members.count(host.name) < group.most_per_host
        if group and group.policy == 'affinity':
            return set(members) <= {host.name}
        return True

    def add(self, flavor: Flavor, group: Group | None) -> bool:
        """Put one more server on some host, if any has room."""
        open_ = [h for h in self._hosts if self._may(h, flavor, group)]
        if not open_:
            return False
        weights = [self._weights[self._hosts.index(h)] for h in open_]
        (host,) = self._rng.choices(open_, weights)
        state = self._rng.choices(('ACTIVE', 'SHUTOFF', 'PAUSED'), (16, 3, 1))
        zone = host.zone if self._rng.random() < 0.5 else None
        name = f'server-{len(self.servers)}'
        self.servers.append(
            Server(name, host.name, flavor, state[0], zone, group)
        )
        return True


def draw(seed: str) -> Layout:
    """Return a random cloud; the same seed draws the same one."""
    rng = random.Random(seed)
    hosts = _hosts(rng)
    flavors = _flavors(rng, any(h.golden for h in hosts))
    groups = _groups(rng)
    many = 2 if len(hosts) >= 6 and rng.random() < 0.15 else 1
    target = rng.uniform(0.40, 0.98)
    if rng.random() < 0.4:
        # About as much as the others can take: where it is hard to tell.
        others = 1 - many / len(hosts)
        target = min(max(others + rng.uniform(-0.10, 0.05), 0.40), 0.98)
    draft = _Draft(rng, hosts)
    misses = 0
    while _fill(hosts, draft.servers) < target and misses < _MISSES:
        group = rng.choice(groups) if groups and rng.random() < 0.35 else None
        if not draft.add(rng.choice(flavors), group):
            misses += 1
    return Layout(
        hosts,
        flavors,
        groups,
        tuple(draft.servers),
        _drained_hosts(rng, hosts, draft.servers, many),
        rng.randint(0, 2),
    )


def _drained_hosts(
    rng: random.Random,
    hosts: abc.Iterable[Host],
    servers: abc.Iterable[Server],
    many: int,
) -> tuple[str, ...]:
    """Return hosts to drain, rather those with many servers."""
    counts = collections.Counter(server.host for server in servers)
    busy = [h.name for h in hosts if not h.disabled and counts[h.name]]
    found: set[str] = set()
    while len(found) < min(many, len(busy)):
        found.update(rng.choices(busy, [counts[name] ** 2 for name in busy]))
    return tuple(sorted(found))


def _hosts(rng: random.Random) -> tuple[Host, ...]:
    many = rng.randint(4, 12)
    ratio = rng.choice((1.0, 1.5, 2.0, 4.0))
    equal = rng.random() < 0.5
    zoned = rng.random() < 0.4
    golden = rng.random() < 0.25
    disabled = rng.randrange(many) if rng.random() < 0.2 else None
    size = _size(rng)
    found = []
    for n in range(many):
        vcpus, ram_gib, disk_gib = size if equal else _size(rng)
        found.append(
            Host(
                f'cmp{n + 1:02d}',
                vcpus,
                ram_gib,
                disk_gib,
                ratio,
                ('east', 'west')[n % 2] if zoned else None,
                golden and rng.random() < 0.6,
                n == disabled,
            )
        )
    return tuple(found)


def _size(rng: random.Random) -> tuple[int, int, int]:
    return (
        rng.choice((8, 12, 16)),
        rng.choice((16, 20, 24)),
        rng.choice((100, 200)),
    )


def _flavors(rng: random.Random, golden: bool) -> tuple[Flavor, ...]:
    found = [
        Flavor(
            f'random-{n}',
            rng.choice((1, 1, 2, 3, 4)),
            rng.choice((512, 1024, 2048, 3072, 4096, 6144)),
            rng.choice((5, 10, 20, 30)),
        )
        for n in range(rng.randint(3, 6))
    ]
    if golden:
        found.append(dataclasses.replace(found[0], name='gold', golden=True))
    return tuple(found)


def _groups(rng: random.Random) -> tuple[Group, ...]:
    policies = rng.choices(
        (
            'anti-affinity',
            'soft-anti-affinity',
            'soft-affinity',
            'affinity',
        ),
        (12, 4, 4, 1),
        k=rng.randint(0, 4),
    )
    return tuple(
        Group(
            f'group-{n}',
            policy,
            rng.choice((1, 1, 2)) if policy == 'anti-affinity' else 1,
        )
        for n, policy in enumerate(policies)
    )


class _TooLong(Exception):
    """Not everything could be tried."""


def fits(layout: Layout) -> bool | None:
    """Tell whether all servers that are to move can, whatever the order.

    None: it took too long to find out.
    """
    try:
        return _Search(layout).run()
    except _TooLong:
        return None


class _Search:
    """Tries every way to place the servers, the largest first."""

    def __init__(self, layout: Layout):
        self._hosts = [
            h
            for h in layout.hosts
            if h.name not in layout.drained and not h.disabled
        ]
        used = layout.used()
        self._free = {
            h.name: {c: n - used[h.name][c] for c, n in h.capacity.items()}
            for h in self._hosts
        }
        self._members: collections.Counter[tuple[str, str]] = (
            collections.Counter(
                (s.group.name, s.host)
                for s in layout.servers
                if s.group and s.host not in layout.drained
            )
        )
        self._servers = sorted(layout.leaving, key=_size_key, reverse=True)
        self._steps = 0

    def run(self, at: int = 0) -> bool:
        """Tell whether the servers from one on have a way."""
        if at == len(self._servers):
            return True
        self._steps += 1
        if self._steps > _STEPS:
            raise _TooLong
        server = self._servers[at]
        if server.group and server.group.policy == 'affinity':
            return False
        for host in self._hosts:
            if not self._may(server, host):
                continue
            self._put(server, host, 1)
            found = self.run(at + 1)
            self._put(server, host, -1)
            if found:
                return True
        return False

    def _may(self, server: Server, host: Host) -> bool:
        free = self._free[host.name]
        if any(n > free[c] for c, n in server.flavor.amounts.items()):
            return False
        if server.zone not in (None, host.zone):
            return False
        if server.flavor.golden and not host.golden:
            return False
        group = server.group
        return not (
            group
            and group.policy == 'anti-affinity'
            and self._members[group.name, host.name] >= group.most_per_host
        )

    def _put(self, server: Server, host: Host, sign: int) -> None:
        for name, amount in server.flavor.amounts.items():
            self._free[host.name][name] -= sign * amount
        if server.group:
            self._members[server.group.name, host.name] += sign


def _size_key(server: Server) -> tuple[int, ...]:
    flavor = server.flavor
    return (flavor.ram_mb, flavor.vcpus, flavor.disk_gb)
