# SPDX-License-Identifier: Apache-2.0

"""Making an embedded cloud what a layout says."""

import collections
from collections import abc

from benchmarks import layouts
from tests import cloud as clouds
from tests.cloud import boot
from tests.cloud import waiting

#: Servers booted at once: they queue for the one thread of the scheduler.
BATCH = 20
TRIES = 3


def build(cloud: clouds.Cloud, layout: layouts.Layout) -> None:
    """Make an embedded cloud what a layout says.

    On a machine that has much else to do, Nova fails to build a server now
    and then: then all is begun anew.
    """
    for left in reversed(range(TRIES)):
        cloud.purge()
        try:
            _set_up(cloud, layout)
            return
        except (boot.Failed, waiting.Timeout):
            if not left:
                raise


def _set_up(cloud: clouds.Cloud, layout: layouts.Layout) -> None:
    _set_up_hosts(cloud, layout.hosts)
    flavors = {
        flavor: cloud.flavor(
            flavor.name,
            flavor.vcpus,
            flavor.ram_mb,
            flavor.disk_gb,
            {f'trait:{layouts.TRAIT}': 'required'} if flavor.golden else None,
        )
        for flavor in layout.flavors
    }
    groups = {
        group: cloud.group(
            group.name,
            group.policy,
            most_per_host=(
                group.most_per_host
                if group.policy == 'anti-affinity'
                else None
            ),
        )
        for group in layout.groups
    }
    specs = [
        {
            'name': server.name,
            'host': server.host,
            'flavor': flavors[server.flavor],
            'state': server.state,
            'az': server.zone,
            'group': groups[server.group] if server.group else None,
        }
        for server in layout.servers
    ]
    for at in range(0, len(specs), BATCH):
        cloud.boot_many(specs[at : at + BATCH])
    for host in layout.hosts:
        if host.disabled:
            cloud.disable_host(host.name)


def _set_up_hosts(
    cloud: clouds.Cloud, hosts: abc.Iterable[layouts.Host]
) -> None:
    zones: dict[str, list[str]] = collections.defaultdict(list)
    for host in hosts:
        size = {
            'vcpus': host.vcpus,
            'ram_gib': host.ram_gib,
            'disk_gib': host.disk_gib,
        }
        if host.name in cloud.hosts():
            cloud.size_host(host.name, **size)
        else:
            cloud.add_host(host.name, **size)
        cloud.inventory(host.name, VCPU={'allocation_ratio': host.ratio})
        if host.golden:
            cloud.give_traits(host.name, layouts.TRAIT)
        if host.zone:
            zones[host.zone].append(host.name)
    for zone, members in zones.items():
        cloud.aggregate(zone, members, zone=zone)
