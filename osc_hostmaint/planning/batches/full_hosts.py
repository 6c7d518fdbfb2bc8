# SPDX-License-Identifier: Apache-2.0

"""Hosts that have no room now, and will have once they are drained.

Placement's allocation candidates leave them out. What a server would hold of
them is made up here, from their inventories.
"""

import collections
from collections import abc
import dataclasses

from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import snapshot as snapshots

Snapshot = snapshots.CapacitySnapshot


def unseen(
    snapshot: Snapshot, hosts: abc.Container[str]
) -> abc.Mapping[str, str]:
    """Return the providers of hosts that some server has no room on, by host.

    Without hosts that have several hypervisors.

    :param hosts: those that matter.
    """
    full = {
        host
        for request in snapshot.allocation_candidates
        if not request.numbered
        for host in _without_room(snapshot, request)
    }
    roots = collections.Counter(snapshot.hosts.values())
    return {
        host: root
        for root, host in snapshot.hosts.items()
        if host in full and host in hosts and roots[host] == 1
    }


def _without_room(
    snapshot: Snapshot, request: snapshots.ResourceRequest
) -> set[str]:
    answer = snapshot.allocation_candidates[request]
    if answer.refused:
        return set()
    found = {
        ledgers.host_of(snapshot, answer, each) for each in answer.candidates
    }
    return set(snapshot.hosts.values()).difference(found)


def complete(
    snapshot: Snapshot, providers: abc.Iterable[snapshots.Provider]
) -> Snapshot:
    """Return a snapshot in which full hosts are candidates as well.

    A request with numbered groups needs providers below the hypervisor's: it
    gets no more candidates. Step size and least unit, which Nova leaves at 1,
    are not heeded.

    :param providers: those of :func:`unseen`, with what is in use.
    """
    mine = {provider.id: provider for provider in providers}
    answers = {}
    for request, answer in snapshot.allocation_candidates.items():
        answers[request] = answer
        if request.numbered or not mine:
            continue
        full = _without_room(snapshot, request)
        more = {
            root: provider
            for root, provider in mine.items()
            if snapshot.hosts[root] in full
            and _is_large_enough(provider, request)
        }
        answers[request] = dataclasses.replace(
            answer,
            providers={**answer.providers, **more},
            candidates=answer.candidates
            + tuple(
                tuple(
                    snapshots.Allocation(root, name, amount)
                    for name, amount in request.shape
                )
                for root in more
            ),
        )
    return dataclasses.replace(snapshot, allocation_candidates=answers)


def _is_large_enough(
    provider: snapshots.Provider, request: snapshots.ResourceRequest
) -> bool:
    """Tell whether an empty host could take a server."""
    for name, amount in request.shape:
        inventory = provider.inventories.get(name)
        if inventory is None or amount > inventory.capacity:
            return False
        if inventory.max_unit is not None and amount > inventory.max_unit:
            return False
    return True
