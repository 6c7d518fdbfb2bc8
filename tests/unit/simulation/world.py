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

"""What the simulated cloud consists of."""

import collections
import dataclasses
import datetime
import enum
import uuid

from osc_hostmaint import model
from tests.unit.simulation import timeline

#: What the cloud's clock shows when the simulation starts.
EPOCH = datetime.datetime(2026, 11, 20, 23, 0, tzinfo=datetime.UTC)


class Fate(enum.Enum):
    """What becomes of a move that Nova has taken."""

    WELL = enum.auto()
    #: The scheduler finds no host: record ``error``.
    NO_HOST = enum.auto()
    #: The destination refuses it: record ``error``.
    PRECHECK = enum.auto()
    #: It breaks off on the way. Live: record ``failed``, and no reason
    #: anywhere; cold: ``error``. The server is back on the source.
    ROLLED_BACK = enum.auto()
    #: A cold migration fails at the end, and the server is in ERROR.
    BROKEN = enum.auto()
    #: The record says ``completed``, and the server is still on the source.
    LIE = enum.auto()


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long Nova's steps take, in seconds (NOVA-FACTS sections 1, 6)."""

    #: From a request to the record of its move.
    record: float = 0.15
    #: From the record to a destination.
    schedule: float = 0.2
    #: From there to the source's nova-compute, which queues it.
    reach: float = 0.1
    #: How long even a migration that finds a free slot is ``queued``.
    queue: float = 0.05
    prepare: float = 0.3
    #: From the server's arrival to the record's end.
    complete: float = 0.1
    #: From the record's end to that of the allocation on the source.
    tidy: float = 0.2
    #: From the cold record's end to the server's VERIFY_RESIZE.
    finish: float = 0.1
    #: From a confirmed record to the server's last status.
    settle: float = 1.0
    build: float = 1.5
    #: Until a compute service without heartbeats is called down.
    heartbeat: float = 60.0


@dataclasses.dataclass(eq=False)
class Host:
    """A compute host and its nova-compute service."""

    name: str
    slots: timeline.Slots
    memory_mb: int = 10**9
    up: bool = True
    #: Really running; ``up`` follows later.
    alive: bool = True
    enabled: bool = True
    disabled_reason: str | None = None
    forced_down: bool = False
    #: Use as the scheduler knows it, and when it learned of it.
    row: int = 0
    row_at: float = 0.0

    def shown(self) -> model.Service:
        """Return it as GET /os-services shows it."""
        return model.Service(
            id=str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name)),
            host=self.name,
            zone='nova',
            up=self.up and not self.forced_down,
            enabled=self.enabled,
            disabled_reason=self.disabled_reason,
            forced_down=self.forced_down,
        )


#: nova/api/openstack/common.py: _STATE_MAP, the part of it that is needed.
_STATUS = {
    'active': 'ACTIVE',
    'building': 'BUILD',
    'stopped': 'SHUTOFF',
    'paused': 'PAUSED',
    'suspended': 'SUSPENDED',
    'rescued': 'RESCUE',
    'resized': 'VERIFY_RESIZE',
    'error': 'ERROR',
    'soft-delete': 'SOFT_DELETED',
    'shelved': 'SHELVED',
}
_BUSY_STATUS = {
    'migrating': 'MIGRATING',
    'resize_prep': 'RESIZE',
    'resize_migrating': 'RESIZE',
    'resize_migrated': 'RESIZE',
    'resize_finish': 'RESIZE',
    'resize_reverting': 'REVERT_RESIZE',
    'rebooting': 'REBOOT',
}


@dataclasses.dataclass(eq=False)
class Server:
    """A server; what it will do in a move is set beforehand."""

    id: str
    name: str
    host: str | None
    vm_state: str = 'active'
    task_state: str | None = None
    addresses: tuple[str, ...] = ()
    memory_mb: int = 1024
    locked: bool = False
    deleted: bool = False
    #: How long the copying takes.
    seconds: float = 4.0
    #: What becomes of its moves, in turn; then they go well.
    fates: collections.deque[Fate] = dataclasses.field(
        default_factory=collections.deque
    )
    #: What Nova answers to requests for moves, in turn; then it takes them.
    refusals: collections.deque[str] = dataclasses.field(
        default_factory=collections.deque
    )
    #: The state to come back to after a cold migration.
    old_state: str = ''
    #: Why its newest move failed.
    failure: str = ''
    #: How many of its moves did not go well.
    failures: int = 0
    #: The hosts it has been moved to.
    path: list[str] = dataclasses.field(default_factory=list)
    move: timeline.Process | None = None

    @property
    def status(self) -> str:
        """The API's status, which follows from the states."""
        if self.vm_state == 'error':
            return 'ERROR'
        busy = _BUSY_STATUS.get(self.task_state or '')
        return busy or _STATUS[self.vm_state]

    def shown(self) -> model.Server:
        """Return it as GET /servers/detail shows it."""
        return model.Server(
            id=self.id,
            name=self.name,
            status=self.status,
            vm_state=self.vm_state,
            task_state=self.task_state,
            host=self.host,
            addresses=self.addresses,
            memory_mb=self.memory_mb,
        )


@dataclasses.dataclass(eq=False)
class Record:
    """A migration record."""

    id: int
    uuid: str
    server: Server
    type: str
    status: str
    source: str
    created_at: float
    dest: str | None = None
    #: None: never updated; `changes-since` leaves it out.
    updated_at: float | None = None

    def shown(self) -> model.Migration:
        """Return it as GET /os-migrations shows it."""
        return model.Migration(
            id=self.id,
            uuid=self.uuid,
            server_id=self.server.id,
            type=self.type,
            status=self.status,
            source=self.source,
            dest=self.dest,
            created_at=utc(self.created_at),
            updated_at=(
                None if self.updated_at is None else utc(self.updated_at)
            ),
        )


def utc(time: float) -> datetime.datetime:
    """Return the cloud's time; its database keeps whole seconds."""
    seconds = int(time - timeline.START)
    return EPOCH + datetime.timedelta(seconds=seconds)
