# SPDX-License-Identifier: Apache-2.0

"""Preparing an evacuation: confirm, force down, check for heartbeats."""

from collections import abc
import contextlib
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import heartbeat
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
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

    _gateway: gateways.Gateway
    _request: requests.DrainRequest
    #: As they were last looked at, by host.
    services: dict[str, model.Service] = dataclasses.field(
        default_factory=dict
    )
    #: Why hosts that may not be powered off are not evacuated, by host.
    doubts: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Why the others are left alone, by host.
    errors: dict[str, str] = dataclasses.field(default_factory=dict)
    #: How the hosts are left when the user interrupts this; '' until then.
    interruption: str = ''
    #: Those that we have forced down, or tried to.
    _forced: set[str] = dataclasses.field(default_factory=set)
    #: Something was changed, or may have been.
    _touched: bool = False

    def judge(self, found: abc.Iterable[model.Service]) -> None:
        """Find out which hosts can be evacuated. Nothing is changed."""
        fenced = self._request.fenced
        for service in found:
            host = service.host
            with hosts.collect(self.errors, host, exceptions.CloudError):
                modes.foresee(self._gateway, service, self._request)
                if words := heartbeats.against(service, fenced=fenced):
                    raise exceptions.Refused(words)
                self.services[host] = service
                if words := heartbeats.doubt(service, fenced=fenced):
                    self.doubts[host] = words

    def foresee(self) -> list[model.Service]:
        """Return the hosts' services as they will be evacuated."""
        return [
            heartbeats.fenced(
                modes.foresee(self._gateway, service, self._request)
            )
            for service in self.services.values()
        ]

    def prepare(
        self, clock: ports.Clock, services: hosts.Services
    ) -> dry_run.DryRun | None:
        """Check the capacity, then force the hosts down and mark them.

        Hosts for which this fails, or which still send heartbeats, are
        excluded.

        :raises Refused: the servers do not fit elsewhere; nothing is touched.
        """
        if self._request.confirm is None:
            for host, why in tuple(self.doubts.items()):
                self._leave(host, why)
        if not self.services:
            return None
        try:
            return self._prepare(clock, services)
        except (KeyboardInterrupt, exceptions.Unavailable) as error:
            interrupted = self._request.interrupt.requested
            if isinstance(error, exceptions.Unavailable) and not interrupted:
                raise
            self.interruption = _('interrupted: nothing was changed')
            if self._touched:
                self.interruption = _(
                    'interrupted: nothing was evacuated, but hosts are forced '
                    'down and in maintenance. Run the same command again to '
                    'continue, or openstack host maintenance unset to undo it'
                )
            return None

    def _prepare(
        self, clock: ports.Clock, services: hosts.Services
    ) -> dry_run.DryRun:
        looked_at, wanted = clock.now(), set(self.services)
        request, sources = self._request, self.foresee()
        seen = self._look(clock, services, sources)
        capacity.check(request, sources, seen, progress_lines.UNTOUCHED)
        for row in seen.preview.rows:
            if row.local_disk:
                request.notice(row.host, progress_lines.loss(row))
        self._check_interrupt()
        self._ask(seen)
        self._check_interrupt()
        if self.services:
            self._take_down(clock)
        stale = clock.now() - looked_at >= timing.CLOUD_VIEW_VALID_SECONDS
        if self.services and (stale or wanted != set(self.services)):
            with contextlib.suppress(exceptions.Unavailable):
                services = hosts.all_services(self._gateway)
                return self._look(
                    clock, services, tuple(self.services.values())
                )
        return seen

    def _look(
        self,
        clock: ports.Clock,
        services: hosts.Services,
        sources: abc.Sequence[model.Service],
    ) -> dry_run.DryRun:
        request = self._request
        preparation = reporting.Preparation(
            request.report, clock, lambda: request.interrupt.requested
        )
        seen = dry_run.see(
            *(self._gateway, clock, services, sources),
            request.policy,
            preparation,
        )
        return dry_run.assess(seen)

    def _check_interrupt(self) -> None:
        if self._request.interrupt.requested:
            raise KeyboardInterrupt

    def _leave(self, host: str, why: str) -> None:
        """Exclude a host, with the reason."""
        del self.services[host]
        self.doubts.pop(host, None)
        self.errors[host] = why

    def _ask(self, seen: dry_run.DryRun) -> None:
        """Ask whether the hosts without --fenced are powered off."""
        doubted = sorted(self.doubts)
        if not doubted or self._request.confirm is None:
            return
        rows = [
            row
            for row in seen.preview.rows
            if row.host in self.doubts and row.move == model.Move.EVACUATION
        ]
        losing = sum(row.local_disk is True for row in rows)
        question = heartbeats.question(doubted, len(rows), losing)
        if not self._request.confirm(question):
            for host in doubted:
                self._leave(host, heartbeats.denied(host))

    def _take_down(self, clock: ports.Clock) -> None:
        """Force hosts down, mark them, and check that no heartbeats arrive.

        Hosts for which this fails are excluded.
        """
        self._look_again()
        self._check_interrupt()
        self._touched = True
        self._force_down()
        gateway, request = self._gateway, self._request
        marked, errors = modes.mark_all(
            gateway, self.services.values(), request
        )
        for host, error in errors.items():
            if host in self._forced:
                error = _(
                    '%(error)s (%(host)s is forced down: run this again)'
                ) % {'error': error, 'host': host}
            self._leave(host, error)
        self.services = {service.host: service for service in marked}
        heard = heartbeat.check(
            gateway, clock, request.report, request.interrupt, self.services
        )
        for host, words in heard.alive.items():
            self._leave(host, f'{words}. {self._force_up(host)}')
        self.services = dict(heard.silent)
        if heard.interrupted:
            raise KeyboardInterrupt

    def _look_again(self) -> None:
        """Look at the hosts as they are just before they are changed."""
        services = hosts.all_services(self._gateway)
        for host, before in tuple(self.services.items()):
            # Deleted meanwhile, or its cell does not answer (< 2.69).
            service = services.get(host, before)
            back = service.up and not before.up
            doubted = before.forced_down and not service.forced_down
            if service.silent:
                self._leave(host, down_cells.words(host))
            elif back or doubted:
                self._leave(
                    host,
                    _(
                        '%(host)s has come back, so nothing was changed on '
                        'it: see openstack host maintenance show %(host)s'
                    )
                    % {'host': host},
                )
            else:
                try:
                    self._check_unchanged(before, service)
                    self.services[host] = service
                except exceptions.Refused as refusal:
                    self._leave(host, str(refusal))

    def _check_unchanged(
        self, before: model.Service, now: model.Service
    ) -> None:
        """Check that others have at most evacuated a host as we want to.

        :raises Refused: they have changed it otherwise.
        """
        if now.forced_down:
            if modes.foresee(self._gateway, now, self._request) is now:
                return
            before = dataclasses.replace(before, forced_down=True)
        hosts.check_unchanged(before, now)

    def _force_down(self) -> None:
        for host, service in tuple(self.services.items()):
            if service.forced_down:
                continue
            try:
                now = hosts.look_again(self._gateway, host)
                self._check_unchanged(service, now)
                if not now.forced_down:
                    self._forced.add(host)
                    now = self._gateway.force_down(now, down=True)
                self.services[host] = now
            except exceptions.NotPermitted:
                raise
            except exceptions.HostMaintenanceError as error:
                self._leave(host, str(error))

    def _force_up(self, host: str) -> str:
        """Undo the force-down of a host that is alive; return a sentence."""
        if host not in self._forced:
            return _(
                '%(host)s was already forced down and stays so (openstack '
                'host maintenance unset %(host)s undoes it)'
            ) % {'host': host}
        try:
            service = hosts.look_again(self._gateway, host)
            hosts.check_unchanged(self.services[host], service)
            self._gateway.force_down(service, down=False)
        except exceptions.Refused as refusal:
            return str(refusal)
        except exceptions.HostMaintenanceError as error:
            return _('%(host)s stays forced down: %(error)s') % {
                'host': host,
                'error': error,
            }
        return _(
            'It is no longer forced down, but stays in maintenance. Power it '
            'off and run this again, or drain it without --evacuate'
        )
