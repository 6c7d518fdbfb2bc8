# SPDX-License-Identifier: Apache-2.0

"""After its move a server is what it was, or that is a failure."""

import dataclasses

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import verification
from tests import unit
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning import evacuation_base

ActionKind = memories.ActionKind
Phase = base.Phase
State = evacuation_base.State
NOSTATE = {'power_state': State.NOSTATE}
SHUTDOWN = {'power_state': State.SHUTDOWN}
RUNNING = {'power_state': State.RUNNING}


class TestVerification(base.ServerContextTestCase):
    def moved(self, before, **after):
        return self.assess(
            base.record('completed'),
            view=dataclasses.replace(base.THERE, **after),
            remembered=builders.server_memory(before),
        )

    @unit.cases(
        # before, after, phase, words
        ('active', 'active', Phase.MOVED, ''),
        ('paused', 'paused', Phase.MOVED, ''),
        ('stopped', 'stopped', Phase.MOVED, ''),
        ('active', 'stopped', Phase.FAILED, 'was active and is stopped'),
        ('paused', 'active', Phase.FAILED, 'was paused and is active'),
        ('stopped', 'active', Phase.FAILED, 'was stopped and is active'),
        ('active', 'error', Phase.FAILED, 'was active and is error'),
        # First seen in the middle of a resize or a build.
        ('resized', 'active', Phase.MOVED, ''),
        ('building', 'active', Phase.MOVED, ''),
        # Its owner resizes it where it is now: that hides what it was.
        ('active', 'resized', Phase.MOVED, ''),
        ('stopped', 'resized', Phase.MOVED, ''),
    )
    def test_state(self, before, after, phase, words):
        assessed = self.moved(builders.server(vm_state=before), vm_state=after)
        self.assertEqual(phase, assessed.phase)
        self.assertIn(words, assessed.reason)
        self.assertEqual(builders.DEST, assessed.destination)

    @unit.cases(
        (('10.0.0.5',), ('10.0.0.5',), ''),
        ((), ('10.0.0.5',), ''),
        (('10.0.0.5',), ('10.0.0.6',), 'were 10.0.0.5 and are 10.0.0.6'),
        (('10.0.0.5',), (), 'were 10.0.0.5 and are none'),
        (('10.0.0.5', 'fd00::5'), ('10.0.0.5',), '10.0.0.5, fd00::5 and are'),
    )
    def test_fixed_addresses(self, before, after, words):
        before = builders.server(addresses=before)
        assessed = self.moved(before, addresses=after)
        phase = Phase.FAILED if words else Phase.MOVED
        self.assertEqual(phase, assessed.phase)
        self.assertIn(words, assessed.reason)


class TestPower(base.ServerContextTestCase):
    """Nova says ACTIVE, and does the guest run?"""

    WAIT = timing.EFFECT_WAIT_SECONDS
    AGAIN = timing.UNMOVED_RECHECK_SECONDS
    OFF = builders.server(power_state=State.SHUTDOWN)

    def arrived(self, before, view, ended_ago=0.0, seen_ago=0.0):
        return self.assess(
            base.record('completed', seen_at=builders.NOW - ended_ago),
            view=dataclasses.replace(
                view, host=builders.DEST, seen_at=builders.NOW - seen_ago
            ),
            remembered=builders.server_memory(before),
        )

    @unit.cases(
        # status, power states before and after; what is wrong
        ('ACTIVE', State.RUNNING, State.RUNNING, ''),
        ('ACTIVE', State.RUNNING, State.SHUTDOWN, 'running and is shutdown'),
        ('ACTIVE', State.RUNNING, State.PAUSED, 'running and is paused'),
        ('ACTIVE', State.RUNNING, State.CRASHED, 'running and is crashed'),
        ('PAUSED', State.PAUSED, State.PAUSED, ''),
        ('PAUSED', State.PAUSED, State.RUNNING, 'paused and is running'),
        ('SHUTOFF', State.SHUTDOWN, State.SHUTDOWN, ''),
        ('SHUTOFF', State.SHUTDOWN, State.RUNNING, 'shutdown and is running'),
        # It was so before, or nobody knows.
        ('ACTIVE', State.SHUTDOWN, State.SHUTDOWN, ''),
        ('ACTIVE', State.RUNNING, State.NOSTATE, ''),
        ('ACTIVE', State.NOSTATE, State.SHUTDOWN, ''),
        ('ACTIVE', State.RUNNING, None, ''),
        ('ACTIVE', None, State.SHUTDOWN, ''),
        ('ACTIVE', State.RUNNING, 99, ''),
        ('SUSPENDED', State.RUNNING, State.SHUTDOWN, ''),
    )
    def test_states(self, status, before, after, wrong):
        assessed = self.arrived(
            builders.server(status=status, power_state=before),
            builders.server(status=status, power_state=after),
            ended_ago=self.WAIT,
        )
        self.assertIs(Phase.FAILED if wrong else Phase.MOVED, assessed.phase)
        self.assertIn(wrong, assessed.reason)

    @unit.cases(
        # since the move ended and since it was seen; phase, is it looked at
        (WAIT, 0.0, Phase.FAILED, False),
        (WAIT, 1.0, Phase.SETTLING, False),
        (AGAIN + 1, AGAIN, Phase.SETTLING, True),
        (AGAIN, AGAIN - 1, Phase.SETTLING, False),
    )
    def test_nova_is_given_time(self, ended_ago, seen_ago, phase, visit):
        on = builders.server()
        assessed = self.arrived(on, self.OFF, ended_ago, seen_ago)
        self.assertEqual((phase, visit), (assessed.phase, assessed.visit))
        self.assertIn('was running and is shutdown (ACTIVE)', assessed.reason)
        if phase is Phase.SETTLING:
            look_at = builders.NOW - seen_ago + self.AGAIN
            self.assertEqual(look_at, assessed.wake_at)

    @unit.cases(
        # what moved it, its status, its power state; what is wrong
        (
            'live-migration',
            'ACTIVE',
            State.SHUTDOWN,
            'running and is shutdown',
        ),
        ('live-migration', 'PAUSED', State.RUNNING, 'paused and is running'),
        ('live-migration', 'ACTIVE', State.RUNNING, ''),
        # Its owner has stopped it since.
        ('live-migration', 'SHUTOFF', State.RUNNING, ''),
        ('migration', 'ACTIVE', State.SHUTDOWN, ''),
    )
    def test_first_seen_when_it_had_left(self, type_, status, power, wrong):
        """By a run after one that was killed. Only what runs goes live."""
        view = builders.server(
            status=status, power_state=power, host=builders.DEST
        )
        assessed = self.assess(
            base.record(
                'completed', type=type_, seen_at=builders.NOW - self.WAIT
            ),
            view=view,
            remembered=builders.server_memory(view),
        )
        self.assertIs(Phase.FAILED if wrong else Phase.MOVED, assessed.phase)
        self.assertIn(wrong, assessed.reason)

    def test_owner_changes_it_meanwhile(self):
        off = dataclasses.replace(self.OFF, task_state='powering-off')
        assessed = self.arrived(builders.server(), off, self.WAIT)
        self.assertIs(Phase.MOVED, assessed.phase)


class TestArrived(base.ServerContextTestCase):
    @unit.cases(
        # the host that was asked for, did Nova say yes; is it told
        ('cmp09', True, True),
        ('cmp09', False, False),
        (builders.DEST, True, False),
        ('', True, False),
    )
    def test_where_it_was_to_go(self, host, accepted, told):
        assessed = self.assert_phase(
            Phase.MOVED,
            base.record('completed'),
            view=base.THERE,
            remembered=base.asked(host=host, accepted=accepted),
        )
        words = 'it is on cmp02, although cmp09 was requested'
        self.assertEqual(words if told else '', assessed.reason)

    def test_restarted_on_the_way_home(self):
        """What its owner noticed of a good move is told."""
        assessed = self.assert_phase(
            Phase.MOVED,
            base.record('confirmed', type=base.COLD),
            view=base.THERE,
            remembered=base.asked(ActionKind.COLD_MIGRATE),
            policy=policies.Policy(
                running=policies.Running.COLD, home=builders.DEST
            ),
        )
        self.assertEqual('restarted: by its cold migration', assessed.reason)


class TestBroken(base.ServerContextTestCase):
    FIND_OUT = 'find out why (openstack server show vm1)'
    REBOOT = 'repair it on cmp02, then run openstack server reboot --hard vm1'

    @unit.cases(
        # the record's type and status, how it was, Nova's words, what is told
        (base.COLD, 'error', 'ACTIVE', 'No disk', f': No disk: {REBOOT}'),
        (
            *(base.RESIZE, 'error', 'SHUTOFF', ''),
            f': {REBOOT} and openstack server stop vm1',
        ),
        # Where its guest is, nobody knows.
        (base.LIVE, 'error', 'ACTIVE', 'No disk', f': No disk: {FIND_OUT}'),
        # It was well there; this is something new.
        (base.COLD, 'confirmed', 'ACTIVE', 'X', f': X: {FIND_OUT}'),
        # First seen in the middle of a resize.
        (base.LIVE, 'completed', 'VERIFY_RESIZE', '', f': {FIND_OUT}'),
    )
    def test_what_nova_says_and_the_way_out(
        self, kind, status, before, fault, words
    ):
        view = builders.server(status='ERROR', host=builders.DEST, fault=fault)
        assessed = self.assert_phase(
            Phase.FAILED,
            base.record(status, type=kind),
            view=view,
            remembered=builders.server_memory(builders.server(status=before)),
        )
        words = f'moved to cmp02, but it is in ERROR there{words}'
        self.assertEqual(words, assessed.reason)
        self.assertEqual(builders.DEST, assessed.destination)


class TestEvacuated(base.ServerContextTestCase):
    RUNS = 'its state was stopped and is active'
    STOPPED = 'its state was active and is stopped'
    DESPITE = 'it is running there despite --leave-stopped'

    def arrive(self, before, after, history=None, **options):
        """Return where a server stands that we evacuated."""
        view = evacuation_base.there(after)
        context = base.context(
            view=view,
            remembered=base.asked(ActionKind.EVACUATE, before),
            policy=policies.Policy(evacuate=True, **options),
            service=builders.dead(),
            histories={} if history is None else {'vm1': history},
        )
        return verification.assess(context, view)

    def assert_arrives(self, wrong, *args, **kwargs):
        """:param wrong: '' for a move that went well, or what did not."""
        assessed = self.arrive(*args, **kwargs)
        phase = Phase.FAILED if wrong else Phase.MOVED
        self.assertIs(phase, assessed.phase, assessed)
        self.assertEqual(builders.DEST, assessed.destination)
        if wrong:
            self.assertEqual(f'moved to cmp02, but {wrong}', assessed.reason)

    @unit.cases(
        # before, --leave-stopped, after; what is wrong
        ('ACTIVE', {}, False, 'ACTIVE', ''),
        ('SHUTOFF', {}, False, 'SHUTOFF', ''),
        ('ACTIVE', {}, False, 'SHUTOFF', STOPPED),
        ('SHUTOFF', {}, False, 'ACTIVE', RUNS),
        # Nova brings what was in ERROR up.
        ('ERROR', RUNNING, False, 'ACTIVE', ''),
        ('ERROR', SHUTDOWN, False, 'SHUTOFF', ''),
        ('ERROR', SHUTDOWN, False, 'ACTIVE', RUNS),
        # An earlier run had reset it.
        ('ACTIVE', SHUTDOWN, False, 'SHUTOFF', ''),
        ('ACTIVE', SHUTDOWN, False, 'ACTIVE', RUNS),
        ('ACTIVE', RUNNING, True, 'SHUTOFF', ''),
        ('SHUTOFF', RUNNING, True, 'SHUTOFF', ''),
        ('ERROR', RUNNING, True, 'SHUTOFF', ''),
        ('ACTIVE', RUNNING, True, 'ACTIVE', DESPITE),
        ('ERROR', RUNNING, True, 'ACTIVE', DESPITE),
        ('SHUTOFF', RUNNING, True, 'ACTIVE', RUNS),
    )
    def test_its_state(self, status, power, leave, after, wrong):
        before = evacuation_base.server(status, **power)
        self.assert_arrives(wrong, before, after, leave_stopped=leave)

    @unit.cases(
        # before, its newest deed, after; what is wrong
        ('ERROR', 'stop', 'SHUTOFF', ''),
        ('ERROR', 'stop', 'ACTIVE', RUNS),
        ('ERROR', 'start', 'ACTIVE', ''),
        ('ACTIVE', 'stop', 'SHUTOFF', ''),
        ('ACTIVE', 'start', 'ACTIVE', ''),
        ('ACTIVE', 'start', 'SHUTOFF', STOPPED),
    )
    def test_what_only_its_history_tells(self, status, deed, after, wrong):
        """Another run's evacuation had begun when this one came."""
        before = evacuation_base.server(status, **NOSTATE)
        assessed = self.arrive(before, after)
        self.assertIs(Phase.SETTLING, assessed.phase)
        self.assertTrue(assessed.history)
        self.assert_arrives(wrong, before, after, [base.instance_action(deed)])

    def test_what_failed_is_told_first(self):
        before = evacuation_base.server(local_disk=True)
        self.assert_arrives(self.STOPPED, before, 'SHUTOFF')
