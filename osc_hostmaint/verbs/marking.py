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

"""Taking hosts out of service and putting them back; looking at them."""

import collections.abc
import concurrent.futures
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint import text
from osc_hostmaint.planning import summary
from osc_hostmaint.planning import switch
from osc_hostmaint.verbs import base

THREADS = 8


@dataclasses.dataclass(frozen=True, slots=True)
class ListedHost:
    """A host in a list, and how many servers are left on it."""

    service: model.Service
    servers: int


class Marking(base.Verbs):
    """The verbs that change or show who keeps a host out of service."""

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
