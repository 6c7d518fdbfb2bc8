# SPDX-License-Identifier: Apache-2.0

"""Servers that are resumed to be moved: to be suspended again.

A suspended server can't be migrated, so it is resumed first. Wherever it
ends up (on a new host, or back here because no move went well), it is to be
as it was.

Before it is resumed it gets a tag, which is removed once it was seen to be
suspended again. So every run knows what a run that was killed, or that goes
on at the same time, has resumed. A server that its owner has suspended or
stopped meanwhile only loses the tag.
"""

import dataclasses

from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import requests as server_requests
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import stuck

ActionKind = memories.ActionKind
Code = codes.Code
Context = contexts.ServerContext
Observation = model.Observation
Phase = server_status.Phase
Server = model.Server
ServerStatus = server_status.ServerStatus


def require_suspend(context: Context, status: ServerStatus) -> ServerStatus:
    """Return where a server stands, with what is still owed to it."""
    view, final = context.view, status.phase in server_status.FINAL
    abandon = _abandons(context)
    if status.phase is Phase.GONE:
        return status
    if final and not abandon and _tried_to_tag(context):
        again = dataclasses.replace(status, phase=Phase.SETTLING, ask=None)
        return dataclasses.replace(again, visit=True)
    resumes = context.remembered.resumed and (
        status.pending is ActionKind.RESUME
        or (view and view.task_state == nova_states.TaskState.RESUMING)
    )
    if final and resumes:
        told = _abandoned(context, status)
        return dataclasses.replace(told, phase=status.phase)
    if view and view.tag_removable and not view.resumed:
        waits = status.phase is Phase.WAITING
        if final or (waits and status.ask is not ActionKind.RESUME):
            return _require_untag(context, view, status)
    if not (final and context.resumed):
        return status
    if view is None or (abandon and status.pending):
        return _abandoned(context, status)
    if view.vm_state != nova_states.VmState.ACTIVE:
        return status
    if context.operation.evacuations_only and not context.has_left(view):
        # Its host is dead.
        return status
    if abandon or (status.record and status.record.in_flight):
        return _abandoned(context, status)
    return _require_suspend(context, view, status)


def _abandons(context: Context) -> policies.Stop | None:
    """Return why nothing is asked for any more, if so.

    What has left a host that is down can still be suspended, unless the host
    where it is now is down as well.
    """
    view = context.view
    left = view is not None and context.has_left(view)
    host = view.host if view else None
    in_reach = left and host not in context.seen.down
    if context.host_is_down and in_reach:
        return None
    return context.policy.abandon


def _tried_to_tag(context: Context) -> bool:
    """Tell whether it may have been tagged after it was last seen.

    And was not resumed after all: then nothing else has it looked at again.
    """
    tried_at = context.remembered.tag_tried_at
    if tried_at is None or context.remembered.resumed:
        return False
    return not context.view_since(tried_at)


def _require_suspend(
    context: Context, view: Server, status: ServerStatus
) -> ServerStatus:
    """Return where a server stands that runs and is to be suspended again."""
    moved = view.host != context.seen.host
    where = f'moved to {view.host}, but ' if moved else ''
    if found := stuck.assess(context):
        # Nova would refuse it.
        reason, given_up = where + found.reason, found.given_up
        return dataclasses.replace(
            status,
            phase=Phase.BLOCKED,
            reason=reason,
            code=found.code,
            given_up=given_up,
        )
    settled = _wait_for_others(context, view, status) or _ask(
        context, view, status, ActionKind.SUSPEND
    )
    if settled.phase not in server_status.FINAL:
        return settled
    suspend_it = (
        f'suspend it (openstack server suspend {context.server_id}) and run '
        'this again, which removes its tag'
    )
    if _hidden(context):
        reason = (
            'it was resumed for the migration, and may not be suspended '
            f'again, as {contexts.SILENT}: {settled.reason}; once it answers, '
            f'check it (openstack server show {context.server_id}), and if it '
            f'is running, {suspend_it}'
        )
    elif view.task_state == nova_states.TaskState.SUSPENDING:
        reason = (
            'it was resumed for the migration, and is not suspended again '
            f'yet: {settled.reason}'
        )
        if settled.pending is None:
            reason += '; run this again, which removes its tag'
    else:
        reason = (
            'left running: it was resumed for the migration and could not be '
            f'suspended again: {settled.reason}; {suspend_it}'
        )
    return dataclasses.replace(
        status,
        phase=Phase.FAILED,
        reason=where + reason,
        code=Code.NOT_SUSPENDED,
        given_up=status.given_up or settled.given_up,
    )


def _wait_for_others(
    context: Context, view: Server, status: ServerStatus
) -> ServerStatus | None:
    """Return the wait for the run that has resumed it; None: there is none.

    It may be about to move it, unless it was killed.
    """
    moved = status.record is not None and status.record.ended_well
    suspending = ActionKind.SUSPEND in context.remembered.requests
    if context.remembered.resumed or moved or suspending:
        return None
    most = timing.RESUMED_BY_OTHERS_SECONDS
    unchanged = stuck.unchanged_for(context.seen, view, view.seen_at)
    if unchanged is None or unchanged >= most:
        return None
    due_at = view.seen_at + most - unchanged
    return dataclasses.replace(
        status,
        phase=Phase.SETTLING,
        reason='',
        ask=None,
        visit=context.now >= due_at,
        wake_at=due_at,
        awaits='the run that resumed them to move or suspend them (at most '
        f'{most:.0f} s)',
    )


def _ask(
    context: Context, view: Server, status: ServerStatus, kind: ActionKind
) -> ServerStatus:
    """Return what becomes of asking for something before a server is done."""
    due = dataclasses.replace(status, phase=Phase.MOVING, reason='', ask=None)
    asked_at = context.remembered.request(kind).asked_at
    suspending = view.task_state == nova_states.TaskState.SUSPENDING
    if suspending and asked_at is not None:
        settled = server_requests.pending(context, kind, view, asked_at)
    elif view.task_state and context.overdue:
        why = f'busy: {view.task_state}; {context.overdue}'
        return ServerStatus(Phase.FAILED, why, Code.BUSY, given_up=True)
    elif view.task_state:
        # Somebody is at it: then it is to be seen what comes of that.
        settled = dataclasses.replace(due, phase=Phase.BUSY, visit=True)
    else:
        due = dataclasses.replace(due, ask=kind)
        settled = server_requests.assess_request(context, view, kind, due)
    return dataclasses.replace(
        settled, destination=status.destination, record=status.record
    )


def _abandoned(context: Context, status: ServerStatus) -> ServerStatus:
    record = status.record
    moves = status.pending or (record and record.in_flight)
    still_moving = moves and status.phase is Phase.STILL_MOVING
    hidden = context.view and _hidden(context) and not still_moving
    why = contexts.SILENT if hidden else status.reason
    return dataclasses.replace(
        status,
        phase=status.phase if still_moving else Phase.FAILED,
        reason='it was SUSPENDED and was resumed for the migration: run this '
        f'again to suspend it; {why}',
        code=Code.NOT_SUSPENDED,
    )


def _hidden(context: Context) -> bool:
    """Tell whether how it was seen last may be old."""
    unseen = context.server_id in context.seen.unseen
    return unseen or bool(context.seen.silent)


def _require_untag(
    context: Context, view: Server, status: ServerStatus
) -> ServerStatus:
    """Return where a server stands that does not run, but has the tag."""
    if abandon := _abandons(context):
        settled = ServerStatus(Phase.FAILED, abandon.reason)
    else:
        settled = stuck.assess(context) or _ask(
            context, view, status, ActionKind.UNTAG
        )
    if settled.phase not in server_status.FINAL:
        return settled
    reason = (
        f'it still has the tag {mark.RESUMED_TAG} ({settled.reason}): remove '
        f'it ({mark.untag_command(context.server_id)}), or the server may be '
        'suspended again in a later maintenance'
    )
    reasons = filter(None, [status.reason, reason])
    return dataclasses.replace(
        status,
        reason='; '.join(reasons),
        code=status.code or Code.TAG_LEFT,
        given_up=status.given_up or settled.given_up,
    )


def departed(seen: Observation, policy: policies.Policy) -> frozenset[str]:
    """Return the servers that left the host since its maintenance began."""
    since = contexts.since(seen, policy)
    if since is None or policy.only is not None:
        return frozenset()
    return frozenset(
        record.server_id
        for record in seen.migrations.values()
        if record.source == seen.host
        and record.ended_well
        and record.created_at >= since - contexts.SKEW
    )


def left_tagged(seen: Observation, policy: policies.Policy) -> frozenset[str]:
    """Return those of them that still have the tag."""
    tagged = frozenset(s.id for s in seen.visited.values() if s.tag_removable)
    return tagged and tagged & departed(seen, policy)
