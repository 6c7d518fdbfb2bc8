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

"""When to look again: often while moves are short, seldom while they are long.

With one live migration in Nova's queue a look may come nearly as late as a
move lasts without a slot running dry, so the pause follows how fast moves
have been ending.
"""

import collections.abc

#: Seconds between two looks, at the least and at the most.
QUICK = 1.0
SLOW = 10.0
#: Between two looks when only others' doings are waited for.
IDLE = 3.0
#: Between two looks when only the last checks are left.
CLOSING = 0.3
#: Of the mean time between two ends. Below 1, so that the queue is refilled
#: before the slot that it feeds is free.
PART_OF_MOVE = 0.8
#: Of the time the oldest move has taken, while none has ended yet.
PART_OF_AGE = 0.5
#: How many ends the mean is taken over.
ENDS_KEPT = 6


def between_ends(ends: collections.abc.Sequence[float]) -> float | None:
    """Return the mean seconds between two ends, None while unknown."""
    if len(ends) < 2:
        return None
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def interval(
    *,
    ages: collections.abc.Sequence[float],
    ends: collections.abc.Sequence[float],
    filling: bool,
    settling: bool,
) -> float:
    """Return the seconds until the next look.

    :param ages: how long each move in flight has taken so far.
    :param ends: when moves ended, oldest first.
    :param filling: moves wait, and the source may have a slot to spare.
    :param settling: something is about to be known in a moment.
    """
    if filling or settling:
        return QUICK
    if not ages:
        return IDLE
    mean = between_ends(ends)
    if mean is None:
        wanted = PART_OF_AGE * max(ages)
    else:
        # A move that takes longer than those before it slows us down again.
        wanted = max(PART_OF_MOVE * mean, PART_OF_AGE * min(ages))
    return min(SLOW, max(QUICK, wanted))
