# SPDX-License-Identifier: Apache-2.0

"""What is asked of Placement: who holds what, and who has room."""

import functools
import itertools

from osc_hostmaint import exceptions
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import candidates
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
    """Allocations and allocation candidates.

    All raise :class:`osc_hostmaint.exceptions.CloudError`.
    """

    def allocations(self, host: str) -> dict[str, dict[str, int]]:
        """Return who holds what of a host's hypervisors, by consumer's id.

        Servers, and migrations, which hold the source's share during a move.
        What they hold of the hypervisors' child providers (GPUs, NUMA nodes)
        is included; of shared storage it is not.

        :raises UnknownHypervisor: Nova's API knows none of that host.
        """
        try:
            known = self.hypervisors()
        except exceptions.Unavailable:
            if not self._silent_hosts:
                raise
            roots = self._roots_by_name(host)
        else:
            roots = [p for p, its in known.items() if its == host]
        if not roots:
            raise exceptions.UnknownHypervisor(
                _(
                    "Nova's API knows no hypervisor on %s, so what Placement "
                    'holds for it is not verified: map the host to its cell '
                    '(nova-manage cell_v2 discover_hosts --by-service), and '
                    'run this again'
                )
                % host
            )
        found: dict[str, dict[str, int]] = {}
        for provider in itertools.chain.from_iterable(map(self._tree, roots)):
            held = self._placement.get(
                f'/resource_providers/{provider}/allocations',
                'allocations',
                ALLOCATIONS,
            )
            for consumer, allocation in held.items():
                amounts = found.setdefault(consumer, {})
                for name, amount in allocation['resources'].items():
                    amounts[name] = amounts.get(name, 0) + amount
        return found

    def _roots_by_name(self, host: str) -> list[str]:
        """Return a host's resource providers as servers and records tell.

        Nova lists no hypervisors while a cell does not answer.

        :raises UnknownHypervisor: they tell none.
        """
        names = sorted(self._nodes_seen.get(host, ()))
        if not names:
            raise exceptions.UnknownHypervisor(
                _(
                    'What Placement holds for %(host)s is not verified: Nova '
                    'lists no hypervisors while a cell does not answer (that '
                    'of %(silent)s). Run this again once it does'
                )
                % {'host': host, 'silent': ', '.join(self._silent_hosts)}
            )
        return [
            provider['uuid']
            for name in names
            for provider in self._placement.get(
                '/resource_providers',
                'resource_providers',
                ALLOCATIONS,
                {'name': name},
            )
        ]

    def _tree(self, root: str) -> list[str]:
        """Return a resource provider and all below it."""
        try:
            version = self._placement.microversion(TREES, TREES, '')
        except exceptions.ApiTooOld:
            return [root]
        tree = self._placement.get(
            '/resource_providers',
            'resource_providers',
            version,
            {'in_tree': root},
        )
        return [root, *(p['uuid'] for p in tree if p['uuid'] != root)]

    def offers(self, shape: snapshots.Shape) -> snapshots.Offers:
        """Return who could take a server of a shape now.

        All candidates are asked for; Placement's option
        ``max_allocation_candidates`` may hold some back, without a word.

        :raises ApiTooOld: Placement is older than Rocky (1.29).
        """
        if not shape:
            return snapshots.Offers({}, ())
        answer = self._placement.ask(
            '/allocation_candidates',
            ('allocation_requests', 'provider_summaries'),
            self._candidates_version,
            {'resources': ','.join(f'{name}:{n}' for name, n in shape)},
        )
        return self._candidates.read(answer)

    @functools.cached_property
    def _candidates_version(self) -> str:
        return self._placement.microversion(
            CANDIDATES, CANDIDATES, _('Knowing where there is room')
        )

    @functools.cached_property
    def _candidates(self) -> candidates.Reader:
        return candidates.Reader()
