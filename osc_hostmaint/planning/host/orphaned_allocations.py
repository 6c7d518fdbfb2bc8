# SPDX-License-Identifier: Apache-2.0

"""Allocations on the host that no server or migration there explains.

Usually they belong to a server that is still being scheduled to the host, or
disappear shortly after a move. Those that stay are reported, with a command
that removes them.
"""

import collections
from collections import abc
import dataclasses
import math

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import operation as operations
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import stuck

Phase = server_status.Phase
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
    explained = operation.explained(seen).union(
        seen.servers,
        (
            r.uuid
            for r in seen.migrations.values()
            if r.source == seen.host and (r.in_flight or r.awaits_confirmation)
        ),
    )
    return (seen.consumers or frozenset()) - explained


def to_visit(
    seen: model.Observation, left: abc.Iterable[str], now: float
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
    seen: model.Observation, left: abc.Iterable[str]
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
    left: abc.Collection[str],
    operation: operations.Operation,
    memory: memories.HostMemory,
) -> bool:
    """Tell whether allocations may still disappear or be explained."""
    if not left:
        return False
    servers = {consumer: _server_id(seen, consumer) for consumer in left}
    unseen = seen.unseen.keys()
    awaited = unseen - down_cells.given_up(seen, memory)
    if awaited.intersection(servers.values()):
        return True
    left = [consumer for consumer in left if servers[consumer] not in unseen]
    if to_visit(seen, left, -math.inf) or to_trace(seen, left):
        return True
    since = memory.orphaned_since
    limit: float | None = timing.ORPHANED_WAIT_SECONDS
    if operation.awaits_arrivals and any(
        _coming(seen, seen.visited[consumer])
        for consumer in left
        if seen.migration(consumer) is None
    ):
        limit = operation.policy.server_timeout
    # By when we looked: another list may have taken a minute since.
    looked = seen.consumers_at
    return since is None or limit is None or looked - since < limit


def _coming(seen: model.Observation, view: model.Server) -> bool:
    return view.host == seen.host or (
        _unsettled(view)
        and not stuck.is_long_unchanged(seen, view, view.seen_at)
    )


def _unsettled(view: model.Server) -> bool:
    building = view.status == nova_states.Status.BUILD
    return building or view.status in nova_states.MOVING


def report(
    seen: model.Observation,
    left: abc.Collection[str],
    rows: abc.Collection[decisions.Row],
) -> list[decisions.Row]:
    """Return the rows with orphaned allocations added, one row per server."""
    servers = {row.server_id for row in rows}
    reasons = collections.defaultdict[str, list[str]](list)
    for consumer in sorted(left):
        reasons[_server_id(seen, consumer)].append(
            _reason(seen, consumer, is_server=consumer in servers)
        )
    others = [_row(seen, i) for i in reasons if i not in servers]
    return [_told(row, reasons[row.server_id]) for row in [*rows, *others]]


def _told(row: decisions.Row, reasons: list[str]) -> decisions.Row:
    if not reasons:
        return row
    kept = row.phase in (Phase.FAILED, Phase.STILL_MOVING)
    return dataclasses.replace(
        row,
        phase=row.phase if kept else Phase.BLOCKED,
        reason='; '.join(filter(None, [row.reason, *reasons])),
        code=row.code if kept else codes.Code.ALLOCATION_LEFT,
    )


def _view(seen: model.Observation, server_id: str) -> model.Server | None:
    return seen.latest(server_id) or seen.visited.get(server_id)


def _reason(seen: model.Observation, consumer: str, *, is_server: bool) -> str:
    """Return why an allocation is left, and what removes it.

    :param is_server: a server of that id was on the host.
    """
    record = seen.migration(consumer)
    server_id = record.server_id if record else consumer
    view = _view(seen, server_id)
    held = f'Placement still holds an allocation for it on {seen.host}'
    if record:
        held = (
            f'Placement still holds an allocation on {seen.host} for its '
            f'{memories.move_of(record)} {record.uuid} ("{record.status}")'
        )
    delete = (
        'remove the allocation (openstack resource provider allocation delete '
        f'{consumer}, from the package osc-placement)'
    )
    if server_id in seen.unseen:
        return f'{held}, and {down_cells.LEFT}'
    if view is None:
        return f'{held}: {AGAIN}'
    if view.deleted and (record or is_server):
        return f'the server was deleted, but {held}: {delete}'
    if view.deleted and consumer not in seen.traced:
        return f'{held}: {AGAIN}'
    if view.deleted:
        return (
            f'{held}, but Nova knows no server and no migration with this id '
            f'(it forgets the migrations of deleted servers): {delete}'
        )
    if record:
        # Until it leaves, that may be all that is kept for it here.
        if view.host == seen.host and server_id not in (seen.consumers or ()):
            return f'{held}: once the server has left {seen.host}, {delete}'
        return f'{held}: {delete}'
    if _coming(seen, view):
        return f'{held}, and the server is {view.status}: {AGAIN}'
    if _unsettled(view):
        return f'{held}, and the server is {stuck.describe(seen, view)}'
    if view.host is None:
        return f'{held}, although the server is on no host: {delete}'
    held = f'{held}, although the server is on {view.host}'
    heal = 'run nova-manage placement heal_allocations --force --instance'
    if view.status == nova_states.Status.ERROR:
        heal = f'once it is no longer in ERROR, {heal}'
    return f'{held}: {heal} {consumer}'


def _row(seen: model.Observation, server_id: str) -> decisions.Row:
    view = _view(seen, server_id)
    server = None if view is None or view.deleted else view
    return decisions.Row(
        server_id=server_id,
        name=server.name if server else '',
        host=seen.host,
        status=server.status if server else '',
        move='',
        destination=(server.host or '') if server else '',
        phase=Phase.BLOCKED,
    )
