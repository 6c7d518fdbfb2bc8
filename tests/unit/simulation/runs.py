# SPDX-License-Identifier: Apache-2.0

"""What there is to tell of a run on the simulated cloud."""

import collections
import copy
import dataclasses
import datetime
import math

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint.engine import loop
from osc_hostmaint.engine.capacity import dry_run as dry_run_
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from tests.unit.simulation import client as clients
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import timeline
from tests.unit.simulation import world

#: What came of an action that was sent.
_SENT = frozenset({memories.SendStatus.ACCEPTED, memories.SendStatus.IN_DOUBT})


class Killed(BaseException):
    """As kill -9: nobody catches it, and everything in memory is lost."""


class Endless(AssertionError):
    """It takes longer than it may."""


@dataclasses.dataclass
class Interrupt:
    """The first Ctrl-C, when it is asked for."""

    requested: bool = False

    def press(self) -> None:
        self.requested = True


class Recorder:
    """Keeps events, decisions and each tick's requests."""

    def __init__(self, client, recording=None):
        """:param recording: receives the same decisions."""
        #: Every decision: when it was made, and of which host.
        self.timed: list[tuple[float, str, decisions.Decision]] = []
        self.decisions: dict[str, list[decisions.Decision]] = {}
        self.troubles: list[str] = []
        #: Of which hosts they are.
        self.troubled: list[str] = []
        #: Hosts whose marks were said to be overwritten, and were seen so.
        self.said_overwritten: list[str] = []
        self.seen_overwritten: set[str] = set()
        self.ended_hosts: list[str] = []
        #: Of which servers something was said to be asked for, and what.
        self.requests: list[tuple[str, memories.ActionKind]] = []
        #: What was asked for, and what came of it.
        self.acts: list[tuple[memories.Action, memories.Outcome]] = []
        #: The requests sent before each decision, since the one before.
        self.ticks: list[tuple[str, list[faults.Request]]] = []
        #: By host: as of when its records were seen, and when something was
        #: last sent for it.
        self._views: dict[str, set[float]] = collections.defaultdict(set)
        self._sent_at: dict[str, float] = {}
        self._client = client
        self._recording = recording
        self._told = 0

    def publish(self, event: events.Event) -> None:
        if isinstance(event, events.Notice):
            self.troubles.append(event.reason)
            self.troubled.append(event.host)
            if 'overwritten its mark' in event.reason:
                self.said_overwritten.append(event.host)
        elif isinstance(event, events.HostEnded):
            self.ended_hosts.append(event.host)
        elif isinstance(event, events.RequestSent):
            self.requests.append((event.server_id, event.request))

    def decided(self, seen, policy, now, decision) -> None:
        if self._recording:
            self._recording.decided(seen, policy, now, decision)
        host, mark = seen.host, seen.service.mark
        self._check_view(host, seen.migrations_at)
        was_seen = not (policy.abandon or policy.home or seen.service.enabled)
        if was_seen and (mark is None or mark.since != policy.since):
            self.seen_overwritten.add(host)
        self.decisions.setdefault(host, []).append(decision)
        self.timed.append((self._client.time, host, decision))
        self.ticks.append((host, self._client.log[self._told :]))
        self._told = len(self._client.log)

    def _check_view(self, host: str, looked_at: float) -> None:
        """Fail if a new look shows less than what was done before it."""
        sent_at = self._sent_at.get(host, looked_at)
        if looked_at < sent_at and looked_at not in self._views[host]:
            raise AssertionError(
                f'{host} is shown records of {looked_at}, from before its '
                f'request of {sent_at}'
            )
        self._views[host].add(looked_at)

    def acted(self, host, action, outcome, highest_id) -> None:
        self.acts.append((action, outcome))
        if outcome.answer in _SENT:
            self._sent_at[host] = outcome.at
        if self._recording:
            self._recording.acted(host, action, outcome, highest_id)


@dataclasses.dataclass
class Run:
    """One drain, or whatever else: how it went and how it ended."""

    cloud: clouds.Cloud
    clock: timeline.VirtualClock
    client: clients.Client
    recorder: Recorder
    hosts: tuple[str, ...]
    policy: policies.Policy
    timeout: float | None = None
    #: In seconds from its beginning, as the time-out.
    until_after: float | None = None
    interrupt: Interrupt = dataclasses.field(default_factory=Interrupt)
    ended: float = 0.0
    #: Of one that was killed there is none.
    outcome: loop.DrainResult | None = None
    #: Ctrl-C was pressed, once or twice.
    interrupted: bool = False
    #: What it saw beforehand, and whether it was to and could not.
    dry_run: dry_run_.DryRun | None = None
    blind: bool = False
    #: What it reported and was not so when it ended.
    untrue_reports: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.began = self.clock.now()
        #: The servers as they were then, by id.
        servers = self.cloud.servers
        self.before = {i: copy.copy(s) for i, s in servers.items()}
        #: The marks of hosts as they were then.
        hosts = self.cloud.hosts.values()
        self.marks = {host.name: host.shown().mark for host in hosts}

    @property
    def report(self) -> Recorder:
        """Who listens to it, as the engine asks."""
        return self.recorder

    @property
    def deadline(self) -> float:
        """When it is to await nothing any more, as the engine asks."""
        return math.inf if self.timeout is None else self.began + self.timeout

    @property
    def until(self) -> datetime.datetime | None:
        """When it is to start nothing any more, as the engine asks."""
        if self.until_after is None:
            return None
        seconds = self.began + self.until_after - timeline.START
        return timeline.EPOCH + datetime.timedelta(seconds=seconds)

    @property
    def killed(self) -> bool:
        return self.outcome is None

    @property
    def result(self) -> loop.DrainResult:
        assert self.outcome, 'it was killed'
        return self.outcome

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def exit_code(self) -> exceptions.ExitCode:
        return self.result.exit_code

    @property
    def results(self) -> dict[str, str]:
        """What became of each server, by id."""
        return {row.server_id: str(row.result) for row in self.result.rows}

    @property
    def reasons(self) -> dict[str, str]:
        return {row.server_id: row.reason for row in self.result.rows}

    @property
    def ways(self) -> dict[str, str]:
        return {row.server_id: row.move for row in self.result.rows}

    @property
    def actor(self) -> world.Actor:
        return self.client.actor

    @property
    def sent(self) -> list[tuple[str, memories.ActionKind]]:
        """Return of which servers something was asked for, and what."""
        return [
            (action.server_id, action.kind)
            for action, outcome in self.recorder.acts
            if outcome.answer in _SENT
        ]

    def works(self, kinds=None) -> list[world.Work]:
        """Return what Nova took from it, of some kinds or all."""
        return [
            work
            for work in self.cloud.works
            if work.by is self.actor and (kinds is None or work.kind in kinds)
        ]

    def changed_by_others(self, server: world.Server) -> bool:
        """Tell whether others had to do with a server during the run."""
        return any(
            work.by is not self.actor and work.until >= self.began
            for work in self.cloud.works_on(server)
        )
