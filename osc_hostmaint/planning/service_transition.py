# SPDX-License-Identifier: Apache-2.0

"""Taking a host out of service and back: may it be done, and how."""

import collections.abc
import dataclasses
import datetime
import enum

from osc_hostmaint import mark as marks
from osc_hostmaint import model


class Step(enum.Enum):
    """What is to be done with a compute service."""

    NOTHING = enum.auto()
    DISABLE = enum.auto()
    ENABLE = enum.auto()
    #: Take back that it is forced down, look at it again, and decide anew.
    FORCE_UP = enum.auto()
    REFUSE = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Switch:
    """What is to be done with a compute service, and why."""

    step: Step
    #: With DISABLE: what to write.
    mark: marks.Mark | None = None
    #: With REFUSE: why not, and what can be done.
    reason: str = ''


def to_maintenance(
    service: model.Service,
    *,
    by: str,
    reason: str | None,
    force: bool,
    now: datetime.datetime,
) -> Switch:
    """Decide how a host gets into maintenance.

    :param reason: None keeps the one that is there.
    :param force: take over a host that somebody else disabled.
    """
    old = service.mark
    if old is not None:
        if reason is None or reason == old.reason:
            return Switch(Step.NOTHING)
        return Switch(
            Step.DISABLE, mark=dataclasses.replace(old, reason=reason)
        )
    others = not service.enabled and not marks.is_novas(
        service.disabled_reason
    )
    if others and not force:
        return Switch(
            Step.REFUSE,
            reason=f'{service.host} was disabled by somebody else '
            f'({_their_reason(service)}); to take it over: --force',
        )
    since = now.replace(microsecond=0)
    return Switch(Step.DISABLE, mark=marks.Mark(since, by, reason or ''))


def to_operation(
    service: model.Service,
    *,
    leaving: collections.abc.Collection[model.Migration],
    hypervisors_down: collections.abc.Collection[str],
    uncleaned: int,
    taken_back: bool,
    force: bool,
) -> Switch:
    """Decide how a host gets back into service.

    One that is enabled is left alone, also if it is forced down: a host in
    maintenance is not enabled before that is taken back.

    :param leaving: records of moves that are still leaving the host.
    :param hypervisors_down: hostnames of its hypervisors that are down.
    :param uncleaned: how many evacuations off it nova-compute has not cleaned
        up after there.
    :param taken_back: it was forced down until a moment ago.
    :param force: whatever speaks against it.
    """
    if service.enabled:
        return Switch(Step.NOTHING)
    against = '' if force else _against_touching(service, leaving)
    if not against and service.forced_down and not taken_back:
        # Until then Nova does not tell whether the service is alive.
        return Switch(Step.FORCE_UP)
    if not against and not force:
        against = _against_operation(service, hypervisors_down, uncleaned)
        if against and taken_back and not service.forced_down:
            against += (
                f'. It is no longer forced down, and {service.host} stays '
                'disabled'
            )
    if against:
        return Switch(
            Step.REFUSE, reason=f'{against}; to enable it anyway: --force'
        )
    return Switch(Step.ENABLE)


def not_forced_up(host: str, words: str) -> str:
    """Return what is to be done where a force-down can't be taken back.

    :param words: Nova's.
    """
    return (
        f'Nova does not take back that {host} is forced down: servers were '
        'evacuated off it that are not cleaned up there yet. Start '
        f'nova-compute on {host}, which cleans up as it starts (restart it '
        'if it was started already), then run openstack host maintenance '
        f'unset {host} again. {host} stays disabled. Nova says: {words}'
    )


def _against_touching(
    service: model.Service,
    leaving: collections.abc.Collection[model.Migration],
) -> str:
    """Return what speaks against touching it at all."""
    host = service.host
    if service.mode is not model.Mode.MAINTENANCE:
        return (
            f'{host} was disabled by somebody else ({_their_reason(service)})'
        )
    if not leaving:
        return ''
    noun = 'move is' if len(leaving) == 1 else 'moves are'
    words = f'{len(leaving)} {noun} still leaving {host}'
    evacuated = any(m.type == model.MigrationType.EVACUATION for m in leaving)
    if service.up or evacuated:
        return f'{words}: wait for the end'
    return (
        f'{words}, and its compute service, which has a part in that, is '
        'down: start nova-compute there, and run this again'
    )


def _against_operation(
    service: model.Service,
    hypervisors_down: collections.abc.Collection[str],
    uncleaned: int,
) -> str:
    """Return why servers would come to grief on it."""
    host = service.host
    if not service.up:
        return (
            f'the compute service on {host} is down, and would fail every '
            'server that the scheduler gives it: start nova-compute first '
            '(Nova notices that some seconds later)'
        )
    if hypervisors_down:
        noun = 'hypervisor' if len(hypervisors_down) == 1 else 'hypervisors'
        verb = 'is' if len(hypervisors_down) == 1 else 'are'
        return (
            f'the {noun} {", ".join(sorted(hypervisors_down))} of {host} '
            f'{verb} down: see openstack hypervisor list'
        )
    if uncleaned:
        noun = 'server' if uncleaned == 1 else 'servers'
        return (
            f'{uncleaned} {noun} evacuated off {host} may still run there: '
            'restart nova-compute on it, which cleans up as it starts'
        )
    return ''


def _their_reason(service: model.Service) -> str:
    text = service.disabled_reason
    return f'their reason: {text!r}' if text else 'without a reason'
