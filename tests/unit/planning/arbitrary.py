# SPDX-License-Identifier: Apache-2.0

"""Clouds that no cloud would ever show, and any answer to any request.

A run is a few looks at such a cloud, with the memory that arises from the
decisions and answers before each. All is drawn from a seed: the same seed,
the same run.
"""

from collections import abc
import dataclasses
import functools
import random
import typing as ty

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.host import decide
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders

IDS = ('vm1', 'vm2', 'vm3', 'vm4')
#: Seconds between two looks, sometimes.
STEP = 7.0
#: Of a cloud where nothing happens any more: seconds from look to look, and
#: enough looks for all that may follow one on the other.
QUIET_STEP, QUIET_LOOKS = 20.0, 180

_HERE = (
    *('ACTIVE', 'ACTIVE', 'SHUTOFF', 'SHUTOFF', 'PAUSED', 'SUSPENDED'),
    *('SUSPENDED', 'SHELVED', 'VERIFY_RESIZE', 'ERROR', 'BUILD', 'MIGRATING'),
    *('RESIZE', 'REVERT_RESIZE', 'REBUILD', 'TOMORROW'),
)
_ELSEWHERE = (
    *('ACTIVE', 'ACTIVE', 'SHUTOFF', 'SUSPENDED', 'MIGRATING', 'RESIZE'),
    *('VERIFY_RESIZE', 'SHELVED_OFFLOADED', 'DELETED', 'BUILD'),
)
_TASKS = (
    *(None, None, None, None, None, 'resuming', 'suspending', 'shelving'),
    *('shelving_offloading', 'deleting'),
)
_LIVE_STATUSES = (
    *('accepted', 'queued', 'preparing', 'running', 'running', 'completed'),
    *('completed', 'error', 'failed', 'cancelled', 'tomorrow'),
)
_COLD_STATUSES = (
    *('pre-migrating', 'migrating', 'finished', 'finished', 'finished'),
    *('confirming', 'confirmed', 'confirmed', 'reverting', 'reverted'),
    *('error', 'done'),
)
_RECORD_STATUSES = {
    'live-migration': _LIVE_STATUSES,
    'migration': _COLD_STATUSES,
    'resize': _COLD_STATUSES,
    'evacuation': (
        *('accepted', 'pre-migrating', 'pre-migrating', 'done', 'done'),
        *('error', 'failed', 'completed', 'tomorrow'),
    ),
}
_TYPES = ('live-migration', 'live-migration', 'migration', 'resize')
_POWER_STATES = (None, *nova_states.PowerState)
_HOME = 'cmp09'
_INSTANCE_ACTIONS = ('resume', 'resume', 'live-migration', 'suspend', 'stop')

_PLACES = [(_ELSEWHERE, builders.DEST)] * 4 + [(_HERE, builders.HOST)]
_AGO = (0.0, 0.0, 0.1, 3.0, 20.0, 70.0)
DRAIN = policies.Policy()

Draw = abc.Callable[[random.Random], policies.Policy]


def _maybe(rng: random.Random) -> bool:
    return rng.random() < 0.5


def some_of(rng: random.Random, items: ty.Sequence[str]) -> list[str]:
    """Return some of the items, in any order; often none, or all."""
    return rng.sample(items, rng.choice((0, 0, *range(len(items) + 1))))


def draining(rng: random.Random) -> policies.Policy:
    """Return what may be asked for of a drain."""
    resume = policies.Suspended.RESUME
    return policies.Policy(
        running=rng.choice(list(policies.Running)),
        stopped=rng.choice(list(policies.Stopped)),
        suspended=rng.choice([*policies.Suspended, resume]),
        shelved=rng.choice(list(policies.Shelved)),
        resized=rng.choice(list(policies.Resized)),
        to=rng.choice(['', 'cmp07']),
        parallel=rng.choice([None, None, 1, 2, 3, 4]),
        retries=rng.randint(0, 2),
        on_stall=rng.choice(list(policies.OnStall)),
        stall_after=rng.choice([600.0, 5.0]),
        server_timeout=rng.choice([None, None, 5.0, 60.0]),
        stagger=rng.choice([0.0, 0.5, 1.0]),
        stop=rng.choice([None] * 3 + [builders.INTERRUPTED]),
        settled_from=rng.choice([0.0, 0.0, builders.NOW + STEP]),
    )


def resuming(rng: random.Random) -> policies.Policy:
    """Return what may be asked for where suspended servers are resumed."""
    return dataclasses.replace(
        draining(rng), suspended=policies.Suspended.RESUME
    )


def evacuating(rng: random.Random) -> policies.Policy:
    """Return what may be asked for of a host that has died."""
    return dataclasses.replace(
        draining(rng), evacuate=True, leave_stopped=_maybe(rng)
    )


def returning(rng: random.Random) -> policies.Policy:
    """Return what may be asked for of a way home."""
    return dataclasses.replace(
        draining(rng),
        only=frozenset(rng.sample(IDS, rng.randint(1, len(IDS)))),
        home=_HOME,
        to=_HOME,
        since=builders.SINCE,
    )


def _server(rng, server_id, place, seen_at, tagged) -> model.Server:
    statuses, host = place
    status = rng.choice(statuses)
    nowhere = status in ('SHELVED_OFFLOADED', 'DELETED')
    return builders.server(
        server_id,
        status,
        host=None if nowhere else host,
        task_state=builders.TASK_STATES.get(status, rng.choice(_TASKS)),
        power_state=rng.choice(_POWER_STATES),
        tagged=rng.random() < tagged,
        updated_at=rng.choice([None, builders.cloud_time(90)]),
        seen_at=seen_at,
    )


def _new_record(rng, record_id, server_id, now, policy) -> model.Migration:
    more = ('evacuation',) * 4 if policy.evacuate else ()
    kind = rng.choice(_TYPES + more)
    leaving = rng.random() < 0.75
    there = rng.choice([policy.home, builders.DEST])
    ends = (builders.HOST, there or builders.DEST)
    return builders.migration(
        record_id,
        rng.choice(_RECORD_STATUSES[kind]),
        server_id,
        type=kind,
        source=ends[not leaving],
        dest=ends[leaving],
        created_at=builders.cloud_time(rng.choice([-600, 60, 60])),
        seen_at=now - rng.choice(_AGO),
    )


def _records(rng, before, now, policy) -> list[model.Migration]:
    """Return records: some of those before, further on, and new ones.

    As in Nova, what has ended stays so, and a server has one at a time that
    has not.
    """
    records = []
    for record in before:
        if not (record.ended_well or record.ended_badly or _maybe(rng)):
            status = rng.choice(_RECORD_STATUSES[record.type])
            if status != record.status:
                record = dataclasses.replace(
                    record, status=status, seen_at=now
                )
        records.append(record)
    for record_id in range(len(before), rng.randint(0, 6)):
        open_ = {
            r.server_id for r in records if not (r.ended_well or r.ended_badly)
        }
        free = [i for i in IDS if i not in open_]
        if free:
            records.append(
                _new_record(rng, record_id + 1, rng.choice(free), now, policy)
            )
    return records


def _history(rng: random.Random) -> tuple[model.InstanceAction, ...]:
    """Return what was done to a server, by us, its owner or an operator."""
    times = rng.choice([(), (-60,), (60,), (60, 120)])
    return tuple(
        model.InstanceAction(
            rng.choice(_INSTANCE_ACTIONS), builders.cloud_time(seconds)
        )
        for seconds in times
    )


def _service(rng: random.Random, policy: policies.Policy) -> model.Service:
    """Return the service of the host that is emptied."""
    enabled = rng.random() < 0.15
    if not policy.evacuate:
        return builders.service(up=rng.random() < 0.75, enabled=enabled)
    return builders.dead(
        up=rng.random() < 0.15,
        enabled=enabled,
        updated_at=builders.cloud_time(rng.choice([0, 0, 0, 0, 10])),
    )


def _home(rng: random.Random, policy: policies.Policy) -> model.Service | None:
    """Return the service of the host that servers are brought to."""
    if not policy.home:
        return None
    home = builders.service(host=_HOME, enabled=True)
    unfit = dataclasses.replace(home, up=False)
    return rng.choice([home] * 5 + [unfit, None])


def _consumers(rng: random.Random) -> frozenset[str] | None:
    """Return what holds allocations on the host."""
    known = [*IDS, 'x', 'uuid of migration 1']
    held = frozenset(rng.sample(known, rng.randint(1, len(known))))
    return rng.choice([frozenset(), None, held])


def observation(
    rng, before=(), known=frozenset(), now=builders.NOW, policy=DRAIN
) -> model.Observation:
    """Return a look at the host after one that had records, and servers."""
    # Of a host that has died nothing but evacuations is looked at.
    tagged = 0.0 if policy.evacuate else 0.15
    # The list stamps all the servers it shows.
    servers_at = now - rng.choice(_AGO)
    listed = [
        _server(rng, i, (_HERE, builders.HOST), servers_at, tagged)
        for i in some_of(rng, IDS)
    ]
    # Whom a list shows for the first time is decided on before a visit.
    new = {s.id for s in listed} - known
    visited = []
    for server_id in rng.choice([list(IDS), some_of(rng, IDS)]):
        seen_at = now - rng.choice(_AGO)
        if server_id in new:
            seen_at = min(seen_at, servers_at)
        place = rng.choice(_PLACES)
        visited.append(_server(rng, server_id, place, seen_at, tagged))
    records = _records(rng, before, now, policy)
    return builders.observation(
        listed,
        records,
        visited,
        consumers=_consumers(rng),
        servers_at=servers_at,
        consumers_at=now - rng.choice(_AGO),
        service_at=now - rng.choice(_AGO),
        migrations_at=now,
        failures={
            r.id: 'No valid host was found' for r in records if _maybe(rng)
        },
        failed_on={
            r.id: frozenset(some_of(rng, (builders.DEST, 'x')))
            for r in records
        },
        progress={
            r.id: model.Progress(rng.randint(0, 9), 9, now)
            for r in records
            if r.in_flight and r.type == 'live-migration' and _maybe(rng)
        },
        histories={i: _history(rng) for i in some_of(rng, IDS)},
        down=frozenset({builders.DEST} if rng.random() < 0.3 else ()),
        service=_service(rng, policy),
        home=_home(rng, policy),
    )


@dataclasses.dataclass
class Step:
    """One decision of a run, and what it was taken from."""

    seen: model.Observation
    policy: policies.Policy
    memory: memories.HostMemory
    now: float

    def decide(self, **options: object) -> decisions.Decision:
        """Return the decision, with other options if need be."""
        policy = dataclasses.replace(self.policy, **options)
        return decide.decide(
            self.seen, requested.operation(policy), self.memory, self.now
        )

    @functools.cached_property
    def found(self) -> decisions.Decision:
        """Return the decision."""
        return self.decide()

    @functools.cached_property
    def left(self) -> decisions.Decision:
        """Return the decision where it is not to be awaited any longer."""
        return self.decide(stop=builders.LATE, abandon=builders.LATE)


def run(seed: int, how: Draw = draining) -> list[Step]:
    """Return some decisions, each with the memory of those before it."""
    rng = random.Random(seed)
    steps: list[Step] = []
    memory, now = memories.HostMemory(), builders.NOW
    records: list[model.Migration] = []
    policy = how(rng)
    for _tick in range(rng.randint(1, 4)):
        seen = observation(rng, records, set(memory.servers), now, policy)
        records = list(seen.migrations.values())
        step = Step(seen, policy, memory, now)
        steps.append(step)
        memory = step.found.memory
        for action in step.found.actions:
            outcome = memories.Outcome(
                rng.choice(list(memories.SendStatus)),
                now + 0.1,
                'Nova says no',
                _maybe(rng),
            )
            highest = max(seen.migrations, default=0)
            memory = memory.after(action, outcome, highest)
        now += rng.choice([1.0, STEP, 40.0])
    return steps


def settle(
    step: Step, answer: memories.SendStatus = memories.SendStatus.ACCEPTED
) -> decisions.Decision:
    """Go on where nothing happens any more; return the last decision."""
    memory, now = step.memory, step.now
    visit, trace, history = set(), set(), set()
    for _look in range(QUIET_LOOKS):
        seen = _later(step.seen, visit, trace, history, now)
        found = Step(seen, step.policy, memory, now).found
        memory, query = found.memory, found.query
        if found.done:
            break
        visit |= query.visit
        trace |= query.trace
        history |= query.history
        outcome = memories.Outcome(answer, now, 'Nova says no')
        highest = max(seen.migrations, default=0)
        for action in found.actions:
            memory = memory.after(action, outcome, highest)
        now += QUIET_STEP
    return found


def _later(first, visit, trace, history, now) -> model.Observation:
    """Return a later look at a cloud that is as it was at first."""

    def seen(things: ty.Mapping[ty.Any, ty.Any]) -> dict[ty.Any, ty.Any]:
        return {
            key: dataclasses.replace(thing, seen_at=now)
            for key, thing in things.items()
        }

    known = {**first.visited, **first.servers}
    deleted = {i: builders.server(i, 'DELETED') for i in visit}
    return dataclasses.replace(
        first,
        servers=seen(first.servers),
        visited=seen(
            {i: {**deleted, **known}[i] for i in {*first.visited, *visit}}
        ),
        progress=seen(first.progress),
        servers_at=now,
        service_at=now,
        migrations_at=now,
        consumers=first.consumers or frozenset(),
        traced=frozenset(trace),
        consumers_at=now,
        failures=dict.fromkeys(first.migrations, 'why'),
        histories={**dict.fromkeys(history, ()), **first.histories},
    )
