# SPDX-License-Identifier: Apache-2.0

"""How Nova names a server's state (nova/api/openstack/common.py)."""

from osc_hostmaint import nova_states

_RESIZING = dict.fromkeys(
    'resize_prep resize_migrating resize_migrated resize_finish'.split(),
    'RESIZE',
)
#: What a server is busy with while it is built anew, one after another.
REBUILDING = ('rebuilding', 'rebuild_block_device_mapping', 'rebuild_spawning')
_REBUILDING = dict.fromkeys(REBUILDING, 'REBUILD')
#: The status of a state below it, and of that state with a task.
_STATUSES: dict[str, tuple[str, dict[str, str]]] = {
    'active': (
        'ACTIVE',
        {
            'rebooting': 'REBOOT',
            **_REBUILDING,
            'migrating': 'MIGRATING',
            **_RESIZING,
        },
    ),
    'building': ('BUILD', {}),
    'stopped': ('SHUTOFF', {**_REBUILDING, **_RESIZING}),
    'resized': ('VERIFY_RESIZE', {'resize_reverting': 'REVERT_RESIZE'}),
    'paused': ('PAUSED', {'migrating': 'MIGRATING'}),
    'suspended': ('SUSPENDED', {}),
    'rescued': ('RESCUE', {}),
    'error': ('ERROR', _REBUILDING),
    'soft-delete': ('SOFT_DELETED', {}),
    'shelved': ('SHELVED', {}),
    'shelved_offloaded': ('SHELVED_OFFLOADED', {}),
}


def status(vm_state: str, task_state: str | None) -> str:
    """Return the API's status, UNKNOWN for a state nobody knows."""
    plain, busy = _STATUSES.get(vm_state, ('UNKNOWN', {}))
    return busy.get(task_state, plain) if task_state else plain


_POWER = {
    'active': nova_states.PowerState.RUNNING,
    'building': nova_states.PowerState.NOSTATE,
    'paused': nova_states.PowerState.PAUSED,
    'stopped': nova_states.PowerState.SHUTDOWN,
    'suspended': nova_states.PowerState.SHUTDOWN,
    'shelved': nova_states.PowerState.SHUTDOWN,
    'shelved_offloaded': nova_states.PowerState.SHUTDOWN,
    'rescued': nova_states.PowerState.RUNNING,
    'soft-delete': nova_states.PowerState.SHUTDOWN,
}


def power(vm_state: str) -> int | None:
    """Return how a guest is in a state, None where that can't be said."""
    return _POWER.get(vm_state)
