# SPDX-License-Identifier: Apache-2.0

"""Which hosts may take which server, whatever else goes there.

An ordered list of small rules: the first that speaks against a host counts.
They follow the scheduler's filters, and its request filters
(nova/scheduler/request_filter.py).
"""

import collections
from collections import abc
import copy
import dataclasses
import functools
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import snapshot as snapshots

#: Of a disabled compute service (nova-compute sets it, a moment later).
STATUS_DISABLED = 'COMPUTE_STATUS_DISABLED'

_TENANT = 'filter_tenant_id'
_TRAIT = 'trait:'

#: Candidates of one server, by host.
Options = abc.Mapping[str, tuple[snapshots.AllocationRequest, ...]]
#: Stands for what servers with the same options share.
DemandKind = int


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of hosts beside what a server asks for."""

    #: Hosts that are to be drained: nothing is to go there.
    leaving: frozenset[str]
    #: The only host to go to; '' if it may be any.
    only: str = ''
    #: Hosts that are taken last.
    avoided: frozenset[str] = frozenset()
    #: Hosts that count as if they were enabled.
    opened: frozenset[str] = frozenset()
    #: Rules also count that may or may not be in force: what they depend on,
    #: Nova does not tell.
    strict: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class _HostCheck:
    """One host, one server."""

    host: str
    demand: snapshots.Demand
    snapshot: snapshots.CapacitySnapshot
    limits: Limits
    #: Of all its providers; None: not known.
    traits: frozenset[str] | None
    #: What all its providers have left together; None: not known.
    left: abc.Mapping[str, int] | None
    #: What each of its candidates would be given by: the providers' traits.
    candidates: tuple[tuple[frozenset[str], ...], ...]

    @property
    def service(self) -> model.Service:
        return self.snapshot.services[self.host]

    @property
    def needs(self) -> model.Needs:
        return self.demand.server.needs

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """What the host's aggregates say."""
        return [
            item
            for aggregate in self.snapshot.aggregates
            if self.host in aggregate.hosts
            for item in aggregate.metadata.items()
        ]


def _limits(check: _HostCheck) -> str:
    if check.host in check.limits.leaving:
        return 'to be drained'
    only = check.limits.only
    return '' if only in ('', check.host) else f'not {only}'


def _service(check: _HostCheck) -> str:
    """Hosts that are out of service take nothing."""
    service = check.service
    if check.host in check.snapshot.bare_metal:
        return 'bare metal'
    if service.namesakes:
        return 'with two compute services of that name'
    shut = not (service.enabled or check.host in check.limits.opened)
    if shut and service.mode is model.Mode.MAINTENANCE:
        return 'in maintenance'
    if service.silent:
        return 'in a cell that does not answer'
    if shut:
        return 'disabled'
    if STATUS_DISABLED in (check.traits or ()) and service.enabled:
        return 'not yet enabled in Placement'
    return '' if service.up else 'down'


def _zone(check: _HostCheck) -> str:
    zone = check.needs.zone
    if zone is None or check.service.zone == zone:
        return ''
    aggregates = check.snapshot.aggregates
    if aggregates and not any(
        a.metadata.get('availability_zone') == zone for a in aggregates
    ):
        # A zone that is none, like the default one, binds nobody
        # (nova/scheduler/request_filter.py: map_az_to_placement_aggregate).
        return ''
    return f'not in zone {zone}'


def _perhaps_zone(check: _HostCheck) -> str:
    """Before 2.96 Nova does not tell who has to stay in its zone."""
    source = check.snapshot.services.get(check.demand.source)
    if check.needs.zone_known or source is None:
        return ''
    same = check.service.zone == source.zone
    return '' if same else f'not in zone {source.zone}'


def _traits(check: _HostCheck) -> str:
    if check.candidates:
        # Placement was asked with the traits of groups.
        if check.demand.request.numbered:
            return ''
        return min(_of_traits(check.needs, each) for each in check.candidates)
    # Without room, what it has is reported as far as it is known.
    if check.traits is None:
        return ''
    return _of_traits(check.needs, (check.traits,))


def _required_traits(needs: model.Needs) -> frozenset[str]:
    """Return the traits that a host must have, for all resource groups."""
    return needs.required_traits.union(
        *(group.required_traits for group in needs.groups)
    )


def _of_traits(
    needs: model.Needs, providers: abc.Iterable[frozenset[str]]
) -> str:
    """Return what speaks against providers that would give something.

    Each may lack what another of them has (placement/objects/
    allocation_candidate.py: _check_traits_for_alloc_request).
    """
    traits = frozenset[str]().union(*providers)
    if missing := _required_traits(needs) - traits:
        return f'without {min(missing)}'
    if unwanted := needs.forbidden_traits & traits:
        return f'with {min(unwanted)}'
    return ''


def _tenants(check: _HostCheck) -> str:
    """Hosts of a project's aggregates are for it; it is for them.

    If ``limit_tenants_to_placement_aggregate`` is on, or the filter
    AggregateMultiTenancyIsolation.
    """
    project = check.demand.server.project_id
    own, foreign = [], False
    for aggregate in check.snapshot.aggregates:
        tenants = {
            tenant.strip()
            for key, value in aggregate.metadata.items()
            if key.startswith(_TENANT)
            for tenant in value.split(',')
        }
        if project in tenants:
            own.append(aggregate)
        elif tenants and check.host in aggregate.hosts:
            foreign = True
    if any(check.host in aggregate.hosts for aggregate in own):
        return ''
    if foreign:
        return "in another project's aggregate"
    return "not in its project's aggregate" if own else ''


def _isolation(check: _HostCheck) -> str:
    """An aggregate may be for servers only that ask for its traits.

    If ``enable_isolated_aggregate_filtering`` is on.
    """
    for key, value in check.metadata:
        trait = key.removeprefix(_TRAIT)
        isolates = trait != key and value == 'required'
        if isolates and trait not in _required_traits(check.needs):
            return f'for servers that require {trait}'
    return ''


def _specs(check: _HostCheck) -> str:
    """Extra specs may ask for an aggregate with such metadata.

    If the filter AggregateInstanceExtraSpecsFilter is on. It also knows
    operators (nova/scheduler/filters/extra_specs_ops.py), which pass here.
    """
    if not check.needs.aggregate_specs:
        return ''
    found = {(k, v.strip()) for k, vs in check.metadata for v in vs.split(',')}
    for key, value in check.needs.aggregate_specs:
        if ' ' not in value and (key, value) not in found:
            return f'not in an aggregate with {key}={value}'
    return ''


def _others(check: _HostCheck) -> str:
    """All providers together must have what ports and devices ask for."""
    left = check.left
    for name, amount in check.demand.others:
        if left is not None and left[name] < amount:
            return f'without {name}'
    return ''


RULES = (_limits, _service, _zone, _traits)
#: Those that may or may not be in force.
DOUBTFUL = (_others, _perhaps_zone, _tenants, _isolation, _specs)


@functools.lru_cache(maxsize=1024)
def _that_count(needs: model.Needs) -> model.Needs:
    """Return what decides which hosts a server may go to.

    Asked for every server before every move.
    """
    return dataclasses.replace(needs, unchecked=(), grouped=None)


class Eligible:
    """Answers for each server, worked out once for servers alike."""

    def __init__(self, snapshot: snapshots.CapacitySnapshot, limits: Limits):
        self.snapshot = snapshot
        self.limits = limits
        self._kinds: dict[str, DemandKind] = {}
        self._numbers: dict[object, DemandKind] = {}
        self._found: dict[DemandKind, Options] = {}
        self._within: abc.Set[str] | None = None
        self._narrowed: dict[DemandKind, Options] = {}
        self._against: dict[DemandKind, dict[str, str]] = {}
        self._offered: dict[snapshots.ResourceRequest, Options] = {}
        # The newest answer comes last, and counts.
        self._providers = {
            provider.id: provider
            for answer in snapshot.allocation_candidates.values()
            for provider in answer.providers.values()
        }
        #: Of all providers of each host, where known.
        self._traits: dict[str, frozenset[str]] = {}
        self._left: dict[str, collections.Counter[str]] = {}
        for provider in self._providers.values():
            if host := snapshot.hosts.get(provider.root):
                others = self._traits.get(host, frozenset())
                self._traits[host] = others | provider.traits
                left = self._left.setdefault(host, collections.Counter())
                for name, inventory in provider.inventories.items():
                    left[name] += inventory.capacity - inventory.used
        self._tenants = any(
            key.startswith(_TENANT)
            for aggregate in snapshot.aggregates
            for key in aggregate.metadata
        )

    def within(self, hosts: abc.Set[str]) -> ty.Self:
        """Return the answers for some of the hosts only."""
        other = copy.copy(self)
        other._within = hosts
        other._narrowed = {}
        return other

    def kind(self, demand: snapshots.Demand) -> DemandKind:
        """Return a number that servers with the same options share."""
        server = demand.server
        if server.id not in self._kinds:
            alike = (
                demand.request,
                demand.others,
                _that_count(server.needs),
                server.project_id if self._tenants else '',
                '' if server.needs.zone_known else demand.source,
            )
            number = self._numbers.setdefault(alike, len(self._numbers))
            self._kinds[server.id] = number
        return self._kinds[server.id]

    def options(self, demand: snapshots.Demand) -> Options:
        """Return the candidates of a server, by host."""
        whole = self._options(demand)
        if self._within is None:
            return whole
        kind = self.kind(demand)
        if kind not in self._narrowed:
            self._narrowed[kind] = {
                host: found
                for host, found in whole.items()
                if host in self._within
            }
        return self._narrowed[kind]

    def _options(self, demand: snapshots.Demand) -> Options:
        kind = self.kind(demand)
        if kind not in self._found:
            needs, against = demand.server.needs, self.against(demand)
            offered = self._allocation_candidates(demand.request)
            self._found[kind] = {
                host: tuple(
                    candidate
                    for candidate in candidates
                    # Rules have seen to the only one that a host has.
                    if len(candidates) == 1
                    or demand.request.numbered
                    or not _of_traits(needs, self._givers(candidate))
                )
                for host, candidates in offered.items()
                if against.get(host) == ''
            }
        return self._found[kind]

    def _givers(
        self, candidate: snapshots.AllocationRequest
    ) -> tuple[frozenset[str], ...]:
        """Return the traits of the providers that would give something."""
        providers = {allocation.provider for allocation in candidate}
        known = self._providers
        return tuple(known[p].traits for p in providers if p in known)

    def against(self, demand: snapshots.Demand) -> abc.Mapping[str, str]:
        """Return what speaks against each host, '' for nothing.

        Room is another matter.
        """
        kind = self.kind(demand)
        if kind not in self._against:
            self._against[kind] = {
                host: self._judge(host, demand)
                for host in self.snapshot.services
            }
        return self._against[kind]

    def _judge(self, host: str, demand: snapshots.Demand) -> str:
        needs = demand.server.needs
        offered: Options = {}
        if _required_traits(needs) or needs.forbidden_traits:
            offered = self._allocation_candidates(demand.request)
        check = _HostCheck(
            host,
            demand,
            self.snapshot,
            self.limits,
            self._traits.get(host),
            self._left.get(host),
            tuple(self._givers(each) for each in offered.get(host, ())),
        )
        rules = (*RULES, *DOUBTFUL) if self.limits.strict else RULES
        return next((words for rule in rules if (words := rule(check))), '')

    def _allocation_candidates(
        self, request: snapshots.ResourceRequest
    ) -> Options:
        if request not in self._offered:
            answer = self.snapshot.allocation_candidates.get(request)
            found: dict[str, list[snapshots.AllocationRequest]] = {}
            if answer:
                for each in answer.candidates:
                    if host := ledgers.host_of(self.snapshot, answer, each):
                        found.setdefault(host, []).append(each)
            self._offered[request] = {h: tuple(c) for h, c in found.items()}
        return self._offered[request]
