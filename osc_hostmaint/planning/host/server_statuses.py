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
_NEXT: collections.abc.Mapping[memories.Kind | None, model.Move] = {
    memories.Kind.RESUME: model.Move.LIVE,
    memories.Kind.RESET: model.Move.EVACUATION,
    memories.Kind.CONFIRM: model.Move.RESIZE,
}


def assess(
    seen: model.Observation,
    operation: operations.Operation,
    memory: memories.Memory,
    now: float,
    *,
    ended: bool,
) -> dict[str, server_status.Standing]:
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
    stands = {}
    for server_id, track in memory.tracks.items():
        mine = records.get(server_id, ())
        case = contexts.Case(
            server_id=server_id,
            track=track,
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
        stand = down_cells.hide(case, assessment.stand(case))
        stand = _stopped(
            stand,
            operation.policy,
            ended=ended,
            lost=down_cells.is_lost(seen),
        )
        stands[server_id] = down_cells.hide(
            case, resuspend.settle(case, stand)
        )
    return stands


def _stopped(
    stand: server_status.Standing,
    policy: policies.Policy,
    *,
    ended: bool,
    lost: bool,
) -> server_status.Standing:
    """Make final what is not to be started or awaited any more.

    :param lost: nothing is known of the host, and for long.
    """
    phases = server_status.Phase
    if stand.phase in server_status.FINAL:
        return stand
    idle = stand.phase in (phases.WAITING, phases.BUSY) or (
        stand.phase is phases.SETTLING and stand.reason
    )
    if policy.stop and idle:
        tried = stand.reason and stand.phase is not phases.BUSY
        return dataclasses.replace(
            stand,
            phase=phases.FAILED if tried else phases.BLOCKED,
            reason='; '.join(
                filter(None, dict.fromkeys([stand.reason, policy.stop]))
            ),
        )
    if policy.abandon:
        record = stand.record
        # It was resumed, say: that is no move.
        other = stand.pending and stand.pending not in memories.MOVING
        if record and record.awaits_confirmation:
            what = 'it has left the host, but is not confirmed'
        elif stand.phase is phases.SETTLING:
            what = 'the outcome of its move is not known'
        elif stand.pending:
            what = (
                f'its {stand.pending} was requested, but its outcome is not '
                'known'
            )
        else:
            what = 'its move is still under way in Nova'
        moves = stand.phase is phases.MOVING and not other
        left = record is not None and not record.ended_badly
        if lost and record and record.ended_well:
            # It is over since long, well or not.
            left = False
        return dataclasses.replace(
            stand,
            phase=phases.STILL_MOVING
            if ended and (moves or left)
            else phases.FAILED,
            reason=f'{what}; {policy.abandon}',
        )
    return stand


def finished(
    seen: model.Observation,
    memory: memories.Memory,
    stands: collections.abc.Mapping[str, server_status.Standing],
) -> tuple[circuit_breaker.Finished, ...]:
    """Return the servers whose moves in this run are over."""
    records = host_memory.records(seen, memory)
    found = (
        circuit_breaker.finished(
            server_id,
            seen.latest(server_id),
            records.get(server_id, ()),
            stand,
        )
        for server_id, stand in stands.items()
    )
    return tuple(each for each in found if each)


def row(
    host: str,
    track: memories.Track,
    stand: server_status.Standing,
    now: float,
) -> decisions.Row:
    """Return what is reported of a server."""
    before = track.before
    end = now if track.ended_at is None else track.ended_at
    move = track.move or stand.move or _NEXT.get(stand.pending)
    return decisions.Row(
        server_id=before.id,
        name=before.name,
        host=host,
        status=before.status,
        move=str(move) if move else '',
        destination=stand.destination or '',
        phase=stand.phase,
        reason=stand.reason,
        attempts=track.attempts,
        seconds=None if track.began_at is None else end - track.began_at,
        record=stand.record,
    )
