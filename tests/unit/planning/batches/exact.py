# SPDX-License-Identifier: Apache-2.0

"""The best plan of a few hosts, by trying all."""

from collections import abc
import dataclasses
import itertools


class GivenUp(Exception):
    """It takes too long."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """A few hosts and servers; servers are numbers."""

    #: Those to be drained.
    hosts: tuple[str, ...]
    #: The other ones.
    elsewhere: tuple[str, ...]
    #: VCPUs of a host.
    size: int
    #: Of each server.
    sizes: tuple[int, ...]
    #: The host of each.
    homes: tuple[str, ...]
    #: Which servers keep apart.
    groups: tuple[tuple[int, ...], ...]
    #: Hosts of which only so many may be in a batch.
    areas: tuple[tuple[frozenset[str], int], ...]
    at_once: int


def best(problem: Problem, patience: int = 150_000) -> tuple[int, int] | None:
    """Return the fewest batches, and the fewest moves with so many.

    :param patience: in steps of the search.
    :returns: None where there is no plan.
    :raises GivenUp: there may be one.
    """
    search = _Search(problem, patience)
    least = -(-len(problem.hosts) // problem.at_once)
    for batches in range(least, len(problem.hosts) + 1):
        moves = search.fewest_moves(batches)
        if moves is not None:
            return batches, moves
    return None


class _Search:
    def __init__(self, problem: Problem, patience: int):
        self._problem = problem
        self._patience = patience
        self._group_of = {
            server: number
            for number, group in enumerate(problem.groups)
            for server in group
        }
        #: Servers with the same can change places.
        self._kinds = [
            (size, self._group_of.get(server, -1))
            for server, size in enumerate(problem.sizes)
        ]

    def fewest_moves(self, batches: int) -> int | None:
        """Return the fewest moves with at most so many batches, if any."""
        self._best: int | None = None
        self._seen: dict[object, int] = {}
        self._drain(frozenset(), self._problem.homes, 0, batches)
        return self._best

    def _step(self) -> None:
        self._patience -= 1
        if self._patience < 0:
            raise GivenUp

    def _drain(
        self,
        done: frozenset[str],
        places: tuple[str, ...],
        moves: int,
        batches: int,
    ) -> None:
        """Try all batches that can come next."""
        problem = self._problem
        todo = [host for host in problem.hosts if host not in done]
        ahead = sum(place in todo for place in places)
        if self._best is not None and moves + ahead >= self._best:
            return
        if not todo:
            self._best = moves
            return
        key = done, self._alike(places), batches
        if len(todo) > batches * problem.at_once or (
            self._seen.get(key, moves + 1) <= moves
        ):
            return
        self._seen[key] = moves
        self._step()
        for count in range(min(problem.at_once, len(todo)), 0, -1):
            for batch in itertools.combinations(todo, count):
                if self._is_allowed(batch, places):
                    self._empty(batch, done, places, moves, batches)

    def _alike(self, places: tuple[str, ...]) -> object:
        pairs = zip(self._kinds, places, strict=True)
        return tuple(sorted(pairs))

    def _is_allowed(
        self, batch: tuple[str, ...], places: tuple[str, ...]
    ) -> bool:
        if any(
            sum(host in area for host in batch) > most
            for area, most in self._problem.areas
        ):
            return False
        return all(
            len({places[server] for server in group} & set(batch)) < 2
            for group in self._problem.groups
        )

    def _empty(
        self,
        batch: tuple[str, ...],
        done: frozenset[str],
        places: tuple[str, ...],
        moves: int,
        batches: int,
    ) -> None:
        """Try all ways to move the servers off the hosts of a batch."""
        problem = self._problem
        moving = sorted(
            (i for i, place in enumerate(places) if place in batch),
            key=lambda server: self._kinds[server],
            reverse=True,
        )
        others = [
            host
            for host in (*problem.hosts, *problem.elsewhere)
            if host not in batch
        ]
        # What has not to move again comes first.
        others.sort(key=lambda h: h in problem.hosts and h not in done)
        free = dict.fromkeys(others, problem.size)
        for server, place in enumerate(places):
            if place in free:
                free[place] -= problem.sizes[server]
        tried: set[object] = set()
        chosen = list(places)

        def place_from(index: int, least: int) -> None:
            self._step()
            if index == len(moving):
                found = tuple(chosen)
                if (alike := self._alike(found)) not in tried:
                    tried.add(alike)
                    after = done.union(batch), found, moves + len(moving)
                    self._drain(*after, batches - 1)
                return
            server = moving[index]
            kind = self._kinds[server]
            same = index and self._kinds[moving[index - 1]] == kind
            start = least if same and kind[1] < 0 else 0
            for number in range(start, len(others)):
                host = others[number]
                if free[host] < kind[0] or self._meets(server, host, chosen):
                    continue
                free[host] -= kind[0]
                before, chosen[server] = chosen[server], host
                place_from(index + 1, number)
                chosen[server] = before
                free[host] += kind[0]

        place_from(0, 0)

    def _meets(
        self, server: int, host: str, places: abc.Sequence[str]
    ) -> bool:
        """Tell whether another of a server's group is on a host."""
        number = self._group_of.get(server)
        if number is None:
            return False
        group = self._problem.groups[number]
        return any(places[i] == host for i in group if i != server)
