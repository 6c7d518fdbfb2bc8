# SPDX-License-Identifier: Apache-2.0

"""Trying all ways to place servers, for a while.

What has the fewest hosts left goes first, and a way is given up as soon as
something has none: so few servers on few hosts are mostly decided at once,
where filling up hosts in one order or another finds no way though there is
one (see benchmarks). Of many servers on many hosts all ways can't be tried,
but there that is hardly ever needed.
"""

from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import snapshot as snapshots

Occupancy = occupancies.Occupancy
#: How many candidates are looked at: some hundredths of a second.
STEPS = 20_000
#: Of more servers at once all ways are never tried.
MOST_SERVERS = 200


class _GivenUp(Exception):
    """There are too many ways."""


def search(task: occupancies.Task, steps: int = STEPS) -> Occupancy | None:
    """Return a way to place all; None: there is none, or none was found."""
    if len(task.demands) > MOST_SERVERS:
        return None
    try:
        tries = _Tries(task, steps)
        return tries.occupancy if tries.run(len(task.demands)) else None
    except _GivenUp:
        return None


class _Tries:
    """One try after another."""

    def __init__(self, task: occupancies.Task, steps: int):
        self.occupancy = Occupancy(task)
        self._steps = steps
        self._waiting: dict[occupancies.Sort, list[snapshots.Demand]] = {}
        for demand in task.demands:
            sort = self.occupancy.sort(demand)
            self._waiting.setdefault(sort, []).append(demand)
        #: The hosts that could take one more of each sort.
        self._able = {
            sort: {
                host
                for host in task.options.options(demands[0])
                if self._fits(demands[0], host)
            }
            for sort, demands in self._waiting.items()
        }

    def run(self, count: int) -> bool:
        """Tell whether there is a way to place all that wait.

        :param count: how many these are.
        """
        if not count:
            return True
        sort = min(
            (s for s, demands in self._waiting.items() if demands),
            key=lambda s: len(self._able[s]),
        )
        demand = self._waiting[sort].pop()
        for host in self._in_order(demand, self._able[sort]):
            if not self.occupancy.place(demand, host):
                continue
            closed = self._close(host)
            if self.run(count - 1):
                return True
            for each in closed:
                self._able[each].add(host)
            self.occupancy.remove(demand)
        self._waiting[sort].append(demand)
        return False

    def _in_order(self, demand: snapshots.Demand, able: set[str]) -> list[str]:
        """Return the hosts to try, the least loaded first."""
        for host in able:
            self._spend(demand, host)

        def load(host: str) -> tuple[float, str]:
            candidate = self.occupancy.candidate(demand, host)
            return self.occupancy.ledger.load(host, candidate or ()), host

        return sorted(able, key=load)

    def _close(self, host: str) -> list[occupancies.Sort]:
        """Note who does not fit on a host any more, and return them."""
        closed = [
            sort
            for sort, demands in self._waiting.items()
            if demands
            and host in self._able[sort]
            and not self._fits(demands[-1], host)
        ]
        for sort in closed:
            self._able[sort].discard(host)
        return closed

    def _fits(self, demand: snapshots.Demand, host: str) -> bool:
        self._spend(demand, host)
        return self.occupancy.place_for(demand, host) is not None

    def _spend(self, demand: snapshots.Demand, host: str) -> None:
        self._steps -= len(self.occupancy.options.options(demand)[host])
        if self._steps < 0:
            raise _GivenUp
