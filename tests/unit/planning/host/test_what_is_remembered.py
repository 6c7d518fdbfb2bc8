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
FIRST = memories.Memory()
ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}
DELETED = builders.server(status='DELETED')
DRAIN = requested.operation(policies.Policy())


@ddt.ddt
class TestTakeIn(unittest.TestCase):
    def take_in(self, memory=FIRST, **kwargs):
        return host_memory.take_in(
            builders.observation(**kwargs), DRAIN, memory
        )

    @ddt.data((None, memories.Kind.LIVE_MIGRATE), (NOW - 1, None))
    @ddt.unpack
    def test_the_scheduler_would_not_have_our_pick(self, refused_at, declined):
        """Not where Nova refused it at once: that leaves no record."""
        track = base.asked(host='cmp04', spread=True, refused_at=refused_at)
        found = self.take_in(
            builders.memory(track),
            migrations=[builders.migration(7, 'error', dest=None)],
        )
        self.assertIs(declined, found.tracks['vm1'].declined)

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
        found = self.take_in(servers=[server])

        self.assertEqual(before, found.tracks['vm1'].before.status)
        self.assertEqual(vm_state, found.tracks['vm1'].before.vm_state)

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
        found = self.take_in(migrations=[builders.migration(7, status)])

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
    def test_strangers(self, status, ends, expected):
        """Servers on no list that must be looked at."""
        migrations = [builders.migration(status=status, **ends)]
        seen = builders.observation(migrations=migrations)

        self.assertEqual(
            {'vm1'} if expected else frozenset(),
            host_memory.strangers(seen, DRAIN, builders.memory()),
        )
        # Not where something is known of it.
        self.assertEqual(
            frozenset(),
            host_memory.strangers(
                seen, DRAIN, builders.memory(builders.track())
            ),
        )
        seen = builders.observation(migrations=migrations, visited=[DELETED])
        self.assertEqual(
            frozenset(),
            host_memory.strangers(seen, DRAIN, builders.memory()),
        )

    @ddt.data(
        # seconds since the record was seen, since the server was; look
        (1, None, False),
        (timing.UNLISTED_RECHECK_SECONDS, None, True),
        (1000, 1, False),
        (1000, timing.UNLISTED_RECHECK_SECONDS, True),
    )
    @ddt.unpack
    def test_who_is_long_on_the_way_here_is_looked_at(
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
        found = host_memory.take_in(seen, DRAIN, memory)
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

    def keep_up(self, phase=Phase.MOVING, track=None, other=None, **stand):
        """Return what is known of vm1 then.

        :param other: a record of vm2, which is on its way, too.
        """
        memory = builders.memory(
            track or builders.track(),
            builders.track(builders.server('vm2')),
        )
        stands = {'vm1': server_status.Standing(phase, **stand)}
        if other:
            stands['vm2'] = server_status.Standing(Phase.MOVING, record=other)
        found = host_memory.keep_up(
            builders.observation(servers=[base.MIGRATING]), memory, stands, NOW
        )
        return found.tracks['vm1']

    def assert_counts(self, counts, **kwargs):
        began = builders.track(under_way_since=NOW - 9)
        for track, expected in ((None, NOW), (began, NOW - 9)):
            found = self.keep_up(track=track, **kwargs)
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
    def test_what_is_awaited(self, kwargs, expected):
        self.assertIs(expected, self.arriving(builders.migration(**kwargs)))
