# SPDX-License-Identifier: Apache-2.0

"""Requests; :class:`osc_hostmaint.api.Maintenance` documents their fields."""

from collections import abc
import dataclasses
import datetime
import math

from osc_hostmaint import events
from osc_hostmaint import interrupt as interrupts
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.operations import clock as clocks
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing

#: Asks a person whether hosts are powered off; gets the question.
Confirm = abc.Callable[[str], bool]
#: A time, or a duration before now by Nova's clock.
Since = datetime.datetime | datetime.timedelta

#: How long ago a server may have left its host, by default.
SINCE = datetime.timedelta(seconds=timing.RESTORE_SINCE_SECONDS)
DEFAULT_POLICY = policies.Policy()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    hosts: abc.Sequence[str]
    policy: policies.Policy = DEFAULT_POLICY
    timeout: float | None = None
    until: datetime.datetime | None = None
    skip_capacity_check: bool = False
    #: When it was made, by the clock: the time-out counts from then on.
    began_at: float = dataclasses.field(
        default_factory=lambda: clocks.Clock().now()
    )
    report: ports.Reporter = dataclasses.field(
        default_factory=reporting.Publisher
    )
    interrupt: ports.Interrupt = dataclasses.field(
        default_factory=interrupts.Interrupt
    )

    def __post_init__(self) -> None:
        if self.until and self.until.tzinfo is None:
            raise ValueError('until needs a time zone')

    @property
    def deadline(self) -> float:
        """When nothing is awaited any more, by the clock."""
        limit = math.inf if self.timeout is None else self.timeout
        return self.began_at + limit

    def is_over(self) -> bool:
        """Tell whether to stop: the user wants it, or the time is up."""
        late = clocks.Clock().now() >= self.deadline
        return late or self.interrupt.requested

    def notice(self, hosts: str, reason: str) -> None:
        """Publish what the operator may want to know."""
        self.report.publish(events.Notice(hosts, reason))

    def trouble(self, hosts: str, reason: str) -> None:
        """Publish what is not as it should be."""
        self.report.publish(events.Trouble(hosts, reason))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DrainRequest(_Request):
    """Which hosts to drain or evacuate, and how."""

    reason: str | None = None
    force: bool = False
    fenced: bool = False
    confirm: Confirm | None = None
    recording: ports.Recording | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """Which hosts to plan, and how many may be out of service."""

    hosts: abc.Collection[str] = ()
    aggregates: abc.Collection[str] = ()
    zones: abc.Collection[str] = ()
    done: abc.Collection[str] = ()
    at_once: int = timing.HOSTS_AT_ONCE
    share: int = timing.SHARE_PERCENT
    policy: policies.Policy = DEFAULT_POLICY
    report: ports.Reporter = dataclasses.field(
        default_factory=reporting.Publisher
    )

    def __post_init__(self) -> None:
        if self.at_once < 1:
            raise ValueError('at_once must be at least 1')
        if not 1 <= self.share <= 100:
            raise ValueError('share must be from 1 to 100')
        if self.policy.evacuate or self.policy.to or self.policy.avoid:
            raise ValueError('a plan is of drains to any host')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest(_Request):
    """Which hosts to bring servers back to, and how."""

    since: Since = SINCE
    running: policies.Running | None = None
