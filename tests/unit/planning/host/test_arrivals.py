# SPDX-License-Identifier: Apache-2.0

"""After its move a server is what it was, or that is a failure."""

import dataclasses

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import verification
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning import deaths

Kind = memories.Kind
Phase = base.Phase
State = deaths.State
NOSTATE = {'power_state': State.NOSTATE}
SHUTDOWN = {'power_state': State.SHUTDOWN}
RUNNING = {'power_state': State.RUNNING}
LOST = 'what was on the old one is lost, unless the hosts share it'


@ddt.ddt
class TestVerification(base.CaseTestCase):
    """After its move a server is what it was, or that is a failure."""

    def moved(self, before, **after):
        return self.stand(
            base.record('completed'),
            view=dataclasses.replace(base.THERE, **after),
            track=builders.track(before),
        )

    @ddt.data(
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
    @ddt.unpack
    def test_state(self, before, after, phase, words):
        stand = self.moved(builders.server(vm_state=before), vm_state=after)

        self.assertEqual(phase, stand.phase)
        self.assertIn(words, stand.reason)
        self.assertEqual(builders.DEST, stand.destination)

    @ddt.data(
        (('10.0.0.5',), ('10.0.0.5',), ''),
        ((), ('10.0.0.5',), ''),
        (('10.0.0.5',), ('10.0.0.6',), 'were 10.0.0.5 and are 10.0.0.6'),
        (('10.0.0.5',), (), 'were 10.0.0.5 and are none'),
        (('10.0.0.5', 'fd00::5'), ('10.0.0.5',), '10.0.0.5, fd00::5 and are'),
    )
    @ddt.unpack
    def test_fixed_addresses(self, before, after, words):
        stand = self.moved(builders.server(addresses=before), addresses=after)

        self.assertEqual(Phase.FAILED if words else Phase.MOVED, stand.phase)
        self.assertIn(words, stand.reason)


@ddt.ddt
class TestPower(base.CaseTestCase):
    """Nova says ACTIVE, and does the guest run?"""

    WAIT = timing.EFFECT_WAIT_SECONDS

    AGAIN = timing.UNMOVED_RECHECK_SECONDS

    def arrived(self, before, view, ended_ago=0.0, seen_ago=0.0):
        return self.stand(
            base.record('completed', seen_at=builders.NOW - ended_ago),
            view=dataclasses.replace(
                view, host=builders.DEST, seen_at=builders.NOW - seen_ago
            ),
            track=builders.track(before),
        )

    @ddt.data(
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
    @ddt.unpack
    def test_states(self, status, before, after, wrong):
        stand = self.arrived(
            builders.server(status=status, power_state=before),
            builders.server(status=status, power_state=after),
            ended_ago=self.WAIT,
        )

        self.assertIs(Phase.FAILED if wrong else Phase.MOVED, stand.phase)
        self.assertIn(wrong, stand.reason)

    @ddt.data(
        # since the move ended and since it was seen; phase, is it looked at
        (WAIT, 0.0, Phase.FAILED, False),
        (WAIT, 1.0, Phase.SETTLING, False),
        (AGAIN + 1, AGAIN, Phase.SETTLING, True),
        (AGAIN, AGAIN - 1, Phase.SETTLING, False),
    )
    @ddt.unpack
    def test_nova_is_given_time(self, ended_ago, seen_ago, phase, visit):
        off = builders.server(power_state=State.SHUTDOWN)
        stand = self.arrived(builders.server(), off, ended_ago, seen_ago)

        self.assertEqual((phase, visit), (stand.phase, stand.visit))
        self.assertIn('was running and is shutdown (ACTIVE)', stand.reason)
        if phase is Phase.SETTLING:
            self.assertEqual(
                builders.NOW - seen_ago + self.AGAIN, stand.wake_at
            )

    def test_its_owner_is_at_it(self):
        off = builders.server(
            power_state=State.SHUTDOWN, task_state='powering-off'
        )

        stand = self.arrived(builders.server(), off, self.WAIT)

        self.assertIs(Phase.MOVED, stand.phase)


@ddt.ddt
class TestAstray(base.CaseTestCase):
    @ddt.data(
        # the host that was asked for, did Nova say yes; is it told
        ('cmp09', True, True),
        ('cmp09', False, False),
        (builders.DEST, True, False),
        ('', True, False),
    )
    @ddt.unpack
    def test_where_it_was_to_go(self, host, accepted, told):
        stand = self.assert_phase(
            Phase.MOVED,
            base.record('completed'),
            view=base.THERE,
            track=base.asked(host=host, accepted=accepted),
        )

        words = 'it is on cmp02, although cmp09 was requested'
        self.assertEqual(words if told else '', stand.reason)


class TestPrice(base.CaseTestCase):
    """What its owner noticed of a good move is told."""

    COLD = policies.Policy(running=policies.Running.COLD)

    def moved(self, track, policy, *earlier, **kwargs):
        stand = self.assert_phase(
            Phase.MOVED,
            *earlier,
            base.record('confirmed', 20, type=base.COLD),
            view=dataclasses.replace(
                base.THERE, vm_state=track.before.vm_state
            ),
            track=track,
            policy=policy,
            **kwargs,
        )
        return stand.reason

    def test_restarted_on_the_way_home(self):
        track = base.asked(Kind.COLD_MIGRATE)
        policy = dataclasses.replace(self.COLD, home=builders.DEST)

        self.assertEqual(
            'restarted: by its cold migration', self.moved(track, policy)
        )


@ddt.ddt
class TestBroken(base.CaseTestCase):
    def test_in_error_it_is_not_called_moved(self):
        """Whatever it was: first seen in the middle of a resize."""
        stand = self.assert_phase(
            Phase.FAILED,
            base.record('completed'),
            view=builders.server(status='ERROR', host=builders.DEST),
            track=builders.track(builders.server(vm_state='resized')),
        )

        self.assertIn('moved to cmp02, but it is in ERROR there', stand.reason)
        self.assertIn('openstack server show vm1', stand.reason)

    @ddt.data(
        # the record's type and status, how it was, Nova's words, what is told
        (
            *(base.COLD, 'error', 'ACTIVE', 'No disk'),
            'it is in ERROR there: No disk: repair it on cmp02, then run '
            'openstack server reboot --hard vm1',
        ),
        (
            *(base.RESIZE, 'error', 'SHUTOFF', ''),
            'it is in ERROR there: repair it on cmp02, then run openstack '
            'server reboot --hard vm1 and openstack server stop vm1',
        ),
        # Where its guest is, nobody knows.
        (
            *(base.LIVE, 'error', 'ACTIVE', 'No disk'),
            'it is in ERROR there: No disk: find out why (openstack server '
            'show vm1)',
        ),
        # It was well there; this is something new.
        (
            *(base.COLD, 'confirmed', 'ACTIVE', 'No disk'),
            'it is in ERROR there: No disk: find out why (openstack server '
            'show vm1)',
        ),
    )
    @ddt.unpack
    def test_what_nova_says_and_the_way_out(
        self, kind, status, before, fault, words
    ):
        view = builders.server(status='ERROR', host=builders.DEST, fault=fault)
        stand = self.assert_phase(
            Phase.FAILED,
            base.record(status, type=kind),
            view=view,
            track=builders.track(builders.server(status=before)),
        )

        self.assertEqual(f'moved to cmp02, but {words}', stand.reason)
        self.assertEqual(builders.DEST, stand.destination)


class EvacuatedTestCase(base.CaseTestCase):
    def arrive(self, before, after, history=None, record=None, **options):
        """Return where a server stands that we evacuated."""
        case = base.case(
            view=after,
            track=base.asked(Kind.EVACUATE, before),
            policy=policies.Policy(evacuate=True, **options),
            service=builders.dead(),
            histories={} if history is None else {'vm1': history},
        )
        return verification.stand(case, after, record)

    def assert_stands(self, expected, stand):
        """:param expected: '' for a move that went well, or what did not."""
        if expected:
            self.assertIs(Phase.FAILED, stand.phase, stand)
            self.assertEqual(f'moved to cmp02, but {expected}', stand.reason)
        else:
            self.assertIs(Phase.MOVED, stand.phase, stand)
        self.assertEqual(builders.DEST, stand.destination)


@ddt.ddt
class TestState(EvacuatedTestCase):
    @ddt.data(
        # before, after; what is wrong
        ('ACTIVE', {}, 'ACTIVE', ''),
        ('SHUTOFF', {}, 'SHUTOFF', ''),
        ('ACTIVE', {}, 'SHUTOFF', 'its state was active and is stopped'),
        ('SHUTOFF', {}, 'ACTIVE', 'its state was stopped and is active'),
        # Nova brings what was in ERROR up.
        ('ERROR', RUNNING, 'ACTIVE', ''),
        ('ERROR', SHUTDOWN, 'SHUTOFF', ''),
        ('ERROR', SHUTDOWN, 'ACTIVE', 'its state was stopped and is active'),
        # An earlier run had reset it.
        ('ACTIVE', SHUTDOWN, 'SHUTOFF', ''),
        ('ACTIVE', SHUTDOWN, 'ACTIVE', 'its state was stopped and is active'),
    )
    @ddt.unpack
    def test_its_state(self, status, power, after, wrong):
        before = deaths.server(status, **power)

        self.assert_stands(wrong, self.arrive(before, deaths.there(after)))

    @ddt.data(
        # before, its newest deed, after; what is wrong
        ('ERROR', 'stop', 'SHUTOFF', ''),
        ('ERROR', 'stop', 'ACTIVE', 'its state was stopped and is active'),
        ('ERROR', 'start', 'ACTIVE', ''),
        ('ACTIVE', 'stop', 'SHUTOFF', ''),
        ('ACTIVE', 'start', 'ACTIVE', ''),
        ('ACTIVE', 'start', 'SHUTOFF', 'its state was active and is stopped'),
    )
    @ddt.unpack
    def test_what_only_its_history_tells(self, status, deed, after, wrong):
        """Another run's evacuation had begun when this one came."""
        before, after = deaths.server(status, **NOSTATE), deaths.there(after)
        stand = self.arrive(before, after)
        self.assertIs(Phase.SETTLING, stand.phase)
        self.assertTrue(stand.history)

        self.assert_stands(
            wrong, self.arrive(before, after, [base.deed(deed)])
        )


@ddt.ddt
class TestLeaveStopped(EvacuatedTestCase):
    @ddt.data(
        # before, after; what is wrong
        ('ACTIVE', 'SHUTOFF', ''),
        ('SHUTOFF', 'SHUTOFF', ''),
        ('ERROR', 'SHUTOFF', ''),
        ('ACTIVE', 'ACTIVE', 'it is running there despite --leave-stopped'),
        ('ERROR', 'ACTIVE', 'it is running there despite --leave-stopped'),
        ('SHUTOFF', 'ACTIVE', 'its state was stopped and is active'),
    )
    @ddt.unpack
    def test_whether_it_runs(self, before, after, wrong):
        before = deaths.server(before, power_state=State.RUNNING)
        stand = self.arrive(before, deaths.there(after), leave_stopped=True)

        self.assert_stands(wrong, stand)


class TestPriceArrivalEvacuate(EvacuatedTestCase):
    """What its owner notices."""

    def test_what_failed_is_told_first(self):
        before = deaths.server(local_disk=True)
        stand = self.arrive(before, deaths.there('SHUTOFF'))

        self.assertNotIn(LOST, stand.reason)
