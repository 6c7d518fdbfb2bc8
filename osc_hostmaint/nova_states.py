# SPDX-License-Identifier: Apache-2.0

"""The states of servers and migrations in Nova, and what each means here.

A state that Nova shows and that is not here is treated with care: such a
server is blocked, such a migration is in flight. What depends on
the operator's policy is in planning/server/verdicts.py.
"""

import enum


class PowerState(enum.IntEnum):
    """Whether a guest runs (nova/objects/fields.py: InstancePowerState)."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6
    SUSPENDED = 7


class Status(enum.StrEnum):
    """A server's status (nova/api/openstack/common.py: _STATE_MAP).

    PASSWORD is not here: Nova shows it only together with a task state.
    """

    ACTIVE = 'ACTIVE'
    PAUSED = 'PAUSED'
    SHUTOFF = 'SHUTOFF'
    SUSPENDED = 'SUSPENDED'
    SHELVED = 'SHELVED'
    SHELVED_OFFLOADED = 'SHELVED_OFFLOADED'
    VERIFY_RESIZE = 'VERIFY_RESIZE'
    MIGRATING = 'MIGRATING'
    RESIZE = 'RESIZE'
    REVERT_RESIZE = 'REVERT_RESIZE'
    BUILD = 'BUILD'
    REBUILD = 'REBUILD'
    REBOOT = 'REBOOT'
    HARD_REBOOT = 'HARD_REBOOT'
    RESCUE = 'RESCUE'
    ERROR = 'ERROR'
    SOFT_DELETED = 'SOFT_DELETED'
    #: Also of a server that Nova does not know.
    DELETED = 'DELETED'
    #: Of a server in a cell that does not answer.
    UNKNOWN = 'UNKNOWN'


_S = Status
#: Nova does something with the server that ends by itself, on the host.
BUSY = frozenset({_S.BUILD, _S.REBUILD, _S.REBOOT, _S.HARD_REBOOT})
#: Only a server on its way between two hosts has one of these.
MOVING = frozenset({_S.MIGRATING, _S.RESIZE, _S.REVERT_RESIZE})
#: Why no drain moves a server, whatever its policy, and what the operator can
#: do. Of other statuses the rules of a drain tell.
NEVER_MOVED: dict[str, str] = {
    _S.RESCUE: 'a server in rescue cannot be moved: unrescue it (openstack '
    'server unrescue {id}) and run this again',
    _S.ERROR: 'the server is in ERROR: find out why (openstack server show '
    '{id}), then repair it, reset it (openstack server set --state active '
    '{id}) or delete it, and run this again',
    _S.SOFT_DELETED: 'soft-deleted by its owner, and on the host until it is '
    'purged: restore it (openstack server restore {id}) or delete it for good '
    '(openstack server delete --force {id})',
}


class VmState(enum.StrEnum):
    """A server's state below the status (nova/compute/vm_states.py)."""

    ACTIVE = 'active'
    STOPPED = 'stopped'
    ERROR = 'error'
    PAUSED = 'paused'
    SUSPENDED = 'suspended'
    RESCUED = 'rescued'
    BUILDING = 'building'
    RESIZED = 'resized'
    SOFT_DELETED = 'soft-delete'
    DELETED = 'deleted'
    SHELVED = 'shelved'
    SHELVED_OFFLOADED = 'shelved_offloaded'


#: The guest is off, and is to stay off.
OFF: frozenset[str] = frozenset({VmState.STOPPED})
#: Nova evacuates servers in these states only (nova/compute/api.py: evacuate).
EVACUABLE = OFF | {VmState.ACTIVE, VmState.ERROR}
#: No move may change these.
KEPT = OFF | {VmState.ACTIVE, VmState.PAUSED, VmState.SUSPENDED}
#: A server's tags can be changed in these only
#: (nova/api/openstack/compute/server_tags.py).
TAGGABLE = KEPT
#: The status at rest, of states that a move or a rebuild may hide.
AT_REST: dict[str, str] = {
    VmState.ACTIVE: Status.ACTIVE.value,
    VmState.STOPPED: Status.SHUTOFF.value,
    VmState.ERROR: Status.ERROR.value,
    VmState.PAUSED: Status.PAUSED.value,
}
#: What else the operator can do, also with any other server.
WAIT_FOR_HOST = 'wait for the host to come back'
_RESET = '(openstack server set --state active {id})'
_REBUILT = f'to rebuild and start it, reset it {_RESET} and run this again'
#: What the operator can do with a server that Nova does not evacuate, if its
#: host has died.
NEVER_EVACUATED: dict[str, str] = {
    VmState.PAUSED: f'its memory is lost with the host; {_REBUILT}',
    VmState.SUSPENDED: 'its memory is on the disk of the host, and it can be '
    'resumed once the host is back; to rebuild it without that memory, reset '
    f'it {_RESET} and run this again',
    VmState.RESCUED: f'{WAIT_FOR_HOST}, or, {_REBUILT}',
    VmState.BUILDING: 'it was being built when the host died: delete it '
    '(openstack server delete {id}) so that its owner can create it again',
    VmState.RESIZED: 'its owner has not confirmed a resize: confirm it '
    '(openstack server resize confirm {id}) or revert it (openstack server '
    'resize revert {id}) once the host is back',
    VmState.SOFT_DELETED: 'its owner deleted it: it can be restored '
    '(openstack server restore {id}) once the host is back',
}


#: Nova's names of what brings a guest up, and down
#: (nova/compute/instance_actions.py). A rebuild leaves it as it was.
SWITCHED_ON = frozenset(
    {
        'create',
        'reboot',
        'start',
        'resume',
        'unpause',
        'restore',
        'unrescue',
        'unshelve',
    }
)
SWITCHED_OFF = frozenset({'stop'})


class TaskState(enum.StrEnum):
    """What Nova does with a server (nova/compute/task_states.py).

    A server with a task state that is not listed here is busy.
    """

    MIGRATING = 'migrating'
    RESIZE_PREP = 'resize_prep'
    RESIZE_MIGRATING = 'resize_migrating'
    DELETING = 'deleting'
    SOFT_DELETING = 'soft-deleting'
    RESUMING = 'resuming'
    SUSPENDING = 'suspending'
    SHELVING = 'shelving'
    SHELVING_IMAGE_PENDING_UPLOAD = 'shelving_image_pending_upload'
    SHELVING_IMAGE_UPLOADING = 'shelving_image_uploading'
    SHELVING_OFFLOADING = 'shelving_offloading'


_T = TaskState
#: What nova-compute takes back or begins anew when it is started
#: (nova/compute/manager.py: _init_instance).
ENDED_BY_RESTART = frozenset(
    {
        *(_T.MIGRATING, _T.RESIZE_PREP),
        *('image_snapshot', 'image_snapshot_pending'),
        *('image_pending_upload', 'image_uploading'),
        *('reboot_pending', 'reboot_started', 'rebooting'),
        *('reboot_pending_hard', 'reboot_started_hard', 'rebooting_hard'),
        *('pausing', 'unpausing', 'powering-off', 'powering-on'),
    }
)


class MigrationStatus(enum.StrEnum):
    """The status of a migration record; any other one is in flight."""

    ACCEPTED = 'accepted'
    QUEUED = 'queued'
    RUNNING = 'running'
    FINISHED = 'finished'
    COMPLETED = 'completed'
    CONFIRMED = 'confirmed'
    DONE = 'done'
    ERROR = 'error'
    FAILED = 'failed'
    CANCELLED = 'cancelled'
    REVERTED = 'reverted'


_M = MigrationStatus
NOT_BEGUN = frozenset({_M.ACCEPTED, _M.QUEUED})
ENDED_WELL = frozenset({_M.COMPLETED, _M.CONFIRMED, _M.DONE})
FAILED = frozenset({_M.ERROR, _M.FAILED})
ENDED_BADLY = FAILED | {_M.CANCELLED, _M.REVERTED}
