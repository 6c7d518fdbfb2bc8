# SPDX-License-Identifier: Apache-2.0

"""An evacuation: the servers of a host that has died are rebuilt elsewhere."""

from collections import abc
import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import operation
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import lock
from osc_hostmaint.planning.evacuation import memory as own_memory
from osc_hostmaint.planning.evacuation import power_state
from osc_hostmaint.planning.evacuation import verdicts as evacuation_verdicts
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import verdicts

HostMemory = memories.HostMemory
Migration = model.Migration
Observation = model.Observation
Phase = server_status.Phase
ServerContext = contexts.ServerContext
ServerStatus = server_status.ServerStatus


@dataclasses.dataclass(frozen=True)
class Evacuation(operation.Operation):
    """Rebuilds every server of a dead host."""

    # Nobody arrives on a host that has died.
    awaits_arrivals: ty.ClassVar[bool] = False
    evacuations_only: ty.ClassVar[bool] = True

    @property
    def rules(self) -> tuple[verdicts.Rule, ...]:
        """The rules: only rebuilding is possible."""
        return evacuation_verdicts.RULES

    def must_stop(
        self, seen: Observation, memory: HostMemory
    ) -> policies.Stop | None:
        """Return why the host may be alive, None if it is dead."""
        host = seen.host
        if stop := operation.back_in_service(seen):
            return stop
        if seen.service.up:
            return policies.Stop(
                f'the compute service on {host} is up again, and Nova '
                'evacuates only from a host that is down: drain it without '
                '--evacuate',
                codes.Code.HOST_ALIVE,
            )
        if own_memory.of(memory).revived:
            return policies.Stop(
                f'{host} sends heartbeats again, so it is not powered off and '
                'its servers may run there: no more servers are evacuated. '
                'Power it off and run this again',
                codes.Code.HOST_ALIVE,
            )
        return None

    def unrecoverable(self, _seen: Observation, _memory: HostMemory) -> str:
        """Return '': an evacuation needs a dead host."""
        return ''

    def may_start(
        self, seen: Observation, memory: HostMemory, now: float
    ) -> bool:
        """Tell whether the host was just seen dead and no other run acts."""
        starts_at = self.starts_at(memory)
        return (
            not seen.service.up
            and _has_just_been_looked_at(seen, now)
            and starts_at is not None
            and now >= starts_at
        )

    def starts_at(self, memory: HostMemory) -> float | None:
        """Return when no other run can be about to evacuate the host."""
        return lock.may_start_at(own_memory.of(memory), self.policy)

    @property
    def unqueued_at_once(self) -> int:
        """How many evacuations may be under way."""
        return timing.EVACUATIONS_AT_ONCE

    def moves_at_once(
        self, seen: Observation, memory: HostMemory
    ) -> int | None:
        """Return one until it is sure that no other run evacuates."""
        return self.policy.parallel if lock.is_held(seen, memory) else 1

    def precedence(self, server_id: str) -> float:
        """Return a number that differs between runs: two do not meet."""
        return lock.jitter(server_id, self.policy)

    def wait(
        self, memory: HostMemory, now: float
    ) -> server_status.Wait | None:
        """Return the wait for another run."""
        return lock.wait(own_memory.of(memory), self.policy, now)

    def observed(self, seen: Observation, memory: HostMemory) -> HostMemory:
        """Return the memory with heartbeats of the host."""
        own = own_memory.of(memory).heard(seen.service)
        return dataclasses.replace(memory, own=own)

    def assessed(
        self,
        seen: Observation,
        memory: HostMemory,
        statuses: abc.Mapping[str, ServerStatus],
    ) -> HostMemory:
        """Return the memory with what other runs do."""
        own = lock.update(seen, memory, statuses)
        return dataclasses.replace(memory, own=own)

    def is_cut_off(self, seen: Observation, record: Migration) -> bool:
        """Tell whether the dead host was to carry out a move."""
        view = seen.latest(record.server_id)
        return (
            record.source == seen.host
            and record.type != model.MigrationType.EVACUATION
            and view is not None
            and view.host == seen.host
        )

    def explained(self, seen: Observation) -> frozenset[str]:
        """Return servers whose allocations stay until nova-compute starts."""
        return frozenset(
            r.server_id
            for r in seen.migrations.values()
            if r.source == seen.host
            and r.type == model.MigrationType.EVACUATION
            and (r.in_flight or r.ended_well)
        )

    def was_stopped(
        self, before: model.Server, history: abc.Sequence[model.InstanceAction]
    ) -> bool:
        """Tell whether a server was off when its host died."""
        return power_state.was_stopped(before, history)

    def needs_history(self, before: model.Server) -> bool:
        """Tell whether only its history says whether a server was off."""
        return power_state.tells_nothing(before)

    def cut_off(
        self, context: ServerContext, record: Migration
    ) -> ServerStatus | None:
        """Return where a server stands whose move was cut off by the death."""
        if record.type == model.MigrationType.EVACUATION:
            return None
        view, looked = context.view, context.seen.migrations_at
        if view and view.deleted:
            return ServerStatus(Phase.GONE, record=record)
        settled = record.seen_at + timing.EFFECT_WAIT_SECONDS
        if view is None or min(view.seen_at, looked) < settled:
            return ServerStatus(
                Phase.MOVING,
                record=record,
                visit=view is None or looked >= settled,
                destination=record.dest,
            )
        return ServerStatus(
            Phase.BLOCKED,
            f'it is on {view.host or "no host"} ({view.status}), and its '
            f'{memories.move_of(record)} was "{record.status}" when the host '
            'died: cleaning up needs nova-compute on this host (see openstack '
            f'server show {context.server_id})',
            codes.Code.MOVING,
            record=record,
            destination=view.host,
        )

    def unconfirmed(
        self, _context: ServerContext, record: Migration
    ) -> ServerStatus | None:
        """Return the status of a server that only its host could confirm."""
        return ServerStatus(
            Phase.BLOCKED,
            f'it is on {record.dest} and not confirmed: confirming or '
            'reverting it needs nova-compute on this host',
            codes.Code.NOT_CONFIRMED,
            record=record,
            destination=record.dest,
        )

    def busy(
        self, context: ServerContext, verdict: ServerStatus
    ) -> ServerStatus | None:
        """Return the status of a server whose host cannot finish its task."""
        since = context.remembered.under_way_since
        if since is None or context.now - since < timing.EFFECT_WAIT_SECONDS:
            return None
        return ServerStatus(
            Phase.BLOCKED,
            f'{verdict.reason}, but Nova shows no evacuation of it: if none '
            'is "accepted" or "pre-migrating" (openstack server migration '
            f'list --server {context.server_id}), reset it (openstack server '
            f'set --state active {context.server_id}) and run this again',
            codes.Code.STUCK,
            given_up=True,
        )


def _has_just_been_looked_at(seen: Observation, now: float) -> bool:
    """Tell whether the state of the service is recent enough.

    Other lists, which may take a minute, may have been read since.
    """
    age = now - seen.service_at
    newest = seen.service_at >= max(seen.migrations_at, seen.servers_at)
    return age <= (
        timing.SLOW_SERVICE_VALID_SECONDS
        if newest
        else timing.SERVICE_RECHECK_SECONDS
    )
