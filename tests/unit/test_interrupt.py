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

"""Ctrl-C, once and twice."""

import os
import signal
import tempfile
import unittest

from osc_hostmaint import interrupt


class TestInterrupt(unittest.TestCase):
    def setUp(self):
        super().setUp()
        # Whatever a test does, the runner keeps its own Ctrl-C.
        self.before = signal.getsignal(signal.SIGINT)
        self.addCleanup(signal.signal, signal.SIGINT, self.before)
        self.stderr = self.enterContext(tempfile.TemporaryFile())
        self.interrupt = interrupt.Interrupt(self.stderr.fileno())

    def told(self):
        self.stderr.seek(0)
        return self.stderr.read().decode()

    def test_nothing_is_wished_without_ctrl_c(self):
        with self.interrupt.watching():
            self.assertFalse(self.interrupt.requested)

        self.assertFalse(self.interrupt.requested)
        self.assertEqual('', self.told())

    def test_first_is_a_wish_and_tells_what_happens_now(self):
        with self.interrupt.watching():
            signal.raise_signal(signal.SIGINT)

            self.assertTrue(self.interrupt.requested)

        self.assertIn('nothing new is started', self.told())
        self.assertIn('again', self.told())

    def test_second_stops_at_once_and_tells_how_to_go_on(self):
        with (
            self.assertRaises(KeyboardInterrupt),
            self.interrupt.watching(),
        ):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

        self.assertIn('go on in Nova', self.told())
        self.assertIn('same command again', self.told())

    def test_handler_is_restored(self):
        with self.interrupt.watching():
            self.assertNotEqual(self.before, signal.getsignal(signal.SIGINT))

        self.assertEqual(self.before, signal.getsignal(signal.SIGINT))

    def test_handler_is_restored_after_an_error(self):
        with (
            self.assertRaises(ZeroDivisionError),
            self.interrupt.watching(),
        ):
            raise ZeroDivisionError

        self.assertEqual(self.before, signal.getsignal(signal.SIGINT))

    def test_nobody_is_told_without_a_stream(self):
        silent = interrupt.Interrupt()
        with silent.watching():
            signal.raise_signal(signal.SIGINT)

        self.assertTrue(silent.requested)

    def test_a_closed_terminal_is_no_reason_to_die(self):
        reading, writing = os.pipe()
        os.close(reading)
        self.addCleanup(os.close, writing)
        deaf = interrupt.Interrupt(writing)
        with deaf.watching():
            signal.raise_signal(signal.SIGINT)

        self.assertTrue(deaf.requested)
