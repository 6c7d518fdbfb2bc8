# SPDX-License-Identifier: Apache-2.0

"""The capacity forecast: which servers fit on the other hosts.

How a server moves does not matter here: a drain, an evacuation and a restore
ask the same question.
"""

import collections
from collections import abc
import dataclasses
import enum

from osc_hostmaint.planning.capacity import assignment as assignments
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.capacity import suggestions

Demand = snapshots.Demand
#: Of servers that fit only if some of the scheduler's filters are off.
DOUBTFUL = 'depends on scheduler filters that the API does not show'
_CUT = (
    'there may be room that was not looked at: Placement was asked for at '
    f'most {snapshots.MOST_CANDIDATES:,} allocation candidates'
)


class Fits(enum.StrEnum):
    """Whether a server fits elsewhere when all the others have moved."""

    YES = 'yes'
    NO = 'no'
    #: It depends on something that only the scheduler knows.
    UNKNOWN = 'unknown'


@dataclasses.dataclass(frozen=True, slots=True)
class Fit:
    """Whether one server fits, and why not."""

    fits: Fits
    #: How many hosts could take it alone; None: not known.
    candidates: int | None
    reason: str = ''


@dataclasses.dataclass(frozen=True, slots=True)
class Utilization:
    """How full hosts are of one resource class, before and after."""

    resource_class: str
    before: int
    after: int
    capacity: int


@dataclasses.dataclass(frozen=True, slots=True)
class CapacityForecast:
    """What the rest of the cloud can take."""

    #: By the server's id.
    fits: abc.Mapping[str, Fit]
    #: Where each server that fits would go, by its id.
    placed: abc.Mapping[str, str]
    #: How many hosts may take any of them, and how full they are: the
    #: tightest resource class, after the moves, comes first.
    hosts: int = 0
    utilizations: tuple[Utilization, ...] = ()
    #: What would help where it does not fit: lines for people.
    suggestions: tuple[str, ...] = ()

    @property
    def misfits(self) -> tuple[str, ...]:
        """The servers that certainly do not fit."""
        return tuple(i for i, f in self.fits.items() if f.fits is Fits.NO)


def unknown(demands: abc.Iterable[Demand], why: str) -> CapacityForecast:
    """Return the forecast where capacity can't be known."""
    return CapacityForecast(
        {d.server.id: Fit(Fits.UNKNOWN, None, why) for d in demands}, placed={}
    )


def forecast(
    snapshot: snapshots.CapacitySnapshot,
    demands: abc.Iterable[Demand],
    limits: eligible.Limits,
) -> CapacityForecast:
    """Return what the rest of the cloud can take.

    :param demands: servers that have to go somewhere, together.
    """
    demands = tuple(demands)
    unweighed = {
        d.server.id: Fit(Fits.UNKNOWN, None, why)
        for d in demands
        if (why := why_unweighed(d, snapshot))
    }
    weighed = tuple(d for d in demands if d.server.id not in unweighed)
    strict = assignments.assign(snapshot, weighed, limits)
    loose = strict
    if strict.left:
        loose = assignments.again(strict, strict=False)
        if len(loose.left) > len(strict.left):
            # Fewer rules leave more ways: it was not found, that is all.
            loose = strict
    surely = _SingleFit(strict)
    perhaps = surely if loose is strict else _SingleFit(loose)
    fits = {d.server.id: _fit(d, surely, perhaps) for d in weighed}
    hosts, utilizations = _utilizations(loose)
    return CapacityForecast(
        {**fits, **unweighed},
        strict.placed,
        hosts,
        utilizations,
        suggestions.find(loose),
    )


def why_unweighed(demand: Demand, snapshot: snapshots.CapacitySnapshot) -> str:
    """Return why nothing is known of a server's room; '' if it is."""
    if not demand.shape:
        return (
            f'it has no allocation on {demand.source} in Placement, so the '
            'room it needs is not known'
        )
    refused = snapshot.allocation_candidates[demand.request].refused
    return f'capacity is not known: {refused}' if refused else ''


class _SingleFit:
    """Where each server could go if no other moved."""

    def __init__(self, tried: occupancies.Occupancy):
        self.tried = tried
        #: One that has a place might have had another.
        self.cut = any(
            self.is_cut(d)
            for d in tried.task.demands
            if d.server.id in tried.placed
        )
        self._occupancy = occupancies.Occupancy(tried.task)
        self._roomy: dict[eligible.DemandKind, list[str]] = {}

    def is_cut(self, demand: Demand) -> bool:
        """Tell whether Placement may know more candidates of a server."""
        answers = self.tried.options.snapshot.allocation_candidates
        return answers[demand.request].cut

    def hosts(self, demand: Demand) -> list[str]:
        """Return the hosts that could take a server."""
        roomy = self.roomy(demand)
        if self.tried.group_members.group(demand.server.id) is None:
            return roomy
        return [h for h in roomy if self._occupancy.allows(demand, h)]

    def roomy(self, demand: Demand) -> list[str]:
        """Return the hosts that could if its group did not matter."""
        options = self.tried.options
        kind = options.kind(demand)
        if kind not in self._roomy:
            self._roomy[kind] = [
                host
                for host in options.options(demand)
                if self._occupancy.candidate(demand, host)
            ]
        return self._roomy[kind]


def _fit(demand: Demand, surely: _SingleFit, perhaps: _SingleFit) -> Fit:
    """Return what is known of one server.

    :param surely: also by the rules that may or may not be in force.
    :param perhaps: by those only that are.
    """
    count = len(perhaps.hosts(demand))
    cut = perhaps.is_cut(demand)
    alone = None if cut else count
    if demand.server.id not in perhaps.tried.placed:
        if cut or (count and perhaps.cut):
            return Fit(Fits.UNKNOWN, alone, _CUT)
        return Fit(Fits.NO, alone, _why_not(demand, perhaps))
    doubt = _doubt(demand, surely)
    return Fit(Fits.UNKNOWN if doubt else Fits.YES, alone, doubt)


def _doubt(demand: Demand, surely: _SingleFit) -> str:
    """Return why it is not sure that a server fits; '' where it is."""
    placed = surely.tried.placed
    if demand.server.id not in placed:
        return f'{DOUBTFUL}: {_why_not(demand, surely)}'
    group = surely.tried.group_members.group(demand.server.id)
    return unchecked(demand, surely.tried.options.snapshot, group, placed)


def unchecked(
    demand: Demand,
    snapshot: snapshots.CapacitySnapshot,
    group: snapshots.Group | None,
    placed: abc.Iterable[str],
) -> str:
    """Return what only the scheduler can check of a server that has room.

    :param group: of the server, if it is known to be in one.
    :param placed: servers whose hosts are known, beside those of the snapshot.
    :returns: '' where it is sure that it fits.
    """
    needs = demand.server.needs
    if group is None and (
        needs.grouped or (snapshot.groups is None and needs.grouped is None)
    ):
        return (
            'there is room, but its server group is not known: only an '
            'administrator can list all server groups'
        )
    if needs.unchecked:
        return (
            'there is room, but only the scheduler can check '
            f'{", ".join(needs.unchecked)}'
        )
    if demand.others:
        held = ', '.join(name for name, _amount in demand.others)
        return (
            f'there is room, but it holds {held}, which its flavor does not '
            'request: only the scheduler can check what its ports and devices '
            'request'
        )
    if (
        group
        and group.policy == snapshots.GroupPolicy.ANTI_AFFINITY
        and not group.members <= {*snapshot.located, *placed}
    ):
        return (
            'the hosts of the other servers in its anti-affinity group are '
            'not known'
        )
    return ''


def why_not(demand: Demand, tried: occupancies.Occupancy) -> str:
    """Return why a server has no place in a try that left it over."""
    alone = _SingleFit(tried)
    return _CUT if alone.is_cut(demand) else _why_not(demand, alone)


def _why_not(demand: Demand, alone: _SingleFit) -> str:
    tried = alone.tried
    if many := len(alone.hosts(demand)):
        hosts = 'one host' if many == 1 else f'{many} hosts'
        return (
            f'{hosts} could take it alone, but not together with all the '
            'others'
        )
    group = tried.group_members.group(demand.server.id)
    if group and group.policy == snapshots.GroupPolicy.AFFINITY:
        return (
            'its server group (affinity) requires the host it is on, so Nova '
            'moves it nowhere else'
        )
    limits = tried.options.limits
    room = dict.fromkeys(alone.roomy(demand), 'excluded by its server group')
    full = 'without room'
    if demand.request.numbered:
        full += ' or traits for its resource groups'
    tally = collections.Counter(
        words or room.get(host, full)
        for host, words in tried.options.against(demand).items()
        if host not in limits.leaving and limits.only in ('', host)
    )
    if not tally:
        return 'there is no other host'
    ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    counts = ', '.join(f'{n} {words}' for words, n in ranked)
    return f'no host can take it: {counts}'


def _utilizations(
    tried: occupancies.Occupancy,
) -> tuple[int, tuple[Utilization, ...]]:
    demands, options = tried.task.demands, tried.options.options
    hosts = {host for demand in demands for host in options(demand)}
    before = tried.task.ledger.totals(hosts)
    after = tried.ledger.totals(hosts)
    utilizations = [
        Utilization(name, used, after[name][0], capacity)
        for name, (used, capacity) in before.items()
    ]
    utilizations.sort(key=lambda f: (-f.after / f.capacity, f.resource_class))
    return len(hosts), tuple(utilizations)
