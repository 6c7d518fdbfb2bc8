# SPDX-License-Identifier: Apache-2.0

"""Which source the next server is taken from that comes home."""

from collections import abc
import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Queue:
    """What is to come home from one source."""

    source: str
    #: Servers that are not on their way yet.
    waiting: int
    #: How many of them may start at once.
    wanted: int


def share_out(
    places: float,
    queues: abc.Sequence[Queue],
    in_flight: abc.Mapping[str, int],
    asking: int,
) -> list[int]:
    """Return how many places come to each of several queues.

    Each place goes to the source with the fewest moves in flight; among equal
    ones to that with the most servers waiting. A source runs its moves one
    after another, so that is where the next server has to wait least.

    :param places: free ones, at the home that all of them want to get to.
    :param in_flight: this restore's moves, by source.
    :param asking: the index of the queue that comes first among equal ones.
    """
    moving = dict(in_flight)
    waiting = {queue.source: 0 for queue in queues}
    for queue in queues:
        waiting[queue.source] += queue.waiting
    given = [0] * len(queues)
    while sum(given) < places:
        candidates = [
            (moving.get(q.source, 0), -waiting[q.source], i != asking, i)
            for i, q in enumerate(queues)
            if q.wanted > given[i]
        ]
        if not candidates:
            break
        *_order, first = min(candidates)
        given[first] += 1
        source = queues[first].source
        moving[source] = moving.get(source, 0) + 1
        waiting[source] -= 1
    return given
