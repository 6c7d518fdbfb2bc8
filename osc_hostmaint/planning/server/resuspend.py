# SPDX-License-Identifier: Apache-2.0

"""Servers that are resumed to be moved: to be suspended again.

A suspended server can't be migrated, so it is resumed first. Wherever it
ends up (on a new host, or back here because no move went well), it is to be
as it was.

A run that is killed between the two leaves a server running that was
suspended; one that drains the same host at the same time is about to suspend
it. Nova keeps who resumed it and when, so every run finds it.
"""

import collections.abc
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

Phase = server_status.Phase
_Vm = nova_states.VmState


def require_suspend(
    context: contexts.ServerContext, status: server_status.ServerStatus
) -> server_status.ServerStatus:
    """Return where a server stands, with what is still owed to it."""
    view = context.view
    if (
        status.phase not in server_status.FINAL
        or status.phase is Phase.GONE
        or not context.resumed
    ):
        return status
    if context.policy.abandon and (view is None or status.pending):
        return _abandoned(status)
    if view is None or view.vm_state != _Vm.ACTIVE:
        return status
    if context.policy.abandon or (status.record and status.record.in_flight):
        return _abandoned(status)
    due = dataclasses.replace(
        status, phase=Phase.MOVING, reason='', ask=memories.ActionKind.SUSPEND
    )
    request = context.remembered.request(memories.ActionKind.SUSPEND)
    if (
        view.task_state == nova_states.TaskState.SUSPENDING
        and request.asked_at is not None
    ):
        settled = server_requests.pending(
            context, memories.ActionKind.SUSPEND, view, request.asked_at
        )
    elif view.task_state:
        # Somebody is at it: then it is to be seen what comes of that.
        if context.overdue:
            why = f'busy: {view.task_state}; {context.overdue}'
            return dataclasses.replace(
                _failed(context, status, why), given_up=True
            )
        settled = dataclasses.replace(
            due, phase=Phase.BUSY, ask=None, visit=True
        )
    else:
        settled = server_requests.assess_request(
            context, view, memories.ActionKind.SUSPEND, due
        )
    if settled.phase in server_status.FINAL:
        return dataclasses.replace(
            _failed(context, status, settled.reason), given_up=settled.given_up
        )
    return dataclasses.replace(
        settled, destination=status.destination, record=status.record
    )


def _abandoned(
    status: server_status.ServerStatus,
) -> server_status.ServerStatus:
    record = status.record
    moves = status.pending or (record and record.in_flight)
    still_moving = moves and status.phase is Phase.STILL_MOVING
    return dataclasses.replace(
        status,
        phase=status.phase if still_moving else Phase.FAILED,
        reason='it was SUSPENDED and was resumed for the migration: run this '
        f'again with --suspended resume to suspend it; {status.reason}',
    )


def _failed(
    context: contexts.ServerContext,
    status: server_status.ServerStatus,
    why: str,
) -> server_status.ServerStatus:
    view = context.view
    moved = view is not None and view.host != context.seen.host
    where = f'moved to {view.host}, but ' if view and moved else ''
    return dataclasses.replace(
        status,
        phase=Phase.FAILED,
        reason=f'{where}left running: it was resumed for the migration and '
        f'could not be suspended again: {why}; suspend it (openstack '
        f'server suspend {context.server_id})',
    )


#: What says nothing about whether a server is to run: Nova's names
#: (nova/compute/instance_actions.py).
_NEUTRAL = frozenset(
    {
        'live-migration',
        'live_migration_force_complete',
        'live_migration_cancel',
        'migrate',
        'confirmResize',
        'revertResize',
        'lock',
        'unlock',
        'createImage',
        'createBackup',
        'attach_interface',
        'detach_interface',
        'attach_volume',
        'detach_volume',
        'swap_volume',
        'extend_volume',
        'changePassword',
        'trigger_crash_dump',
        'addFixedIp',
        'removeFixedIp',
    }
)


def note_suspects(
    seen: model.Observation,
    operation: 'operations.Operation',
    memory: memories.HostMemory,
    new: collections.abc.Iterable[str],
    *,
    first: bool,
) -> memories.HostMemory:
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
    seen: model.Observation,
    operation: 'operations.Operation',
    memory: memories.HostMemory,
) -> memories.HostMemory:
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
        remembered = servers.get(server_id)
        view = seen.latest(server_id)
        instance_action = _resume(seen.histories[server_id], since)
        if instance_action is None or (view and view.deleted):
            suspects.discard(server_id)
        elif view is not None:
            suspects.discard(server_id)
            if view.vm_state == _Vm.ACTIVE and _is_ours(
                instance_action, view, operation.policy
            ):
                before = dataclasses.replace(
                    view,
                    status=nova_states.Status.SUSPENDED.value,
                    vm_state=_Vm.SUSPENDED.value,
                )
                remembered = remembered or memories.ServerMemory(before=before)
                servers[server_id] = dataclasses.replace(
                    remembered, before=before, found_resumed=True
                )
    return dataclasses.replace(
        memory, servers=servers, suspects=frozenset(suspects)
    )


def unasked(
    seen: model.Observation, memory: memories.HostMemory
) -> frozenset[str]:
    """Return the suspects whose history was not asked for yet."""
    return memory.suspects - frozenset(seen.histories)


def unseen(
    seen: model.Observation, memory: memories.HostMemory
) -> frozenset[str]:
    """Return the suspects that must be looked at to know whose they are."""
    return memory.suspects & frozenset(seen.histories)


def is_due(
    history: collections.abc.Sequence[model.InstanceAction],
    view: model.Server,
    since: datetime.datetime,
    policy: policies.Policy,
) -> bool:
    """Tell whether a server that runs is to be suspended again.

    :param history: what was done to it, oldest first.
    """
    instance_action = _resume(history, since)
    return instance_action is not None and _is_ours(
        instance_action, view, policy
    )


def _since(
    seen: model.Observation, operation: 'operations.Operation'
) -> datetime.datetime | None:
    if not operation.resumes:
        return None
    return contexts.since(seen, operation.policy)


def _resume(
    history: collections.abc.Sequence[model.InstanceAction],
    since: datetime.datetime,
) -> model.InstanceAction | None:
    """Return the resume during this maintenance that nothing followed."""
    instance_actions = [
        instance_action
        for instance_action in history
        if instance_action.action not in _NEUTRAL
    ]
    while instance_actions and instance_actions[-1].action == 'suspend':
        # It runs, so nothing came of that.
        instance_actions.pop()
    if (
        instance_actions
        and instance_actions[-1].action == 'resume'
        and instance_actions[-1].started_at >= since
    ):
        return instance_actions[-1]
    return None


def _is_ours(
    instance_action: model.InstanceAction,
    view: model.Server,
    policy: policies.Policy,
) -> bool:
    """Tell whether it was an operator's doing rather than its owner's."""
    return (
        instance_action.user_id == policy.user_id
        or instance_action.project_id != view.project_id
    )
