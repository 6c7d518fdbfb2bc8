# SPDX-License-Identifier: Apache-2.0

"""Moves that nobody is at any more, though their records say so."""

import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import timing

#: Tells whether nobody carries out a move, as its host has died.
CutOff = collections.abc.Callable[[model.Observation, model.Migration], bool]


def drop_stale(
    seen: model.Observation,
    is_cut_off: CutOff = lambda _seen, _record: False,
) -> model.Observation:
    """Return what is seen, without moves that nobody is at any more.

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
        if view and view.deleted:
            continue
        last = seen.migrations[newest[record.server_id]]
        if record.in_flight and (
            _is_superseded(record, last)
            or _rests_on_source(seen, record, last)
            or _rests_elsewhere(seen, record)
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


def _rests_on_source(
    seen: model.Observation, record: model.Migration, last: model.Migration
) -> bool:
    """Tell whether the server rests on the source, in spite of the record.

    The record must have been seen before the server for long enough, and
    once more after it.

    :param last: the newest record of the server.
    """
    view = seen.latest(record.server_id)
    return (
        view is not None
        and view.host == record.source
        and view.task_state is None
        and view.status not in nova_states.MOVING
        and not view.resized
        and view.seen_at >= record.seen_at + timing.EFFECT_WAIT_SECONDS
        and seen.migrations_at >= view.seen_at
        and (
            record.type != model.MigrationType.EVACUATION
            or _evacuation_is_over(seen, record, last, view)
        )
    )


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


def _rests_elsewhere(seen: model.Observation, record: model.Migration) -> bool:
    """Tell whether the server rests elsewhere, in spite of its evacuation.

    Nova may carry out one in the name of an older record, and leaves the
    other as it is (nova/conductor/manager.py: rebuild_instance).
    """
    view = seen.latest(record.server_id)
    return (
        record.type == model.MigrationType.EVACUATION
        and view is not None
        and view.host != record.source
        and view.status != nova_states.Status.REBUILD
        and view.task_state is None
        and view.seen_at >= record.seen_at + timing.EFFECT_WAIT_SECONDS
        and seen.migrations_at >= view.seen_at
    )


def _unchanged_for_long(seen: model.Observation, view: model.Server) -> bool:
    """Tell whether nothing has become of a server for a while.

    One that is being evacuated is at rest on the source for a moment, when
    it has been built elsewhere (nova/compute/manager.py: rebuild_instance).
    """
    if view.updated_at is None or seen.ahead is None:
        return False
    changed_at = view.updated_at.timestamp() + seen.ahead
    return view.seen_at - changed_at >= timing.REBUILT_WAIT_SECONDS
