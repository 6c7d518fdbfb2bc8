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

"""Allocations on the host that no server or migration there explains."""

import dataclasses
import unittest

import ddt

from osc_hostmaint.planning import leftover
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import timing
from tests.unit import builders

NOW = builders.NOW
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
        self.assertEqual(expected, leftover.find(seen, policies.Policy()))

    def test_nobody_has_looked_yet(self):
        self.assertEqual(
            frozenset(),
            leftover.find(
                builders.observation(consumers=None), policies.Policy()
            ),
        )


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
        seen = builders.observation(visited=visited)
        since = None if left_for is None else NOW - left_for
        memory = builders.memory(leftover_since=since)
        policy = policies.Policy(server_timeout=limit, evacuate=dead)
        return (
            leftover.waits(seen, ['x'], policy, memory, NOW),
            leftover.to_visit(seen, ['x'], NOW) == {'x'},
        )

    def test_nobody_arrives_on_a_host_that_has_died(self):
        for view in (self.BUILDING, self.COMING, self.HERE):
            for left_for, expected in ((29, True), (30, False)):
                waits, _looks = self.ask(view, left_for=left_for, dead=True)
                self.assertIs(expected, waits)

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

    @ddt.data(
        (None, True),
        (0, True),
        (timing.LEFTOVERS_WAIT_SECONDS - 1, True),
        (timing.LEFTOVERS_WAIT_SECONDS, False),
    )
    @ddt.unpack
    def test_nova_may_take_a_moment_to_tidy_up(self, left_for, waits):
        self.assertEqual(waits, self.ask(DELETED, left_for=left_for)[0])

    @ddt.data(
        # the server, for how long it is the last thing left; waits
        (BUILDING, 59.0, True),
        (BUILDING, 60.0, False),
        (COMING, 60.0, False),
        (HERE, 60.0, False),
        # Nobody has looked at it yet.
        (None, 60.0, True),
        # What does not come has the usual time.
        (DELETED, 31.0, False),
        (BUILDING, None, True),
    )
    @ddt.unpack
    def test_who_is_coming_has_the_time_of_a_move(self, view, left_for, waits):
        found = self.ask(view, left_for=left_for, limit=60.0)

        self.assertEqual(waits, found[0])

    def test_nothing_is_awaited_where_nothing_is_left(self):
        self.assertFalse(
            leftover.waits(
                builders.observation(),
                [],
                policies.Policy(),
                builders.memory(),
                NOW,
            )
        )


class TestReport(unittest.TestCase):
    def row(self, *visited):
        rows = leftover.report(
            builders.observation(visited=visited), ['x'], []
        )
        self.assertEqual(1, len(rows))
        self.assertEqual('x', rows[0].server_id)
        self.assertIs(standing.Phase.BLOCKED, rows[0].phase)
        self.assertTrue(rows[0].left)
        self.assertIn(
            'openstack resource provider allocation show x', rows[0].reason
        )
        return rows[0]

    def test_of_a_server_elsewhere(self):
        row = self.row(ELSEWHERE)

        self.assertIn('it is on cmp09', row.reason)
        self.assertEqual('name of x', row.name)
        self.assertEqual('cmp09', row.destination)

    def test_of_a_server_nova_does_not_know(self):
        row = self.row(DELETED)

        self.assertIn('Nova knows no server of this id', row.reason)
        self.assertEqual('', row.destination)

    def test_of_a_server_on_no_host(self):
        row = self.row(builders.server('x', 'SHELVED_OFFLOADED'))

        self.assertNotIn('None', row.reason)

    def test_of_something_nobody_has_looked_at(self):
        self.row()

    def test_sorted(self):
        rows = leftover.report(builders.observation(), ['c', 'a', 'b'], [])

        self.assertEqual(['a', 'b', 'c'], [r.server_id for r in rows])

    def test_a_server_has_one_row(self):
        moved = builders.row('x')
        other = builders.row('vm1')

        rows = leftover.report(builders.observation(), ['x'], [moved, other])

        self.assertEqual(['x', 'vm1'], [row.server_id for row in rows])
        self.assertTrue(rows[0].left)
        self.assertEqual(moved.destination, rows[0].destination)
        self.assertIn('Placement still holds', rows[0].reason)
        self.assertEqual(other, rows[1])

    def test_what_went_wrong_is_told_all_the_same(self):
        failed = builders.row(
            'x', phase=standing.Phase.FAILED, reason='it is broken'
        )
        rows = leftover.report(builders.observation(), ['x'], [failed])

        self.assertEqual(1, len(rows))
        self.assertIs(standing.Phase.FAILED, rows[0].phase)
        self.assertIn('it is broken', rows[0].reason)
        self.assertIn('Placement still holds', rows[0].reason)
