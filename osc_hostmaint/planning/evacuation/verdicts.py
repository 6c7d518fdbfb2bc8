# SPDX-License-Identifier: Apache-2.0

"""What can be done with a server of a host that has died.

Which state allows it follows Nova's API (nova/compute/api.py: evacuate).
"""

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import verdicts


def _rebuilding(
    server: model.Server, _terms: verdicts.Terms
) -> verdicts.Verdict | None:
    # Nova would begin a second time, and build it twice
    # (nova/compute/api.py: evacuate looks at no task state).
    if server.status == nova_states.Status.REBUILD:
        return verdicts.Verdict(
            verdicts.VerdictKind.WAIT, reason=f'busy: {server.status}'
        )
    return None


def _cut_off(
    server: model.Server, _terms: verdicts.Terms
) -> verdicts.Verdict | None:
    if server.status not in nova_states.MOVING:
        return None
    return verdicts.blocked(
        f'it was being moved ({server.status}) when the host died: make sure '
        f'that it runs nowhere else, then reset it (openstack server set '
        f'--state active {server.id}) and run this again'
    )


def _deleting(
    server: model.Server, _terms: verdicts.Terms
) -> verdicts.Verdict | None:
    if server.task_state in (
        nova_states.TaskState.DELETING,
        nova_states.TaskState.SOFT_DELETING,
    ):
        return verdicts.blocked(
            'its owner deleted it, but the host died first: it is deleted '
            'once nova-compute starts on this host'
        )
    return None


def _rebuildable(
    server: model.Server, terms: verdicts.Terms
) -> verdicts.Verdict | None:
    if server.vm_state not in nova_states.EVACUABLE:
        return None
    stopped = server.vm_state != nova_states.VmState.STOPPED and (
        terms.was_stopped or terms.policy.leave_stopped
    )
    # From ERROR Nova brings it up running, whatever it is asked for
    # (nova/compute/manager.py: _do_rebuild_instance).
    reset = stopped and server.vm_state == nova_states.VmState.ERROR
    return verdicts.Verdict(
        verdicts.VerdictKind.MOVE,
        move=model.Move.EVACUATION,
        ask=memories.ActionKind.RESET
        if reset
        else memories.ActionKind.EVACUATE,
        stopped=stopped,
    )


def _not_rebuildable(
    server: model.Server, _terms: verdicts.Terms
) -> verdicts.Verdict:
    ways = nova_states.DEAD_ENDS.get(server.vm_state, nova_states.WAIT)
    return verdicts.blocked(
        f"Cannot 'evacuate' instance {server.id} while it is in vm_state "
        f'{server.vm_state}: {ways.format(id=server.id)}'
    )


RULES: tuple[verdicts.Rule, ...] = (
    _rebuilding,
    verdicts.excluded,
    _cut_off,
    _deleting,
    _rebuildable,
    _not_rebuildable,
)
