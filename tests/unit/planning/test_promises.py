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

"""What a decision never does, whatever was observed.

Clouds that no cloud would ever show are looked at several times over, and
whatever is asked for gets any answer. The promises must hold all the same.
"""

import collections
import copy
import dataclasses
import unittest

import hypothesis
from hypothesis import strategies

from osc_hostmaint import model
from osc_hostmaint.planning import decide
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import pace
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import tracks
from osc_hostmaint.planning import window
from tests.unit import builders

IDS = ('vm1', 'vm2', 'vm3', 'vm4')
HERE = (
    *('ACTIVE', 'ACTIVE', 'SHUTOFF', 'SHUTOFF', 'PAUSED', 'SUSPENDED'),
    *('ERROR', 'BUILD', 'MIGRATING', 'RESIZE', 'REVERT_RESIZE', 'TOMORROW'),
)
ELSEWHERE = (
    *('ACTIVE', 'ACTIVE', 'SHUTOFF', 'MIGRATING', 'RESIZE', 'VERIFY_RESIZE'),
    *('SHELVED_OFFLOADED', 'DELETED', 'BUILD'),
)
LIVE_STATUSES = (
    *('accepted', 'queued', 'preparing', 'running', 'completed', 'error'),
    *('completed', 'failed', 'cancelled', 'tomorrow'),
)
COLD_STATUSES = (
    *('pre-migrating', 'migrating', 'finished', 'finished', 'finished'),
    *('confirming', 'confirmed', 'confirmed', 'reverting', 'reverted'),
    *('error', 'done'),
)
RECORD_STATUSES = {
    'live-migration': LIVE_STATUSES,
    'migration': COLD_STATUSES,
    'resize': COLD_STATUSES,
}
STEP = 7.0

_maybe = strategies.booleans()
_times = strategies.sampled_from([0.0, 0.0, 0.1, 3.0, 20.0, 70.0])
_policies = strategies.builds(
    policies.Policy,
    parallel=strategies.none() | strategies.integers(1, 4),
    retries=strategies.integers(0, 2),
    stop=strategies.sampled_from(['', '', '', 'interrupted']),
    settled_from=strategies.sampled_from([0.0, 0.0, builders.NOW + STEP]),
)


@strategies.composite
def _new_records(draw, record_id, server_ids, now):
    kind = draw(
        strategies.sampled_from(
            ['live-migration', 'live-migration', 'migration', 'resize']
        )
    )
    leaving = draw(strategies.sampled_from([True, True, True, False]))
    ends = (builders.HOST, builders.DEST)
    return builders.migration(
        record_id,
        draw(strategies.sampled_from(RECORD_STATUSES[kind])),
        draw(strategies.sampled_from(server_ids)),
        type=kind,
        source=ends[not leaving],
        dest=ends[leaving],
        created_at=builders.cloud_time(
            draw(strategies.sampled_from([-600, 60, 60]))
        ),
        seen_at=now - draw(_times),
    )


@strategies.composite
def _records(draw, before, now):
    """Return records: some of those before, further on, and new ones.

    As in Nova, what has ended stays so, and a server has one at a time that
    has not.
    """
    records = []
    for record in before:
        if record.ended_well or record.ended_badly or draw(_maybe):
            records.append(record)
            continue
        status = draw(strategies.sampled_from(RECORD_STATUSES[record.type]))
        records.append(dataclasses.replace(record, status=status, seen_at=now))
    for record_id in range(len(before), draw(strategies.integers(0, 6))):
        open_ = {
            r.server_id for r in records if not (r.ended_well or r.ended_badly)
        }
        free = [i for i in IDS if i not in open_]
        if free:
            records.append(draw(_new_records(record_id, free, now)))
    return records


@strategies.composite
def _observations(draw, before, now):
    some = strategies.sets(strategies.sampled_from(IDS))
    listed = [
        builders.server(
            i,
            draw(strategies.sampled_from(HERE)),
            seen_at=now - draw(_times),
        )
        for i in draw(strategies.just(set()) | some)
    ]
    visited = [
        builders.server(
            i,
            status := draw(strategies.sampled_from(ELSEWHERE)),
            host=None
            if status in ('SHELVED_OFFLOADED', 'DELETED')
            else builders.DEST,
            seen_at=now - draw(_times),
        )
        for i in draw(strategies.just(set(IDS)) | some)
    ]
    records = draw(_records(before, now))
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
        servers_at=now - draw(_times),
        consumers_at=now - draw(_times),
        service_at=now - draw(_times),
        migrations_at=now,
        failures={
            r.id: 'No valid host was found' for r in records if draw(_maybe)
        },
        service=builders.service(
            up=draw(strategies.sampled_from([True, True, True, False])),
            enabled=draw(strategies.sampled_from([False] * 5 + [True])),
        ),
    )


@dataclasses.dataclass
class Step:
    """One decision of a run, and what it was taken from."""

    seen: model.Observation
    policy: policies.Policy
    memory: memories.Memory
    now: float

    def decide(self):
        """Return the decision."""
        return decide.decide(self.seen, self.policy, self.memory, self.now)


@strategies.composite
def _runs(draw):
    """Return some decisions, each with the memory of those before it."""
    steps, memory, now = [], memories.Memory(), builders.NOW
    records = []
    policy = draw(_policies)
    for _tick in range(draw(strategies.integers(1, 3))):
        seen = draw(_observations(records, now))
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
            )
            highest = max(seen.migrations, default=0)
            memory = memory.after(action, outcome, highest)
        now += draw(strategies.sampled_from([1.0, STEP, 40.0]))
    return steps


def _leaving(seen):
    """Return the records of moves off the host that may be under way."""
    alive = tracks.without_dead(seen).migrations
    return [r for r in alive.values() if r.source == seen.host]


def _starts(found):
    """Return how many moves are asked for, by kind."""
    kinds = collections.Counter(a.kind for a in found.actions)
    del kinds[memories.Kind.CONFIRM]
    return kinds


class TestPromises(unittest.TestCase):
    @hypothesis.settings(max_examples=600)
    @hypothesis.given(_runs())
    def test_promises(self, steps):
        for step in steps:
            found = step.decide()
            self.is_pure(step, found)
            self.asks_once(step, found)
            self.waits_for_an_answer(step, found)
            self.stops(step)
            self.keeps_to_the_limit(step, found)
            self.is_true_at_the_end(step, found)
            self.has_a_row_for_each(step, found)
            self.looks_sparingly(found)

    def is_pure(self, step, found):
        """The same again from the same, which is left as it was."""
        before = copy.deepcopy(step)

        self.assertEqual(found, step.decide())
        self.assertEqual(before, step)

    def asks_once(self, step, found):
        """One request for a server, and none while it is under way."""
        asked = collections.Counter(a.server_id for a in found.actions)
        self.assertLessEqual(set(asked.values()), {1})
        phases = {row.server_id: row.phase for row in found.rows}
        newest = {
            r.server_id: r
            for r in sorted(_leaving(step.seen), key=lambda r: r.id)
        }
        for action in found.actions:
            record = newest.get(action.server_id)
            if action.kind is memories.Kind.CONFIRM:
                self.assertEqual('finished', record.status)
                self.assertEqual('migration', record.type)
                self.assertGreater(record.created_at, builders.SINCE)
                continue
            self.assertIs(standing.Phase.WAITING, phases[action.server_id])
            if record is not None:
                self.assertFalse(record.in_flight, record)

    def waits_for_an_answer(self, step, found):
        """What was asked for has its time, whether or not Nova answered."""
        for action in found.actions:
            track = step.memory.tracks.get(action.server_id)
            if (
                action.kind is memories.Kind.CONFIRM
                or track is None
                or track.asked_at is None
                or track.refused_at is not None
            ):
                continue
            newer = [
                r
                for r in _leaving(step.seen)
                if r.server_id == action.server_id and r.id > track.asked_after
            ]
            if not newer:
                self.assertGreaterEqual(
                    step.now - track.asked_at, standing.PATIENCE_SECONDS
                )

    def stops(self, step):
        """Nothing new after a stop, and nothing at all after the end."""
        stopped = dataclasses.replace(
            step, policy=policies.Policy(stop='interrupted')
        ).decide()
        self.assertEqual({}, _starts(stopped))

        enabled = dataclasses.replace(
            step.seen, service=builders.service(enabled=True)
        )
        lost = dataclasses.replace(step, seen=enabled).decide()
        self.assertEqual({}, _starts(lost))
        self.assertFalse(lost.drained)

        left = dataclasses.replace(
            step, policy=policies.Policy(stop='late', abandon='late')
        ).decide()
        self.assertEqual((), left.actions)
        self.assertTrue(left.done)
        self.assertNotIn(None, [row.result for row in left.rows])

    def keeps_to_the_limit(self, step, found):
        """Never more than allowed, nor long before they are needed."""
        starts = _starts(found)
        lives = starts[memories.Kind.LIVE_MIGRATE]
        colds = starts[memories.Kind.COLD_MIGRATE]
        live = [
            r
            for r in _leaving(step.seen)
            if r.in_flight and r.type == 'live-migration'
        ]
        if step.policy.parallel is None:
            self.assertLessEqual(colds, window.COLD_WINDOW)
        elif lives or colds:
            self.assertLessEqual(
                lives + colds + len(live), step.policy.parallel
            )
        if sum(r.status == 'queued' for r in live) > 1:
            self.assertEqual(0, lives)

    def is_true_at_the_end(self, step, found):
        """Done leaves nothing open, and drained leaves nothing."""
        if found.done:
            self.assertNotIn(None, [row.result for row in found.rows])
            self.assertEqual((), found.actions)
        if not found.drained:
            return
        seen = step.seen
        self.assertTrue(found.done)
        # A list may show who was seen elsewhere since.
        here = [i for i in seen.servers if seen.latest(i).host == seen.host]
        self.assertEqual([], here)
        self.assertEqual(frozenset(), seen.consumers)
        self.assertGreaterEqual(seen.consumers_at, seen.servers_at)
        self.assertGreaterEqual(seen.servers_at, step.policy.settled_from)
        for record in _leaving(seen):
            self.assertFalse(record.in_flight)
            self.assertFalse(record.awaits_confirmation)

    def has_a_row_for_each(self, step, found):
        """Whoever was on the host is told of; who is left, with a reason."""
        deleted = {
            s.id for s in step.seen.visited.values() if s.status == 'DELETED'
        }
        ids = {row.server_id for row in found.rows}
        self.assertLessEqual(set(step.seen.servers) - deleted, ids)
        for row in found.rows:
            if row.result is not None and row.left:
                self.assertTrue(row.reason, row)
            self.assertNotIn('None', row.reason)
            self.assertTrue(row.reason.isprintable())

    def looks_sparingly(self, found):
        """Two lists at the most, and neither at once nor never."""
        inquiry = found.inquiry
        lists = [
            inquiry.records,
            inquiry.servers,
            inquiry.services,
            inquiry.consumers,
        ]

        self.assertLessEqual(sum(lists), 2)
        self.assertTrue(found.done or any(lists))
        self.assertGreaterEqual(found.interval, pace.CLOSING)
        self.assertLessEqual(found.interval, pace.SLOW_FORETOLD)
