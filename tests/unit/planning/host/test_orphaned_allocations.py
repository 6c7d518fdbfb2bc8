# SPDX-License-Identifier: Apache-2.0

"""What migrations and deleted servers left on a host in Placement."""

import dataclasses
import unittest

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import orphaned_allocations
from osc_hostmaint.planning.server import status as server_status
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
DRAIN = requested.operation(policies.Policy())
DELETED = builders.server('x', 'DELETED')
ELSEWHERE = builders.server('x', host='cmp09')


@ddt.ddt
class TestFind(unittest.TestCase):
    @ddt.data(
        # who holds something here, and is there an explanation
        ('a server on the host', 'vm1', True),
        ('a migration off the host', 'uuid of migration 1', True),
        ('one that awaits its confirmation', 'uuid of migration 2', True),
        ('one that has ended', 'uuid of migration 3', False),
        ('one to the host', 'uuid of migration 4', False),
        ('anybody else', 'x', False),
    )
    @ddt.unpack
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


@ddt.ddt
class TestWaiting(unittest.TestCase):
    """Is it too early to call it a leftover, and must we look again?"""

    BUILDING = builders.server('x', 'BUILD', host=None)

    COMING = builders.server('x', 'MIGRATING', host='cmp09')

    HERE = builders.server('x')

    def ask(
        self, view, *, seen_ago=0.0, left_for=1000.0, limit=None, dead=False
    ):
        """Return whether it waits and whom it wants to look at."""
        visited = []
        if view is not None:
            visited = [dataclasses.replace(view, seen_at=NOW - seen_ago)]
        seen = builders.observation(
            visited=visited, traced=frozenset({'x'} if visited else {})
        )
        since = None if left_for is None else NOW - left_for
        memory = builders.memory(leftover_since=since)
        policy = policies.Policy(server_timeout=limit, evacuate=dead)
        return (
            orphaned_allocations.waits(
                seen, ['x'], requested.operation(policy), memory
            ),
            orphaned_allocations.to_visit(seen, ['x'], NOW) == {'x'},
        )

    @ddt.data(
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
    @ddt.unpack
    def test_servers(self, view, seen_ago, waits, looks):
        self.assertEqual((waits, looks), self.ask(view, seen_ago=seen_ago))


@ddt.ddt
class TestMigrations(unittest.TestCase):
    """Whose allocation it is, and when it may be deleted."""

    RECORD = builders.migration(1, 'error')

    DELETE = f'allocation delete {RECORD.uuid}, '

    def seen(self, view, consumers=(), **kwargs):
        here = view is not None and view.host == builders.HOST
        return builders.observation(
            servers=[view] if here else [],
            visited=[] if here or view is None else [view],
            consumers=frozenset({self.RECORD.uuid, *consumers}),
            **kwargs,
        )

    def reason(self, seen, rows=()):
        (row,) = orphaned_allocations.report(seen, [self.RECORD.uuid], rows)
        self.assertEqual('vm1', row.server_id)
        return row.reason

    @ddt.data(
        # its server, who else holds something here, and what may be done
        (
            base.THERE,
            (),
            f': remove the allocation (openstack resource provider {DELETE}',
        ),
        (
            builders.server(),
            (),
            ': once the server has left cmp01, remove the allocation '
            f'(openstack resource provider {DELETE}',
        ),
        (
            builders.server(status='ERROR'),
            (),
            ': once the server has left cmp01, remove the allocation '
            f'(openstack resource provider {DELETE}',
        ),
        # It came back, and has another allocation.
        (
            builders.server(),
            ('vm1',),
            f': remove the allocation (openstack resource provider {DELETE}',
        ),
        (
            builders.server(status='DELETED'),
            (),
            f': remove the allocation (openstack resource provider {DELETE}',
        ),
        (None, (), orphaned_allocations.AGAIN),
    )
    @ddt.unpack
    def test_when(self, view, consumers, expected):
        for where in ('migrations', 'former'):
            known = {where: {1: self.RECORD}}
            seen = dataclasses.replace(self.seen(view, consumers), **known)

            reason = self.reason(seen)

            self.assertIn(
                f'live migration {self.RECORD.uuid} ("error"){expected}',
                reason.replace(
                    f': {orphaned_allocations.AGAIN}',
                    orphaned_allocations.AGAIN,
                ),
            )
            self.assertIs(
                view is not None and view.status == 'DELETED',
                'the server was deleted' in reason,
            )

    def test_a_server_has_one_row(self):
        records = [self.RECORD, builders.migration(2, 'running')]
        seen = self.seen(base.THERE, migrations=records)
        before = builders.row(reason='restarted')

        (row,) = orphaned_allocations.report(
            seen, [r.uuid for r in records], [before]
        )

        self.assertTrue(row.left)
        self.assertEqual(before.destination, row.destination)
        for words in ('restarted; ', '("error")', '; ', '("running")'):
            self.assertIn(words, row.reason)

    def test_consumers_to_trace(self):
        """A migration that no list shows, once; and its server."""
        asked = frozenset({'x'})
        for consumer, kwargs, to_trace, to_visit in (
            ('x', {}, {'x'}, {'x'}),
            ('x', {'visited': [DELETED]}, {'x'}, set()),
            ('x', {'visited': [DELETED], 'traced': asked}, set(), set()),
            ('x', {'visited': [ELSEWHERE]}, set(), set()),
            (self.RECORD.uuid, {'former': {1: self.RECORD}}, set(), {'vm1'}),
            (self.RECORD.uuid, {'migrations': [self.RECORD]}, set(), {'vm1'}),
        ):
            with self.subTest(consumer, **kwargs):
                seen = builders.observation(consumers_at=NOW, **kwargs)
                memory = builders.memory(leftover_since=0.0)
                self.assertEqual(
                    to_trace, orphaned_allocations.to_trace(seen, [consumer])
                )
                self.assertEqual(
                    to_visit,
                    orphaned_allocations.to_visit(seen, [consumer], NOW),
                )
                self.assertIs(
                    bool(to_trace or to_visit),
                    orphaned_allocations.waits(
                        seen, [consumer], DRAIN, memory
                    ),
                )


@ddt.ddt
class TestReport(unittest.TestCase):
    """What is held for a server, or for nobody."""

    HEAL = 'heal_allocations --force --instance x'

    @ddt.data(
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
    @ddt.unpack
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

    def test_one_that_was_deleted_is_no_migration(self):
        gone = builders.row('x', phase=server_status.Phase.GONE)
        seen = builders.observation(visited=[DELETED])

        (row,) = orphaned_allocations.report(seen, ['x'], [gone])

        self.assertIn('the server was deleted, but Placement', row.reason)

    def test_failure_and_orphan_are_both_reported(self):
        failed = builders.row(
            'x', phase=server_status.Phase.FAILED, reason='it is broken'
        )
        rows = orphaned_allocations.report(
            builders.observation(), ['x'], [failed]
        )

        self.assertEqual(1, len(rows))
        self.assertIs(server_status.Phase.FAILED, rows[0].phase)
        self.assertIn('it is broken; Placement still', rows[0].reason)
