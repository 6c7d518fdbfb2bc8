# SPDX-License-Identifier: Apache-2.0

"""Faults of the API, made to order.

A fault is chosen by a function from a request to what goes wrong with it,
or None; several combine with :func:`either`.
"""

from collections import abc
import dataclasses
import functools

from osc_hostmaint import exceptions

Unavailable = exceptions.Unavailable


@dataclasses.dataclass(frozen=True)
class Request:
    """One request of a client, as it was sent."""

    number: int
    time: float
    #: The gateway's method.
    kind: str
    #: The server or host it is about.
    subject: str = ''
    #: The only destination that a move may have.
    host: str = ''

    @property
    def changes(self) -> bool:
        return self.kind in POSTS

    @property
    def lists(self) -> bool:
        return self.kind in LISTS


POSTS = frozenset(
    (
        *('live_migrate', 'cold_migrate', 'evacuate', 'reset', 'confirm'),
        *('tag', 'untag', 'resume', 'suspend', 'shelve', 'offload'),
        *('abort', 'force_complete'),
    )
)
#: Lists that are asked of all cells.
OF_CELLS = frozenset(
    (
        *('services', 'servers', 'tagged', 'deleted', 'migrations'),
        *('migrations_in_flight', 'unconfirmed', 'evacuated', 'evacuations'),
        *('left', 'moves'),
    )
)
LISTS = OF_CELLS | {
    *('allocations', 'allocation_candidates', 'hypervisors', 'residents'),
    *('groups', 'aggregates'),
}
#: What Placement is asked, and not Nova.
PLACEMENT = frozenset({'allocations', 'allocation_candidates'})


@dataclasses.dataclass(frozen=True)
class Fault:
    """What goes wrong with a request."""

    error: abc.Callable[[], BaseException]
    #: What was asked for is done all the same.
    took: bool = False
    #: How long after the answer got lost it is done, in seconds.
    late: float = 0.0
    #: How long no answer comes, in seconds.
    seconds: float = 0.0


_unavailable = functools.partial(Unavailable, 'Nova: no answer (HTTP 503)')
#: The answer is lost, what was asked for is not.
LOST = Fault(_unavailable, took=True)
#: The request is lost.
DROPPED = Fault(_unavailable)
#: The same, after a minute's wait.
LOST_LATE = Fault(_unavailable, took=True, seconds=60.0)
DROPPED_LATE = Fault(_unavailable, seconds=60.0)
#: It fails, and is carried out all the same a while later.
SLOW = Fault(_unavailable, took=True, late=15.0)
TOO_MANY = Fault(
    lambda: Unavailable('Nova: slow down (HTTP 429)', in_doubt=False)
)
REFUSED = Fault(
    lambda: exceptions.RequestRefused('Nova: not like this (HTTP 409)')
)
NOT_PERMITTED = Fault(
    lambda: exceptions.NotPermitted('Nova: policy says no (HTTP 403)')
)
#: For a cloud's ``placement``.
PLACEMENT_FORBIDS = Fault(
    lambda: exceptions.NotPermitted('Placement: policy says no (HTTP 403)')
)
PLACEMENT_DOWN = Fault(lambda: Unavailable('Placement: no answer (HTTP 503)'))

#: What may go wrong with any request.
ANY = (LOST, DROPPED, LOST_LATE, DROPPED_LATE, SLOW, TOO_MANY, REFUSED)

Faults = abc.Callable[[Request], Fault | None]


def none(_request: Request) -> Fault | None:
    return None


def numbered(faults: abc.Mapping[int, Fault]) -> Faults:
    """Choose requests by number; of those that only read, only outages.

    The gateway asks again for what only reads, so what gets through to the
    engine is an outage.
    """

    def choose(request: Request) -> Fault | None:
        fault = faults.get(request.number)
        return DROPPED if fault and not request.changes else fault

    return choose


def posts(faults, kind='') -> Faults:
    """Choose the first requests that change something, in turn."""
    left = iter(faults)
    return lambda request: (
        next(left, None)
        if request.changes and kind in ('', request.kind)
        else None
    )


def outage(begin: float, end: float) -> Faults:
    return lambda request: DROPPED if begin <= request.time < end else None
