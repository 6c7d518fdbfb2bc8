# SPDX-License-Identifier: Apache-2.0

"""The dry run: what a drain would do, and whether all servers fit.

``--dry-run`` shows it; a drain is refused by it and picks its destinations
from it.
"""

from collections import abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.engine.capacity import snapshot
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import tenant_policy
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.host import decide
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of hosts that are to be drained, and of all others."""

    policy: policies.Policy
    #: What a drain of each would begin with.
    rows: tuple[decisions.Row, ...]
    usage: snapshot.SourceUsage
    #: What has to find a place on another host.
    demands: tuple[snapshots.Demand, ...]
    snapshot: snapshots.CapacitySnapshot
    #: What could not be asked: lines for people.
    notes: tuple[str, ...]
    #: Why it is not known who has room; '' where it is.
    unknown: str


@dataclasses.dataclass(frozen=True, slots=True)
class DryRun:
    """What was seen of a drain that is about to begin."""

    preview: dry_runs.Preview
    limits: eligible.Limits
    snapshot: snapshots.CapacitySnapshot
    #: It is known who has room.
    known: bool
    #: What has to find a place on another host.
    demands: tuple[snapshots.Demand, ...]


def see(
    gateway: ports.Gateway,
    clock: ports.Clock,
    services: abc.Mapping[str, model.Service],
    sources: abc.Sequence[model.Service],
    policy: policies.Policy,
    preparation: reporting.Preparation,
) -> Seen:
    """Look at hosts that are to be drained, and at who may take servers.

    :param services: of all hosts, by host.
    :param sources: of the hosts to drain, as they will be: with our mark.
    :raises CloudError: Nova refused a request, or did not answer. If
        Placement does not answer, capacity is unknown, and the notes say so.
    """
    board = boards.Board(gateway, clock, services)
    watchers = {
        service.host: observer.Observer(board, service, policy)
        for service in sources
    }
    servers = {}
    for host in preparation.each(watchers, _('listing servers')):
        query = decisions.Query(records=False, servers=True)
        servers[host] = tuple(watchers[host].look(query).servers.values())
    observing = snapshot.CapacityObserver(gateway, preparation)
    usage = observing.look_at_sources(servers)
    rows: list[decisions.Row] = []
    for watcher in watchers.values():
        _see_moves(watcher, usage)
        rows += first_rows(watcher)
    here = usage.by_id
    demands = tuple(
        demand
        for row in rows
        if dry_runs.needs_room(row)
        # One that is not listed has left already.
        and (server := here.get(row.server_id))
        and (demand := usage.demand(row, server))
    )
    taken = observing.take(usage, services, demands)
    wishes = {row.server_id: row.wish for row in rows}
    notes = (*observing.notes, *tenant_policy.ignored(policy, wishes))
    return Seen(
        policy, tuple(rows), usage, demands, taken, notes, observing.unknown
    )


def assess(seen: Seen) -> DryRun:
    """Return what a drain would do."""
    policy, demands = seen.policy, seen.demands
    limits = eligible.Limits(
        frozenset(seen.usage.servers), policy.to, policy.avoid
    )
    if seen.unknown:
        capacity_forecast = forecast.unknown(demands, seen.unknown)
    else:
        capacity_forecast = forecast.forecast(seen.snapshot, demands, limits)
    notes = list(seen.notes)
    placed = capacity_forecast.placed.values()
    if count := sum(host in policy.avoid for host in placed):
        notes.append(
            f'servers for which only hosts of --avoid have room: {count}'
        )
    here, by_id = seen.usage.by_id, {d.server.id: d for d in demands}
    return DryRun(
        dry_runs.Preview(
            rows=tuple(
                dry_runs.row(
                    row,
                    by_id.get(row.server_id),
                    capacity_forecast,
                    here.get(row.server_id),
                )
                for row in seen.rows
            ),
            capacity_forecast=capacity_forecast,
            memory_mb=sum(d.server.memory_mb for d in demands),
            notes=tuple(notes),
        ),
        limits,
        seen.snapshot,
        not seen.unknown,
        demands,
    )


def _see_moves(
    watcher: observer.Observer, usage: snapshot.SourceUsage
) -> None:
    """Look at the migrations, where they make a difference.

    Something may be held in their name, or of both hosts by a server that is
    evacuated; or what failed is not tried again.
    """
    operation = watcher.operation
    holders = usage.unexplained(watcher.seen.host)
    rebuilt = operation.evacuations_only and any(
        server.status == nova_states.Status.REBUILD
        for server in watcher.seen.servers.values()
    )
    or_cold = any(
        tenant_policy.running(operation.policy, server)
        is policies.Running.LIVE_OR_COLD
        for server in watcher.seen.servers.values()
    )
    known_without = usage.allocations is not None and not holders
    if known_without and not (rebuilt or or_cold):
        return
    records = watcher.see_newest().migrations.values()
    known = {i for r in records for i in (r.uuid, r.server_id)}
    if usage.allocations is None or not holders <= known:
        watcher.see_unconfirmed()


def first_rows(watcher: observer.Observer) -> tuple[decisions.Row, ...]:
    """Return what a drain of one host would begin with.

    :param watcher: has looked at its servers.
    """
    memory, operation = memories.HostMemory(), watcher.operation
    now = watcher.clock.now
    decision = decide.decide(watcher.seen, operation, memory, now())
    query = decision.query
    if query.visit or query.history or query.explain:
        watcher.visit(
            decisions.Query(
                records=False,
                visit=query.visit,
                history=query.history,
                explain=query.explain,
            )
        )
        decision = decide.decide(watcher.seen, operation, memory, now())
    return decision.rows
