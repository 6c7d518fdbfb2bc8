# SPDX-License-Identifier: Apache-2.0

"""The model: hosts, servers and migrations, as observed in the cloud.

Frozen values without behaviour that needs I/O. Times of the cloud are
datetimes in UTC; times of this process (``seen_at``) are seconds of the
engine's monotonic clock.
"""

from collections import abc
import dataclasses
import datetime
import enum
import itertools
import operator

from osc_hostmaint import mark
from osc_hostmaint import nova_states


class Mode(enum.StrEnum):
    """The maintenance state of a host."""

    #: The compute service is enabled.
    OPERATIONAL = 'operational'
    #: Disabled, with our mark.
    MAINTENANCE = 'maintenance'
    #: Disabled by somebody else, or by Nova itself.
    DISABLED = 'disabled'
    #: Its cell does not answer.
    UNKNOWN = 'unknown'


class Move(enum.StrEnum):
    """A way to take one server off a host."""

    LIVE = 'live migration'
    COLD = 'cold migration'
    SHELVE = 'shelve offload'
    #: Its owner's; never asked for by us, only confirmed.
    RESIZE = 'resize'
    #: Off a host that has died: built anew elsewhere.
    EVACUATION = 'evacuation'


class MigrationType(enum.StrEnum):
    """Nova's ``migration_type`` (GET /os-migrations)."""

    LIVE = 'live-migration'
    COLD = 'migration'
    RESIZE = 'resize'
    EVACUATION = 'evacuation'


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """A nova-compute service (GET /os-services)."""

    id: str
    host: str
    zone: str
    #: Heartbeats arrive, and nobody forced it down.
    up: bool
    enabled: bool
    disabled_reason: str | None = None
    forced_down: bool = False
    #: When Nova last heard of it, or somebody last changed it, if Nova says.
    updated_at: datetime.datetime | None = None
    #: Ids of other services of exactly the same host, in other cells: Nova
    #: may mean any of them, then.
    namesakes: tuple[str, ...] = ()
    #: Its cell does not answer, and Nova knows no more than its name. It
    #: passes for disabled and down, so that no server is sent to it.
    silent: bool = False
    #: Its reason has the form of our mark, but a date to come: it is somebody
    #: else's.
    false_mark: bool = False

    @property
    def mark(self) -> mark.Mark | None:
        """Our mark, None on a host that is not in maintenance."""
        if self.enabled or self.false_mark:
            return None
        return mark.parse(self.disabled_reason)

    @property
    def mode(self) -> Mode:
        """The maintenance state of the host."""
        if self.silent:
            return Mode.UNKNOWN
        if self.enabled:
            return Mode.OPERATIONAL
        return Mode.MAINTENANCE if self.mark else Mode.DISABLED

    @property
    def settings(self) -> tuple[bool, str | None, bool]:
        """What somebody has set, to see whether that was changed."""
        reason = None if self.enabled else self.disabled_reason
        return self.enabled, reason, self.forced_down


@dataclasses.dataclass(frozen=True, slots=True)
class Hypervisor:
    """A hypervisor (GET /os-hypervisors/detail); mostly one on a host."""

    #: Its resource provider's id.
    provider: str
    #: The hypervisor hostname.
    name: str
    host: str
    #: QEMU, ironic ...; '' where Nova does not say.
    type: str = ''
    #: The host's ``my_ip`` (nova.conf); '' where Nova does not say.
    address: str = ''


@dataclasses.dataclass(frozen=True, slots=True)
class RequestGroup:
    """What a server asks Placement for, in one of its request groups."""

    #: Amounts by resource class, sorted, without zeros.
    resources: tuple[tuple[str, int], ...]
    required_traits: frozenset[str] = frozenset()
    forbidden_traits: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Needs:
    """What a server requires of its host, beside capacity."""

    #: The availability zone that it was asked to be in, and stays in; None
    #: if it may be in any.
    zone: str | None = None
    #: Nova told (>= 2.96): otherwise a zone of None means nothing.
    zone_known: bool = False
    #: Of its flavor; Nova does not show those of its image.
    required_traits: frozenset[str] = frozenset()
    forbidden_traits: frozenset[str] = frozenset()
    #: Amounts by resource class that its flavor asks for expressly.
    resources: tuple[tuple[str, int], ...] = ()
    #: What its flavor asks for beside that, each of one provider.
    groups: tuple[RequestGroup, ...] = ()
    #: Each group is of another provider.
    isolate: bool = False
    #: Keys and values that its flavor wants of an aggregate's metadata.
    aggregate_specs: tuple[tuple[str, str], ...] = ()
    #: What else it asks for, which only the scheduler can judge: hw:numa...
    unchecked: tuple[str, ...] = ()
    #: It is in a server group; None: Nova does not tell (< 2.100).
    grouped: bool | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """A server, as one answer of Nova showed it."""

    id: str
    name: str
    #: The API's status (ACTIVE, SHUTOFF, MIGRATING ...), DELETED for a
    #: server that Nova no longer knows.
    status: str
    #: The state below the status (active, stopped, paused ...), which a move
    #: in flight does not hide.
    vm_state: str
    task_state: str | None
    #: None where it is on no host (shelved and offloaded, deleted).
    host: str | None
    #: As its host last told; None: Nova does not say. Of a host that has
    #: died it says how the guest was before that.
    power_state: int | None = None
    #: In ERROR: what went wrong last, in Nova's words; '' if it does not say.
    fault: str = ''
    #: Fixed addresses, sorted.
    addresses: tuple[str, ...] = ()
    #: Of its flavor, in MiB.
    memory_mb: int = 0
    #: Its root disk is made from an image, or it has an ephemeral or a swap
    #: disk: that is on the storage of its host, unless hosts share it.
    local_disk: bool = False
    #: Whose it is: the project's id.
    project_id: str = ''
    #: When Nova last changed anything about it.
    updated_at: datetime.datetime | None = None
    #: It has the tag of servers that are resumed to be moved.
    tagged: bool = False
    #: What its owner wants of a drain, as it stands there; '': nothing.
    wish: str = ''
    #: Known of servers in a host's list.
    needs: Needs = Needs()
    seen_at: float = 0.0

    @property
    def deleted(self) -> bool:
        """Nova does not know it any more."""
        return self.status == nova_states.Status.DELETED

    @property
    def resumed(self) -> bool:
        """It runs only to be moved: it is to be suspended again."""
        return self.tagged and self.vm_state == nova_states.VmState.ACTIVE

    @property
    def tag_removable(self) -> bool:
        """It has the tag, and Nova would remove it."""
        return self.tagged and self.vm_state in nova_states.TAGGABLE

    @property
    def resized(self) -> bool:
        """It waits for its move or its resize to be confirmed."""
        return self.status == nova_states.Status.VERIFY_RESIZE


@dataclasses.dataclass(frozen=True, slots=True)
class Migration:
    """A migration record (GET /os-migrations)."""

    id: int
    uuid: str
    server_id: str
    type: str
    status: str
    source: str
    #: None until the scheduler has picked it.
    dest: str | None
    created_at: datetime.datetime
    updated_at: datetime.datetime | None = None
    #: When this status was first seen.
    seen_at: float = 0.0
    #: The change that was the newest when it was first seen neither
    #: ``accepted`` nor ``queued``. Where it ended before that: the last look
    #: before, or its creation. None while it waits.
    begun_at: datetime.datetime | None = None
    #: The change that was the newest when it was first seen to have ended.
    #: That of an evacuation changes again once its host is started.
    ended_at: datetime.datetime | None = None

    @property
    def awaits_confirmation(self) -> bool:
        """The server has left the source, but its old disk is still there."""
        return self.status == nova_states.MigrationStatus.FINISHED

    @property
    def ended_well(self) -> bool:
        """The server has left the source."""
        return self.status in nova_states.ENDED_WELL

    @property
    def ended_badly(self) -> bool:
        """The move failed; the server is usually back on the source."""
        return self.status in nova_states.ENDED_BADLY

    @property
    def found_no_host(self) -> bool:
        """Nova's scheduler found no destination, so the move never began.

        The record of an evacuation names a destination before the scheduler
        is asked (nova/compute/api.py: evacuate).
        """
        if self.type == MigrationType.EVACUATION:
            return self.status == nova_states.MigrationStatus.ERROR
        return self.ended_badly and self.dest is None

    @property
    def scheduled(self) -> bool:
        """Its destination is fixed and holds an allocation for it."""
        asked = self.type == MigrationType.EVACUATION
        return self.dest is not None and not (
            asked and self.status == nova_states.MigrationStatus.ACCEPTED
        )

    @property
    def ended(self) -> bool:
        """The move is over, well or badly."""
        return self.ended_well or self.ended_badly

    @property
    def in_flight(self) -> bool:
        """The move is under way. An unknown status counts as under way."""
        return not (self.ended or self.awaits_confirmation)


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a live migration is (GET /servers/{id}/migrations/{id})."""

    #: Memory still to be copied, in bytes.
    remaining: int
    #: All of it, in bytes.
    total: int
    seen_at: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """Why a move failed (GET .../os-instance-actions/{request id})."""

    #: In Nova's words; '' where it does not say.
    reason: str = ''
    #: The compute hosts on which a step of it failed.
    hosts: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class InstanceAction:
    """An action on a server (GET .../os-instance-actions)."""

    #: Nova's name: resume, suspend, live-migration, stop ...
    action: str
    started_at: datetime.datetime


_ById = abc.Mapping[str, Server]
_Records = abc.Mapping[int, Migration]
_Histories = abc.Mapping[str, tuple[InstanceAction, ...]]


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """What is known about one host at one moment; the input of a decision.

    Every part has a time stamp, because a tick does not refresh every part
    (it costs at most two list requests).
    """

    host: str
    service: Service
    #: Servers that the latest list for this host showed, by id.
    servers: _ById
    servers_at: float
    service_at: float = 0.0
    #: Servers looked at one by one, by id, wherever they are now.
    visited: _ById = dataclasses.field(default_factory=dict)
    #: Records with this host as source or destination, by id.
    migrations: _Records = dataclasses.field(default_factory=dict)
    migrations_at: float = 0.0
    #: Records that the host's list does not show, or not any more (of a
    #: server that was deleted since), by id. They only say whose a
    #: migration's allocation is.
    former: _Records = dataclasses.field(default_factory=dict)
    #: Migrations, by their UUIDs, that all records of the host were searched
    #: for.
    traced: frozenset[str] = frozenset()
    #: What our clock shows more than Nova's, in seconds, at the most: from
    #: how new a change was seen. None: no record was seen yet.
    ahead: float | None = None
    #: Nova's time at ``service_at``, or a little earlier; None: not known.
    nova_time: datetime.datetime | None = None
    #: Consumers with an allocation on the host; None: not looked at yet.
    consumers: frozenset[str] | None = None
    consumers_at: float = 0.0
    #: Why a move failed, in Nova's words, by the record's id; '' where Nova
    #: keeps no reason.
    failures: abc.Mapping[int, str] = dataclasses.field(default_factory=dict)
    #: On which compute hosts a step of it failed, by the record's id.
    failed_on: abc.Mapping[int, frozenset[str]] = dataclasses.field(
        default_factory=dict
    )
    #: Of live migrations whose progress was asked for, by the record's id.
    progress: abc.Mapping[int, Progress] = dataclasses.field(
        default_factory=dict
    )
    #: What was done to servers that were asked for it, oldest first.
    histories: _Histories = dataclasses.field(default_factory=dict)
    #: Other hosts whose compute services are down.
    down: frozenset[str] = frozenset()
    #: The host whose cell does not answer, this one or that which servers are
    #: brought back to: nothing is known of it now. '': they answer.
    silent: str = ''
    #: When servers whose cells did not answer were last looked at, by id.
    unseen: abc.Mapping[str, float] = dataclasses.field(default_factory=dict)
    #: Servers with a move in flight whose record the latest list left out.
    missing: frozenset[str] = frozenset()
    #: That of the host that servers are brought back to; None: of a drain.
    home: Service | None = None

    def migration(self, uuid: str) -> Migration | None:
        """Return the record of a migration, None if none is known."""
        known = itertools.chain(self.migrations.values(), self.former.values())
        return next((r for r in known if r.uuid == uuid), None)

    def nova_time_at(self, at: float) -> datetime.datetime | None:
        """Return Nova's time at a time of our clock, or a little earlier."""
        passed = datetime.timedelta(seconds=at - self.service_at)
        return self.nova_time and self.nova_time + passed

    def latest(self, server_id: str) -> Server | None:
        """Return the newest view of a server, None if none is left.

        A server that a newer list for the host does not show has left it,
        or is deleted: nothing is known of it until it is visited.
        """
        listed = self.servers.get(server_id)
        visited = self.visited.get(server_id)
        if listed and visited:
            return max(listed, visited, key=operator.attrgetter('seen_at'))
        if visited and (
            visited.seen_at >= self.servers_at or visited.host != self.host
        ):
            return visited
        return listed
