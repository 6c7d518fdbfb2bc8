# SPDX-License-Identifier: Apache-2.0

"""Stable words for what the reasons of rows say in sentences."""

import enum


class Code(enum.StrEnum):
    """What the reason of a row says, for scripts.

    What helps is in doc/source/user/wont-drain.rst, which has every code.
    """

    #: There is nothing to say.
    NONE = ''

    # The state that the server is in, with the options given.
    RUNNING = 'running'
    PAUSED = 'paused'
    STOPPED = 'stopped'
    SUSPENDED = 'suspended'
    SHELVED = 'shelved'
    RESIZED = 'resized'
    RESCUED = 'rescued'
    ERROR = 'error'
    SOFT_DELETED = 'soft-deleted'
    DELETED = 'deleted'
    MOVING = 'moving'
    BUSY = 'busy'
    STUCK = 'stuck'
    OTHER_STATE = 'other-state'
    EXCLUDED = 'excluded'
    TENANT_POLICY = 'tenant-policy'

    # What Nova made of a request, or of a move.
    REFUSED = 'refused'
    NOT_PERMITTED = 'not-permitted'
    NO_EFFECT = 'no-effect'
    NO_VALID_HOST = 'no-valid-host'
    MOVE_FAILED = 'move-failed'
    STALLED = 'stalled'
    ABORTED = 'aborted'
    SERVER_TIMEOUT = 'server-timeout'
    DESTINATION_DOWN = 'destination-down'
    DESTINATION_SLOW = 'destination-slow'

    # What a move left behind.
    CHANGED = 'changed'
    ERROR_ON_DESTINATION = 'error-on-destination'
    NOT_CONFIRMED = 'not-confirmed'
    NOT_SUSPENDED = 'not-suspended'
    TAG_LEFT = 'tag-left'
    ALLOCATION_LEFT = 'allocation-left'

    # What a good move did that its owner may notice.
    RESTARTED = 'restarted'
    LOCAL_DISK_LOST = 'local-disk-lost'
    LEFT_STOPPED = 'left-stopped'
    OTHER_DESTINATION = 'other-destination'
    ON_NO_HOST = 'on-no-host'

    # Why the run ended, or does not begin.
    INTERRUPTED = 'interrupted'
    TIMEOUT = 'timeout'
    UNTIL = 'until'
    MAX_FAILURES = 'max-failures'
    HOST_DOWN = 'host-down'
    HOST_IN_SERVICE = 'host-in-service'
    HOST_ALIVE = 'host-alive'
    HOST_NOT_READY = 'host-not-ready'
    CELL_DOWN = 'cell-down'
    API_DOWN = 'api-down'

    # What others did with a server that is to come back.
    MOVED_BY_OTHERS = 'moved-by-others'
    RESIZED_BY_OTHERS = 'resized-by-others'

    # Of a dry run, or a plan.
    NO_ROOM = 'no-room'
    CAPACITY_UNKNOWN = 'capacity-unknown'

    # Of a plan alone: why a host has no batch.
    HOST_REFUSED = 'host-refused'
    SERVERS_STAY = 'servers-stay'
    SHARE_USED = 'share-used'


#: They hold for all servers of a host alike.
OF_THE_RUN = frozenset(
    {
        *(Code.INTERRUPTED, Code.TIMEOUT, Code.UNTIL, Code.MAX_FAILURES),
        *(Code.HOST_DOWN, Code.HOST_IN_SERVICE, Code.HOST_ALIVE),
        *(Code.HOST_NOT_READY, Code.CELL_DOWN, Code.API_DOWN),
        Code.NOT_PERMITTED,
    }
)
