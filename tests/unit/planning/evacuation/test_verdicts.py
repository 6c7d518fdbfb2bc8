# SPDX-License-Identifier: Apache-2.0

"""The table of states on a host that has died: who is evacuated, and how.

Which state allows it is Nova's say: ACTIVE, SHUTOFF and ERROR, whatever the
task, and whether or not the server is locked.
"""

import hypothesis
from hypothesis import strategies

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.evacuation import power_state as power_state_
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import verdicts
from tests import unit
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning.server import test_verdicts

ActionKind = memories.ActionKind
Phase = server_status.Phase
BUSY = Phase.BUSY
BLOCKED = Phase.BLOCKED

#: What is asked of Nova, and whether it is to stay stopped.
EVACUATE = (ActionKind.EVACUATE, model.Move.EVACUATION, False)
LEFT_STOPPED = (ActionKind.EVACUATE, model.Move.EVACUATION, True)
RESET = (ActionKind.RESET, model.Move.EVACUATION, True)


def terms(was_stopped=False, **options):
    policy = policies.Policy(evacuate=True, **options)
    return verdicts.Terms(requested.operation(policy), was_stopped=was_stopped)


class EvacuationTestCase(test_verdicts.VerdictTestCase):
    def judge(self, status, task_state=None, vm_state=None, **kwargs):
        vm_state = vm_state or builders.VM_STATES.get(status, 'active')
        server = builders.server(
            'vm1', status, task_state=task_state, vm_state=vm_state
        )
        return verdicts.judge(server, terms(**kwargs))


class TestStates(EvacuationTestCase):
    @unit.cases(
        # evacuate 200.
        (EVACUATE, 'ACTIVE', 'SHUTOFF', 'ERROR'),
        # Nobody is at these tasks any more, and Nova looks at none.
        (EVACUATE, 'ACTIVE image_uploading', 'ACTIVE powering-off'),
        (EVACUATE, 'ACTIVE suspending', 'ACTIVE shelving', 'ACTIVE tomorrow'),
        (EVACUATE, 'REBOOT rebooting', 'HARD_REBOOT rebooting_hard'),
        (EVACUATE, 'PASSWORD updating_password', 'SHUTOFF powering-on'),
        (EVACUATE, 'ERROR spawning'),
        # Somebody's evacuation, or a rebuild that the host was at.
        (BUSY, 'REBUILD rebuilding', 'REBUILD rebuild_spawning'),
        (BUSY, 'REBUILD rebuild_block_device_mapping'),
        # It may run at the other end.
        (BLOCKED, 'MIGRATING migrating', 'RESIZE resize_prep'),
        (BLOCKED, 'RESIZE resize_migrating', 'RESIZE resize_finish'),
        (BLOCKED, 'REVERT_RESIZE resize_reverting'),
        # It would come to life again.
        (BLOCKED, 'ACTIVE deleting', 'SHUTOFF deleting', 'ERROR deleting'),
        (BLOCKED, 'ACTIVE soft-deleting'),
        # evacuate 409.
        (BLOCKED, 'PAUSED', 'SUSPENDED', 'SUSPENDED resuming', 'RESCUE'),
        (BLOCKED, 'SHELVED', 'VERIFY_RESIZE', 'SOFT_DELETED'),
        (BLOCKED, 'BUILD spawning', 'BUILD'),
    )
    def test_state(self, expected, *states):
        """Each server with its task state."""
        for state in states:
            with self.subTest(state):
                self.assert_verdict(expected, self.judge(*state.split()))

    @unit.cases(
        # A status that hides the state below it.
        ('MIGRATING', 'paused', BLOCKED),
        ('RESIZE', 'stopped', BLOCKED),
        ('REBUILD', 'stopped', BUSY),
        ('REBUILD', 'error', BUSY),
        # What we don't know is judged by the state below it.
        ('A_STATUS_OF_TOMORROW', 'stopped', EVACUATE),
        ('A_STATUS_OF_TOMORROW', 'a state of tomorrow', BLOCKED),
    )
    def test_state_below(self, status, vm_state, expected):
        self.assert_verdict(expected, self.judge(status, vm_state=vm_state))

    @unit.cases(*policies.Running)
    def test_options_of_other_drains_do_not_matter(self, running):
        options = {'running': running, 'stopped': policies.Stopped.LEAVE}
        for status in ('ACTIVE', 'SHUTOFF'):
            self.assert_verdict(EVACUATE, self.judge(status, **options))


class TestStopped(EvacuationTestCase):
    """What was off is not started."""

    @unit.cases(
        # status, was it off, --leave-stopped
        ('ACTIVE', False, False, EVACUATE),
        ('ACTIVE', True, False, LEFT_STOPPED),
        ('ACTIVE', False, True, LEFT_STOPPED),
        ('ACTIVE', True, True, LEFT_STOPPED),
        # Nova stops it again by itself.
        ('SHUTOFF', True, False, EVACUATE),
        ('SHUTOFF', True, True, EVACUATE),
        # From ERROR Nova starts it, whatever it is asked for.
        ('ERROR', False, False, EVACUATE),
        ('ERROR', True, False, RESET),
        ('ERROR', False, True, RESET),
    )
    def test_what_is_done_by_status(
        self, status, was_stopped, leave, expected
    ):
        verdict = self.judge(
            status, was_stopped=was_stopped, leave_stopped=leave
        )
        self.assert_verdict(expected, verdict)


class TestReasons(EvacuationTestCase):
    @unit.cases(
        ('PAUSED', 'openstack server set --state active vm1'),
        ('PAUSED', 'memory is lost'),
        ('SUSPENDED', 'while it is in vm_state suspended'),
        ('SUSPENDED', 'openstack server set --state active vm1'),
        ('RESCUE', 'openstack server set --state active vm1'),
        ('SHELVED', 'wait for the host to come back'),
        ('BUILD', 'openstack server delete vm1'),
        ('VERIFY_RESIZE', 'once the host is back'),
        ('SOFT_DELETED', 'once the host is back'),
        ('MIGRATING', 'runs nowhere else'),
        ('MIGRATING', 'openstack server set --state active vm1'),
        ('RESIZE', 'RESIZE'),
        ('ACTIVE deleting', 'deleted it'),
    )
    def test_blocked_says_what_the_operator_can_do(self, state, words):
        self.assertIn(words, self.judge(*state.split()).reason)

    def test_in_novas_words(self):
        self.assertRegex(
            self.judge('PAUSED').reason,
            "^Cannot 'evacuate' instance vm1 while it is in vm_state paused",
        )


_STATES = strategies.sampled_from(sorted(set(builders.VM_STATES.values())))
_TERMS = strategies.builds(
    terms,
    was_stopped=strategies.booleans(),
    leave_stopped=strategies.booleans(),
    running=strategies.sampled_from(policies.Running),
)


class TestEveryServer(unit.TestCase):
    @hypothesis.given(
        strategies.text(max_size=20)
        | strategies.sampled_from(sorted(builders.VM_STATES)),
        strategies.text(max_size=20) | _STATES,
        strategies.none() | strategies.text(max_size=20),
        _TERMS,
    )
    def test_every_server_is_evacuated_or_blocked(
        self, status, below, task, how
    ):
        server = builders.server(
            status=status, vm_state=below, task_state=task
        )
        verdict = verdicts.judge(server, how)

        if verdict.phase is not Phase.WAITING:
            self.assertTrue(verdict.reason)
            self.assertNotIn('{id}', verdict.reason)
            self.assertFalse(verdict.stopped)
            return
        self.assertIn(below, nova_states.EVACUABLE)
        self.assertIs(model.Move.EVACUATION, verdict.move)
        self.assertIn(verdict.ask, (ActionKind.EVACUATE, ActionKind.RESET))
        # Whoever is to be off then is never asked for out of ERROR, nor as
        # one that runs.
        if how.was_stopped or how.policy.leave_stopped:
            self.assertTrue(verdict.stopped or below == 'stopped')
            self.assertEqual(below == 'error', verdict.ask is ActionKind.RESET)
        else:
            self.assertFalse(verdict.stopped)
            self.assertIs(ActionKind.EVACUATE, verdict.ask)


State = nova_states.PowerState


def server(status, power_state):
    return builders.server(status=status, power_state=power_state)


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
            history = [*map(base.instance_action, ('create', action), (0, 1))]
            self.assertIs(expected, power_state_.was_stopped(before, history))
