# SPDX-License-Identifier: Apache-2.0

"""Where each server of a host stands, within what the host still allows."""

import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import operation as operations
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import circuit_breaker
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.host import memory as host_memory
from osc_hostmaint.planning.server import assessment
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import resuspend
from osc_hostmaint.planning.server import status as server_status

#: The move that something was asked for, without being one.
_NEXT: collections.abc.Mapping[memories.ActionKind | None, model.Move] = {
    memories.ActionKind.RESUME: model.Move.LIVE,
    memories.ActionKind.RESET: model.Move.EVACUATION,
    memories.ActionKind.CONFIRM: model.Move.RESIZE,
}


def assess(
    seen: model.Observation,
    operation: operations.Operation,
    memory: memories.HostMemory,
    now: float,
    *,
    ended: bool,
) -> dict[str, server_status.ServerStatus]:
    """Return where each server stands.

    :param ended: with a reason why nothing is awaited any more: the run
        ends, and nothing is known to be wrong with moves under way.
        Otherwise their host has died.
    """
    records = host_memory.records(seen, memory)
    earlier = host_memory.earlier_failures(seen, operation, memory)
    incoming = {
        r.server_id: r
        for _id, r in sorted(seen.migrations.items())
        if r.dest == seen.host and r.awaits_confirmation
    }
    statuses = {}
    for server_id, remembered in memory.servers.items():
        mine = records.get(server_id, ())
        context = contexts.ServerContext(
            server_id=server_id,
            remembered=remembered,
            seen=seen,
            records=mine,
            operation=operation,
            since=contexts.since(seen, operation.policy),
            now=now,
            earlier=earlier.get(server_id, ()),
            incoming=incoming.get(server_id),
            others_down=memory.others_down,
            unseen_since=memory.unseen_since.get(server_id),
        )
        status = down_cells.hide(context, assessment.assess(context))
        status = _stopped(
            status,
            operation.policy,
            ended=ended,
            lost=down_cells.is_lost(seen),
        )
        statuses[server_id] = down_cells.hide(
            context, resuspend.require_suspend(context, status)
        )
    return statuses


def _stopped(
    status: server_status.ServerStatus,
    policy: policies.Policy,
    *,
    ended: bool,
    lost: bool,
) -> server_status.ServerStatus:
    """Make final what is not to be started or awaited any more.

    :param lost: nothing is known of the host, and for long.
    """
    phases = server_status.Phase
    if status.phase in server_status.FINAL:
        return status
    idle = status.phase in (phases.WAITING, phases.BUSY) or (
        status.phase is phases.SETTLING and status.reason
    )
    if policy.stop and idle:
        tried = status.reason and status.phase is not phases.BUSY
        return dataclasses.replace(
            status,
            phase=phases.FAILED if tried else phases.BLOCKED,
            reason='; '.join(
                filter(None, dict.fromkeys([status.reason, policy.stop]))
            ),
        )
    if policy.abandon:
        record = status.record
        # It was resumed, say: that is no move.
        other = status.pending and status.pending not in memories.MOVING
        if record and record.awaits_confirmation:
            what = 'it has left the host, but is not confirmed'
        elif status.phase is phases.SETTLING:
            what = 'the outcome of its move is not known'
        elif status.pending:
            what = (
                f'its {status.pending} was requested, but its outcome is not '
                'known'
            )
        else:
            what = 'its move is still under way in Nova'
        moves = status.phase is phases.MOVING and not other
        left = record is not None and not record.ended_badly
        if lost and record and record.ended_well:
            # It is over since long, well or not.
            left = False
        return dataclasses.replace(
            status,
            phase=phases.STILL_MOVING
            if ended and (moves or left)
            else phases.FAILED,
            reason=f'{what}; {policy.abandon}',
        )
    return status


def wait(
    statuses: collections.abc.Mapping[str, server_status.ServerStatus],
) -> server_status.Wait | None:
    """Return what is awaited for servers, and until when."""
    last = max(
        (status for status in statuses.values() if status.awaits),
        key=lambda status: status.wake_at,
        default=None,
    )
    return server_status.Wait(last.awaits, last.wake_at) if last else None


def finished(
    seen: model.Observation,
    memory: memories.HostMemory,
    statuses: collections.abc.Mapping[str, server_status.ServerStatus],
) -> tuple[circuit_breaker.Finished, ...]:
    """Return the servers whose moves in this run are over."""
    records = host_memory.records(seen, memory)
    found = (
        circuit_breaker.finished(
            server_id,
            seen.latest(server_id),
            records.get(server_id, ()),
            status,
        )
        for server_id, status in statuses.items()
    )
    return tuple(each for each in found if each)


def row(
    host: str,
    remembered: memories.ServerMemory,
    status: server_status.ServerStatus,
    now: float,
) -> decisions.Row:
    """Return what is reported of a server."""
    before = remembered.before
    end = now if remembered.ended_at is None else remembered.ended_at
    move = remembered.move or status.move or _NEXT.get(status.pending)
    return decisions.Row(
        server_id=before.id,
        name=before.name,
        host=host,
        status=before.status,
        move=str(move) if move else '',
        destination=status.destination or '',
        phase=status.phase,
        reason=status.reason,
        attempts=remembered.attempts,
        seconds=None
        if remembered.began_at is None
        else end - remembered.began_at,
        record=status.record,
    )
