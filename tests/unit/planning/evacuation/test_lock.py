# SPDX-License-Identifier: Apache-2.0

"""Only what is surely off is built anew elsewhere, and whose turn that is."""

import dataclasses
import datetime

import hypothesis
from hypothesis import strategies

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import heartbeat as heartbeats
from osc_hostmaint.planning.evacuation import lock
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
ActionKind = memories.ActionKind
Phase = server_status.Phase


class LockTestCase(unit.TestCase):
    def update(
        self, *records, memory=None, phase=Phase.MOVING, at=NOW, nova_time=None
    ):
        """Return what is known then, where the records' servers stand so."""
        seen = builders.observation(
            migrations=records, migrations_at=at, nova_time=nova_time
        )
        statuses = {
            r.server_id: server_status.ServerStatus(phase) for r in records
        }
        memory = memory or builders.memory()
        own = lock.update(seen, memory, statuses)
        return dataclasses.replace(memory, own=own)

    def assert_others(self, expected, record, memory=None, **kwargs):
        """Tell whether others are at it, whatever was before."""
        servers = memory.servers.values() if memory else ()
        for no_others_since in (None, NOW - 9):
            before = builders.memory(*servers, no_others_since=no_others_since)
            found = self.update(record, memory=before, **kwargs)
            self.assertIs(expected, found.own.no_others_since is None)


class TestOthers(LockTestCase):
    @unit.cases(
        # a record; is another run at it
        ({}, True),
        ({'status': 'accepted', 'dest': None}, True),
        ({'status': 'a status of tomorrow'}, True),
        ({'server_id': 'of nobody'}, True),
        ({'status': 'done'}, False),
        ({'status': 'completed'}, False),
        ({'status': 'error'}, False),
        ({'status': 'failed'}, False),
        # Of another host that has died.
        ({'source': 'cmp09', 'dest': builders.HOST}, False),
        ({'type': base.LIVE}, False),
        ({'type': base.COLD, 'status': 'finished'}, False),
    )
    def test_record(self, kwargs, expected):
        self.assert_others(expected, builders.evacuation(**kwargs))

    @unit.cases(
        # what was asked for; is it another run's
        (base.asked(ActionKind.EVACUATE, asked_after=6), False),
        (base.asked(ActionKind.EVACUATE, asked_after=7), True),
        (base.asked(ActionKind.EVACUATE, asked_after=9), True),
        (base.asked(ActionKind.RESET), True),
        (base.refused(ActionKind.EVACUATE), True),
    )
    def test_own_evacuation(self, remembered, expected):
        memory = builders.memory(remembered)
        self.assert_others(expected, builders.evacuation(7), memory=memory)

    @unit.cases(*Phase)
    def test_rebuild_of_others_without_record(self, phase):
        statuses = {'vm1': server_status.ServerStatus(phase)}
        memory = builders.memory()
        own = lock.update(builders.observation(), memory, statuses)
        found = dataclasses.replace(memory, own=own)
        self.assertIs(phase is Phase.BUSY, found.own.no_others_since is None)

    def test_two_of_one_server(self):
        """We have asked for one of them."""
        memory = builders.memory(
            base.asked(ActionKind.EVACUATE, asked_after=6),
            no_others_since=NOW - 9,
        )
        one, other = builders.evacuation(7), builders.evacuation(8)
        self.assertIsNotNone(
            self.update(one, memory=memory).own.no_others_since
        )
        found = self.update(one, other, memory=memory)
        self.assertIsNone(found.own.no_others_since)
        self.assertEqual(8, found.own.newest_of_others)
        # The newer one fails mostly, and the older one goes on.
        failed = builders.evacuation(8, status='failed')
        found = self.update(one, failed, memory=memory)
        self.assertIsNone(found.own.no_others_since)
        over = builders.evacuation(7, status='done')
        found = self.update(over, failed, memory=memory)
        self.assertIsNotNone(found.own.no_others_since)

    @unit.cases(*Phase)
    def test_abandoned_evacuation_does_not_hold_the_lock(self, phase):
        expected = phase not in server_status.FINAL
        self.assert_others(expected, builders.evacuation(7), phase=phase)

    @unit.cases(
        # seconds since its status was seen first; does it hold us up
        (timing.EVACUATION_WAIT_SECONDS - 1, True),
        (timing.EVACUATION_WAIT_SECONDS, False),
    )
    def test_lock_expires(self, ago, expected):
        """Whoever was at it may have died."""
        self.assert_others(expected, builders.evacuation(7, seen_at=NOW - ago))


class TestMayStartAt(LockTestCase):
    """When this run may start some."""

    def may_start_at(self, memory, stagger=0.0):
        return lock.may_start_at(memory.own, policies.Policy(stagger=stagger))

    def test_not_while_others_hold_the_lock(self):
        for before in (None, self.update(at=NOW - 5)):
            memory = self.update(builders.evacuation(), memory=before)
            self.assertIsNone(self.may_start_at(memory))

    @unit.cases((0.0, 0.0), (0.5, 2.5), (1.0, 5.0))
    def test_alone_from_the_beginning(self, stagger, pause):
        memory = self.update(at=NOW - 3)
        self.assertEqual(NOW - 3 + pause, self.may_start_at(memory, stagger))
        # It counts from the first look.
        memory = self.update(memory=memory, at=NOW)
        self.assertEqual(NOW - 3 + pause, self.may_start_at(memory, stagger))

    @hypothesis.given(strategies.floats(0, 0.999))
    def test_lock_holder_keeps_the_lock(self, stagger):
        """Between two of his, none may be in flight for a moment."""
        memory = self.update(builders.evacuation(), at=NOW - 5)
        memory = self.update(builders.evacuation(status='done'), memory=memory)
        waited = self.may_start_at(memory, stagger) - NOW
        staggered = waited - timing.EVACUATE_AFTER_OTHERS_SECONDS
        self.assertLessEqual(0, staggered)
        self.assertLess(
            staggered, timing.EVACUATE_AFTER_OTHERS_STAGGER_SECONDS
        )

    def test_runs_that_met_start_at_different_times(self):
        """Though they would have begun at the same moment for ever."""
        apart = set()
        memory = self.update()
        for number in range(1, 6):
            memory = self.update(builders.evacuation(number), memory=memory)
            over = builders.evacuation(number, status='done')
            memory = self.update(over, memory=memory)
            a, b = (self.may_start_at(memory, s) for s in (0.5, 0.5001))
            apart.add(abs(a - b) > 1.0)
        self.assertIn(True, apart)

    def test_evacuation_of_others_between_two_looks(self):
        """Who asked for it may be asking for the next one."""
        old = builders.evacuation(6, status='done')
        over = builders.evacuation(7, status='done')
        memory = self.update(old)
        self.assertEqual(
            NOW, self.update(old, memory=memory).own.no_others_since
        )
        found = self.update(old, over, memory=memory)
        self.assertIsNone(found.own.no_others_since)
        found = self.update(old, over, memory=found)
        self.assertEqual(NOW, found.own.no_others_since)

    @unit.cases(
        # seconds since an evacuation ended; for how long it is waited then
        (0.0, timing.EVACUATE_AFTER_OTHERS_SECONDS),
        (5.0, timing.EVACUATE_AFTER_OTHERS_SECONDS - 5),
        (timing.EVACUATE_AFTER_OTHERS_SECONDS, 0.0),
        (timing.EVACUATE_AFTER_OTHERS_SECONDS + 1, 0.0),
    )
    def test_evacuation_that_ended_before_the_first_look(self, ago, pause):
        """Its run may be about to ask for the next one."""
        now = builders.cloud_time(500)
        ended = builders.cloud_time(500 - ago)
        over = builders.evacuation(7, status='done', updated_at=ended)
        first = self.update(over, nova_time=now)
        self.assertEqual(pause > 0, first.own.met_others)
        staggered = self.may_start_at(first) - NOW - pause
        self.assertLessEqual(0, staggered)
        if not pause:
            self.assertEqual(0, staggered)
        # Only then: this run's own end like that, too.
        found = self.update(over, memory=first, at=NOW + 1, nova_time=now)
        self.assertEqual(first.own, found.own)
        # Where Nova does not say what time it is, nothing is known.
        self.assertFalse(self.update(over).own.met_others)

    def test_an_earlier_attempt_of_ours(self):
        first = base.asked(ActionKind.EVACUATE, asked_after=6)
        failed = builders.evacuation(7, status='failed')
        memory = self.update(memory=builders.memory(first))
        memory = self.update(failed, memory=memory)
        self.assertIsNotNone(memory.own.no_others_since)
        second = base.asked(ActionKind.EVACUATE, asked_after=7)
        memory = dataclasses.replace(memory, servers={'vm1': second})
        memory = self.update(failed, builders.evacuation(8), memory=memory)
        self.assertIsNotNone(memory.own.no_others_since)

    @hypothesis.given(strategies.floats(0, 0.999), strategies.floats(0, 0.999))
    def test_two_runs_that_begin_at_once_do_not_start_at_once(self, a, b):
        hypothesis.assume(abs(a - b) > 0.01)
        memory = self.update()
        starts = (self.may_start_at(memory, stagger) for stagger in (a, b))
        self.assertNotAlmostEqual(*starts, places=2)


class TestWait(LockTestCase):
    """What the operator is told while nothing begins."""

    DEAD = policies.Policy(evacuate=True)

    def wait(self, memory, now):
        return lock.wait(memory.own, self.DEAD, now)

    def test_others_hold_the_lock(self):
        memory = self.update(builders.evacuation())
        self.assertIn('another run', self.wait(memory, NOW + 999).reason)

    def test_waits_until_it_may_start(self):
        memory = self.update(builders.evacuation())
        memory = self.update(builders.evacuation(status='done'), memory=memory)
        due = lock.may_start_at(memory.own, self.DEAD)
        self.assertIn('35 s', self.wait(memory, due - 0.1).reason)
        self.assertEqual(due, self.wait(memory, due - 0.1).until)
        self.assertIsNone(self.wait(memory, due))

    def test_no_others_seen(self):
        self.assertIsNone(self.wait(self.update(), NOW))


Heartbeat = heartbeats.Heartbeat
TIME = datetime.datetime(2026, 11, 21, 8, 0, 0, tzinfo=datetime.UTC)
UP = builders.service(enabled=True)
DOWN = builders.service(up=False)
FORCED = builders.dead()


def ago(seconds):
    """Return a time so long before now."""
    return TIME - datetime.timedelta(seconds=seconds)


class TestJudge(unit.TestCase):
    @unit.cases(
        # the service, is it refused, is it in doubt; not if it is --fenced
        (UP, True, True),
        (DOWN, False, True),
        # Whoever forced it down has vouched for it.
        (FORCED, False, False),
    )
    def test_judge(self, service, refused, doubted):
        for fenced in (False, True):
            against = heartbeats.against(service, fenced=fenced)
            doubt = heartbeats.doubt(service, fenced=fenced)
            self.assertEqual(refused and not fenced, bool(against))
            self.assertEqual(doubted and not fenced, bool(doubt))

    def test_up_it_tells_how_long_nova_waits_and_what_else_there_is(self):
        reason = heartbeats.against(UP, fenced=False)
        self.assertRegex(
            reason,
            'cmp01 is up.* without --evacuate.*'
            'service_down_time, 60 s by default.*powered off.*--fenced',
        )
        self.assertTrue(reason.isprintable())

    def test_in_doubt_it_tells_what_may_happen(self):
        self.assertRegex(
            heartbeats.doubt(DOWN, fenced=False),
            'cmp01.*corrupts data.*--fenced',
        )

    @unit.cases(UP, DOWN, FORCED)
    def test_what_it_will_be(self, service):
        will = heartbeats.fenced(service)
        self.assertEqual((False, True), (will.up, will.forced_down))
        self.assertEqual(service.host, will.host)


class TestCompare(unit.TestCase):
    @unit.cases(
        # what differs at the second look, what that means
        ({}, Heartbeat.SILENT),
        ({'updated_at': ago(1)}, Heartbeat.ALIVE),
        ({'updated_at': ago(1), 'up': True}, Heartbeat.ALIVE),
        # A change leaves the same trace as a heartbeat.
        ({'updated_at': ago(1), 'disabled_reason': 'disk'}, Heartbeat.CHANGED),
        ({'updated_at': ago(1), 'forced_down': False}, Heartbeat.CHANGED),
        ({'forced_down': False, 'up': True}, Heartbeat.ALIVE),
    )
    def test_second_look(self, changes, sign):
        first = {'up': False, 'forced_down': True, 'updated_at': ago(10)}
        before = builders.service(**first)
        after = builders.service(**{**first, **changes})
        self.assertIs(sign, heartbeats.compare(before, after))

    def test_first_heartbeat_of_all(self):
        before = builders.service(up=False)
        after = builders.service(up=False, updated_at=TIME)
        self.assertIs(Heartbeat.ALIVE, heartbeats.compare(before, after))

    def test_words(self):
        self.assertEqual(
            'cmp01 still sends heartbeats (last at 2026-11-21T08:00:00Z): the '
            'host is still alive; evacuation refused',
            heartbeats.alive(builders.service(updated_at=TIME)),
        )
        self.assertIn(
            'heartbeats: the host', heartbeats.alive(builders.service())
        )


class TestQuestion(unit.TestCase):
    def test_words(self):
        self.assertRegex(
            heartbeats.question(['cmp01'], 17, 12),
            r'^cmp01 sends no heartbeats\. .* 17 \(12 of them lose '
            r'.*\. Is cmp01 powered off\?$',
        )
        self.assertRegex(
            heartbeats.question(['cmp01', 'cmp02'], 2, 0),
            r'\. Are cmp01, cmp02 all powered off\?$',
        )
        words = 'so nothing was changed on it'
        self.assertIn(words, heartbeats.denied('cmp01'))
