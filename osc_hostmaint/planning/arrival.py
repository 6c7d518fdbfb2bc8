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

"""A server that is off the host: is it what it was?"""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import case as cases
from osc_hostmaint.planning import memory
from osc_hostmaint.planning import standing

#: States below the status that no move may change.
_KEPT = frozenset({'active', 'paused', 'stopped', 'suspended'})


def stand(
    case: cases.Case, view: model.Server, record: model.Migration | None = None
) -> standing.Standing:
    """Return where a server stands that is off the host."""
    if view.host is None:
        return standing.Standing(
            standing.Phase.SKIPPED
            if case.policy.home
            else standing.Phase.MOVED,
            f'now {view.status}, on no host',
            record=record,
        )
    if case.policy.home and view.host != case.policy.home:
        return standing.Standing(
            standing.Phase.SKIPPED,
            f'somebody else has moved it to {view.host}',
            record=record,
            destination=view.host,
        )
    wrong = differences(_expected(case), view) or _broken(view)
    return standing.Standing(
        standing.Phase.FAILED if wrong else standing.Phase.MOVED,
        f'moved to {view.host}, but {wrong}' if wrong else _price(case),
        record=record,
        destination=view.host,
    )


def _expected(case: cases.Case) -> model.Server:
    """Return how a server is to be once it is off the host."""
    before = case.track.before
    kept = before.vm_state in _KEPT
    if case.off or (kept and case.policy.leave_stopped):
        return dataclasses.replace(before, vm_state='stopped')
    return before


def _broken(view: model.Server) -> str:
    # Whatever it was: no server in ERROR is live- or cold-migrated.
    if view.status == 'ERROR':
        return f'in ERROR there: look (openstack server show {view.id})'
    return ''


def _price(case: cases.Case) -> str:
    """Return what its owner noticed of a good move, '' if nothing."""
    latest, before = case.track.latest, case.track.before
    if latest is memory.Kind.EVACUATE and before.local_disk:
        return (
            'its local disk is a new one: what was on the old one is lost, '
            'unless the hosts share it'
        )
    cold = latest is memory.Kind.COLD_MIGRATE
    if cold and before.vm_state == 'active':
        why = case.no_live or 'as asked for (--running cold)'
        return f'restarted: {why}'
    return ''


def differences(before: model.Server, after: model.Server) -> str:
    """Return what a move changed that it must not change, '' if nothing.

    The state below the status is compared: the status itself may already
    show what the owner has asked for since.
    """
    found = []
    # Of a server first seen in the middle of a resize or a build nothing
    # is known that could be compared, and a later resize hides it.
    if (
        before.vm_state in _KEPT
        and after.vm_state != before.vm_state
        and after.vm_state != 'resized'
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
