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

"""How many moves to start now.

A source host runs ``max_concurrent_live_migrations`` at a time and queues
the rest (nova/compute/manager.py: live_migration). Keeping exactly one in
that queue means that a slot never idles, that the setting is followed
without being known, and that nothing is claimed on a destination long before
it is needed.
"""

import collections.abc
import dataclasses

from osc_hostmaint import model

#: Cold migrations have no queue in Nova; each copies a disk.
COLD_WINDOW = 2


@dataclasses.dataclass(frozen=True, slots=True)
class InFlight:
    """What is under way from one host."""

    #: Live migrations asked for or accepted, not on the source yet.
    coming: int = 0
    #: Waiting on the source for a slot.
    queued: int = 0
    #: Taking a slot of the source.
    running: int = 0
    cold: int = 0

    @property
    def live(self) -> int:
        """All live migrations under way."""
        return self.coming + self.queued + self.running

    @property
    def total(self) -> int:
        """All moves under way."""
        return self.live + self.cold


def count(
    records: collections.abc.Iterable[model.Migration], asked: int, cold: int
) -> InFlight:
    """Count what is under way.

    :param records: live migrations from the host that are in flight.
    :param asked: live migrations asked for that no record shows yet.
    :param cold: cold migrations asked for or in flight.
    """
    coming, queued, running = asked, 0, 0
    for record in records:
        if record.status == 'accepted':
            coming += 1
        elif record.status == 'queued':
            queued += 1
        else:
            running += 1
    return InFlight(coming, queued, running, cold)


def learn_slots(slots: int | None, now: InFlight) -> int | None:
    """Return how many live migrations the source runs at once, so far.

    Every migration is `queued` for a moment, so a queue may be seen while
    slots are free; the number then is too low, and rises at the next look.
    """
    if now.queued and not now.coming:
        return now.running or slots
    if slots is not None and now.running > slots:
        return now.running
    return slots


def live_starts(now: InFlight, slots: int | None) -> int:
    """Return how many live migrations to start, without other limits."""
    if now.queued:
        return 0
    if slots is None:
        return max(0, 2 - now.coming)
    # All slots are full and none waits: one more, which also finds out
    # whether there are more slots by now.
    return max(0, max(slots, now.running) + 1 - now.live)


def share(
    now: InFlight,
    slots: int | None,
    parallel: int | None,
    live_waiting: int,
    cold_waiting: int,
) -> tuple[int, int]:
    """Return how many live and how many cold migrations to start now.

    :param parallel: at most so many moves under way in all; None: no limit
        but Nova's queue, and a small window of cold migrations.
    """
    live = min(live_starts(now, slots), live_waiting)
    if parallel is None:
        return live, min(max(0, COLD_WINDOW - now.cold), cold_waiting)
    room = max(0, parallel - now.total)
    live = min(live, room)
    return live, min(room - live, cold_waiting)
