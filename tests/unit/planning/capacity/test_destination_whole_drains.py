# SPDX-License-Identifier: Apache-2.0

"""Whole drains, host by host picked: all find a place, and evenly.

What Placement would show is kept here; a flow sees it only when it looks.
"""

import collections
import dataclasses
import random

import hypothesis
from hypothesis import strategies

from osc_hostmaint.planning.capacity import destination as destination_choice
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit.planning import clouds
from tests.unit.planning import packing_problems

#: Looks, starts, closed hosts: more rounds than any problem takes.
ROUNDS = 400


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


def begin(problem, avoided=frozenset()):
    """Return Placement, and a drain of all servers of a problem."""
    seen = problem.snapshot
    truth = SimulatedPlacement(problem.nodes, seen)
    limits = dataclasses.replace(problem.limits, avoided=avoided)
    return truth, SimulatedDrain(truth, seen, problem.demands, limits)


class TestFlows(unit.TestCase):
    def assert_all_landed(self, problem, truth, flow):
        """Check that all are where they may be, and fit."""
        self.assertEqual([], flow.waiting)
        self.assertEqual(set(), truth.overfull)
        options = eligible.Eligible(problem.snapshot, problem.limits)
        for demand in problem.demands:
            host = truth.landed[demand.server.id]
            self.assertEqual('', options.against(demand)[host])
        for group in problem.groups:
            landed = [truth.landed[m] for m in group.members]
            self.assertEqual(len(set(landed)), len(landed))

    @hypothesis.settings(max_examples=unit.examples(37), deadline=None)
    @hypothesis.given(
        strategies.integers(0, 10**6),
        strategies.sampled_from([1, 2, 3, 100]),
        strategies.sampled_from([SimulatedDrain.look, SimulatedDrain.glance]),
    )
    def test_what_fits_by_the_forecast_has_its_place(self, seed, every, look):
        problem = packing_problems.draw(random.Random(seed))
        truth, flow = begin(problem)
        hypothesis.assume(not flow.capacity_forecast.misfits)
        for start in range(len(problem.demands)):
            if start % every == every - 1:
                look(flow)
            self.assertTrue(flow.start().host)
        self.assert_all_landed(problem, truth, flow)

    @hypothesis.settings(max_examples=unit.examples(37), deadline=None)
    @hypothesis.given(
        strategies.integers(0, 10**6),
        strategies.randoms(note_method_calls=True),
        strategies.sampled_from([SimulatedDrain.look, SimulatedDrain.glance]),
    )
    def test_avoided_hosts_are_taken_last(self, seed, rng, look):
        problem = packing_problems.draw(random.Random(seed))
        names = [host.name for host in problem.nodes]
        avoided = frozenset(rng.sample(names, rng.randint(1, len(names))))
        _truth, free = begin(problem)
        truth, flow = begin(problem, avoided)
        planned = sum(host in avoided for host in flow.plan.values())
        self.assertLessEqual(
            len(flow.capacity_forecast.misfits),
            len(free.capacity_forecast.misfits),
        )
        hypothesis.assume(not flow.capacity_forecast.misfits)
        while flow.waiting:
            look(flow)
            self.assertTrue(flow.start().host)
        self.assert_all_landed(problem, truth, flow)
        landed = sum(host in avoided for host in truth.landed.values())
        self.assertLessEqual(landed, planned)

    @hypothesis.settings(max_examples=unit.examples(37), deadline=None)
    @hypothesis.given(
        strategies.integers(0, 10**6),
        strategies.randoms(note_method_calls=True),
    )
    def test_closed_hosts_do_not_block(self, seed, rng):
        problem = packing_problems.draw(random.Random(seed), 5)
        truth, flow = begin(problem)
        hypothesis.assume(not flow.capacity_forecast.misfits)
        names = [host.name for host in problem.nodes]

        for _round in range(ROUNDS):
            if not flow.waiting:
                break
            closed = rng.sample(names, rng.randint(0, 2))
            if rng.random() < 0.3:
                flow.look()
            picked = flow.start(closed)
            self.assertNotIn(picked.host, closed)
            self.assertTrue(picked.host or picked.wait)
        self.assert_all_landed(problem, truth, flow)

    @hypothesis.settings(max_examples=unit.examples(25), deadline=None)
    @hypothesis.given(strategies.integers(0, 10**6))
    def test_no_host_is_overfull_though_not_all_fit(self, seed):
        problem = packing_problems.draw(random.Random(seed), spoilt=True)
        truth, flow = begin(problem)
        for server_id in flow.waiting:
            picked = flow.pick(server_id)
            if picked.host:
                flow.begin(server_id, picked.host)
        self.assertEqual(set(), truth.overfull)


def spread_out(nodes, demands):
    """Return the truth after all have gone where they are picked to go."""
    seen = clouds.snapshot(nodes, demands)
    truth = SimulatedPlacement(nodes, seen)
    flow = SimulatedDrain(truth, seen, demands, clouds.limits(demands))
    for start in range(len(demands)):
        if start % 2 == 0:
            flow.look()
        flow.start()
    return truth


def counts(truth, nodes):
    """Return how many servers are on each host."""
    landed = collections.Counter(truth.landed.values())
    return [landed[node.name] for node in nodes]


class TestEvenness(unit.TestCase):
    SMALL = {'VCPU': 1, 'MEMORY_MB': 1024, 'DISK_GB': 10}

    def test_equal_servers_on_equal_hosts(self):
        nodes = clouds.hosts('a', 'b', 'c', 'd')
        truth = spread_out(nodes, clouds.demands(24, self.SMALL))
        self.assertEqual([6] * 4, counts(truth, nodes))

    def test_equal_hosts_without_a_disk_to_fill(self):
        nodes = clouds.hosts(*'abcd', used={'DISK_GB': 120})
        demands = [
            *clouds.demands(24, {'VCPU': 1, 'MEMORY_MB': 1024}),
            clouds.demand('disk', self.SMALL),
        ]
        truth = spread_out(nodes, demands)
        self.assertEqual([6, 6, 6, 7], sorted(counts(truth, nodes)))

    def test_unequal_servers_on_unevenly_filled_hosts(self):
        size = {'VCPU': 32, 'MEMORY_MB': 65536, 'DISK_GB': 640}
        for seed in range(20):
            rng = random.Random(seed)
            nodes = []
            for n in range(5):
                part = rng.uniform(0.1, 0.5)
                used = {c: int(s * part) for c, s in size.items()}
                nodes.append(clouds.Host(f'host{n}', size=size, used=used))
            demands = [
                clouds.demand(
                    f'vm{n:02}',
                    {
                        'VCPU': rng.choice((1, 2)),
                        'MEMORY_MB': rng.choice((1024, 2048, 4096, 8192)),
                        'DISK_GB': rng.choice((10, 20, 40)),
                    },
                )
                for n in range(30)
            ]
            with self.subTest(seed):
                truth = spread_out(nodes, demands)
                worst = max(truth.load(node.name) for node in nodes)
                self.assertEqual(30, len(truth.landed))
                self.assertLessEqual(worst, 1.1 * bound(nodes, demands))

    def test_two_drains_share_the_snapshot(self):
        nodes = clouds.hosts('a', 'b', 'c', 'd')
        one = clouds.demands(12, self.SMALL, source='src1')
        two = [clouds.demand(f'{n}', self.SMALL, 'src2') for n in range(12)]
        limits = clouds.limits([*one, *two])
        seen = clouds.snapshot(nodes, [*one, *two])
        truth = SimulatedPlacement(nodes, seen)
        drains = [SimulatedDrain(truth, seen, d, limits) for d in (one, two)]
        for start in range(12):
            for drain in drains:
                if start % 2 == 0:
                    drain.look()
                drain.start()
        self.assertLessEqual(set(counts(truth, nodes)), {5, 6, 7})


def bound(nodes, demands):
    """Return what the most loaded host has at least, however it is done.

    By resource class: what there is in all, evenly, or the fullest host.
    """
    bounds = []
    for name in clouds.SIZE:
        used = sum(node.used.get(name, 0) for node in nodes)
        wanted = sum(dict(d.shape)[name] for d in demands)
        bounds.append((used + wanted) / sum(n.size[name] for n in nodes))
        bounds += [n.used.get(name, 0) / n.size[name] for n in nodes]
    return max(bounds)
