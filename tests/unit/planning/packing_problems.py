# SPDX-License-Identifier: Apache-2.0

"""Small and tight capacity problems, drawn at random.

Problems are made from their solutions: hosts are filled with servers, and
these are thrown in a heap. So there surely is a way, unless some of them are
made larger or smaller then.
"""

import dataclasses

from osc_hostmaint.planning.capacity import assignment as assignments
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.planning import clouds

#: VCPUs, MiB and GB of flavors.
FLAVORS = (
    (1, 2048, 10),
    (1, 1024, 40),
    (2, 4096, 20),
    (4, 4096, 40),
    (2, 8192, 20),
    (4, 8192, 80),
    (8, 8192, 60),
    (6, 12288, 50),
)
ZONES = ('zone1', 'zone2')
TRAIT = 'CUSTOM_GOLD'


@dataclasses.dataclass(slots=True)
class _Place:
    """A host that is being filled."""

    host: clouds.Host
    flavors: list[snapshots.Amounts] = dataclasses.field(default_factory=list)

    def left(self) -> dict[str, int]:
        return {
            name: size
            - self.host.used.get(name, 0)
            - sum(flavor[name] for flavor in self.flavors)
            for name, size in self.host.size.items()
        }


@dataclasses.dataclass(frozen=True)
class Problem:
    """Servers that are to find a place, and all that is known."""

    nodes: tuple[clouds.Host, ...]
    demands: tuple[snapshots.Demand, ...]
    groups: tuple[snapshots.Group, ...] = ()

    @property
    def snapshot(self) -> snapshots.CapacitySnapshot:
        return clouds.snapshot(
            self.nodes,
            self.demands,
            groups=self.groups,
            aggregates=tuple(
                clouds.zone(
                    zone, *(h.name for h in self.nodes if h.zone == zone)
                )
                for zone in ZONES
            ),
        )

    @property
    def limits(self) -> eligible.Limits:
        return clouds.limits(self.demands)

    @property
    def task(self) -> occupancies.Task:
        return assignments.task(self.snapshot, self.demands, self.limits)


def draw(rng, hosts=0, *, spoilt=False) -> Problem:
    """Return a problem, of 3 to 6 hosts unless told; maybe a spoilt one."""
    flavors = [
        dict(zip(clouds.SIZE, flavor, strict=True))
        for flavor in rng.sample(FLAVORS, rng.randint(2, 5))
    ]
    places = [
        _Place(
            clouds.Host(
                f'host{n}',
                zone=rng.choice(ZONES),
                traits=frozenset({TRAIT} if rng.random() < 0.5 else ()),
                used={
                    name: int(size * rng.uniform(0, 0.6))
                    for name, size in clouds.SIZE.items()
                },
            )
        )
        for n in range(hosts or rng.randint(3, 6))
    ]
    for place in places:
        for _try in range(8):
            flavor = rng.choice(flavors)
            left = place.left()
            if all(left[name] >= n for name, n in flavor.items()):
                place.flavors.append(flavor)
    demands, groups = _heap(places, flavors if spoilt else (), rng)
    return Problem(tuple(p.host for p in places), tuple(demands), groups)


def _heap(places, flavors, rng):
    """Return the servers of all places, and groups that keep some apart."""
    demands = []
    at: dict[str, str] = {}
    for place in places:
        for flavor in place.flavors:
            server_id = f'vm{len(demands):02}'
            zone = place.host.zone if rng.random() < 0.25 else None
            golden = place.host.traits if rng.random() < 0.2 else frozenset()
            if flavors and rng.random() < 0.2:
                flavor = rng.choice(flavors)
            demands.append(
                clouds.demand(
                    server_id, flavor, zone=zone, required_traits=golden
                )
            )
            at[server_id] = place.host.name
    groups = []
    free = sorted(at)
    rng.shuffle(free)
    for n in range(rng.randint(0, 3)):
        members: dict[str, str] = {}
        for server_id in list(free):
            if len(members) < 4 and at[server_id] not in members:
                members[at[server_id]] = server_id
                free.remove(server_id)
        groups.append(
            clouds.group(
                snapshots.GroupPolicy.ANTI_AFFINITY,
                *members.values(),
                group_id=f'group{n}',
            )
        )
    return demands, tuple(groups)
