# SPDX-License-Identifier: Apache-2.0

"""The states of servers and migrations in Nova, and what each means here.

One row a state. A state that Nova shows and that is not here is treated with
care: such a server is blocked, such a migration is in flight. What depends on
the operator's policy is in planning/server/verdicts.py.
"""

import enum
import typing as ty


class Activity(enum.Enum):
    """What a status says that Nova does with a server."""

    NONE = enum.auto()
    #: Something that ends by itself, on the host.
    BUSY = enum.auto()
    #: Something that only a server on its way between two hosts has.
    MOVING = enum.auto()


class Status(enum.StrEnum):
    """A server's status (nova/api/openstack/common.py: _STATE_MAP).

    PASSWORD is not here: Nova shows it only together with a task state.
    """

    activity: Activity
    #: Why no drain moves it, whatever its policy, and what the operator can
    #: do; '' where the rules of a drain tell.
    way_out: str

    def __new__(
        cls, value: str, way_out: str = '', activity: Activity = Activity.NONE
    ) -> ty.Self:
        """Keep what else is in the row."""
        self = str.__new__(cls, value)
        self._value_ = value
        self.way_out, self.activity = way_out, activity
        return self

    ACTIVE = 'ACTIVE'
    PAUSED = 'PAUSED'
    SHUTOFF = 'SHUTOFF'
    SUSPENDED = 'SUSPENDED'
    SHELVED = 'SHELVED'
    SHELVED_OFFLOADED = 'SHELVED_OFFLOADED'
    VERIFY_RESIZE = 'VERIFY_RESIZE'
    MIGRATING = 'MIGRATING', '', Activity.MOVING
    RESIZE = 'RESIZE', '', Activity.MOVING
    REVERT_RESIZE = 'REVERT_RESIZE', '', Activity.MOVING
    BUILD = 'BUILD', '', Activity.BUSY
    REBUILD = 'REBUILD', '', Activity.BUSY
    REBOOT = 'REBOOT', '', Activity.BUSY
    HARD_REBOOT = 'HARD_REBOOT', '', Activity.BUSY
    RESCUE = (
        'RESCUE',
        'a server in rescue cannot be moved: unrescue it (openstack server '
        'unrescue {id}) and run this again',
    )
    ERROR = (
        'ERROR',
        'the server is in ERROR: find out why (openstack server show {id}), '
        'then repair it, reset it (openstack server set --state active {id}) '
        'or delete it, and run this again',
    )
    SOFT_DELETED = (
        'SOFT_DELETED',
        'soft-deleted by its owner, and on the host until it is purged: '
        'restore it (openstack server restore {id}) or delete it for good '
        '(openstack server delete --force {id})',
    )
    #: Also of a server that Nova does not know.
    DELETED = 'DELETED'
    #: Of a server in a cell that does not answer.
    UNKNOWN = 'UNKNOWN'


BUSY = frozenset(s for s in Status if s.activity is Activity.BUSY)
MOVING = frozenset(s for s in Status if s.activity is Activity.MOVING)
WAYS_OUT: dict[str, str] = {s: s.way_out for s in Status if s.way_out}


#: What is left to do if no other way is known.
WAIT = 'wait for the host to come back'
_RESET = '(openstack server set --state active {id})'
_REBUILT = f'to rebuild and start it, reset it {_RESET} and run this again'


class VmState(enum.StrEnum):
    """A server's state below the status (nova/compute/vm_states.py)."""

    #: What the operator can do if the host has died; '': evacuate it, which
    #: Nova does from these states only (nova/compute/api.py: evacuate).
    dead_end: str
    #: The status that it has at rest, if a move or a rebuild may hide that.
    status: Status | None

    def __new__(
        cls,
        value: str,
        dead_end: str = WAIT,
        status: Status | None = None,
    ) -> ty.Self:
        """Keep what else is in the row."""
        self = str.__new__(cls, value)
        self._value_ = value
        self.dead_end, self.status = dead_end, status
        return self

    ACTIVE = 'active', '', Status.ACTIVE
    STOPPED = 'stopped', '', Status.SHUTOFF
    ERROR = 'error', '', Status.ERROR
    PAUSED = (
        'paused',
        f'its memory is lost with the host; {_REBUILT}',
        Status.PAUSED,
    )
    SUSPENDED = (
        'suspended',
        'its memory is on the disk of the host, and it can be resumed once '
        'the host is back; to rebuild it without that memory, reset it '
        f'{_RESET} and run this again',
    )
    RESCUED = 'rescued', f'{WAIT}, or, {_REBUILT}'
    BUILDING = (
        'building',
        'it was being built when the host died: delete it (openstack server '
        'delete {id}) so that its owner can create it again',
    )
    RESIZED = (
        'resized',
        'its owner has not confirmed a resize: confirm it (openstack server '
        'resize confirm {id}) or revert it (openstack server resize revert '
        '{id}) once the host is back',
    )
    SOFT_DELETED = (
        'soft-delete',
        'its owner deleted it: it can be restored (openstack server restore '
        '{id}) once the host is back',
    )
    DELETED = 'deleted'
    SHELVED = 'shelved'
    SHELVED_OFFLOADED = 'shelved_offloaded'


EVACUABLE = frozenset(s for s in VmState if not s.dead_end)
#: No move may change these.
KEPT = frozenset(
    {VmState.ACTIVE, VmState.PAUSED, VmState.STOPPED, VmState.SUSPENDED}
)
DEAD_ENDS: dict[str, str] = {s: s.dead_end for s in VmState}
AT_REST: dict[str, str] = {s: s.status.value for s in VmState if s.status}


class TaskState(enum.StrEnum):
    """What Nova does with a server (nova/compute/task_states.py).

    A server with a task state that is not listed here is busy.
    """

    DELETING = 'deleting'
    SOFT_DELETING = 'soft-deleting'
    RESUMING = 'resuming'
    SUSPENDING = 'suspending'
    SHELVING = 'shelving'
    SHELVING_IMAGE_PENDING_UPLOAD = 'shelving_image_pending_upload'
    SHELVING_IMAGE_UPLOADING = 'shelving_image_uploading'
    SHELVING_OFFLOADING = 'shelving_offloading'


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
