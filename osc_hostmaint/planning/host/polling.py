# SPDX-License-Identifier: Apache-2.0

"""When to look again: often while moves are short, seldom while they are long.

With one live migration in Nova's queue, one look per move is enough to keep
a slot of the source busy, if it comes just after a move has ended: then a
whole move's time is left to refill the queue. So the next end is foretold
from the ends before it. They are taken from Nova's own times, which are as
exact however seldom we look.
"""

import collections.abc
import dataclasses
import math

from osc_hostmaint import model
from osc_hostmaint.planning import timing

#: How many moves' times the mean is taken over.
MOVES_KEPT = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Rhythm:
    """How live migrations have been ending."""

    #: How long one occupies a slot of the source, in seconds.
    move: float
    #: When the next one will end, by our clock.
    next_end: float
    #: Seconds from one end to the next, on average.
    between: float


def rhythm(
    ended: collections.abc.Iterable[model.Migration],
    slots: int | None,
    ahead: float = math.inf,
) -> Rhythm | None:
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
    if len(ends) >= slots:
        next_end = ends[-slots] + move
    else:
        next_end = ends[-1]
    return Rhythm(move, next_end + offset, move / slots)


def interval(
    *,
    now: float,
    ages: collections.abc.Sequence[float],
    rhythm: Rhythm | None,
    filling: bool,
    settling: bool,
    slots: int | None = None,
) -> float:
    """Return the seconds until the next look.

    :param ages: how long each move in flight has taken so far.
    :param rhythm: how live migrations have been ending.
    :param filling: moves wait, and the source may have a slot to spare.
    :param settling: something is about to be known in a moment.
    :param slots: how many moves the source runs at once, as far as known.
    """
    if filling:
        return timing.LOOK_LEAST_SECONDS
    if settling:
        return timing.LOOK_LAST_STATUS_SECONDS
    if not ages:
        return timing.LOOK_OTHERS_SECONDS
    if rhythm is None:
        # The more run at once, the sooner a second one ends.
        wanted = max(
            timing.LOOK_FIRST_END_SECONDS, timing.LOOK_AGE_PART * max(ages)
        ) / (slots or 1)
    elif now < (
        due := rhythm.next_end + timing.LOOK_AFTER_END_SECONDS / (slots or 1)
    ):
        wanted = due - now
        return min(
            timing.LOOK_MOST_FORETOLD_SECONDS,
            max(timing.LOOK_LEAST_SECONDS, wanted),
        )
    else:
        wanted = max(
            timing.LOOK_MOVE_PART * rhythm.move,
            timing.LOOK_DELAY_PART * (now - rhythm.next_end),
        )
    return min(
        timing.LOOK_MOST_SECONDS, max(timing.LOOK_LEAST_SECONDS, wanted)
    )
