# SPDX-License-Identifier: Apache-2.0

"""Hosts to be planned: say what matters.

Hosts have 8 VCPUs, are in service and in zone ``nova``, unless said otherwise.
Servers are named by what they hold: ``{'a': {'vm1': 2}}`` has a server with 2
VCPUs on host ``a``.
"""

from collections import abc
import random
import typing as ty

from osc_hostmaint import mark as marks
from osc_hostmaint import model
from osc_hostmaint.planning.batches import plan as plans
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit import builders
from tests.unit.planning import clouds

Layout = abc.Mapping[str, abc.Mapping[str, int]]
SIZE = 8


def seen(
    layout: Layout,
    *,
    size: int = SIZE,
    zones: abc.Mapping[str, str] | None = None,
    racks: abc.Mapping[str, abc.Iterable[str]] | None = None,
    maintenance: abc.Container[str] = (),
    disabled: abc.Container[str] = (),
    down: abc.Container[str] = (),
    groups: abc.Iterable[snapshots.Group] = (),
    never: abc.Mapping[str, plans.Never] | None = None,
    **needs: ty.Any,
) -> plans.Seen:
    """Return what was seen of hosts.

    :param racks: aggregates: their hosts, by name.
    :param needs: of all servers.
    """
    demands = tuple(
        clouds.demand(server_id, {'VCPU': amount}, source=host, **needs)
        for host, servers in layout.items()
        for server_id, amount in servers.items()
    )
    providers = {
        f'rp-{host}': snapshots.Provider(
            f'rp-{host}',
            f'rp-{host}',
            frozenset(),
            {'VCPU': snapshots.Inventory(size, sum(servers.values()))},
        )
        for host, servers in layout.items()
    }
    reason = marks.write(builders.mark())
    snapshot = snapshots.CapacitySnapshot(
        services={
            host: model.Service(
                host,
                host,
                (zones or {}).get(host, 'nova'),
                up=host not in down,
                enabled=host not in maintenance and host not in disabled,
                disabled_reason=reason if host in maintenance else 'theirs',
            )
            for host in layout
        },
        hosts={f'rp-{host}': host for host in layout},
        allocation_candidates={
            request: snapshots.AllocationCandidates(
                providers,
                tuple(
                    tuple(
                        snapshots.Allocation(provider, *part)
                        for part in request.shape
                    )
                    for provider in providers
                ),
            )
            for request in {d.request for d in demands}
        },
        groups=tuple(groups),
        located={d.server.id: d.source for d in demands},
        aggregates=tuple(
            snapshots.Aggregate(frozenset(hosts), {}, name)
            for name, hosts in (racks or {}).items()
        ),
    )
    return plans.Seen(
        snapshot=snapshot,
        servers={host: len(servers) for host, servers in layout.items()},
        demands=demands,
        held={
            host: {
                server_id: clouds.held({'VCPU': amount}, host)
                for server_id, amount in servers.items()
            }
            for host, servers in layout.items()
        },
        never=never or {},
    )


def keep_apart(
    *members: str, policy: str = 'anti-affinity', group_id: str = ''
) -> snapshots.Group:
    return clouds.group(
        policy, *members, group_id=group_id or '-'.join(members)
    )


def layout_of(
    rng: random.Random, hosts: int, servers: int, size: int
) -> dict[str, dict[str, int]]:
    """Return hosts with servers of 1 to 3 VCPUs, as far as they fit."""
    names = [f'h{number}' for number in range(hosts)]
    layout: dict[str, dict[str, int]] = {name: {} for name in names}
    for number in range(servers):
        amount, host = rng.choice((1, 1, 2, 3)), rng.choice(names)
        if sum(layout[host].values()) + amount <= size:
            layout[host][f'vm{number}'] = amount
    return layout


def groups_of(
    rng: random.Random, layout: Layout, most: int
) -> list[snapshots.Group]:
    """Return groups of two or three servers that are on different hosts."""
    homes = {i: host for host, servers in layout.items() for i in servers}
    left = rng.sample(sorted(homes), len(homes))
    found = []
    for _n in range(rng.randint(0, most)):
        members: list[str] = []
        for server_id in list(left):
            taken = {homes[member] for member in members}
            if len(members) < 3 and homes[server_id] not in taken:
                members.append(server_id)
                left.remove(server_id)
        if len(members) > 1:
            found.append(keep_apart(*members))
    return found
