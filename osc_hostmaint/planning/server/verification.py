# SPDX-License-Identifier: Apache-2.0

"""A server that is off the host: is it what it was?"""

import dataclasses
import math

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

State = model.PowerState
_Vm = nova_states.VmState
#: The power state that goes with each, and those that can't: then Nova has
#: not noticed yet. What it does not know (NOSTATE) says nothing.
_POWER: dict[str, tuple[State, frozenset[State]]] = {
    _Vm.ACTIVE: (
        State.RUNNING,
        frozenset(
            {State.PAUSED, State.SHUTDOWN, State.CRASHED, State.SUSPENDED}
        ),
    ),
    _Vm.PAUSED: (
        State.PAUSED,
        frozenset({State.RUNNING, State.SHUTDOWN, State.CRASHED}),
    ),
    _Vm.STOPPED: (State.SHUTDOWN, frozenset({State.RUNNING, State.PAUSED})),
}
#: Moves that the server is stopped for, and started after.
_COPIED = frozenset({model.MigrationType.COLD, model.MigrationType.RESIZE})


def assess(
    context: contexts.ServerContext,
    view: model.Server,
    record: model.Migration | None = None,
) -> server_status.ServerStatus:
    """Return where a server stands that is off the host."""
    if skipped := context.operation.skipped(view, record):
        return skipped
    if view.host is None:
        offloaded = view.status == nova_states.Status.SHELVED_OFFLOADED
        return server_status.ServerStatus(
            server_status.Phase.OFFLOADED
            if offloaded
            else server_status.Phase.MOVED,
            f'now {view.status}, on no host',
            record=record,
        )
    if context.needs_history:
        return server_status.ServerStatus(
            server_status.Phase.SETTLING, record=record, history=True
        )
    evacuated = _evacuated(context, record)
    wrong = _broken(context, view, record) or _wrong(
        context, view, evacuated=evacuated
    )
    if not wrong and (wrong := power_differs(context.remembered.before, view)):
        due_at = _arrived_at(context, record) + timing.EFFECT_WAIT_SECONDS
        if view.seen_at < due_at:
            # Nova follows what the hypervisor says, sometimes a bit later.
            look_at = view.seen_at + timing.UNMOVED_RECHECK_SECONDS
            return server_status.ServerStatus(
                server_status.Phase.SETTLING,
                f'moved to {view.host}, but {wrong}',
                record=record,
                visit=context.now >= look_at,
                wake_at=look_at,
                destination=view.host,
            )
        wrong += f': check its console (openstack console log show {view.id})'
    side_effects = _rebuilt(context) if evacuated else _side_effects(context)
    if elsewhere := _wrong_destination(context, view):
        side_effects = '; '.join(filter(None, [elsewhere, side_effects]))
    return server_status.ServerStatus(
        server_status.Phase.FAILED if wrong else server_status.Phase.MOVED,
        f'moved to {view.host}, but {wrong}' if wrong else side_effects,
        record=record,
        destination=view.host,
    )


def _evacuated(
    context: contexts.ServerContext, record: model.Migration | None
) -> bool:
    """Tell whether a server left by an evacuation, whoever asked for it."""
    if record is None:
        return context.remembered.latest is memories.ActionKind.EVACUATE
    return record.type == model.MigrationType.EVACUATION


def _wrong(
    context: contexts.ServerContext, view: model.Server, *, evacuated: bool
) -> str:
    """Return what is not as it is to be, '' if nothing."""
    before = context.remembered.before
    if context.was_stopped:
        before = dataclasses.replace(before, vm_state=_Vm.STOPPED.value)
    elif evacuated and context.policy.leave_stopped:
        if view.vm_state == _Vm.ACTIVE:
            return 'it is running there despite --leave-stopped'
        before = dataclasses.replace(before, vm_state=view.vm_state)
    return differences(before, view)


def power_differs(before: model.Server, after: model.Server) -> str:
    """Return how a guest is in another power state than before, or ''.

    Its owner may be changing it, which its task shows.
    """
    was, others = _POWER.get(after.vm_state, (State.NOSTATE, frozenset()))
    if before.power_state != was or after.task_state:
        return ''
    return next(
        (
            f'its power state was {was.name.lower()} and is '
            f'{now.name.lower()} ({after.status})'
            for now in others
            if now == after.power_state
        ),
        '',
    )


def _arrived_at(
    context: contexts.ServerContext, record: model.Migration | None
) -> float:
    """Return since when a server may have been where it is."""
    if record:
        return record.seen_at
    return (
        context.remembered.request(context.remembered.latest).asked_at
        or -math.inf
    )


def _wrong_destination(
    context: contexts.ServerContext, view: model.Server
) -> str:
    """Tell where a server is other than where we asked Nova to bring it."""
    request = context.remembered.request(context.remembered.latest)
    if request.accepted and request.host and request.host != view.host:
        return f'it is on {view.host}, although {request.host} was requested'
    return ''


def _broken(
    context: contexts.ServerContext,
    view: model.Server,
    record: model.Migration | None,
) -> str:
    # Whatever it was: no server in ERROR is live- or cold-migrated.
    if view.status != nova_states.Status.ERROR:
        return ''
    told = f'it is in ERROR there{f": {view.fault}" if view.fault else ""}'
    if not (record and record.type in _COPIED and record.ended_badly):
        return f'{told}: find out why (openstack server show {view.id})'
    # Its disk and its allocation are there (nova/compute/manager.py:
    # finish_resize). That is the only way out, also of what was stopped.
    way = f'repair it on {view.host}, then run openstack server reboot --hard '
    stopped = context.remembered.before.vm_state == _Vm.STOPPED
    stop = f' and openstack server stop {view.id}' if stopped else ''
    return f'{told}: {way}{view.id}{stop}'


def _side_effects(context: contexts.ServerContext) -> str:
    """Return what its owner noticed of a good move, '' if nothing."""
    cold = context.remembered.latest is memories.ActionKind.COLD_MIGRATE
    if cold and context.remembered.before.vm_state == _Vm.ACTIVE:
        return f'restarted: {context.no_live or context.operation.why_cold}'
    return ''


def _rebuilt(context: contexts.ServerContext) -> str:
    """Return what its owner noticed of a good evacuation."""
    before, told = context.remembered.before, []
    if before.local_disk:
        told.append(
            'its local disk is new: what was on the old one is lost, unless '
            'the hosts share it'
        )
    if context.was_stopped and before.vm_state != _Vm.STOPPED:
        told.append('left stopped: it was off when the host died')
    return '; '.join(told)


def differences(before: model.Server, after: model.Server) -> str:
    """Return what a move changed that it must not change, '' if nothing.

    The state below the status is compared: the status itself may already
    show what the owner has asked for since.
    """
    found = []
    # Of a server first seen in the middle of a resize or a build nothing
    # is known that could be compared, and a later resize hides it.
    if (
        before.vm_state in nova_states.KEPT
        and after.vm_state != before.vm_state
        and after.vm_state != _Vm.RESIZED
    ):
        found.append(
            f'its state was {before.vm_state} and is {after.vm_state}'
        )
    if before.addresses and after.addresses != before.addresses:
        found.append(
            f'its fixed addresses were {", ".join(before.addresses)} and '
            f'are {", ".join(after.addresses) or "none"}'
        )
    return ' and '.join(found)
