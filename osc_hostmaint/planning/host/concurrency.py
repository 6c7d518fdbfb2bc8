# SPDX-License-Identifier: Apache-2.0

"""How many moves to start now.

A source host runs ``max_concurrent_live_migrations`` at a time and queues
the rest (nova/compute/manager.py: live_migration). Keeping exactly one in
that queue means that a slot never idles, that the setting is followed
without being known, and that nothing is claimed on a destination long before
it is needed. Only where moves end faster than we look is it two.
"""

import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import timing

#: So many moves give up their places at once whose destination does not begin
#: with them: with more, it is not the destinations.
UNANSWERED = 2
#: Live migrations on their way to the source at once, while it is not known
#: how many it runs: so many, or a part of those that run already. The queue
#: that ends the search is no longer than that.
PROBE = 2
PROBE_PART = 2


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
    #: Moves that their destination has not begun with, and may never: others
    #: have their places.
    unanswered: int = 0

    @property
    def live(self) -> int:
        """All live migrations under way."""
        return self.coming + self.queued + self.running

    @property
    def total(self) -> int:
        """All moves under way."""
        return self.live + self.cold + self.unanswered


def count(
    records: collections.abc.Iterable[model.Migration],
    asked: int,
    cold: int,
    unanswered: int = 0,
) -> InFlight:
    """Count what is under way.

    :param records: live migrations from the host that are in flight.
    :param asked: live migrations asked for that no record shows yet.
    :param cold: other moves asked for or in flight.
    :param unanswered: those whose place others may have.
    """
    coming, queued, running = asked, 0, 0
    for record in records:
        if record.status == nova_states.MigrationStatus.ACCEPTED:
            coming += 1
        elif record.status == nova_states.MigrationStatus.QUEUED:
            queued += 1
        else:
            running += 1
    return InFlight(coming, queued, running, cold, unanswered)


def learn_slots(slots: int | None, now: InFlight) -> int | None:
    """Return how many live migrations the source runs at once, so far.

    Every migration is `queued` for a moment, so a queue may be seen while
    slots are free. The number then is too low; as soon as more are running
    it counts as unknown again. It never falls: a slot that is changing hands
    looks like one that is not there.
    """
    if slots is not None and now.running > slots:
        slots = None
    if now.queued and not now.coming and now.running:
        return max(slots or 0, now.running)
    return slots


def queue_length(between: float | None) -> int:
    """Return how many live migrations are to wait on the source.

    :param between: seconds between two ends, None while unknown.
    """
    return (
        2 if between is not None and between < timing.QUICK_ENDS_SECONDS else 1
    )


def live_starts(now: InFlight, slots: int | None, queue: int = 1) -> int:
    """Return how many live migrations to start, without other limits.

    :param queue: how many are to wait on the source.
    """
    if now.queued >= queue:
        return 0
    if slots is None:
        probe = max(PROBE, now.running // PROBE_PART)
        return 0 if now.queued else max(0, probe - now.coming)
    # With all slots full and none waiting that is one more, which also finds
    # out whether there are more slots by now.
    return max(0, max(slots, now.running) + queue - now.live)


def allot(
    now: InFlight,
    slots: int | None,
    parallel: int | None,
    live_waiting: int,
    cold_waiting: int,
    queue: int = 1,
    cold_window: int = timing.COLD_MIGRATIONS_AT_ONCE,
) -> tuple[int, int]:
    """Return how many live and how many cold migrations to start now.

    :param parallel: at most so many moves under way in all; None: no limit
        but Nova's queue, and a small window of cold migrations.
    :param queue: how many live migrations are to wait on the source.
    :param cold_window: how many moves without a queue may be under way.
    """
    live = min(live_starts(now, slots, queue), live_waiting)
    if parallel is None:
        return live, min(max(0, cold_window - now.cold), cold_waiting)
    room = max(0, parallel - now.total)
    live = min(live, room)
    return live, min(room - live, cold_waiting)
