# SPDX-License-Identifier: Apache-2.0

"""Looking at what the rest of a cloud has room for, as cheaply as possible.

Six lists at the most, however many servers and hosts there are (more only
where a list takes several pages), one question for each shape of servers,
and the pages of server groups.
"""

from collections import abc
import dataclasses
import itertools

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import host_identity
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import status as server_status

#: The servers on each host, by host.
Servers = abc.Mapping[str, abc.Collection[model.Server]]
_UNDER_WAY = (server_status.Phase.MOVING, server_status.Phase.SETTLING)


@dataclasses.dataclass(frozen=True, slots=True)
class SourceUsage:
    """What is on the hosts that are to be drained."""

    servers: Servers
    #: Who holds what of each host, by host and consumer; None: not known.
    allocations: (
        abc.Mapping[str, abc.Mapping[str, snapshots.AllocationRequest]] | None
    )
    groups: tuple[snapshots.Group, ...] | None
    located: abc.Mapping[str, str]

    @property
    def by_id(self) -> dict[str, model.Server]:
        """All these servers, by their ids."""
        return {s.id: s for found in self.servers.values() for s in found}

    def unexplained(self, host: str) -> frozenset[str]:
        """Return who holds something of a host and is no server on it."""
        here = {server.id for server in self.servers[host]}
        return frozenset((self.allocations or {}).get(host, ())) - here

    def demand(
        self, row: decisions.Row, server: model.Server
    ) -> snapshots.Demand | None:
        """Return what room a server needs elsewhere, as far as known.

        None for one that is under way and has its place elsewhere already: it
        holds nothing of the host under its own name, or is evacuated.
        """
        held = (self.allocations or {}).get(row.host, {}).get(server.id)
        evacuated = row.move == model.Move.EVACUATION and row.destination
        if evacuated and row.phase in _UNDER_WAY:
            return None
        if held:
            amounts = snapshots.amounts(held)
            return snapshots.demand(server, amounts, row.host)
        if self.allocations is not None and row.phase in _UNDER_WAY:
            return None
        return snapshots.Demand(server, snapshots.UNKNOWN, row.host)


class CapacityObserver:
    """Asks for what is needed to know whether servers fit elsewhere."""

    def __init__(
        self, gateway: ports.Gateway, preparation: reporting.Preparation
    ):
        self._gateway = gateway
        self._preparation = preparation
        #: What could not be asked: lines for people.
        self.notes: list[str] = []
        #: Why it is not known who has room; '' where it is.
        self.unknown = ''

    def look_at_sources(self, servers: Servers) -> SourceUsage:
        """Look at what is on the hosts that are to be drained.

        What is not told is noted.

        :param servers: the servers on each of them, by host.
        """
        groups, located = self._groups(servers)
        allocations = None
        try:
            allocations = {
                host: self._gateway.allocations(host)
                for host in self._preparation.each(
                    servers, _('listing allocations')
                )
            }
        except exceptions.CloudError as error:
            self._note_unknown(error)
        return SourceUsage(servers, allocations, groups, located)

    def _note_unknown(self, error: exceptions.CloudError) -> None:
        self.unknown = f'capacity is not known: {error}'
        self.notes.append(self.unknown)

    def take(
        self,
        usage: SourceUsage,
        services: abc.Mapping[str, model.Service],
        demands: abc.Iterable[snapshots.Demand],
    ) -> snapshots.CapacitySnapshot:
        """Look at the hosts that may take servers.

        What Nova does not show is noted; the rest is used without it.

        :param services: of all hosts, by host.
        """
        requests = dict.fromkeys(d.request for d in demands if d.shape)
        seen = snapshots.CapacitySnapshot(
            services, {}, groups=usage.groups, located=usage.located
        )
        if self.unknown or not requests:
            return seen
        try:
            return dataclasses.replace(
                seen,
                aggregates=self.aggregates(),
                hosts=self._gateway.hypervisors(),
                bare_metal=host_identity.bare_metal(
                    self._gateway.hypervisor_details()
                ),
                allocation_candidates={
                    request: self._gateway.allocation_candidates(request)
                    for request in requests
                },
            )
        except exceptions.CloudError as error:
            self._note_unknown(error)
            return seen

    def aggregates(self) -> tuple[snapshots.Aggregate, ...]:
        """Return the host aggregates; none where a policy hides them."""
        try:
            return tuple(self._gateway.aggregates())
        except exceptions.NotPermitted as error:
            self.notes.append(f'host aggregates were not checked: {error}')
            return ()

    def _groups(
        self, servers: Servers
    ) -> tuple[tuple[snapshots.Group, ...] | None, dict[str, str]]:
        """Return groups with members here, and where all members are."""
        every = itertools.chain.from_iterable(servers.values())
        if all(server.needs.grouped is False for server in every):
            return (), {}
        here = {s.id: host for host, found in servers.items() for s in found}
        try:
            groups = tuple(
                group
                for group in self._gateway.groups()
                if not group.members.isdisjoint(here)
            )
        except exceptions.CloudError as error:
            self.notes.append(f'server groups were not checked: {error}')
            return None, here
        if all(group.members <= here.keys() for group in groups):
            return groups, here
        try:
            located = {**self._gateway.residents(), **here}
        except exceptions.CloudError as error:
            self.notes.append(
                'members of server groups on other hosts were not checked: '
                f'{error}'
            )
            return groups, here
        # Others are on no host: offloaded, or never built.
        groups = tuple(
            dataclasses.replace(g, members=g.members & set(located))
            for g in groups
        )
        members = {m for group in groups for m in group.members}
        return groups, {m: located[m] for m in members}
