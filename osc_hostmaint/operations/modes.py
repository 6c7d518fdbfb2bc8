# SPDX-License-Identifier: Apache-2.0

"""Taking hosts out of service and putting them back; looking at them."""

import collections.abc
import concurrent.futures
import dataclasses

from osc_hostmaint import clock
from osc_hostmaint import exceptions
from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint import text
from osc_hostmaint.operations import base
from osc_hostmaint.planning import service_transition
from osc_hostmaint.planning import summary
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import heartbeat as heartbeats
from osc_hostmaint.planning.host import down_cells

THREADS = 8


@dataclasses.dataclass(frozen=True, slots=True)
class ListedHost:
    """A host in a list, and how many servers are left on it."""

    service: model.Service
    #: None: its cell does not answer.
    servers: int | None
    #: The type of its hypervisors; None: not looked at, or not known.
    hypervisor_type: str | None = None


class Marking(base.Verbs):
    """The verbs that change or show who keeps a host out of service."""

    def set(
        self, host: str, *, reason: str | None = None, force: bool = False
    ) -> model.Service:
        """Put a host into maintenance: no new server lands on it.

        :param reason: for people; None keeps the one that is there.
        :param force: take over a host that somebody else disabled.
        :raises UnknownHost: there is no such compute service.
        :raises SilentCell: its cell does not answer.
        :raises Refused: somebody else disabled it.
        :raises InvalidMark: the reason does not fit.
        """
        service = self._find(host)
        return self._set(service, reason=reason, force=force)

    def _set(
        self, service: model.Service, *, reason: str | None, force: bool
    ) -> model.Service:
        foreseen = self._foresee_set(service, reason=reason, force=force)
        if foreseen is service:
            return service
        return self._gateway.disable(service, foreseen.disabled_reason or '')

    def _foresee_set(
        self, service: model.Service, *, reason: str | None, force: bool
    ) -> model.Service:
        """Return a service as :meth:`set` would leave it; the same if so.

        :raises Refused: somebody else disabled it.
        :raises SilentCell: its cell does not answer.
        :raises InvalidMark: the reason does not fit.
        """
        names.check_answers(service)
        decided = service_transition.to_maintenance(
            service,
            by=text.printable(self._gateway.user_name()),
            reason=reason,
            force=force,
            now=self._gateway.now(),
        )
        if decided.step is service_transition.Step.REFUSE:
            raise exceptions.Refused(decided.reason)
        if decided.mark is None:
            return service
        return dataclasses.replace(
            service, enabled=False, disabled_reason=mark.write(decided.mark)
        )

    def unset(self, host: str, *, force: bool = False) -> model.Service:
        """Put a host back into service.

        That it is forced down, as a drain does with a dead host, is taken
        back first, and a heartbeat is awaited for up to 20 s then. A host that
        is enabled is left as it is.

        :param force: also one that somebody else disabled, whose compute
            service or hypervisor is down, that moves are still leaving, or
            on which evacuated servers may still run.
        :raises UnknownHost: there is no such compute service.
        :raises SilentCell: its cell does not answer.
        :raises Refused: one of these holds, and it is not forced; or Nova
            does not take back that it is forced down, since nova-compute has
            not cleaned up after an evacuation.
        """
        service = self._find(host)
        leaving = []
        if not service.enabled and not force:
            leaving = [m for m in self._moving(host) if m.source == host]
        taken_back = False
        while True:
            down, uncleaned = self._looked_into(service, force=force)
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
                    service = self._force_up(service, force=force)
                    taken_back = True
                case service_transition.Step.ENABLE:
                    return self._gateway.enable(service)
                case service_transition.Step.REFUSE:
                    raise exceptions.Refused(decided.reason)
                case _:
                    return service

    def _moving(self, host: str) -> list[model.Migration]:
        """Return records of moves from and to a host that are under way.

        A request for each that may be.

        :raises SilentCell: that is not known, as the cell does not answer.
        """
        found = []
        for record in self._gateway.migrations(host):
            if record.in_flight:
                server = self._gateway.server(record.server_id)
                if server.status == 'UNKNOWN':
                    raise exceptions.SilentCell(down_cells.words(host))
                if summary.is_under_way(record, server):
                    found.append(record)
        return found

    def _force_up(
        self, service: model.Service, *, force: bool
    ) -> model.Service:
        """Take back that a service is forced down, and look at it again."""
        try:
            before = self._gateway.force_down(service, down=False)
        except exceptions.RequestRefused as error:
            raise exceptions.Refused(
                service_transition.not_forced_up(service.host, str(error))
            ) from error
        return self._find(service.host) if force else self._heard(before)

    def _heard(self, before: model.Service) -> model.Service:
        """Wait for a sign of life of a host, and return its service.

        Nova calls a host up that died a moment ago.
        """
        ticking = clock.Clock()
        deadline = ticking.now() + timing.SILENCE_SECONDS
        while (service := self._find(before.host)).up:
            if heartbeats.was_heard(before, service):
                return service
            if ticking.now() >= deadline:
                return dataclasses.replace(service, up=False)
            ticking.sleep(timing.HEARTBEAT_CHECK_SECONDS)
        return service

    def _looked_into(
        self, service: model.Service, *, force: bool
    ) -> tuple[frozenset[str], int]:
        """Return a host's hypervisors that are down, and what is uncleaned.

        Only of a host that may be enabled then.
        """
        if force or service.enabled or not service.up:
            return frozenset(), 0
        states = self._gateway.hypervisor_states(service.host)
        down = frozenset(name for name, up in states.items() if not up)
        return down, len(self._gateway.evacuated(service.host))

    def show(self, host: str) -> summary.Summary:
        """Return what keeps a host out of service and what is still on it.

        :raises UnknownHost: there is no such compute service.
        :raises SilentCell: its cell does not answer.
        """
        shown = summary.summarize(
            self._find(host),
            self._gateway.servers(host),
            self._moving(host),
            self._gateway.unconfirmed(host),
            self._gateway.evacuated(host),
            self._consumers(host),
        )
        if not shown.servers:
            # A cell that falls silent is left out of lists without a word.
            self._find(host)
        return shown

    def _consumers(self, host: str) -> collections.abc.Collection[str] | None:
        try:
            return self._gateway.allocations(host)
        except exceptions.UnknownHypervisor:
            return None

    def list(
        self,
        modes: collections.abc.Container[model.Mode],
        *,
        hypervisor_types: bool = False,
    ) -> tuple[ListedHost, ...]:
        """Return the hosts in some modes, by name.

        And those whose cell does not answer: they may be in any. One request,
        one for each host returned, and one more if any has no servers.

        :param hypervisor_types: ask for these, too: one more request.
        """
        found = self._gateway.services()
        known = model.by_host(found)
        services = sorted(
            (
                service
                for service in found
                if service.silent is known[service.host].silent
                and (service.mode in modes or service.silent)
            ),
            key=lambda s: s.host,
        )
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            counts = dict(
                zip(
                    (s.host for s in services),
                    pool.map(self._count, services),
                    strict=True,
                )
            )
        if 0 in counts.values():
            # A cell that falls silent is left out of lists without a word.
            now = self._services()
            for service in services:
                if now.get(service.host, service).silent:
                    counts[service.host] = None
        types = self._hypervisor_types() if hypervisor_types else {}
        return tuple(
            ListedHost(s, counts[s.host], types.get(s.host)) for s in services
        )

    def _count(self, service: model.Service) -> int | None:
        if service.silent:
            return None
        return self._gateway.server_count(service.host)

    def _hypervisor_types(self) -> dict[str, str]:
        """Return the types of hypervisors by host, as far as Nova tells."""
        try:
            found = self._gateway.hypervisor_details()
        except exceptions.CloudError:
            return {}
        return {each.host: each.type for each in found if each.type}

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
