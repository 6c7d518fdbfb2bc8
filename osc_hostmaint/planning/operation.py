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
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import verdicts

Standing = server_status.Standing


@dataclasses.dataclass(frozen=True)
class Operation(abc.ABC):
    """What is done with the servers of a host, and what for."""

    policy: policies.Policy

    #: Where a server stays that is not moved.
    stays: ty.ClassVar[str] = 'here'
    #: Nothing may be left on the host in the end.
    empties_host: ty.ClassVar[bool] = True
    #: Moves to the host are awaited.
    awaits_arrivals: ty.ClassVar[bool] = True
    #: Nothing changes among the host's migrations but its evacuations.
    evacuations_only: ty.ClassVar[bool] = False
    #: So many moves at once that Nova does not queue.
    unqueued_moves: ty.ClassVar[int] = timing.COLD_MIGRATIONS_AT_ONCE

    def stopping(self, reason: str) -> ty.Self:
        """Return it with a reason why nothing is started any more."""
        policy = dataclasses.replace(self.policy, stop=reason)
        return dataclasses.replace(self, policy=policy)

    def abandoning(self, reason: str) -> ty.Self:
        """Return it with a reason why nothing is awaited any more either."""
        policy = dataclasses.replace(self.policy, stop=reason, abandon=reason)
        return dataclasses.replace(self, policy=policy)

    # About the host

    @property
    def other_host(self) -> str:
        """Another host that it needs, '' if none."""
        return ''

    @property
    def resumes(self) -> bool:
        """Suspended servers are resumed for their moves."""
        return self.policy.suspended is policies.Suspended.RESUME

    @abc.abstractmethod
    def stop_reason(
        self, seen: model.Observation, memory: memories.Memory
    ) -> str:
        """Return why the hosts let nothing more be started, or ''."""

    def unrecoverable(
        self, seen: model.Observation, memory: memories.Memory
    ) -> str:
        """Return why nothing is worth awaiting any more, '' if it is."""
        since = memory.down_since
        # By the time it was last seen down: it may be up again since.
        if since is None or (
            seen.service_at - since < timing.DOWN_GRACE_SECONDS
        ):
            return ''
        return (
            f'the compute service on {seen.host} is down, and nothing can be '
            'moved off it: start nova-compute there and run this again'
        )

    def may_start(
        self, seen: model.Observation, _memory: memories.Memory, _now: float
    ) -> bool:
        """Tell whether moves may be started now."""
        # Tries would be used up in vain, and the service may come back.
        return seen.service.up

    def at_once(
        self, _seen: model.Observation, _memory: memories.Memory
    ) -> int | None:
        """Return how many moves may be under way; None follows Nova."""
        return self.policy.parallel

    def precedence(self, _server_id: str) -> float:
        """Return what orders servers of one size: the least comes first."""
        return 0.0

    def starts_at(self, _memory: memories.Memory) -> float | None:
        """Return when moves may be started, None if that is not known."""
        return None

    def wait(
        self, _memory: memories.Memory, _now: float
    ) -> server_status.Wait | None:
        """Return what the start of moves waits for, None if for nothing."""
        return None

    def observed(
        self, _seen: model.Observation, memory: memories.Memory
    ) -> memories.Memory:
        """Return the memory with what this operation alone remembers."""
        return memory

    def assessed(
        self,
        _seen: model.Observation,
        memory: memories.Memory,
        _stands: collections.abc.Mapping[str, Standing],
    ) -> memories.Memory:
        """Return the same, once it is known where each server stands."""
        return memory

    def is_cut_off(
        self, _seen: model.Observation, _record: model.Migration
    ) -> bool:
        """Tell whether nobody carries out a move, as its host has died."""
        return False

    def explained(self, _seen: model.Observation) -> frozenset[str]:
        """Return who may hold allocations on the host without being there."""
        return frozenset()

    # About one server

    @property
    def rules(self) -> tuple[verdicts.Rule, ...]:
        """What is done with a server on the host: the first rule decides."""
        return verdicts.RULES

    @property
    def why_cold(self) -> str:
        """Why a server was cold-migrated that could have been live."""
        return 'as asked for (--running cold)'

    def was_off(
        self,
        _before: model.Server,
        _history: collections.abc.Sequence[model.Deed],
    ) -> bool:
        """Tell whether a server was off though its state does not say so."""
        return False

    def needs_history(self, _before: model.Server) -> bool:
        """Tell whether only its history says whether a server was off."""
        return False

    def cut_off(
        self, _case: contexts.Case, _record: model.Migration
    ) -> Standing | None:
        """Return where a server stands whose move is cut off in the middle."""
        return None

    def unconfirmed(
        self, _case: contexts.Case, _record: model.Migration
    ) -> Standing | None:
        """Return where it stands if its migration is not to be confirmed."""
        return None

    def busy(
        self, _case: contexts.Case, _verdict: verdicts.Verdict
    ) -> Standing | None:
        """Return where it stands if nobody is at what it is busy with."""
        return None

    def skipped(
        self, _view: model.Server, _record: model.Migration | None
    ) -> Standing | None:
        """Return where it stands if it is not this operation's any more."""
        return None


def back_in_service(seen: model.Observation) -> str:
    """Return that a host is not in maintenance any more, '' if it is."""
    if not seen.service.enabled:
        return ''
    return (
        f'{seen.host} was put back into service by somebody else: put it into '
        f'maintenance again (openstack host maintenance set {seen.host}) and '
        'run this again'
    )
