# SPDX-License-Identifier: Apache-2.0

"""Where each server of a host stands, within what the host still allows."""

from collections import abc
import dataclasses
import datetime
import math

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import circuit_breaker
from osc_hostmaint.planning.host import context as contexts
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import assessment
from osc_hostmaint.planning.server import context as server_contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import resuspend
from osc_hostmaint.planning.server import status as server_status

Phase = server_status.Phase
ServerStatus = server_status.ServerStatus
ServerStatuses = contexts.ServerStatuses

#: The move that something was asked for, without being one.
_NEXT: abc.Mapping[memories.ActionKind | None, model.Move] = {
    memories.ActionKind.RESUME: model.Move.LIVE,
    memories.ActionKind.RESET: model.Move.EVACUATION,
    memories.ActionKind.CONFIRM: model.Move.RESIZE,
}
#: A server that stands so was moved, though no record was seen of it.
_UNRECORDED = frozenset({Phase.MOVED, Phase.OFFLOADED})


def assess(
    context: contexts.HostContext, *, ended: bool, host_is_down: bool
) -> ServerStatuses:
    """Return where each server stands.

    :param ended: with a reason why nothing is awaited any more: the run
        ends, and nothing is known to be wrong with moves under way.
        Otherwise their host has died.
    :param host_is_down: that is the only reason: what has left the host may
        still be asked for.
    """
    seen, memory = context.seen, context.memory
    records, earlier = context.records, context.earlier_failures
    since = server_contexts.since(seen, context.policy)
    incoming = {
        r.server_id: r
        for _id, r in sorted(seen.migrations.items())
        if r.dest == seen.host and r.awaits_confirmation
    }
    lost = down_cells.is_lost(seen)
    statuses = {}
    for server_id, remembered in memory.servers.items():
        server = server_contexts.ServerContext(
            server_id=server_id,
            remembered=remembered,
            seen=seen,
            records=records.get(server_id, ()),
            operation=context.operation,
            since=since,
            now=context.now,
            earlier=earlier.get(server_id, ()),
            incoming=incoming.get(server_id),
            others_down=memory.others_down,
            unseen_since=memory.unseen_since.get(server_id),
            host_is_down=host_is_down,
        )
        status = down_cells.hide(server, assessment.assess(server))
        status = _stopped(status, context.policy, ended=ended, lost=lost)
        status = resuspend.require_suspend(server, status)
        statuses[server_id] = down_cells.hide(server, status)
    return statuses


def _stopped(
    status: ServerStatus, policy: policies.Policy, *, ended: bool, lost: bool
) -> ServerStatus:
    """Make final what is not to be started or awaited any more.

    :param lost: nothing is known of the host, and for long.
    """
    phase, record = status.phase, status.record
    if phase in server_status.FINAL:
        return status
    idle = phase in (Phase.WAITING, Phase.BUSY) or (
        phase is Phase.SETTLING and status.reason
    )
    if policy.stop and idle:
        tried = status.reason and phase is not Phase.BUSY
        reasons = dict.fromkeys([status.reason, policy.stop.reason])
        return dataclasses.replace(
            status,
            phase=Phase.FAILED if tried else Phase.BLOCKED,
            reason='; '.join(filter(None, reasons)),
            code=status.code if tried else policy.stop.code,
        )
    if not policy.abandon:
        return status
    if record and record.awaits_confirmation:
        what = 'it has left the host, but is not confirmed'
    elif phase is Phase.SETTLING:
        what = 'the outcome of its move is not known'
    elif status.pending:
        what = (
            f'its {status.pending} was requested, but its outcome is not known'
        )
    else:
        what = 'its move is still under way in Nova'
    # It was resumed, say: that is no move.
    other = status.pending and status.pending not in memories.MOVING
    moves = phase is Phase.MOVING and not other
    left = record is not None and not record.ended_badly
    if lost and record and record.ended_well:
        # It is over since long, well or not.
        left = False
    return dataclasses.replace(
        status,
        phase=Phase.STILL_MOVING
        if ended and (moves or left)
        else Phase.FAILED,
        reason=f'{what}; {policy.abandon.reason}',
        code=policy.abandon.code,
    )


def wait(statuses: ServerStatuses) -> server_status.Wait | None:
    """Return what is awaited for servers, for which, and until when."""
    awaited = {
        server_id: status
        for server_id, status in statuses.items()
        if status.awaits and status.phase not in server_status.FINAL
    }
    # That which lasts longest; what has no end of its own comes last.
    last = max(
        awaited.values(),
        key=lambda s: s.wake_at if math.isfinite(s.wake_at) else -math.inf,
        default=None,
    )
    if last is None:
        return None
    same = sorted(i for i, s in awaited.items() if s.awaits == last.awaits)
    until = last.wake_at if math.isfinite(last.wake_at) else None
    return server_status.Wait(last.awaits, until, tuple(same))


def finished(
    context: contexts.HostContext,
) -> tuple[circuit_breaker.Finished, ...]:
    """Return the servers whose moves in this run are over."""
    records = context.records
    found = (
        circuit_breaker.finished(
            context.seen.latest(server_id), records.get(server_id, ()), status
        )
        for server_id, status in context.statuses.items()
    )
    return tuple(filter(None, found))


def row(context: contexts.HostContext, server_id: str) -> decisions.Row:
    """Return what is reported of a server."""
    remembered = context.memory.servers[server_id]
    status = context.statuses[server_id]
    before = remembered.before
    move = remembered.move or status.move or _NEXT.get(status.pending)
    return decisions.Row(
        server_id=server_id,
        name=before.name,
        host=context.seen.host,
        status=before.status,
        move=str(move) if move else '',
        destination=status.destination or '',
        phase=status.phase,
        reason=status.reason,
        code=status.code,
        attempts=remembered.attempts,
        seconds=_seconds(context, remembered, status),
        record=status.record,
        wish=(context.seen.latest(server_id) or before).wish,
    )


def _seconds(
    context: contexts.HostContext,
    remembered: memories.ServerMemory,
    status: ServerStatus,
) -> float | None:
    """Return how long the last move took, or has taken.

    None: there was none, or it is not known when it began.
    """
    began_at, record = remembered.began_at, status.record
    until = context.now if remembered.ended_at is None else remembered.ended_at
    if began_at is None:
        return None
    if record is None:
        return until - began_at if status.phase in _UNRECORDED else None
    ended_at, ahead = record.ended_at, context.seen.ahead
    if ended_at is None and ahead is not None:
        # By Nova's clock, as is when it began.
        ended_at = datetime.datetime.fromtimestamp(until - ahead, datetime.UTC)
    if record.begun_at is None or ended_at is None:
        return None
    return max(0.0, (ended_at - record.begun_at).total_seconds())
