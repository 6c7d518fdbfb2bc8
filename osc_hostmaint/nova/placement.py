# SPDX-License-Identifier: Apache-2.0

"""Requests to Placement: allocations and allocation candidates."""

import collections
import itertools

from osc_hostmaint import exceptions
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import hosts
from osc_hostmaint.planning.capacity import snapshot as snapshots

#: Allocations of a resource provider, as an object (Placement of Ocata).
ALLOCATIONS = '1.6'
#: Resource providers by tree; no older Placement (before Queens) has trees.
TREES = '1.14'
#: Allocation candidates with the traits (1.17), all inventories (1.27) and
#: the root (1.29) of each provider. Later ones only say more of what is not
#: asked here.
CANDIDATES = '1.29'


class Placement(hosts.Hosts):
    """The methods of a gateway that ask Placement."""

    def allocations(self, host: str) -> dict[str, collections.Counter[str]]:
        """Return the allocations on a host's hypervisors, by consumer's id.

        Servers, and migrations, which hold the source's share during a move.
        What they hold of the hypervisors' child providers (GPUs, NUMA nodes)
        is included; of shared storage it is not.

        :raises UnknownHypervisor: Nova's API shows no hypervisor there.
        """
        try:
            nodes = self.hypervisor_details()
            roots = [node.provider for node in nodes if node.host == host]
        except exceptions.Unavailable:
            if not self.silent_hosts:
                raise
            roots = self._roots_by_name(host)
        if not roots:
            raise exceptions.UnknownHypervisor(
                _(
                    "Nova's API shows no hypervisor on %s, so its allocations "
                    'in Placement cannot be checked: map the host to its cell '
                    '(nova-manage cell_v2 discover_hosts --by-service) and '
                    'run this again'
                )
                % host
            )
        found: dict[str, collections.Counter[str]] = {}
        for provider in itertools.chain.from_iterable(map(self._tree, roots)):
            path = f'/resource_providers/{provider}/allocations'
            held = self.placement.get(path, 'allocations', version=ALLOCATIONS)
            for consumer, allocation in held.items():
                amounts = found.setdefault(consumer, collections.Counter())
                amounts.update(allocation['resources'])
        return found

    def _roots_by_name(self, host: str) -> list[str]:
        """Return a host's resource providers as servers and records tell.

        Nova lists no hypervisors while a cell does not answer.

        :raises UnknownHypervisor: they tell none.
        """
        names = sorted(self.nodes_seen.get(host, ()))
        if not names:
            raise exceptions.UnknownHypervisor(
                _(
                    'The allocations of %(host)s in Placement cannot be '
                    'checked: Nova lists no hypervisors while a cell does not '
                    'answer (that of %(silent)s). Run this again once it '
                    'answers'
                )
                % {'host': host, 'silent': ', '.join(self.silent_hosts)}
            )
        found = (self._providers(ALLOCATIONS, name=name) for name in names)
        return list(itertools.chain.from_iterable(found))

    def _tree(self, root: str) -> list[str]:
        """Return a resource provider and all below it."""
        try:
            version = self.placement.microversion(TREES)
        except exceptions.ApiTooOld:
            return [root]
        tree = self._providers(version, in_tree=root)
        return [root, *(id_ for id_ in tree if id_ != root)]

    def _providers(self, version: str, **params: str) -> list[str]:
        """Return the ids of resource providers."""
        key = 'resource_providers'
        found = self.placement.get(f'/{key}', key, version=version, **params)
        return [provider['uuid'] for provider in found]

    def allocation_candidates(
        self, shape: snapshots.Shape
    ) -> snapshots.AllocationCandidates:
        """Return the allocation candidates for a server of a shape.

        All are requested; Placement's option ``max_allocation_candidates`` may
        silently leave some out.

        :raises ApiTooOld: Placement is older than Rocky (1.29).
        """
        if not shape:
            return snapshots.AllocationCandidates({}, ())
        doing = _('Checking the capacity of other hosts')
        answer = self.placement.ask(
            '/allocation_candidates',
            *('allocation_requests', 'provider_summaries'),
            version=self.placement.microversion(CANDIDATES, doing),
            resources=','.join(f'{name}:{n}' for name, n in shape),
        )
        return self.candidates.read(answer)
