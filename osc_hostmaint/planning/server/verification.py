# SPDX-License-Identifier: Apache-2.0

"""A server that is off the host: is it what it was?"""

from collections import abc
import dataclasses
import functools
import math

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

ActionKind = memories.ActionKind
Code = codes.Code
Context = contexts.ServerContext
Migration = model.Migration
Phase = server_status.Phase
Server = model.Server
ServerStatus = server_status.ServerStatus

State = nova_states.PowerState
_Vm = nova_states.VmState
#: The power state that goes with each, and those that can't: then Nova has
#: not noticed yet. What it does not know (NOSTATE) says nothing.
_POWER: dict[str, tuple[State, set[State]]] = {
    _Vm.ACTIVE: (
        State.RUNNING,
        {State.PAUSED, State.SHUTDOWN, State.CRASHED, State.SUSPENDED},
    ),
    _Vm.PAUSED: (State.PAUSED, {State.RUNNING, State.SHUTDOWN, State.CRASHED}),
    **dict.fromkeys(
        nova_states.OFF, (State.SHUTDOWN, {State.RUNNING, State.PAUSED})
    ),
}
#: Moves that the server is stopped for, and started after.
_COPIED = frozenset({model.MigrationType.COLD, model.MigrationType.RESIZE})


def assess(
    context: Context, view: Server, record: Migration | None = None
) -> ServerStatus:
    """Return where a server stands that is off the host."""
    if view.deleted:
        return ServerStatus(Phase.GONE)
    if skipped := context.operation.skipped(view, record):
        return skipped
    if view.host is None:
        offloaded = view.status == nova_states.Status.SHELVED_OFFLOADED
        return ServerStatus(
            Phase.OFFLOADED if offloaded else Phase.MOVED,
            f'now {view.status}, on no host',
            Code.ON_NO_HOST,
            record=record,
        )
    if context.needs_history:
        return ServerStatus(Phase.SETTLING, record=record, history=True)
    remembered = context.remembered
    evacuated = (
        record.type == model.MigrationType.EVACUATION
        if record
        else remembered.latest is ActionKind.EVACUATE
    )
    status = functools.partial(
        ServerStatus, record=record, destination=view.host
    )
    wrong = _broken(context, view, record) or _wrong(
        context, view, evacuated=evacuated
    )
    if not wrong and (wrong := _power_differs(context, view, record)):
        # Since when it may have been there.
        asked_at = remembered.request(remembered.latest).asked_at or -math.inf
        since = record.seen_at if record else asked_at
        if view.seen_at < since + timing.EFFECT_WAIT_SECONDS:
            # Nova follows what the hypervisor says, sometimes a bit later.
            look_at = view.seen_at + timing.UNMOVED_RECHECK_SECONDS
            return status(
                Phase.SETTLING,
                f'moved to {view.host}, but {wrong}',
                Code.CHANGED,
                visit=context.now >= look_at,
                wake_at=look_at,
            )
        wrong += f': check its console (openstack console log show {view.id})'
    if wrong:
        broken = view.status == nova_states.Status.ERROR
        return status(
            Phase.FAILED,
            f'moved to {view.host}, but {wrong}',
            Code.ERROR_ON_DESTINATION if broken else Code.CHANGED,
        )
    effects = dict(_side_effects(context, view, evacuated=evacuated))
    first = next(iter(effects), Code.NONE)
    return status(Phase.MOVED, '; '.join(effects.values()), first)


def _wrong(context: Context, view: Server, *, evacuated: bool) -> str:
    """Return what is not as it is to be, '' if nothing."""
    before = context.remembered.before
    if context.was_stopped:
        # After a reset Nova no longer knows in which way it was off.
        is_off = view.vm_state in nova_states.OFF
        off = view.vm_state if is_off else _Vm.STOPPED.value
        before = dataclasses.replace(before, vm_state=off)
    elif evacuated and context.policy.leave_stopped:
        if view.vm_state == _Vm.ACTIVE:
            return 'it is running there despite --leave-stopped'
        before = dataclasses.replace(before, vm_state=view.vm_state)
    return differences(before, view)


def _power_differs(
    context: Context, after: Server, record: Migration | None
) -> str:
    """Return how a guest is in another power state than before, or ''.

    Its owner may be changing it, which its task shows.
    """
    was, others = _POWER.get(after.vm_state, (State.NOSTATE, set()))
    before, now = context.remembered.before, after.power_state
    # What was first seen elsewhere, and has gone there live, was running.
    went_live = (
        before.host != context.seen.host
        and record is not None
        and record.type == model.MigrationType.LIVE
        and after.vm_state in (_Vm.ACTIVE, _Vm.PAUSED)
    )
    known = went_live or before.power_state == was
    if not known or after.task_state or now not in others:
        return ''
    return (
        f'its power state was {was.name.lower()} and is '
        f'{State(now).name.lower()} ({after.status})'
    )


def _broken(context: Context, view: Server, record: Migration | None) -> str:
    # Whatever it was: no server in ERROR is live- or cold-migrated.
    if view.status != nova_states.Status.ERROR:
        return ''
    told = f'it is in ERROR there{f": {view.fault}" if view.fault else ""}'
    if not (record and record.type in _COPIED and record.ended_badly):
        return f'{told}: find out why (openstack server show {view.id})'
    # Its disk and its allocation are there (nova/compute/manager.py:
    # finish_resize). That is the only way out, also of what was stopped.
    way = f'repair it on {view.host}, then run openstack server reboot --hard '
    stopped = context.remembered.before.vm_state in nova_states.OFF
    stop = f' and openstack server stop {view.id}' if stopped else ''
    return f'{told}: {way}{view.id}{stop}'


def _side_effects(
    context: Context, view: Server, *, evacuated: bool
) -> abc.Iterator[tuple[Code, str]]:
    """Yield what its owner may notice of a good move."""
    before, latest = context.remembered.before, context.remembered.latest
    request = context.remembered.request(latest)
    if request.accepted and request.host and request.host != view.host:
        yield (
            Code.OTHER_DESTINATION,
            f'it is on {view.host}, although {request.host} was requested',
        )
    if evacuated and before.local_disk:
        yield (
            Code.LOCAL_DISK_LOST,
            'its local disk is new: what was on the old one is lost, unless '
            'the hosts share it',
        )
    was_off = before.vm_state in nova_states.OFF
    if evacuated and context.was_stopped and not was_off:
        reason = 'left stopped: it was off when the host died'
        yield Code.LEFT_STOPPED, reason
    cold = latest is ActionKind.COLD_MIGRATE and not evacuated
    if cold and before.vm_state == _Vm.ACTIVE:
        why = context.no_live or context.operation.why_cold
        yield Code.RESTARTED, f'restarted: {why}'


def differences(before: Server, after: Server) -> str:
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
