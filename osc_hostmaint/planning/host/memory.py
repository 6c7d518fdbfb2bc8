# SPDX-License-Identifier: Apache-2.0

"""Keeping the memory of each server up to date with what is seen."""

import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import operation as operations
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import in_flight
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import resuspend
from osc_hostmaint.planning.server import status as server_status

_State = nova_states.VmState
_AT_REST = (
    server_status.Phase.WAITING,
    server_status.Phase.BUSY,
    server_status.Phase.BLOCKED,
)


def update(
    seen: model.Observation,
    operation: operations.Operation,
    memory: memories.HostMemory,
) -> memories.HostMemory:
    """Return the memory with what was not known before."""
    first = memory.history is None
    if first:
        ended = frozenset(
            r.id
            for r in seen.migrations.values()
            if r.ended_well or r.ended_badly
        )
        memory = dataclasses.replace(memory, history=ended)
    servers = dict(memory.servers)
    new = []
    for server_id in [*seen.servers, *sorted(_expected(seen, operation))]:
        if not is_selected(server_id, operation):
            continue
        view = seen.latest(server_id)
        # Those that were asked for by their ids are told of in any case.
        known = view and (
            operation.policy.only is not None or not view.deleted
        )
        if server_id not in servers and view and known:
            servers[server_id] = memories.ServerMemory(
                before=_with_state_as_status(view)
            )
            new.append(server_id)
    given_up = down_cells.given_up(seen, memory)
    for server_id in given_up & (_expected(seen, operation) | memory.suspects):
        if server_id not in servers and is_selected(server_id, operation):
            servers[server_id] = memories.ServerMemory(
                before=_placeholder(server_id)
            )
    without_destination = _newest_without_destination(seen)
    servers = {
        i: _note_rejected_host(remembered, without_destination.get(i, 0))
        for i, remembered in servers.items()
    }
    memory = dataclasses.replace(
        memory, servers=servers, suspects=memory.suspects - given_up
    )
    memory = resuspend.note_suspects(seen, operation, memory, new, first=first)
    memory = resuspend.find_resumed(seen, operation, memory)
    memory = _update_downtimes(
        seen, _update_progress(seen, memory), first=first
    )
    return operation.observed(seen, down_cells.update(seen, memory))


def _newest_without_destination(seen: model.Observation) -> dict[str, int]:
    """Return the newest record of each server that found no destination."""
    return {
        record.server_id: record_id
        for record_id, record in sorted(seen.migrations.items())
        if record.source == seen.host and record.found_no_host
    }


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


def _update_progress(
    seen: model.Observation, memory: memories.HostMemory
) -> memories.HostMemory:
    servers = dict(memory.servers)
    for record_id, progress in seen.progress.items():
        record = seen.migrations.get(record_id)
        if record and record.server_id in servers:
            servers[record.server_id] = in_flight.update_least_remaining(
                servers[record.server_id], record, progress
            )
    return dataclasses.replace(memory, servers=servers)


def _update_downtimes(
    seen: model.Observation, memory: memories.HostMemory, *, first: bool
) -> memories.HostMemory:
    down_since = memory.down_since
    # Nova calls a service down only after service_down_time without a
    # heartbeat; at our first look that has passed already.
    head_start = timing.DOWN_GRACE_SECONDS if first else 0.0
    if seen.service.up:
        down_since = None
    elif down_since is None:
        down_since = seen.service_at - head_start
    return dataclasses.replace(
        memory,
        down_since=down_since,
        dead=not seen.service.up and (first or memory.dead),
        others_down={
            host: memory.others_down.get(host, seen.service_at)
            for host in seen.down
        },
    )


def is_selected(server_id: str, operation: operations.Operation) -> bool:
    """Tell whether a server matters at all."""
    only = operation.policy.only
    return only is None or server_id in only


def _expected(
    seen: model.Observation, operation: operations.Operation
) -> frozenset[str]:
    """Return servers that matter whether or not they are listed."""
    return involved(seen, operation) | (operation.policy.only or frozenset())


def involved(
    seen: model.Observation, operation: operations.Operation
) -> frozenset[str]:
    """Return servers that records bind to the host, listed there or not."""
    return frozenset(
        r.server_id
        for r in seen.migrations.values()
        if r.source == seen.host
        and (r.in_flight or r.awaits_confirmation)
        and is_selected(r.server_id, operation)
    )


def arriving(
    seen: model.Observation, operation: operations.Operation, now: float
) -> list[model.Migration]:
    """Return moves to the host that are to be awaited.

    What is here already has a status of its own; what takes too long has
    an allocation here all the same, and is reported as a leftover.
    """
    if not operation.awaits_arrivals:
        return []
    limit = operation.policy.server_timeout
    return [
        record
        for record in seen.migrations.values()
        if record.dest == seen.host
        and record.source != seen.host
        and record.in_flight
        and (limit is None or now - record.seen_at < limit)
        and not (
            (view := seen.latest(record.server_id)) and view.host == seen.host
        )
    ]


def overdue(
    seen: model.Observation,
    arriving: collections.abc.Iterable[model.Migration],
    now: float,
) -> frozenset[str]:
    """Return servers on their way here that were not seen for long."""
    return frozenset(
        record.server_id
        for record in arriving
        if now - record.seen_at >= timing.UNLISTED_RECHECK_SECONDS
        and (
            (view := seen.visited.get(record.server_id)) is None
            or now - view.seen_at >= timing.UNLISTED_RECHECK_SECONDS
        )
    )


def never_looked_at(
    seen: model.Observation,
    operation: operations.Operation,
    memory: memories.HostMemory,
) -> frozenset[str]:
    """Return involved servers that were never looked at."""
    deleted = {s.id for s in seen.visited.values() if s.deleted}
    found = _expected(seen, operation) | resuspend.unseen(seen, memory)
    return found - deleted - frozenset(memory.servers)


def missing(seen: model.Observation) -> frozenset[str]:
    """Return servers whose moves' records vanished and that tell why.

    They are deleted, or their cell does not answer.
    """
    return frozenset(
        server_id
        for server_id in seen.missing - seen.unseen.keys()
        if (view := seen.visited.get(server_id)) is None
        or (not view.deleted and view.seen_at < seen.migrations_at)
    )


def earlier_failures(
    seen: model.Observation,
    operation: operations.Operation,
    memory: memories.HostMemory,
) -> dict[str, tuple[model.Migration, ...]]:
    """Return each server's moves that failed before this run began."""
    since = contexts.since(seen, operation.policy)
    found: dict[str, tuple[model.Migration, ...]] = {}
    for record_id in memory.history or ():
        record = seen.migrations.get(record_id)
        if (
            record
            and since
            and record.source == seen.host
            and record.ended_badly
            and record.created_at >= since - contexts.SKEW
        ):
            found[record.server_id] = (
                *found.get(record.server_id, ()),
                record,
            )
    return found


def records(
    seen: model.Observation, memory: memories.HostMemory
) -> dict[str, tuple[model.Migration, ...]]:
    """Return each server's moves off the host that count, oldest first."""
    history = memory.history or frozenset()
    found: dict[str, tuple[model.Migration, ...]] = {}
    for record_id in sorted(seen.migrations):
        record = seen.migrations[record_id]
        if record.source == seen.host and record_id not in history:
            earlier = found.get(record.server_id, ())
            found[record.server_id] = (*earlier, record)
    return found


def update_timings(
    seen: model.Observation,
    memory: memories.HostMemory,
    statuses: collections.abc.Mapping[str, server_status.ServerStatus],
    now: float,
) -> memories.HostMemory:
    """Return the memory with when moves began and ended."""
    servers = dict(memory.servers)
    advancing = any(_uses_a_slot(status) for status in statuses.values())
    for server_id, status in statuses.items():
        remembered = _with_times(
            servers[server_id], status, now, advancing=advancing
        )
        view = seen.latest(server_id)
        if status.phase in _AT_REST and view and view.host == seen.host:
            remembered = _update_state_before(remembered, view)
        servers[server_id] = remembered
    return dataclasses.replace(memory, servers=servers)


def _uses_a_slot(status: server_status.ServerStatus) -> bool:
    """Tell whether it is a live migration that the queued ones wait for."""
    return (
        status.phase is server_status.Phase.MOVING
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
    final = status.phase in server_status.FINAL
    moving = status.phase is server_status.Phase.MOVING
    if moving and status.record and remembered.began_at is None:
        # Somebody else began it: adopted.
        remembered = dataclasses.replace(
            remembered,
            began_at=now,
            move=memories.MOVE_OF_TYPE.get(status.record.type),
        )
    if final and remembered.ended_at is None:
        remembered = dataclasses.replace(remembered, ended_at=now)
    elif not final and remembered.ended_at is not None:
        remembered = dataclasses.replace(remembered, ended_at=None)
    record = status.record
    under_way = (
        status.phase is server_status.Phase.BUSY
        or status.pending is not None
        or status.given_up
        or (record is not None and record.in_flight)
    )
    queued = (
        record is not None
        and record.status == nova_states.MigrationStatus.QUEUED
    )
    since = remembered.stuck_since if queued else remembered.under_way_since
    since = now if since is None else since
    return dataclasses.replace(
        remembered,
        under_way_since=since if under_way and not queued else None,
        stuck_since=since if queued and not advancing else None,
    )


def _update_state_before(
    remembered: memories.ServerMemory, view: model.Server
) -> memories.ServerMemory:
    resumed_by_us = (
        remembered.resumed
        and remembered.before.vm_state == _State.SUSPENDED
        and view.vm_state in (_State.ACTIVE, _State.SUSPENDED)
    )
    evacuated_by_us = memories.ActionKind.RESET in remembered.requests or (
        memories.ActionKind.EVACUATE in remembered.requests
        and view.vm_state == _State.ERROR
    )
    shelved_by_us = memories.ActionKind.SHELVE in remembered.requests
    if resumed_by_us or evacuated_by_us or shelved_by_us:
        # Our doing, not how it was.
        return remembered
    return dataclasses.replace(remembered, before=_with_state_as_status(view))


def _placeholder(server_id: str) -> model.Server:
    unknown = nova_states.Status.UNKNOWN.value
    return model.Server(server_id, '', unknown, '', None, None)


def _with_state_as_status(view: model.Server) -> model.Server:
    if view.status not in nova_states.MOVING | {nova_states.Status.REBUILD}:
        return view
    status = nova_states.AT_REST.get(view.vm_state, view.status)
    return dataclasses.replace(view, status=status)
