# SPDX-License-Identifier: Apache-2.0

"""Checking that hosts to evacuate send no heartbeats."""

from collections import abc
import dataclasses

from osc_hostmaint import events
from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import host_identity
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import heartbeat as heartbeats
from osc_hostmaint.planning.host import down_cells

Services = abc.Mapping[str, model.Service]


@dataclasses.dataclass(frozen=True, slots=True)
class HeartbeatCheck:
    """Which hosts sent heartbeats, and which did not."""

    #: Those of which nothing was heard, by host: as last looked at.
    silent: Services
    #: Those that are alive after all, are gone, or that nothing can be heard
    #: of: why not, by host.
    alive: abc.Mapping[str, str]
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
    silent: dict[str, model.Service] = {}
    alive: dict[str, str] = {}
    # As the hosts are after our own changes.
    first = _look(gateway, services, alive) if services else {}
    due = dict.fromkeys(first, clock.now() + timing.SILENCE_SECONDS)
    if due:
        words = _(
            'waiting %.0f s to make sure that no heartbeats arrive: a host '
            'that sends heartbeats is not powered off'
        )
        report.publish(
            events.Notice(', '.join(due), words % timing.SILENCE_SECONDS)
        )
    while due:
        if not _sleep(clock, interrupt, min(due.values())):
            return HeartbeatCheck(silent, alive, interrupted=True)
        for host, service in _look(gateway, due, alive).items():
            match heartbeats.compare(first[host], service):
                case heartbeats.Heartbeat.ALIVE:
                    alive[host] = heartbeats.alive(service)
                case heartbeats.Heartbeat.CHANGED:
                    first[host] = service
                    due[host] = clock.now() + timing.SILENCE_SECONDS
                case heartbeats.Heartbeat.SILENT:
                    if clock.now() >= due[host]:
                        silent[host] = service
        known = silent.keys() | alive.keys()
        due = {host: at for host, at in due.items() if host not in known}
    return HeartbeatCheck(silent, alive)


def _look(
    gateway: ports.Gateway, hosts: abc.Iterable[str], alive: dict[str, str]
) -> dict[str, model.Service]:
    """Return the services of hosts, and note why some cannot be heard."""
    services = host_identity.by_host(gateway.services())
    found = {}
    for host in hosts:
        if host not in services:
            words = _(
                'There is no longer a compute service on %s: see openstack '
                'compute service list.'
            )
            alive[host] = words % host
        elif services[host].silent:
            alive[host] = down_cells.words(host)
        else:
            found[host] = services[host]
    return found


def _sleep(
    clock: ports.Clock, interrupt: ports.Interrupt, until: float
) -> bool:
    """Let time pass, unless the user wants to stop."""
    while (pause := until - clock.now()) > 0:
        if interrupt.requested:
            return False
        clock.sleep(min(pause, timing.STOP_CHECK_SECONDS))
    return not interrupt.requested
