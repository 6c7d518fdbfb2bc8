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

"""Was a server off when its host died?"""

import unittest

import ddt
import hypothesis
from hypothesis import strategies

from osc_hostmaint import model
from osc_hostmaint.planning import power
from tests.unit import builders
from tests.unit.planning import base

State = model.PowerState


def server(status, power_state):
    return builders.server(status=status, power_state=power_state)


def history(*actions):
    """Return what was asked of a server, oldest first."""
    return [base.deed(a, seconds=n) for n, a in enumerate(actions)]


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
    def test_table(self, status, state, expected):
        before = server(status, state)

        self.assertFalse(power.tells_nothing(before))
        self.assertIs(expected, power.was_off(before))
        # Then nothing else counts.
        for action in ('stop', 'start'):
            self.assertIs(
                expected, power.was_off(before, history('create', action))
            )


@ddt.ddt
class TestHistory(unittest.TestCase):
    """A destination that began to build it has hidden how it was."""

    @ddt.data(
        # what was asked of it; was it off
        (('create',), False),
        (('create', 'stop'), True),
        (('create', 'stop', 'start'), False),
        (('create', 'stop', 'start', 'stop'), True),
        (('create', 'stop', 'reboot'), False),
        (('create', 'suspend', 'resume'), False),
        (('create', 'pause', 'unpause'), False),
        (('create', 'stop', 'shelve', 'unshelve'), False),
        (('create', 'rescue', 'unrescue'), False),
        (('create', 'stop', 'delete', 'restore'), False),
        # What says nothing about it; a stopped server stays so.
        (('create', 'stop', 'evacuate'), True),
        (('create', 'stop', 'rebuild'), True),
        (('create', 'stop', 'resize', 'confirmResize'), True),
        (('create', 'stop', 'migrate', 'lock', 'evacuate'), True),
        (('create', 'rebuild', 'evacuate', 'evacuate'), False),
        (('create', 'stop', 'an action of tomorrow'), True),
        # Nova's database was purged of it.
        ((), False),
    )
    @ddt.unpack
    def test_table(self, actions, expected):
        for status in ('ERROR', 'ACTIVE'):
            for state in (State.NOSTATE, None):
                before = server(status, state)
                self.assertTrue(power.tells_nothing(before))
                self.assertIs(
                    expected, power.was_off(before, history(*actions))
                )

    @hypothesis.given(
        strategies.lists(strategies.sampled_from(['create', 'stop', 'x']))
    )
    def test_the_newest_counts(self, actions):
        found = power.was_off(
            server('ERROR', State.NOSTATE), history(*actions, 'stop', 'x')
        )

        self.assertTrue(found)
