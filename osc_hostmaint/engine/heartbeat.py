# SPDX-License-Identifier: Apache-2.0

"""Checking that hosts to evacuate send no heartbeats."""

import collections.abc
import dataclasses

from osc_hostmaint import events
from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import heartbeat as heartbeats
from osc_hostmaint.planning.host import down_cells

Services = collections.abc.Mapping[str, model.Service]


@dataclasses.dataclass(frozen=True, slots=True)
class HeartbeatCheck:
    """Which hosts sent heartbeats, and which did not."""

    #: Those of which nothing was heard, by host: as last looked at.
    silent: Services
    #: Those that are alive after all, are gone, or that nothing can be heard
    #: of: why not, by host.
    alive: collections.abc.Mapping[str, str]
    #: The user wants to stop; the others were not awaited.
    interrupted: bool = False


def check(
    gateway: ports.Gateway,
    clock: ports.Clock,
    report: ports.Reporter,
    interrupt: ports.Interrupt,
    services: Services,
) -> HeartbeatCheck:
    """Wait until hosts have sent no heartbeat for long enough.

    This also waits for a host that Nova has long shown as down: the age of
    its last heartbeat needs Nova's clock, and we know only the API's ``Date``,
    which a front end may have set. So Nova's times of the host are compared
    with each other, and the wait is by our clock.

    :param services: of the hosts, forced down.
    :raises CloudError: Nova does not tell.
    """
    return _Checker(gateway, clock, report, interrupt).check(services)


class _Checker:
    def __init__(
        self,
        gateway: ports.Gateway,
        clock: ports.Clock,
        report: ports.Reporter,
        interrupt: ports.Interrupt,
    ):
        self._gateway = gateway
        self._clock = clock
        self._report = report
        self._interrupt = interrupt
        self._silent: dict[str, model.Service] = {}
        self._alive: dict[str, str] = {}
        #: The first looks at those that are awaited, and until when.
        self._first: dict[str, model.Service] = {}
        self._due: dict[str, float] = {}

    def check(self, services: Services) -> HeartbeatCheck:
        self._first = dict(services)
        if self._first:
            self._begin()
        while self._due:
            if not self._sleep(min(self._due.values())):
                return HeartbeatCheck(
                    self._silent, self._alive, interrupted=True
                )
            for host, service in self._look().items():
                self._compare(host, service)
        return HeartbeatCheck(self._silent, self._alive)

    def _begin(self) -> None:
        """Look at the hosts as they are after our own changes."""
        self._first = self._look()
        due = self._clock.now() + timing.SILENCE_SECONDS
        self._due = dict.fromkeys(self._first, due)
        if self._due:
            self._report.publish(
                events.Trouble(
                    ', '.join(self._due),
                    _(
                        'waiting %.0f s to make sure that no heartbeats '
                        'arrive: a host that sends heartbeats is not powered '
                        'off'
                    )
                    % timing.SILENCE_SECONDS,
                )
            )

    def _look(self) -> dict[str, model.Service]:
        services = model.by_host(self._gateway.services())
        found = {}
        for host in tuple(self._first):
            if host in services and services[host].silent:
                self._alive[host] = down_cells.words(host)
                self._leave(host)
            elif host in services:
                found[host] = services[host]
            else:
                self._alive[host] = (
                    _(
                        'There is no longer a compute service on %s: see '
                        'openstack compute service list.'
                    )
                    % host
                )
                self._leave(host)
        return found

    def _compare(self, host: str, service: model.Service) -> None:
        match heartbeats.compare(self._first[host], service):
            case heartbeats.Heartbeat.ALIVE:
                self._alive[host] = heartbeats.alive(service)
                self._leave(host)
            case heartbeats.Heartbeat.CHANGED:
                self._first[host] = service
                self._due[host] = self._clock.now() + timing.SILENCE_SECONDS
            case heartbeats.Heartbeat.SILENT:
                if self._clock.now() >= self._due[host]:
                    self._silent[host] = service
                    self._leave(host)

    def _leave(self, host: str) -> None:
        del self._first[host]
        self._due.pop(host, None)

    def _sleep(self, until: float) -> bool:
        """Let time pass, unless the user wants to stop."""
        while (pause := until - self._clock.now()) > 0:
            if self._interrupt.requested:
                return False
            self._clock.sleep(min(pause, timing.STOP_CHECK_SECONDS))
        return not self._interrupt.requested
