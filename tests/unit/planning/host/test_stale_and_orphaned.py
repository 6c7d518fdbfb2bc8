# SPDX-License-Identifier: Apache-2.0

"""Records that nobody is at any more, and what is left on the host."""

import dataclasses
import unittest

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import power_state as power_state_
from osc_hostmaint.planning.host import orphaned_allocations
from osc_hostmaint.planning.host import stale_migrations
from osc_hostmaint.planning.server import status as server_status
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
PATIENCE = timing.EFFECT_WAIT_SECONDS
DRAIN = requested.operation(policies.Policy())
EVACUATION = requested.operation(policies.Policy(evacuate=True))
HELD = timing.EVACUATION_WAIT_SECONDS
State = model.PowerState
DELETED = builders.server('x', 'DELETED')
ELSEWHERE = builders.server('x', host='cmp09')


class TestDropStale(unittest.TestCase):
    """Of any host."""

    def test_superseded_record_is_dropped(self):
        """An older record that never ended is not a second move."""
        newest = builders.migration(2, 'completed')
        seen = builders.observation(
            servers=[builders.server()],
            migrations=[builders.migration(1, 'queued'), newest],
        )

        self.assertEqual(
            {2: newest}, dict(stale_migrations.drop_stale(seen).migrations)
        )


@ddt.ddt
class TestEvacuations(unittest.TestCase):
    """One that is dropped too soon is built twice."""

    def left(self, waited, changed, ahead=0.0, began=True, down='', **view):
        """Tell whether a record is left out.

        :param waited: seconds since its status was seen first.
        :param changed: seconds since its server changed, by Nova's clock.
        :param ahead: what our clock is known to show more.
        :param began: its destination is at it, or was.
        :param down: another host, whose compute service is down.
        """
        record = builders.evacuation(
            status='pre-migrating' if began else 'accepted',
            seen_at=NOW - waited,
        )
        server = builders.server(
            updated_at=builders.cloud_time(-changed), **view
        )
        if ahead is not None:
            ahead += NOW - builders.SINCE.timestamp()
        seen = builders.observation(
            servers=[server],
            migrations=[record],
            ahead=ahead,
            down=frozenset({down}),
        )
        return not stale_migrations.drop_stale(
            seen, EVACUATION.is_cut_off
        ).migrations

    @ddt.data(
        # what our clock may show more, at the most; since the record changed
        (None, HELD - 1, False),
        (None, HELD, True),
        # Nothing has changed for a day: it may be a minute or a day.
        (86400.0, HELD - 1, False),
        (86400.0, HELD, True),
    )
    @ddt.unpack
    def test_where_novas_clock_is_not_known(self, ahead, waited, expected):
        self.assertIs(expected, self.left(waited, 3600, ahead))

    @ddt.data(('cmp09', True), (builders.DEST, False))
    @ddt.unpack
    def test_where_its_destination_died_when_it_was_built(self, down, left):
        """Its guest may run there."""
        self.assertIs(left, self.left(HELD, HELD, down=down))

    @ddt.data((PATIENCE, False), (timing.REBUILT_WAIT_SECONDS, True))
    @ddt.unpack
    def test_nova_needs_time_to_notice_that_it_died(self, unchanged, left):
        self.assertIs(left, self.left(HELD - 1, unchanged))

    @ddt.data(
        # since its record changed, the server; is it left out
        (PATIENCE, {}, True),
        (PATIENCE, {'status': 'SHUTOFF'}, True),
        (PATIENCE, {'status': 'ERROR'}, True),
        (PATIENCE - 1, {}, False),
        # It is not at rest there.
        (1e6, {'task_state': 'powering-off'}, False),
        (1e6, {'status': 'REBUILD'}, False),
    )
    @ddt.unpack
    def test_evacuated_server_rests_elsewhere(self, waited, view, expected):
        """Nova works in the name of the oldest that is accepted."""
        for began in (True, False):
            left = self.left(
                waited, 0, None, began, host=builders.DEST, **view
            )
            self.assertIs(expected, left)

    def test_a_move_of_another_kind_shows_that_it_is_over(self):
        """It came back to life, and was drained since."""
        seen = builders.observation(
            visited=[base.THERE],
            migrations=[
                builders.evacuation(1),
                builders.migration(2, 'error'),
            ],
        )

        self.assertEqual(
            {2}, set(stale_migrations.drop_stale(seen).migrations)
        )


def server(status, power_state):
    return builders.server(status=status, power_state=power_state)


def history(*actions):
    """Return what was asked of a server, oldest first."""
    return [base.instance_action(a, seconds=n) for n, a in enumerate(actions)]


@ddt.ddt
class TestPowerState(unittest.TestCase):
    """What its host told last of the guest."""

    @ddt.data(
        # status, power state; was it off
        ('SHUTOFF', State.SHUTDOWN, True),
        ('SHUTOFF', State.NOSTATE, True),
        ('SHUTOFF', State.RUNNING, True),
        ('ERROR', State.SHUTDOWN, True),
        ('ERROR', State.RUNNING, False),
        ('ERROR', State.PAUSED, False),
        ('ERROR', State.CRASHED, False),
        ('ERROR', State.SUSPENDED, False),
        ('ACTIVE', State.RUNNING, False),
        # Its state was reset, or its guest had shut itself down.
        ('ACTIVE', State.SHUTDOWN, True),
        ('ACTIVE', State.CRASHED, False),
        # Not evacuated at all.
        ('PAUSED', State.PAUSED, False),
        ('SUSPENDED', State.SHUTDOWN, False),
        ('RESCUE', State.SHUTDOWN, False),
    )
    @ddt.unpack
    def test_power_state_says_stopped(self, status, state, expected):
        before = server(status, state)

        self.assertFalse(power_state_.tells_nothing(before))
        self.assertIs(expected, power_state_.was_stopped(before))
        # Then nothing else counts.
        for action in ('stop', 'start'):
            self.assertIs(
                expected,
                power_state_.was_stopped(before, history('create', action)),
            )


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
