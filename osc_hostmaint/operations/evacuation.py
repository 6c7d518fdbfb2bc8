# SPDX-License-Identifier: Apache-2.0

"""Preparing an evacuation: confirm, force down, check for heartbeats."""

import collections.abc
import contextlib
import dataclasses

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import heartbeat
from osc_hostmaint.engine import ports
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway as gateways
from osc_hostmaint.operations import capacity
from osc_hostmaint.operations import hosts
from osc_hostmaint.operations import modes
from osc_hostmaint.operations import requests
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import heartbeat as heartbeats
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.progress import lines as progress_lines


@dataclasses.dataclass(slots=True)
class EvacuationTargets:
    """The hosts to evacuate, and how far they are prepared."""

    #: As they were last looked at, by host.
    services: dict[str, model.Service] = dataclasses.field(
        default_factory=dict
    )
    #: Why hosts that may not be powered off are not evacuated, by host.
    doubts: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Those that we have forced down, or tried to.
    forced: set[str] = dataclasses.field(default_factory=set)
    #: Why the others are left alone, by host.
    errors: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Something was changed, or may have been.
    touched: bool = False
    interrupted: bool = False

    def leave(self, host: str, why: str) -> None:
        """Exclude a host, with the reason."""
        del self.services[host]
        self.doubts.pop(host, None)
        self.errors[host] = why

    def interruption(self) -> str:
        """Return how the hosts are left when the user interrupts this."""
        if not self.touched:
            return _('interrupted: nothing was changed')
        return _(
            'interrupted: nothing was evacuated, but hosts are forced down '
            'and in maintenance. Run the same command again to continue, or '
            'openstack host maintenance unset to undo it'
        )


def judge(
    gateway: gateways.Gateway,
    found: collections.abc.Iterable[model.Service],
    request: requests.DrainRequest,
) -> EvacuationTargets:
    """Return which hosts can be evacuated, and why others cannot.

    Nothing is changed.
    """
    targets = EvacuationTargets()
    for service in found:
        host = service.host
        try:
            _foresee(gateway, service, request)
        except exceptions.CloudError:
            raise
        except exceptions.HostMaintenanceError as error:
            targets.errors[host] = str(error)
            continue
        verdict = heartbeats.judge(service, fenced=request.fenced)
        if verdict.step is heartbeats.Step.REFUSE:
            targets.errors[host] = verdict.reason
            continue
        targets.services[host] = service
        if verdict.step is heartbeats.Step.ASK:
            targets.doubts[host] = verdict.reason
    return targets


def foresee(
    gateway: gateways.Gateway,
    targets: EvacuationTargets,
    request: requests.DrainRequest,
) -> list[model.Service]:
    """Return the hosts' services as they will be evacuated."""
    return [
        heartbeats.fenced(_foresee(gateway, service, request))
        for service in targets.services.values()
    ]


def _foresee(
    gateway: gateways.Gateway,
    service: model.Service,
    request: requests.DrainRequest,
) -> model.Service:
    return modes.foresee(
        gateway, service, reason=request.reason, force=request.force
    )


def prepare(
    gateway: gateways.Gateway,
    clock: ports.Clock,
    request: requests.DrainRequest,
    targets: EvacuationTargets,
    services: hosts.Services,
) -> dry_run.DryRun | None:
    """Check the capacity, then force the hosts down and mark them.

    Hosts for which this fails, or which still send heartbeats, are excluded.

    :raises Refused: the servers do not fit elsewhere; nothing is touched.
    """
    if request.confirm is None:
        for host, why in tuple(targets.doubts.items()):
            targets.leave(host, why)
    if not targets.services:
        return None
    try:
        return _prepare(gateway, clock, request, targets, services)
    except KeyboardInterrupt:
        targets.interrupted = True
        return None


def _prepare(
    gateway: gateways.Gateway,
    clock: ports.Clock,
    request: requests.DrainRequest,
    targets: EvacuationTargets,
    services: hosts.Services,
) -> dry_run.DryRun:
    looked_at, wanted = clock.now(), set(targets.services)
    sources = foresee(gateway, targets, request)
    seen = dry_run.look(gateway, clock, services, sources, request.policy)
    capacity.check(request, sources, seen, progress_lines.UNTOUCHED)
    for row in seen.preview.rows:
        if row.local_disk:
            words = progress_lines.loss(row)
            request.report.publish(events.Trouble(row.host, words))
    if not request.interrupt.requested:
        _ask(targets, seen, request)
    targets.interrupted = request.interrupt.requested
    if targets.services and not targets.interrupted:
        _take_down(gateway, clock, request, targets)
    stale = clock.now() - looked_at >= timing.CLOUD_VIEW_VALID_SECONDS
    stale = stale or wanted != set(targets.services)
    if stale and targets.services and not targets.interrupted:
        with contextlib.suppress(exceptions.Unavailable):
            return dry_run.look(
                gateway,
                clock,
                hosts.all_services(gateway),
                tuple(targets.services.values()),
                request.policy,
            )
    return seen


def _ask(
    targets: EvacuationTargets,
    seen: dry_run.DryRun,
    request: requests.DrainRequest,
) -> None:
    """Ask whether the hosts without --fenced are powered off."""
    doubted = sorted(targets.doubts)
    if not doubted or request.confirm is None:
        return
    rows = [
        row
        for row in seen.preview.rows
        if row.host in targets.doubts and row.move == model.Move.EVACUATION
    ]
    losing = sum(row.local_disk is True for row in rows)
    if not request.confirm(heartbeats.question(doubted, len(rows), losing)):
        for host in doubted:
            targets.leave(host, heartbeats.denied(host))


def _take_down(
    gateway: gateways.Gateway,
    clock: ports.Clock,
    request: requests.DrainRequest,
    targets: EvacuationTargets,
) -> None:
    """Force hosts down, mark them, and check that no heartbeats arrive.

    Hosts for which this fails are excluded.
    """
    _look_again(gateway, targets, fenced=request.fenced)
    if request.interrupt.requested:
        targets.interrupted = True
        return
    targets.touched = True
    _force_down(gateway, targets)
    marked, errors = modes.mark_all(
        gateway,
        targets.services.values(),
        reason=request.reason,
        force=request.force,
    )
    for host, error in errors.items():
        if host in targets.forced:
            error = _(
                '%(error)s (%(host)s is forced down: run this again)'
            ) % {
                'error': error,
                'host': host,
            }
        targets.leave(host, error)
    targets.services = {service.host: service for service in marked}
    heard = heartbeat.check(
        gateway, clock, request.report, request.interrupt, targets.services
    )
    for host, words in heard.alive.items():
        targets.leave(host, f'{words}. {_force_up(gateway, targets, host)}')
    targets.services = dict(heard.silent)
    targets.interrupted = heard.interrupted


def _look_again(
    gateway: gateways.Gateway, targets: EvacuationTargets, *, fenced: bool
) -> None:
    """Look at the hosts as they are just before they are changed."""
    services = hosts.all_services(gateway)
    for host, before in tuple(targets.services.items()):
        # Deleted meanwhile, or its cell does not answer (< 2.69).
        service = services.get(host, before)
        if service.silent:
            targets.leave(host, down_cells.words(host))
            continue
        back = service.up and not before.up
        doubted = before.forced_down and not service.forced_down
        if back or (doubted and not fenced):
            targets.leave(
                host,
                _(
                    '%(host)s has come back, so nothing was changed on it: '
                    'see openstack host maintenance show %(host)s'
                )
                % {'host': host},
            )
        else:
            targets.services[host] = service


def _force_down(gateway: gateways.Gateway, targets: EvacuationTargets) -> None:
    for host, service in tuple(targets.services.items()):
        if service.forced_down:
            continue
        targets.forced.add(host)
        try:
            targets.services[host] = gateway.force_down(service, down=True)
        except exceptions.NotPermitted:
            raise
        except exceptions.HostMaintenanceError as error:
            targets.leave(host, str(error))


def _force_up(
    gateway: gateways.Gateway, targets: EvacuationTargets, host: str
) -> str:
    """Undo the force-down of a host that is alive, and return a sentence."""
    if host not in targets.forced:
        return _(
            '%(host)s was already forced down and stays so (openstack host '
            'maintenance unset %(host)s undoes it)'
        ) % {'host': host}
    try:
        gateway.force_down(targets.services[host], down=False)
    except exceptions.CloudError as error:
        return _('%(host)s stays forced down: %(error)s') % {
            'host': host,
            'error': error,
        }
    return _(
        'It is no longer forced down, but stays in maintenance. Power it off '
        'and run this again, or drain it without --evacuate'
    )
