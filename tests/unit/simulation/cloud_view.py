# SPDX-License-Identifier: Apache-2.0

"""What Nova and Placement show of the simulated cloud as a whole."""

from osc_hostmaint import exceptions
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import hosts
from tests.unit.simulation import world

#: Set by a disabled host's nova-compute.
DISABLED = 'COMPUTE_STATUS_DISABLED'


def hypervisors(cloud: clouds.Cloud) -> dict[str, str]:
    """Return the host of each hypervisor, by resource provider."""
    return {
        host.provider: name
        for name, host in cloud.hosts.items()
        if host.mapped
    }


def residents(cloud: clouds.Cloud) -> dict[str, str]:
    """Return the host of every server that is on one, by its id."""
    return {
        server.id: server.host
        for server in cloud.servers.values()
        if server.host
        and not server.deleted
        and cloud.hosts[server.host].mapped
    }


def groups(cloud: clouds.Cloud) -> list[snapshots.Group]:
    """Return the server groups, without deleted members."""
    return [
        snapshots.Group(
            id=group.id,
            policy=group.policy,
            members=frozenset(
                member
                for member in group.members
                if not cloud.servers[member].deleted
            ),
            most_per_host=group.most_per_host,
        )
        for group in cloud.groups
    ]


def aggregates(cloud: clouds.Cloud) -> list[snapshots.Aggregate]:
    """Return the aggregates, those that make up zones included."""
    zones: dict[str, set[str]] = {}
    for host in cloud.hosts.values():
        if host.zone != hosts.NO_ZONE:
            zones.setdefault(host.zone, set()).add(host.name)
    return cloud.aggregates + [
        snapshots.Aggregate(frozenset(inside), {'availability_zone': zone})
        for zone, inside in zones.items()
    ]


def allocation_candidates(
    cloud: clouds.Cloud, shape: snapshots.Shape
) -> snapshots.AllocationCandidates:
    """Return the hosts with room for a shape, disabled and down ones too.

    :raises RequestRefused: the shape is nothing at all.
    """
    if not shape:
        raise exceptions.RequestRefused(
            "Placement: '' does not match '^[A-Z0-9_]+:[0-9]+' (HTTP 400)",
            final=True,
        )
    fit = [
        host
        for host in cloud.hosts.values()
        if host.inventory.fits(dict(shape))
    ]
    return snapshots.AllocationCandidates(
        providers={host.provider: _provider(host) for host in fit},
        candidates=tuple(
            tuple(
                snapshots.Allocation(host.provider, name, amount)
                for name, amount in shape
            )
            for host in fit
        ),
    )


def _provider(host: world.Host) -> snapshots.Provider:
    there = host.inventory
    return snapshots.Provider(
        id=host.provider,
        root=host.provider,
        traits=host.traits | (frozenset() if host.enabled else {DISABLED}),
        inventories={
            name: snapshots.Inventory(capacity, there.used[name])
            for name, capacity in there.capacity.items()
        },
    )
