# SPDX-License-Identifier: Apache-2.0

"""What is remembered of servers and records, and what is looked at."""

import unittest

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import memory as host_memory
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Phase = server_status.Phase
#: When the compute service was looked at.
SEEN = NOW - 3
FIRST = memories.HostMemory()
ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}
DELETED = builders.server(status='DELETED')
DRAIN = requested.operation(policies.Policy())


@ddt.ddt
class TestUpdate(unittest.TestCase):
    def update(self, memory=FIRST, **kwargs):
        return host_memory.update(
            builders.observation(**kwargs), DRAIN, memory
        )

    @ddt.data((None, memories.ActionKind.LIVE_MIGRATE), (NOW - 1, None))
    @ddt.unpack
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

    @ddt.data(
        # seen first in the middle of a move; the status it had before
        ('MIGRATING', 'active', 'ACTIVE'),
        ('MIGRATING', 'paused', 'PAUSED'),
        ('RESIZE', 'stopped', 'SHUTOFF'),
        ('RESIZE', 'active', 'ACTIVE'),
        ('REVERT_RESIZE', 'resized', 'REVERT_RESIZE'),
        ('SUSPENDED', 'suspended', 'SUSPENDED'),
    )
    @ddt.unpack
    def test_status_before_the_move(self, status, vm_state, before):
        server = builders.server(status=status, vm_state=vm_state)
        found = self.update(servers=[server])

        self.assertEqual(before, found.servers['vm1'].before.status)
        self.assertEqual(vm_state, found.servers['vm1'].before.vm_state)

    @ddt.data(
        # a record as it was when this run began; is it history
        ('completed', True),
        ('confirmed', True),
        ('done', True),
        ('error', True),
        ('failed', True),
        ('cancelled', True),
        ('reverted', True),
        ('finished', False),
        ('running', False),
        ('a status of tomorrow', False),
    )
    @ddt.unpack
    def test_history(self, status, is_history):
        found = self.update(migrations=[builders.migration(7, status)])

        self.assertEqual(7 in found.history, is_history)


@ddt.ddt
class TestRecords(unittest.TestCase):
    @ddt.data(
        # a record; does it bind its server to the host
        ('running', {}, True),
        ('finished', {}, True),
        ('completed', {}, False),
        ('error', {}, False),
        ('running', ARRIVING, False),
    )
    @ddt.unpack
    def test_servers_never_looked_at(self, status, ends, expected):
        """Servers on no list that must be looked at."""
        migrations = [builders.migration(status=status, **ends)]
        seen = builders.observation(migrations=migrations)

        self.assertEqual(
            {'vm1'} if expected else frozenset(),
            host_memory.never_looked_at(seen, DRAIN, builders.memory()),
        )
        # Not where something is known of it.
        self.assertEqual(
            frozenset(),
            host_memory.never_looked_at(
                seen, DRAIN, builders.memory(builders.server_memory())
            ),
        )
        seen = builders.observation(migrations=migrations, visited=[DELETED])
        self.assertEqual(
            frozenset(),
            host_memory.never_looked_at(seen, DRAIN, builders.memory()),
        )

    @ddt.data(
        # seconds since the record was seen, since the server was; look
        (1, None, False),
        (timing.UNLISTED_RECHECK_SECONDS, None, True),
        (1000, 1, False),
        (1000, timing.UNLISTED_RECHECK_SECONDS, True),
    )
    @ddt.unpack
    def test_overdue_arriving_server_is_visited(
        self, record_ago, server_ago, expected
    ):
        record = builders.migration(seen_at=NOW - record_ago, **ARRIVING)
        visited = []
        if server_ago is not None:
            visited = [
                builders.server(status='MIGRATING', seen_at=NOW - server_ago)
            ]
        seen = builders.observation(migrations=[record], visited=visited)

        self.assertEqual(
            {'vm1'} if expected else frozenset(),
            host_memory.overdue(seen, [record], NOW),
        )


@ddt.ddt
class TestOthersDown(unittest.TestCase):
    """Since when compute services of other hosts have been down."""

    def others_down(self, down, memory=FIRST):
        seen = builders.observation(down=frozenset(down), service_at=SEEN)
        found = host_memory.update(seen, DRAIN, memory)
        return dict(found.others_down)

    @ddt.data(
        # known so far, down now, known then
        ({}, [], {}),
        # No head start: what is on its way there may go on.
        ({}, ['cmp02'], {'cmp02': SEEN}),
        ({'cmp02': 5.0}, ['cmp02'], {'cmp02': 5.0}),
        ({'cmp02': 5.0}, ['cmp03'], {'cmp03': SEEN}),
        ({'cmp02': 5.0}, [], {}),
    )
    @ddt.unpack
    def test_since_when_it_is_down(self, before, down, expected):
        memory = builders.memory(others_down=before)

        self.assertEqual(expected, self.others_down(down, memory))


@ddt.ddt
class TestUnderWay(unittest.TestCase):
    """Since when the time counts that something may take."""

    def update_timings(
        self, phase=Phase.MOVING, remembered=None, other=None, **assessed
    ):
        """Return what is known of vm1 then.

        :param other: a record of vm2, which is on its way, too.
        """
        memory = builders.memory(
            remembered or builders.server_memory(),
            builders.server_memory(builders.server('vm2')),
        )
        statuses = {'vm1': server_status.ServerStatus(phase, **assessed)}
        if other:
            statuses['vm2'] = server_status.ServerStatus(
                Phase.MOVING, record=other
            )
        found = host_memory.update_timings(
            builders.observation(servers=[base.MIGRATING]),
            memory,
            statuses,
            NOW,
        )
        return found.servers['vm1']

    def assert_counts(self, counts, **kwargs):
        began = builders.server_memory(under_way_since=NOW - 9)
        for remembered, expected in ((None, NOW), (began, NOW - 9)):
            found = self.update_timings(remembered=remembered, **kwargs)
            self.assertEqual(
                expected if counts else None, found.under_way_since
            )

    @ddt.data(
        # status of its record, does the time count
        ('accepted', True),
        ('preparing', True),
        ('running', True),
        ('a status of tomorrow', True),
        # It waits for its turn.
        ('queued', False),
        # It has left; only its disk has not.
        ('finished', False),
        ('completed', False),
        ('error', False),
    )
    @ddt.unpack
    def test_whether_the_time_counts(self, status, counts):
        self.assert_counts(counts, record=builders.migration(7, status))


@ddt.ddt
class TestEarlierFailures(unittest.TestCase):
    """What failed before this run, in this maintenance."""

    @ddt.data(
        # the record as this run found it; does it count
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
    @ddt.unpack
    def test_records(self, kwargs, counts):
        record = builders.migration(7, **kwargs)
        seen = builders.observation(migrations=[record])
        memory = builders.memory(history=frozenset({7}))

        self.assertEqual(
            {'vm1': (record,)} if counts else {},
            host_memory.earlier_failures(seen, DRAIN, memory),
        )
        # What failed in this run counts elsewhere.
        self.assertEqual(
            {},
            host_memory.earlier_failures(seen, DRAIN, builders.memory()),
        )


@ddt.ddt
class TestArriving(unittest.TestCase):
    """Whose move to the host is awaited."""

    def arriving(self, record, view=None, limit=None):
        seen = builders.observation(
            migrations=[record], visited=[view] if view else []
        )
        policy = policies.Policy(server_timeout=limit)
        return bool(
            host_memory.arriving(seen, requested.operation(policy), NOW)
        )

    @ddt.data(
        # the record; is it awaited
        (ARRIVING, True),
        ({**ARRIVING, 'type': base.COLD}, True),
        ({**ARRIVING, 'status': 'completed'}, False),
        ({**ARRIVING, 'status': 'finished'}, False),
        ({}, False),
        # A resize from the host to itself.
        ({'source': builders.HOST, 'dest': builders.HOST}, False),
    )
    @ddt.unpack
    def test_arriving_moves_that_are_awaited(self, kwargs, expected):
        self.assertIs(expected, self.arriving(builders.migration(**kwargs)))
