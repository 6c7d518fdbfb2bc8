# SPDX-License-Identifier: Apache-2.0

"""The end of a drain: "empty" is empty."""

import unittest

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import query
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}
ActionKind = memories.ActionKind
LATER = NOW + 1


@ddt.ddt
class TestOrderOfLooks(unittest.TestCase):
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

    @ddt.data(
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

    def test_not_before_the_settling_time(self):
        """A server that was being scheduled arrives a moment later."""
        found = self.decide(policy=policies.Policy(settled_from=NOW + 2))
        self.assertFalse(found.done)
        self.assertEqual(2.0, found.interval)

        found = self.decide(policy=policies.Policy(settled_from=NOW))
        self.assertTrue(found.drained)

    def test_allocations_are_looked_at(self):
        found = self.decide(consumers=None)

        self.assertFalse(found.done)
        self.assertTrue(found.query.consumers)

    def test_arriving_server_is_awaited(self):
        found = self.decide(
            migrations=[builders.migration(1, 'running', 'vm9', **ARRIVING)]
        )

        self.assertFalse(found.done)
        self.assertIn('without a limit', found.waiting_for)
        self.assertIn('vm9', found.waiting_for)

    def test_it_is_awaited_for_so_long_at_most(self):
        found = self.decide(
            policy=policies.Policy(server_timeout=600),
            migrations=[builders.migration(1, 'running', 'vm9', **ARRIVING)],
        )

        self.assertIn('at most 600 s each: vm9', found.waiting_for)

    def test_arrived_server_is_not_awaited(self):
        """The list, which is newer, shows him; or he has left again."""
        record = builders.migration(1, 'completed', 'vm9', **ARRIVING)
        found = self.decide(migrations=[record])

        self.assertTrue(found.drained)

    def test_deleted_arriving_server_is_not_awaited(self):
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
            traced=frozenset({'x'}),
        )

    def test_orphaned_allocations_are_given_time(self):
        found = self.leftover(None)

        self.assertFalse(found.done)
        self.assertEqual((), found.rows)
        self.assertEqual(NOW, found.memory.leftover_since)

        found = self.leftover(NOW - 1)
        self.assertEqual(NOW - 1, found.memory.leftover_since)

    def test_time_of_orphans_starts_when_nothing_is_left(self):
        memory = builders.memory(leftover_since=NOW - 99)
        for why, observed in {
            'a server': {'servers': [builders.server()]},
            'nothing': {'consumers': frozenset()},
        }.items():
            with self.subTest(why):
                observed = {'consumers': frozenset({'x'}), **observed}
                found = self.decide(memory=memory, **observed)

                self.assertIsNone(found.memory.leftover_since)

    def test_orphans_are_not_reported_while_open(self):
        """Abandoned: then nobody knows what belongs to whom."""
        found = self.decide(
            policy=policies.Policy(stop='late', abandon='late'),
            consumers=frozenset({'x'}),
            migrations=[builders.migration(1, 'running', 'vm9', **ARRIVING)],
        )

        self.assertTrue(found.done)
        self.assertEqual((), found.rows)

    def test_orphaned_allocations_are_reported(self):
        found = self.leftover(NOW - timing.LEFTOVERS_WAIT_SECONDS)

        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertEqual('x', self.row(found).server_id)
        self.assertIn('allocation', self.row(found).reason)

    def test_blocked_server_does_not_delay_the_end(self):
        found = self.decide(
            servers=[builders.server(status='SUSPENDED')],
            consumers=frozenset({'vm1'}),
        )

        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertIs(decisions.Result.BLOCKED, self.row(found).result)
