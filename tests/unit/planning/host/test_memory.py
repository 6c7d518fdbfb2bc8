# SPDX-License-Identifier: Apache-2.0

"""What is remembered of servers and records, and what is looked at."""

from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import memory as host_memory
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
        remembered = base.asked(
            host='cmp04', spread=True, refused_at=refused_at
        )
        found = self.update(
            builders.memory(remembered),
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
