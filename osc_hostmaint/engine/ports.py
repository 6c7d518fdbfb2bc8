# SPDX-License-Identifier: Apache-2.0

"""The interfaces of the engine: the cloud, a clock, a reporter."""

from collections import abc
import datetime
import typing as ty

from osc_hostmaint import events
from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories

Records = list[model.Migration]
Service = model.Service


class Gateway(ty.Protocol):
    """The cloud. Every method is one question or one request.

    All raise :class:`osc_hostmaint.exceptions.CloudError`; what reads is
    retried inside, what changes something is sent once.
    """

    def now(self) -> datetime.datetime:
        """Return Nova's time, from its newest heartbeat; never too late."""

    def services(self) -> list[Service]:
        """Return the compute services of all hosts."""

    def force_down(self, service: Service, *, down: bool) -> Service:
        """Force a host down, or undo that."""

    def servers(self, host: str) -> list[model.Server]:
        """Return the servers on a host, soft-deleted ones included."""

    def server(self, server_id: str) -> model.Server:
        """Return a server, with status DELETED where there is none."""

    def tagged(self) -> list[model.Server]:
        """Return the servers of the whole cloud that are tagged as resumed."""

    def migrations(
        self, host: str, changed_since: datetime.datetime | None = None
    ) -> Records:
        """Return records from and to a host: changed ones, or the newest."""

    def all_migrations(self, host: str) -> Records:
        """Return all records from and to a host, however old."""

    def migrations_in_flight(self) -> Records:
        """Return the migrations that are in flight in the whole cloud.

        Of very many migrations, only the newest are returned.
        """

    def unconfirmed(self, host: str) -> Records:
        """Return records from a host that await a confirmation."""

    def evacuations(self, host: str) -> Records:
        """Return the newest records of evacuations off a host."""

    def evacuated(self, host: str) -> Records:
        """Return evacuations off a host that it has not cleaned up yet."""

    def left(self, host: str, since: datetime.datetime) -> Records:
        """Return records from a host that were changed since a time."""

    def moves(self, since: datetime.datetime) -> Records:
        """Return the records of the whole cloud changed since a time."""

    def deleted(self, since: datetime.datetime) -> list[model.Server]:
        """Return servers of the whole cloud deleted since a time.

        Of very many, only the newest are returned.
        """

    def allocations(
        self, host: str
    ) -> abc.Mapping[str, snapshots.AllocationRequest]:
        """Return the allocations on a host's hypervisors, by consumer's id."""

    def hypervisors(self) -> abc.Mapping[str, str]:
        """Return the host of each hypervisor, by resource provider."""

    def hypervisor_details(self) -> abc.Collection[model.Hypervisor]:
        """Return all hypervisors, with more than :meth:`hypervisors`."""

    def residents(self) -> abc.Mapping[str, str]:
        """Return the host of every server of the cloud, by the server's id.

        Called before :meth:`hypervisors`, it costs no extra request.
        """

    def groups(self) -> list[snapshots.Group]:
        """Return the server groups of all projects."""

    def aggregates(self) -> list[snapshots.Aggregate]:
        """Return the host aggregates."""

    def allocation_candidates(
        self, request: snapshots.ResourceRequest
    ) -> snapshots.AllocationCandidates:
        """Return the allocation candidates for a server."""

    def failure(self, record: model.Migration) -> model.Failure:
        """Return why a move failed, as far as Nova says."""

    def progress(
        self, server_id: str, record_id: int, *, repeated: bool = True
    ) -> model.Progress | None:
        """Return how far a live migration is, None if that is not known.

        Nova shows it only while the migration is running.

        :param repeated: where there is no answer, it is asked for again.
        """

    def history(self, server_id: str) -> tuple[model.InstanceAction, ...]:
        """Return the actions on a server, oldest first."""

    def tag(self, server_id: str) -> None:
        """Tag a server that is to be resumed."""

    def untag(self, server_id: str) -> None:
        """Remove that tag from a server."""

    def live_migrate(self, server_id: str, host: str = '') -> None:
        """Ask for a live migration.

        :param host: to go to; '' leaves it to the scheduler.
        """

    def cold_migrate(self, server_id: str, host: str = '') -> None:
        """Ask for a cold migration.

        :param host: to go to; '' leaves it to the scheduler.
        """

    def evacuate(
        self, server_id: str, host: str = '', *, stopped: bool = False
    ) -> None:
        """Ask for an evacuation, off a host whose compute service is down.

        :param host: to go to; '' leaves it to the scheduler.
        :param stopped: it is to stay stopped; else it gets the state that it
            had.
        """

    def reset(self, server_id: str) -> None:
        """Reset the state of a server to ACTIVE, without a task."""

    def confirm(self, server_id: str) -> None:
        """Confirm a cold migration or a resize."""

    def resume(self, server_id: str) -> None:
        """Resume a suspended server."""

    def suspend(self, server_id: str) -> None:
        """Suspend a running server."""

    def shelve(self, server_id: str) -> None:
        """Shelve a server."""

    def offload(self, server_id: str) -> None:
        """Take a shelved server off its host."""

    def abort(self, server_id: str, record_id: int) -> None:
        """Abort a live migration: its server stays where it is."""

    def force_complete(self, server_id: str, record_id: int) -> None:
        """Force a live migration to complete, by stopping its server."""


class Clock(ty.Protocol):
    """Seconds that only grow, a way to let them pass, and the time of day."""

    def now(self) -> float:
        """Return seconds since some moment."""

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""

    def utc(self) -> datetime.datetime:
        """Return the time of day, in UTC; it may be set meanwhile."""


class Reporter(ty.Protocol):
    """Listens to how a run goes. It is never asked anything.

    If it has an attribute ``watches_moves`` that is true, how far live
    migrations are is asked for it, at most once a second.
    """

    def publish(self, event: events.Event) -> None:
        """Take note of an event. The run waits until this returns."""


class Interrupt(ty.Protocol):
    """Whether the user has asked to stop."""

    @property
    def requested(self) -> bool:
        """Nothing new is to be started."""


class Request(ty.Protocol):
    """How servers are to be moved, who listens, and what ends it."""

    @property
    def policy(self) -> policies.Policy: ...

    @property
    def report(self) -> Reporter: ...

    @property
    def interrupt(self) -> Interrupt: ...

    @property
    def deadline(self) -> float:
        """When nothing is awaited any more, by the clock; infinity: never."""

    @property
    def until(self) -> datetime.datetime | None:
        """The time of day, in any time zone, after which no move starts."""


class Destinations(ty.Protocol):
    """Picks the destinations of moves."""

    def note(self, seen: model.Observation, over: abc.Set[str]) -> None:
        """Take note of what has become of a host's moves.

        :param over: servers that nothing is awaited of any more.
        """

    def direct(
        self, host: str, action: memories.Action, highest_id: int
    ) -> memories.Action | None:
        """Return an action with its destination; None: not now.

        :param host: where the server is.
        :param highest_id: the highest record id known: that of its move has
            a higher one.
        :raises RequestRefused: no destination is left for it.
        """

    def leave_to_scheduler(
        self, host: str, kind: memories.ActionKind, policy: str
    ) -> None:
        """Take note that a policy forbids naming the destination.

        :param host: where it was asked for.
        :param policy: what does not allow it.
        """

    def renew(self) -> None:
        """Refresh the capacity of other hosts, if it is time to."""

    def drop(self, server_id: str) -> None:
        """Take note that nothing came of what was asked for a server."""

    def leave(self, host: str) -> None:
        """Take note that a host's drain has ended: it is not observed now."""


class Recording(ty.Protocol):
    """Records what was observed and done, for a replay."""

    def decided(
        self,
        seen: model.Observation,
        policy: policies.Policy,
        now: float,
        decision: decisions.Decision,
    ) -> None:
        """Take note of what a decision was made from."""

    def acted(
        self,
        host: str,
        action: memories.Action,
        outcome: memories.Outcome,
        highest_id: int,
    ) -> None:
        """Take note of what came of an action."""
