#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Keeping the memory of each server up to date with what is seen."""

import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import verdicts

#: A compute service that misses a heartbeat or two may come back.
DOWN_GRACE_SECONDS = 30.0

# A status that hides the one before it: what the state below tells.
_STATUS_OF_STATE = {
    'active': 'ACTIVE',
    'paused': 'PAUSED',
    'stopped': 'SHUTOFF',
}
_AT_REST = (
    standing.Phase.WAITING,
    standing.Phase.BUSY,
    standing.Phase.BLOCKED,
)


def take_in(
    seen: model.Observation, memory: memories.Memory
) -> memories.Memory:
    """Return the memory with what was not known before."""
    history = memory.history
    if history is None:
        history = frozenset(
            r.id
            for r in seen.migrations.values()
            if r.ended_well or r.ended_badly
        )
    tracks = dict(memory.tracks)
    for server_id in [*seen.servers, *sorted(involved(seen))]:
        view = seen.latest(server_id)
        if server_id not in tracks and view and view.status != 'DELETED':
            tracks[server_id] = memories.Track(before=_unmasked(view))
    down_since = memory.down_since
    if seen.service.up:
        down_since = None
    elif down_since is None:
        # Nova calls it down only after service_down_time without a
        # heartbeat; at our first look that has passed already.
        first = memory.history is None
        down_since = seen.service_at - (DOWN_GRACE_SECONDS if first else 0.0)
    return dataclasses.replace(
        memory, tracks=tracks, history=history, down_since=down_since
    )


def involved(seen: model.Observation) -> frozenset[str]:
    """Return servers that records bind to the host, listed there or not."""
    return frozenset(
        r.server_id
        for r in seen.migrations.values()
        if r.source == seen.host and (r.in_flight or r.awaits_confirmation)
    )


def without_dead(seen: model.Observation) -> model.Observation:
    """Return it without moves that nobody is at any more.

    Their records would be awaited for ever: Nova forgets those of a deleted
    server, so they are seen as they were; and a service that died in the
    middle of a move may leave one that never ends, of a server at rest.
    """
    newest: dict[str, int] = {}
    for record_id in sorted(seen.migrations):
        newest[seen.migrations[record_id].server_id] = record_id
    alive = {}
    for record_id, record in seen.migrations.items():
        view = seen.visited.get(record.server_id)
        if view and view.status == 'DELETED':
            continue
        if record.in_flight and (
            # Nova moves a server once at a time.
            record_id != newest[record.server_id] or _never_left(seen, record)
        ):
            continue
        alive[record_id] = record
    return dataclasses.replace(seen, migrations=alive)


def _never_left(seen: model.Observation, record: model.Migration) -> bool:
    """Tell whether the server rests on the source, in spite of the record.

    The record must have been seen before the server for long enough, and
    once more after it.
    """
    view = seen.latest(record.server_id)
    return (
        view is not None
        and view.host == record.source
        and view.task_state is None
        and view.status not in (*verdicts.MOVING_STATUSES, 'VERIFY_RESIZE')
        and view.seen_at >= record.seen_at + standing.PATIENCE_SECONDS
        and seen.migrations_at >= view.seen_at
    )


def overdue(
    seen: model.Observation,
    arriving: collections.abc.Iterable[model.Migration],
    now: float,
) -> frozenset[str]:
    """Return servers on their way here that were not seen for long."""
    return frozenset(
        record.server_id
        for record in arriving
        if now - record.seen_at >= standing.REVISIT_SECONDS
        and (
            (view := seen.visited.get(record.server_id)) is None
            or now - view.seen_at >= standing.REVISIT_SECONDS
        )
    )


def strangers(
    seen: model.Observation, memory: memories.Memory
) -> frozenset[str]:
    """Return involved servers that were never looked at."""
    deleted = {s.id for s in seen.visited.values() if s.status == 'DELETED'}
    return involved(seen) - deleted - frozenset(memory.tracks)


def records(
    seen: model.Observation, memory: memories.Memory
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


def keep_up(
    seen: model.Observation,
    memory: memories.Memory,
    stands: collections.abc.Mapping[str, standing.Standing],
    now: float,
) -> memories.Memory:
    """Return the memory with when moves began and ended."""
    tracks = dict(memory.tracks)
    for server_id, stand in stands.items():
        track = tracks[server_id]
        final = stand.phase in standing.FINAL
        if stand.phase is standing.Phase.MOVING and track.began_at is None:
            # Somebody else began it: adopted.
            kind = stand.record.type if stand.record else ''
            track = dataclasses.replace(
                track, began_at=now, move=memories.MOVE_OF_TYPE.get(kind)
            )
        if final and track.ended_at is None:
            track = dataclasses.replace(track, ended_at=now)
        elif not final and track.ended_at is not None:
            track = dataclasses.replace(track, ended_at=None)
        view = seen.latest(server_id)
        if stand.phase in _AT_REST and view and view.host == seen.host:
            track = dataclasses.replace(track, before=_unmasked(view))
        tracks[server_id] = track
    return dataclasses.replace(memory, tracks=tracks)


def _unmasked(view: model.Server) -> model.Server:
    if view.status not in verdicts.MOVING_STATUSES:
        return view
    status = _STATUS_OF_STATE.get(view.vm_state, view.status)
    return dataclasses.replace(view, status=status)
