# SPDX-License-Identifier: Apache-2.0

"""What differs between a drain, an evacuation and a restore.

``decide`` and the loop ask the operation, and never which one it is. The
answers that most of them share are here.
"""

import abc
import collections.abc
import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import service_transition
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import verdicts

HostMemory = memories.HostMemory
Migration = model.Migration
Observation = model.Observation
ServerContext = contexts.ServerContext
ServerStatus = server_status.ServerStatus


@dataclasses.dataclass(frozen=True)
class Operation(abc.ABC):
    """What to do with the servers of a host."""

    policy: policies.Policy

    #: Where a server stays that is not moved.
    stays: ty.ClassVar[str] = 'here'
    #: Nothing may be left on the host in the end.
    empties_host: ty.ClassVar[bool] = True
    #: Moves to the host are awaited.
    awaits_arrivals: ty.ClassVar[bool] = True
    #: Nothing changes among the host's migrations but its evacuations.
    evacuations_only: ty.ClassVar[bool] = False

    def stopping(self, stop: policies.Stop | None) -> ty.Self:
        """Return the operation with a reason why no more moves start."""
        policy = dataclasses.replace(self.policy, stop=stop)
        return dataclasses.replace(self, policy=policy)

    def abandoning(self, stop: policies.Stop) -> ty.Self:
        """Return the operation with a reason why it also stops waiting."""
        policy = dataclasses.replace(self.policy, stop=stop, abandon=stop)
        return dataclasses.replace(self, policy=policy)

    def starting_at_most(self, moves: int) -> ty.Self:
        """Return the operation with a bound for what is started now."""
        policy = dataclasses.replace(self.policy, most_starts=moves)
        return dataclasses.replace(self, policy=policy)

    # About the host

    @property
    def other_host(self) -> str:
        """The other host that the operation needs, '' if none."""
        return ''

    @abc.abstractmethod
    def must_stop(
        self, seen: Observation, memory: HostMemory
    ) -> policies.Stop | None:
        """Return why the host lets no more moves start, None if it does."""

    def mark_overwritten(self, seen: Observation) -> str:
        """Return that others have overwritten the host's mark, or ''."""
        since = self.policy.since
        if since is None or not self.empties_host:
            return ''
        return service_transition.overwritten(since, seen.service)

    def unrecoverable(self, seen: Observation, memory: HostMemory) -> str:
        """Return why there is nothing left to wait for, or ''."""
        since = memory.down_since
        # By the time it was last seen down: it may be up again since.
        last = seen.service_at
        if since is None or last - since < timing.DOWN_GRACE_SECONDS:
            return ''
        return (
            f'the compute service on {seen.host} is down, so nothing can be '
            'moved off it: start nova-compute there and run this again'
        )

    def may_start(
        self, seen: Observation, _memory: HostMemory, _now: float
    ) -> bool:
        """Tell whether moves may be started now."""
        # Tries would be used up in vain, and the service may come back.
        return seen.service.up

    @property
    def unqueued_at_once(self) -> int:
        """How many moves that Nova does not queue may be under way."""
        return timing.UNQUEUED_MOVES_AT_ONCE

    def moves_at_once(
        self, _seen: Observation, _memory: HostMemory
    ) -> int | None:
        """Return how many moves may be under way; None follows Nova."""
        return self.policy.parallel

    def precedence(self, _server_id: str) -> float:
        """Return the order among servers of one size: lowest first."""
        return 0.0

    def starts_at(self, _memory: HostMemory) -> float | None:
        """Return when moves may be started, None if that is not known."""
        return None

    def wait(
        self, memory: HostMemory, now: float
    ) -> server_status.Wait | None:
        """Return what the start of moves waits for, or None."""
        if memory.down_since is None:
            return None
        until = memory.down_since + timing.DOWN_GRACE_SECONDS
        if now >= until:
            return None
        return server_status.Wait(
            'the compute service to come back (at most '
            f'{timing.DOWN_GRACE_SECONDS:.0f} s)',
            until,
        )

    def observed(self, _seen: Observation, memory: HostMemory) -> HostMemory:
        """Return the memory with what only this operation remembers."""
        return memory

    def assessed(
        self,
        _seen: Observation,
        memory: HostMemory,
        _statuses: collections.abc.Mapping[str, ServerStatus],
    ) -> HostMemory:
        """Return the memory, now that it is known where each server stands."""
        return memory

    def is_cut_off(self, _seen: Observation, _record: Migration) -> bool:
        """Tell whether a move is cut off, because its host has died."""
        return False

    def explained(self, _seen: Observation) -> frozenset[str]:
        """Return servers that may hold allocations here after they left."""
        return frozenset()

    # About one server

    @property
    def rules(self) -> tuple[verdicts.Rule, ...]:
        """The rules for servers on the host: the first verdict counts."""
        return verdicts.RULES

    @property
    def why_cold(self) -> str:
        """Why a running server was cold-migrated."""
        return 'as requested (--running cold)'

    def was_stopped(
        self,
        _before: model.Server,
        _history: collections.abc.Sequence[model.InstanceAction],
    ) -> bool:
        """Tell whether a server was off, even if its state does not say so."""
        return False

    def needs_history(self, _before: model.Server) -> bool:
        """Tell whether only its history says whether a server was off."""
        return False

    def cut_off(
        self, _context: ServerContext, _record: Migration
    ) -> ServerStatus | None:
        """Return where a server stands whose move was cut off."""
        return None

    def unconfirmed(
        self, _context: ServerContext, _record: Migration
    ) -> ServerStatus | None:
        """Return where a server stands whose migration is left unconfirmed."""
        return None

    def busy(
        self, _context: ServerContext, _verdict: ServerStatus
    ) -> ServerStatus | None:
        """Return where a server stands that is busy without anybody acting."""
        return None

    def skipped(
        self, _view: model.Server, _record: Migration | None
    ) -> ServerStatus | None:
        """Return where a server stands that this operation leaves alone."""
        return None


def back_in_service(seen: Observation) -> policies.Stop | None:
    """Return why to stop if a host left maintenance, else None."""
    if not seen.service.enabled:
        return None
    return policies.Stop(
        f'{seen.host} was put back into service by somebody else: put it into '
        f'maintenance again (openstack host maintenance set {seen.host}) and '
        'run this again',
        codes.Code.HOST_IN_SERVICE,
    )
