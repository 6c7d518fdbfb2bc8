# SPDX-License-Identifier: Apache-2.0

"""How the simulated Nova picks the destination of a move.

The filters are those of nova/scheduler that are enabled by default, and the
one for a flavor's wishes of aggregates; the weighers are Nova's with their
defaults. Rows of the compute_nodes table, from which they weigh, are as old
as NOVA-FACTS section 1 says.

Server groups are judged by who is on a host: a member that is on its way to
it counts only when it has arrived. Nova's second look, in nova-compute, is
left out; clouds switch it off with ``disable_group_policy_check_upcall``.
"""

from collections import abc
import typing as ty

from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.simulation import hosts as hosts_
from tests.unit.simulation import inventory
from tests.unit.simulation import world

Server, Host = world.Server, world.Host
if ty.TYPE_CHECKING:
    from tests.unit.simulation import state

    State = state.State

#: A destination's row in the compute_nodes table is this old, at the most.
ROW_SECONDS = 60.0

_WEIGHED = (inventory.MEMORY_MB, inventory.VCPU, inventory.DISK_GB)
_Policy = snapshots.GroupPolicy


def choose(cloud, server, *, claims, host='', tried=()) -> str | None:
    """Return the host that a server is to be moved to, if any.

    :param claims: the choice shows in the host's row at once, as that of a
        cold migration does, and that of a live migration does not.
    :param host: the only one to consider; no weigher is asked then.
    :param tried: not these.
    """
    fit = [
        each
        for each in cloud.hosts.values()
        if host in ('', each.name)
        and each.name not in tried
        and passes(cloud, server, each)
    ]
    if not fit:
        return None
    for each in fit:
        _renew(cloud, each)
    weights = _weights(cloud, server, fit)
    chosen = min(fit, key=lambda each: (-weights[each.name], each.name))
    if claims:
        chosen.row.update(server.amounts)
    return chosen.name


def _renew(cloud: 'State', host: Host) -> None:
    """Let a host's periodic task write its row, if it is time."""
    now = cloud.timeline.now
    due = not host.row_at or now - host.row_at >= ROW_SECONDS
    if due or not cloud.piles_up:
        host.row, host.row_at = host.inventory.used.copy(), now


# Filters


def passes(cloud: 'State', server: Server, host: Host) -> bool:
    """Tell whether a server may be moved to a host."""
    return (
        host.name != server.host
        and not host.unfit
        and host.inventory.fits(server.amounts)
        and server.needs.zone in (None, hosts_.NO_ZONE, host.zone)
        and server.needs.required_traits <= host.traits
        and not server.needs.forbidden_traits & host.traits
        and _in_aggregates(cloud, server, host)
        and _group_allows(cloud, server, host)
    )


def _in_aggregates(cloud: 'State', server: Server, host: Host) -> bool:
    """Tell whether the host's aggregates say all that the flavor wants."""
    said = {
        pair
        for aggregate in cloud.aggregates
        if host.name in aggregate.hosts
        for pair in aggregate.metadata.items()
    }
    return set(server.needs.aggregate_specs) <= said


def _group_allows(cloud: 'State', server: Server, host: Host) -> bool:
    """Tell whether a server's group allows a host, its own included."""
    group = cloud.group_of(server)
    if group is None:
        return True
    if group.policy == _Policy.AFFINITY:
        return host.name in {each.host for each in _members(cloud, group)}
    if group.policy == _Policy.ANTI_AFFINITY:
        return _count(cloud, group, host) < group.most_per_host
    return True


def _members(cloud, group) -> abc.Iterator[Server]:
    for server_id in group.members:
        server = cloud.servers[server_id]
        if not server.deleted:
            yield server


def _count(cloud: 'State', group: snapshots.Group, host: Host) -> int:
    return sum(each.host == host.name for each in _members(cloud, group))


# Weighers


def _weights(cloud, server, hosts) -> dict[str, float]:
    """Return the sums of what the weighers say, by host."""
    sums = {host.name: 0.0 for host in hosts}
    for name in _WEIGHED:
        free = {
            host.name: host.inventory.capacity.get(name, 0) - host.row[name]
            for host in hosts
        }
        most = max(free.values())
        for each, amount in free.items():
            sums[each] += amount / most if most else 0.0
    for each, weight in _group_weights(cloud, server, hosts).items():
        sums[each] += weight
    return sums


def _group_weights(cloud, server, hosts) -> dict[str, float]:
    """Return how well a soft group likes each host, from 0 to 1."""
    group = cloud.group_of(server)
    soft = {_Policy.SOFT_AFFINITY: 1, _Policy.SOFT_ANTI_AFFINITY: -1}
    if group is None or group.policy not in soft:
        return {}
    counts = {
        host.name: soft[_Policy(group.policy)] * _count(cloud, group, host)
        for host in hosts
    }
    least = min(counts.values())
    span = max(counts.values()) - least
    return {name: (n - least) / span for name, n in counts.items() if span}


# What comes of it


def clashes(cloud: 'State', server: Server, host: str) -> frozenset[str]:
    """Return the members of a hard group that a server is not to be with.

    Or, of an affinity group, to be away from. Who is on the way to the host
    counts as well.
    """
    group = cloud.group_of(server)
    if group is None:
        return frozenset()
    others = [each for each in _members(cloud, group) if each is not server]
    there = {
        each.id
        for each in others
        if each.host == host or host in cloud.allocations[each.id]
    }
    crowd = group.policy == _Policy.ANTI_AFFINITY
    if crowd and len(there) >= group.most_per_host:
        return frozenset(there)
    if group.policy == _Policy.AFFINITY and not there:
        return frozenset(each.id for each in others if each.host)
    return frozenset()
