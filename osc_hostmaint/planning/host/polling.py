# SPDX-License-Identifier: Apache-2.0

"""When to look again: often while moves are short, seldom while they are long.

With one live migration in Nova's queue, one look per move is enough to keep
a slot of the source busy, if it comes just after a move has ended: then a
whole move's time is left to refill the queue. So the next end is foretold
from the ends before it. They are taken from Nova's own times, which are as
exact however seldom we look.
"""

from collections import abc
import dataclasses
import math

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import context as contexts
from osc_hostmaint.planning.server import in_flight
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

#: How many moves' times the mean is taken over.
MOVES_KEPT = 5


@dataclasses.dataclass(frozen=True, slots=True)
class MoveTiming:
    """How live migrations have been ending."""

    #: How long one occupies a slot of the source, in seconds.
    move: float
    #: When the next one will end, by our clock.
    next_end: float
    #: Seconds from one end to the next, on average.
    between: float


def estimate_timing(
    ended: abc.Iterable[model.Migration],
    slots: int | None,
    ahead: float = math.inf,
) -> MoveTiming | None:
    """Return how live migrations have been ending, None before the first.

    A slot that one leaves is taken by the next in the queue at once. So the
    ends of as many moves as there are slots repeat, one move's time later.

    :param ended: those that took a slot of the source until they ended.
    :param slots: how many of them the source runs at once.
    :param ahead: what our clock shows more than Nova's, at the most.
    """
    slots = slots or 1
    moves = {
        record: record.updated_at.timestamp()
        for record in ended
        if record.updated_at
    }
    if not moves:
        return None
    # An end may have gone unseen for long: the least is nearest to the truth.
    offset = min(
        ahead, *(record.seen_at - time for record, time in moves.items())
    )
    ends = sorted(moves.values())
    times = [b - a for a, b in zip(ends, ends[slots:], strict=False)]
    if times:
        times = sorted(times[-MOVES_KEPT:])
        if len(times) > 2:
            # The longest may be a pause in which nothing was under way.
            times.pop()
        move = sum(times) / len(times)
    else:
        # The first did not have to wait, the others may have.
        move = min(
            time - record.created_at.timestamp()
            for record, time in moves.items()
        )
    next_end = ends[-slots] + move if len(ends) >= slots else ends[-1]
    return MoveTiming(move, next_end + offset, move / slots)


def interval(
    *,
    now: float,
    ages: abc.Sequence[float],
    move_timing: MoveTiming | None,
    filling: bool,
    settling: bool,
    slots: int | None = None,
    ending: bool = False,
) -> float:
    """Return the seconds until the next look.

    :param ages: how long each move in flight has taken so far.
    :param move_timing: how live migrations have been ending.
    :param filling: moves wait, and the source may have a slot to spare.
    :param settling: something is about to be known in a moment.
    :param slots: how many moves the source runs at once, as far as known.
    :param ending: the last move may end before the next look.
    """
    if filling:
        return timing.LOOK_LEAST_SECONDS
    if settling:
        return timing.LOOK_LAST_STATUS_SECONDS
    if not ages:
        return timing.LOOK_OTHERS_SECONDS
    most = timing.LOOK_MOST_SECONDS
    if move_timing is None:
        # The more run at once, the sooner a second one ends.
        wanted = max(
            timing.LOOK_FIRST_END_SECONDS, timing.LOOK_AGE_PART * max(ages)
        ) / (slots or 1)
    else:
        late = now - move_timing.next_end
        wanted = timing.LOOK_AFTER_END_SECONDS / (slots or 1) - late
        if wanted > 0:
            most = timing.LOOK_MOST_FORETOLD_SECONDS
        else:
            wanted = max(
                timing.LOOK_MOVE_PART * move_timing.move,
                timing.LOOK_DELAY_PART * late,
            )
    if ending:
        # No slot idles, but somebody may be waiting for the end.
        most = timing.LOOK_MOST_AT_THE_END_SECONDS
    return min(most, max(timing.LOOK_LEAST_SECONDS, wanted))


def observed_timing(context: contexts.HostContext) -> MoveTiming | None:
    """Return how live migrations off a host have been ending in this run."""
    memory, ahead = context.memory, context.seen.ahead
    history = memory.history or frozenset()
    ended = (
        r
        for r in context.leaving
        if r.type == model.MigrationType.LIVE
        and (r.ended_well or r.status == nova_states.MigrationStatus.FAILED)
        and r.id not in history
    )
    return estimate_timing(
        ended, memory.slots, math.inf if ahead is None else ahead
    )


def _is_ending(context: contexts.HostContext) -> bool:
    """Tell whether the last move may end before the next look.

    Nothing waits to be started, and one live migration at the most in the
    queue of the source: it may be over as soon as the one before it.
    """
    statuses = context.statuses.values()
    live = [
        s.record
        for s in statuses
        if s.phase is server_status.Phase.MOVING
        and s.record
        and s.record.type == model.MigrationType.LIVE
    ]
    queued = min(
        len(live) - (context.memory.slots or 1),
        sum(not record.begun_at for record in live),
    )
    return queued <= 1 and not any(
        s.phase is server_status.Phase.WAITING for s in statuses
    )


def next_look_in(
    context: contexts.HostContext,
    move_timing: MoveTiming | None,
    *,
    filling: bool,
) -> float:
    """Return the seconds until the next look while anything is open."""
    memory, now, statuses = context.memory, context.now, context.statuses
    ages = [
        now
        - (
            remembered.request(remembered.latest).asked_at
            or remembered.began_at
        )
        for server_id, status in statuses.items()
        if status.phase is server_status.Phase.MOVING
        and (remembered := memory.servers[server_id]).began_at is not None
    ]
    settling = any(
        s.visit
        or s.explain
        or s.soon
        or (s.ask and s.ask not in memories.STARTING)
        for s in statuses.values()
    )
    seconds = interval(
        now=now,
        ages=ages,
        move_timing=move_timing,
        filling=filling,
        settling=settling,
        slots=memory.slots,
        ending=_is_ending(context),
    )
    wake_at = min((s.wake_at for s in statuses.values()), default=math.inf)
    starts_at = context.operation.starts_at(memory)
    if starts_at is not None and starts_at > now:
        # Not at the next look: runs that began together look together.
        wake_at = min(wake_at, starts_at)
    return min(
        seconds,
        max(timing.LOOK_LAST_CHECKS_SECONDS, wake_at - now),
        in_flight.patience(memory, statuses, context.policy, now),
    )
