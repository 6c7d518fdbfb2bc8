# SPDX-License-Identifier: Apache-2.0

"""The options of a drain, an evacuation or a restore, as a value."""

from collections import abc
import dataclasses
import datetime
import enum

from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import timing


class Running(enum.StrEnum):
    """What to do with ACTIVE and PAUSED servers."""

    LIVE = 'live'
    #: What Nova refuses to live-migrate, or failed to, is cold-migrated.
    LIVE_OR_COLD = 'live-or-cold'
    COLD = 'cold'
    LEAVE = 'leave'


class Stopped(enum.StrEnum):
    """What to do with servers that are off."""

    COLD = 'cold'
    LEAVE = 'leave'


class Suspended(enum.StrEnum):
    """What to do with SUSPENDED servers."""

    LEAVE = 'leave'
    #: Resume, live-migrate, suspend again.
    RESUME = 'resume'
    SHELVE = 'shelve'


class Shelved(enum.StrEnum):
    """What to do with SHELVED servers that are still on the host."""

    OFFLOAD = 'offload'
    LEAVE = 'leave'


class Resized(enum.StrEnum):
    """What to do with servers whose owner has not confirmed a resize."""

    LEAVE = 'leave'
    CONFIRM = 'confirm'


class TenantPolicy(enum.StrEnum):
    """What to do with what a server's owner wants (tenant_policy.py)."""

    IGNORE = 'ignore'
    FOLLOW = 'follow'


class OnStall(enum.StrEnum):
    """What to do with a live migration that makes no progress."""

    WAIT = 'wait'
    FORCE_COMPLETE = 'force-complete'
    ABORT = 'abort'


class Spread(enum.StrEnum):
    """Who picks destinations."""

    #: The least loaded host, falling back to the scheduler.
    BALANCE = 'balance'
    SCHEDULER = 'scheduler'


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """Why nothing new is started any more, or nothing is awaited either."""

    reason: str
    code: codes.Code


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """How to drain, including why no more moves may start."""

    running: Running = Running.LIVE
    stopped: Stopped = Stopped.COLD
    suspended: Suspended = Suspended.LEAVE
    shelved: Shelved = Shelved.OFFLOAD
    resized: Resized = Resized.LEAVE
    #: The host has died: its servers are rebuilt elsewhere. Nothing else is
    #: done for them then.
    evacuate: bool = False
    #: Evacuated servers stay stopped, whatever they were before.
    leave_stopped: bool = False
    #: Servers to be left where they are: ids, or names that only one of those
    #: has that could be moved. A verb goes on with their ids alone.
    exclude: frozenset[str] = frozenset()
    tenant_policy: TenantPolicy = TenantPolicy.IGNORE
    #: The only servers that matter, by their ids; None: all on the host.
    only: frozenset[str] | None = None
    #: The host that they are brought back to (then `to` is also that); '':
    #: they are to leave theirs, which is in maintenance.
    home: str = ''
    #: Moves since then belong to this, whoever asked for them; None: since
    #: the mark that is seen now.
    since: datetime.datetime | None = None
    #: The only destination to ask for; '' leaves it to the scheduler.
    to: str = ''
    spread: Spread = Spread.BALANCE
    #: Destinations to be taken last: hosts that are drained next. Where the
    #: scheduler picks by itself, it may pick them.
    avoid: frozenset[str] = frozenset()
    #: At most so many moves in flight to one destination; None: no bound.
    per_destination: int | None = None
    #: At most so many moves in flight per host; None follows Nova.
    parallel: int | None = None
    #: Further attempts for a move that failed, or that Nova refused.
    retries: int = timing.MOVE_RETRIES
    #: So many servers that fail one after another, over all hosts of a call,
    #: end the starting of moves; 0: any number may.
    max_failures: int = timing.MAX_FAILURES
    on_stall: OnStall = OnStall.WAIT
    #: Seconds without progress that make a stall.
    stall_after: float = timing.STALL_AFTER_SECONDS
    #: Seconds after which one move is given up; None: never.
    server_timeout: float | None = None
    #: From 0 to 1, another for each run: two runs that would ask for the
    #: same at the same moment don't.
    stagger: float = 0.0
    #: At most so many moves are started now, as other hosts' servers come
    #: first; None: no bound.
    most_starts: int | None = None
    #: Why nothing new is started any more; None while it is.
    stop: Stop | None = None
    #: Why nothing is awaited any more either; None while it is.
    abandon: Stop | None = None
    #: A host is not called drained before this time: a server that was being
    #: scheduled when the host was disabled may arrive a moment later.
    settled_from: float = 0.0


def avoidance_problem(policy: Policy, drained: abc.Iterable[str]) -> str:
    """Return why no destination can be avoided as a policy says, or ''.

    :param drained: the hosts that are to be drained.
    """
    if policy.avoid and policy.spread is Spread.SCHEDULER:
        return (
            '--avoid: cannot be used with --spread scheduler, which picks '
            'any host'
        )
    if wrong := policy.avoid.intersection((*drained, policy.to)):
        return (
            f'--avoid: {", ".join(sorted(wrong))}: a host to drain, or the '
            '--to host, cannot be avoided'
        )
    return ''
