# SPDX-License-Identifier: Apache-2.0

"""Allocations on the host that no server or migration there explains.

Usually they belong to a server that is still being scheduled to the host, or
disappear shortly after a move. Those that stay are reported, with a command
that removes them.
"""

import collections.abc
import dataclasses
import math

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import operation as operations
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

#: Where too little is known, or something goes on.
AGAIN = 'run this again to see whether it goes away'


def find(
    seen: model.Observation, operation: operations.Operation
) -> frozenset[str]:
    """Return the consumers on the host that nothing there explains.

    A consumer is a server, or a migration that holds the source's share.
    """
    if not operation.empties_host:
        return frozenset()
    explained = operation.explained(seen) | set(seen.servers)
    explained |= {
        r.uuid
        for r in seen.migrations.values()
        if r.source == seen.host and (r.in_flight or r.awaits_confirmation)
    }
    return frozenset((seen.consumers or frozenset()) - explained)


def to_visit(
    seen: model.Observation,
    left: collections.abc.Iterable[str],
    now: float,
) -> frozenset[str]:
    """Return the servers that consumers are, or are migrations of, to see."""
    return frozenset(
        _server_id(seen, consumer)
        for consumer in left
        if _is_due(seen, consumer, now)
    )


def _server_id(seen: model.Observation, consumer: str) -> str:
    record = seen.migration(consumer)
    return record.server_id if record else consumer


def _is_due(seen: model.Observation, consumer: str, now: float) -> bool:
    server_id = _server_id(seen, consumer)
    if server_id in seen.unseen:
        return down_cells.is_due(seen, seen.unseen[server_id], now)
    if server_id != consumer:
        return seen.latest(server_id) is None
    view = seen.visited.get(consumer)
    return view is None or (
        _coming(seen, view)
        and now - view.seen_at >= timing.ARRIVING_RECHECK_SECONDS
    )


def to_trace(
    seen: model.Observation, left: collections.abc.Iterable[str]
) -> frozenset[str]:
    """Return the consumers to be searched for among old migrations."""
    return frozenset(
        consumer
        for consumer in left
        if seen.migration(consumer) is None
        and consumer not in seen.traced
        and consumer not in seen.unseen
        and ((view := _view(seen, consumer)) is None or view.deleted)
    )


def waits(
    seen: model.Observation,
    left: collections.abc.Collection[str],
    operation: operations.Operation,
    memory: memories.HostMemory,
) -> bool:
    """Tell whether allocations may still disappear or be explained."""
    if not left:
        return False
    servers = {consumer: _server_id(seen, consumer) for consumer in left}
    if any(
        at - memory.unseen_since.get(server_id, at)
        < timing.OUTAGE_LIMIT_SECONDS
        for server_id, at in seen.unseen.items()
        if server_id in servers.values()
    ):
        return True
    left = [i for i in left if servers[i] not in seen.unseen]
    if to_visit(seen, left, -math.inf) or to_trace(seen, left):
        return True
    coming = operation.awaits_arrivals and any(
        _coming(seen, seen.visited[consumer])
        for consumer in left
        if seen.migration(consumer) is None
    )
    limit = (
        operation.policy.server_timeout
        if coming
        else timing.LEFTOVERS_WAIT_SECONDS
    )
    since = memory.leftover_since
    # By when we looked: another list may have taken a minute since.
    looked = seen.consumers_at
    return since is None or limit is None or looked - since < limit


def _coming(seen: model.Observation, view: model.Server) -> bool:
    return (
        view.status == nova_states.Status.BUILD
        or view.status in nova_states.MOVING
        or view.host == seen.host
    )


def report(
    seen: model.Observation,
    left: collections.abc.Collection[str],
    rows: collections.abc.Iterable[decisions.Row],
) -> list[decisions.Row]:
    """Return the rows with orphaned allocations added, one row per server."""
    rows = list(rows)
    servers = {row.server_id for row in rows}
    reasons: dict[str, list[str]] = {}
    for consumer in sorted(left):
        record = seen.migration(consumer)
        server_id = record.server_id if record else consumer
        if record:
            reason = _of_move(seen, record)
        else:
            reason = _of(seen, consumer, is_server=consumer in servers)
        reasons.setdefault(server_id, []).append(reason)
    told = [
        _told(row, '; '.join(reasons.pop(row.server_id)))
        if row.server_id in reasons
        else row
        for row in rows
    ]
    return told + [_row(seen, i, '; '.join(r)) for i, r in reasons.items()]


def _told(row: decisions.Row, reason: str) -> decisions.Row:
    kept = row.phase in (
        server_status.Phase.FAILED,
        server_status.Phase.STILL_MOVING,
    )
    return dataclasses.replace(
        row,
        phase=row.phase if kept else server_status.Phase.BLOCKED,
        reason='; '.join(filter(None, [row.reason, reason])),
    )


def _view(seen: model.Observation, server_id: str) -> model.Server | None:
    return seen.latest(server_id) or seen.visited.get(server_id)


def _of_move(seen: model.Observation, record: model.Migration) -> str:
    """Return the reason for an allocation that a migration holds."""
    view = _view(seen, record.server_id)
    move = memories.MOVE_OF_TYPE.get(record.type, record.type)
    held = (
        f'Placement still holds an allocation on {seen.host} for its {move} '
        f'{record.uuid} ("{record.status}")'
    )
    if record.server_id in seen.unseen:
        return f'{held}, and {down_cells.LEFT}'
    if view is None:
        return f'{held}: {AGAIN}'
    if view.deleted:
        return f'the server was deleted, but {held}: {_delete(record.uuid)}'
    # Until it leaves, that may be all that is kept for it here.
    own = record.server_id in (seen.consumers or ())
    if view.host == seen.host and not own:
        return (
            f'{held}: once the server has left {seen.host}, '
            f'{_delete(record.uuid)}'
        )
    return f'{held}: {_delete(record.uuid)}'


def _of(seen: model.Observation, consumer: str, *, is_server: bool) -> str:
    """Return the reason for an allocation that no migration holds."""
    view = _view(seen, consumer)
    held = f'Placement still holds an allocation for it on {seen.host}'
    if consumer in seen.unseen:
        return f'{held}, and {down_cells.LEFT}'
    if view is None:
        return f'{held}: {AGAIN}'
    if view.deleted:
        if is_server:
            return f'the server was deleted, but {held}: {_delete(consumer)}'
        if consumer not in seen.traced:
            return f'{held}: {AGAIN}'
        return (
            f'{held}, but Nova knows no server and no migration with this id '
            '(it forgets the migrations of deleted servers): '
            f'{_delete(consumer)}'
        )
    if _coming(seen, view):
        return f'{held}, and the server is {view.status}: {AGAIN}'
    if view.host is None:
        return (
            f'{held}, although the server is on no host: {_delete(consumer)}'
        )
    held = f'{held}, although the server is on {view.host}'
    heal = 'nova-manage placement heal_allocations --force --instance'
    if view.status == nova_states.Status.ERROR:
        return f'{held}: once it is no longer in ERROR, run {heal} {consumer}'
    return f'{held}: run {heal} {consumer}'


def _delete(consumer: str) -> str:
    return (
        'remove the allocation (openstack resource provider allocation delete '
        f'{consumer}, from the package osc-placement)'
    )


def _row(
    seen: model.Observation, server_id: str, reason: str
) -> decisions.Row:
    view = _view(seen, server_id)
    server = None if view is None or view.deleted else view
    return decisions.Row(
        server_id=server_id,
        name=server.name if server else '',
        host=seen.host,
        status=server.status if server else '',
        move='',
        destination=(server.host or '') if server else '',
        phase=server_status.Phase.BLOCKED,
        reason=reason,
        attempts=0,
        seconds=None,
    )
