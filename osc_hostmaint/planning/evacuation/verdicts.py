# SPDX-License-Identifier: Apache-2.0

"""What can be done with a server of a host that has died.

Which state allows it follows Nova's API (nova/compute/api.py: evacuate).
"""

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import verdicts

ActionKind = memories.ActionKind
Code = codes.Code
Phase = server_status.Phase
ServerStatus = server_status.ServerStatus
TaskState = nova_states.TaskState
VmState = nova_states.VmState


#: The codes of states that a drain has as well.
_NOT_EVACUATED: dict[str, Code] = {
    VmState.PAUSED: Code.PAUSED,
    VmState.SUSPENDED: Code.SUSPENDED,
    VmState.RESCUED: Code.RESCUED,
    VmState.RESIZED: Code.RESIZED,
    VmState.SOFT_DELETED: Code.SOFT_DELETED,
}


def _rebuilding(
    server: model.Server, _terms: verdicts.Terms
) -> ServerStatus | None:
    # Nova would begin a second time, and build it twice
    # (nova/compute/api.py: evacuate looks at no task state).
    if server.status == nova_states.Status.REBUILD:
        return ServerStatus(Phase.BUSY, f'busy: {server.status}', Code.BUSY)
    return None


def _by_state(server: model.Server, terms: verdicts.Terms) -> ServerStatus:
    if server.status in nova_states.MOVING:
        return verdicts.blocked(
            Code.MOVING,
            f'it was being moved ({server.status}) when the host died: make '
            'sure that it runs nowhere else, then reset it (openstack server '
            f'set --state active {server.id}) and run this again',
        )
    if server.task_state in (TaskState.DELETING, TaskState.SOFT_DELETING):
        return verdicts.blocked(
            Code.DELETED,
            'its owner deleted it, but the host died first: delete it again '
            f'(openstack server delete {server.id}), or it is deleted once '
            'nova-compute starts on this host',
        )
    if server.vm_state not in nova_states.EVACUABLE:
        ways = nova_states.NEVER_EVACUATED.get(
            server.vm_state, nova_states.WAIT_FOR_HOST
        )
        return verdicts.blocked(
            _NOT_EVACUATED.get(server.vm_state, Code.OTHER_STATE),
            f"Cannot 'evacuate' instance {server.id} while it is in vm_state "
            f'{server.vm_state}: {ways.format(id=server.id)}',
        )
    stopped = server.vm_state not in nova_states.OFF and (
        terms.was_stopped or terms.policy.leave_stopped
    )
    # From ERROR Nova brings it up running, whatever it is asked for
    # (nova/compute/manager.py: _do_rebuild_instance).
    reset = stopped and server.vm_state == VmState.ERROR
    return ServerStatus(
        Phase.WAITING,
        move=model.Move.EVACUATION,
        ask=ActionKind.RESET if reset else ActionKind.EVACUATE,
        stopped=stopped,
    )


RULES: tuple[verdicts.Rule, ...] = (_rebuilding, verdicts.excluded, _by_state)
