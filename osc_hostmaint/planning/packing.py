#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Putting many servers on hosts together, so that all of them fit.

An exact answer may take for ever; what is found here is a way that is sure
to work, and mostly there is none where none is found (see benchmarks).
"""

import collections.abc
import dataclasses
import heapq
import typing as ty

from osc_hostmaint import survey as surveys
from osc_hostmaint.planning import eligible
from osc_hostmaint.planning import neighbours as neighbours_
from osc_hostmaint.planning import room as rooms


@dataclasses.dataclass(frozen=True, slots=True)
class Packing:
    """Where servers would go."""

    #: The host of each server that fits, by its id.
    placed: collections.abc.Mapping[str, str]
    #: Those for which there was no room.
    left: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What is to be packed, and into what."""

    #: The largest first.
    demands: tuple[surveys.Demand, ...]
    options: eligible.Eligible
    room: rooms.Room
    neighbours: neighbours_.Neighbours


class Floor:
    """A packing that is being made."""

    def __init__(self, task: Task):
        self.options = task.options
        self.room = task.room.copy()
        self.neighbours = task.neighbours.copy()
        self.placed: dict[str, tuple[str, surveys.Candidate]] = {}

    def copy(self) -> ty.Self:
        """Return another one that is the same."""
        other = object.__new__(type(self))
        other.options = self.options
        other.room = self.room.copy()
        other.neighbours = self.neighbours.copy()
        other.placed = dict(self.placed)
        return other

    def candidate(
        self, demand: surveys.Demand, host: str
    ) -> surveys.Candidate | None:
        """Return a candidate that there is room for on a host."""
        candidates = self.options.options(demand).get(host, ())
        return next((c for c in candidates if self.room.fits(c)), None)

    def admits(self, demand: surveys.Demand, host: str) -> bool:
        """Tell whether a server's group lets it go to a host."""
        return self.neighbours.admit(demand.server.id, host)

    def put(
        self,
        demand: surveys.Demand,
        host: str,
        candidate: surveys.Candidate,
    ) -> None:
        """Put a server on a host."""
        self.room.take(candidate)
        self.neighbours.put(demand.server.id, host)
        self.placed[demand.server.id] = (host, candidate)

    def lift(self, demand: surveys.Demand) -> tuple[str, surveys.Candidate]:
        """Take a server off the host it was put on."""
        host, candidate = self.placed.pop(demand.server.id)
        self.room.give_back(candidate)
        self.neighbours.put(demand.server.id, demand.source)
        return host, candidate

    def packing(self, task: Task) -> Packing:
        """Return where everything is now."""
        return Packing(
            {server_id: host for server_id, (host, _c) in self.placed.items()},
            tuple(
                demand.server.id
                for demand in task.demands
                if demand.server.id not in self.placed
            ),
        )


def pack(task: Task) -> Packing:
    """Return where servers would go so that all fit, if a way is found.

    The most even way is tried first, which mostly does; then fuller and
    fuller hosts are filled up; then single servers change places.
    """
    floors = []
    for strategy in (_evenly, _first_fit, _choosy_first):
        floor = Floor(task)
        strategy(task, floor)
        if len(floor.placed) == len(task.demands):
            return floor.packing(task)
        floors.append(floor)
    best = max(floors, key=lambda floor: len(floor.placed))
    _improve(task, best)
    return best.packing(task)


def task(
    demands: collections.abc.Iterable[surveys.Demand],
    options: eligible.Eligible,
    room: rooms.Room,
    neighbours: neighbours_.Neighbours,
) -> Task:
    """Return what is to be packed, in the order in which that is tried.

    The largest goes first, by the resource that is scarcest on the hosts
    that may take any of them.
    """
    demands = tuple(demands)
    hosts = {host for d in demands for host in options.options(d)}
    wanted: dict[str, int] = {}
    for demand in demands:
        for name, amount in demand.shape:
            wanted[name] = wanted.get(name, 0) + amount
    parts = {
        name: 1 / max(1, capacity - used)
        for name, (used, capacity) in room.totals(hosts).items()
    }
    scarcest = max(
        wanted,
        key=lambda name: (wanted[name] * parts.get(name, 0), name),
        default='',
    )

    def size(demand: surveys.Demand) -> tuple[float, float, str]:
        return (
            -dict(demand.shape).get(scarcest, 0),
            -sum(n * parts.get(name, 0) for name, n in demand.shape),
            demand.server.id,
        )

    return Task(tuple(sorted(demands, key=size)), options, room, neighbours)


class _Levels:
    """The hosts of one kind of servers, the least loaded first.

    Loads only grow while servers are put on hosts, so an old one is never
    too high: it is worked out anew when it comes up.
    """

    def __init__(self, demand: surveys.Demand, floor: Floor):
        self._floor = floor
        self._demand = demand
        self._heap = [
            (load, host)
            for host in floor.options.options(demand)
            if (load := self._load(host)) is not None
        ]
        heapq.heapify(self._heap)

    def _load(self, host: str) -> float | None:
        candidate = self._floor.candidate(self._demand, host)
        if candidate is None:
            return None
        return self._floor.room.load(host, candidate)

    def ascending(self) -> collections.abc.Generator[str]:
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


def _evenly(task: Task, floor: Floor) -> None:
    levels: dict[eligible.Kind, _Levels] = {}
    for demand in task.demands:
        kind = task.options.kind(demand)
        if kind not in levels:
            levels[kind] = _Levels(demand, floor)
        host = _least(demand, floor, levels[kind])
        candidate = host and floor.candidate(demand, host)
        if host and candidate:
            floor.put(demand, host, candidate)


def _least(
    demand: surveys.Demand, floor: Floor, levels: _Levels
) -> str | None:
    """Return the least loaded host, of those that the group likes best."""
    server_id = demand.server.id
    group = floor.neighbours.group(server_id)
    soft_affinity = (
        group is not None and group.policy == surveys.GroupPolicy.SOFT_AFFINITY
    )
    best: tuple[int, str] | None = None
    hosts = levels.ascending()
    try:
        for host in hosts:
            if not floor.admits(demand, host):
                continue
            strain = floor.neighbours.strain(server_id, host)
            if best is None or strain < best[0]:
                best = (strain, host)
            if best[0] <= 0 and not soft_affinity:
                break
    finally:
        hosts.close()
    return best[1] if best else None


def _first_fit(task: Task, floor: Floor) -> None:
    _fill(task.demands, task, floor)


def _choosy_first(task: Task, floor: Floor) -> None:
    """Those that few hosts may take go first."""
    demands = sorted(task.demands, key=lambda d: len(task.options.options(d)))
    _fill(demands, task, floor)


def _fill(
    demands: collections.abc.Iterable[surveys.Demand],
    task: Task,
    floor: Floor,
) -> None:
    """Put each on the first host with room, the fullest host first."""
    orders: dict[eligible.Kind, list[str]] = {}
    for demand in demands:
        kind = task.options.kind(demand)
        if kind not in orders:
            orders[kind] = sorted(
                task.options.options(demand),
                key=lambda host: (-task.room.load(host), host),
            )
        full = 0
        for host in orders[kind]:
            candidate = floor.candidate(demand, host)
            if candidate is None:
                full += 1
            elif floor.admits(demand, host):
                floor.put(demand, host, candidate)
                break
        if full:
            # What has no room now never has any again.
            orders[kind] = [
                h for h in orders[kind] if floor.candidate(demand, h)
            ]


def _improve(task: Task, floor: Floor) -> None:
    """Let single servers change places, to make room for what is left."""
    hopeless: set[eligible.Kind] = set()
    by_id = {demand.server.id: demand for demand in task.demands}
    for demand in task.demands:
        if demand.server.id in floor.placed:
            continue
        grouped = floor.neighbours.group(demand.server.id)
        kind = task.options.kind(demand)
        if kind in hopeless and not grouped:
            continue
        if not _swap(demand, floor, by_id):
            hopeless.add(kind)


def _swap(
    demand: surveys.Demand,
    floor: Floor,
    by_id: collections.abc.Mapping[str, surveys.Demand],
) -> bool:
    """Place a server by moving one other on to a third host, if it can be."""
    mine = floor.options.options(demand)
    refuges: dict[eligible.Kind, list[str]] = {}
    for other_id, (host, _candidate) in list(floor.placed.items()):
        if host not in mine:
            continue
        other = by_id[other_id]
        kind = floor.options.kind(other)
        if kind not in refuges:
            refuges[kind] = [
                h
                for h in floor.options.options(other)
                if floor.candidate(other, h)
            ]
        if not refuges[kind]:
            continue
        before = floor.lift(other)
        candidate = floor.candidate(demand, host)
        if candidate and floor.admits(demand, host):
            floor.put(demand, host, candidate)
            refuge = _refuge(other, refuges[kind], host, floor)
            if refuge:
                floor.put(other, *refuge)
                return True
            floor.lift(demand)
        floor.put(other, *before)
    return False


def _refuge(
    demand: surveys.Demand,
    hosts: collections.abc.Iterable[str],
    left: str,
    floor: Floor,
) -> tuple[str, surveys.Candidate] | None:
    """Return another host for a server that has left its place."""
    for host in hosts:
        if host == left or not floor.admits(demand, host):
            continue
        candidate = floor.candidate(demand, host)
        if candidate:
            return host, candidate
    return None
