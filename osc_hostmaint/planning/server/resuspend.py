# SPDX-License-Identifier: Apache-2.0

"""Suspending again what was resumed to be moved.

A suspended server can't be migrated, so it is resumed first. Wherever it
ends up (on a new host, or back here because no move went well), it is to be
as it was.
"""

import dataclasses

from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import requests as server_requests
from osc_hostmaint.planning.server import status as server_status

Phase = server_status.Phase


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
    if view is None or view.vm_state != 'active':
        return stand
    if case.policy.abandon or (stand.record and stand.record.in_flight):
        return _abandoned(stand)
    due = dataclasses.replace(
        stand, phase=Phase.MOVING, reason='', ask=memories.Kind.SUSPEND
    )
    errand = case.track.errand(memories.Kind.SUSPEND)
    if view.task_state == 'suspending' and errand.asked_at is not None:
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
        reason='it was SUSPENDED and was resumed to be moved: run this '
        f'again with --suspended resume to have it suspended; {stand.reason}',
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
        reason=f'{where}it was SUSPENDED and could not be suspended again '
        f'(openstack server suspend {case.server_id}): {why}',
    )
