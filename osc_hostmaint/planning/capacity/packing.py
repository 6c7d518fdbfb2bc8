# SPDX-License-Identifier: Apache-2.0

"""Putting many servers on hosts together, so that all of them fit.

An exact answer may take for ever; what is found here is a way that is sure
to work, and mostly there is none where none is found (see benchmarks).
"""

import collections
from collections import abc
import contextlib
import dataclasses
import heapq

from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import search
from osc_hostmaint.planning.capacity import server_groups
from osc_hostmaint.planning.capacity import snapshot as snapshots

Demand = snapshots.Demand
Occupancy = occupancies.Occupancy
_Strategy = abc.Callable[[Occupancy], None]


def pack(
    task: occupancies.Task,
    strategies: abc.Iterable[_Strategy] | None = None,
    *,
    swaps: bool = True,
    steps: int = search.STEPS,
) -> Occupancy:
    """Return the hosts with all servers on them, if a way is found.

    The most even way is tried first, which mostly does; then hosts are
    filled up; then single servers change places; in the end all ways are
    tried, for a while. If none is found, it is the way that leaves the
    fewest.

    Hosts to be avoided take only what has no place on the others, unless
    that leaves more than it would otherwise.

    :param strategies: all of them, if they are not given.
    :param swaps: single servers may change places.
    :param steps: how long all ways are tried.
    """
    tried = []
    avoiding = None
    if task.options.limits.avoided:
        avoiding = _pack_avoiding(task)
        if not avoiding.left:
            return avoiding
    for strategy in strategies or STRATEGIES:
        occupancy = Occupancy(task)
        strategy(occupancy)
        if not occupancy.left:
            return occupancy
        tried.append(occupancy)
    best = max(tried, key=lambda occupancy: len(occupancy.placed))
    if swaps:
        _improve(best)
    if steps and best.left:
        best = search.search(task, steps) or best
    if avoiding and len(avoiding.left) <= len(best.left):
        return avoiding
    return best


def _pack_avoiding(task: occupancies.Task) -> Occupancy:
    """Return the hosts with servers on them, the avoided hosts filled last."""
    options, limits = task.options, task.options.limits
    without = dataclasses.replace(
        limits, leaving=limits.leaving | limits.avoided, avoided=frozenset()
    )
    others = eligible.Eligible(options.snapshot, without)
    occupancy = pack(dataclasses.replace(task, options=others))
    # What is left has all hosts to choose from.
    occupancy.task, occupancy.options = task, options
    evenly(occupancy)
    _improve(occupancy)
    return occupancy


def task(
    demands: abc.Iterable[Demand],
    options: eligible.Eligible,
    ledger: ledgers.Ledger,
    group_members: server_groups.GroupMembers,
) -> occupancies.Task:
    """Return what is to be packed, in the order in which that is tried.

    The largest goes first, by the resource that is scarcest on the hosts
    that may take any of them.
    """
    demands = tuple(demands)
    kinds = {options.kind(demand): demand for demand in demands}
    hosts = {h for kind in kinds.values() for h in options.options(kind)}
    wanted: collections.Counter[str] = collections.Counter()
    for demand in demands:
        wanted.update(dict(demand.shape))
    parts = {
        name: 1 / max(1, capacity - used)
        for name, (used, capacity) in ledger.totals(hosts).items()
    }
    scarcest = max(
        wanted,
        key=lambda name: (wanted[name] * parts.get(name, 0), name),
        default='',
    )

    def size(demand: Demand) -> tuple[float, float, str]:
        return (
            -dict(demand.shape).get(scarcest, 0),
            -sum(n * parts.get(name, 0) for name, n in demand.shape),
            demand.server.id,
        )

    return occupancies.Task(
        tuple(sorted(demands, key=size)), options, ledger, group_members
    )


class _Levels:
    """The hosts of one kind of servers, the least loaded first.

    Loads only grow while servers are put on hosts, so an old one is never
    too high: it is worked out anew when it comes up.
    """

    def __init__(self, demand: Demand, occupancy: Occupancy):
        self._occupancy = occupancy
        self._demand = demand
        self._heap = [
            (load, host)
            for host in occupancy.options.options(demand)
            if (load := self._load(host)) is not None
        ]
        heapq.heapify(self._heap)

    def _load(self, host: str) -> float | None:
        candidate = self._occupancy.candidate(self._demand, host)
        if candidate is None:
            return None
        return self._occupancy.ledger.load(host, candidate)

    def ascending(self) -> abc.Generator[str]:
        """Yield hosts with room, the least loaded first."""
        passed = []
        try:
            while self._heap:
                load, host = self._heap[0]
                now = self._load(host)
                if now is None:
                    heapq.heappop(self._heap)
                elif now > load:
                    heapq.heapreplace(self._heap, (now, host))
                else:
                    passed.append(heapq.heappop(self._heap))
                    yield host
        finally:
            for entry in passed:
                heapq.heappush(self._heap, entry)


def evenly(occupancy: Occupancy) -> None:
    """Put each on the least loaded host, as soft rules of groups like it."""
    levels: dict[eligible.DemandKind, _Levels] = {}
    for demand in occupancy.left:
        kind = occupancy.options.kind(demand)
        if kind not in levels:
            levels[kind] = _Levels(demand, occupancy)
        if host := _least(demand, occupancy, levels[kind]):
            occupancy.place(demand, host)


def _least(
    demand: Demand, occupancy: Occupancy, levels: _Levels
) -> str | None:
    """Return the least loaded host, of those that the group likes best."""
    server_id, members = demand.server.id, occupancy.group_members
    group = members.group(server_id)
    if group and group.policy == snapshots.GroupPolicy.SOFT_AFFINITY:
        beside = _beside(demand, occupancy)
        if beside:
            return beside
    best: tuple[int, str] | None = None
    with contextlib.closing(levels.ascending()) as hosts:
        for host in hosts:
            if not occupancy.allows(demand, host):
                continue
            soft_penalty = members.soft_penalty(server_id, host)
            if best is None or soft_penalty < best[0]:
                best = (soft_penalty, host)
            if soft_penalty <= 0:
                break
    return best[1] if best else None


def _beside(demand: Demand, occupancy: Occupancy) -> str | None:
    """Return the host with room that has most of the others of a group."""
    server_id, members = demand.server.id, occupancy.group_members
    found = [
        (
            members.soft_penalty(server_id, host),
            occupancy.ledger.load(host, candidate),
            host,
        )
        for host in members.hosts_of_others(server_id)
        if (candidate := occupancy.candidate(demand, host))
    ]
    return min(found)[-1] if found else None


def most_constrained_first(occupancy: Occupancy) -> None:
    """Fill up the fullest hosts; what few hosts may take goes first."""
    task, options = occupancy.task, occupancy.options.options
    orders: dict[eligible.DemandKind, list[str]] = {}
    for demand in sorted(task.demands, key=lambda d: len(options(d))):
        kind = task.options.kind(demand)
        if kind not in orders:
            orders[kind] = sorted(
                options(demand),
                key=lambda host: (-task.ledger.load(host), host),
            )
        full = False
        for host in orders[kind]:
            if occupancy.place(demand, host):
                break
            full = full or not occupancy.candidate(demand, host)
        if full:
            # What has no room now never has any again.
            orders[kind] = [
                h for h in orders[kind] if occupancy.candidate(demand, h)
            ]


#: Ways to place servers, in the order in which they are tried.
STRATEGIES: tuple[_Strategy, ...] = (evenly, most_constrained_first)


def _improve(occupancy: Occupancy) -> None:
    """Let single servers change places, to make room for what is left."""
    hopeless: set[occupancies.Sort] = set()
    by_id = {d.server.id: d for d in occupancy.task.demands}
    for demand in occupancy.left:
        sort = occupancy.sort(demand)
        if sort not in hopeless and not _swap(demand, occupancy, by_id):
            hopeless.add(sort)


def _swap(
    demand: Demand,
    occupancy: Occupancy,
    by_id: abc.Mapping[str, Demand],
) -> bool:
    """Place a server by moving one other on to a third host, if it can be."""
    mine = occupancy.options.options(demand)
    new_hosts: dict[eligible.DemandKind, list[str]] = {}
    for other_id, host in list(occupancy.placed.items()):
        if host not in mine:
            continue
        other = by_id[other_id]
        kind = occupancy.options.kind(other)
        if kind not in new_hosts:
            new_hosts[kind] = sorted(
                h
                for h in occupancy.options.options(other)
                if occupancy.candidate(other, h)
            )
        if not new_hosts[kind]:
            continue
        before = occupancy.remove(other)
        if occupancy.place(demand, host):
            others = (h for h in new_hosts[kind] if h != host)
            if any(occupancy.place(other, h) for h in others):
                return True
            occupancy.remove(demand)
        occupancy.put(other, *before)
    return False
