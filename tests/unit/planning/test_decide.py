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

"""What is done with one host: a pure function of what was observed."""

import dataclasses
import unittest

import ddt

from osc_hostmaint.planning import decide
from osc_hostmaint.planning import decision as decisions
from osc_hostmaint.planning import leftover
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import tracks
from tests.unit import builders

NOW = builders.NOW
#: Whoever asked for it has had time enough to confirm it.
LONG_AGO = NOW - standing.ADOPT_SECONDS
ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}
STOP = policies.Policy(stop='interrupted')
ABANDON = policies.Policy(stop='time is up', abandon='time is up')
LIVE = memories.Kind.LIVE_MIGRATE
COLD = memories.Kind.COLD_MIGRATE
CONFIRM = memories.Kind.CONFIRM


def asked(server_id='vm1', kind=LIVE, at=NOW - 1, **kwargs):
    """Return the memory of a track whose move was just asked for."""
    server = builders.server(server_id)
    return builders.memory(builders.track(server)).after(
        memories.Action(kind, server_id),
        memories.Outcome(memories.Answer.ACCEPTED, at, **kwargs),
        highest_id=0,
    )


class Base(unittest.TestCase):
    def decide(self, *, memory=None, policy=None, now=NOW, **observed):
        return decide.decide(
            builders.observation(**observed),
            policy or policies.Policy(),
            memory or builders.memory(),
            now,
        )

    def asks(self, decision):
        """Return what is asked for, by server."""
        return {a.server_id: a.kind for a in decision.actions}

    def row(self, decision):
        self.assertEqual(1, len(decision.rows), decision.rows)
        return decision.rows[0]


class TestStart(Base):
    def test_each_server_is_moved_by_the_gentlest_way(self):
        found = self.decide(
            memory=memories.Memory(),
            servers=[
                builders.server('running'),
                builders.server('stopped', 'SHUTOFF'),
                builders.server('suspended', 'SUSPENDED'),
                builders.server('booting', 'BUILD'),
            ],
        )

        self.assertEqual({'running': LIVE, 'stopped': COLD}, self.asks(found))
        self.assertEqual(
            {
                'running': standing.Phase.WAITING,
                'stopped': standing.Phase.WAITING,
                'suspended': standing.Phase.BLOCKED,
                'booting': standing.Phase.BUSY,
            },
            {row.server_id: row.phase for row in found.rows},
        )
        self.assertFalse(found.done)

    def test_an_empty_host_is_drained_at_once(self):
        found = self.decide(memory=memories.Memory())

        self.assertTrue(found.done)
        self.assertTrue(found.drained)
        self.assertEqual((), found.rows)

    def test_the_largest_first(self):
        servers = [
            builders.server(f'vm{mb}', memory_mb=mb)
            for mb in (512, 8192, 1024)
        ]
        found = self.decide(
            servers=servers, policy=policies.Policy(parallel=1)
        )
        self.assertEqual({'vm8192': LIVE}, self.asks(found))

        found = self.decide(
            servers=servers, policy=policies.Policy(parallel=2)
        )
        self.assertEqual(['vm8192', 'vm1024'], list(self.asks(found)))

    def test_what_was_begun_before_is_taken_up(self):
        """Run again after a crash: no second move, and the confirmation."""
        found = self.decide(
            memory=memories.Memory(),
            servers=[builders.server('vm1', 'MIGRATING')],
            migrations=[
                builders.migration(1, 'running', 'vm1'),
                builders.migration(
                    2,
                    'finished',
                    'vm2',
                    type='migration',
                    dest='cmp03',
                    seen_at=LONG_AGO,
                ),
                builders.migration(3, 'error', 'vm1'),
            ],
            visited=[builders.server('vm2', 'VERIFY_RESIZE', host='cmp03')],
        )

        self.assertEqual({'vm2': CONFIRM}, self.asks(found))

    def test_a_server_with_no_known_place_is_looked_at(self):
        found = self.decide(
            migrations=[builders.migration(2, 'finished', 'vm2')]
        )

        self.assertFalse(found.done)
        self.assertEqual({'vm2'}, found.inquiry.visit)


class TestLife(Base):
    """One server, from request to end."""

    def test_live_migration(self):
        here = builders.server(seen_at=NOW)
        found = self.decide(servers=[here])
        self.assertEqual({'vm1': LIVE}, self.asks(found))
        memory = found.memory.after(
            found.actions[0],
            memories.Outcome(memories.Answer.ACCEPTED, NOW + 0.1),
            highest_id=0,
        )

        found = self.decide(memory=memory, servers=[here], now=NOW + 1)
        self.assertEqual({}, self.asks(found))
        self.assertEqual(standing.Phase.MOVING, self.row(found).phase)

        found = self.decide(
            memory=found.memory,
            servers=[here],
            migrations=[builders.migration(7, 'running', seen_at=NOW + 2)],
            now=NOW + 2,
        )
        self.assertEqual({}, self.asks(found))
        self.assertEqual(builders.DEST, self.row(found).destination)

        ended = {
            'memory': found.memory,
            'migrations': [
                builders.migration(7, 'completed', seen_at=NOW + 9)
            ],
        }
        found = self.decide(servers=[here], now=NOW + 9, **ended)
        self.assertEqual({'vm1'}, found.inquiry.visit)
        self.assertFalse(found.done)

        there = builders.server(host=builders.DEST, seen_at=NOW + 9.1)
        found = self.decide(
            servers=[here], visited=[there], now=NOW + 9.1, **ended
        )
        ended['memory'] = found.memory
        self.assertIs(decisions.Result.MOVED, self.row(found).result)
        self.assertFalse(found.done, 'the last checks are to be made')
        self.assertTrue(found.inquiry.servers)
        self.assertTrue(found.inquiry.consumers)

        found = self.decide(
            visited=[there],
            servers_at=NOW + 10,
            consumers_at=NOW + 10,
            now=NOW + 10,
            **ended,
        )
        self.assertTrue(found.drained)
        row = self.row(found)
        self.assertEqual('ACTIVE', row.status)
        self.assertEqual('live migration', row.move)
        self.assertEqual(builders.DEST, row.destination)
        self.assertEqual(1, row.attempts)
        self.assertEqual(9.0, round(row.seconds, 1))

    def test_cold_migration_is_confirmed_once(self):
        view = builders.server('vm1', 'VERIFY_RESIZE', host=builders.DEST)
        moved = {
            'visited': [view],
            'migrations': [
                builders.migration(7, 'finished', type='migration')
            ],
        }
        before = builders.server('vm1', 'SHUTOFF')
        memory = builders.memory(
            builders.track(before, attempts=1, accepted=True)
        )
        found = self.decide(memory=memory, **moved)
        self.assertEqual({'vm1': CONFIRM}, self.asks(found))

        memory = found.memory.after(
            found.actions[0],
            memories.Outcome(memories.Answer.IN_DOUBT, NOW + 0.1),
            highest_id=7,
        )
        found = self.decide(memory=memory, now=NOW + 1, **moved)
        self.assertEqual({}, self.asks(found))
        self.assertFalse(found.done)

    def test_a_server_deleted_meanwhile_is_gone_and_no_failure(self):
        found = self.decide(
            memory=asked(), visited=[builders.server(status='DELETED')]
        )

        self.assertIs(decisions.Result.GONE, self.row(found).result)
        self.assertFalse(self.row(found).left)

    def test_the_queue_of_a_deleted_server_is_no_queue(self):
        """Its record vanishes, and is seen as `queued` for ever."""
        found = self.decide(
            memory=builders.memory(builders.track(), slots=1),
            servers=[builders.server('vm2')],
            visited=[builders.server('vm1', 'DELETED')],
            migrations=[builders.migration(1, 'queued', 'vm1')],
        )

        self.assertEqual({'vm2': LIVE}, self.asks(found))

    def test_a_record_that_never_ends_holds_up_nobody(self):
        """Left behind by a service that died while it was queued."""
        found = self.decide(
            memory=memories.Memory(slots=1),
            servers=[builders.server()],
            migrations=[
                builders.migration(1, 'queued', 'vm1', seen_at=NOW - 60)
            ],
        )

        self.assertEqual({'vm1': LIVE}, self.asks(found))

    def test_a_server_that_arrives_late_is_moved_too(self):
        moved = builders.server('vm1', host=builders.DEST)
        found = self.decide(
            memory=builders.memory(builders.track()),
            visited=[moved],
            servers=[builders.server('vm2')],
        )

        self.assertEqual({'vm2': LIVE}, self.asks(found))

    def test_postponed_it_waits(self):
        action = memories.Action(LIVE, 'vm1')
        memory = builders.memory(builders.track()).after(
            action,
            memories.Outcome(memories.Answer.POSTPONED, NOW),
            highest_id=0,
        )
        servers = [builders.server()]

        found = self.decide(memory=memory, servers=servers)
        self.assertEqual({}, self.asks(found))
        self.assertFalse(found.done)

        later = NOW + memories.POSTPONE_SECONDS
        found = self.decide(memory=memory, servers=servers, now=later)
        self.assertEqual({'vm1': LIVE}, self.asks(found))


@ddt.ddt
class TestInFlight(Base):
    """Whatever is under way counts, whoever began it."""

    def starts(self, *, parallel=None, slots=1, **observed):
        servers = [builders.server(f'new{i}') for i in range(9)]
        servers += [builders.server(f'off{i}', 'SHUTOFF') for i in range(9)]
        found = self.decide(
            memory=builders.memory(slots=slots),
            policy=policies.Policy(parallel=parallel),
            servers=servers,
            **observed,
        )
        kinds = [action.kind for action in found.actions]
        return kinds.count(LIVE), kinds.count(COLD)

    @ddt.data(
        # type, statuses under way; live, cold to start
        ('live-migration', [], 2, 2),
        ('live-migration', ['running'], 1, 2),
        ('live-migration', ['running', 'accepted'], 0, 2),
        ('live-migration', ['running', 'queued'], 0, 2),
        ('migration', ['migrating'], 2, 1),
        ('migration', ['migrating', 'post-migrating'], 2, 0),
        ('resize', ['migrating', 'post-migrating'], 2, 0),
        ('live-migration', ['completed', 'error'], 2, 2),
    )
    @ddt.unpack
    def test_without_a_limit_of_ours(self, kind, statuses, live, cold):
        moving = [
            builders.migration(i, status, f'old{i}', type=kind)
            for i, status in enumerate(statuses, 1)
        ]
        visited = [
            builders.server(r.server_id, 'MIGRATING', host=builders.DEST)
            for r in moving
        ]

        self.assertEqual(
            (live, cold), self.starts(migrations=moving, visited=visited)
        )

    @ddt.data(
        # --parallel, running; live, cold to start
        (1, 0, (1, 0)),
        (1, 1, (0, 0)),
        (2, 1, (1, 0)),
        (4, 1, (1, 2)),
        (3, 3, (0, 0)),
        (3, 5, (0, 0)),
    )
    @ddt.unpack
    def test_parallel(self, parallel, running, expected):
        moving = [
            builders.migration(i, 'running', f'old{i}') for i in range(running)
        ]

        self.assertEqual(
            expected, self.starts(migrations=moving, parallel=parallel)
        )

    def test_what_leaves_other_hosts_does_not_count(self):
        coming = [builders.migration(1, 'queued', 'old', **ARRIVING)]

        self.assertEqual((2, 2), self.starts(migrations=coming))


class TestStop(Base):
    """Ctrl-C, once: nothing new, and what is under way is awaited."""

    def test_nothing_new_is_started(self):
        found = self.decide(policy=STOP, servers=[builders.server()])

        self.assertEqual((), found.actions)
        self.assertIs(decisions.Result.BLOCKED, self.row(found).result)
        self.assertIn('interrupted', self.row(found).reason)
        self.assertFalse(found.drained)

    def test_moves_are_awaited(self):
        found = self.decide(
            policy=STOP,
            memory=asked(),
            servers=[builders.server(status='MIGRATING')],
            migrations=[builders.migration()],
        )

        self.assertFalse(found.done)
        self.assertIsNone(self.row(found).result)

    def test_confirmations_are_still_asked_for(self):
        """The server has left already; only its disk has not."""
        found = self.decide(
            policy=STOP,
            visited=[
                builders.server(status='VERIFY_RESIZE', host=builders.DEST)
            ],
            migrations=[
                builders.migration(
                    status='finished', type='migration', seen_at=LONG_AGO
                )
            ],
        )

        self.assertEqual({'vm1': CONFIRM}, self.asks(found))
        self.assertFalse(found.done)

    def test_a_retry_is_not_begun_and_its_failure_is_told(self):
        found = self.decide(
            policy=STOP,
            memory=builders.memory(builders.track(attempts=1)),
            servers=[builders.server()],
            migrations=[builders.migration(1, 'error', seen_at=NOW - 1)],
            failures={1: 'No valid host was found'},
        )

        self.assertEqual((), found.actions)
        self.assertIs(decisions.Result.FAILED, self.row(found).result)
        self.assertIn('No valid host', self.row(found).reason)
        self.assertIn('interrupted', self.row(found).reason)

    def test_what_is_busy_is_not_awaited(self):
        found = self.decide(
            policy=STOP, servers=[builders.server(status='BUILD')]
        )

        self.assertIs(decisions.Result.BLOCKED, self.row(found).result)


class TestAbandon(Base):
    """Ctrl-C twice, --timeout: a last decision, from what is known."""

    def test_done_and_every_row_has_a_result(self):
        found = self.decide(
            policy=ABANDON,
            servers=[
                builders.server('waits'),
                builders.server('moves', 'MIGRATING'),
                builders.server('blocked', 'SUSPENDED'),
            ],
            visited=[
                builders.server('cold', 'VERIFY_RESIZE', host=builders.DEST)
            ],
            migrations=[
                builders.migration(1, 'running', 'moves'),
                builders.migration(2, 'finished', 'cold', type='migration'),
            ],
        )

        self.assertTrue(found.done)
        self.assertEqual((), found.actions)
        rows = {row.server_id: row for row in found.rows}
        self.assertIs(decisions.Result.BLOCKED, rows['waits'].result)
        self.assertIs(decisions.Result.FAILED, rows['moves'].result)
        self.assertIn('under way in Nova', rows['moves'].reason)
        self.assertIs(decisions.Result.FAILED, rows['cold'].result)
        self.assertIn('not confirmed', rows['cold'].reason)
        self.assertIn('suspended', rows['blocked'].reason)
        for server_id in ('waits', 'moves', 'cold'):
            self.assertIn('time is up', rows[server_id].reason)

    def test_what_was_not_looked_at_is_not_called_drained(self):
        """No row is left, but the last checks were never made."""
        moved = builders.server(host=builders.DEST)
        for why, observed in {
            'allocations': {'consumers': None},
            'the list': {'servers_at': NOW - 9, 'consumers_at': NOW - 9},
            'somebody arrives': {
                'migrations': [
                    builders.migration(2, 'running', 'vm2', **ARRIVING),
                ],
            },
            'a stranger': {
                'migrations': [builders.migration(2, 'finished', 'vm2')],
            },
        }.items():
            with self.subTest(why):
                found = self.decide(
                    policy=ABANDON,
                    memory=asked(at=NOW - 5),
                    visited=[moved],
                    **observed,
                )

                self.assertTrue(found.done)
                self.assertFalse(found.drained)

    def test_what_was_looked_at_is_drained_all_the_same(self):
        found = self.decide(
            policy=ABANDON,
            memory=asked(at=NOW - 5),
            visited=[builders.server(host=builders.DEST)],
        )

        self.assertTrue(found.drained)


class TestHost(Base):
    """The host itself does not let moves go on."""

    def test_somebody_has_put_it_back_into_service(self):
        found = self.decide(
            service=builders.service(enabled=True),
            servers=[builders.server()],
        )

        self.assertEqual((), found.actions)
        self.assertTrue(found.done)
        self.assertIn('put back into service', found.trouble)
        self.assertIn('openstack host maintenance set cmp01', found.trouble)
        self.assertIs(decisions.Result.BLOCKED, self.row(found).result)
        self.assertFalse(found.drained)

    def test_empty_and_back_in_service_is_not_drained(self):
        found = self.decide(service=builders.service(enabled=True))

        self.assertTrue(found.done)
        self.assertFalse(found.drained)

    def test_moves_are_awaited_all_the_same(self):
        found = self.decide(
            service=builders.service(enabled=True),
            servers=[builders.server(status='MIGRATING')],
            migrations=[builders.migration()],
        )

        self.assertFalse(found.done)

    def test_somebody_else_has_taken_it_over(self):
        """Still disabled: moves go on, but nothing is ours to confirm."""
        found = self.decide(
            service=builders.service(disabled_reason='fan broken'),
            servers=[builders.server('vm2')],
            visited=[
                builders.server(status='VERIFY_RESIZE', host=builders.DEST)
            ],
            migrations=[
                builders.migration(status='finished', type='migration')
            ],
        )

        self.assertEqual({'vm2': LIVE}, self.asks(found))

    def down(self, seconds, **observed):
        return self.decide(
            service=builders.service(up=False),
            memory=builders.memory(down_since=NOW - seconds),
            **observed,
        )

    def test_its_service_misses_a_heartbeat(self):
        found = self.down(1, servers=[builders.server()])

        self.assertFalse(found.done)

    def test_its_service_stays_down(self):
        found = self.down(
            tracks.DOWN_GRACE_SECONDS, servers=[builders.server()]
        )

        self.assertTrue(found.done)
        self.assertEqual((), found.actions)
        self.assertIn('is down', self.row(found).reason)
        self.assertIn('start nova-compute', self.row(found).reason)

    def test_down_empty_and_checked_is_drained(self):
        self.assertTrue(self.down(tracks.DOWN_GRACE_SECONDS).drained)

    def test_down_and_not_checked_says_that_nobody_knows(self):
        found = self.down(tracks.DOWN_GRACE_SECONDS, consumers=None)

        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertIn('is down', found.trouble)


class TestLastChecks(Base):
    """A drain promises that "empty" is empty."""

    def test_not_before_the_host_has_settled(self):
        """A server that was being scheduled arrives a moment later."""
        found = self.decide(policy=policies.Policy(settled_from=NOW + 2))
        self.assertFalse(found.done)
        self.assertEqual(2.0, found.interval)

        found = self.decide(policy=policies.Policy(settled_from=NOW))
        self.assertTrue(found.drained)

    def test_allocations_are_looked_at(self):
        found = self.decide(consumers=None)

        self.assertFalse(found.done)
        self.assertTrue(found.inquiry.consumers)

    def test_somebody_is_on_the_way_here(self):
        found = self.decide(
            migrations=[builders.migration(1, 'running', 'vm9', **ARRIVING)]
        )

        self.assertFalse(found.done)
        self.assertIn('vm9', found.waiting_for)

    def test_one_who_was_deleted_on_the_way_is_not_awaited(self):
        found = self.decide(
            migrations=[builders.migration(1, 'running', 'vm9', **ARRIVING)],
            visited=[builders.server('vm9', 'DELETED')],
        )

        self.assertTrue(found.drained)

    def test_a_server_that_is_being_built_for_this_host(self):
        found = self.decide(
            consumers=frozenset({'vm9'}),
            visited=[builders.server('vm9', 'BUILD', host=None)],
        )

        self.assertFalse(found.done)
        self.assertIn('vm9', found.waiting_for)

    def leftover(self, since):
        return self.decide(
            memory=builders.memory(leftover_since=since),
            consumers=frozenset({'x'}),
            visited=[builders.server('x', 'DELETED')],
        )

    def test_leftovers_get_some_time(self):
        found = self.leftover(None)

        self.assertFalse(found.done)
        self.assertEqual(NOW, found.memory.leftover_since)

    def test_leftovers_are_reported(self):
        found = self.leftover(NOW - leftover.PATIENCE_SECONDS)

        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertEqual('x', self.row(found).server_id)
        self.assertIn('allocation', self.row(found).reason)

    def test_a_blocked_server_does_not_hold_up_the_end(self):
        found = self.decide(
            servers=[builders.server(status='SUSPENDED')],
            consumers=frozenset({'vm1'}),
        )

        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertIs(decisions.Result.BLOCKED, self.row(found).result)


class TestRows(Base):
    def test_seconds_count_from_the_first_request_to_the_end(self):
        track = dataclasses.replace(
            builders.track(), began_at=NOW - 30, ended_at=NOW - 10, attempts=2
        )
        found = self.decide(
            memory=builders.memory(track),
            visited=[builders.server(host=builders.DEST)],
        )

        self.assertEqual(20.0, self.row(found).seconds)
        self.assertEqual(2, self.row(found).attempts)

    def test_none_where_no_move_began(self):
        found = self.decide(servers=[builders.server(status='SUSPENDED')])

        self.assertIsNone(self.row(found).seconds)
        self.assertEqual('', self.row(found).move)
        self.assertEqual(0, self.row(found).attempts)
