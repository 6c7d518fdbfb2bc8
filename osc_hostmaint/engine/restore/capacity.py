# SPDX-License-Identifier: Apache-2.0

"""Checking whether servers fit on the hosts they are brought back to."""

import collections
from collections import abc

from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.engine.capacity import snapshot
from osc_hostmaint.engine.restore import plan
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import tenant_policy
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.host import decision as decisions


def look(
    gateway: ports.Gateway,
    services: abc.Mapping[str, model.Service],
    plans: abc.Collection[plan.RestorePlan],
    policy: policies.Policy,
    preparation: reporting.Preparation,
) -> tuple[dict[str, dry_runs.Preview], dry_run.DryRun]:
    """Return whether servers fit on their old hosts: by home, and in all.

    Nothing is changed. If Placement does not answer, capacity is unknown, and
    the notes say so.

    :param services: of all hosts, by host.
    """
    observing = snapshot.CapacityObserver(gateway, preparation)
    moving = [_moving(each) for each in plans]
    servers: dict[str, list[model.Server]] = collections.defaultdict(list)
    for row, server in (pair for pairs in moving for pair in pairs):
        servers[row.host].append(server)
    usage = observing.look_at_sources(servers)
    demands = [
        [d for row, s in pairs if (d := usage.demand(row, s))]
        for pairs in moving
    ]
    every = tuple(demand for wanted in demands for demand in wanted)
    seen = observing.take(usage, services, every)
    by_home = {
        each.home.host: _preview(each, wanted, seen, observing.unknown)
        for each, wanted in zip(plans, demands, strict=True)
    }
    previews = by_home.values()
    rows = tuple(row for each in previews for row in each.rows)
    wishes = {row.server_id: row.wish for row in rows}
    preview = dry_runs.Preview(
        rows=rows,
        capacity_forecast=_together([p.capacity_forecast for p in previews]),
        memory_mb=sum(each.memory_mb for each in previews),
        notes=(*observing.notes, *tenant_policy.ignored(policy, wishes)),
    )
    limits, known = eligible.Limits(frozenset()), not observing.unknown
    return by_home, dry_run.DryRun(preview, limits, seen, known, every)


def _moving(
    each: plan.RestorePlan,
) -> list[tuple[decisions.Row, model.Server]]:
    """Return those that have to find a place at home."""
    servers = {s.id: s for group in each.groups for s in group.servers}
    return [
        (row, server)
        for row in each.to_restore
        # One that is seen elsewhere, or at home, has left already.
        if dry_runs.needs_room(row)
        and (server := servers[row.server_id]).host == row.host
        and server.host != each.home.host
    ]


def _preview(
    each: plan.RestorePlan,
    demands: abc.Collection[snapshots.Demand],
    seen: snapshots.CapacitySnapshot,
    unknown: str,
) -> dry_runs.Preview:
    """:param unknown: why capacity is not known; '' where it is."""
    if unknown:
        capacity_forecast = forecast.unknown(demands, unknown)
    else:
        home = each.home.host
        limits = eligible.Limits(
            frozenset(), only=home, opened=frozenset([home])
        )
        capacity_forecast = forecast.forecast(seen, demands, limits)
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
    homes: abc.Collection[forecast.CapacityForecast],
) -> forecast.CapacityForecast:
    """Return what several homes can take, each its own servers."""
    totals: dict[str, forecast.Utilization] = {}
    for each in (each for home in homes for each in home.utilizations):
        name = each.resource_class
        old = totals.get(name, forecast.Utilization(name, 0, 0, 0))
        totals[name] = forecast.Utilization(
            name,
            old.before + each.before,
            old.after + each.after,
            old.capacity + each.capacity,
        )
    tightest_first = sorted(
        totals.values(),
        key=lambda total: (
            -total.after / total.capacity,
            total.resource_class,
        ),
    )
    return forecast.CapacityForecast(
        fits={i: fit for home in homes for i, fit in home.fits.items()},
        placed={i: host for home in homes for i, host in home.placed.items()},
        hosts=sum(home.hosts for home in homes),
        utilizations=tuple(tightest_first),
        suggestions=tuple(
            dict.fromkeys(s for home in homes for s in home.suggestions)
        ),
    )
