# SPDX-License-Identifier: Apache-2.0

"""Draining simulated hosts, and what there is to tell afterwards."""

import collections.abc
import contextlib
import dataclasses
import functools
import typing as ty

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine.capacity import destinations
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from tests.unit.simulation import client as clients
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults as faults_
from tests.unit.simulation import inventory
from tests.unit.simulation import report_checks
from tests.unit.simulation import timeline
from tests.unit.simulation import world

SOURCE = 'cmp01'
HOSTS = ('cmp01', 'cmp02', 'cmp03', 'cmp04')
#: From one drain's stagger to the next one's.
_STAGGER = 0.618


class Killed(BaseException):
    """As kill -9: nobody catches it, and everything in memory is lost."""


class Endless(AssertionError):
    """It takes longer than it may."""


@dataclasses.dataclass
class Interrupt:
    """The first Ctrl-C, when it is asked for."""

    requested: bool = False

    def press(self) -> None:
        """Press it."""
        self.requested = True


class Recorder:
    """Keeps events, decisions and each tick's requests."""

    def __init__(
        self, client: clients.Client, recording: ports.Recording | None = None
    ):
        """:param recording: is told of the same decisions."""
        #: Every decision: when it was made, and of which host.
        self.timed: list[tuple[float, str, decisions.Decision]] = []
        self.decisions: dict[str, list[decisions.Decision]] = {}
        self.troubles: list[str] = []
        self.ended_hosts: list[str] = []
        #: The requests sent before each decision, since the one before.
        self.ticks: list[tuple[str, list[faults_.Request]]] = []
        self._client = client
        self._recording = recording
        self._told = 0

    def publish(self, event: events.Event) -> None:
        """Take note of an event."""
        if isinstance(event, events.Trouble):
            self.troubles.append(event.reason)
        elif isinstance(event, events.HostEnded):
            self.ended_hosts.append(event.host)

    def decided(
        self,
        seen: model.Observation,
        policy: policies.Policy,
        now: float,
        decision: decisions.Decision,
    ) -> None:
        """Take note of a decision."""
        if self._recording:
            self._recording.decided(seen, policy, now, decision)
        host = seen.host
        self.decisions.setdefault(host, []).append(decision)
        self.timed.append((self._client.time, host, decision))
        self.ticks.append((host, self._client.log[self._told :]))
        self._told = len(self._client.log)

    def acted(
        self,
        host: str,
        action: memories.Action,
        outcome: memories.Outcome,
        highest_id: int,
    ) -> None:
        """Take note of what came of an action."""
        if self._recording:
            self._recording.acted(host, action, outcome, highest_id)


@dataclasses.dataclass
class Run:
    """One drain: how it went and how it ended."""

    cloud: clouds.Cloud
    client: clients.Client
    recorder: Recorder
    hosts: tuple[str, ...]
    policy: policies.Policy
    timeout: float | None
    began: float
    #: The servers as they were when it began, by id.
    before: dict[str, world.Server]
    ended: float = 0.0
    #: Of one that was killed there is none.
    outcome: loop.DrainResult | None = None
    #: Ctrl-C was pressed, once or twice.
    interrupted: bool = False
    #: What it saw beforehand, and whether it was to and could not.
    expected: dry_run.DryRun | None = None
    blind: bool = False
    #: What it reported and was not so when it ended.
    untrue_reports: list[str] = dataclasses.field(default_factory=list)

    @property
    def killed(self) -> bool:
        """It did not get to report anything."""
        return self.outcome is None

    @property
    def result(self) -> loop.DrainResult:
        """What it reported."""
        assert self.outcome, 'it was killed'
        return self.outcome

    @property
    def seconds(self) -> float:
        """How long it took, in virtual time."""
        return self.ended - self.began

    @property
    def exit_code(self) -> exceptions.ExitCode:
        """The exit code."""
        return self.result.exit_code

    @property
    def results(self) -> dict[str, str]:
        """What became of each server, by id."""
        return {row.server_id: str(row.result) for row in self.result.rows}

    @property
    def reasons(self) -> dict[str, str]:
        """Why, by the server's id."""
        return {row.server_id: row.reason for row in self.result.rows}

    @property
    def ways(self) -> dict[str, str]:
        """How each server moved, by id."""
        return {row.server_id: row.move for row in self.result.rows}

    @property
    def actor(self) -> world.Actor:
        """Who it is to Nova."""
        return self.client.actor

    def works(
        self, kinds: collections.abc.Container[str] | None = None
    ) -> list[world.Work]:
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


#: Carries out what a run is to do.
Verb = collections.abc.Callable[
    [Run, clouds.Cloud, timeline.VirtualClock, Interrupt], loop.DrainResult
]
#: Returns what a run reported and is not so.
Judge = collections.abc.Callable[[Run], list[str]]


def cloud(
    servers: int = 0,
    vm_state: str = 'active',
    *,
    source: collections.abc.Sequence[str] = (SOURCE,),
    hosts: collections.abc.Sequence[str] = HOSTS,
    seconds: float = 4.0,
    gib: int | dict[str, int] | None = None,
    **options: ty.Any,
) -> clouds.Cloud:
    """Return a cloud with hosts in maintenance and servers on each.

    :param servers: on each of the hosts in maintenance.
    :param seconds: how long a server's memory is copied.
    :param gib: the memory of all hosts, or of some of them.
    :param options: of the cloud: see :class:`state.State`.
    """
    if not isinstance(gib, dict):
        gib = dict.fromkeys(hosts, gib) if gib else {}
    made = clouds.Cloud(hosts, **options)
    for host, size in gib.items():
        memory = {inventory.MEMORY_MB: 1024 * size}
        made.hosts[host].inventory.capacity |= memory
    for host in source:
        for _number in range(servers):
            made.add(host, vm_state, seconds=seconds)
        made.disable(host)
    return made


def run(
    made: clouds.Cloud,
    hosts: collections.abc.Sequence[str] = (SOURCE,),
    *,
    clock: timeline.VirtualClock | None = None,
    faults: faults_.Faults = faults_.none,
    latency: float = 0.1,
    interrupt: Interrupt | None = None,
    timeout: float | None = None,
    policy: policies.Policy | None = None,
    limit: float | None = None,
    kill_after: float | None = None,
    interrupt_after: float | None = None,
    stop_after: float | None = None,
    recording: ports.Recording | None = None,
    guided: bool = False,
    verb: Verb | None = None,
    judge: Judge | None = None,
    **options: ty.Any,
) -> Run:
    """Drain hosts of a cloud.

    All times are seconds from its beginning.

    :param clock: its own, where several share the cloud's timeline.
    :param policy: who we are, and a stagger if it has none, is filled in.
    :param limit: when it must have ended.
    :param kill_after: when it is killed.
    :param interrupt_after: when the user presses Ctrl-C.
    :param stop_after: when he presses it for the second time.
    :param guided: look ahead first, and pick destinations by that; whether
        the servers fit elsewhere does not matter.
    :param verb: what is done instead of draining them.
    :param judge: says what is not so in its report; None: what says that of
        drains.
    :param options: of the policy.
    :raises Endless: it has not ended by its limit.
    """
    clock = clock or timeline.VirtualClock(made.timeline)
    interrupt = interrupt or Interrupt()
    began = clock.now()
    for seconds, error in (
        (limit, Endless(f'it goes on after {limit} s')),
        (kill_after, Killed()),
        (stop_after, KeyboardInterrupt()),
    ):
        if seconds is not None:
            clock.alarm(began + seconds, error)
    if interrupt_after is not None:
        made.timeline.after(interrupt_after, interrupt.press)
    client = clients.Client(made, clock, latency=latency, faults=faults)
    policy = _policy(made, client, policy, options)
    recorder = Recorder(client, recording)
    done = Run(
        *(made, client, recorder, tuple(hosts), policy, timeout, began),
        before=made.copies(),
    )
    drains = functools.partial(_drain, guided=guided)
    try:
        done.outcome = (verb or drains)(done, made, clock, interrupt)
    except Killed:
        done.outcome = None
    finally:
        clock.forget_alarms()
    done.ended = clock.now()
    done.interrupted = interrupt.requested or any(
        isinstance(error, KeyboardInterrupt) for error in clock.raised
    )
    done.untrue_reports = (judge or report_checks.untrue_reports)(done)
    return done


def _drain(
    done: Run,
    made: clouds.Cloud,
    clock: timeline.VirtualClock,
    interrupt: Interrupt,
    *,
    guided: bool,
) -> loop.DrainResult:
    client, policy, recorder = done.client, done.policy, done.recorder
    sources = [made.hosts[host].shown() for host in done.hosts]
    seen, services = None, dict[str, model.Service]()
    if guided:
        seen, services = _look_ahead(client, clock, sources, policy)
        done.dry_run, done.blind = seen, seen is None
        # Of what only the look ahead has shown nothing need be told.
        client.listed.clear()
    board = observer.ServiceBoard(client, clock, services)
    guide = destinations.Destinations(
        client,
        clock,
        recorder,
        board,
        bound=policy.per_destination,
        patience=policy.server_timeout,
        expected=seen,
    )
    return loop.drain(
        sources,
        policy,
        client,
        clock,
        recorder,
        interrupt,
        done.timeout,
        recorder,
        guide,
        board,
    )


def _look_ahead(
    client: clients.Client,
    clock: timeline.VirtualClock,
    sources: collections.abc.Sequence[model.Service],
    policy: policies.Policy,
) -> tuple[dry_run.DryRun | None, dict[str, model.Service]]:
    """Return what is seen beforehand, if anything, and all services."""
    services: dict[str, model.Service] = {}
    with contextlib.suppress(exceptions.CloudError):
        services = {each.host: each for each in client.services()}
        return (
            dry_run.look(client, clock, services, sources, policy),
            services,
        )
    return None, services


def _policy(
    made: clouds.Cloud,
    client: clients.Client,
    policy: policies.Policy | None,
    options: dict[str, ty.Any],
) -> policies.Policy:
    policy = policy or policies.Policy()
    made.drains += 1
    stagger = policy.stagger or (made.drains - 1) * _STAGGER % 1
    return dataclasses.replace(
        policy,
        **{'user_id': client.user_id(), 'stagger': stagger, **options},
    )


def least_seconds(made: clouds.Cloud, host: str = SOURCE) -> float:
    """Return how long it takes if all is asked for at once.

    Only for hosts with nothing but servers to be live-migrated.
    """
    began = made.timeline.now
    for server in list(made.servers.values()):
        if server.host == host:
            made.live_migrate(server.id)
    while made.timeline.run_next():
        pass
    return last_arrival(made) - began


def last_arrival(made: clouds.Cloud) -> float:
    """Return when the last live migration was completed."""
    return max(
        record.updated_at or 0.0
        for record in made.records.values()
        if record.status == 'completed'
    )


def empty(made: clouds.Cloud, host: str = SOURCE) -> bool:
    """Tell whether nothing of any server is left on a host, in truth."""
    return not report_checks.left_on(made, host)


def moves(made: clouds.Cloud) -> dict[str, int]:
    """Return how often each server changed its host, by id."""
    return {
        server.id: len(server.path)
        for server in made.servers.values()
        if not server.deleted
    }
