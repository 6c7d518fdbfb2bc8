# SPDX-License-Identifier: Apache-2.0

"""Which hosts may take which server, whatever else goes there.

An ordered list of small rules: the first that speaks against a host counts.
They follow the scheduler's filters, and its request filters
(nova/scheduler/request_filter.py).
"""

import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning.capacity import ledger as ledgers
from osc_hostmaint.planning.capacity import snapshot as snapshots

#: Of a disabled compute service (nova-compute sets it, a moment later).
STATUS_DISABLED = 'COMPUTE_STATUS_DISABLED'

_TENANT = 'filter_tenant_id'
_TRAIT = 'trait:'

#: Candidates of one server, by host.
Options = collections.abc.Mapping[str, tuple[snapshots.Candidate, ...]]
#: Stands for what servers with the same options share.
Kind = int


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of hosts beside what a server asks for."""

    #: Hosts that are to be drained: nothing is to go there.
    leaving: frozenset[str]
    #: The only host to go to; '' if it may be any.
    only: str = ''
    #: Hosts that count as if they were enabled.
    opened: frozenset[str] = frozenset()
    #: Rules count, too, that may or may not be in force: what they depend on,
    #: Nova does not tell.
    strict: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class _Case:
    """One host, one server."""

    host: str
    demand: snapshots.Demand
    survey: snapshots.Survey
    limits: Limits
    #: Of all its providers; None: not known.
    traits: frozenset[str] | None
    #: What each of its candidates would be given by: the providers' traits.
    candidates: tuple[tuple[frozenset[str], ...], ...]

    @property
    def service(self) -> model.Service:
        return self.survey.services[self.host]

    @property
    def needs(self) -> model.Needs:
        return self.demand.server.needs

    @property
    def shut(self) -> bool:
        """Disabled, and not to be thought of as enabled."""
        opened = self.host in self.limits.opened
        return not (self.service.enabled or opened)


def _leaving(case: _Case) -> str:
    return 'to be drained' if case.host in case.limits.leaving else ''


def _other(case: _Case) -> str:
    only = case.limits.only
    return '' if only in ('', case.host) else f'not {only}'


def _bare_metal(case: _Case) -> str:
    return 'bare metal' if case.host in case.survey.bare_metal else ''


def _ambiguous(case: _Case) -> str:
    return (
        'with two compute services of that name'
        if case.service.namesakes
        else ''
    )


def _maintenance(case: _Case) -> str:
    mode = case.service.mode
    if case.shut and mode is model.Mode.MAINTENANCE:
        return 'in maintenance'
    return ''


def _disabled(case: _Case) -> str:
    if case.service.silent:
        return 'in a cell that does not answer'
    if case.shut:
        return 'disabled'
    if STATUS_DISABLED in (case.traits or ()) and case.service.enabled:
        return 'not yet enabled in Placement'
    return ''


def _down(case: _Case) -> str:
    return '' if case.service.up else 'down'


def _zone(case: _Case) -> str:
    zone = case.needs.zone
    if zone is None or case.service.zone == zone:
        return ''
    aggregates = case.survey.aggregates
    if aggregates and not any(
        a.metadata.get('availability_zone') == zone for a in aggregates
    ):
        # A zone that is none, like the default one, binds nobody
        # (nova/scheduler/request_filter.py: map_az_to_placement_aggregate).
        return ''
    return f'not in zone {zone}'


def _perhaps_zone(case: _Case) -> str:
    """Before 2.96 Nova does not tell who has to stay in its zone."""
    source = case.survey.services.get(case.demand.source)
    if case.needs.zone_known or source is None:
        return ''
    if case.service.zone == source.zone:
        return ''
    return f'not in zone {source.zone}'


def _traits(case: _Case) -> str:
    if case.candidates:
        return min(_of_traits(case.needs, each) for each in case.candidates)
    # Without room, what it has is told all the same: as far as known.
    if case.traits is None:
        return ''
    return _of_traits(case.needs, (case.traits,))


def _of_traits(
    needs: model.Needs, providers: collections.abc.Iterable[frozenset[str]]
) -> str:
    """Return what speaks against providers that would give something.

    Each may lack what another of them has (placement/objects/
    allocation_candidate.py: _check_traits_for_alloc_request).
    """
    traits = frozenset[str]().union(*providers)
    if missing := needs.required_traits - traits:
        return f'without {min(missing)}'
    if unwanted := needs.forbidden_traits & traits:
        return f'with {min(unwanted)}'
    return ''


def _tenants(case: _Case) -> str:
    """Hosts of a project's aggregates are for it; it is for them.

    If ``limit_tenants_to_placement_aggregate`` is on, or the filter
    AggregateMultiTenancyIsolation.
    """
    project = case.demand.server.project_id
    own = foreign = bound = False
    for aggregate in case.survey.aggregates:
        tenants = {
            tenant.strip()
            for key, value in aggregate.metadata.items()
            if key.startswith(_TENANT)
            for tenant in value.split(',')
        }
        if not tenants:
            continue
        inside = case.host in aggregate.hosts
        if project in tenants:
            bound = True
            own = own or inside
        elif inside:
            foreign = True
    if own:
        return ''
    if foreign:
        return "in another project's aggregate"
    return "not in its project's aggregate" if bound else ''


def _isolation(case: _Case) -> str:
    """An aggregate may be for servers only that ask for its traits.

    If ``enable_isolated_aggregate_filtering`` is on.
    """
    for aggregate in case.survey.aggregates:
        if case.host not in aggregate.hosts:
            continue
        for key, value in aggregate.metadata.items():
            trait = key.removeprefix(_TRAIT)
            if (
                trait != key
                and value == 'required'
                and trait not in case.needs.required_traits
            ):
                return f'for servers that require {trait}'
    return ''


def _specs(case: _Case) -> str:
    """Extra specs may ask for an aggregate with such metadata.

    If the filter AggregateInstanceExtraSpecsFilter is on. It knows operators
    (nova/scheduler/filters/extra_specs_ops.py), too; those are let pass.
    """
    found: dict[str, set[str]] = {}
    for aggregate in case.survey.aggregates:
        if case.host in aggregate.hosts:
            for key, value in aggregate.metadata.items():
                values = (v.strip() for v in value.split(','))
                found.setdefault(key, set()).update(values)
    for key, value in case.needs.aggregate_specs:
        if ' ' not in value and value not in found.get(key, ()):
            return f'not in an aggregate with {key}={value}'
    return ''


RULES: tuple[collections.abc.Callable[[_Case], str], ...] = (
    _leaving,
    _other,
    _bare_metal,
    _ambiguous,
    _maintenance,
    _disabled,
    _down,
    _zone,
    _traits,
)
#: Those that may or may not be in force.
DOUBTFUL: tuple[collections.abc.Callable[[_Case], str], ...] = (
    _perhaps_zone,
    _tenants,
    _isolation,
    _specs,
)


class Eligible:
    """Answers for each server, worked out once for servers alike."""

    def __init__(self, survey: snapshots.Survey, limits: Limits):
        self._survey = survey
        self._limits = limits
        self._kinds: dict[str, Kind] = {}
        self._numbers: dict[object, Kind] = {}
        self._found: dict[Kind, Options] = {}
        self._against: dict[Kind, dict[str, str]] = {}
        self._offered: dict[snapshots.Shape, Options] = {}
        # The newest answer comes last, and counts.
        self._providers = {
            provider.id: provider
            for offers in survey.offers.values()
            for provider in offers.providers.values()
        }
        self._traits = _traits_of_hosts(survey, self._providers.values())
        self._tenants = any(
            key.startswith(_TENANT)
            for aggregate in survey.aggregates
            for key in aggregate.metadata
        )

    def kind(self, demand: snapshots.Demand) -> Kind:
        """Return a number that servers with the same options share."""
        server = demand.server
        if server.id not in self._kinds:
            alike = (
                demand.shape,
                dataclasses.replace(server.needs, unchecked=(), grouped=None),
                server.project_id if self._tenants else '',
                '' if server.needs.zone_known else demand.source,
            )
            number = self._numbers.setdefault(alike, len(self._numbers))
            self._kinds[server.id] = number
        return self._kinds[server.id]

    def options(self, demand: snapshots.Demand) -> Options:
        """Return the candidates of a server, by host."""
        kind = self.kind(demand)
        if kind not in self._found:
            against = self.against(demand)
            self._found[kind] = {
                host: self._suitable(demand, candidates)
                for host, candidates in self._offers(demand.shape).items()
                if against.get(host) == ''
            }
        return self._found[kind]

    def _suitable(
        self,
        demand: snapshots.Demand,
        candidates: tuple[snapshots.Candidate, ...],
    ) -> tuple[snapshots.Candidate, ...]:
        """Return those of a host's candidates that have the right traits."""
        if len(candidates) == 1:
            return candidates
        return tuple(
            candidate
            for candidate in candidates
            if not _of_traits(demand.server.needs, self._givers(candidate))
        )

    def _givers(
        self, candidate: snapshots.Candidate
    ) -> tuple[frozenset[str], ...]:
        providers = dict.fromkeys(share.provider for share in candidate)
        known = self._providers
        return tuple(known[p].traits for p in providers if p in known)

    def against(
        self, demand: snapshots.Demand
    ) -> collections.abc.Mapping[str, str]:
        """Return what speaks against each host, '' for nothing.

        Room is another matter.
        """
        kind = self.kind(demand)
        if kind not in self._against:
            self._against[kind] = {
                host: self._judge(host, demand)
                for host in self._survey.services
            }
        return self._against[kind]

    def _judge(self, host: str, demand: snapshots.Demand) -> str:
        needs = demand.server.needs
        picky = needs.required_traits or needs.forbidden_traits
        offered = self._offers(demand.shape).get(host, ()) if picky else ()
        case = _Case(
            host,
            demand,
            self._survey,
            self._limits,
            self._traits.get(host),
            tuple(self._givers(candidate) for candidate in offered),
        )
        rules = (*RULES, *DOUBTFUL) if self._limits.strict else RULES
        return next((words for rule in rules if (words := rule(case))), '')

    def _offers(self, shape: snapshots.Shape) -> Options:
        if shape not in self._offered:
            offers = self._survey.offers.get(shape)
            found: dict[str, list[snapshots.Candidate]] = {}
            if offers:
                for candidate in offers.candidates:
                    host = ledgers.host_of(self._survey, offers, candidate)
                    if host is not None:
                        found.setdefault(host, []).append(candidate)
            self._offered[shape] = {h: tuple(c) for h, c in found.items()}
        return self._offered[shape]


def _traits_of_hosts(
    survey: snapshots.Survey,
    providers: collections.abc.Iterable[snapshots.Provider],
) -> dict[str, frozenset[str]]:
    """Return the traits of all providers of each host, where known."""
    found: dict[str, frozenset[str]] = {}
    for provider in providers:
        if host := survey.hosts.get(provider.root):
            traits = provider.traits
            found[host] = found[host] | traits if host in found else traits
    return found
