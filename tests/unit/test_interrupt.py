# SPDX-License-Identifier: Apache-2.0

"""Ctrl-C, once and twice."""

import os
import signal
import tempfile

from osc_hostmaint import interrupt
from tests import unit

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: What stops at once the second time.
INSISTING = (signal.SIGINT, signal.SIGTERM)


class InterruptTestCase(unit.TestCase):
    def setUp(self):
        # Whatever a test does, the runner keeps its own handlers; and
        # whatever started the runner, none is ignored.
        self.before = dict.fromkeys(SIGNALS, self._unexpected)
        for number in SIGNALS:
            before = signal.signal(number, self._unexpected)
            self.addCleanup(signal.signal, number, before)
        self.stderr = self.enterContext(tempfile.TemporaryFile())
        self.interrupt = interrupt.Interrupt(self.stderr.fileno())

    def _unexpected(self, number, frame):
        raise AssertionError(f'signal {number} was not handled')

    def handlers(self):
        return {number: signal.getsignal(number) for number in SIGNALS}

    def told(self):
        self.stderr.seek(0)
        return self.stderr.read().decode()


class TestInterrupt(InterruptTestCase):
    def test_nothing_is_wished_without_a_signal(self):
        with self.interrupt.watching():
            self.assertFalse(self.interrupt.requested)
        self.assertFalse(self.interrupt.requested)
        self.assertEqual('', self.told())

    @unit.cases(
        (signal.SIGINT, 'Ctrl-C again to stop at once'),
        (signal.SIGTERM, 'SIGTERM again to stop at once'),
        (signal.SIGHUP, 'SIGTERM to stop at once'),
    )
    def test_first_is_a_wish_and_tells_what_happens_now(self, number, words):
        with self.interrupt.watching():
            signal.raise_signal(number)
            self.assertTrue(self.interrupt.requested)
        self.assertIn('nothing new is started', self.told())
        self.assertIn(words, self.told())
        self.assertEqual('', self.interrupt.last_message, 'then it is over')

    @unit.cases(*[(a, b) for a in SIGNALS for b in INSISTING])
    def test_second_stops_at_once_and_tells_how_to_go_on(self, first, second):
        with self.assertRaises(KeyboardInterrupt), self.interrupt.watching():
            signal.raise_signal(first)
            signal.raise_signal(second)
        self.assertIn('same command again', self.told())
        self.assertIn('continue in Nova', self.interrupt.last_message)
        with self.interrupt.watching():
            signal.raise_signal(second)  # Only costs the table.

    @unit.cases(*SIGNALS)
    def test_a_terminal_may_hang_up_more_than_once(self, first):
        with self.interrupt.watching():
            signal.raise_signal(first)
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGHUP)

            self.assertTrue(self.interrupt.requested)

        self.assertNotIn('Stopped', self.told())

    @unit.cases(*SIGNALS)
    def test_a_question_is_not_waited_out(self, number):
        with self.interrupt.watching():
            with self.assertRaises(KeyboardInterrupt), self.interrupt.asking():
                signal.raise_signal(number)
            self.assertTrue(self.interrupt.requested)
        # No move is in flight.
        self.assertEqual('', self.told())

    @unit.cases(*SIGNALS)
    def test_a_pipe_nobody_reads_is_no_reason_to_die(self, number):
        reading, writing = os.pipe()
        os.close(reading)
        self.addCleanup(os.close, writing)
        deaf = interrupt.Interrupt(writing)
        with deaf.watching():
            signal.raise_signal(number)
        self.assertTrue(deaf.requested)


class TestHandlers(InterruptTestCase):
    def test_are_restored_after_an_error(self):
        with self.assertRaises(ZeroDivisionError), self.interrupt.watching():
            raise ZeroDivisionError
        self.assertEqual(self.before, self.handlers())

    def test_are_restored_after_the_second_signal(self):
        with self.assertRaises(KeyboardInterrupt), self.interrupt.watching():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.before, self.handlers())

    @unit.cases(*SIGNALS)
    def test_what_is_ignored_stays_ignored(self, number):
        """``nohup`` does that, and a script's ``&``."""
        signal.signal(number, signal.SIG_IGN)
        with self.interrupt.watching():
            signal.raise_signal(number)

            self.assertEqual(signal.SIG_IGN, signal.getsignal(number))
            self.assertFalse(self.interrupt.requested)

        self.assertEqual(signal.SIG_IGN, signal.getsignal(number))
        self.assertEqual('', self.told())
