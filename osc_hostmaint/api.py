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
import difflib

from openstack import connection

from osc_hostmaint import clock
from osc_hostmaint import exceptions
from osc_hostmaint import interrupt as interrupts
from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint import report as reports
from osc_hostmaint import text
from osc_hostmaint.engine import drain
from osc_hostmaint.engine import ports
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import summary
from osc_hostmaint.planning import switch

#: keystoneauth1 keeps ten connections; more threads would wait for them.
THREADS = 8
#: A server that was being scheduled when the host was disabled arrives
#: within this time, in seconds.
SETTLE_SECONDS = 3.0


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
        service = self._find([host])[0]
        return self._set(service, reason=reason, force=force)

    def _set(
        self, service: model.Service, *, reason: str | None, force: bool
    ) -> model.Service:
        decided = switch.to_maintenance(
            service,
            by=text.printable(self._gateway.user_name()),
            reason=reason,
            force=force,
            now=self._gateway.now(),
        )
        if decided.step is switch.Step.REFUSE:
            raise exceptions.Refused(decided.reason)
        if decided.mark is None:
            return service
        return self._gateway.disable(service, mark.write(decided.mark))

    def unset(self, host: str, *, force: bool = False) -> model.Service:
        """Put a host back into service.

        :param force: also one that somebody else disabled, whose compute
            service is down, or that moves are still leaving.
        :raises UnknownHost: there is no such compute service.
        :raises Refused: one of these holds, and it is not forced.
        """
        service = self._find([host])[0]
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
        service = self._find([host])[0]
        return summary.summarize(
            service,
            self._gateway.servers(host),
            self._gateway.migrations(host),
            self._gateway.unconfirmed(host),
            self._gateway.consumers(host),
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

    def drain(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        reason: str | None = None,
        force: bool = False,
        parallel: int | None = None,
        timeout: float | None = None,
        report: ports.Reporter | None = None,
        interrupt: ports.Interrupt | None = None,
    ) -> drain.DrainResult:
        """Put hosts into maintenance and move every server off them.

        All hosts are put into maintenance first, so that no server lands on
        one that is about to be drained.

        :param reason: as in :meth:`set`.
        :param force: as in :meth:`set`.
        :param parallel: at most so many moves in flight per host; None
            follows Nova's own limit.
        :param timeout: seconds after which nothing is awaited any more.
        :param report: is told how it goes.
        :param interrupt: tells whether the user wants to stop.
        :raises UnknownHost: one of them does not exist; nothing is touched.
        """
        services, errors = [], {}
        found = self._find(hosts)
        for service in found:
            try:
                services.append(self._set(service, reason=reason, force=force))
            except exceptions.NotPermitted:
                raise
            except exceptions.HostMaintenanceError as error:
                errors[service.host] = str(error)
        ticking = clock.Clock()
        settled_from = ticking.now()
        if any(service.enabled for service in found):
            settled_from += SETTLE_SECONDS
        result = drain.drain(
            services,
            policies.Policy(parallel=parallel, settled_from=settled_from),
            self._gateway,
            ticking,
            report or reports.Silence(),
            interrupt or interrupts.Interrupt(),
            timeout,
        )
        return drain.with_errors(result, errors)

    def _find(
        self, hosts: collections.abc.Sequence[str]
    ) -> tuple[model.Service, ...]:
        """Return the hosts' compute services, each once, in their order."""
        services = {s.host: s for s in self._gateway.services()}
        unknown = [host for host in hosts if host not in services]
        if unknown:
            raise exceptions.UnknownHost(
                ' '.join(self._unknown(host, services) for host in unknown)
            )
        return tuple(services[host] for host in dict.fromkeys(hosts))

    def _unknown(
        self, host: str, services: collections.abc.Iterable[str]
    ) -> str:
        message = _('There is no compute service on a host named %s') % (
            text.printable(repr(host))
        )
        owner = self._gateway.hypervisor_hosts().get(host)
        if owner:
            return _(
                '%(message)s: that is the hypervisor hostname of %(host)s.'
            ) % {'message': message, 'host': owner}
        # Most names of a cloud differ by a digit: case must not decide.
        names = {name.lower(): name for name in services}
        near = difflib.get_close_matches(host.lower(), names)
        if near:
            return _('%(message)s; did you mean %(near)s?') % {
                'message': message,
                'near': _(' or ').join(names[name] for name in near),
            }
        return _('%s: see openstack compute service list.') % message
