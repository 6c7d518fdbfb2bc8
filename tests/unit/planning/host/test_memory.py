# SPDX-License-Identifier: Apache-2.0

"""What is remembered and looked at, and records that nothing carries out."""

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import memory as host_memory
from osc_hostmaint.planning.host import stale_migrations
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
#: When the compute service was looked at.
SEEN = NOW - 3
ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}


class TestUpdate(unit.TestCase):
    def update(self, memory=None, **kwargs):
        return host_memory.update(
            base.host_context(memory=memory or memories.HostMemory(), **kwargs)
        )

    @unit.cases((None, memories.ActionKind.LIVE_MIGRATE), (NOW - 1, None))
    def test_scheduler_rejects_the_picked_host(
        self, refused_at, host_rejected
    ):
        """Not where Nova refused it at once: that leaves no record."""
        found = self.update(
            builders.memory(
                base.asked(host='cmp04', spread=True, refused_at=refused_at)
            ),
            migrations=[builders.migration(7, 'error', dest=None)],
        )
        self.assertIs(host_rejected, found.servers['vm1'].host_rejected_for)

    @unit.cases(
        # seen first in the middle of a move; the status it had before
        ('MIGRATING', 'active', 'ACTIVE'),
        ('MIGRATING', 'paused', 'PAUSED'),
        ('RESIZE', 'stopped', 'SHUTOFF'),
        ('RESIZE', 'active', 'ACTIVE'),
        ('REVERT_RESIZE', 'resized', 'REVERT_RESIZE'),
        ('SUSPENDED', 'suspended', 'SUSPENDED'),
    )
    def test_status_before_the_move(self, status, vm_state, before):
        server = builders.server(status=status, vm_state=vm_state)
        found = self.update(servers=[server]).servers['vm1'].before
        self.assertEqual((before, vm_state), (found.status, found.vm_state))

    @unit.cases(
        # is it history, how its record was when this run began
        (True, 'completed', 'confirmed', 'done', 'error', 'failed'),
        (True, 'cancelled', 'reverted'),
        (False, 'finished', 'running', 'a status of tomorrow'),
    )
    def test_history(self, is_history, *statuses):
        for status in statuses:
            with self.subTest(status):
                found = self.update(migrations=[builders.migration(7, status)])
                self.assertEqual(is_history, 7 in found.history)

    @unit.cases(
        # since when another host was down, is it down now; since when then
        (None, False, {}),
        # No head start: what is on its way there may go on.
        (None, True, {'cmp02': SEEN}),
        (5.0, True, {'cmp02': 5.0}),
        (5.0, False, {}),
    )
    def test_since_when_others_are_down(self, before, down, expected):
        memory = builders.memory(others_down={'cmp02': before or SEEN})
        if before is None:
            memory = builders.memory(others_down={'cmp03': 5.0})
        found = self.update(
            memory, down=frozenset({'cmp02'} if down else ()), service_at=SEEN
        )
        self.assertEqual(expected, found.others_down)


class TestRecords(unit.TestCase):
    @unit.cases(
        # a record; does it bind its server to the host
        ('running', {}, True),
        ('finished', {}, True),
        ('completed', {}, False),
        ('error', {}, False),
        ('running', ARRIVING, False),
    )
    def test_servers_never_looked_at(self, status, ends, expected):
        record = builders.migration(status=status, **ends)
        for observed, found in (
            ({}, {'vm1'} if expected else set()),
            # Not where something is known of it.
            ({'memory': builders.memory(builders.server_memory())}, set()),
            ({'visited': [base.DELETED]}, set()),
        ):
            context = base.host_context(migrations=[record], **observed)
            self.assertEqual(found, context.never_looked_at)

    @unit.cases(
        # seconds since the record was seen, since the server was; look
        (1, None, False),
        (timing.UNLISTED_RECHECK_SECONDS, None, True),
        (1000, 1, False),
        (1000, timing.UNLISTED_RECHECK_SECONDS, True),
    )
    def test_overdue_arriving_server_is_visited(
        self, record_ago, server_ago, expected
    ):
        record = builders.migration(seen_at=NOW - record_ago, **ARRIVING)
        view = builders.server(
            status='MIGRATING', seen_at=NOW - (server_ago or 0)
        )
        context = base.host_context(
            migrations=[record], visited=[] if server_ago is None else [view]
        )
        self.assertEqual(
            {'vm1'} if expected else set(), context.overdue([record])
        )

    @unit.cases(
        # the record as this run found it; does it count as a failure in this
        # maintenance
        ({'status': 'error'}, True),
        ({'status': 'failed'}, True),
        ({'status': 'cancelled'}, True),
        ({'status': 'completed'}, False),
        ({'status': 'error', 'created_at': builders.cloud_time(0)}, True),
        # Nova's controllers do not agree about the time.
        ({'status': 'error', 'created_at': builders.cloud_time(-5)}, True),
        ({'status': 'error', 'created_at': builders.cloud_time(-5.1)}, False),
        ({'status': 'error', **ARRIVING}, False),
    )
    def test_earlier_failures(self, kwargs, counts):
        record = builders.migration(7, **kwargs)
        found = {'vm1': (record,)} if counts else {}
        # What failed in this run counts elsewhere.
        for history, expected in (({7}, found), ((), {})):
            context = base.host_context(
                migrations=[record],
                memory=builders.memory(history=frozenset(history)),
            )
            self.assertEqual(expected, context.earlier_failures)

    @unit.cases(
        # the record; is it awaited
        (ARRIVING, True),
        ({**ARRIVING, 'type': base.COLD}, True),
        ({**ARRIVING, 'status': 'completed'}, False),
        ({**ARRIVING, 'status': 'finished'}, False),
        ({}, False),
        # A resize from the host to itself.
        ({'source': builders.HOST, 'dest': builders.HOST}, False),
    )
    def test_arriving_moves_that_are_awaited(self, kwargs, expected):
        record = builders.migration(**kwargs)
        context = base.host_context(migrations=[record])
        self.assertEqual([record] if expected else [], context.arriving)


class TestUnderWay(unit.TestCase):
    """Since when the time counts that something may take."""

    @unit.cases(
        # status of its record, does the time count
        *((s, True) for s in ('accepted', 'preparing', 'running', 'tomorrow')),
        # It waits for its turn.
        ('queued', False),
        # It has left; only its disk has not.
        *((s, False) for s in ('finished', 'completed', 'error')),
    )
    def test_whether_the_time_counts(self, status, counts):
        moving = server_status.ServerStatus(
            server_status.Phase.MOVING, record=builders.migration(7, status)
        )
        for before, expected in ((None, NOW), (NOW - 9, NOW - 9)):
            remembered = builders.server_memory(under_way_since=before)
            found = host_memory.update_timings(
                base.host_context(
                    servers=[base.MIGRATING],
                    memory=builders.memory(remembered),
                    statuses={'vm1': moving},
                )
            )
            self.assertEqual(
                expected if counts else None,
                found.servers['vm1'].under_way_since,
            )


PATIENCE = timing.EFFECT_WAIT_SECONDS
EVACUATION = requested.operation(policies.Policy(evacuate=True))
HELD = timing.EVACUATION_WAIT_SECONDS


def kept(**observed):
    seen, is_cut_off = builders.observation(**observed), EVACUATION.is_cut_off
    return set(stale_migrations.drop_stale(seen, is_cut_off).migrations)


class TestDropStale(unit.TestCase):
    """Of any host."""

    def test_superseded_record_is_dropped(self):
        """An older record that never ended is not a second move."""
        records = [
            builders.migration(1, 'queued'),
            builders.migration(2, 'completed'),
        ]
        seen = builders.observation([base.HERE], records)
        self.assertEqual(
            {2: records[1]}, dict(stale_migrations.drop_stale(seen).migrations)
        )


class TestEvacuations(unit.TestCase):
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
        return not kept(
            servers=[server],
            migrations=[record],
            ahead=ahead,
            down=frozenset({down}),
        )

    @unit.cases(
        # since its status was seen, since its server changed; is it left out
        # What our clock may show more, at the most, is not known, or a day:
        # nothing may have changed for a minute or a day.
        (HELD - 1, 3600, False, None),
        (HELD, 3600, True, None),
        (HELD - 1, 3600, False, 86400.0),
        (HELD, 3600, True, 86400.0),
        # Nova needs time to notice that its destination died.
        (HELD - 1, PATIENCE, False),
        (HELD - 1, timing.REBUILT_WAIT_SECONDS, True),
    )
    def test_when_it_is_left_out(self, waited, changed, expected, ahead=0.0):
        self.assertIs(expected, self.left(waited, changed, ahead))

    @unit.cases(('cmp09', True), (builders.DEST, False))
    def test_where_its_destination_died_when_it_was_built(self, down, left):
        """Its guest may run there."""
        self.assertIs(left, self.left(HELD, HELD, down=down))

    @unit.cases((HELD - 1, {1, 2}), (HELD, {2}))
    def test_a_newer_one_failed_after_its_destination_died(
        self, waited, expected
    ):
        """Nova has taken the task away: it would be awaited for ever."""
        found = kept(
            servers=[builders.server(updated_at=builders.cloud_time(-3600))],
            migrations=[
                builders.evacuation(1, seen_at=NOW - waited),
                builders.evacuation(2, 'failed'),
            ],
            ahead=NOW - builders.SINCE.timestamp(),
            down=frozenset({builders.DEST}),
        )
        self.assertEqual(expected, found)

    @unit.cases(
        # since its record changed, the server; is it left out
        (PATIENCE, {}, True),
        (PATIENCE, {'status': 'SHUTOFF'}, True),
        (PATIENCE, {'status': 'ERROR'}, True),
        (PATIENCE - 1, {}, False),
        # It is not at rest there.
        (1e6, {'task_state': 'powering-off'}, False),
        (1e6, {'status': 'REBUILD'}, False),
    )
    def test_evacuated_server_rests_elsewhere(self, waited, view, expected):
        """Nova works in the name of the oldest that is accepted."""
        for began in (True, False):
            left = self.left(
                waited, 0, None, began, host=builders.DEST, **view
            )
            self.assertIs(expected, left)

    def test_a_move_of_another_kind_shows_that_it_is_over(self):
        """It came back to life, and was drained since."""
        records = [builders.evacuation(1), builders.migration(2, 'error')]
        self.assertEqual({2}, kept(visited=[base.THERE], migrations=records))
