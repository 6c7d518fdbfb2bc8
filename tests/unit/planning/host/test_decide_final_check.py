# SPDX-License-Identifier: Apache-2.0

"""The end of a drain: "empty" is empty."""

import dataclasses

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import query
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
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

    def test_blocked_server_does_not_delay_the_end(self):
        found = self.decide(
            servers=[base.SUSPENDED], consumers=frozenset({'vm1'})
        )
        self.assert_over(found)
        self.assert_row(found, 'blocked')
