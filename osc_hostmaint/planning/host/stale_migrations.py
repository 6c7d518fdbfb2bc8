# SPDX-License-Identifier: Apache-2.0

"""Moves that nobody is at any more, though their records say so."""

from collections import abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import timing

#: Tells whether nobody carries out a move, as its host has died.
CutOff = abc.Callable[[model.Observation, model.Migration], bool]


def drop_stale(
    seen: model.Observation,
    is_cut_off: CutOff = lambda _seen, _record: False,
) -> model.Observation:
    """Return what is seen, without moves that nobody is at any more.

    Their records would be awaited for ever: Nova forgets those of a deleted
    server, so they are seen as they were; and a service that died in the
    middle of a move may leave one that never ends, of a server at rest.
    """
    newest = {r.server_id: r for _id, r in sorted(seen.migrations.items())}
    alive = {}
    for record_id, record in seen.migrations.items():
        view = seen.visited.get(record.server_id)
        if view and view.deleted:
            continue
        last = newest[record.server_id]
        if record.in_flight and (
            _is_superseded(record, last)
            or _rests(seen, record, last)
            or is_cut_off(seen, record)
        ):
            continue
        alive[record_id] = record
    return dataclasses.replace(seen, migrations=alive)


def _is_superseded(record: model.Migration, newest: model.Migration) -> bool:
    """Tell whether a newer move shows that nobody is at a record any more.

    Nova moves a server once at a time, but for evacuations: one that failed
    says nothing of one before it.
    """
    both = newest.type == record.type == model.MigrationType.EVACUATION
    return record.id != newest.id and not (both and newest.ended_badly)


def _rests(
    seen: model.Observation, record: model.Migration, last: model.Migration
) -> bool:
    """Tell whether the server is at rest, in spite of the record.

    The record must have been seen before the server for long enough, and
    once more after it.

    :param last: the newest record of the server.
    """
    view = seen.latest(record.server_id)
    if (
        view is None
        or view.task_state is not None
        or view.seen_at < record.seen_at + timing.EFFECT_WAIT_SECONDS
        or view.seen_at > seen.migrations_at
    ):
        return False
    evacuated = record.type == model.MigrationType.EVACUATION
    if view.host != record.source:
        # Nova may carry out an evacuation in the name of an older record, and
        # leaves the other as it is (nova/conductor/manager.py:
        # rebuild_instance).
        return evacuated and view.status != nova_states.Status.REBUILD
    if view.status in nova_states.MOVING or view.resized:
        return False
    return not evacuated or _evacuation_is_over(seen, record, last, view)


def _evacuation_is_over(
    seen: model.Observation,
    record: model.Migration,
    last: model.Migration,
    view: model.Server,
) -> bool:
    """Tell whether an evacuation is over whose server is at rest."""
    died = record.dest in seen.down
    if died and record is last:
        # It may have built the server, and died before it told Nova so
        # (nova/compute/resource_tracker.py: finish_evacuation).
        return False
    # One that its destination has not begun with goes on when that comes
    # back, even if the server is elsewhere by then.
    began = record.status != nova_states.MigrationStatus.ACCEPTED
    if began and not died and _unchanged_for_long(seen, view):
        return True
    # What Nova's clock shows may not be known.
    return view.seen_at >= record.seen_at + timing.EVACUATION_WAIT_SECONDS


def _unchanged_for_long(seen: model.Observation, view: model.Server) -> bool:
    """Tell whether nothing has become of a server for a while.

    One that is being evacuated is at rest on the source for a moment, when
    it has been built elsewhere (nova/compute/manager.py: rebuild_instance).
    """
    if view.updated_at is None or seen.ahead is None:
        return False
    changed_at = view.updated_at.timestamp() + seen.ahead
    return view.seen_at - changed_at >= timing.REBUILT_WAIT_SECONDS
