# SPDX-License-Identifier: Apache-2.0

"""Whose turn it is to evacuate a host."""

import dataclasses
import unittest

import ddt
import hypothesis
from hypothesis import strategies

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import lock
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
Phase = server_status.Phase


class TurnTestCase(unittest.TestCase):
    def keep(self, *records, memory=None, phase=Phase.MOVING, at=NOW):
        """Return what is known then.

        :param phase: where the records' servers stand.
        """
        seen = builders.observation(migrations=records, migrations_at=at)
        stands = {r.server_id: server_status.Standing(phase) for r in records}
        memory = memory or builders.memory()
        own = lock.update(seen, memory, stands)
        return dataclasses.replace(memory, own=own)

    def assert_others(self, expected, record, memory=None, **kwargs):
        """Tell whether others are at it, whatever was before."""
        tracks = memory.tracks.values() if memory else ()
        for alone_since in (None, NOW - 9):
            before = builders.memory(*tracks, alone_since=alone_since)
            found = self.keep(record, memory=before, **kwargs)
            self.assertIs(expected, found.own.alone_since is None)


@ddt.ddt
class TestOthers(TurnTestCase):
    @ddt.data(
        # a record; is another run at it
        ({}, True),
        ({'status': 'accepted', 'dest': None}, True),
        ({'status': 'a status of tomorrow'}, True),
        ({'status': 'done'}, False),
        ({'status': 'completed'}, False),
        ({'status': 'error'}, False),
        ({'status': 'failed'}, False),
        # Of another host that has died.
        ({'source': 'cmp09', 'dest': builders.HOST}, False),
        ({'type': base.LIVE}, False),
        ({'type': base.COLD, 'status': 'finished'}, False),
    )
    @ddt.unpack
    def test_record(self, kwargs, expected):
        self.assert_others(expected, builders.evacuation(**kwargs))

    @ddt.data(
        # highest record id when we asked; is its record another run's
        (6, False),
        (7, True),
        (9, True),
    )
    @ddt.unpack
    def test_ours(self, asked_after, expected):
        track = base.asked(Kind.EVACUATE, asked_after=asked_after)
        memory = builders.memory(track)

        self.assert_others(expected, builders.evacuation(7), memory=memory)

    def test_what_was_asked_for_of_another_kind_does_not_make_it_ours(self):
        track = base.asked(Kind.RESET)

        self.assert_others(
            True, builders.evacuation(7), memory=builders.memory(track)
        )

    def test_what_was_refused_us_is_not_ours(self):
        track = base.refused(Kind.EVACUATE)

        self.assert_others(
            True, builders.evacuation(7), memory=builders.memory(track)
        )

    @ddt.data(*Phase)
    def test_a_server_is_rebuilt_and_no_record_shows_that_yet(self, phase):
        stands = {'vm1': server_status.Standing(phase)}
        memory = builders.memory()
        own = lock.update(builders.observation(), memory, stands)
        found = dataclasses.replace(memory, own=own)

        self.assertIs(phase is Phase.BUSY, found.own.alone_since is None)

    def test_two_of_one_server(self):
        """We have asked for one of them."""
        memory = builders.memory(
            base.asked(Kind.EVACUATE, asked_after=6), alone_since=NOW - 9
        )
        one, other = builders.evacuation(7), builders.evacuation(8)
        self.assertIsNotNone(self.keep(one, memory=memory).own.alone_since)
        found = self.keep(one, other, memory=memory)
        self.assertIsNone(found.own.alone_since)
        self.assertEqual(8, found.own.crowd)
        # The newer one fails mostly, and the older one goes on.
        failed = builders.evacuation(8, status='failed')
        found = self.keep(one, failed, memory=memory)
        self.assertIsNone(found.own.alone_since)
        over = builders.evacuation(7, status='done')
        found = self.keep(over, failed, memory=memory)
        self.assertIsNotNone(found.own.alone_since)

    def test_of_a_server_that_nothing_is_known_of(self):
        self.assert_others(True, builders.evacuation(7, server_id='vm9'))

    @ddt.data(*Phase)
    def test_what_is_not_awaited_holds_up_nobody(self, phase):
        expected = phase not in server_status.FINAL
        self.assert_others(expected, builders.evacuation(7), phase=phase)

    @ddt.data(
        # seconds since its status was seen first; does it hold us up
        (timing.EVACUATION_WAIT_SECONDS - 1, True),
        (timing.EVACUATION_WAIT_SECONDS, False),
    )
    @ddt.unpack
    def test_nobody_is_waited_for_for_ever(self, ago, expected):
        """Whoever was at it may have died."""
        record = builders.evacuation(7, seen_at=NOW - ago)

        self.assert_others(expected, record)


@ddt.ddt
class TestComesAt(TurnTestCase):
    """When this run may start some."""

    def comes_at(self, memory, stagger=0.0):
        return lock.may_start_at(memory.own, policies.Policy(stagger=stagger))

    def test_not_while_others_are_at_it(self):
        self.assertIsNone(self.comes_at(self.keep(builders.evacuation())))

    @ddt.data((0.0, 0.0), (0.5, 2.5), (1.0, 5.0))
    @ddt.unpack
    def test_alone_from_the_beginning(self, stagger, pause):
        memory = self.keep(at=NOW - 3)

        self.assertEqual(NOW - 3 + pause, self.comes_at(memory, stagger))
        # It counts from the first look.
        memory = self.keep(memory=memory, at=NOW)
        self.assertEqual(NOW - 3 + pause, self.comes_at(memory, stagger))

    @hypothesis.given(strategies.floats(0, 0.999))
    def test_who_was_at_it_has_the_turn_still(self, stagger):
        """Between two of his, none may be in flight for a moment."""
        memory = self.keep(builders.evacuation(), at=NOW - 5)
        memory = self.keep(builders.evacuation(status='done'), memory=memory)

        earliest = NOW + timing.EVACUATE_AFTER_OTHERS_SECONDS
        comes_at = self.comes_at(memory, stagger)
        self.assertLessEqual(earliest, comes_at)
        self.assertLess(
            comes_at, earliest + timing.EVACUATE_AFTER_OTHERS_STAGGER_SECONDS
        )

    def test_two_runs_that_met_do_not_meet_again(self):
        """Though they would have begun at the same moment for ever."""
        apart = set()
        memory = self.keep()
        for number in range(1, 6):
            memory = self.keep(builders.evacuation(number), memory=memory)
            over = builders.evacuation(number, status='done')
            memory = self.keep(over, memory=memory)
            a, b = (self.comes_at(memory, s) for s in (0.5, 0.5001))
            apart.add(abs(a - b) > 1.0)

        self.assertIn(True, apart)

    def test_what_has_ended_between_two_looks(self):
        """Who asked for it may be asking for the next one."""
        old = builders.evacuation(6, status='done')
        over = builders.evacuation(7, status='done')
        memory = self.keep(old)
        self.assertEqual(NOW, self.keep(old, memory=memory).own.alone_since)
        found = self.keep(old, over, memory=memory)
        self.assertIsNone(found.own.alone_since)
        found = self.keep(old, over, memory=found)
        self.assertEqual(NOW, found.own.alone_since)

    def test_an_earlier_attempt_of_ours(self):
        first = base.asked(Kind.EVACUATE, asked_after=6)
        failed = builders.evacuation(7, status='failed')
        memory = self.keep(memory=builders.memory(first))
        memory = self.keep(failed, memory=memory)
        self.assertIsNotNone(memory.own.alone_since)
        second = base.asked(Kind.EVACUATE, asked_after=7)
        memory = dataclasses.replace(memory, tracks={'vm1': second})
        again = builders.evacuation(8)
        memory = self.keep(failed, again, memory=memory)
        self.assertIsNotNone(memory.own.alone_since)

    def test_others_begin_meanwhile(self):
        memory = self.keep(at=NOW - 5)
        memory = self.keep(builders.evacuation(), memory=memory)

        self.assertIsNone(self.comes_at(memory))

    @hypothesis.given(strategies.floats(0, 0.999), strategies.floats(0, 0.999))
    def test_two_runs_that_begin_at_once_do_not_start_at_once(self, a, b):
        hypothesis.assume(abs(a - b) > 0.01)
        memory = self.keep()

        self.assertNotAlmostEqual(
            self.comes_at(memory, a), self.comes_at(memory, b), places=2
        )


class TestAwaited(TurnTestCase):
    """What the operator is told while nothing begins."""

    DEAD = policies.Policy(evacuate=True)

    def wait(self, memory, now):
        return lock.wait(memory.own, self.DEAD, now)

    def test_others_are_at_it(self):
        memory = self.keep(builders.evacuation())

        self.assertIn('another run', self.wait(memory, NOW + 999).reason)

    def test_until_its_turn_comes(self):
        memory = self.keep(builders.evacuation())
        memory = self.keep(builders.evacuation(status='done'), memory=memory)
        due = lock.may_start_at(memory.own, self.DEAD)

        self.assertIn('35 s', self.wait(memory, due - 0.1).reason)
        self.assertEqual(due, self.wait(memory, due - 0.1).until)
        self.assertIsNone(self.wait(memory, due))

    def test_nobody_else_was_seen(self):
        self.assertIsNone(self.wait(self.keep(), NOW))
