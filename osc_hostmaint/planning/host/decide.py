# SPDX-License-Identifier: Apache-2.0

"""What to do now with one host: a pure function of what was observed."""

import collections.abc
import dataclasses
import math

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import lock
from osc_hostmaint.planning.host import circuit_breaker
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.host import memory as host_memory
from osc_hostmaint.planning.host import orphaned_allocations
from osc_hostmaint.planning.host import polling
from osc_hostmaint.planning.host import query
from osc_hostmaint.planning.host import scheduling
from osc_hostmaint.planning.host import stale_migrations
from osc_hostmaint.planning.host import stop_conditions
from osc_hostmaint.planning.server import assessment
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import in_flight
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import resuspend
from osc_hostmaint.planning.server import status as server_status

#: The move that something was asked for, without being one.
_NEXT: collections.abc.Mapping[memories.Kind | None, model.Move] = {
    memories.Kind.RESUME: model.Move.LIVE,
    memories.Kind.RESET: model.Move.EVACUATION,
    memories.Kind.CONFIRM: model.Move.RESIZE,
}


def decide(
    seen: model.Observation,
    policy: policies.Policy,
    memory: memories.Memory,
    now: float,
) -> decisions.Decision:
    """Return what to do now, what to report and what to look at next.

    :param seen: one host, as just observed.
    :param policy: what the operator asked for.
    :param memory: what the decision before this one handed on.
    :param now: seconds of the clock that stamped the observation.
    """
    # What is left over may be of a move that nobody is at any more.
    all_seen = seen
    seen = stale_migrations.left_out(seen, evacuated=policy.evacuate)
    memory = host_memory.take_in(seen, policy, memory)
    asked = policy
    policy, trouble = _halted(seen, policy, memory)
    stands = _stands(seen, policy, asked, memory, now)
    memory = host_memory.keep_up(seen, memory, stands, now)
    memory = lock.keep(seen, memory, stands)
    rhythm = _rhythm(seen, memory)
    start = scheduling.choose(seen, policy, memory, stands, rhythm, now)
    memory = dataclasses.replace(memory, slots=start.slots)
    open_ = any(s.phase not in server_status.FINAL for s in stands.values())
    strangers = host_memory.strangers(seen, policy, memory)
    arriving = host_memory.arriving(seen, policy, now)
    must_close = not (open_ or strangers or arriving or memory.suspects)
    checking = query.closing(seen, memory, stands, policy)
    left = (
        frozenset[str]()
        if checking
        else orphaned_allocations.find(seen, policy)
    )
    memory = _time_leftovers(
        memory, must_close and bool(checking or left), now
    )
    waiting = orphaned_allocations.waits(all_seen, left, policy, memory)
    checked = must_close and not checking and not waiting
    done = checked or bool(policy.abandon)
    rows = [
        _row(seen.host, memory.tracks[server_id], stand, now)
        for server_id, stand in stands.items()
    ]
    if done and must_close:
        rows = orphaned_allocations.report(all_seen, left, rows)
    if done and memory.dead and not asked.abandon and _any_left(rows):
        # Nothing could ever be done: that is no drain that left servers.
        trouble = trouble or policy.abandon
    if done and not (checked or asked.abandon or _any_left(rows)):
        # Nothing says that something is left, and nobody has looked.
        trouble = trouble or policy.abandon
    visit = start.visit | strangers | host_memory.overdue(seen, arriving, now)
    visit |= host_memory.missing(seen)
    trace = frozenset[str]()
    if must_close:
        visit |= orphaned_allocations.to_visit(all_seen, left, now)
        trace = orphaned_allocations.to_trace(all_seen, left)
    return decisions.Decision(
        actions=start.actions,
        rows=tuple(rows),
        inquiry=query.next_look(
            seen,
            stands,
            now,
            must_close=must_close,
            visit=visit,
            trace=trace,
            policy=policy,
            memory=memory,
        ),
        memory=memory,
        done=done,
        checked=checked,
        doubtful=any(
            s.visit and s.record and s.record.ended_badly
            for s in stands.values()
        ),
        finished=_finished(seen, memory, stands),
        trouble=trouble,
        waiting_for=down_cells.awaited(seen)
        or (
            lock.awaited(memory, policy, now)
            if open_
            else _waiting_for(arriving, left)
        ),
        interval=timing.DOWN_SERVICE_RECHECK_SECONDS
        if down_cells.is_lost(seen)
        else max(timing.LOOK_LAST_CHECKS_SECONDS, policy.settled_from - now)
        if must_close and not left
        else _interval(
            memory, stands, rhythm, policy, filling=start.filling, now=now
        ),
    )


def _finished(
    seen: model.Observation,
    memory: memories.Memory,
    stands: collections.abc.Mapping[str, server_status.Standing],
) -> tuple[circuit_breaker.Finished, ...]:
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


def _any_left(rows: collections.abc.Iterable[decisions.Row]) -> bool:
    return any(row.left for row in rows)


def _halted(
    seen: model.Observation,
    policy: policies.Policy,
    memory: memories.Memory,
) -> tuple[policies.Policy, str]:
    """Stop where the hosts themselves do not let moves go on."""
    if reason := down_cells.over(seen, memory):
        why = down_cells.LEFT if seen.silent else reason
        return dataclasses.replace(policy, stop=why, abandon=why), reason
    if trouble := stop_conditions.trouble(seen, policy, memory):
        stop = policy.stop or trouble
        return dataclasses.replace(policy, stop=stop), trouble
    if reason := stop_conditions.dead_end(seen, policy, memory):
        return dataclasses.replace(policy, stop=reason, abandon=reason), ''
    return policy, ''


def _stands(
    seen: model.Observation,
    policy: policies.Policy,
    asked: policies.Policy,
    memory: memories.Memory,
    now: float,
) -> dict[str, server_status.Standing]:
    records = host_memory.records(seen, memory)
    earlier = host_memory.earlier_failures(seen, policy, memory)
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
            policy=policy,
            since=contexts.since(seen, policy),
            now=now,
            earlier=earlier.get(server_id, ()),
            incoming=incoming.get(server_id),
            others_down=memory.others_down,
            unseen_since=memory.unseen_since.get(server_id),
        )
        ended = policy.abandon == asked.abandon or down_cells.is_lost(seen)
        stand = down_cells.hide(case, assessment.stand(case))
        stand = _stopped(stand, policy, ended=ended)
        stands[server_id] = down_cells.hide(
            case, resuspend.settle(case, stand)
        )
    return stands


def _stopped(
    stand: server_status.Standing, policy: policies.Policy, *, ended: bool
) -> server_status.Standing:
    """Make final what is not to be started or awaited any more.

    :param ended: the run ends, and nothing is known to be wrong with moves
        under way. Otherwise their host has died.
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
            what = 'it has left, but is not confirmed'
        elif stand.phase is phases.SETTLING:
            what = 'what became of it was not seen any more'
        elif stand.pending:
            what = f'its {stand.pending} was asked for, its end was not seen'
        else:
            what = 'its move is under way in Nova'
        moves = stand.phase is phases.MOVING and not other
        left = record is not None and not record.ended_badly
        return dataclasses.replace(
            stand,
            phase=phases.STILL_MOVING
            if ended and (moves or left)
            else phases.FAILED,
            reason=f'{what}; {policy.abandon}',
        )
    return stand


def _time_leftovers(
    memory: memories.Memory, perhaps_left: bool, now: float
) -> memories.Memory:
    since = memory.leftover_since if perhaps_left else None
    if perhaps_left and since is None:
        since = now
    return dataclasses.replace(memory, leftover_since=since)


def _row(
    host: str,
    track: memories.Track,
    stand: server_status.Standing,
    now: float,
) -> decisions.Row:
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


def _waiting_for(
    arriving: collections.abc.Sequence[model.Migration],
    left: collections.abc.Collection[str],
) -> str:
    if arriving:
        servers = ', '.join(sorted(r.server_id for r in arriving))
        return f'servers that were on their way here: {servers}'
    if left:
        return f'allocations in Placement: {", ".join(sorted(left))}'
    return ''


def _rhythm(
    seen: model.Observation, memory: memories.Memory
) -> polling.Rhythm | None:
    history = memory.history or frozenset()
    ended = (
        r
        for r in seen.migrations.values()
        if r.source == seen.host
        and r.type == model.MigrationType.LIVE
        and (r.ended_well or r.status == 'failed')
        and r.id not in history
    )
    ahead = math.inf if seen.ahead is None else seen.ahead
    return polling.rhythm(ended, memory.slots, ahead)


def _interval(
    memory: memories.Memory,
    stands: collections.abc.Mapping[str, server_status.Standing],
    rhythm: polling.Rhythm | None,
    policy: policies.Policy,
    *,
    filling: bool,
    now: float,
) -> float:
    ages = [
        now - (track.errand(track.latest).asked_at or track.began_at)
        for server_id, stand in stands.items()
        if stand.phase is server_status.Phase.MOVING
        and (track := memory.tracks[server_id]).began_at is not None
    ]
    settling = any(
        s.visit
        or s.explain
        or s.soon
        or (s.ask and s.ask not in memories.STARTING)
        for s in stands.values()
    )
    seconds = polling.interval(
        now=now,
        ages=ages,
        rhythm=rhythm,
        filling=filling,
        settling=settling,
        slots=memory.slots,
    )
    wake_at = min((s.wake_at for s in stands.values()), default=math.inf)
    comes_at = lock.comes_at(memory, policy) if policy.evacuate else None
    if comes_at is not None and comes_at > now:
        # Not at the next look: runs that began together look together.
        wake_at = min(wake_at, comes_at)
    return min(
        seconds,
        max(timing.LOOK_LAST_CHECKS_SECONDS, wake_at - now),
        in_flight.patience(memory, stands, policy, now),
    )
