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

"""What is looked at next, and when "empty" counts."""

import dataclasses
import unittest

import ddt

from osc_hostmaint.planning import decision as decisions
from osc_hostmaint.planning import look
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
Phase = standing.Phase


@ddt.ddt
class TestClosing(unittest.TestCase):
    """What counts as "empty" comes after the last thing that happened."""

    def closing(self, stand=None, *, settled_from=0.0, track=None, **observed):
        return look.closing(
            builders.observation(**observed),
            builders.memory(track or builders.track()),
            {'vm1': stand or standing.Standing(Phase.MOVED)},
            policies.Policy(settled_from=settled_from),
        )

    def test_all_has_been_looked_at(self):
        self.assertFalse(self.closing())

    @ddt.data(
        # nobody has looked at the allocations
        {'consumers': None},
        # the servers were listed after the allocations
        {'consumers_at': NOW - 1},
        # a server may still arrive that was being scheduled
        {'settled_from': NOW + 1},
        # a move ended after the servers were listed
        {'migrations': [builders.migration(1, 'completed', seen_at=NOW + 1)]},
        # something was asked for after that
        {'track': base.asked(Kind.LIVE_MIGRATE, asked_at=NOW + 1)},
        {'track': base.asked(Kind.CONFIRM, asked_at=NOW + 1)},
        {'track': base.asked(Kind.SUSPEND, asked_at=NOW + 1)},
        # one to the host ended after that
        {
            'migrations': [
                builders.migration(
                    status='completed',
                    source=builders.DEST,
                    dest=builders.HOST,
                    seen_at=NOW + 1,
                )
            ]
        },
        # the list shows one that is known to have left
        {'servers': [builders.server()]},
    )
    def test_must_look_again(self, kwargs):
        self.assertTrue(self.closing(**kwargs))

    def test_a_server_that_stays_is_no_reason_to_look_again(self):
        blocked = standing.Standing(Phase.BLOCKED)

        self.assertFalse(self.closing(blocked, servers=[builders.server()]))


@ddt.ddt
class TestNextLook(unittest.TestCase):
    def look(self, *stands, must_close=False, visit=frozenset(), **observed):
        return look.next_look(
            builders.observation(**observed),
            {f'vm{i}': stand for i, stand in enumerate(stands)},
            NOW,
            must_close=must_close,
            visit=visit,
            policy=policies.Policy(),
            memory=builders.memory(),
        )

    def test_mostly_the_records_alone(self):
        self.assertEqual(
            decisions.Inquiry(records=True),
            self.look(
                standing.Standing(Phase.MOVING),
                standing.Standing(Phase.WAITING),
            ),
        )

    def test_servers_now_and_then(self):
        found = self.look(servers_at=NOW - timing.SERVERS_RECHECK_SECONDS)

        self.assertTrue(found.servers)

    def test_servers_while_one_is_busy(self):
        self.assertTrue(self.look(standing.Standing(Phase.BUSY)).servers)

    def test_the_service_now_and_then(self):
        found = self.look(service_at=NOW - timing.SERVICE_RECHECK_SECONDS)

        self.assertTrue(found.services)

    def test_the_service_more_often_while_it_is_down(self):
        down = builders.service(up=False)
        found = self.look(
            service=down, service_at=NOW - timing.DOWN_SERVICE_RECHECK_SECONDS
        )

        self.assertTrue(found.services)
        self.assertLess(
            timing.DOWN_SERVICE_RECHECK_SECONDS, timing.SERVICE_RECHECK_SECONDS
        )

    def test_at_most_one_list_beside_the_records(self):
        old = NOW - 1000
        found = self.look(
            standing.Standing(Phase.BUSY),
            servers_at=old,
            service_at=old,
            consumers_at=old,
        )

        self.assertTrue(found.services)
        self.assertFalse(found.servers or found.consumers)

    def test_nor_while_leftovers_are_watched(self):
        found = self.look(
            must_close=True,
            consumers=frozenset('x'),
            service_at=NOW - timing.SERVICE_RECHECK_SECONDS,
        )

        self.assertTrue(found.services)
        self.assertFalse(found.servers or found.consumers)

    def test_the_last_check_takes_servers_and_allocations(self):
        found = self.look(must_close=True, consumers=None)

        self.assertEqual(
            decisions.Inquiry(records=False, servers=True, consumers=True),
            found,
        )

    def test_leftovers_are_watched(self):
        found = self.look(must_close=True, consumers=frozenset('x'))
        self.assertTrue(found.consumers)

        found = self.look(
            must_close=True,
            consumers=frozenset('x'),
            servers_at=NOW - timing.LEFTOVERS_RECHECK_SECONDS,
        )
        self.assertTrue(found.servers)

    def test_single_servers_and_failures(self):
        record = builders.migration(9, 'error')
        found = self.look(
            standing.Standing(Phase.SETTLING, visit=True),
            standing.Standing(Phase.SETTLING, record=record, explain=True),
            standing.Standing(Phase.MOVED, record=record),
            visit=frozenset({'x'}),
        )

        self.assertEqual({'vm0', 'x'}, found.visit)
        self.assertEqual({9}, found.explain)

    @ddt.data(True, False)
    def test_single_servers_are_looked_at_whatever_else_is(self, checks):
        consumers = None if checks else frozenset('x')
        found = self.look(
            standing.Standing(Phase.MOVED, visit=True),
            must_close=True,
            consumers=consumers,
        )

        self.assertEqual({'vm0'}, found.visit)


@ddt.ddt
class TestLookCloser(unittest.TestCase):
    """Progress, histories, and hosts that servers are on their way to."""

    MOVING = standing.Standing(Phase.MOVING, record=builders.migration(9))

    def look(self, *stands, memory=None, must_close=False, **observed):
        return look.next_look(
            builders.observation(**observed),
            {f'vm{i}': stand for i, stand in enumerate(stands)},
            NOW,
            must_close=must_close,
            visit=frozenset(),
            policy=policies.Policy(),
            memory=memory or builders.memory(),
        )

    def test_progress(self):
        found = self.look(
            dataclasses.replace(self.MOVING, progress=True),
            self.MOVING,
            standing.Standing(Phase.MOVING, progress=True),
        )

        self.assertEqual({9}, found.progress)
        self.assertTrue(found.singles)
        self.assertFalse(self.look(self.MOVING).singles)

    @ddt.data(True, False)
    def test_histories_are_asked_for_once(self, must_close):
        memory = builders.memory(suspects=frozenset({'vm1', 'vm2'}))
        found = self.look(
            memory=memory,
            must_close=must_close,
            consumers=None,
            histories={'vm2': ()},
        )

        self.assertEqual({'vm1'}, found.history)
        self.assertTrue(found.singles)

    @ddt.data(
        # what is under way, who is down; look at the services soon
        ([MOVING], {builders.DEST}, True),
        ([MOVING], {'cmp09'}, False),
        ([MOVING], set(), False),
        ([], {builders.DEST}, False),
        (
            [
                standing.Standing(
                    Phase.MOVED, record=builders.migration(9, 'completed')
                )
            ],
            {builders.DEST},
            False,
        ),
    )
    @ddt.unpack
    def test_a_destination_that_is_down(self, stands, down, expected):
        found = self.look(
            *stands,
            down=frozenset(down),
            service_at=NOW - timing.DOWN_SERVICE_RECHECK_SECONDS,
        )

        self.assertIs(expected, found.services)


class TestLatest(unittest.TestCase):
    """What an observation knows of one server (model.Observation)."""

    def latest(self, listed=None, visited=None, **kwargs):
        seen = builders.observation(
            servers=[listed] if listed else [],
            visited=[visited] if visited else [],
            **kwargs,
        )
        return seen.latest('vm1')

    def test_the_newer_look_counts(self):
        old = builders.server(seen_at=NOW - 1)
        new = builders.server(status='SHUTOFF')

        self.assertEqual(new, self.latest(listed=old, visited=new))
        self.assertEqual(new, self.latest(listed=new, visited=old))

    def test_only_one_of_both(self):
        self.assertEqual(
            builders.server(), self.latest(listed=builders.server())
        )
        self.assertEqual(
            builders.server(), self.latest(visited=builders.server())
        )
        self.assertIsNone(self.latest())

    def test_it_was_here_and_a_newer_list_does_not_show_it(self):
        """It has left or was deleted: nobody knows."""
        view = builders.server(seen_at=NOW - 1)

        self.assertIsNone(self.latest(visited=view))

    def test_it_was_elsewhere_and_no_list_shows_it(self):
        view = builders.server(host=builders.DEST, seen_at=NOW - 1000)

        self.assertEqual(view, self.latest(visited=view))

    def test_it_has_come_back(self):
        away = builders.server(host=builders.DEST, seen_at=NOW - 1)
        back = dataclasses.replace(away, host=builders.HOST, seen_at=NOW)

        self.assertEqual(back, self.latest(listed=back, visited=away))
