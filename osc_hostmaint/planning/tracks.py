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
from osc_hostmaint.planning import case as cases
from osc_hostmaint.planning import flight
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import resumed
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import times
from osc_hostmaint.planning import verdicts

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
    seen: model.Observation,
    policy: policies.Policy,
    memory: memories.Memory,
) -> memories.Memory:
    """Return the memory with what was not known before."""
    first = memory.history is None
    if first:
        ended = frozenset(
            r.id
            for r in seen.migrations.values()
            if r.ended_well or r.ended_badly
        )
        memory = dataclasses.replace(memory, history=ended)
    tracks = dict(memory.tracks)
    new = []
    for server_id in [*seen.servers, *sorted(involved(seen))]:
        view = seen.latest(server_id)
        if server_id not in tracks and view and view.status != 'DELETED':
            tracks[server_id] = memories.Track(before=_unmasked(view))
            new.append(server_id)
    nowhere = _to_nowhere(seen)
    tracks = {
        i: _heeding(track, nowhere.get(i, 0)) for i, track in tracks.items()
    }
    memory = dataclasses.replace(memory, tracks=tracks)
    memory = resumed.suspect(seen, policy, memory, new, first=first)
    memory = resumed.find(seen, policy, memory)
    return _time_downs(seen, _keep_progress(seen, memory), first=first)


def _to_nowhere(seen: model.Observation) -> dict[str, int]:
    """Return the newest record of each server that found no destination."""
    return {
        record.server_id: record_id
        for record_id, record in sorted(seen.migrations.items())
        if record.source == seen.host
        and record.ended_badly
        and record.dest is None
    }


def _heeding(track: memories.Track, nowhere: int) -> memories.Track:
    """Note that the scheduler would not have our pick.

    :param nowhere: the newest record that found no destination; 0: none.
    """
    errand = track.errand(track.latest)
    if track.declined or not errand.picked or nowhere <= errand.asked_after:
        return track
    return dataclasses.replace(track, declined=track.latest)


def _keep_progress(
    seen: model.Observation, memory: memories.Memory
) -> memories.Memory:
    tracks = dict(memory.tracks)
    for record_id, progress in seen.progress.items():
        record = seen.migrations.get(record_id)
        if record and record.server_id in tracks:
            tracks[record.server_id] = flight.keep_least(
                tracks[record.server_id], record, progress
            )
    return dataclasses.replace(memory, tracks=tracks)


def _time_downs(
    seen: model.Observation, memory: memories.Memory, *, first: bool
) -> memories.Memory:
    down_since = memory.down_since
    # Nova calls a service down only after service_down_time without a
    # heartbeat; at our first look that has passed already.
    head_start = times.DOWN_GRACE_SECONDS if first else 0.0
    if seen.service.up:
        down_since = None
    elif down_since is None:
        down_since = seen.service_at - head_start
    return dataclasses.replace(
        memory,
        down_since=down_since,
        others_down={
            host: memory.others_down.get(host, seen.service_at)
            for host in seen.down
        },
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
        and view.seen_at >= record.seen_at + times.PATIENCE_SECONDS
        and seen.migrations_at >= view.seen_at
    )


def arriving(
    seen: model.Observation, policy: policies.Policy, now: float
) -> list[model.Migration]:
    """Return moves to the host that are to be awaited.

    What is here already has a standing of its own; what takes too long has
    an allocation here all the same, and is told of as a leftover.
    """
    limit = policy.server_timeout
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
        if now - record.seen_at >= times.REVISIT_SECONDS
        and (
            (view := seen.visited.get(record.server_id)) is None
            or now - view.seen_at >= times.REVISIT_SECONDS
        )
    )


def strangers(
    seen: model.Observation, memory: memories.Memory
) -> frozenset[str]:
    """Return involved servers that were never looked at."""
    deleted = {s.id for s in seen.visited.values() if s.status == 'DELETED'}
    found = involved(seen) | resumed.unseen(seen, memory)
    return found - deleted - frozenset(memory.tracks)


def earlier_failures(
    seen: model.Observation, memory: memories.Memory
) -> dict[str, tuple[model.Migration, ...]]:
    """Return each server's moves that failed before this run began."""
    mark = seen.service.mark
    found: dict[str, tuple[model.Migration, ...]] = {}
    for record_id in memory.history or ():
        record = seen.migrations.get(record_id)
        if (
            record
            and mark
            and record.source == seen.host
            and record.ended_badly
            and record.created_at >= mark.since - cases.SKEW
        ):
            found[record.server_id] = (
                *found.get(record.server_id, ()),
                record,
            )
    return found


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
    advancing = any(_takes_a_slot(stand) for stand in stands.values())
    for server_id, stand in stands.items():
        track = _timed(tracks[server_id], stand, now, advancing=advancing)
        view = seen.latest(server_id)
        if stand.phase in _AT_REST and view and view.host == seen.host:
            track = _rested(track, view)
        tracks[server_id] = track
    return dataclasses.replace(memory, tracks=tracks)


def _takes_a_slot(stand: standing.Standing) -> bool:
    """Tell whether it is a live migration that the queued ones wait for."""
    return (
        stand.phase is standing.Phase.MOVING
        and stand.record is not None
        and stand.record.in_flight
        and stand.record.type == model.MigrationType.LIVE
        and stand.record.status not in ('accepted', 'queued')
    )


def _timed(
    track: memories.Track,
    stand: standing.Standing,
    now: float,
    *,
    advancing: bool,
) -> memories.Track:
    final = stand.phase in standing.FINAL
    moving = stand.phase is standing.Phase.MOVING
    if moving and stand.record and track.began_at is None:
        # Somebody else began it: adopted.
        track = dataclasses.replace(
            track,
            began_at=now,
            move=memories.MOVE_OF_TYPE.get(stand.record.type),
        )
    if final and track.ended_at is None:
        track = dataclasses.replace(track, ended_at=now)
    elif not final and track.ended_at is not None:
        track = dataclasses.replace(track, ended_at=None)
    record = stand.record
    under_way = (
        stand.phase is standing.Phase.BUSY
        or stand.pending is not None
        or stand.given_up
        or (record is not None and record.in_flight)
    )
    queued = record is not None and record.status == 'queued'
    since = track.stuck_since if queued else track.under_way_since
    since = now if since is None else since
    return dataclasses.replace(
        track,
        under_way_since=since if under_way and not queued else None,
        stuck_since=since if queued and not advancing else None,
    )


def _rested(track: memories.Track, view: model.Server) -> memories.Track:
    resumed_by_us = (
        track.resumed
        and track.before.vm_state == 'suspended'
        and view.vm_state in ('active', 'suspended')
    )
    if resumed_by_us or memories.Kind.SHELVE in track.errands:
        # Our doing, not how it was.
        return track
    return dataclasses.replace(track, before=_unmasked(view))


def _unmasked(view: model.Server) -> model.Server:
    if view.status not in verdicts.MOVING_STATUSES:
        return view
    status = _STATUS_OF_STATE.get(view.vm_state, view.status)
    return dataclasses.replace(view, status=status)
