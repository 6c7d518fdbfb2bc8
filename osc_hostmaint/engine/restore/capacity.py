# SPDX-License-Identifier: Apache-2.0

"""Checking whether servers fit on the hosts they are brought back to."""

import collections
import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.engine.capacity import snapshot
from osc_hostmaint.engine.restore import plan
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.host import decision as decisions


@dataclasses.dataclass(frozen=True, slots=True)
class Welcome:
    """Whether servers fit on several hosts, and what is not known."""

    #: What bringing servers home would do, by home.
    by_home: collections.abc.Mapping[str, dry_runs.Preview]
    #: What could not be looked at: lines for people.
    notes: tuple[str, ...]
    survey: snapshots.Survey
    #: It is known who has room.
    known: bool
    demands: tuple[snapshots.Demand, ...]

    @property
    def preview(self) -> dry_runs.Preview:
        """What it would do, in all."""
        each = self.by_home.values()
        return dry_runs.Preview(
            rows=tuple(row for preview in each for row in preview.rows),
            outlook=_together([preview.outlook for preview in each]),
            memory_mb=sum(preview.memory_mb for preview in each),
            notes=self.notes,
        )

    @property
    def prospect(self) -> dry_run.Prospect:
        """The same, for whoever keeps count of moves."""
        return dry_run.Prospect(
            self.preview,
            eligible.Limits(frozenset()),
            self.survey,
            self.known,
            self.demands,
        )


def look(
    gateway: ports.Gateway,
    services: collections.abc.Mapping[str, model.Service],
    gathered: collections.abc.Iterable[plan.Gathering],
) -> Welcome:
    """Check whether servers fit on their old hosts. Nothing is changed.

    If Placement does not answer, capacity is unknown, and the notes say so.

    :param services: of all hosts, by host.
    """
    gathered = tuple(gathered)
    asking = snapshot.Surveyor(gateway)
    moving = {each.home.host: _moving(each) for each in gathered}
    servers: dict[str, list[model.Server]] = collections.defaultdict(list)
    for found in moving.values():
        for row, server in found:
            servers[row.host].append(server)
    stock = asking.take_stock(servers)
    demands = {
        home: tuple(
            demand
            for row, server in found
            if (demand := stock.demand(row.host, server))
        )
        for home, found in moving.items()
    }
    every = tuple(d for wanted in demands.values() for d in wanted)
    survey = asking.survey(stock, services, every)
    return Welcome(
        {
            each.home.host: _preview(
                each, demands[each.home.host], survey, asking.unknown
            )
            for each in gathered
        },
        tuple(asking.notes),
        survey,
        not asking.unknown,
        every,
    )


def _moving(
    each: plan.Gathering,
) -> list[tuple[decisions.Row, model.Server]]:
    """Return those that have to find a place at home."""
    servers = {s.id: s for group in each.groups for s in group.servers}
    return [
        (row, server)
        for row in each.coming
        # One that is seen elsewhere has left already.
        if dry_runs.needs_room(row)
        and (server := servers[row.server_id]).host == row.host
    ]


def _preview(
    each: plan.Gathering,
    demands: tuple[snapshots.Demand, ...],
    survey: snapshots.Survey,
    unknown: str,
) -> dry_runs.Preview:
    """:param unknown: why capacity is not known; '' where it is."""
    if unknown:
        outlook = forecast.unknown(demands, unknown)
    else:
        limits = eligible.Limits(frozenset(), only=each.home.host)
        outlook = forecast.forecast(survey, demands, limits)
    by_id = {demand.server.id: demand for demand in demands}
    return dry_runs.Preview(
        rows=tuple(
            dry_runs.row(row, by_id.get(row.server_id), outlook)
            for row in (*each.coming, *each.alone)
        ),
        outlook=outlook,
        memory_mb=sum(demand.server.memory_mb for demand in demands),
    )


def _together(
    outlooks: collections.abc.Sequence[forecast.Outlook],
) -> forecast.Outlook:
    """Return what several homes can take, each its own servers."""
    if len(outlooks) == 1:
        return outlooks[0]
    fills: dict[str, forecast.Fill] = {}
    for fill in (fill for outlook in outlooks for fill in outlook.fills):
        name = fill.resource_class
        old = fills.get(name, forecast.Fill(name, 0, 0, 0))
        fills[name] = forecast.Fill(
            name,
            old.before + fill.before,
            old.after + fill.after,
            old.capacity + fill.capacity,
        )
    return forecast.Outlook(
        fits={i: fit for o in outlooks for i, fit in o.fits.items()},
        placed={i: host for o in outlooks for i, host in o.placed.items()},
        hosts=sum(outlook.hosts for outlook in outlooks),
        fills=tuple(
            sorted(
                fills.values(),
                key=lambda f: (-f.after / f.capacity, f.resource_class),
            )
        ),
        remedies=tuple(dict.fromkeys(r for o in outlooks for r in o.remedies)),
    )
