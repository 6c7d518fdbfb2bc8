# SPDX-License-Identifier: Apache-2.0

"""Batches of hosts that can be drained together, one batch after another.

An exact answer takes too long for more than a few hosts. Here hosts are tried
in several orders, and the best of what is found counts.
"""

import collections
from collections import abc
import dataclasses
import hashlib
import itertools

from osc_hostmaint.planning.batches import rules as batch_rules
from osc_hostmaint.planning.batches import state as states
from osc_hostmaint.planning.capacity import search as packing_search

#: So many orders of hosts are tried, or fewer where there is much to move.
MOST_ORDERS = 16
#: So many hosts that do not fit end a batch, or the trying of all ways.
MOST_MISSES = 24
#: Servers that are placed in all orders together, roughly.
_ENOUGH_SERVERS = 3_000
#: The hosts of a batch, and where their servers go.
_Next = tuple[list[str], dict[str, states.Place]]
#: Hosts left, batches, moves.
_Cost = tuple[int, int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """The hosts that are to be in batches, and all others."""

    hosts: frozenset[str]
    rules: batch_rules.Rules
    #: Those of the hosts that are in maintenance already: the first batch,
    #: whatever the rules are.
    first: frozenset[str] = frozenset()
    #: Hosts that were drained before.
    done: frozenset[str] = frozenset()
    #: Hosts that are not to be drained.
    elsewhere: frozenset[str] = frozenset()
    #: Servers of which it is not known what room they need, by host: they
    #: leave their hosts, and are put nowhere.
    unweighed: abc.Mapping[str, frozenset[str]] = dataclasses.field(
        default_factory=dict
    )

    def servers(self, state: states.CloudState, host: str) -> frozenset[str]:
        """Return the servers on a host."""
        here = frozenset(state.on(host))
        return here | self.unweighed.get(host, frozenset())


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Hosts that are drained together."""

    hosts: tuple[str, ...]
    #: Where each of their servers goes.
    moves: states.Moves
    #: Those that leave each host, without the unweighed.
    servers: abc.Mapping[str, abc.Collection[str]]
    #: Hosts that are still to come: servers that go there move again.
    avoid: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """All batches, and the hosts that have none."""

    batches: tuple[Batch, ...]
    #: Hosts without a batch: their servers fit nowhere else even if they are
    #: drained alone, or others use up the share of an aggregate or a zone.
    left: frozenset[str]
    #: How all is after the last batch.
    state: states.CloudState

    @property
    def moves(self) -> int:
        """How many moves there are, of all servers together."""
        return sum(len(batch.moves) for batch in self.batches)

    @property
    def repeated(self) -> int:
        """How many servers move more than once."""
        times = collections.Counter(i for b in self.batches for i in b.moves)
        return sum(n > 1 for n in times.values())

    @property
    def cost(self) -> _Cost:
        """The less, the better."""
        return len(self.left), len(self.batches), self.moves


def search(start: states.CloudState, task: Task) -> Found:
    """Return the best batches that were found."""
    at_once = task.rules.at_once
    rest = len(task.hosts - task.first) % at_once
    ways = [
        _Way(thrifty=thrifty, opening=opening)
        for opening in dict.fromkeys((at_once, rest or at_once))
        for thrifty in (False, True)
    ]
    first = _Search(start.copy(), task, ways[0]).first()
    best = Found((), task.hosts, start)
    orders = list(_orders(start, task))
    best_order, best_way = orders[0], ways[0]
    for order, way in itertools.product(orders, ways):
        trying = _Search(start.copy(), task, way)
        found = trying.run(first, order, best.cost)
        if found:
            best, best_order, best_way = found, order, way
    if best.left:
        thorough = _Search(start.copy(), task, best_way, packing_search.STEPS)
        best = thorough.run(first, best_order, best.cost) or best
    return best


def _orders(start: states.CloudState, task: Task) -> abc.Iterator[list[str]]:
    """Yield orders of hosts: those without servers come first in all."""
    hosts = task.hosts - task.first
    counts = {host: len(task.servers(start, host)) for host in hosts}
    ordered = sorted(hosts, key=lambda host: (counts[host], host))
    empty = [host for host in ordered if not counts[host]]
    busy = ordered[len(empty) :]
    enough = _ENOUGH_SERVERS // max(1, sum(counts.values()))
    yield empty + busy
    for number in range(1, min(MOST_ORDERS, enough)):
        more = busy[::-1] if number == 1 else _shuffled(busy, number)
        yield empty + more


def _shuffled(hosts: abc.Iterable[str], number: int) -> list[str]:
    """Return hosts in an order that is the same each time."""

    def place(host: str) -> bytes:
        return hashlib.sha256(f'{number} {host}'.encode()).digest()

    return sorted(hosts, key=place)


@dataclasses.dataclass(frozen=True, slots=True)
class _Way:
    """How hosts are put into batches, beside their order."""

    #: A second host comes into a batch only if none of its servers has to go
    #: to a host that is still to come.
    thrifty: bool
    #: Most hosts of the first batch: its servers often have to move again.
    opening: int


class _Search:
    """One order of hosts, one way."""

    def __init__(
        self,
        state: states.CloudState,
        task: Task,
        way: _Way,
        steps: int = 0,
    ):
        """:param steps: how long all ways are tried, where others fail."""
        self._state = state
        self._task = task
        self._way = way
        self._steps = steps
        self._done = set(task.done)
        #: In maintenance, and not drained yet.
        self._shut = set(task.first)
        self._batches: list[Batch] = []

    def first(self) -> _Next:
        """Return the hosts in maintenance that have room together.

        They are out of service anyway, whatever the rules are.
        """
        state, task = self._state, self._task
        open_ = task.hosts - self._done - self._shut
        tiers = [self._done, task.elsewhere, open_]
        hosts: list[str] = []
        moves: dict[str, states.Place] = {}
        misses = 0
        for host in sorted(task.first):
            more = state.find([host], tiers, moves, 0)
            found = None if more is None else {**moves, **more}
            if found is None and misses < MOST_MISSES:
                misses += 1
                # Those before it may have taken what only it can use.
                steps = packing_search.STEPS
                found = state.find([*hosts, host], tiers, {}, steps)
            if found is not None:
                hosts.append(host)
                moves = found
        return hosts, moves

    def run(
        self, first: _Next, order: abc.Iterable[str], best: _Cost
    ) -> Found | None:
        """Return all batches; None: they are not better than the best."""
        rules = self._task.rules
        waiting = dict.fromkeys([*sorted(self._task.first), *order])
        self._add(first, waiting)
        now = dataclasses.replace(rules, at_once=self._way.opening)
        while waiting:
            if self._least_cost(waiting) >= best:
                return None
            drained = self._add(self._next(waiting, now), waiting)
            if not drained and self._steps:
                found = self._next(waiting, now, self._steps)
                drained = self._add(found, waiting)
            if not drained:
                break
            now = rules
        result = Found(tuple(self._batches), frozenset(waiting), self._state)
        return result if result.cost < best else None

    def _least_cost(self, waiting: abc.Collection[str]) -> _Cost:
        """Return what it costs if all that wait are drained, and move once."""
        rules = self._task.rules
        moved = sum(len(batch.moves) for batch in self._batches)
        return (
            0,
            len(self._batches) + rules.least_batches(waiting, self._shut),
            moved + sum(len(self._state.on(host)) for host in waiting),
        )

    def _add(self, found: _Next, waiting: dict[str, None]) -> bool:
        """Drain a batch; False: it has no host."""
        hosts, moves = found
        if not hosts:
            return False
        servers = {host: tuple(self._state.on(host)) for host in hosts}
        self._state.drain(hosts, moves)
        self._done.update(hosts)
        self._shut.difference_update(hosts)
        for host in hosts:
            del waiting[host]
        avoid = frozenset(waiting) - self._shut
        self._batches.append(Batch(tuple(hosts), moves, servers, avoid))
        return True

    def _next(
        self,
        waiting: abc.Mapping[str, None],
        rules: batch_rules.Rules,
        steps: int = 0,
    ) -> _Next:
        """Return the hosts of the next batch, and where servers go."""
        state, task = self._state, self._task
        open_ = task.hosts - self._done - self._shut
        moves: dict[str, states.Place] = {}
        batch = batch_rules.Candidates(rules, frozenset(self._shut))
        misses = 0
        for host in waiting:
            enough = misses >= MOST_MISSES and (batch.hosts or steps)
            if batch.full or enough:
                break
            servers = task.servers(state, host)
            if not batch.allows(host, servers):
                continue
            tiers = [self._done, task.elsewhere]
            if not (self._way.thrifty and batch.hosts):
                tiers.append(open_.difference(batch.hosts, [host]))
            if any(place.host == host for place in moves.values()):
                found = state.find([*batch.hosts, host], tiers, {}, steps)
            else:
                more = state.find([host], tiers, moves, steps)
                found = None if more is None else {**moves, **more}
            if found is None:
                misses += 1
            else:
                batch.add(host, servers)
                moves = found
        return batch.hosts, moves
