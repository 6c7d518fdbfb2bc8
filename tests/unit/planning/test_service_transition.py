# SPDX-License-Identifier: Apache-2.0

"""Out of service and back, whose host it is, and what stands below it."""

import datetime

from osc_hostmaint import mark as marks
from osc_hostmaint import model
from osc_hostmaint.planning import host_identity
from osc_hostmaint.planning import service_transition as transition
from tests import unit
from tests.unit import builders

Step = transition.Step
NOW = datetime.datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=datetime.UTC)
OURS = builders.service()
ENABLED = builders.service(enabled=True)
THEIRS = builders.service(disabled_reason='broken fan, do not touch')
UNSAID = builders.service(disabled_reason=None)
NOVAS = builders.service(disabled_reason='AUTO: Connection to libvirt lost')
DOWN = builders.service(up=False)
FORCED = builders.dead()
THEIRS_FORCED = builders.dead(disabled_reason='broken fan')


class TestToMaintenance(unit.TestCase):
    def decide(self, service, *, reason=None, force=False):
        return transition.to_maintenance(
            service, by='bob', reason=reason, force=force, now=NOW
        )

    @unit.cases(
        # whose, --reason, --force, what is done
        (ENABLED, None, False, Step.DISABLE),
        (ENABLED, 'disk', True, Step.DISABLE),
        (OURS, None, False, Step.NOTHING),
        (OURS, None, True, Step.NOTHING),
        (OURS, 'kernel', False, Step.NOTHING),
        (OURS, 'disk', False, Step.DISABLE),
        (THEIRS, None, False, Step.REFUSE),
        (THEIRS, 'disk', False, Step.REFUSE),
        (THEIRS, 'disk', True, Step.DISABLE),
        (UNSAID, None, False, Step.REFUSE),
        (UNSAID, None, True, Step.DISABLE),
        # Nova would enable it again by itself.
        (NOVAS, None, False, Step.DISABLE),
    )
    def test_step(self, service, reason, force, step):
        decided = self.decide(service, reason=reason, force=force)
        self.assertIs(step, decided.step)
        self.assertEqual(step is Step.DISABLE, decided.mark is not None)
        self.assertEqual(step is Step.REFUSE, bool(decided.reason))

    def test_a_new_mark_says_who_and_since_when(self):
        mark = self.decide(ENABLED, reason='disk').mark
        since = NOW.replace(microsecond=0)
        self.assertEqual(marks.Mark(since, 'bob', 'disk'), mark)
        marks.write(mark)

    @unit.cases('disk', '')
    def test_a_new_reason_keeps_who_and_since_when(self, reason):
        mark = self.decide(OURS, reason=reason).mark
        self.assertEqual(builders.mark(reason=reason), mark)

    def test_refused_it_says_why_and_what_would_do_it(self):
        reason = self.decide(THEIRS).reason
        for words in (builders.HOST, 'broken fan', '--force'):
            self.assertIn(words, reason)
        self.assertIn('without a reason', self.decide(UNSAID).reason)


class TestOverwritten(unit.TestCase):
    @unit.cases(
        # what stands there now; what is said
        (OURS, '^$'),
        (ENABLED, '^$'),
        (UNSAID, 'need --force.*2026.*now: none$'),
        (builders.service(disabled_reason='x\u202e'), r"now: 'x\\u202e'$"),
    )
    def test_said(self, service, words):
        since = builders.mark().since
        self.assertRegex(transition.overwritten(since, service), words)
        another = transition.overwritten(NOW, OURS)
        self.assertRegex(another, 'A later restore needs .*by alice')


def moves(count, kind='live-migration'):
    return [builders.migration(n, type=kind) for n in range(count)]


class TestToOperation(unit.TestCase):
    def decide(self, service, **options):
        values = {'leaving': (), 'hypervisors_down': (), 'uncleaned': 0}
        values |= {'taken_back': False, 'force': False}
        return transition.to_operation(service, **values | options)

    def refuse(self, service, **options):
        decided = self.decide(service, **options)
        self.assertIs(Step.REFUSE, decided.step)
        self.assertIn('; use --force', decided.reason)
        return decided.reason

    @unit.cases(
        # the service, moves still leaving, what is done
        (ENABLED, 0, Step.NOTHING),
        (ENABLED, 3, Step.NOTHING),
        (OURS, 0, Step.ENABLE),
        (FORCED, 0, Step.FORCE_UP),
    )
    def test_step(self, service, leaving, step):
        decided = self.decide(service, leaving=moves(leaving))
        self.assertEqual(transition.Transition(step), decided)

    @unit.cases(
        # the service, moves still leaving, words, what else is known
        (OURS, 1, '1 move is still under way from cmp01'),
        (OURS, 2, '2 moves are still under way from cmp01'),
        (DOWN, 0, 'start nova-compute first'),
        (DOWN, 1, 'start nova-compute there'),
        (FORCED, 1, '1 move is still under way from cmp01'),
        (FORCED, 2, 'start nova-compute there'),
        (THEIRS, 0, 'broken fan'),
        (THEIRS_FORCED, 0, 'broken fan'),
        (UNSAID, 0, 'disabled by somebody else'),
        (NOVAS, 0, 'libvirt lost'),
        (OURS, 0, 'the hypervisor a of cmp01 is down',
         'hypervisors_down', ['a']),
        (OURS, 0, 'the hypervisors a, b of cmp01 are down',
         'hypervisors_down', ['b', 'a']),
        # It came back, and nova-compute was never restarted.
        (OURS, 0, '1 server evacuated from cmp01.*restart nova-compute',
         'uncleaned', 1),
        (OURS, 0, '2 servers evacuated', 'uncleaned', 2),
    )  # fmt: skip
    def test_refused(self, service, leaving, words, *known):
        more = dict([known]) if known else {}
        reason = self.refuse(service, leaving=moves(leaving), **more)
        self.assertRegex(reason, words)

    @unit.cases((OURS, 'live-migration'), (FORCED, 'evacuation'))
    def test_unset_awaits_moves(self, service, kind):
        """A host must not be started while it is evacuated."""
        reason = self.refuse(service, leaving=moves(2, kind))
        self.assertIn('cmp01: wait for the end and run this again', reason)
        self.assertNotIn('nova-compute', reason)

    def test_forced_down_is_taken_back_once(self):
        """Somebody may force it down again: that is no endless quarrel."""
        reason = self.refuse(FORCED, taken_back=True)
        self.assertIn('is down', reason)
        self.assertNotIn('no longer', reason)
        for service, force in ((FORCED, True), (OURS, False)):
            decided = self.decide(service, taken_back=True, force=force)
            self.assertIs(Step.ENABLE, decided.step)

    @unit.cases((DOWN, ()), (OURS, ('node1',)))
    def test_refused_after_all_it_tells_what_was_done(self, service, down):
        reason = self.refuse(service, hypervisors_down=down, taken_back=True)
        words = 'cmp01 is no longer forced down, but stays disabled; use '
        self.assertIn(words, reason)

    @unit.cases(
        *((each, Step.ENABLE) for each in (OURS, DOWN, THEIRS, UNSAID, NOVAS)),
        # First it is seen whether the service is alive.
        (FORCED, Step.FORCE_UP),
        (THEIRS_FORCED, Step.FORCE_UP),
    )
    def test_force(self, service, step):
        against = {'hypervisors_down': ('node1',), 'uncleaned': 1}
        decided = self.decide(service, leaving=moves(2), force=True, **against)
        self.assertEqual(transition.Transition(step), decided)

    @unit.cases(
        # servers not cleaned up; --force; what to do
        (0, False, Step.NOTHING),
        (0, True, Step.NOTHING),
        (1, False, Step.REFUSE),
        (1, True, Step.REFUSE),
    )
    def test_forced_down_and_enabled_by_others(self, uncleaned, force, step):
        service = builders.dead(enabled=True)
        decided = self.decide(service, force=force, uncleaned=uncleaned)
        self.assertIs(step, decided.step)
        words = 'cmp01 is enabled, but forced down.*Start nova-compute.*first'
        self.assertRegex(decided.reason, words if uncleaned else '^$')

    def test_hostile_reasons_do_not_reach_the_terminal(self):
        service = builders.service(disabled_reason='\x1b[2Jowned')
        self.assertTrue(self.decide(service).reason.isprintable())

    def test_not_forced_up_tells_the_order(self):
        self.assertRegex(
            transition.not_forced_up('cmp01', 'Unable to force up'),
            'Start nova-compute on cmp01 .*restart it.*then run openstack '
            'host maintenance unset cmp01.*stays disabled.*Unable to force up',
        )


ADDRESS = '192.0.2.7'


def hypervisor(host, address=ADDRESS, kind='QEMU') -> model.Hypervisor:
    return model.Hypervisor('rp', f'{host}.node', host, kind, address)


class TestHostIdentity(unit.TestCase):
    """Of the host ``old`` and others: whether each is up."""

    def judge(self, states, hypervisors, *, evacuate=False):
        """Return why the first host is left alone, and its old names."""
        services = {
            host: builders.service(host=host, up=up)
            for host, up in states.items()
        }
        known = (next(iter(services.values())), services, hypervisors)
        return (
            host_identity.against(*known, evacuate=evacuate),
            host_identity.old_names(*known),
        )

    @unit.cases(
        # up or not, the first one first; evacuate; refused
        ({'old': False, 'new': True}, False, True),
        ({'old': False, 'new': True}, True, True),
        # Said to have died, and shown up until Nova misses it.
        ({'old': True, 'new': True}, True, True),
        # Both live, so they are two, or it does no harm.
        ({'old': True, 'new': True}, False, False),
        ({'old': False, 'new': False}, True, False),
        # That address is nobody's own.
        ({'old': False, 'new': True, 'third': True}, True, False),
        ({'old': False, 'new': True, 'third': False}, True, True),
    )
    def test_same_address(self, states, evacuate, refused):
        words, _old = self.judge(
            states, [hypervisor(h) for h in states], evacuate=evacuate
        )
        self.assertIs(refused, bool(words), words)
        if refused:
            told = f'old and new have the same address ({ADDRESS})'
            self.assertIn(told, words)
            self.assertIn('new is up', words)
            self.assertTrue(words.isprintable())

    @unit.cases(
        *('', '127.0.0.1', '::1', '0.0.0.0', '::', '169.254.0.1', 'cmp01')
    )
    def test_shared_addresses_are_ignored(self, address):
        states = {'old': False, 'new': True}
        nodes = [hypervisor(host, address) for host in states]
        words, _old = self.judge(states, nodes, evacuate=True)
        self.assertEqual('', words)

    @unit.cases(
        # Several hypervisors of one host.
        [hypervisor('old'), hypervisor('old'), hypervisor('new', '192.0.2.8')],
        # vCenter: the guests are elsewhere.
        [hypervisor(h, kind='VMware vCenter Server') for h in ('old', 'new')],
        [hypervisor('old')],
        # No service tells of it.
        [hypervisor('old'), hypervisor('gone')],
        [],
    )
    def test_no_other_name(self, nodes):
        for evacuate in (False, True):
            words, _old = self.judge(
                {'old': False, 'new': True}, nodes, evacuate=evacuate
            )
            self.assertEqual('', words)

    @unit.cases(
        ({'new': True, 'old': False}, ('old',)),
        ({'new': True, 'old': True}, ()),
        ({'new': True, 'old': False, 'third': True}, ()),
        ({'new': False, 'old': False}, ()),
    )
    def test_old_names_of_a_renamed_host(self, states, expected):
        nodes = [hypervisor(host) for host in states]
        self.assertEqual(expected, self.judge(states, nodes)[1])

    def test_bare_metal(self):
        nodes = [hypervisor('old', kind='ironic'), hypervisor('new')]
        words, _old = self.judge({'old': True, 'new': True}, nodes)
        self.assertIn('old manages bare metal', words)
