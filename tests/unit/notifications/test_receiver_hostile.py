# SPDX-License-Identifier: Apache-2.0

"""Receivers that answer as no library would, or without end."""

import gzip
import io
import logging
import threading
import tracemalloc
from unittest import mock

from osc_hostmaint.notifications import delivery
from osc_hostmaint.planning import timing
from tests import receivers
from tests import unit
from tests.unit.notifications import base

EVENT = base.EVENT
ZEROS = bytes(100_000_000)


class TestDeadline(base.ReceiverTestCase):
    """Of each attempt: no further byte puts it off."""

    def given(self, timer):
        self.enterContext(mock.patch.object(threading, 'Timer', timer))

    def answer(self, *parts):
        """Listen, answer with these, and have the deadline pass then."""
        passes = threading.Event()

        class Timer(threading.Timer):
            def run(self):
                passes.wait()
                if self.interval == timing.NOTIFY_ANSWER_SECONDS:
                    self.function()

        def behave(handler):
            handler.close_connection = True
            for part in parts:
                handler.wfile.write(part)
            passes.set()
            # There may be more, until this is cut off.
            handler.rfile.read()

        self.given(Timer)
        return self.listen(behave).url()

    def test_no_end_of_interim_answers(self):
        url = self.answer(*[b'HTTP/1.1 100 Continue\r\n\r\n'] * 3)
        error = self.refused(url)
        self.assertEqual('it does not answer in time', str(error))
        self.assertTrue(error.may_retry)

    @unit.cases(
        (b'HTTP/1.1 200 OK\r\n', b'X: y\r\n'),
        (b'HTTP/1.1 200 OK\r\nX: ', b'y'),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n', b'x'),
    )
    def test_once_it_is_said_that_it_is_taken(self, *parts):
        self.make(self.answer(*parts)).deliver(EVENT)

    def test_that_passes_as_an_answer_arrives(self):
        """The next event may be under way on the same connection."""
        cut, ends = threading.Event(), threading.Event()

        class Timer(threading.Timer):
            """Is over when it is cancelled, but has not cut anything yet."""

            def run(self):
                self.finished.wait()
                ends.wait()
                self.function()
                cut.set()

            def join(self, timeout=None):
                ends.set()
                super().join(timeout)

        def second(handler):
            ends.set()
            cut.wait()
            receivers.takes(handler)

        self.given(Timer)
        server = self.listen(receivers.by_turns(receivers.takes, second))
        made = self.make(server.url())
        made.deliver(EVENT)
        made.deliver(EVENT)
        self.assertEqual(2, len(server.posted))


class TestHostileAnswers(base.ReceiverTestCase):
    def answer(self, *parts):
        """Listen, and answer with these."""
        return self.listen(receivers.says(b''.join(parts))).url()

    @unit.named_cases(
        ('short', 'gzip, gzip', gzip.compress(gzip.compress(ZEROS))),
        ('long', 'identity', ZEROS),
    )
    def test_a_body_that_fills_the_memory(self, encoding, body):
        begin = (
            f'HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n'
            f'Content-Length: {len(body)}\r\n\r\n'
        )
        url = self.answer(begin.encode(), body)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.make(url).deliver(EVENT)
        self.assertLess(tracemalloc.get_traced_memory()[1], 10_000_000)

    def test_an_interim_answer_is_none(self):
        url = self.answer(b'HTTP/1.1 103 Early Hints\r\n\r\n')
        error = self.refused(url)
        self.assertEqual('it answers HTTP 103', str(error))
        self.assertTrue(error.may_retry)

    @unit.cases(
        b'HTTP/1.1 204 OK\r\nhostile \x1b[31m line\r\n\r\n',
        b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n'
        b'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    )
    def test_nothing_of_it_is_logged(self, answer):
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        root = logging.getLogger()
        root.addHandler(handler)
        self.addCleanup(root.removeHandler, handler)
        sender = delivery.Delivery(self.make(self.answer(answer)))
        sender.put(EVENT)
        sender.end()
        self.assertTrue(sender.has_ended(60))
        self.assertEqual((0, ''), sender.undelivered)
        self.assertEqual('', stream.getvalue())
