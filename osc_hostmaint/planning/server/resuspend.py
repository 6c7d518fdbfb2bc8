# SPDX-License-Identifier: Apache-2.0

"""Servers that are resumed to be moved: to be suspended again.

A suspended server can't be migrated, so it is resumed first. Wherever it
ends up (on a new host, or back here because no move went well), it is to be
as it was.

A run that is killed between the two leaves a server running that was
suspended; one that drains the same host at the same time is about to suspend
it. Nova keeps who resumed it and when, so every run finds it.
"""

from collections import abc
import dataclasses
import datetime
import typing as ty

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import requests as server_requests
from osc_hostmaint.planning.server import status as server_status

if ty.TYPE_CHECKING:
    from osc_hostmaint.planning import operation as operations

ActionKind = memories.ActionKind
Context = contexts.ServerContext
HostMemory = memories.HostMemory
Observation = model.Observation
Phase = server_status.Phase
Server = model.Server
ServerStatus = server_status.ServerStatus
History = abc.Sequence[model.InstanceAction]
_Vm = nova_states.VmState


def require_suspend(context: Context, status: ServerStatus) -> ServerStatus:
    """Return where a server stands, with what is still owed to it."""
    view = context.view
    gone = status.phase is Phase.GONE
    if gone or status.phase not in server_status.FINAL or not context.resumed:
        return status
    if context.policy.abandon and (view is None or status.pending):
        return _abandoned(status)
    if view is None or view.vm_state != _Vm.ACTIVE:
        return status
    if context.policy.abandon or (status.record and status.record.in_flight):
        return _abandoned(status)
    due = dataclasses.replace(status, phase=Phase.MOVING, reason='', ask=None)
    suspend = ActionKind.SUSPEND
    asked_at = context.remembered.request(suspend).asked_at
    suspending = view.task_state == nova_states.TaskState.SUSPENDING
    if suspending and asked_at is not None:
        settled = server_requests.pending(context, suspend, view, asked_at)
    elif view.task_state and context.overdue:
        why = f'busy: {view.task_state}; {context.overdue}'
        settled = ServerStatus(Phase.FAILED, why, given_up=True)
    elif view.task_state:
        # Somebody is at it: then it is to be seen what comes of that.
        settled = dataclasses.replace(due, phase=Phase.BUSY, visit=True)
    else:
        due = dataclasses.replace(due, ask=suspend)
        settled = server_requests.assess_request(context, view, suspend, due)
    if settled.phase not in server_status.FINAL:
        return dataclasses.replace(
            settled, destination=status.destination, record=status.record
        )
    moved = view.host != context.seen.host
    where = f'moved to {view.host}, but ' if moved else ''
    suspend_it = f'suspend it (openstack server suspend {context.server_id})'
    if context.server_id in context.seen.unseen:
        reason = (
            'it was resumed for the migration, and may not be suspended '
            f'again, as {contexts.SILENT}: {settled.reason}; once it answers, '
            f'check it (openstack server show {context.server_id}), and if it '
            f'is running, {suspend_it}'
        )
    else:
        reason = (
            'left running: it was resumed for the migration and could not be '
            f'suspended again: {settled.reason}; {suspend_it}'
        )
    return dataclasses.replace(
        status,
        phase=Phase.FAILED,
        reason=where + reason,
        given_up=settled.given_up,
    )


def _abandoned(status: ServerStatus) -> ServerStatus:
    record = status.record
    moves = status.pending or (record and record.in_flight)
    still_moving = moves and status.phase is Phase.STILL_MOVING
    return dataclasses.replace(
        status,
        phase=status.phase if still_moving else Phase.FAILED,
        reason='it was SUSPENDED and was resumed for the migration: run this '
        f'again with --suspended resume to suspend it; {status.reason}',
    )


#: What says nothing about whether a server is to run: Nova's names
#: (nova/compute/instance_actions.py).
_NEUTRAL = frozenset(
    {
        *('live-migration', 'live_migration_force_complete'),
        *('live_migration_cancel', 'migrate', 'confirmResize', 'revertResize'),
        *('lock', 'unlock', 'createImage', 'createBackup', 'changePassword'),
        *('attach_interface', 'detach_interface', 'attach_volume'),
        *('detach_volume', 'swap_volume', 'extend_volume'),
        *('trigger_crash_dump', 'addFixedIp', 'removeFixedIp'),
    }
)


def note_suspects(
    seen: Observation,
    operation: 'operations.Operation',
    memory: HostMemory,
    new: abc.Iterable[str],
    *,
    first: bool,
) -> HostMemory:
    """Return the memory with servers that another run may have resumed.

    Only where suspended servers are to be resumed at all.

    :param new: servers that were not known before.
    :param first: nothing was known before.
    """
    since = _since(seen, operation)
    if since is None:
        return memory
    only = operation.policy.only
    found = {
        server_id
        for server_id in new
        if (view := memory.servers[server_id].before).vm_state == _Vm.ACTIVE
        and (view.updated_at is None or view.updated_at >= since)
    }
    found |= {
        server_id
        for server_id, remembered in memory.servers.items()
        if remembered.before.vm_state == _Vm.SUSPENDED
        and not remembered.resumed
        and server_id not in seen.histories
        and (now := seen.latest(server_id)) is not None
        and now.vm_state == _Vm.ACTIVE
    }
    if first:
        found |= {
            record.server_id
            for record in seen.migrations.values()
            if record.source == seen.host
            and record.type == model.MigrationType.LIVE
            and record.ended_well
            and record.created_at >= since - contexts.SKEW
            # Others' drains of the same host suspend their own.
            and (only is None or record.server_id in only)
        }
    return dataclasses.replace(memory, suspects=memory.suspects | found)


def find_resumed(
    seen: Observation, operation: 'operations.Operation', memory: HostMemory
) -> HostMemory:
    """Return the memory with what the suspects' histories tell."""
    since = _since(seen, operation)
    if since is None:
        return dataclasses.replace(memory, suspects=frozenset())
    known = memory.suspects & frozenset(seen.histories)
    if not known:
        return memory
    servers = dict(memory.servers)
    suspects = set(memory.suspects)
    for server_id in sorted(known):
        history, view = seen.histories[server_id], seen.latest(server_id)
        if view is None and _resume(history, since):
            continue
        suspects.discard(server_id)
        if view is None or view.deleted or view.vm_state != _Vm.ACTIVE:
            continue
        if is_due(history, view, since, operation.policy):
            before = dataclasses.replace(
                view,
                status=nova_states.Status.SUSPENDED.value,
                vm_state=_Vm.SUSPENDED.value,
            )
            servers[server_id] = dataclasses.replace(
                servers.get(server_id) or memories.ServerMemory(before),
                before=before,
                found_resumed=True,
            )
    return dataclasses.replace(
        memory, servers=servers, suspects=frozenset(suspects)
    )


def unasked(seen: Observation, memory: HostMemory) -> frozenset[str]:
    """Return the suspects whose history was not asked for yet."""
    return memory.suspects - frozenset(seen.histories)


def unseen(seen: Observation, memory: HostMemory) -> frozenset[str]:
    """Return the suspects that must be looked at to know whose they are."""
    return memory.suspects & frozenset(seen.histories)


def is_due(
    history: History,
    view: Server,
    since: datetime.datetime,
    policy: policies.Policy,
) -> bool:
    """Tell whether a server that runs is to be suspended again.

    It is if an operator resumed it, rather than its owner.

    :param history: what was done to it, oldest first.
    """
    resume = _resume(history, since)
    return resume is not None and (
        resume.user_id == policy.user_id
        or resume.project_id != view.project_id
    )


def _since(
    seen: Observation, operation: 'operations.Operation'
) -> datetime.datetime | None:
    resumes = operation.resumes
    return contexts.since(seen, operation.policy) if resumes else None


def _resume(
    history: History, since: datetime.datetime
) -> model.InstanceAction | None:
    """Return the resume during this maintenance that nothing followed."""
    found = [each for each in history if each.action not in _NEUTRAL]
    while found and found[-1].action == 'suspend':
        # It runs, so nothing came of that.
        found.pop()
    if not found or found[-1].action != 'resume':
        return None
    return found[-1] if found[-1].started_at >= since else None
