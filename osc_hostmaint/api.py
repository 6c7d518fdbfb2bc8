#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""The public Python API: the verbs of the shell, for programs.

The shell's commands are its first user::

    import openstack
    from osc_hostmaint import api

    maintenance = api.Maintenance(openstack.connect(cloud='prod'))
    result = maintenance.drain(['cmp01'], reason='kernel update')
    for row in result.rows:
        print(row.name, row.result, row.destination)
"""

import collections.abc
import concurrent.futures
import dataclasses
import random

from openstack import connection

from osc_hostmaint import clock
from osc_hostmaint import exceptions
from osc_hostmaint import interrupt as interrupts
from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint import report as reports
from osc_hostmaint import text
from osc_hostmaint.engine import destinations
from osc_hostmaint.engine import drain
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import prospect
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import preview as previews
from osc_hostmaint.planning import summary
from osc_hostmaint.planning import switch

#: keystoneauth1 keeps ten connections; more threads would wait for them.
THREADS = 8
#: A server that was being scheduled when the host was disabled arrives
#: within this time, in seconds.
SETTLE_SECONDS = 3.0
#: How to drain, unless told otherwise.
DEFAULT_POLICY = policies.Policy()


@dataclasses.dataclass(frozen=True, slots=True)
class ListedHost:
    """A host in a list, and how many servers are left on it."""

    service: model.Service
    servers: int


class Maintenance:
    """Takes compute hosts out of service and puts them back.

    Every method takes exact names of hosts, as ``openstack compute service
    list`` shows them, and raises :class:`exceptions.HostMaintenanceError`.
    All are idempotent: asking for what already is so is a success.
    """

    def __init__(self, conn: connection.Connection):
        """:param conn: to the cloud, as a user who administers Nova.

        Its session gets a time-out of 60 s if it has none (``api_timeout``).
        """
        self._gateway = gateway.Gateway(conn)

    def set(
        self, host: str, *, reason: str | None = None, force: bool = False
    ) -> model.Service:
        """Put a host into maintenance: no new server lands on it.

        :param reason: for people; None keeps the one that is there.
        :param force: take over a host that somebody else disabled.
        :raises UnknownHost: there is no such compute service.
        :raises Refused: somebody else disabled it.
        :raises InvalidMark: the reason does not fit.
        """
        service = self._find(host)
        return self._set(service, reason=reason, force=force)

    def _set(
        self, service: model.Service, *, reason: str | None, force: bool
    ) -> model.Service:
        decided = self._to_maintenance(service, reason, force=force)
        if decided.step is switch.Step.REFUSE:
            raise exceptions.Refused(decided.reason)
        if decided.mark is None:
            return service
        return self._gateway.disable(service, mark.write(decided.mark))

    def _to_maintenance(
        self, service: model.Service, reason: str | None, *, force: bool
    ) -> switch.Switch:
        return switch.to_maintenance(
            service,
            by=text.printable(self._gateway.user_name()),
            reason=reason,
            force=force,
            now=self._gateway.now(),
        )

    def unset(self, host: str, *, force: bool = False) -> model.Service:
        """Put a host back into service.

        :param force: also one that somebody else disabled, whose compute
            service is down, or that moves are still leaving.
        :raises UnknownHost: there is no such compute service.
        :raises Refused: one of these holds, and it is not forced.
        """
        service = self._find(host)
        leaving = 0
        if not service.enabled and not force:
            leaving = sum(
                m.in_flight and m.source == host
                for m in self._gateway.migrations(host)
            )
        decided = switch.to_operation(service, leaving=leaving, force=force)
        if decided.step is switch.Step.REFUSE:
            raise exceptions.Refused(decided.reason)
        if decided.step is switch.Step.NOTHING:
            return service
        return self._gateway.enable(service)

    def show(self, host: str) -> summary.Summary:
        """Return what keeps a host out of service and what is still on it.

        :raises UnknownHost: there is no such compute service.
        """
        service = self._find(host)
        return summary.summarize(
            service,
            self._gateway.servers(host),
            self._gateway.migrations(host),
            self._gateway.unconfirmed(host),
            self._gateway.allocations(host),
        )

    def list(
        self, modes: collections.abc.Container[model.Mode]
    ) -> tuple[ListedHost, ...]:
        """Return the hosts in some modes, by name.

        One request, and one for each host returned.
        """
        services = sorted(
            (s for s in self._gateway.services() if s.mode in modes),
            key=lambda s: s.host,
        )
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            counts = pool.map(
                self._gateway.server_count, [s.host for s in services]
            )
            return tuple(
                ListedHost(service, count)
                for service, count in zip(services, counts, strict=True)
            )

    def preview(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        force: bool = False,
        policy: policies.Policy = DEFAULT_POLICY,
    ) -> previews.Preview:
        """Return what a drain would do. Nothing is changed.

        :param force: as in :meth:`set`.
        :param policy: as in :meth:`drain`.
        :raises UnknownHost: one of them, or the destination asked for, does
            not exist.
        :raises Refused: the destination asked for can't take any server.
        """
        services = self._services()
        found = self._pick(hosts, services)
        self._check_to(policy, hosts, services)
        sources, errors = [], {}
        for service in found:
            decided = self._to_maintenance(service, None, force=force)
            if decided.step is switch.Step.REFUSE:
                errors[service.host] = decided.reason
                continue
            if decided.mark is not None:
                service = dataclasses.replace(
                    service,
                    enabled=False,
                    disabled_reason=mark.write(decided.mark),
                )
            sources.append(service)
        seen = prospect.look(
            self._gateway, clock.Clock(), services, sources, policy
        )
        return dataclasses.replace(seen.preview, errors=errors)

    def drain(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        reason: str | None = None,
        force: bool = False,
        policy: policies.Policy = DEFAULT_POLICY,
        timeout: float | None = None,
        report: ports.Reporter | None = None,
        interrupt: ports.Interrupt | None = None,
        diary: ports.Diary | None = None,
        skip_capacity_check: bool = False,
    ) -> drain.DrainResult:
        """Put hosts into maintenance and move every server off them.

        All hosts are put into maintenance first, so that no server lands on
        one that is about to be drained.

        :param reason: as in :meth:`set`.
        :param force: as in :meth:`set`.
        :param policy: what to do with which server; who we are to Nova, and
            from when a host counts as settled, is filled in here.
        :param timeout: seconds after which nothing is awaited any more.
        :param report: is told how it goes.
        :param interrupt: tells whether the user wants to stop.
        :param diary: keeps what every decision was made from.
        :raises UnknownHost: one of them, or the destination asked for, does
            not exist; nothing is touched.
        :param skip_capacity_check: begin even if the servers can't all fit
            elsewhere.
        :raises Refused: the destination asked for can't take any server;
            nothing is touched. Or the servers don't fit elsewhere; the hosts
            are in maintenance then.
        """
        services = self._services()
        found = self._pick(hosts, services)
        self._check_to(policy, hosts, services)
        user_id = self._gateway.user_id()
        report = report or reports.Silence()
        ready, errors = self._set_all(found, reason=reason, force=force)
        ticking = clock.Clock()
        settled_from = ticking.now()
        if any(service.enabled for service in found):
            settled_from += SETTLE_SECONDS
        services |= {service.host: service for service in ready}
        board = observer.ServiceBoard(self._gateway, ticking, services)
        try:
            guide = self._guide(
                ready,
                board,
                policy,
                ticking,
                report,
                skip_capacity_check=skip_capacity_check,
            )
        except exceptions.Refused as refusal:
            words = (*errors.values(), str(refusal))
            raise exceptions.Refused('; '.join(words)) from None
        result = drain.drain(
            ready,
            dataclasses.replace(
                policy,
                user_id=user_id,
                stagger=random.SystemRandom().random(),
                settled_from=settled_from,
            ),
            self._gateway,
            ticking,
            report,
            interrupt or interrupts.Interrupt(),
            timeout,
            diary,
            guide,
            board,
        )
        return drain.with_errors(result, errors)

    def _check_to(
        self,
        policy: policies.Policy,
        hosts: collections.abc.Container[str],
        services: collections.abc.Mapping[str, model.Service],
    ) -> None:
        if policy.to:
            (destination,) = self._pick([policy.to], services)
            names.check_destination(destination, hosts)

    def _guide(
        self,
        sources: collections.abc.Sequence[model.Service],
        board: observer.ServiceBoard,
        policy: policies.Policy,
        ticking: clock.Clock,
        report: ports.Reporter,
        *,
        skip_capacity_check: bool,
    ) -> destinations.Destinations:
        """Return who knows where moves are to go, once it is sure they can.

        :raises Refused: the servers do not fit elsewhere.
        """
        balance = policy.spread is policies.Spread.BALANCE and not policy.to
        where = names.listed(sources)
        seen = None
        if sources and (balance or not skip_capacity_check):
            try:
                seen = prospect.look(
                    self._gateway, ticking, board.services, sources, policy
                )
            except exceptions.Unavailable as error:
                # The drain itself bears with an outage for longer.
                report.trouble(where, _('capacity is not known: %s') % error)
        for note in seen.preview.notes if seen else ():
            report.trouble(where, note)
        if sources and balance and not (seen and seen.known):
            report.trouble(where, _('destinations are left to the scheduler'))
        if seen and seen.preview.outlook.misfits and not skip_capacity_check:
            raise exceptions.Refused(reports.misfit(where, seen.preview))
        return destinations.Destinations(
            self._gateway,
            ticking,
            report,
            board,
            bound=policy.per_destination,
            patience=policy.server_timeout,
            prospect=seen,
        )

    def _set_all(
        self,
        services: collections.abc.Iterable[model.Service],
        *,
        reason: str | None,
        force: bool,
    ) -> tuple[collections.abc.Sequence[model.Service], dict[str, str]]:
        """Put hosts into maintenance; return those that are, and errors."""
        ready, errors = [], {}
        for service in services:
            try:
                ready.append(self._set(service, reason=reason, force=force))
            except exceptions.NotPermitted:
                raise
            except exceptions.HostMaintenanceError as error:
                errors[service.host] = str(error)
        return ready, errors

    def _find(self, host: str) -> model.Service:
        """Return the host's compute service."""
        (service,) = self._pick([host], self._services())
        return service

    def _pick(
        self,
        hosts: collections.abc.Iterable[str],
        services: collections.abc.Mapping[str, model.Service],
    ) -> tuple[model.Service, ...]:
        """Return the hosts' compute services, each once, in their order."""
        return names.pick(hosts, services, self._gateway.hypervisor_hosts)

    def _services(self) -> dict[str, model.Service]:
        """Return the compute services of all hosts, by host."""
        return {s.host: s for s in self._gateway.services()}
