# SPDX-License-Identifier: Apache-2.0

"""What is left on a host in Placement, and the end of a drain: is it empty?"""

import dataclasses

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import orphaned_allocations
from osc_hostmaint.planning.host import query
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Phase = server_status.Phase
DRAIN = requested.operation(policies.Policy())
DELETED = builders.server('x', 'DELETED')
ELSEWHERE = builders.server('x', host='cmp09')


class TestFind(unit.TestCase):
    @unit.cases(
        # who holds something here, and is there an explanation
        ('a server on the host', 'vm1', True),
        ('a migration off the host', 'uuid of migration 1', True),
        ('one that awaits its confirmation', 'uuid of migration 2', True),
        ('one that has ended', 'uuid of migration 3', False),
        ('one to the host', 'uuid of migration 4', False),
        ('anybody else', 'x', False),
    )
    def test_explanations(self, _who, consumer, explained):
        seen = builders.observation(
            servers=[builders.server('vm1')],
            migrations=[
                builders.migration(1, 'running'),
                builders.migration(2, 'finished'),
                builders.migration(3, 'completed'),
                builders.migration(
                    4, 'running', source=builders.DEST, dest=builders.HOST
                ),
            ],
            consumers=frozenset({consumer}),
        )

        expected = frozenset() if explained else {consumer}
        self.assertEqual(expected, orphaned_allocations.find(seen, DRAIN))


class TestWaiting(unit.TestCase):
    """Is it too early to call it orphaned, and must we look again?"""

    BUILDING = builders.server('x', 'BUILD', host=None)
    COMING = builders.server('x', 'MIGRATING', host='cmp09')
    HERE = builders.server('x')

    @unit.cases(
        # the server of that id, when seen; waits, looks
        (None, 0, True, True),
        (BUILDING, 0, True, False),
        (BUILDING, timing.ARRIVING_RECHECK_SECONDS, True, True),
        (COMING, timing.ARRIVING_RECHECK_SECONDS, True, True),
        (HERE, 0, True, False),
        (HERE, timing.ARRIVING_RECHECK_SECONDS, True, True),
        (DELETED, 1000, False, False),
        (ELSEWHERE, 1000, False, False),
    )
    def test_servers(self, view, seen_ago, waits, looks):
        visited = []
        if view is not None:
            visited = [dataclasses.replace(view, seen_at=NOW - seen_ago)]
        seen = builders.observation(
            visited=visited, traced=frozenset({'x'} if visited else {})
        )
        memory = builders.memory(orphaned_since=NOW - 1000)
        self.assertEqual(
            (waits, {'x'} if looks else set()),
            (
                orphaned_allocations.waits(seen, ['x'], DRAIN, memory),
                orphaned_allocations.to_visit(seen, ['x'], NOW),
            ),
        )


class TestMigrations(unit.TestCase):
    """Whose allocation it is, and when it may be deleted."""

    RECORD = builders.migration(1, 'error')
    HELD = f'live migration {RECORD.uuid} ("error")'
    DELETE = (
        ': remove the allocation (openstack resource provider allocation '
        f'delete {RECORD.uuid}, '
    )
    LATER = DELETE.replace(': ', ': once the server has left cmp01, ', 1)

    def report(self, view, records, consumers=(), rows=(), former=()):
        """Return the one row that is reported of allocations of records."""
        here = view is not None and view.host == builders.HOST
        seen = builders.observation(
            servers=[view] if here else [],
            visited=[] if here or view is None else [view],
            migrations=records,
            former={r.id: r for r in former},
            consumers=frozenset({self.RECORD.uuid, *consumers}),
        )
        left = [r.uuid for r in (*records, *former)]
        (row,) = orphaned_allocations.report(seen, left, rows)
        self.assertEqual('vm1', row.server_id)
        return row

    @unit.cases(
        # its server, who else holds something here, and what may be done
        (base.THERE, (), HELD + DELETE),
        (base.HERE, (), HELD + LATER),
        (builders.server(status='ERROR'), (), HELD + LATER),
        # It came back, and has another allocation.
        (base.HERE, ('vm1',), HELD + DELETE),
        (base.DELETED, (), HELD + DELETE),
        (None, (), f'{HELD}: {orphaned_allocations.AGAIN}'),
    )
    def test_when(self, view, consumers, expected):
        for known in (([self.RECORD], ()), ([], [self.RECORD])):
            records, former = known
            row = self.report(view, records, consumers, former=former)
            self.assertIn(expected, row.reason)
            self.assertIs(
                view is base.DELETED, 'the server was deleted' in row.reason
            )

    def test_a_server_has_one_row(self):
        records = [self.RECORD, builders.migration(2, 'running')]
        before = builders.row(reason='restarted')
        row = self.report(base.THERE, records, rows=[before])
        self.assertTrue(row.left)
        self.assertEqual(before.destination, row.destination)
        for words in ('restarted; ', '("error")', '; ', '("running")'):
            self.assertIn(words, row.reason)

    def test_consumers_to_trace(self):
        """A migration that no list shows, once; and its server."""
        asked, uuid = frozenset({'x'}), self.RECORD.uuid
        memory = builders.memory(orphaned_since=0.0)
        for consumer, kwargs, to_trace, to_visit in (
            ('x', {}, {'x'}, {'x'}),
            ('x', {'visited': [DELETED]}, {'x'}, set()),
            ('x', {'visited': [DELETED], 'traced': asked}, set(), set()),
            ('x', {'visited': [ELSEWHERE]}, set(), set()),
            (uuid, {'former': {1: self.RECORD}}, set(), {'vm1'}),
            (uuid, {'migrations': [self.RECORD]}, set(), {'vm1'}),
        ):
            with self.subTest(consumer, **kwargs):
                seen, left = builders.observation(**kwargs), [consumer]
                self.assertEqual(
                    (to_trace, to_visit, bool(to_trace or to_visit)),
                    (
                        orphaned_allocations.to_trace(seen, left),
                        orphaned_allocations.to_visit(seen, left, NOW),
                        orphaned_allocations.waits(seen, left, DRAIN, memory),
                    ),
                )


class TestReport(unit.TestCase):
    """What is held for a server, or for nobody."""

    HEAL = 'heal_allocations --force --instance x'

    @unit.cases(
        # the server of that id, and what may be done
        (
            ELSEWHERE,
            'although the server is on cmp09: run nova-manage placement '
            f'{HEAL}',
        ),
        (
            builders.server('x', 'ERROR', host='cmp09'),
            f'once it is no longer in ERROR, run nova-manage placement {HEAL}',
        ),
        (
            builders.server('x', 'SHELVED_OFFLOADED'),
            'on no host: remove the allocation (openstack resource provider '
            'allocation delete x',
        ),
        (DELETED, 'no server and no migration with this id'),
        (DELETED, 'openstack resource provider allocation delete x'),
        # It would be harmful.
        (builders.server('x', 'BUILD', host=None), orphaned_allocations.AGAIN),
        (None, orphaned_allocations.AGAIN),
    )
    def test_reasons(self, view, expected):
        seen = builders.observation(
            visited=[view] if view else [], traced=frozenset({'x'})
        )
        (row,) = orphaned_allocations.report(seen, ['x'], [])
        self.assertIn(expected, row.reason)
        self.assertNotIn('audit', row.reason)
        if expected is orphaned_allocations.AGAIN:
            self.assertNotIn('delete', row.reason)

    def test_a_server_has_one_row(self):
        moved = builders.row('x')
        other = builders.row('vm1')
        seen = builders.observation(visited=[ELSEWHERE])

        rows = orphaned_allocations.report(seen, ['x'], [moved, other])
        self.assertEqual(['x', 'vm1'], [row.server_id for row in rows])
        self.assertTrue(rows[0].left)
        self.assertEqual(moved.destination, rows[0].destination)
        self.assertIn('Placement still holds', rows[0].reason)
        self.assertEqual(other, rows[1])

    @unit.cases(
        # what became of the server, how it was seen; its phase and reason
        (
            builders.row('x', phase=Phase.GONE),
            [DELETED],
            Phase.BLOCKED,
            'the server was deleted, but Placement',
        ),
        (
            builders.row('x', phase=Phase.FAILED, reason='it is broken'),
            [],
            Phase.FAILED,
            'it is broken; Placement still',
        ),
    )
    def test_it_is_added_to_the_row(self, before, visited, phase, reason):
        seen = builders.observation(visited=visited)
        (row,) = orphaned_allocations.report(seen, ['x'], [before])
        self.assertIs(phase, row.phase)
        self.assertIn(reason, row.reason)


ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}
ActionKind = memories.ActionKind
LATER = NOW + 1


class TestOrderOfLooks(unit.TestCase):
    """Servers are listed after the last event, allocations after that."""

    def is_open(self, *, settled_from=0.0, remembered=None, **observed):
        moved = server_status.ServerStatus(server_status.Phase.MOVED)
        context = base.host_context(
            memory=builders.memory(remembered or builders.server_memory()),
            policy=policies.Policy(settled_from=settled_from),
            statuses={'vm1': moved},
            **observed,
        )
        return query.needs_final_check(context)

    def test_done_after_the_final_check(self):
        self.assertFalse(self.is_open())

    @unit.cases(
        {'consumers': None},
        # Its cell may have been left out of the list of servers.
        {'service_at': NOW - 1},
        {'silent': builders.HOST},
        {'service': builders.service(id='', up=False)},
        {'consumers_at': NOW - 1},
        {'settled_from': LATER},
        {'migrations': [builders.migration(1, 'completed', seen_at=LATER)]},
        {
            'migrations': [
                builders.migration(1, 'completed', seen_at=LATER, **ARRIVING)
            ]
        },
        {'remembered': base.asked(ActionKind.LIVE_MIGRATE, asked_at=LATER)},
        {'remembered': base.asked(ActionKind.CONFIRM, asked_at=LATER)},
        {'remembered': base.asked(ActionKind.SUSPEND, asked_at=LATER)},
        # One that has moved is listed all the same.
        {'servers': [builders.server()]},
    )
    def test_final_check_needs_another_look(self, observed):
        self.assertTrue(self.is_open(**observed))


class TestLastChecks(base.DecideTestCase):
    """A drain promises that "empty" is empty."""

    #: On its way here.
    RUNNING = builders.migration(1, 'running', 'vm9', **ARRIVING)

    def test_not_before_the_settling_time(self):
        """A server that was being scheduled arrives a moment later."""
        found = self.decide(policy=policies.Policy(settled_from=NOW + 2))
        self.assertFalse(found.done)
        self.assertEqual(2.0, found.interval)
        self.assertIn('scheduled to this host', found.waiting_for)
        found = self.decide(policy=policies.Policy(settled_from=NOW))
        self.assertTrue(found.drained)

    @unit.cases(
        # what is seen, a limit; what is waited for
        ({'migrations': [RUNNING]}, None, 'without a limit'),
        ({'migrations': [RUNNING]}, 600, 'at most 600 s each: vm9'),
        # One that is being built for this host.
        (
            {
                'consumers': frozenset({'vm9'}),
                'visited': [builders.server('vm9', 'BUILD', host=None)],
            },
            None,
            '',
        ),
    )
    def test_arriving_server_is_awaited(self, observed, limit, words):
        policy = policies.Policy(server_timeout=limit)
        found = self.decide(policy=policy, **observed)
        self.assertFalse(found.done)
        self.assertIn(words, found.waiting_for)
        self.assertIn('vm9', found.waiting_for)

    @unit.cases(
        # The list, which is newer, shows it; or it has left again.
        {'migrations': [dataclasses.replace(RUNNING, status='completed')]},
        {
            'migrations': [RUNNING],
            'visited': [builders.server('vm9', 'DELETED')],
        },
    )
    def test_arrived_or_deleted_server_is_not_awaited(self, observed):
        self.assertTrue(self.decide(**observed).drained)

    def leftover(self, since, **observed):
        return self.decide(
            memory=builders.memory(orphaned_since=since),
            consumers=frozenset({'x'}),
            visited=[builders.server('x', 'DELETED')],
            traced=frozenset({'x'}),
            **observed,
        )

    def test_orphaned_allocations_are_given_time(self):
        for since, expected in ((None, NOW), (NOW - 1, NOW - 1)):
            found = self.leftover(since)
            self.assertFalse(found.done)
            self.assertEqual((), found.rows)
            self.assertEqual(expected, found.memory.orphaned_since)
            again = self.leftover(since, service_at=NOW - 1)
            self.assertEqual(found.wait, again.wait)

    @unit.cases({'servers': [base.HERE]}, {'consumers': frozenset()})
    def test_time_of_orphans_starts_when_nothing_is_left(self, observed):
        memory = builders.memory(orphaned_since=NOW - 99)
        observed = {'consumers': frozenset({'x'}), **observed}
        found = self.decide(memory=memory, **observed)
        self.assertIsNone(found.memory.orphaned_since)

    def test_orphans_are_not_reported_while_open(self):
        """Abandoned: then nobody knows what belongs to whom."""
        found = self.decide(
            policy=policies.Policy(stop=builders.LATE, abandon=builders.LATE),
            consumers=frozenset({'x'}),
            migrations=[self.RUNNING],
        )
        self.assertTrue(found.done)
        self.assertEqual((), found.rows)

    def test_orphaned_allocations_are_reported(self):
        found = self.leftover(NOW - timing.ORPHANED_WAIT_SECONDS)
        self.assert_over(found)
        row = self.assert_row(found, 'blocked', 'allocation')
        self.assertEqual('x', row.server_id)
