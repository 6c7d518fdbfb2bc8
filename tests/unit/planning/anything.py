#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Clouds that no cloud would ever show, and any answer to any request.

A run is a few looks at such a cloud, with the memory that arises from the
decisions and answers before each.
"""

import dataclasses

from hypothesis import strategies

from osc_hostmaint import model
from osc_hostmaint.planning import decide
from osc_hostmaint.planning import decision as decisions
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from tests.unit import builders

IDS = ('vm1', 'vm2', 'vm3', 'vm4')
#: Seconds between two looks, sometimes.
STEP = 7.0

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
_POWER_STATES = (None, *model.PowerState)
_HOME = 'cmp09'
_DEEDS = ('resume', 'resume', 'live-migration', 'suspend', 'stop')

_PLACES = strategies.sampled_from(
    [(_ELSEWHERE, builders.DEST)] * 4 + [(_HERE, builders.HOST)]
)
_maybe = strategies.booleans()
DRAIN = policies.Policy()
_ago = strategies.sampled_from([0.0, 0.0, 0.1, 3.0, 20.0, 70.0])

POLICIES = strategies.builds(
    policies.Policy,
    running=strategies.sampled_from(policies.Running),
    stopped=strategies.sampled_from(policies.Stopped),
    suspended=strategies.sampled_from(
        [*policies.Suspended, policies.Suspended.RESUME]
    ),
    shelved=strategies.sampled_from(policies.Shelved),
    resized=strategies.sampled_from(policies.Resized),
    to=strategies.sampled_from(['', 'cmp07']),
    parallel=strategies.none() | strategies.integers(1, 4),
    retries=strategies.integers(0, 2),
    on_stall=strategies.sampled_from(policies.OnStall),
    stall_after=strategies.sampled_from([600.0, 5.0]),
    server_timeout=strategies.sampled_from([None, None, 5.0, 60.0]),
    user_id=strategies.sampled_from(['', 'us']),
    stagger=strategies.sampled_from([0.0, 0.5, 1.0]),
    stop=strategies.sampled_from(['', '', '', 'interrupted']),
    settled_from=strategies.sampled_from([0.0, 0.0, builders.NOW + STEP]),
)

#: Of hosts that have died.
EVACUATING = strategies.builds(
    dataclasses.replace,
    POLICIES,
    evacuate=strategies.just(True),
    leave_stopped=strategies.booleans(),
)
#: Of ways home.
RETURNING = strategies.builds(
    dataclasses.replace,
    POLICIES,
    only=strategies.frozensets(strategies.sampled_from(IDS), min_size=1),
    home=strategies.just(_HOME),
    to=strategies.just(_HOME),
    since=strategies.just(builders.SINCE),
)


@strategies.composite
def _servers(draw, server_id, statuses, host, seen_at):
    status = draw(strategies.sampled_from(statuses))
    task = draw(strategies.sampled_from(_TASKS))
    nowhere = status in ('SHELVED_OFFLOADED', 'DELETED')
    return builders.server(
        server_id,
        status,
        host=None if nowhere else host,
        task_state=builders.TASK_STATES.get(status, task),
        power_state=draw(strategies.sampled_from(_POWER_STATES)),
        updated_at=draw(
            strategies.sampled_from([None, builders.cloud_time(90)])
        ),
        seen_at=seen_at,
    )


@strategies.composite
def _new_records(draw, record_id, server_ids, now, policy):
    more = ('evacuation',) * 4 if policy.evacuate else ()
    kind = draw(strategies.sampled_from(_TYPES + more))
    leaving = draw(strategies.sampled_from([True, True, True, False]))
    there = draw(strategies.sampled_from([policy.home, builders.DEST]))
    ends = (builders.HOST, there or builders.DEST)
    return builders.migration(
        record_id,
        draw(strategies.sampled_from(_RECORD_STATUSES[kind])),
        draw(strategies.sampled_from(server_ids)),
        type=kind,
        source=ends[not leaving],
        dest=ends[leaving],
        created_at=builders.cloud_time(
            draw(strategies.sampled_from([-600, 60, 60]))
        ),
        seen_at=now - draw(_ago),
    )


@strategies.composite
def _records(draw, before, now, policy):
    """Return records: some of those before, further on, and new ones.

    As in Nova, what has ended stays so, and a server has one at a time that
    has not.
    """
    records = []
    for record in before:
        if record.ended_well or record.ended_badly or draw(_maybe):
            records.append(record)
            continue
        status = draw(strategies.sampled_from(_RECORD_STATUSES[record.type]))
        if status == record.status:
            records.append(record)
            continue
        records.append(dataclasses.replace(record, status=status, seen_at=now))
    for record_id in range(len(before), draw(strategies.integers(0, 6))):
        open_ = {
            r.server_id for r in records if not (r.ended_well or r.ended_badly)
        }
        free = [i for i in IDS if i not in open_]
        if free:
            new = _new_records(record_id + 1, free, now, policy)
            records.append(draw(new))
    return records


@strategies.composite
def _histories(draw):
    """Return what was done to a server, by us, its owner or an operator."""
    return tuple(
        model.Deed(
            draw(strategies.sampled_from(_DEEDS)),
            draw(strategies.sampled_from(['us', 'its owner'])),
            draw(strategies.sampled_from(['', 'operators'])),
            builders.cloud_time(seconds),
        )
        for seconds in draw(
            strategies.sampled_from([(), (-60,), (60,), (60, 120)])
        )
    )


def _services(policy):
    """Return the service of the host that is emptied."""
    rarely = strategies.sampled_from([False] * 5 + [True])
    if not policy.evacuate:
        return strategies.builds(
            builders.service,
            up=strategies.sampled_from([True, True, True, False]),
            enabled=rarely,
        )
    return strategies.builds(
        builders.dead,
        up=rarely,
        enabled=rarely,
        updated_at=strategies.sampled_from([0, 0, 0, 0, 10]).map(
            builders.cloud_time
        ),
    )


def _homes(policy):
    """Return the service of the host that servers are brought to."""
    if not policy.home:
        return strategies.none()
    home = builders.service(host=_HOME, enabled=True)
    unfit = dataclasses.replace(home, up=False)
    return strategies.sampled_from([home] * 5 + [unfit, None])


@strategies.composite
def observations(draw, before, known, now, policy=DRAIN):
    """Return a look at the host.

    :param before: the records as they were at the look before.
    :param known: servers that were decided on before.
    :param policy: what the operator asked for.
    """
    # In an order that is the same on every run, as that of a set is not.
    some = strategies.lists(strategies.sampled_from(IDS), unique=True)
    # The list stamps all the servers it shows.
    servers_at = now - draw(_ago)
    listed = [
        draw(_servers(i, _HERE, builders.HOST, servers_at))
        for i in draw(strategies.just(()) | some)
    ]
    # Whom a list shows for the first time is decided on before a visit.
    new = {s.id for s in listed} - known
    visited = []
    for server_id in draw(strategies.just(IDS) | some):
        seen_at = now - draw(_ago)
        visited.append(
            draw(
                _servers(
                    server_id,
                    *draw(_PLACES),
                    min(seen_at, servers_at) if server_id in new else seen_at,
                )
            )
        )
    records = draw(_records(before, now, policy))
    consumers = strategies.sampled_from([*IDS, 'x', 'uuid of migration 1'])
    return builders.observation(
        listed,
        records,
        visited,
        consumers=draw(
            strategies.just(frozenset())
            | strategies.none()
            | strategies.frozensets(consumers, min_size=1)
        ),
        servers_at=servers_at,
        consumers_at=now - draw(_ago),
        service_at=now - draw(_ago),
        migrations_at=now,
        failures={
            r.id: 'No valid host was found' for r in records if draw(_maybe)
        },
        progress={
            r.id: model.Progress(draw(strategies.integers(0, 9)), 9, now)
            for r in records
            if r.in_flight and r.type == 'live-migration' and draw(_maybe)
        },
        histories={i: draw(_histories()) for i in draw(some)},
        down=draw(
            strategies.sampled_from(
                [frozenset(), frozenset(), frozenset({builders.DEST})]
            )
        ),
        service=draw(_services(policy)),
        home=draw(_homes(policy)),
    )


@dataclasses.dataclass
class Step:
    """One decision of a run, and what it was taken from."""

    seen: model.Observation
    policy: policies.Policy
    memory: memories.Memory
    now: float

    def decide(self, **options: object) -> decisions.Decision:
        """Return the decision.

        :param options: of the policy, where they are to be others.
        """
        policy = dataclasses.replace(self.policy, **options)
        return decide.decide(self.seen, policy, self.memory, self.now)


@strategies.composite
def runs(draw, how=POLICIES):
    """Return some decisions, each with the memory of those before it."""
    steps, memory, now = [], memories.Memory(), builders.NOW
    records = []
    policy = draw(how)
    for _tick in range(draw(strategies.integers(1, 4))):
        seen = draw(observations(records, set(memory.tracks), now, policy))
        records = list(seen.migrations.values())
        step = Step(seen, policy, memory, now)
        steps.append(step)
        found = step.decide()
        memory = found.memory
        for action in found.actions:
            outcome = memories.Outcome(
                draw(strategies.sampled_from(list(memories.Answer))),
                now + 0.1,
                'Nova says no',
                draw(_maybe),
            )
            highest = max(seen.migrations, default=0)
            memory = memory.after(action, outcome, highest)
        now += draw(strategies.sampled_from([1.0, STEP, 40.0]))
    return steps
