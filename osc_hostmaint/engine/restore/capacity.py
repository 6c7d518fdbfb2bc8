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
class RestoreCapacity:
    """Whether servers fit on several hosts, and what is not known."""

    #: What bringing servers home would do, by home.
    by_home: collections.abc.Mapping[str, dry_runs.Preview]
    #: What could not be looked at: lines for people.
    notes: tuple[str, ...]
    snapshot: snapshots.CapacitySnapshot
    #: It is known who has room.
    known: bool
    demands: tuple[snapshots.Demand, ...]

    @property
    def preview(self) -> dry_runs.Preview:
        """What it would do, in all."""
        each = self.by_home.values()
        return dry_runs.Preview(
            rows=tuple(row for preview in each for row in preview.rows),
            capacity_forecast=_together(
                [preview.capacity_forecast for preview in each]
            ),
            memory_mb=sum(preview.memory_mb for preview in each),
            notes=self.notes,
        )

    @property
    def dry_run(self) -> dry_run.DryRun:
        """The same, for whoever keeps count of moves."""
        return dry_run.DryRun(
            self.preview,
            eligible.Limits(frozenset()),
            self.snapshot,
            self.known,
            self.demands,
        )


def look(
    gateway: ports.Gateway,
    services: collections.abc.Mapping[str, model.Service],
    plans: collections.abc.Iterable[plan.RestorePlan],
) -> RestoreCapacity:
    """Check whether servers fit on their old hosts. Nothing is changed.

    If Placement does not answer, capacity is unknown, and the notes say so.

    :param services: of all hosts, by host.
    """
    plans = tuple(plans)
    observing = snapshot.CapacityObserver(gateway)
    moving = {each.home.host: _moving(each) for each in plans}
    servers: dict[str, list[model.Server]] = collections.defaultdict(list)
    for found in moving.values():
        for row, server in found:
            servers[row.host].append(server)
    usage = observing.look_at_sources(servers)
    demands = {
        home: tuple(
            demand
            for row, server in found
            if (demand := usage.demand(row.host, server))
        )
        for home, found in moving.items()
    }
    every = tuple(d for wanted in demands.values() for d in wanted)
    capacity_snapshot = observing.take(usage, services, every)
    return RestoreCapacity(
        {
            each.home.host: _preview(
                each,
                demands[each.home.host],
                capacity_snapshot,
                observing.unknown,
            )
            for each in plans
        },
        tuple(observing.notes),
        capacity_snapshot,
        not observing.unknown,
        every,
    )


def _moving(
    each: plan.RestorePlan,
) -> list[tuple[decisions.Row, model.Server]]:
    """Return those that have to find a place at home."""
    servers = {s.id: s for group in each.groups for s in group.servers}
    return [
        (row, server)
        for row in each.to_restore
        # One that is seen elsewhere has left already.
        if dry_runs.needs_room(row)
        and (server := servers[row.server_id]).host == row.host
    ]


def _preview(
    each: plan.RestorePlan,
    demands: tuple[snapshots.Demand, ...],
    capacity_snapshot: snapshots.CapacitySnapshot,
    unknown: str,
) -> dry_runs.Preview:
    """:param unknown: why capacity is not known; '' where it is."""
    if unknown:
        capacity_forecast = forecast.unknown(demands, unknown)
    else:
        limits = eligible.Limits(frozenset(), only=each.home.host)
        capacity_forecast = forecast.forecast(
            capacity_snapshot, demands, limits
        )
    by_id = {demand.server.id: demand for demand in demands}
    return dry_runs.Preview(
        rows=tuple(
            dry_runs.row(row, by_id.get(row.server_id), capacity_forecast)
            for row in (*each.to_restore, *each.left_alone)
        ),
        capacity_forecast=capacity_forecast,
        memory_mb=sum(demand.server.memory_mb for demand in demands),
    )


def _together(
    capacity_forecasts: collections.abc.Sequence[forecast.CapacityForecast],
) -> forecast.CapacityForecast:
    """Return what several homes can take, each its own servers."""
    if len(capacity_forecasts) == 1:
        return capacity_forecasts[0]
    utilizations: dict[str, forecast.Utilization] = {}
    for utilization in (
        utilization
        for capacity_forecast in capacity_forecasts
        for utilization in capacity_forecast.utilizations
    ):
        name = utilization.resource_class
        old = utilizations.get(name, forecast.Utilization(name, 0, 0, 0))
        utilizations[name] = forecast.Utilization(
            name,
            old.before + utilization.before,
            old.after + utilization.after,
            old.capacity + utilization.capacity,
        )
    return forecast.CapacityForecast(
        fits={i: fit for o in capacity_forecasts for i, fit in o.fits.items()},
        placed={
            i: host for o in capacity_forecasts for i, host in o.placed.items()
        },
        hosts=sum(
            capacity_forecast.hosts for capacity_forecast in capacity_forecasts
        ),
        utilizations=tuple(
            sorted(
                utilizations.values(),
                key=lambda f: (-f.after / f.capacity, f.resource_class),
            )
        ),
        suggestions=tuple(
            dict.fromkeys(r for o in capacity_forecasts for r in o.suggestions)
        ),
    )
