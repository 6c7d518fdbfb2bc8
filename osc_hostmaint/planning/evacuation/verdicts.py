# SPDX-License-Identifier: Apache-2.0

"""What can be done with a server of a host that has died.

Which state allows it follows Nova's API (nova/compute/api.py: evacuate).
"""

from osc_hostmaint import model
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import verdicts

#: States that Nova evacuates from (nova/compute/api.py: evacuate).
EVACUABLE = frozenset({'active', 'stopped', 'error'})
_RESET = '(openstack server set --state active {id})'
_REBUILT = (
    f'to have it rebuilt and started, reset it {_RESET} and run this again'
)
_DEAD_ENDS = {
    'paused': f'what it had in its memory is lost with the host; {_REBUILT}',
    'suspended': 'what it had in its memory is on the disk of the host, and '
    'can be resumed if that comes back; to have it rebuilt, reset it '
    f'{_RESET} and run this again, which gives that up',
    'rescued': f'wait for the host to come back; or, {_REBUILT}',
    'building': 'it was being built when the host died: delete it, so that '
    'its owner can make it anew (openstack server delete {id})',
    'resized': 'its owner has not confirmed its resize: confirm or revert '
    'that once the host is back',
    'soft-delete': 'deleted by its owner, and can be restored once the host '
    'is back',
}


def _rebuilding(
    server: model.Server, _terms: verdicts.Terms
) -> verdicts.Verdict | None:
    # Nova would begin a second time, and build it twice
    # (nova/compute/api.py: evacuate looks at no task state).
    if server.status == 'REBUILD':
        return verdicts.Verdict(verdicts.Answer.WAIT, reason='busy: REBUILD')
    return None


def _cut_off(
    server: model.Server, _terms: verdicts.Terms
) -> verdicts.Verdict | None:
    if server.status not in verdicts.MOVING_STATUSES:
        return None
    reset = _RESET.format(id=server.id)
    return verdicts.blocked(
        f'in the middle of a move ({server.status}) when the host died: make '
        f'sure that it runs nowhere else; then reset it {reset} and run this '
        'again'
    )


def _deleting(
    server: model.Server, _terms: verdicts.Terms
) -> verdicts.Verdict | None:
    if server.task_state in ('deleting', 'soft-deleting'):
        return verdicts.blocked(
            'its owner deleted it, and the host died before that was done: '
            'it goes when nova-compute is started there'
        )
    return None


def _rebuildable(
    server: model.Server, terms: verdicts.Terms
) -> verdicts.Verdict | None:
    if server.vm_state not in EVACUABLE:
        return None
    stopped = server.vm_state != 'stopped' and (
        terms.off or terms.policy.leave_stopped
    )
    # From ERROR Nova brings it up running, whatever it is asked for
    # (nova/compute/manager.py: _do_rebuild_instance).
    reset = stopped and server.vm_state == 'error'
    return verdicts.Verdict(
        verdicts.Answer.MOVE,
        move=model.Move.EVACUATION,
        ask=memories.Kind.RESET if reset else memories.Kind.EVACUATE,
        stopped=stopped,
    )


def _not_rebuildable(
    server: model.Server, _terms: verdicts.Terms
) -> verdicts.Verdict:
    ways = _DEAD_ENDS.get(server.vm_state, 'wait for the host to come back')
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
