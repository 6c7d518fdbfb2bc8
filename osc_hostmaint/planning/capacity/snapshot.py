# SPDX-License-Identifier: Apache-2.0

"""What the rest of a cloud has room for, as Placement and Nova show it.

Frozen values without behaviour. Words are Placement's: a provider has an
inventory of resource classes (VCPU, MEMORY_MB, DISK_GB ...), a consumer
(a server, a migration) holds an allocation of it, and an allocation candidate
is one way to give a set of amounts to one consumer.
"""

from collections import abc
import dataclasses
import enum

from osc_hostmaint import model

#: Amounts by resource class: VCPU, MEMORY_MB, DISK_GB, CUSTOM_...
Amounts = abc.Mapping[str, int]
#: The same, sorted, without zeros: servers of one shape need the same room.
Shape = tuple[tuple[str, int], ...]


def shape(amounts: Amounts) -> Shape:
    """Return the shape of what a server holds or asks for."""
    return tuple(sorted((c, n) for c, n in amounts.items() if n))


@dataclasses.dataclass(frozen=True, slots=True)
class Inventory:
    """What a provider has of one resource class."""

    #: (total - reserved) x allocation ratio, as Placement rounds it.
    capacity: int
    used: int


@dataclasses.dataclass(frozen=True, slots=True)
class Provider:
    """A resource provider (GET /allocation_candidates, >= 1.29)."""

    id: str
    #: The provider at the top of its tree: the hypervisor's own.
    root: str
    traits: frozenset[str]
    #: By resource class.
    inventories: abc.Mapping[str, Inventory]


@dataclasses.dataclass(frozen=True, slots=True)
class Allocation:
    """An amount of one resource class of one provider."""

    provider: str
    resource_class: str
    amount: int


#: One allocation candidate: all that one consumer would hold.
AllocationRequest = tuple[Allocation, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class AllocationCandidates:
    """Who could take one shape now: an answer of Placement.

    Step size, least and greatest unit of the inventories are heeded by
    Placement already.
    """

    #: All providers of the candidates' trees, by id.
    providers: abc.Mapping[str, Provider]
    candidates: tuple[AllocationRequest, ...]


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


@dataclasses.dataclass(frozen=True, slots=True)
class CapacitySnapshot:
    """All that is known of the hosts that may take servers."""

    #: The compute services of all hosts, by host.
    services: abc.Mapping[str, model.Service]
    #: The host of each hypervisor's resource provider, by provider.
    hosts: abc.Mapping[str, str]
    #: Who could take each shape, by shape.
    allocation_candidates: abc.Mapping[Shape, AllocationCandidates] = (
        dataclasses.field(default_factory=dict)
    )
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
    shape: Shape
    #: The host it is to leave.
    source: str
