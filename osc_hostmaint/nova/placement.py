# SPDX-License-Identifier: Apache-2.0

"""Requests to Placement: allocations and allocation candidates."""

import functools

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import client
from osc_hostmaint.nova import hosts
from osc_hostmaint.nova import records
from osc_hostmaint.nova import transport
from osc_hostmaint.planning.capacity import snapshot as snapshots

#: Allocations of a resource provider, as an object (Placement of Ocata).
ALLOCATIONS = '1.6'
#: Resource providers by tree; no older Placement (before Queens) has trees.
TREES = '1.14'
#: Allocation candidates with the traits (1.17), all inventories (1.27) and
#: the root (1.29) of each provider. Later ones only say more of what is not
#: asked here.
CANDIDATES = '1.29'


def allocations(
    cloud: client.Client, host: str
) -> dict[str, snapshots.AllocationRequest]:
    """Return the allocations on a host's hypervisors, by consumer's id.

    Servers, and migrations, which hold the source's share during a move.
    What they hold of the hypervisors' child providers (GPUs, NUMA nodes)
    is included; of shared storage it is not.

    :raises UnknownHypervisor: Nova's API shows no hypervisor there, or a
        cell does not answer.
    """
    try:
        nodes = hosts.hypervisor_details(cloud)
        roots = [node.provider for node in nodes if node.host == host]
    except exceptions.Unavailable:
        if not cloud.silent_hosts:
            raise
        roots = []
    if cloud.silent_hosts and not roots:
        roots = _roots_by_name(cloud, host)
    if not roots:
        raise _unknown(cloud, host)
    found: dict[str, snapshots.AllocationRequest] = {}
    for provider in [each for root in roots for each in _tree(cloud, root)]:
        path = transport.path('resource_providers', provider, 'allocations')
        for consumer, resources in cloud.placement.get(
            path, 'allocations', records.allocations, ALLOCATIONS
        ).items():
            found[consumer] = found.get(consumer, ()) + tuple(
                snapshots.Allocation(provider, name, amount)
                for name, amount in resources.items()
            )
    return found


def provider(cloud: client.Client, root: str) -> snapshots.Provider:
    """Return a hypervisor's resource provider, without those below it.

    How much of it is in use is not looked at.
    """
    about = functools.partial(transport.path, 'resource_providers', root)
    return snapshots.Provider(
        root,
        root,
        cloud.placement.get(about('traits'), 'traits', frozenset, ALLOCATIONS),
        cloud.placement.get(
            *(about('inventories'), 'inventories'),
            *(records.inventories, ALLOCATIONS),
        ),
    )


def _roots_by_name(cloud: client.Client, host: str) -> list[str]:
    """Return a host's resource providers as servers and records tell.

    Nova does not list all hypervisors while a cell does not answer: the list
    fails, unless it ends before it comes to that cell.
    """
    return [
        provider
        for name in sorted(cloud.nodes_seen.get(host, ()))
        for provider in _providers(cloud, ALLOCATIONS, name=name)
    ]


def _unknown(cloud: client.Client, host: str) -> exceptions.UnknownHypervisor:
    words = _(
        "Nova's API shows no hypervisor on %(host)s, so its allocations in "
        'Placement cannot be checked: map the host to its cell (nova-manage '
        'cell_v2 discover_hosts --by-service) and run this again'
    )
    if cloud.silent_hosts:
        words = _(
            'The allocations of %(host)s in Placement cannot be checked: Nova '
            'does not list all hypervisors while a cell does not answer (that '
            'of %(silent)s). Run this again once it answers'
        )
    silent = ', '.join(sorted(cloud.silent_hosts))
    return exceptions.UnknownHypervisor(
        words % {'host': host, 'silent': silent}
    )


def _tree(cloud: client.Client, root: str) -> list[str]:
    """Return a resource provider and all below it."""
    try:
        version = cloud.placement.microversion(TREES)
    except exceptions.ApiTooOld:
        return [root]
    tree = _providers(cloud, version, in_tree=root)
    return [root, *(id_ for id_ in tree if id_ != root)]


def _providers(cloud: client.Client, version: str, **params: str) -> list[str]:
    """Return the ids of resource providers."""
    key = 'resource_providers'
    return cloud.placement.get(f'/{key}', key, records.ids, version, **params)


def allocation_candidates(
    cloud: client.Client, request: snapshots.ResourceRequest
) -> snapshots.AllocationCandidates:
    """Return the allocation candidates for what a server asks for.

    Placement's option ``max_allocation_candidates`` may silently leave some
    out. What it refuses to answer (a trait or resource class that is gone)
    says nothing about other requests.

    :raises ApiTooOld: Placement is older than Rocky (1.29).
    """
    params = _params('', request.unnumbered)
    # Names of groups mean nothing, and only numbers are taken below 1.33.
    for number, group in enumerate(request.numbered, 1):
        params |= _params(str(number), group)
    if not params:
        return snapshots.AllocationCandidates({}, ())
    if request.numbered:
        params['group_policy'] = 'isolate' if request.isolate else 'none'
    doing = _('Checking the capacity of other hosts')
    version = cloud.placement.microversion(CANDIDATES, doing)
    try:
        return cloud.placement.ask(
            '/allocation_candidates',
            *('allocation_requests', 'provider_summaries'),
            read=cloud.candidates.read,
            version=version,
            limit=str(snapshots.MOST_CANDIDATES),
            **params,
        )
    except exceptions.RequestRefused as error:
        return snapshots.AllocationCandidates({}, (), refused=str(error))


def _params(suffix: str, group: model.RequestGroup) -> dict[str, str]:
    """Return a request group as parameters; none if it asks for nothing.

    Traits without amounts are refused, as when Nova's scheduler asks.
    """
    params = {}
    if group.resources:
        amounts = (f'{c}:{n}' for c, n in group.resources)
        params[f'resources{suffix}'] = ','.join(amounts)
    unwanted = (f'!{trait}' for trait in sorted(group.forbidden_traits))
    if traits := (*sorted(group.required_traits), *unwanted):
        params[f'required{suffix}'] = ','.join(traits)
    return params
