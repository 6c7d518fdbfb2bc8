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

"""Hosts that the scheduler does not want to hear of.

Why it refuses a host it does not tell: another cell, a filter of one's own.
What it would not do for one server it will mostly not do for the next.
"""

import collections

#: A host that was refused so often, and never taken, is not picked any more.
ENOUGH = 2


class Refusals:
    """Which picks the scheduler refused, and which it took."""

    def __init__(self) -> None:
        self._refused: collections.Counter[tuple[str, str]] = (
            collections.Counter()
        )
        self._taken: set[tuple[str, str]] = set()

    def refused(self, source: str, dest: str) -> None:
        """Take note that a server of a host was not to go to another."""
        self._refused[source, dest] += 1

    def taken(self, source: str, dest: str) -> None:
        """Take note that one goes there."""
        self._taken.add((source, dest))

    def shunned(self, source: str) -> frozenset[str]:
        """Return the hosts not to be picked for servers of a host."""
        return frozenset(
            dest
            for (origin, dest), times in self._refused.items()
            if origin == source
            and times >= ENOUGH
            and (origin, dest) not in self._taken
        )
