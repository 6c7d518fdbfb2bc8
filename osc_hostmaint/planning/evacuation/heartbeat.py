# SPDX-License-Identifier: Apache-2.0

"""Is a host surely off? Only then are its servers built anew elsewhere.

A server that runs on two hosts ruins what it writes to. So Nova has to take
the host for dead, somebody has to vouch that it is, and nothing may have been
heard of it for a while.
"""

import collections.abc
import dataclasses
import enum

from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint.planning import timing


class Step(enum.Enum):
    """What is to be done before servers may be evacuated."""

    #: Somebody has vouched for it: it is forced down.
    NOTHING = enum.auto()
    FORCE_DOWN = enum.auto()
    #: To ask somebody whether it is powered off, and force it down then.
    ASK = enum.auto()
    REFUSE = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Fence:
    """What is to be done with a compute service, and why."""

    step: Step
    #: With REFUSE, and with ASK where nobody can be asked: why not, and what
    #: can be done.
    reason: str = ''


def judge(service: model.Service, *, fenced: bool) -> Fence:
    """Decide what is to be done before a host is evacuated.

    :param fenced: the operator vouches that it is powered off.
    """
    host = service.host
    if service.forced_down:
        return Fence(Step.NOTHING)
    if fenced:
        return Fence(Step.FORCE_DOWN)
    if service.up:
        return Fence(
            Step.REFUSE,
            f'the compute service on {host} is up, and Nova evacuates servers '
            'only off a host whose service is down. If the host has just '
            'died, Nova notices that once service_down_time, 60 s by '
            'default, has passed since its last heartbeat; --fenced does '
            'not wait, and says that the host is powered off. A host that '
            'is alive is drained without --evacuate',
        )
    return Fence(
        Step.ASK,
        f'nobody vouches that {host} is powered off: a host that has only '
        'lost its network is down for Nova, too, and may still run its '
        'servers, which would run twice then. If it is powered off: --fenced',
    )


def fenced(service: model.Service) -> model.Service:
    """Return a compute service as it will be before the first evacuation."""
    return dataclasses.replace(service, up=False, forced_down=True)


class Sign(enum.Enum):
    """What a second look at a compute service shows."""

    #: Nothing was heard of it.
    SILENT = enum.auto()
    #: Somebody has changed it: that tells nothing.
    CHANGED = enum.auto()
    #: It sends heartbeats, or Nova takes it for up.
    ALIVE = enum.auto()


def compare(before: model.Service, after: model.Service) -> Sign:
    """Return what has come of a compute service between two looks."""
    if after.up:
        return Sign.ALIVE
    if dataclasses.replace(before, updated_at=after.updated_at) != after:
        return Sign.CHANGED
    if before.updated_at != after.updated_at:
        return Sign.ALIVE
    return Sign.SILENT


def was_heard(before: model.Service, after: model.Service) -> bool:
    """Tell whether a host sent a heartbeat, or Nova does not say when."""
    if before.updated_at is None or after.updated_at is None:
        return True
    passed = (after.updated_at - before.updated_at).total_seconds()
    return passed > timing.ROUNDING_SECONDS


def alive(service: model.Service) -> str:
    """Return why a host that was vouched for is not evacuated."""
    at = ''
    if service.updated_at:
        at = f' (last at {mark.iso(service.updated_at)})'
    return (
        f'{service.host} still reports to Nova{at}: it is not powered off. '
        'Nothing was evacuated off it'
    )


def question(
    hosts: collections.abc.Sequence[str], servers: int, losing: int
) -> str:
    """Return what is asked before hosts are forced down.

    :param servers: how many are to be evacuated off them.
    :param losing: how many of these lose their local disks.
    """
    where, one = ', '.join(hosts), len(hosts) == 1
    return (
        f'Nova hears nothing of {where}. A host that has only lost its '
        'network may still run its servers, which would run twice then and '
        f'ruin what they write to. To be rebuilt elsewhere: {servers} '
        f'({losing} of them without what is on their local disks, unless the '
        f'hosts share these). {"Is" if one else "Are"} {where} '
        f'{"" if one else "all "}surely powered off?'
    )


def denied(host: str) -> str:
    """Return why a host is left alone that nobody has vouched for."""
    return (
        f'nothing was changed on {host}: it may not be powered off. Make sure '
        'that it is, and run this again'
    )
