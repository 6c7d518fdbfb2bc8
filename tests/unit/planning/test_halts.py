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

"""What makes it impossible to go on at all: the state of the hosts."""

import unittest

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import halts
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning import tracks
from tests.unit import builders

NOW = builders.NOW
EVACUATE = policies.Policy(evacuate=True)
HOME = policies.Policy(home='cmp09', only=frozenset({'vm1'}))
ALIVE = builders.service()
DOWN = builders.service(up=False)


@ddt.ddt
class TestTrouble(unittest.TestCase):
    def trouble(self, policy, service=ALIVE, memory=None, **observed):
        seen = builders.observation(service=service, **observed)
        return halts.trouble(seen, policy, memory or builders.memory())

    @ddt.data(ALIVE, DOWN, builders.dead())
    def test_a_drain_goes_on(self, service):
        self.assertEqual('', self.trouble(policies.Policy(), service))

    @ddt.data(policies.Policy(), EVACUATE)
    def test_back_in_service(self, policy):
        told = self.trouble(policy, builders.dead(enabled=True))

        self.assertIn('openstack host maintenance set cmp01', told)

    @ddt.data(
        builders.dead(),
        DOWN,
        builders.dead(disabled_reason='fan broken'),
        builders.dead(updated_at=builders.cloud_time(5)),
    )
    def test_a_dead_host_is_evacuated(self, service):
        self.assertEqual('', self.trouble(EVACUATE, service))

    def test_a_living_one_is_not(self):
        told = self.trouble(EVACUATE, ALIVE)

        self.assertIn('cmp01 is up again', told)
        self.assertIn('without --evacuate', told)

    def test_one_that_was_heard_of_is_not(self):
        memory = builders.memory(revived=True)
        told = self.trouble(EVACUATE, builders.dead(), memory)

        self.assertIn('cmp01 reports to Nova again', told)
        self.assertIn('not powered off', told)
        self.assertEqual('', self.trouble(policies.Policy(), ALIVE, memory))

    @ddt.data(
        # the home, what is told
        ({'enabled': True}, ''),
        ({'enabled': False}, 'openstack host maintenance unset cmp09'),
        ({'enabled': True, 'up': False}, 'start nova-compute'),
        (None, 'not in service'),
    )
    @ddt.unpack
    def test_home(self, kwargs, words):
        home = kwargs and builders.service(host='cmp09', **kwargs)
        # Whatever becomes of the host that they are on.
        for service in (ALIVE, builders.service(enabled=True)):
            told = self.trouble(HOME, service, home=home)
            if not words:
                self.assertEqual('', told)
            else:
                self.assertIn(words, told)
                self.assertIn('cmp09', told)
                self.assertIn('run this again', told)


@ddt.ddt
class TestDeadEnd(unittest.TestCase):
    def dead_end(self, policy, ago):
        memory = builders.memory(down_since=None if ago is None else NOW - ago)
        seen = builders.observation(service=DOWN)
        return halts.dead_end(seen, policy, memory)

    @ddt.data(
        # seconds since it went down; is that the end
        (None, False),
        (timing.DOWN_GRACE_SECONDS - 1, False),
        (timing.DOWN_GRACE_SECONDS, True),
    )
    @ddt.unpack
    def test_drain(self, ago, expected):
        for policy in (policies.Policy(), HOME):
            told = self.dead_end(policy, ago)
            self.assertIs(expected, bool(told))
            if expected:
                self.assertIn('start nova-compute', told)

    def test_leads_to_the_right_command(self):
        command = 'openstack host maintenance drain --evacuate cmp01'
        ago = timing.DOWN_GRACE_SECONDS

        self.assertIn(command, self.dead_end(policies.Policy(), ago))
        # What comes home is not that host's, and may be many hosts' servers.
        self.assertNotIn('--evacuate', self.dead_end(HOME, ago))

    def test_an_evacuation_has_none(self):
        self.assertEqual('', self.dead_end(EVACUATE, 1e6))


@ddt.ddt
class TestHeartbeat(unittest.TestCase):
    """A host that is powered off is silent."""

    def revived(self, *services, policy=EVACUATE):
        """Tell whether it is taken for alive after some looks."""
        memory = memories.Memory()
        for service in services:
            seen = builders.observation(service=service)
            memory = tracks.take_in(seen, policy, memory)
        return memory.revived

    @staticmethod
    def at(seconds, **kwargs) -> model.Service:
        return builders.dead(updated_at=builders.cloud_time(seconds), **kwargs)

    def test_silent(self):
        self.assertFalse(self.revived(self.at(0), self.at(0), self.at(0)))

    def test_nova_does_not_say(self):
        dead = builders.dead()

        self.assertIsNone(dead.updated_at)
        self.assertFalse(self.revived(dead, dead))

    @ddt.data(
        # seconds from one look at it to the next; was it heard of
        (1, False),
        (1.001, True),
        (10, True),
    )
    @ddt.unpack
    def test_heard_of(self, seconds, expected):
        """Of the time of its last change Nova may keep whole seconds."""
        found = self.revived(self.at(0), self.at(seconds))

        self.assertIs(expected, found)

    def test_nova_says_for_the_first_time(self):
        self.assertFalse(self.revived(builders.dead(), self.at(10)))

    def test_and_for_good(self):
        self.assertTrue(self.revived(self.at(0), self.at(10), self.at(10)))

    @ddt.data(
        # what somebody has changed since
        {'disabled_reason': 'fan broken'},
        {'forced_down': False},
        {'enabled': True},
        {'zone': 'other'},
    )
    def test_a_change_is_not_a_sign_of_life(self, change):
        changed = self.at(10, **change)
        self.assertFalse(self.revived(self.at(0), changed))
        self.assertFalse(self.revived(self.at(0), changed, changed))

        self.assertTrue(
            self.revived(self.at(0), changed, self.at(20, **change))
        )

    def test_what_came_before_the_run_does_not_count(self):
        self.assertFalse(self.revived(self.at(7)))

    def test_only_where_it_is_evacuated(self):
        found = self.revived(self.at(0), self.at(10), policy=policies.Policy())

        self.assertFalse(found)
