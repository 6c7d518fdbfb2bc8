# SPDX-License-Identifier: Apache-2.0

"""What the simulated cloud consists of."""

import collections
import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint import nova_states
from tests.unit.simulation import hosts
from tests.unit.simulation import inventory as inventories
from tests.unit.simulation import outcomes as outcomes_
from tests.unit.simulation import statuses
from tests.unit.simulation import timeline

MoveOutcome, Effect = outcomes_.MoveOutcome, outcomes_.Effect
Refusal = outcomes_.Refusal
Host = hosts.Host

EPOCH, utc = timeline.EPOCH, timeline.utc


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
    #: From there until the guest runs that is slow to.
    wakes_late_after: float = 8.0
    #: From the record's end to that of the allocation on the source.
    tidy: float = 0.2
    #: From the cold record's end to the server's VERIFY_RESIZE.
    finish: float = 0.1
    #: How long a confirmation takes until its record says so.
    confirm: float = 0.3
    #: From a confirmed record to the server's last status.
    settle: float = 1.0
    #: From a server at rest after a roll-back to its record's end.
    roll_back: float = 0.1
    #: Until a migration that runs has been aborted, or forced to an end.
    abort: float = 0.3
    build: float = 1.5
    #: To resume, suspend, pause, stop, start, reboot or offload.
    task: float = 0.8
    #: From SHELVED_OFFLOADED to a server on no host.
    detach: float = 0.1
    #: Until a compute service without heartbeats is called down.
    heartbeat: float = 60.0
    #: Until a call of a compute service that is dead is given up.
    rpc: float = 60.0
    #: Two confirmations that come within this time both pass.
    blind: float = 0.05


@dataclasses.dataclass(eq=False)
class Actor:
    """Somebody who asks Nova for something; each run is one of its own."""

    #: May do what takes an administrator, and pass a lock.
    admin: bool = False
    #: Runs a drain.
    ours: bool = False
    #: What is taken from him now was sent long ago.
    late: bool = False
    #: He did not get an answer to everything.
    hindered: bool = False


#: Another operator, with tools of his own.
COLLEAGUE = Actor(admin=True)


def operator() -> Actor:
    """Return who runs a drain, another one for each run."""
    return Actor(admin=True, ours=True)


def _no_needs() -> model.Needs:
    return model.Needs(zone_known=True, grouped=False)


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
    project_id: str = 'tenant'
    locked: bool = False
    deleted: bool = False
    #: With the tag of those that are resumed to be moved.
    tagged: bool = False
    #: What its owner wants of a drain.
    wish: str = ''
    #: Its row of ``request_specs`` is no JSON.
    unreadable: bool = False
    #: Whether its guest runs, as its host last told
    #: (``nova_states.PowerState``); None: as its state says.
    power_state: int | None = None
    #: Its disk is a volume: to be shelved it needs no image.
    volume_backed: bool = False
    #: What it takes of a host; None: what a server of its memory does.
    room: inventories.Amounts | None = None
    needs: model.Needs = dataclasses.field(default_factory=_no_needs)
    #: How long the copying takes: of its memory, its disk or an image.
    seconds: float = 4.0
    #: What becomes of its moves, in turn; then they go well.
    outcomes: collections.deque[MoveOutcome] = dataclasses.field(
        default_factory=collections.deque
    )
    #: So many of its next live migrations that come to run never converge.
    stuck: int = 0
    #: What becomes of what else it is asked for, in turn, by the gateway's
    #: method: resume, suspend, shelve, offload, confirm, abort,
    #: force_complete; then it goes well.
    effects: dict[str, collections.deque[Effect]] = dataclasses.field(
        default_factory=dict
    )
    #: What Nova answers to requests, in turn; then it takes them. A text
    #: alone is the answer to a migration.
    refusals: collections.deque[str | Refusal] = dataclasses.field(
        default_factory=collections.deque
    )
    #: The state to come back to after a cold migration.
    old_state: str = ''
    #: The state that others than us last brought it to; '' until it is
    #: known.
    wanted: str = ''
    #: How many of its moves did not go well.
    failures: int = 0
    #: The hosts it has been moved to.
    path: list[str] = dataclasses.field(default_factory=list)
    #: What was asked of it, and taken.
    instance_actions: list[model.InstanceAction] = dataclasses.field(
        default_factory=list
    )
    #: When anything about it last changed.
    changed_at: float = timeline.START - 3600
    #: What is being done to it, or was last.
    work: 'Work | None' = None
    #: The evacuation that last brought it to another host.
    evacuation: 'Work | None' = None

    def __post_init__(self) -> None:
        self.outcomes = collections.deque(self.outcomes)
        self.refusals = collections.deque(
            Refusal(each) if isinstance(each, str) else each
            for each in self.refusals
        )
        self.effects = {
            kind: collections.deque(effects)
            for kind, effects in self.effects.items()
        }
        if self.power_state is None:
            power = statuses.power(self.vm_state)
            running = nova_states.PowerState.RUNNING
            self.power_state = running if power is None else power

    @property
    def status(self) -> str:
        """The API's status, which follows from the states."""
        return statuses.status(self.vm_state, self.task_state)

    @property
    def owner(self) -> Actor:
        return Actor()

    @property
    def amounts(self) -> inventories.Amounts:
        """What it takes of the host that it is on."""
        if self.room is not None:
            return self.room
        return inventories.needed(
            self.memory_mb, volume_backed=self.volume_backed
        )

    def outcome(self) -> MoveOutcome:
        """Return what is to become of its next move."""
        return self.outcomes.popleft() if self.outcomes else MoveOutcome.WELL

    def effect(self, kind: str) -> Effect:
        """Return what is to become of the next request of a kind."""
        effects = self.effects.get(kind)
        return effects.popleft() if effects else Effect.WELL

    def refusal(self, kind: str) -> Refusal | None:
        """Return the answer to the next request of a kind, if any."""
        for number, refusal in enumerate(self.refusals):
            if kind == refusal.kind or (not refusal.kind and kind in MOVES):
                del self.refusals[number]
                return refusal
        return None

    def shown(self) -> model.Server:
        """Return it as GET /servers/detail shows it on a host."""
        return model.Server(
            id=self.id,
            name=self.name,
            status=self.status,
            vm_state=self.vm_state,
            task_state=self.task_state,
            host=self.host,
            power_state=self.power_state,
            addresses=self.addresses,
            memory_mb=self.memory_mb,
            local_disk=not self.volume_backed,
            project_id=self.project_id,
            updated_at=utc(self.changed_at),
            tagged=self.tagged,
            wish=self.wish,
            needs=self.needs,
        )


#: What brings a server into another state for good.
_DECISIVE = frozenset(
    'create resume suspend pause unpause stop start shelve offload '
    'soft_delete evacuate'.split()
)
#: The gateway's methods that begin a migration.
MOVES = frozenset({'live_migrate', 'cold_migrate', 'evacuate'})


@dataclasses.dataclass(eq=False)
class Work:
    """Something that Nova has taken, and is at, or has been."""

    #: The gateway's method, or what else it is called.
    kind: str
    server: Server
    by: Actor
    began: float
    #: When nothing of it went on any more; None while something does.
    ended: float | None = None
    #: It came to what was asked for; None while that is open.
    well: bool | None = None
    #: Where the server was when it began.
    source: str | None = dataclasses.field(init=False)
    record: 'Record | None' = None
    #: It was sent long before it was taken.
    late: bool = dataclasses.field(init=False)
    #: The only destination that was asked for, '' if it was left open.
    asked: str = ''
    #: The destination, and when it was chosen.
    dest: str | None = None
    placed_at: float = 0.0
    #: The destination was being drained when it was chosen.
    misplaced: bool = False
    #: The members of its group that it is not to be with there.
    clashes: frozenset[str] = frozenset()
    process: timeline.Process | None = None
    #: The hosts whose nova-compute is at it; none while the conductor is.
    at: frozenset[str] = frozenset()
    #: What a live migration under way is to do: '', 'abort' or 'complete'.
    wish: str = ''
    #: Its destination died, and it hangs; or has, and came back.
    hung: bool = False
    cut: bool = False
    #: It never converges.
    stuck: bool = False
    #: Since when memory has been copied.
    runs_since: float | None = None
    #: The server's state when it began.
    found: str = dataclasses.field(init=False)
    #: Of an evacuation: it was to stay stopped; the guest ran before; it has
    #: been made anew; the old one was destroyed since.
    stops: bool = False
    was_on: bool = False
    spawned: bool = False
    cleaned: bool = False
    #: Of an evacuation: for how long the source's nova-compute had been
    #: running when it began, in seconds; None: it was dead.
    alive_for: float | None = None

    def __post_init__(self) -> None:
        self.source, self.found = self.server.host, self.server.vm_state
        self.late = self.by.late

    @property
    def until(self) -> float:
        """When it ended; what has not goes on for ever."""
        return timeline.FOREVER if self.ended is None else self.ended

    @property
    def dead(self) -> bool:
        """It has not ended, and nobody is at it any more."""
        process = self.process
        return self.ended is None and (process is None or process.ended)

    def finish(self, now: float, *, well: bool) -> None:
        if self.ended is None:
            self.ended, self.well = now, well
        if well and not self.by.ours and self.kind in _DECISIVE:
            self.server.wanted = self.server.vm_state

    def wake(self) -> None:
        if self.process:
            self.process.wake()

    def reach(self, host: Host) -> timeline.Steps:
        """Let a host's nova-compute be at it, as soon as that runs."""
        yield from host.gate.passed()
        self.at = frozenset({host.name})


#: Nova keeps no reason.
_UNKNOWN = model.Failure()


@dataclasses.dataclass(eq=False)
class Record:
    id: int
    uuid: str
    server: Server
    type: str
    status: str
    source: str
    created_at: float
    by: Actor
    dest: str | None = None
    #: None: never updated; `changes-since` leaves it out.
    updated_at: float | None = None
    failure: model.Failure = _UNKNOWN
    #: The confirmations that Nova has taken: when.
    confirmations: list[float] = dataclasses.field(default_factory=list)
    _shown: model.Migration | None = None

    def change(self, now: float, changes: dict[str, ty.Any]) -> None:
        for name, value in changes.items():
            setattr(self, name, value)
        self.updated_at = now
        self._shown = None

    def shown(self) -> model.Migration:
        """Return it as GET /os-migrations shows it."""
        if self._shown is None:
            self._shown = model.Migration(
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
        return self._shown
