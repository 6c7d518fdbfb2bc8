# SPDX-License-Identifier: Apache-2.0

"""Whether and how a host is put into maintenance or back into service."""

from collections import abc
import dataclasses
import datetime
import enum

from osc_hostmaint import mark as marks
from osc_hostmaint import model


class Step(enum.Enum):
    """What to do with a compute service."""

    NOTHING = enum.auto()
    DISABLE = enum.auto()
    ENABLE = enum.auto()
    #: Undo the force-down, look at the service again, and decide again.
    FORCE_UP = enum.auto()
    REFUSE = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Transition:
    """What to do with a compute service, and why."""

    step: Step
    #: With DISABLE: what to write.
    mark: marks.Mark | None = None
    #: With REFUSE: why not, and what can be done.
    reason: str = ''


def changed_by_others(seen: model.Service, now: model.Service) -> str:
    """Return that somebody has changed a compute service meanwhile, or ''.

    :param seen: as it was when it was decided to change it.
    """
    if now.settings == seen.settings:
        return ''
    state, reason = 'disabled by somebody else', now.disabled_reason
    if now.enabled:
        state, reason = 'enabled', None
    elif now.mark:
        since, reason = marks.iso(now.mark.since), now.mark.reason
        state = f'in maintenance since {since} by {now.mark.by}'
    if reason:
        state += f' (reason: {reason!r})'
    if now.forced_down:
        state += ', and forced down'
    elif seen.forced_down:
        state += ', and no longer forced down'
    return (
        f'{now.host} was changed by somebody else while this command ran: it '
        f'is now {state}. It was left like that: ask them, then run this again'
    )


def overwritten(since: datetime.datetime, now: model.Service) -> str:
    """Return that somebody has overwritten the mark of a maintenance, or ''.

    Its host may be enabled by now, which is another matter.

    :param since: when the maintenance began.
    """
    mark, reason = now.mark, now.disabled_reason
    if now.enabled or (mark and mark.since == since):
        return ''
    later = 'A later restore needs'
    if not mark:
        later = 'Later commands need --force, and restore'
    return (
        'somebody else has overwritten its mark; this run goes on. '
        f'{later} --since {marks.iso(since)}. '
        f'Disabled reason now: {repr(reason) if reason else "none"}'
    )


def to_maintenance(
    service: model.Service,
    *,
    by: str,
    reason: str | None,
    force: bool,
    now: datetime.datetime,
) -> Transition:
    """Decide how to put a host into maintenance.

    :param reason: None keeps the current one.
    :param force: take over a host that somebody else disabled.
    """
    old = service.mark
    if old is not None:
        if reason is None or reason == old.reason:
            return Transition(Step.NOTHING)
        new = dataclasses.replace(old, reason=reason)
        return Transition(Step.DISABLE, new)
    novas = marks.is_novas(service.disabled_reason)
    if not (service.enabled or novas or force):
        against = f'{disabled_by_others(service)}: use --force to take it over'
        return Transition(Step.REFUSE, reason=against)
    since = now.replace(microsecond=0)
    return Transition(Step.DISABLE, marks.Mark(since, by, reason or ''))


def to_operation(
    service: model.Service,
    *,
    leaving: abc.Collection[model.Migration],
    hypervisors_down: abc.Collection[str],
    uncleaned: int,
    taken_back: bool,
    force: bool,
) -> Transition:
    """Decide how to put a host back into service.

    A host that is enabled is left alone. One that is forced down is enabled
    by nobody but another tool: here the force-down is undone first.

    :param leaving: records of moves off the host that are under way.
    :param hypervisors_down: hostnames of its hypervisors that are down.
    :param uncleaned: how many evacuated servers nova-compute has not cleaned
        up on the host.
    :param taken_back: the force-down was just undone.
    :param force: ignore the reasons to refuse.
    """
    if service.enabled:
        if service.forced_down and uncleaned:
            against = _uncleaned(
                f'{service.host} is enabled, but forced down, and',
                service.host,
            )
            return Transition(Step.REFUSE, reason=against)
        return Transition(Step.NOTHING)
    against = '' if force else _against_touching(service, leaving)
    if not against and service.forced_down and not taken_back:
        # Until then Nova does not tell whether the service is alive.
        return Transition(Step.FORCE_UP)
    if not against and not force:
        against = _against_operation(service, hypervisors_down, uncleaned)
        if against and taken_back and not service.forced_down:
            host = service.host
            against += f'. {host} is no longer forced down, but stays disabled'
    if not against:
        return Transition(Step.ENABLE)
    against += '; use --force to enable it anyway'
    return Transition(Step.REFUSE, reason=against)


def not_forced_up(host: str, refusal: str) -> str:
    """Return what to do if Nova refuses to undo a force-down."""
    against = _uncleaned(f'{host} stays forced down, as', host)
    return f'{against}. {host} stays disabled. {refusal}'


def _uncleaned(beginning: str, host: str) -> str:
    """Return what to do about evacuated servers that may still run there."""
    return (
        f'{beginning} servers that were evacuated from {host} are not cleaned '
        f'up there yet. Start nova-compute on {host} first (restart it if it '
        'is running), which cleans up as it starts, then run openstack host '
        f'maintenance unset {host} again'
    )


def _against_touching(
    service: model.Service, leaving: abc.Collection[model.Migration]
) -> str:
    """Return why the host must not be changed at all, or ''."""
    host = service.host
    if service.mode is not model.Mode.MAINTENANCE:
        theirs = disabled_by_others(service)
        return f'{theirs}, who may have overwritten its mark: ask them'
    if not leaving:
        return ''
    noun = 'move is' if len(leaving) == 1 else 'moves are'
    words = f'{len(leaving)} {noun} still under way from {host}'
    evacuated = any(m.type == model.MigrationType.EVACUATION for m in leaving)
    if service.up or evacuated:
        return f'{words}: wait for the end and run this again'
    return (
        f'{words}, but the compute service there is down and cannot finish: '
        'start nova-compute there and run this again'
    )


def _against_operation(
    service: model.Service,
    hypervisors_down: abc.Collection[str],
    uncleaned: int,
) -> str:
    """Return why servers would fail on the host, or ''."""
    host = service.host
    if not service.up:
        return (
            f'the compute service on {host} is down, so every server '
            'scheduled to it would fail: start nova-compute first (Nova '
            'notices some seconds later)'
        )
    if hypervisors_down:
        names = ', '.join(sorted(hypervisors_down))
        one = len(hypervisors_down) == 1
        return (
            f'the {"hypervisor" if one else "hypervisors"} {names} of {host} '
            f'{"is" if one else "are"} down: see openstack hypervisor list'
        )
    if uncleaned:
        noun = 'server' if uncleaned == 1 else 'servers'
        return (
            f'{uncleaned} {noun} evacuated from {host} may still run there: '
            'restart nova-compute on it, which cleans up as it starts'
        )
    return ''


def disabled_by_others(service: model.Service) -> str:
    text = service.disabled_reason
    reason = f'their reason: {text!r}' if text else 'without a reason'
    return f'{service.host} was disabled by somebody else ({reason})'
