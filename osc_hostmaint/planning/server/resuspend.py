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


def settle(
    case: contexts.Case, stand: server_status.Standing
) -> server_status.Standing:
    """Return where a server stands, with what is still owed to it."""
    view = case.view
    if (
        stand.phase not in server_status.FINAL
        or stand.phase is Phase.GONE
        or not case.resumed
    ):
        return stand
    if case.policy.abandon and (view is None or stand.pending):
        return _abandoned(stand)
    if view is None or view.vm_state != _Vm.ACTIVE:
        return stand
    if case.policy.abandon or (stand.record and stand.record.in_flight):
        return _abandoned(stand)
    due = dataclasses.replace(
        stand, phase=Phase.MOVING, reason='', ask=memories.Kind.SUSPEND
    )
    errand = case.track.errand(memories.Kind.SUSPEND)
    if (
        view.task_state == nova_states.TaskState.SUSPENDING
        and errand.asked_at is not None
    ):
        settled = server_requests.pending(
            case, memories.Kind.SUSPEND, view, errand.asked_at
        )
    elif view.task_state:
        # Somebody is at it: then it is to be seen what comes of that.
        if case.overdue:
            why = f'busy: {view.task_state}; {case.overdue}'
            return dataclasses.replace(
                _failed(case, stand, why), given_up=True
            )
        settled = dataclasses.replace(
            due, phase=Phase.BUSY, ask=None, visit=True
        )
    else:
        settled = server_requests.asked(case, view, memories.Kind.SUSPEND, due)
    if settled.phase in server_status.FINAL:
        return dataclasses.replace(
            _failed(case, stand, settled.reason), given_up=settled.given_up
        )
    return dataclasses.replace(
        settled, destination=stand.destination, record=stand.record
    )


def _abandoned(stand: server_status.Standing) -> server_status.Standing:
    record = stand.record
    moves = stand.pending or (record and record.in_flight)
    still_moving = moves and stand.phase is Phase.STILL_MOVING
    return dataclasses.replace(
        stand,
        phase=stand.phase if still_moving else Phase.FAILED,
        reason='it was SUSPENDED and was resumed for the migration: run this '
        f'again with --suspended resume to suspend it; {stand.reason}',
    )


def _failed(
    case: contexts.Case, stand: server_status.Standing, why: str
) -> server_status.Standing:
    view = case.view
    moved = view is not None and view.host != case.seen.host
    where = f'moved to {view.host}, but ' if view and moved else ''
    return dataclasses.replace(
        stand,
        phase=Phase.FAILED,
        reason=f'{where}left running: it was resumed for the migration and '
        f'could not be suspended again: {why}; suspend it (openstack '
        f'server suspend {case.server_id})',
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


def suspect(
    seen: model.Observation,
    operation: 'operations.Operation',
    memory: memories.Memory,
    new: collections.abc.Iterable[str],
    *,
    first: bool,
) -> memories.Memory:
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
        if (view := memory.tracks[server_id].before).vm_state == _Vm.ACTIVE
        and (view.updated_at is None or view.updated_at >= since)
    }
    found |= {
        server_id
        for server_id, track in memory.tracks.items()
        if track.before.vm_state == _Vm.SUSPENDED
        and not track.resumed
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


def find(
    seen: model.Observation,
    operation: 'operations.Operation',
    memory: memories.Memory,
) -> memories.Memory:
    """Return the memory with what the suspects' histories tell."""
    since = _since(seen, operation)
    if since is None:
        return dataclasses.replace(memory, suspects=frozenset())
    known = memory.suspects & frozenset(seen.histories)
    if not known:
        return memory
    tracks = dict(memory.tracks)
    suspects = set(memory.suspects)
    for server_id in sorted(known):
        track = tracks.get(server_id)
        view = seen.latest(server_id)
        deed = _resume(seen.histories[server_id], since)
        if deed is None or (view and view.deleted):
            suspects.discard(server_id)
        elif view is not None:
            suspects.discard(server_id)
            if view.vm_state == _Vm.ACTIVE and _is_ours(
                deed, view, operation.policy
            ):
                before = dataclasses.replace(
                    view,
                    status=nova_states.Status.SUSPENDED.value,
                    vm_state=_Vm.SUSPENDED.value,
                )
                track = track or memories.Track(before=before)
                tracks[server_id] = dataclasses.replace(
                    track, before=before, found_resumed=True
                )
    return dataclasses.replace(
        memory, tracks=tracks, suspects=frozenset(suspects)
    )


def unasked(
    seen: model.Observation, memory: memories.Memory
) -> frozenset[str]:
    """Return the suspects whose history was not asked for yet."""
    return memory.suspects - frozenset(seen.histories)


def unseen(seen: model.Observation, memory: memories.Memory) -> frozenset[str]:
    """Return the suspects that must be looked at to know whose they are."""
    return memory.suspects & frozenset(seen.histories)


def owed(
    history: collections.abc.Sequence[model.Deed],
    view: model.Server,
    since: datetime.datetime,
    policy: policies.Policy,
) -> bool:
    """Tell whether a server that runs is to be suspended again.

    :param history: what was done to it, oldest first.
    """
    deed = _resume(history, since)
    return deed is not None and _is_ours(deed, view, policy)


def _since(
    seen: model.Observation, operation: 'operations.Operation'
) -> datetime.datetime | None:
    if not operation.resumes:
        return None
    return contexts.since(seen, operation.policy)


def _resume(
    history: collections.abc.Sequence[model.Deed], since: datetime.datetime
) -> model.Deed | None:
    """Return the resume during this maintenance that nothing followed."""
    deeds = [deed for deed in history if deed.action not in _NEUTRAL]
    while deeds and deeds[-1].action == 'suspend':
        # It runs, so nothing came of that.
        deeds.pop()
    if (
        deeds
        and deeds[-1].action == 'resume'
        and deeds[-1].started_at >= since
    ):
        return deeds[-1]
    return None


def _is_ours(
    deed: model.Deed, view: model.Server, policy: policies.Policy
) -> bool:
    """Tell whether it was an operator's doing rather than its owner's."""
    return deed.user_id == policy.user_id or deed.project_id != view.project_id
