# SPDX-License-Identifier: Apache-2.0

"""Keeping the memory of each server up to date with what is seen."""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import context as contexts
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import in_flight
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

_State = nova_states.VmState
Phase = server_status.Phase
_AT_REST = (Phase.WAITING, Phase.BUSY, Phase.BLOCKED)


def since_when(before: float | None, now: float, holds: bool) -> float | None:
    """Return since when something has been so, None where it is not.

    :param before: what was returned last.
    """
    if not holds:
        return None
    return now if before is None else before


def update(context: contexts.HostContext) -> memories.HostMemory:
    """Return the memory with what was not known before."""
    seen, operation, memory = context.seen, context.operation, context.memory
    first = memory.history is None
    if first:
        ended = frozenset(r.id for r in seen.migrations.values() if r.ended)
        memory = dataclasses.replace(memory, history=ended)
    servers = dict(memory.servers)
    expected = context.expected
    listed = filter(context.is_selected, seen.servers)
    for server_id in [*listed, *sorted(expected)]:
        view = seen.latest(server_id)
        # Those that were asked for by their ids are reported in any case.
        known = view and (context.policy.only is not None or not view.deleted)
        if server_id not in servers and view and known:
            before = _at_rest(view)
            servers[server_id] = memories.ServerMemory(before)
    given_up = down_cells.given_up(seen, memory)
    for server_id in sorted(given_up & expected):
        unknown = nova_states.Status.UNKNOWN.value
        before = model.Server(server_id, '', unknown, '', None, None)
        servers.setdefault(server_id, memories.ServerMemory(before))
    without_destination = {
        r.server_id: r.id for r in context.leaving if r.found_no_host
    }
    servers = {
        i: _note_rejected_host(remembered, without_destination.get(i, 0))
        for i, remembered in servers.items()
    }
    for record_id, progress in seen.progress.items():
        record = seen.migrations.get(record_id)
        if record and record.server_id in servers:
            servers[record.server_id] = in_flight.update_least_remaining(
                servers[record.server_id], record, progress
            )
    up, looked_at = seen.service.up, seen.service_at
    # Nova calls a service down only after service_down_time without a
    # heartbeat; at our first look that has passed already.
    head_start = timing.DOWN_GRACE_SECONDS if first else 0.0
    memory = dataclasses.replace(
        memory,
        servers=servers,
        down_since=since_when(
            memory.down_since, looked_at - head_start, not up
        ),
        dead=not up and (first or memory.dead),
        others_down={
            host: memory.others_down.get(host, looked_at) for host in seen.down
        },
        lost_since=since_when(
            memory.lost_since, looked_at, down_cells.is_lost(seen)
        ),
        unseen_since={
            server_id: memory.unseen_since.get(server_id, at)
            for server_id, at in seen.unseen.items()
        },
    )
    return operation.observed(seen, memory)


def _note_rejected_host(
    remembered: memories.ServerMemory, without_destination: int
) -> memories.ServerMemory:
    """Note that the scheduler would not have our pick.

    :param without_destination: the newest record that found no destination; 0:
        none.
    """
    request = remembered.request(remembered.latest)
    # A pick that was refused on the spot has no record.
    asked = request.picked and request.refused_at is None
    if (
        remembered.host_rejected_for
        or not asked
        or without_destination <= request.asked_after
    ):
        return remembered
    return dataclasses.replace(remembered, host_rejected_for=remembered.latest)


def update_timings(context: contexts.HostContext) -> memories.HostMemory:
    """Return the memory with when moves began and ended."""
    seen, memory = context.seen, context.memory
    servers = dict(memory.servers)
    advancing = any(map(_uses_a_slot, context.statuses.values()))
    for server_id, status in context.statuses.items():
        remembered = _with_times(
            servers[server_id], status, context.now, advancing=advancing
        )
        view = seen.latest(server_id)
        if (
            status.phase in _AT_REST
            and view
            and view.host == seen.host
            and not _changed_by_us(remembered, view)
        ):
            remembered = dataclasses.replace(remembered, before=_at_rest(view))
        servers[server_id] = remembered
    return dataclasses.replace(memory, servers=servers)


def _uses_a_slot(status: server_status.ServerStatus) -> bool:
    """Tell whether it is a live migration that the queued ones wait for."""
    return (
        status.phase is Phase.MOVING
        and status.record is not None
        and status.record.in_flight
        and status.record.type == model.MigrationType.LIVE
        and status.record.status not in nova_states.NOT_BEGUN
    )


def _with_times(
    remembered: memories.ServerMemory,
    status: server_status.ServerStatus,
    now: float,
    *,
    advancing: bool,
) -> memories.ServerMemory:
    record = status.record
    if status.phase is Phase.MOVING and record and remembered.began_at is None:
        # Somebody else began it: adopted.
        move = memories.MOVE_OF_TYPE.get(record.type)
        remembered = dataclasses.replace(remembered, began_at=now, move=move)
    queued = (
        record is not None
        and record.status == nova_states.MigrationStatus.QUEUED
    )
    under_way = not queued and (
        status.phase is Phase.BUSY
        or status.pending is not None
        or status.given_up
        or (record is not None and record.in_flight)
    )
    final = status.phase in server_status.FINAL
    return dataclasses.replace(
        remembered,
        ended_at=since_when(remembered.ended_at, now, final),
        under_way_since=since_when(remembered.under_way_since, now, under_way),
        stuck_since=since_when(
            remembered.stuck_since, now, queued and not advancing
        ),
    )


def _changed_by_us(
    remembered: memories.ServerMemory, view: model.Server
) -> bool:
    """Tell whether a server is as it is by our doing, not as it was."""
    resumed = (
        remembered.resumed
        and remembered.before.vm_state == _State.SUSPENDED
        and view.vm_state in (_State.ACTIVE, _State.SUSPENDED)
    )
    requested = remembered.requests.keys()
    evacuated = memories.ActionKind.RESET in requested or (
        memories.ActionKind.EVACUATE in requested
        and view.vm_state == _State.ERROR
    )
    return resumed or evacuated or memories.ActionKind.SHELVE in requested


def _at_rest(view: model.Server) -> model.Server:
    """Return a server as it is but for moves, and for us."""
    if view.resumed:
        return dataclasses.replace(
            view,
            status=nova_states.Status.SUSPENDED.value,
            vm_state=_State.SUSPENDED.value,
        )
    if view.status not in nova_states.MOVING | {nova_states.Status.REBUILD}:
        return view
    status = nova_states.AT_REST.get(view.vm_state, view.status)
    return dataclasses.replace(view, status=status)
