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

"""Looking at what the rest of a cloud has room for, as cheaply as possible.

Six lists at the most, however many servers and hosts there are (more only
where a list takes several pages), one question for each shape of servers,
and the pages of server groups.
"""

import collections.abc
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import survey as surveys
from osc_hostmaint.engine import ports

#: The servers on each host, by host.
Servers = collections.abc.Mapping[
    str, collections.abc.Collection[model.Server]
]


@dataclasses.dataclass(frozen=True, slots=True)
class Stock:
    """What is on the hosts that are to be drained."""

    servers: Servers
    #: Who holds what of each host, by host and consumer.
    allocations: collections.abc.Mapping[
        str, collections.abc.Mapping[str, surveys.Amounts]
    ]
    groups: tuple[surveys.Group, ...] | None
    located: collections.abc.Mapping[str, str]

    def unexplained(self, host: str) -> frozenset[str]:
        """Return who holds something of a host and is no server on it."""
        here = {server.id for server in self.servers[host]}
        return frozenset(self.allocations[host]) - here

    def demand(self, host: str, server: model.Server) -> surveys.Demand | None:
        """Return what room a server needs elsewhere.

        None for one that holds nothing of the host under its own name: it
        has its place elsewhere already.
        """
        held = self.allocations[host].get(server.id)
        if held is None:
            return None
        # What lies in a nested provider does not show in the hypervisor's.
        asked = dict(server.needs.resources)
        return surveys.Demand(server, surveys.shape({**asked, **held}), host)


class Surveyor:
    """Asks for what is needed to know whether servers fit elsewhere."""

    def __init__(self, gateway: ports.Gateway):
        self._gateway = gateway
        #: What could not be asked: lines for people.
        self.notes: list[str] = []

    def take_stock(self, servers: Servers) -> Stock:
        """Look at what is on the hosts that are to be drained.

        :param servers: the servers on each of them, by host.
        :raises CloudError: Nova or Placement does not tell.
        """
        groups, located = self._groups(servers)
        return Stock(
            servers,
            {h: self._gateway.allocations(h) for h in servers},
            groups,
            located,
        )

    def survey(
        self,
        stock: Stock,
        services: collections.abc.Mapping[str, model.Service],
        demands: collections.abc.Iterable[surveys.Demand],
    ) -> surveys.Survey:
        """Look at the hosts that may take servers.

        :param services: of all hosts, by host.
        :raises CloudError: Nova or Placement does not tell.
        """
        shapes = dict.fromkeys(d.shape for d in demands if d.shape)
        aggregates: tuple[surveys.Aggregate, ...] = ()
        if shapes:
            try:
                aggregates = tuple(self._gateway.aggregates())
            except exceptions.NotPermitted as error:
                self.notes.append(
                    f'host aggregates are not looked at: {error}'
                )
        return surveys.Survey(
            services=services,
            hosts=self._gateway.hypervisors(),
            offers={shape: self._gateway.offers(shape) for shape in shapes},
            groups=stock.groups,
            located=stock.located,
            aggregates=aggregates,
        )

    def _groups(
        self, servers: Servers
    ) -> tuple[tuple[surveys.Group, ...] | None, dict[str, str]]:
        """Return groups with members here, and where all members are."""
        here = {s.id: host for host, found in servers.items() for s in found}
        perhaps = any(
            s.needs.grouped is not False
            for found in servers.values()
            for s in found
        )
        if not perhaps:
            return (), {}
        try:
            groups = tuple(
                group
                for group in self._gateway.groups()
                if not group.members.isdisjoint(here)
            )
        except exceptions.NotPermitted as error:
            self.notes.append(f'server groups are not looked at: {error}')
            return None, here
        members = {m for group in groups for m in group.members}
        located = {m: here[m] for m in members if m in here}
        if members - set(here):
            everywhere = self._gateway.residents()
            located.update(
                {m: everywhere[m] for m in members if m in everywhere}
            )
        return groups, located
