# SPDX-License-Identifier: Apache-2.0

"""The exact answer to whether servers fit, by trying all ways."""

from osc_hostmaint.planning.capacity import occupancy as occupancies

#: Problems take longer than is worth it from so many steps on.
STEPS = 200_000


class _TooLong(Exception):
    """There are too many ways to try all."""


def fits(task: occupancies.Task) -> bool | None:
    """Tell whether there is a way to place all; None: it takes too long."""
    try:
        return _Search(task).run()
    except _TooLong:
        return None


class _Search:
    """Tries all ways, those with the fewest options first."""

    def __init__(self, task: occupancies.Task):
        self._floor = occupancies.Occupancy(task)
        self._demands = sorted(
            task.demands,
            key=lambda d: (
                len(task.options.options(d)),
                task.options.kind(d),
                self._floor.group_members.group(d.server.id) is not None,
            ),
        )
        self._steps = 0

    def run(self, at: int = 0, least: str = '') -> bool:
        """Tell whether the servers from one on have a way.

        :param least: hosts before this one were tried for a server alike.
        """
        if at == len(self._demands):
            return True
        self._steps += 1
        if self._steps > STEPS:
            raise _TooLong
        demand = self._demands[at]
        if not self._all_have_a_place(at):
            return False
        for host in sorted(self._floor.options.options(demand)):
            if host < least:
                continue
            candidate = self._floor.candidate(demand, host)
            if candidate is None or not self._floor.allows(demand, host):
                continue
            self._floor.put(demand, host, candidate)
            alike = self._alike(at, at + 1)
            found = self.run(at + 1, host if alike else '')
            self._floor.remove(demand)
            if found:
                return True
        return False

    def _all_have_a_place(self, at: int) -> bool:
        return all(
            any(
                self._floor.candidate(demand, host)
                for host in self._floor.options.options(demand)
            )
            for demand in self._demands[at:]
        )

    def _alike(self, one: int, other: int) -> bool:
        if other >= len(self._demands):
            return False
        pair = self._demands[one], self._demands[other]
        kinds = {self._floor.options.kind(d) for d in pair}
        grouped = any(
            self._floor.group_members.group(d.server.id) for d in pair
        )
        return len(kinds) == 1 and not grouped
