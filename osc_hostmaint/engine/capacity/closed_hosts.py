# SPDX-License-Identifier: Apache-2.0

"""Hosts that can't take another move just now."""

import collections
from collections import abc
import dataclasses
import math


@dataclasses.dataclass(frozen=True, slots=True)
class ClosedHosts:
    """Which hosts a move must not be sent to just now."""

    #: How many moves are on their way to each host, and to any, if that is
    #: not known; and how many may be.
    counts: collections.Counter[str]
    unknown: int
    bound: int | None
    #: Hosts that have not begun with what was sent there.
    unanswered: abc.Set[str]
    proven: abc.Set[str]
    #: Those not proven that a move is on its way to, '' if that may be any.
    probed: abc.Set[str]

    def places(self, host: str) -> float:
        """Return how many more moves a host may have; '' if it may be any."""
        if self.bound is None:
            return math.inf
        counts = self.counts
        # Where the scheduler picks, it may be the fullest.
        most = counts[host] if host else max(counts.values(), default=0)
        return max(0, self.bound - most - self.unknown)

    def holds(self, host: str) -> bool:
        """Tell whether a host is one of them; '' if it may be any."""
        if not self.places(host):
            return True
        if host in self.unanswered or host in self.probed:
            return True
        return host not in self.proven and bool(
            self.probed if not host else '' in self.probed
        )
