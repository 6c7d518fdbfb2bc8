# SPDX-License-Identifier: Apache-2.0

"""Whether a host is powered off, so that its servers may be rebuilt.

A server that runs on two hosts corrupts its data. So Nova must show the host
as down, somebody must vouch that it is powered off, and no heartbeat may
arrive for a while.
"""

from collections import abc
import dataclasses
import enum

from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint.planning import timing


def against(service: model.Service, *, fenced: bool) -> str:
    """Return why a host cannot be evacuated now, or ''.

    :param fenced: the operator vouches that it is powered off.
    """
    if fenced or service.forced_down or not service.up:
        return ''
    return (
        f'the compute service on {service.host} is up, and Nova evacuates '
        'servers only from a host whose service is down. If the host is '
        'alive, drain it without --evacuate. If it has just died, Nova '
        'notices after service_down_time, 60 s by default; if it is powered '
        'off, use --fenced to go on at once'
    )


def doubt(service: model.Service, *, fenced: bool) -> str:
    """Return why a host may not be powered off, '' if somebody vouches.

    Somebody has to be asked then. Whoever forced it down has vouched for it.
    """
    if fenced or service.forced_down:
        return ''
    return (
        f'{service.host} sends no heartbeats, but may not be powered off. If '
        'it is still running, evacuating corrupts data. Once it is powered '
        'off, run this again with --fenced'
    )


def fenced(service: model.Service) -> model.Service:
    """Return a compute service as it will be before the first evacuation."""
    return dataclasses.replace(service, up=False, forced_down=True)


class Heartbeat(enum.Enum):
    """What a second look at a compute service shows about heartbeats."""

    #: Nothing was heard of it.
    SILENT = enum.auto()
    #: Somebody has changed it: that tells nothing.
    CHANGED = enum.auto()
    #: It sends heartbeats, or Nova takes it for up.
    ALIVE = enum.auto()


def compare(before: model.Service, after: model.Service) -> Heartbeat:
    """Return what two looks at a compute service show about heartbeats."""
    if after.up:
        return Heartbeat.ALIVE
    if dataclasses.replace(before, updated_at=after.updated_at) != after:
        return Heartbeat.CHANGED
    if before.updated_at != after.updated_at:
        return Heartbeat.ALIVE
    return Heartbeat.SILENT


def was_heard(before: model.Service, after: model.Service) -> bool:
    """Tell whether a host sent a heartbeat, or Nova does not say when."""
    if before.updated_at is None or after.updated_at is None:
        return True
    passed = (after.updated_at - before.updated_at).total_seconds()
    return passed > timing.ROUNDING_SECONDS


def alive(service: model.Service) -> str:
    """Return why a host that sends heartbeats is not evacuated."""
    at = ''
    if service.updated_at:
        at = f' (last at {mark.iso(service.updated_at)})'
    return (
        f'{service.host} still sends heartbeats{at}: the host is still alive; '
        'evacuation refused'
    )


def question(hosts: abc.Sequence[str], servers: int, losing: int) -> str:
    """Return the question to ask before hosts are forced down.

    :param servers: how many are to be evacuated off them.
    :param losing: how many of these lose their local disks.
    """
    where, one = ', '.join(hosts), len(hosts) == 1
    sends, them = ('sends', 'it is') if one else ('send', 'one of them is')
    return (
        f'{where} {sends} no heartbeats. If {them} still running, evacuating '
        f'corrupts data. Servers to rebuild elsewhere: {servers} ({losing} of '
        'them lose their local disks, unless the hosts share these). '
        f'{"Is" if one else "Are"} {where} {"" if one else "all "}powered off?'
    )


def denied(host: str) -> str:
    """Return why a host that may not be powered off is left alone."""
    return (
        f'{host} may not be powered off, so nothing was changed on it: power '
        'it off and run this again'
    )
