# SPDX-License-Identifier: Apache-2.0

"""Out of service and back: whose host it is decides."""

import datetime
import unittest

import ddt

from osc_hostmaint import mark as marks
from osc_hostmaint.planning import service_transition
from tests.unit import builders

NOW = datetime.datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=datetime.UTC)
OURS = builders.service()
ENABLED = builders.service(enabled=True)
THEIRS = builders.service(disabled_reason='broken fan, do not touch')
UNSAID = builders.service(disabled_reason=None)
NOVAS = builders.service(disabled_reason='AUTO: Connection to libvirt lost')


@ddt.ddt
class TestToMaintenance(unittest.TestCase):
    def decide(self, service, *, reason=None, force=False):
        return service_transition.to_maintenance(
            service, by='bob', reason=reason, force=force, now=NOW
        )

    @ddt.data(
        # whose, --reason, --force, what is done
        (ENABLED, None, False, service_transition.Step.DISABLE),
        (ENABLED, 'disk', True, service_transition.Step.DISABLE),
        (OURS, None, False, service_transition.Step.NOTHING),
        (OURS, None, True, service_transition.Step.NOTHING),
        (OURS, 'kernel', False, service_transition.Step.NOTHING),
        (OURS, 'disk', False, service_transition.Step.DISABLE),
        (THEIRS, None, False, service_transition.Step.REFUSE),
        (THEIRS, 'disk', False, service_transition.Step.REFUSE),
        (THEIRS, 'disk', True, service_transition.Step.DISABLE),
        (UNSAID, None, False, service_transition.Step.REFUSE),
        (UNSAID, None, True, service_transition.Step.DISABLE),
        # Nova would enable it again by itself.
        (NOVAS, None, False, service_transition.Step.DISABLE),
    )
    @ddt.unpack
    def test_step(self, service, reason, force, step):
        decided = self.decide(service, reason=reason, force=force)

        self.assertIs(step, decided.step)
        self.assertEqual(
            step is service_transition.Step.DISABLE, decided.mark is not None
        )
        self.assertEqual(
            step is service_transition.Step.REFUSE, bool(decided.reason)
        )

    def test_a_new_mark_says_who_and_since_when(self):
        decided = self.decide(ENABLED, reason='disk')

        self.assertEqual(
            marks.Mark(NOW.replace(microsecond=0), 'bob', 'disk'),
            decided.mark,
        )
        marks.write(decided.mark)

    def test_a_new_reason_keeps_who_and_since_when(self):
        decided = self.decide(OURS, reason='disk')

        self.assertEqual(builders.mark(reason='disk'), decided.mark)

    def test_a_reason_can_be_taken_away(self):
        self.assertEqual(
            builders.mark(reason=''), self.decide(OURS, reason='').mark
        )

    def test_refused_it_says_why_and_what_would_do_it(self):
        reason = self.decide(THEIRS).reason

        self.assertIn(builders.HOST, reason)
        self.assertIn('broken fan', reason)
        self.assertIn('--force', reason)
        self.assertIn('without a reason', self.decide(UNSAID).reason)


def moves(count, kind='live-migration'):
    """Return records of moves off the host."""
    return [builders.migration(n, type=kind) for n in range(count)]


@ddt.ddt
class TestToOperation(unittest.TestCase):
    DOWN = builders.service(up=False)
    FORCED = builders.service(up=False, forced_down=True)
    THEIRS_FORCED = builders.service(
        up=False, forced_down=True, disabled_reason='broken fan'
    )

    def decide(self, service, **options):
        return service_transition.to_operation(
            service,
            **{
                'leaving': (),
                'hypervisors_down': (),
                'uncleaned': 0,
                'taken_back': False,
                'force': False,
                **options,
            },
        )

    @ddt.data(
        # the service, moves still leaving, what is done, words
        (ENABLED, 0, service_transition.Step.NOTHING, ''),
        (ENABLED, 3, service_transition.Step.NOTHING, ''),
        (OURS, 0, service_transition.Step.ENABLE, ''),
        (
            OURS,
            1,
            service_transition.Step.REFUSE,
            '1 move is still under way from cmp01',
        ),
        (
            OURS,
            2,
            service_transition.Step.REFUSE,
            '2 moves are still under way from cmp01',
        ),
        (DOWN, 0, service_transition.Step.REFUSE, 'start nova-compute first'),
        (FORCED, 0, service_transition.Step.FORCE_UP, ''),
        (
            FORCED,
            1,
            service_transition.Step.REFUSE,
            '1 move is still under way from cmp01',
        ),
        (
            FORCED,
            2,
            service_transition.Step.REFUSE,
            'start nova-compute there',
        ),
        (DOWN, 1, service_transition.Step.REFUSE, 'start nova-compute there'),
        (THEIRS, 0, service_transition.Step.REFUSE, 'broken fan'),
        (THEIRS_FORCED, 0, service_transition.Step.REFUSE, 'broken fan'),
        (
            UNSAID,
            0,
            service_transition.Step.REFUSE,
            'disabled by somebody else',
        ),
        (NOVAS, 0, service_transition.Step.REFUSE, 'libvirt lost'),
    )
    @ddt.unpack
    def test_step(self, service, leaving, step, words):
        decided = self.decide(service, leaving=moves(leaving))

        self.assertIs(step, decided.step)
        self.assertIn(words, decided.reason)
        if step is service_transition.Step.REFUSE:
            self.assertIn('--force', decided.reason)

    @ddt.data((OURS, 'live-migration'), (FORCED, 'evacuation'))
    @ddt.unpack
    def test_unset_awaits_moves(self, service, kind):
        """A host must not be started while it is evacuated."""
        decided = self.decide(service, leaving=moves(2, kind))

        self.assertIn(
            'cmp01: wait for the end and run this again', decided.reason
        )
        self.assertNotIn('nova-compute', decided.reason)

    @ddt.data(
        (['node1'], 'the hypervisor node1 of cmp01 is down'),
        (['node2', 'node1'], 'the hypervisors node1, node2 of cmp01 are down'),
    )
    @ddt.unpack
    def test_hypervisors_that_are_down(self, names, words):
        decided = self.decide(OURS, hypervisors_down=names)

        self.assertIs(service_transition.Step.REFUSE, decided.step)
        self.assertIn(words, decided.reason)
        self.assertIn('--force', decided.reason)

    @ddt.data((1, '1 server evacuated from cmp01'), (2, '2 servers evacuated'))
    @ddt.unpack
    def test_evacuated_servers_may_still_run(self, uncleaned, words):
        """It came back, and nova-compute was never restarted."""
        decided = self.decide(OURS, uncleaned=uncleaned)

        self.assertIs(service_transition.Step.REFUSE, decided.step)
        self.assertIn(words, decided.reason)
        self.assertIn('restart nova-compute', decided.reason)

    def test_forced_down_is_taken_back_once(self):
        """Somebody may force it down again: that is no endless quarrel."""
        decided = self.decide(self.FORCED, taken_back=True)

        self.assertIs(service_transition.Step.REFUSE, decided.step)
        self.assertIn('is down', decided.reason)
        self.assertNotIn('no longer', decided.reason)
        forced = self.decide(self.FORCED, taken_back=True, force=True)
        self.assertIs(service_transition.Step.ENABLE, forced.step)

    @ddt.data((DOWN, ()), (OURS, ('node1',)))
    @ddt.unpack
    def test_refused_after_all_it_tells_what_was_done(self, service, down):
        decided = self.decide(service, hypervisors_down=down, taken_back=True)

        self.assertIs(service_transition.Step.REFUSE, decided.step)
        self.assertIn(
            'cmp01 is no longer forced down, but stays disabled; use --force',
            decided.reason,
        )

    def test_host_is_alive(self):
        decided = self.decide(OURS, taken_back=True)

        self.assertIs(service_transition.Step.ENABLE, decided.step)

    @ddt.data(OURS, DOWN, THEIRS, UNSAID, NOVAS)
    def test_force_enables_whatever_speaks_against_it(self, service):
        decided = self.decide(
            service,
            leaving=moves(2),
            hypervisors_down=('node1',),
            uncleaned=1,
            force=True,
        )

        self.assertIs(service_transition.Step.ENABLE, decided.step)
        self.assertEqual('', decided.reason)

    @ddt.data(FORCED, THEIRS_FORCED)
    def test_force_takes_back_that_it_is_forced_down(self, service):
        decided = self.decide(service, leaving=moves(2), force=True)

        self.assertIs(service_transition.Step.FORCE_UP, decided.step)

    @ddt.data(False, True)
    def test_forced_down_and_enabled_is_not_ours(self, force):
        service = builders.service(enabled=True, up=False, forced_down=True)
        decided = self.decide(service, force=force)

        self.assertIs(service_transition.Step.NOTHING, decided.step)

    def test_hostile_reasons_do_not_reach_the_terminal(self):
        service = builders.service(disabled_reason='\x1b[2Jowned')

        self.assertTrue(self.decide(service).reason.isprintable())

    def test_not_forced_up_tells_the_order(self):
        words = service_transition.not_forced_up('cmp01', 'Unable to force up')

        self.assertRegex(
            words,
            'Start nova-compute on cmp01 .*restart it.*then run openstack '
            'host maintenance unset cmp01.*stays disabled.*Unable to force up',
        )
