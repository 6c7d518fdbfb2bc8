# SPDX-License-Identifier: Apache-2.0

"""Showing and listing hosts."""

from collections import abc
import concurrent.futures
import contextlib
import dataclasses
import datetime
import logging

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint import text
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import observer
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway as gateways
from osc_hostmaint.operations import clock
from osc_hostmaint.operations import hosts
from osc_hostmaint.operations import modes as modes_
from osc_hostmaint.operations import requests
from osc_hostmaint.planning import host_identity
from osc_hostmaint.planning import summary
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import in_flight

Gateway = gateways.Gateway
Service = model.Service

LOG = logging.getLogger(__name__)

THREADS = 8


@dataclasses.dataclass(frozen=True, slots=True)
class ListedHost:
    """A host in a list, and how many servers are left on it."""

    service: Service
    #: None: its cell does not answer.
    servers: int | None
    #: The type of its hypervisors; None: not looked at, or not known.
    hypervisor_type: str | None = None
    #: How long it has been in maintenance, by Nova's clock; None if it is not,
    #: or is not known to be.
    age: datetime.timedelta | None = None


def show(gateway: Gateway, host: str) -> summary.Summary:
    """Return a host's maintenance state and what is still on it."""
    services = hosts.all_services(gateway)
    (service,) = hosts.pick(gateway, [host], services)
    names.check_answers(service)
    # As a drain of it would begin, whatever its mode is.
    request = requests.DrainRequest(hosts=(host,), force=True)
    watcher = observer.Observer(
        boards.Board(gateway, clock.Clock(), services),
        modes_.foresee(gateway, service, request),
        request.policy,
    )
    watcher.see_newest()
    watcher.see_unconfirmed()
    watcher.look(decisions.Query(records=False, servers=True))
    rows, seen = dry_run.first_rows(watcher), watcher.seen
    evacuated = gateway.evacuated(host)
    consumers: abc.Collection[str] | None = None
    with contextlib.suppress(exceptions.UnknownHypervisor):
        consumers = gateway.allocations(host)
    shown = summary.summarize(
        service,
        seen.servers.values(),
        _moves(gateway, seen.migrations.values()),
        [
            record
            for record in seen.migrations.values()
            if record.source == host and record.awaits_confirmation
        ],
        evacuated,
        consumers,
        rows,
    )
    if not shown.servers:
        # Lists silently leave out a cell that does not answer.
        hosts.find(gateway, host)
    return shown


def _moves(
    gateway: Gateway, records: abc.Iterable[model.Migration]
) -> abc.Iterator[summary.MoveInFlight]:
    for record, server in hosts.moving(gateway, records):
        progress = None
        if in_flight.has_progress(record):
            progress = gateway.progress(record.server_id, record.id)
        yield summary.MoveInFlight(record, server.name, progress)


def list_hosts(
    gateway: Gateway,
    modes: abc.Container[model.Mode],
    *,
    hypervisor_types: bool,
    older_than: datetime.timedelta | None,
) -> tuple[ListedHost, ...]:
    """Return the hosts in some modes, by name."""
    found = gateway.services()
    now = gateway.now()
    known = host_identity.by_host(found)
    services = sorted(
        (
            service
            for service in found
            if service.silent is known[service.host].silent
            and (service.mode in modes or service.silent)
            and (
                older_than is None
                or service.silent
                or ((age := _age(service, now)) and age > older_than)
            )
        ),
        key=lambda s: text.natural(s.host),
    )

    def count(service: Service) -> tuple[str, int | None]:
        host = service.host
        return host, None if service.silent else gateway.server_count(host)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        counts = dict(pool.map(count, services))
    if 0 in counts.values():
        # Lists silently leave out a cell that does not answer.
        latest = hosts.all_services(gateway)
        for service in services:
            if latest.get(service.host, service).silent:
                counts[service.host] = None
    if any(counts.values()):
        gateway.check_filters()
    types: dict[str, str] = {}
    if hypervisor_types:
        try:
            found_types = gateway.hypervisor_details()
            types = {h.host: h.type for h in found_types if h.type}
        except exceptions.CloudError as error:
            LOG.warning(_('The types of hypervisors are not known: %s'), error)
    return tuple(
        ListedHost(s, counts[s.host], types.get(s.host), _age(s, now))
        for s in services
    )


def _age(
    service: Service, now: datetime.datetime
) -> datetime.timedelta | None:
    """Return how long a host has been in maintenance, if it is."""
    mark = service.mark
    return max(now - mark.since, datetime.timedelta()) if mark else None
