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

"""Suspending again what was resumed to be moved.

A suspended server can't be migrated, so it is resumed first. Wherever it
ends up (on a new host, or back here because no move went well), it is to be
as it was.
"""

import dataclasses

from osc_hostmaint.planning import case as cases
from osc_hostmaint.planning import errands
from osc_hostmaint.planning import memory
from osc_hostmaint.planning import standing

Phase = standing.Phase


def settle(case: cases.Case, stand: standing.Standing) -> standing.Standing:
    """Return where a server stands, with what is still owed to it."""
    view = case.view
    if (
        stand.phase not in standing.FINAL
        or stand.phase is Phase.GONE
        or not case.resumed
        or view is None
        or view.vm_state != 'active'
    ):
        return stand
    if case.policy.abandon:
        return dataclasses.replace(
            stand,
            phase=Phase.FAILED,
            reason=f'it was SUSPENDED and is running on {view.host} now: '
            'drain again with --suspended resume to have it suspended; '
            f'{stand.reason or case.policy.abandon}',
        )
    due = dataclasses.replace(
        stand,
        phase=Phase.MOVING,
        reason='',
        ask=memory.Kind.SUSPEND,
    )
    if view.task_state and case.track.errand(memory.Kind.SUSPEND) == (
        memory.NO_ERRAND
    ):
        # Its owner is at it: then it is to be seen what comes of that.
        return dataclasses.replace(due, ask=None, visit=True)
    settled = errands.asked(case, view, memory.Kind.SUSPEND, due)
    if settled.phase in standing.FINAL:
        where = f'moved to {view.host}, but ' if _left(case, stand) else ''
        return dataclasses.replace(
            settled,
            phase=Phase.FAILED,
            reason=f'{where}it was SUSPENDED and could not be suspended '
            f'again (openstack server suspend {case.server_id}): '
            f'{settled.reason}',
            destination=stand.destination,
            record=stand.record,
        )
    return dataclasses.replace(
        settled, destination=stand.destination, record=stand.record
    )


def _left(case: cases.Case, stand: standing.Standing) -> bool:
    return stand.destination not in (None, case.seen.host)
