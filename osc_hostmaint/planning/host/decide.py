# SPDX-License-Identifier: Apache-2.0

"""What to do now with one host: a pure function of what was observed."""

from collections import abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import operation as operations
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import context as contexts
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.host import memory as host_memory
from osc_hostmaint.planning.host import orphaned_allocations
from osc_hostmaint.planning.host import polling
from osc_hostmaint.planning.host import query
from osc_hostmaint.planning.host import scheduling
from osc_hostmaint.planning.host import server_statuses
from osc_hostmaint.planning.host import stale_migrations
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

Stage = decisions.Stage
_Arriving = abc.Sequence[model.Migration]
_replace = dataclasses.replace


def decide(
    seen: model.Observation,
    operation: operations.Operation,
    memory: memories.HostMemory,
    now: float,
) -> decisions.Decision:
    """Return what to do now, what to report and what to look at next.

    :param seen: one host, as just observed.
    :param operation: what is done, and what the operator asked for.
    :param memory: the memory that the previous decision returned.
    :param now: seconds of the clock that stamped the observation.
    """
    # What is left over may be of a move that nobody is at any more.
    all_seen = seen
    seen = stale_migrations.drop_stale(seen, operation.is_cut_off)
    given_up = operation.policy.abandon
    context = contexts.HostContext(seen, operation, memory, now)
    context = _replace(context, memory=host_memory.update(context))
    operation, trouble, unrecoverable = _with_stop_reasons(context)
    context = _replace(context, operation=operation)

    statuses = server_statuses.assess(
        context,
        ended=unrecoverable in ('', given_up and given_up.reason),
        host_is_down=bool(unrecoverable and not given_up),
    )
    context = _replace(context, statuses=statuses)
    memory = host_memory.update_timings(context)
    memory = operation.assessed(seen, memory, statuses)
    context = _replace(context, memory=memory)

    move_timing = polling.observed_timing(context)
    start = scheduling.choose(context, move_timing)
    arriving = [] if unrecoverable else context.arriving
    stage, left = _stage(context, all_seen, arriving)
    memory = _replace(
        memory,
        slots=start.slots,
        orphaned_since=host_memory.since_when(
            memory.orphaned_since,
            now,
            stage is Stage.FINAL_CHECK
            or bool(stage is not Stage.OPEN and left),
        ),
    )
    context = _replace(context, memory=memory)

    # What was moved or asked for before the host died, or after, is checked.
    acted = any(s.requests for s in memory.servers.values())
    idle = memory.dead and not acted
    checks = unrecoverable and not (given_up or idle)
    abandoned = operation.policy.abandon
    ends = abandoned and not checks and not _any_open(context)
    done = stage is Stage.DONE or bool(ends)
    rows = [server_statuses.row(context, server_id) for server_id in statuses]
    if done and stage is not Stage.OPEN:
        rows = orphaned_allocations.report(all_seen, left, rows)
    if done and not given_up:
        any_left = any(row.left for row in rows)
        # Nothing could ever be done: that is no drain that left servers. Or
        # nothing says that something is left, and nobody has looked.
        if memory.dead if any_left else stage is not Stage.DONE:
            trouble = trouble or (abandoned.reason if abandoned else '')

    visit = start.visit | context.never_looked_at | context.missing
    visit |= context.overdue(arriving)
    trace = frozenset[str]()
    if stage is not Stage.OPEN:
        visit |= orphaned_allocations.to_visit(all_seen, left, now)
        trace = orphaned_allocations.to_trace(all_seen, left)
    return decisions.Decision(
        actions=start.actions,
        rows=tuple(rows),
        query=query.next_look(context, stage, visit, trace),
        memory=memory,
        done=done,
        stage=stage,
        doubtful=any(
            s.visit and s.record and s.record.ended_badly
            for s in statuses.values()
        ),
        held_back=start.held_back,
        finished=server_statuses.finished(context),
        trouble=trouble,
        wait=None
        if done
        else down_cells.wait(seen) or _wait(context, stage, arriving, left),
        interval=_interval(context, stage, left)
        or polling.next_look_in(context, move_timing, filling=start.filling),
    )


def _with_stop_reasons(
    context: contexts.HostContext,
) -> tuple[operations.Operation, str, str]:
    """Return the operation with what the hosts do not let go on.

    :returns: it, why the host can't be drained, and why nothing can be moved
        off it any more.
    """
    seen, operation, memory = context.seen, context.operation, context.memory
    if reason := down_cells.over(seen, memory):
        why = down_cells.LEFT if seen.silent else reason
        stop = policies.Stop(why, codes.Code.CELL_DOWN)
        return operation.abandoning(stop), reason, ''
    if found := operation.must_stop(seen, memory):
        stop = operation.policy.stop or found
        return operation.stopping(stop), found.reason, ''
    if not down_cells.is_lost(seen) and (
        reason := operation.unrecoverable(seen, memory)
    ):
        stop = policies.Stop(reason, codes.Code.HOST_DOWN)
        return operation.abandoning(stop), '', reason
    return operation, '', ''


def _any_open(context: contexts.HostContext) -> bool:
    return any(
        s.phase in server_status.OPEN for s in context.statuses.values()
    )


def _stage(
    context: contexts.HostContext,
    all_seen: model.Observation,
    arriving: _Arriving,
) -> tuple[Stage, frozenset[str]]:
    """Return how far it is, and whose allocations nothing explains."""
    operation, memory = context.operation, context.memory
    left = orphaned_allocations.find(context.seen, operation)
    if _any_open(context) or context.never_looked_at or arriving:
        return Stage.OPEN, left
    if query.needs_final_check(context):
        return Stage.FINAL_CHECK, frozenset()
    # By since when they were left a decision ago: just now is too early.
    waits = orphaned_allocations.waits(all_seen, left, operation, memory)
    return Stage.CLEAN_UP if waits else Stage.DONE, left


def _interval(
    context: contexts.HostContext, stage: Stage, left: abc.Collection[str]
) -> float | None:
    """Return the seconds until the next look, if no move decides that."""
    if down_cells.is_lost(context.seen):
        return timing.DOWN_SERVICE_RECHECK_SECONDS
    if stage is Stage.OPEN or left:
        return None
    settled_in = context.policy.settled_from - context.now
    return max(timing.LOOK_LAST_CHECKS_SECONDS, settled_in)


def _wait(
    context: contexts.HostContext,
    stage: Stage,
    arriving: _Arriving,
    left: abc.Collection[str],
) -> server_status.Wait | None:
    """Return what is waited for, if a line has to say it."""
    if _any_open(context):
        return context.operation.wait(
            context.memory, context.now
        ) or server_statuses.wait(context.statuses)
    if arriving:
        servers = ', '.join(sorted(r.server_id for r in arriving))
        most = 'without a limit (--server-timeout sets one)'
        if (limit := context.policy.server_timeout) is not None:
            most = f'at most {limit:.0f} s each'
        return server_status.Wait(
            f'servers that are still moving to this host, {most}: {servers}'
        )
    settled_from = context.policy.settled_from
    if stage is Stage.FINAL_CHECK and context.now < settled_from:
        return server_status.Wait(
            'servers that were being scheduled to this host when it was '
            f'disabled (at most {timing.LATE_ARRIVAL_SECONDS:.0f} s)',
            settled_from,
        )
    if stage is Stage.FINAL_CHECK:
        # They are listed anew now and then while they are waited for.
        left = orphaned_allocations.find(context.seen, context.operation)
    if left:
        return server_status.Wait(
            'allocations in Placement that no server here explains (at most '
            f'{timing.ORPHANED_WAIT_SECONDS:.0f} s, or until a server on its '
            f'way here has arrived): {", ".join(sorted(left))}'
        )
    return None
