# SPDX-License-Identifier: Apache-2.0

"""Hosts with room, as Placement would show them: say what matters.

Servers are on ``src``, which is to be drained, and hosts have 16 VCPUs,
16,384 MiB and 160 GB, all free, unless said otherwise.
"""

import collections
from collections import abc
import dataclasses
import itertools
import typing as ty

from osc_hostmaint import mark as marks
from osc_hostmaint import model
from osc_hostmaint.planning.capacity import assignment as assignments
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit import builders

SOURCE = 'src'
SIZE: snapshots.Amounts = {'VCPU': 16, 'MEMORY_MB': 16384, 'DISK_GB': 160}
#: A quarter of a host: four fit.
QUARTER: snapshots.Amounts = {'VCPU': 4, 'MEMORY_MB': 4096, 'DISK_GB': 40}
HALF: snapshots.Amounts = {'VCPU': 8, 'MEMORY_MB': 8192, 'DISK_GB': 80}
WHOLE = SIZE


@dataclasses.dataclass(frozen=True)
class Host:
    """A host and its providers."""

    name: str
    zone: str = 'nova'
    up: bool = True
    enabled: bool = True
    #: It is disabled with our mark.
    maintenance: bool = False
    size: snapshots.Amounts = dataclasses.field(
        default_factory=lambda: dict(SIZE)
    )
    used: snapshots.Amounts = dataclasses.field(default_factory=dict)
    traits: frozenset[str] = frozenset()
    #: Ids of other services of this name.
    namesakes: tuple[str, ...] = ()
    #: Nested providers, by name: their sizes.
    nested: abc.Mapping[str, snapshots.Amounts] = dataclasses.field(
        default_factory=dict
    )
    #: Their traits.
    nested_traits: abc.Mapping[str, frozenset[str]] = dataclasses.field(
        default_factory=dict
    )

    @property
    def service(self) -> model.Service:
        reason = marks.write(builders.mark()) if self.maintenance else None
        return model.Service(
            self.name,
            self.name,
            self.zone,
            up=self.up,
            enabled=self.enabled and not self.maintenance,
            disabled_reason=reason,
            namesakes=self.namesakes,
        )

    @property
    def providers(self) -> list[snapshots.Provider]:
        root = f'rp-{self.name}'
        found = [
            snapshots.Provider(
                root,
                root,
                self.traits,
                {
                    name: snapshots.Inventory(n, self.used.get(name, 0))
                    for name, n in self.size.items()
                },
            )
        ]
        for nested, size in self.nested.items():
            found.append(
                snapshots.Provider(
                    f'{root}-{nested}',
                    root,
                    self.nested_traits.get(nested, frozenset()),
                    {
                        name: snapshots.Inventory(n, 0)
                        for name, n in size.items()
                    },
                )
            )
        return found


def hosts(*names: str, **values: ty.Any) -> list[Host]:
    return [Host(name, **values) for name in names]


def filled(name: str, part: float, **values: ty.Any) -> Host:
    """Return a host that is partly full."""
    used = {c: int(n * part) for c, n in SIZE.items()}
    return Host(name, used=used, **values)


def shared_disk(capacity: int, used: int = 0) -> snapshots.Provider:
    """Return storage that all hosts share."""
    return snapshots.Provider(
        'rp-shared',
        'rp-shared',
        frozenset({'MISC_SHARES_VIA_AGGREGATE'}),
        {'DISK_GB': snapshots.Inventory(capacity, used)},
    )


def request(amounts, groups=(), isolate=False) -> snapshots.ResourceRequest:
    """Return what asks for amounts of any providers, and for groups."""
    unnumbered = model.RequestGroup(snapshots.shape(amounts))
    return snapshots.ResourceRequest(unnumbered, tuple(groups), isolate)


def demand(
    server_id, amounts=QUARTER, source=SOURCE, project='', others=(), **needs
):
    """Return a server that has to go; its zone is known unless told."""
    wants = model.Needs(**{'zone_known': True, 'grouped': False, **needs})
    return snapshots.Demand(
        builders.server(
            server_id,
            host=source,
            memory_mb=amounts.get('MEMORY_MB', 0),
            project_id=project,
            needs=wants,
        ),
        request(amounts, wants.groups, wants.isolate),
        source,
        others,
    )


def held(amounts, host=SOURCE) -> snapshots.AllocationRequest:
    """Return what a consumer holds of a host."""
    return tuple(
        snapshots.Allocation(f'rp-{host}', name, amount)
        for name, amount in amounts.items()
    )


def demands(count, amounts=QUARTER, **values) -> list[snapshots.Demand]:
    """Return servers that are alike: vm00, vm01 ..."""
    return [demand(f'vm{n:02}', amounts, **values) for n in range(count)]


def allocation_candidates(request, trees, shared=()):
    """Return what Placement answers: each class or group is of one provider.

    :param trees: the providers of each host.
    """
    providers: dict[str, snapshots.Provider] = {}
    candidates = {}
    groups = [[part] for part in request.unnumbered.resources]
    numbered = [group.resources for group in request.numbered]
    for tree in trees:
        tree = list(tree)
        within = {p.id: p for p in (*tree, *shared)}
        for chosen in itertools.product(within, repeat=len(groups + numbered)):
            of_one = chosen[len(groups) :]
            if request.isolate and len(set(of_one)) < len(of_one):
                continue
            held = collections.Counter()
            for provider, parts in zip(chosen, groups + numbered, strict=True):
                for name, n in parts:
                    held[provider, name] += n
            if all(
                (inventory := within[provider].inventories.get(name))
                and inventory.used + n <= inventory.capacity
                for (provider, name), n in held.items()
            ):
                candidates[frozenset(held.items())] = tuple(
                    snapshots.Allocation(*key, n) for key, n in held.items()
                )
                used = {i: within[i] for i in chosen}
                providers |= used | {p.id: p for p in tree}
    found = tuple(candidates.values())
    return snapshots.AllocationCandidates(providers, found)


def snapshot(nodes, wanted, shared=(), **known) -> snapshots.CapacitySnapshot:
    """Return what is known of hosts, and of a full one to be drained.

    :param known: groups, located, aggregates.
    """
    wanted, shared = list(wanted), list(shared)
    nodes = {host.name: host for host in nodes}
    for source in {d.source for d in wanted} - set(nodes):
        nodes[source] = Host(source, maintenance=True, used=SIZE)
    trees = [host.providers for host in nodes.values()]
    members = {m for g in known.get('groups') or () for m in g.members}
    here = {d.server.id: d.source for d in wanted if d.server.id in members}
    return snapshots.CapacitySnapshot(
        services={name: host.service for name, host in nodes.items()},
        hosts={f'rp-{name}': name for name in nodes},
        allocation_candidates={
            asked: allocation_candidates(asked, trees, shared)
            for asked in dict.fromkeys(d.request for d in wanted if d.shape)
        },
        **{**known, 'located': {**here, **known.get('located', {})}},
    )


def limits(wanted, **values) -> eligible.Limits:
    """Return the limits of a drain of all that servers are to leave."""
    leaving = frozenset(d.source for d in wanted) or {SOURCE}
    return eligible.Limits(**{'leaving': frozenset(leaving), **values})


def assign(
    nodes: abc.Iterable[Host],
    wanted: abc.Sequence[snapshots.Demand],
    *,
    only: str = '',
    avoided: frozenset[str] = frozenset(),
    **known: ty.Any,
) -> occupancies.Occupancy:
    """Try to place servers."""
    seen = snapshot(nodes, wanted, **known)
    return assignments.assign(
        seen, wanted, limits(wanted, only=only, avoided=avoided)
    )


def capacity_forecast(nodes, wanted, *, only='', leaving=(), **known):
    seen = snapshot(nodes, wanted, **known)
    leaving = frozenset(leaving) | {d.source for d in wanted}
    return forecast.forecast(seen, wanted, eligible.Limits(leaving, only))


def group(policy, *members, most=1, group_id='group') -> snapshots.Group:
    return snapshots.Group(group_id, policy, frozenset(members), most)


def zone(name: str, *members: str) -> snapshots.Aggregate:
    """Return the aggregate that makes hosts a zone."""
    return snapshots.Aggregate(frozenset(members), {'availability_zone': name})


#: Two zones; ``src`` is in the first.
ZONED = (
    Host('src', zone='zone1', maintenance=True),
    Host('a', zone='zone1'),
    Host('b', zone='zone2'),
)
ZONES = (zone('zone1', 'src', 'a'), zone('zone2', 'b'))
