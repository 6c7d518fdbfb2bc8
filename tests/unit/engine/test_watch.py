# SPDX-License-Identifier: Apache-2.0

"""Asking beside the loop how far live migrations are."""

import threading
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import watch
from tests import unit
from tests.unit import builders

HALF = model.Progress(2, 4)


class WatchTestCase(unit.TestCase):
    def setUp(self):
        super().setUp()
        self.gateway, self.clock = mock.Mock(), mock.Mock()
        self.gateway.progress.return_value = HALF
        self.now = self.clock.now.return_value = 100.0
        rows = [self.row(1), self.row(2), self.row(3, 'queued')]
        self.host = mock.Mock(done=False, decision=builders.decision(rows))
        self.watch = watch.Watch(self.gateway, self.clock)

    @staticmethod
    def row(number, status='running'):
        record = builders.migration(number, status, f'vm{number}')
        return builders.row(f'vm{number}', record=record)

    def poll(self, seconds=1.0):
        """Poll after some seconds, and wait for the answer."""
        self.clock.now.return_value += seconds
        self.watch.poll([self.host])
        for thread in threading.enumerate():
            if thread.name == watch.NAME:
                thread.join(5)

    @property
    def asked(self):
        return [call.args[0] for call in self.gateway.progress.mock_calls]

    def test_one_at_a_time_and_each_in_turn(self):
        for _poll in range(4):
            self.poll()
        self.assertEqual(['vm1', 'vm2', 'vm1', 'vm2'], self.asked)
        (first, *_others) = self.host.progressed.mock_calls
        answer = model.Progress(2, 4, seen_at=101.0)
        self.assertEqual((self.row(1), answer), first.args)

    def test_at_most_once_a_second(self):
        for _poll in range(10):
            self.poll(0.1)
        # Nor again where Nova does not answer: that would be said aloud.
        asked = mock.call('vm1', 1, repeated=False)
        self.assertEqual([asked], self.gateway.progress.mock_calls)

    def test_an_answer_is_awaited(self):
        """Not by the loop: it only asks for no other one meanwhile."""
        answered = threading.Event()

        def answer(*_ids, **_how):
            answered.wait(5)

        self.gateway.progress.side_effect = answer
        self.clock.now.return_value += 1
        for _poll in range(3):
            self.watch.poll([self.host])
            self.clock.now.return_value += 1
        self.assertEqual(['vm1'], self.asked)
        self.host.progressed.assert_not_called()
        answered.set()

    def test_failures(self):
        self.gateway.progress.side_effect = exceptions.Unavailable('no')
        for _poll in range(3):
            self.poll()
        self.assertEqual(['vm1', 'vm2', 'vm1'], self.asked)
        self.host.progressed.assert_not_called()

    def test_no_thread(self):
        with mock.patch.object(threading, 'Thread') as thread:
            thread.return_value.start.side_effect = RuntimeError
            self.poll()
        self.poll()
        self.assertEqual(['vm2'], self.asked)

    def test_hosts_that_are_done(self):
        self.host.done = True
        self.poll()
        self.assertEqual([], self.asked)
