# SPDX-License-Identifier: Apache-2.0

"""Looking whether those who come home have room there."""

import collections
import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint import survey as surveys
from osc_hostmaint.engine import gathering
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import prospect as prospects
from osc_hostmaint.engine import surveyor
from osc_hostmaint.planning import decision as decisions
from osc_hostmaint.planning import eligible
from osc_hostmaint.planning import forecast
from osc_hostmaint.planning import preview as previews


@dataclasses.dataclass(frozen=True, slots=True)
class Welcome:
    """What is known of the room that several hosts have."""

    #: What bringing servers home would do, by home.
    by_home: collections.abc.Mapping[str, previews.Preview]
    #: What could not be looked at: lines for people.
    notes: tuple[str, ...]
    survey: surveys.Survey
    #: It is known who has room.
    known: bool
    demands: tuple[surveys.Demand, ...]

    @property
    def preview(self) -> previews.Preview:
        """What it would do, in all."""
        each = self.by_home.values()
        return previews.Preview(
            rows=tuple(row for preview in each for row in preview.rows),
            outlook=_together([preview.outlook for preview in each]),
            memory_mb=sum(preview.memory_mb for preview in each),
            notes=self.notes,
        )

    @property
    def prospect(self) -> prospects.Prospect:
        """The same, for whoever keeps count of moves."""
        return prospects.Prospect(
            self.preview,
            eligible.Limits(frozenset()),
            self.survey,
            self.known,
            self.demands,
        )


def look(
    gateway: ports.Gateway,
    services: collections.abc.Mapping[str, model.Service],
    gathered: collections.abc.Iterable[gathering.Gathering],
) -> Welcome:
    """Look whether servers fit at home. Nothing is changed.

    Where Placement does not answer, capacity is unknown, and the notes say
    so.

    :param services: of all hosts, by host.
    """
    gathered = tuple(gathered)
    asking = surveyor.Surveyor(gateway)
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
    each: gathering.Gathering,
) -> list[tuple[decisions.Row, model.Server]]:
    """Return those that have to find a place at home."""
    servers = {s.id: s for group in each.groups for s in group.servers}
    return [
        (row, server)
        for row in each.coming
        # One that is seen elsewhere has left already.
        if previews.needs_room(row)
        and (server := servers[row.server_id]).host == row.host
    ]


def _preview(
    each: gathering.Gathering,
    demands: tuple[surveys.Demand, ...],
    survey: surveys.Survey,
    unknown: str,
) -> previews.Preview:
    """:param unknown: why capacity is not known; '' where it is."""
    if unknown:
        outlook = forecast.unknown(demands, unknown)
    else:
        limits = eligible.Limits(frozenset(), only=each.home.host)
        outlook = forecast.forecast(survey, demands, limits)
    by_id = {demand.server.id: demand for demand in demands}
    return previews.Preview(
        rows=tuple(
            previews.row(row, by_id.get(row.server_id), outlook)
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
