# SPDX-License-Identifier: Apache-2.0

"""Whether the guest of a server was running when its host died."""

from osc_hostmaint import nova_states
from osc_hostmaint.planning.evacuation import power_state as power_state_
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

State = nova_states.PowerState


def server(status, power_state):
    return builders.server(status=status, power_state=power_state)


def history(*actions):
    """Return what was asked of a server, oldest first."""
    return [base.instance_action(a, seconds=n) for n, a in enumerate(actions)]


class TestPowerState(unit.TestCase):
    """What its host told last of the guest."""

    @unit.cases(
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
    def test_power_state_says_stopped(self, status, state, expected):
        before = server(status, state)
        self.assertFalse(power_state_.tells_nothing(before))
        self.assertIs(expected, power_state_.was_stopped(before))
        # Then nothing else counts.
        for action in ('stop', 'start'):
            self.assertIs(
                expected,
                power_state_.was_stopped(before, history('create', action)),
            )
