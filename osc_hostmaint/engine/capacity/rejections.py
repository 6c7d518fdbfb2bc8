# SPDX-License-Identifier: Apache-2.0

"""Hosts that the scheduler refuses as destinations.

It does not say why: another cell, or a custom filter. A host that it refuses
for one server it usually also refuses for the next one.
"""

import collections

#: A host that was refused so often, and never taken, is not picked any more.
ENOUGH = 2


class RejectedHosts:
    """Which picks the scheduler refused, and which it took."""

    def __init__(self) -> None:
        self._rejected: collections.Counter[tuple[str, str]] = (
            collections.Counter()
        )
        self._accepted: set[tuple[str, str]] = set()

    def note_rejected(self, source: str, dest: str) -> None:
        """Take note that a server of a host was not to go to another."""
        self._rejected[source, dest] += 1

    def note_accepted(self, source: str, dest: str) -> None:
        """Take note that one goes there."""
        self._accepted.add((source, dest))

    def for_source(self, source: str) -> frozenset[str]:
        """Return the hosts not to be picked for servers of a host."""
        return frozenset(
            dest
            for (origin, dest), times in self._rejected.items()
            if origin == source
            and times >= ENOUGH
            and (origin, dest) not in self._accepted
        )
