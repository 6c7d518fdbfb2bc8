# SPDX-License-Identifier: Apache-2.0

"""What the rest of a cloud has room for, as Placement and Nova show it.

Frozen values. Words are Placement's: a provider has an inventory of resource
classes (VCPU, MEMORY_MB, DISK_GB ...), a consumer (a server, a migration)
holds an allocation of it, and an allocation candidate is one way to give a
set of amounts to one consumer. What it asks for is in request groups: the
unnumbered one is of any providers of a host, each numbered one of a single
provider.
"""

import collections
from collections import abc
import dataclasses
import enum
import typing as ty

from osc_hostmaint import model

#: Amounts by resource class: VCPU, MEMORY_MB, DISK_GB, CUSTOM_...
Amounts = abc.Mapping[str, int]
#: The same, sorted, without zeros: servers of one shape need the same room.
Shape = tuple[tuple[str, int], ...]
#: What every flavor asks for, without extra specs.
_OF_EVERY_FLAVOR = frozenset({'VCPU', 'PCPU', 'MEMORY_MB', 'DISK_GB'})
#: Placement is asked for at most so many allocation candidates. Of a host
#: with eight GPUs a request for four has 1,680.
MOST_CANDIDATES = 10_000


def shape(amounts: Amounts) -> Shape:
    """Return the shape of what a server holds or asks for."""
    return tuple(sorted((c, n) for c, n in amounts.items() if n > 0))


@dataclasses.dataclass(frozen=True, slots=True)
class ResourceRequest:
    """What Placement is asked for a server; servers alike share an answer."""

    #: Its traits are asked for only where there are numbered groups.
    unnumbered: model.RequestGroup
    numbered: tuple[model.RequestGroup, ...] = ()
    #: Each numbered group is of another provider.
    isolate: bool = False

    @property
    def parts(self) -> Shape:
        """Amounts that are of one provider each."""
        groups = (self.unnumbered, *self.numbered)
        return tuple(part for group in groups for part in group.resources)

    @property
    def shape(self) -> Shape:
        """The amounts of all groups together."""
        if not self.numbered:
            return self.unnumbered.resources
        total = collections.Counter[str]()
        for name, amount in self.parts:
            total[name] += amount
        return shape(total)


#: Of a server of which it is not known what it needs.
UNKNOWN = ResourceRequest(model.RequestGroup(()))


@dataclasses.dataclass(frozen=True, slots=True)
class Inventory:
    """What a provider has of one resource class."""

    #: (total - reserved) x allocation ratio, as Placement rounds it.
    capacity: int
    used: int
    #: So much one consumer may hold at the most; None: not looked at.
    max_unit: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Provider:
    """A resource provider (GET /allocation_candidates, >= 1.29)."""

    id: str
    #: The provider at the top of its tree: the hypervisor's own.
    root: str
    traits: frozenset[str]
    #: By resource class.
    inventories: abc.Mapping[str, Inventory]

    def with_used(self, used: Amounts) -> ty.Self:
        """Return it with amounts in use."""
        return dataclasses.replace(
            self,
            inventories={
                name: dataclasses.replace(each, used=used.get(name, 0))
                for name, each in self.inventories.items()
            },
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Allocation:
    """An amount of one resource class of one provider."""

    provider: str
    resource_class: str
    amount: int


#: One allocation candidate: all that one consumer holds, or would.
AllocationRequest = tuple[Allocation, ...]


def amounts(held: AllocationRequest) -> Amounts:
    """Return what a consumer holds of all providers together."""
    total = collections.Counter[str]()
    for allocation in held:
        total[allocation.resource_class] += allocation.amount
    return total


@dataclasses.dataclass(frozen=True, slots=True)
class AllocationCandidates:
    """Who could take a server now: an answer of Placement.

    Step size, least and greatest unit of the inventories are heeded by
    Placement already (of hosts that a plan adds, the greatest unit).
    """

    #: All providers of the candidates' trees, by id.
    providers: abc.Mapping[str, Provider]
    candidates: tuple[AllocationRequest, ...]
    #: There may be more: these are as many as were asked for.
    cut: bool = False
    #: Why Placement refused the request; '' if it answered.
    refused: str = ''


class GroupPolicy(enum.StrEnum):
    """What a server group wants (POST /os-server-groups)."""

    AFFINITY = 'affinity'
    ANTI_AFFINITY = 'anti-affinity'
    SOFT_AFFINITY = 'soft-affinity'
    SOFT_ANTI_AFFINITY = 'soft-anti-affinity'


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """A server group."""

    id: str
    #: One of :class:`GroupPolicy`; one we don't know means nothing to us.
    policy: str
    #: Ids of its servers, deleted ones left out.
    members: frozenset[str]
    #: Of anti-affinity: how many of them one host may have.
    most_per_host: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Aggregate:
    """A host aggregate."""

    hosts: frozenset[str]
    metadata: abc.Mapping[str, str]
    name: str = ''


@dataclasses.dataclass(frozen=True, slots=True)
class CapacitySnapshot:
    """All that is known of the hosts that may take servers."""

    #: The compute services of all hosts, by host.
    services: abc.Mapping[str, model.Service]
    #: The host of each hypervisor's resource provider, by provider.
    hosts: abc.Mapping[str, str]
    #: Who could take a server, by what is asked for it.
    allocation_candidates: abc.Mapping[
        ResourceRequest, AllocationCandidates
    ] = dataclasses.field(default_factory=dict)
    #: Those of the servers that have to move; None: not known.
    groups: tuple[Group, ...] | None = ()
    #: Where members of groups are, by the server's id; not all need be known.
    located: abc.Mapping[str, str] = dataclasses.field(default_factory=dict)
    aggregates: tuple[Aggregate, ...] = ()
    #: Hosts that manage bare metal: no virtual machine runs there.
    bare_metal: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Demand:
    """A server that has to go somewhere, and what room it needs."""

    server: model.Server
    request: ResourceRequest
    #: The host it is to leave.
    source: str
    #: What it holds beyond what its flavor asks for, as for its ports and
    #: devices: in which groups that is asked for, Nova does not tell.
    others: Shape = ()

    @property
    def shape(self) -> Shape:
        """All that is asked for it."""
        return self.request.shape


def demand(server: model.Server, held: Amounts, source: str) -> Demand:
    """Return what a server needs elsewhere.

    That is what Nova's scheduler asks for (nova/scheduler/utils.py:
    ResourceRequest): extra specs count as they are; otherwise what is held
    counts, as one that boots from a volume needs no disk.
    """
    needs = server.needs
    asked = dict(needs.resources)
    in_groups = collections.Counter[str]()
    for group in needs.groups:
        in_groups.update(dict(group.resources))
    own = {
        name: amount - in_groups[name]
        for name, amount in held.items()
        if name in _OF_EVERY_FLAVOR
    }
    unnumbered = model.RequestGroup(shape({**asked, **own}))
    if needs.groups:
        unnumbered = dataclasses.replace(
            unnumbered,
            required_traits=needs.required_traits,
            forbidden_traits=needs.forbidden_traits,
        )
    return Demand(
        server,
        ResourceRequest(unnumbered, needs.groups, needs.isolate),
        source,
        shape(
            {
                name: amount - asked.get(name, 0) - in_groups[name]
                for name, amount in held.items()
                if name not in _OF_EVERY_FLAVOR
            }
        ),
    )
