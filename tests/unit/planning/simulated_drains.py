# SPDX-License-Identifier: Apache-2.0

"""Servers on their way to the hosts that are picked for them.

What Placement would show is kept here; a flow sees it only when it looks.
"""

import collections
import dataclasses

from osc_hostmaint.planning.capacity import destination as destination_choice
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.planning import clouds


class SimulatedPlacement:
    """What is on which host, indeed; each host is one provider."""

    def __init__(self, nodes, seen):
        self._nodes = {node.name: node for node in nodes}
        self._seen = seen
        self.used = {
            name: collections.Counter(node.used)
            for name, node in self._nodes.items()
        }
        #: By the server's id.
        self.landed: dict[str, str] = {}

    def land(self, demand: snapshots.Demand, host: str) -> None:
        self.landed[demand.server.id] = host
        self.used[host].update(dict(demand.shape))

    def allocation_candidates(self, request) -> snapshots.AllocationCandidates:
        trees = [
            dataclasses.replace(node, used=self.used[name]).providers
            for name, node in self._nodes.items()
        ]
        return clouds.allocation_candidates(request, trees)

    def load(self, host: str) -> float:
        """Return how full a host is, by its fullest pool."""
        node = self._nodes[host]
        return max(self.used[host][c] / n for c, n in node.size.items())

    @property
    def overfull(self) -> set[str]:
        """Return the hosts with more than they can have."""
        return {host for host in self._nodes if self.load(host) > 1}


class SimulatedDrain:
    """The servers of one drain, in the order in which they start."""

    def __init__(self, truth, seen, demands, limits):
        self._truth = truth
        self.seen = seen
        self.demands = {d.server.id: d for d in demands}
        self._limits = limits
        self.capacity_forecast = forecast.forecast(
            seen, self.demands.values(), limits
        )
        placed = self.capacity_forecast.placed
        self.plan = {i: placed.get(i, '') for i in self.demands}
        self.gone: dict[str, str] = {}
        self.unseen: set[str] = set()

    @property
    def waiting(self) -> list[str]:
        """Return what has still to start, the largest first."""
        return sorted(
            (i for i in self.demands if i not in self.gone),
            key=lambda i: (-self.demands[i].server.memory_mb, i),
        )

    def pick(self, server_id, closed=()) -> destination_choice.Pick:
        """Return where a server is to go, and keep the plan."""
        flow = destination_choice.Flow(
            self.demands,
            self._limits,
            self.plan,
            self.gone,
            frozenset(self.unseen),
        )
        picked = destination_choice.pick(self.seen, flow, server_id, closed)
        if picked.plan is not None:
            self.plan = dict(picked.plan)
        return picked

    def start(self, closed=()) -> destination_choice.Pick:
        """Let the next server go where it is to go."""
        server_id = self.waiting[0]
        picked = self.pick(server_id, closed)
        if picked.host:
            self.begin(server_id, picked.host)
        return picked

    def begin(self, server_id: str, host: str) -> None:
        self._truth.land(self.demands[server_id], host)
        self.gone[server_id] = host
        self.unseen.add(server_id)
        self.plan.pop(server_id)

    def look(self) -> None:
        """See all that Placement shows by now."""
        allocation_candidates = {
            request: self._truth.allocation_candidates(request)
            for request in self.seen.allocation_candidates
        }
        self.seen = dataclasses.replace(
            self.seen, allocation_candidates=allocation_candidates
        )
        self.unseen.clear()

    def glance(self) -> None:
        """See what Placement shows to one question, for the next server.

        A host without room for it does not show: what is known of that is as
        old as before.
        """
        request = self.demands[self.waiting[0]].request
        allocation_candidates = self._truth.allocation_candidates(request)
        shown = {
            self.seen.hosts[p.root]
            for p in allocation_candidates.providers.values()
        }
        self.seen = destination_choice.renew(
            self.seen, request, allocation_candidates
        )
        self.unseen = {i for i in self.unseen if self.gone[i] not in shown}
