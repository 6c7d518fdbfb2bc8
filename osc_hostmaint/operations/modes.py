# SPDX-License-Identifier: Apache-2.0

"""Setting and unsetting maintenance."""

from collections import abc
import dataclasses
import logging

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint import text
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway as gateways
from osc_hostmaint.operations import clock
from osc_hostmaint.operations import hosts
from osc_hostmaint.operations import requests
from osc_hostmaint.operations import resumed
from osc_hostmaint.planning import service_transition
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import heartbeat as heartbeats

DrainRequest = requests.DrainRequest
Gateway = gateways.Gateway
Service = model.Service
LOG = logging.getLogger(__name__)


def set_maintenance(gateway: Gateway, request: DrainRequest) -> Service:
    """Put a host into maintenance: no new server lands on it."""
    (host,) = request.hosts
    return _mark(gateway, hosts.find(gateway, host), request)


def _mark(
    gateway: Gateway, service: Service, request: DrainRequest
) -> Service:
    marked = _marked(gateway, service, request)
    if marked.mark:
        news = events.MaintenanceSet(marked.host, marked.mark)
        request.report.publish(news)
    return marked


def _marked(
    gateway: Gateway, service: Service, request: DrainRequest
) -> Service:
    foreseen = foresee(gateway, service, request)
    if foreseen is service:
        return service
    now = hosts.look_again(gateway, service.host)
    if now.settings != service.settings:
        if foresee(gateway, now, request) is now:
            # Somebody else has put it into maintenance: that will do.
            return now
        if not mark.is_novas(now.disabled_reason):
            hosts.check_unchanged(service, now)
    marked = gateway.disable(now, foreseen.disabled_reason or '')
    if request.force:
        _say_erased(now)
    return marked


def _say_erased(service: Service) -> None:
    """Print somebody else's reason, which nobody can look up any more."""
    reason = service.disabled_reason
    theirs = service.mode is model.Mode.DISABLED and reason
    if theirs and not mark.is_novas(reason):
        LOG.warning(
            _(
                '%(host)s: --force erased the reason of whoever disabled it: '
                '%(reason)r'
            ),
            {'host': service.host, 'reason': reason},
        )


def foresee(
    gateway: Gateway, service: Service, request: DrainRequest
) -> Service:
    """Return a service as it would be in maintenance.

    It is the same object if the host is in maintenance already.

    :raises Refused: somebody else disabled it.
    :raises SilentCell: its cell does not answer.
    :raises InvalidMark: the reason does not fit.
    """
    names.check_answers(service)
    user = text.printable(gateway.user_name())
    decided = service_transition.to_maintenance(
        service,
        by=user,
        reason=request.reason,
        force=request.force,
        now=gateway.now(),
    )
    if decided.step is service_transition.Step.REFUSE:
        raise exceptions.Refused(decided.reason)
    if (new := decided.mark) is None:
        return service
    if new.by == user:
        new = mark.with_room(new, text.printable(gateway.user_id()))
    return dataclasses.replace(
        service,
        enabled=False,
        disabled_reason=mark.write(new),
        false_mark=False,
    )


def unset_maintenance(
    gateway: Gateway,
    host: str,
    report: ports.Reporter,
    *,
    force: bool,
    restoring: bool = False,
) -> Service:
    """Put a host back into service.

    :param restoring: a restore follows, so the restore command is not
        printed.
    """
    before = hosts.find(gateway, host)
    now = _unset(gateway, before, force=force, restoring=restoring)
    if not before.enabled:
        report.publish(events.MaintenanceUnset(host, before.mark))
    return now


def _unset(
    gateway: Gateway, service: Service, *, force: bool, restoring: bool
) -> Service:
    seen, host = service, service.host
    leaving = []
    if not service.enabled and not force:
        leaving = [
            record
            for record, _server in hosts.moving(
                gateway, gateway.migrations(host)
            )
            if record.source == host
        ]
    taken_back, may_wait = False, not force
    while True:
        down, uncleaned = [], 0
        if service.up and not (force or service.enabled):
            states = gateway.hypervisor_states(host)
            down = [name for name, up in states.items() if not up]
            uncleaned = len(gateway.evacuated(host))
        elif service.enabled and service.forced_down:
            uncleaned = len(gateway.evacuated(host))
        decided = service_transition.to_operation(
            service,
            leaving=leaving,
            hypervisors_down=down,
            uncleaned=uncleaned,
            taken_back=taken_back,
            force=force,
        )
        match decided.step:
            case service_transition.Step.FORCE_UP:
                service = _force_up(gateway, seen, force=force)
                seen = dataclasses.replace(seen, forced_down=False)
                taken_back, may_wait = True, False
            case service_transition.Step.ENABLE:
                service = hosts.look_again(gateway, host)
                if service.enabled:
                    return service
                hosts.check_unchanged(seen, service)
                enabled = gateway.enable(service)
                _say_erased(service)
                resumed.say_who_is_tagged(gateway, service)
                if not restoring:
                    _say_how_to_restore(service)
                return enabled
            case service_transition.Step.REFUSE:
                may_wait = may_wait and not (service.up or leaving)
                if not (may_wait and service.mark):
                    raise exceptions.Refused(decided.reason)
                service = _wait_for_heartbeat(gateway, service)
                may_wait = False
            case _:
                return service


def _say_how_to_restore(service: Service) -> None:
    """Print the command that brings back the servers of a host.

    :param service: as it was before it was enabled.
    """
    if service.mark:
        since = mark.iso(service.mark.since)
        to_restore = _('the servers that left in the maintenance')
    else:
        since = _('<time>')
        to_restore = _('servers that left since a time')
    LOG.warning(
        _(
            '%(host)s is in service again. To bring back %(to_restore)s, '
            'run: openstack host maintenance restore %(host)s --since '
            '%(since)s'
        ),
        {'host': service.host, 'to_restore': to_restore, 'since': since},
    )


def _force_up(gateway: Gateway, seen: Service, *, force: bool) -> Service:
    """Undo the force-down of a service, and return the service."""
    service = hosts.look_again(gateway, seen.host)
    hosts.check_unchanged(seen, service)
    try:
        before = gateway.force_down(service, down=False)
    except exceptions.RequestRefused as error:
        raise exceptions.Refused(
            service_transition.not_forced_up(service.host, str(error))
        ) from error
    if force:
        return hosts.find(gateway, service.host)
    return _wait_for_heartbeat(gateway, before)


def _wait_for_heartbeat(gateway: Gateway, before: Service) -> Service:
    """Wait up to 20 s for a heartbeat of a host, and return its service.

    Nova still shows a host as up that died a moment ago, and as down one
    whose nova-compute was started a moment ago.
    """
    ticking = clock.Clock()
    deadline = ticking.now() + timing.SILENCE_SECONDS
    said = False
    while True:
        service = hosts.find(gateway, before.host)
        if service.up and heartbeats.was_heard(before, service):
            return service
        if ticking.now() >= deadline or gateway.pause.stopping():
            return dataclasses.replace(service, up=False)
        if not said:
            why = _('nova-compute may just have been started')
            if service.up:
                why = _(
                    'Nova shows a host as up for a while after it has died'
                )
            LOG.warning(
                _(
                    '%(host)s: waiting for a heartbeat, at most '
                    '%(seconds).0f s: %(why)s'
                ),
                {
                    'host': before.host,
                    'seconds': timing.SILENCE_SECONDS,
                    'why': why,
                },
            )
            said = True
        ticking.sleep(timing.HEARTBEAT_CHECK_SECONDS)


def mark_all(
    gateway: Gateway, services: abc.Iterable[Service], request: DrainRequest
) -> tuple[list[Service], dict[str, str]]:
    """Put hosts into maintenance; return those that are, and errors.

    Once the user interrupts a drain, or its time is up, no other host is put
    there. Hosts to evacuate are: they are forced down already.
    """
    ready: list[Service] = []
    errors: dict[str, str] = {}
    named = {service.host: service for service in services}
    preparation = reporting.Preparation(request.report, clock.Clock())
    for host in preparation.each(named, _('setting maintenance')):
        if request.is_over() and not request.policy.evacuate:
            break
        try:
            with hosts.collect(errors, host):
                ready.append(_mark(gateway, named[host], request))
        except KeyboardInterrupt:
            if request.policy.evacuate or not request.interrupt.requested:
                raise
            words = _(
                '%(host)s may be in maintenance, as its request was '
                'interrupted: see openstack host maintenance show %(host)s'
            )
            errors[host] = words % {'host': host}
    return ready, errors
