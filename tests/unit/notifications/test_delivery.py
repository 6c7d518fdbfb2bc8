# SPDX-License-Identifier: Apache-2.0

import contextlib
import logging
import queue
import threading
from unittest import mock

from osc_hostmaint.notifications import delivery
from osc_hostmaint.planning import timing
from tests import unit

#: Longer than any test may take.
LONG = 60.0
#: A pause that must end before its time.
ENDLESS = 10 * LONG
AGAIN = delivery.NotDelivered('busy', may_retry=True)
REFUSED = delivery.NotDelivered('it answers HTTP 400')


class Target:
    """Does with each event what the test says, when it says it."""

    name = 'http://cmdb'

    def __init__(self):
        self.tried: queue.Queue[str] = queue.Queue()
        #: For each try: an exception to raise, or None.
        self.outcomes: queue.Queue[Exception | None] = queue.Queue()
        self.closed = False

    def deliver(self, event):
        self.tried.put(event)
        if outcome := self.outcomes.get():
            raise outcome

    def close(self):
        self.closed = True


class DeliveryTestCase(unit.TestCase):
    def setUp(self):
        self.target = Target()
        self.set('NOTIFY_PAUSE_SECONDS', 0.0)
        self.delivery = delivery.Delivery(self.target)
        self.addCleanup(self.target.outcomes.put, None)
        self.addCleanup(self.delivery.give_up)

    def set(self, name, value):
        self.enterContext(mock.patch.object(timing, name, value))

    def put(self, *events):
        """Put them, on a thread: one that had to wait would do so for ever."""
        putting = threading.Thread(
            target=lambda: [self.delivery.put(event) for event in events],
            daemon=True,
        )
        putting.start()
        putting.join(LONG)
        self.assertFalse(putting.is_alive())

    def tries(self, *outcomes):
        """Let it try so often; return what it tried."""
        tried = []
        for outcome in outcomes:
            tried.append(self.target.tried.get(timeout=LONG))
            self.target.outcomes.put(outcome)
        return tried

    def pausing(self):
        """Return what is set once it makes a pause."""
        begun = threading.Event()
        rest = self.delivery._rest

        def pause(seconds):
            begun.set()
            rest(seconds)

        self.enterContext(mock.patch.object(self.delivery, '_rest', pause))
        return begun

    def end(self):
        self.delivery.end()
        self.assertTrue(self.delivery.has_ended(LONG))
        return self.delivery.undelivered


class TestOrder(DeliveryTestCase):
    def test_one_after_the_other(self):
        self.put('a', 'b', 'c')
        self.assertEqual(['a', 'b', 'c'], self.tries(None, None, None))
        self.assertEqual((0, ''), self.end())
        self.assertTrue(self.target.closed)

    def test_the_others_wait_for_one_that_is_tried_again(self):
        self.put('a', 'b')
        self.assertEqual(
            ['a', 'a', 'a', 'b'], self.tries(AGAIN, AGAIN, None, None)
        )
        # What is over is no reason.
        self.assertEqual((0, ''), self.end())

    def test_one_that_is_refused_is_lost(self):
        self.put('a', 'b')
        self.assertEqual(['a', 'b'], self.tries(REFUSED, None))
        self.assertEqual((1, 'it answers HTTP 400'), self.end())

    def test_the_reason_is_that_of_the_lost_one(self):
        self.put('a', 'b')
        self.tries(REFUSED, AGAIN, None)
        self.assertEqual((1, 'it answers HTTP 400'), self.end())

    def test_a_target_that_fails_otherwise(self):
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.put('a', 'b')
        self.assertEqual(['a', 'b'], self.tries(ZeroDivisionError(), None))
        self.assertEqual((1, 'ZeroDivisionError'), self.end())


class TestQueue(DeliveryTestCase):
    def test_nobody_waits_while_the_target_holds_one(self):
        self.put('a')
        self.target.tried.get(timeout=LONG)
        self.put('b', 'c')
        self.assertEqual((3, ''), self.delivery.undelivered)

    def test_the_oldest_are_lost_if_too_many_wait(self):
        self.set('EVENTS_AT_ONCE', 2)
        self.put('a')
        self.target.tried.get(timeout=LONG)
        self.put('b', 'c', 'd', 'e')
        self.target.outcomes.put(None)
        self.assertEqual(['d', 'e'], self.tries(None, None))
        self.assertEqual((2, 'too many waited for it'), self.end())


class TestPauses(DeliveryTestCase):
    def setUp(self):
        super().setUp()
        self.set('NOTIFY_PAUSE_SECONDS', 1.0)
        self.set('NOTIFY_PAUSE_MOST_SECONDS', 8.0)
        self.waits = []

    @contextlib.contextmanager
    def waiting(self):
        """Let no time pass in pauses."""
        condition = self.delivery._changed
        wait_for = condition.wait_for

        def rest(done, timeout=None):
            if timeout is None:
                return wait_for(done)
            self.waits.append(timeout)
            return done()

        with mock.patch.object(condition, 'wait_for', rest):
            yield

    def test_get_longer_up_to_the_most(self):
        with self.waiting():
            self.put('a')
            self.tries(*[AGAIN] * 5, None)
            self.end()
        self.assertEqual([1, 2, 4, 8, 8], self.waits)

    @unit.cases((5.0, 5.0), (0.5, 1.0), (1e9, 8.0))
    def test_the_target_may_want_a_longer_one(self, after, wanted):
        error = delivery.NotDelivered(
            'busy', may_retry=True, retry_after=after
        )
        with self.waiting():
            self.put('a')
            self.tries(error, None)
            self.end()
        self.assertEqual([wanted], self.waits)


class TestEnd(DeliveryTestCase):
    @unit.cases(False, True)
    def test_what_waits_is_tried_soon(self, at_work):
        """Whether the run ends in a pause, or while one is delivered."""
        self.set('NOTIFY_PAUSE_MOST_SECONDS', ENDLESS)
        later = delivery.NotDelivered(
            'busy', may_retry=True, retry_after=ENDLESS
        )
        pausing = self.pausing()
        self.put('a', 'b')
        self.target.tried.get(timeout=LONG)
        if at_work:
            self.delivery.end()
        self.target.outcomes.put(later)
        self.assertTrue(pausing.wait(LONG))
        self.delivery.end()
        self.assertEqual(['a', 'b'], self.tries(None, None))
        self.assertEqual(0, self.end()[0])

    def test_giving_up(self):
        self.put('a', 'b')
        self.target.tried.get(timeout=LONG)
        self.delivery.end()
        self.delivery.give_up()
        self.assertEqual(2, self.delivery.undelivered[0])
        self.target.outcomes.put(None)
        self.assertTrue(self.delivery.has_ended(LONG))
        # It is not known whether the first one arrived.
        self.assertEqual(2, self.delivery.undelivered[0])
        self.assertTrue(self.target.closed)
        self.assertTrue(self.target.tried.empty())

    def test_giving_up_in_a_pause(self):
        self.set('NOTIFY_PAUSE_SECONDS', ENDLESS)
        self.set('NOTIFY_PAUSE_MOST_SECONDS', ENDLESS)
        pausing = self.pausing()
        self.put('a')
        self.tries(AGAIN)
        self.assertTrue(pausing.wait(LONG))
        self.delivery.give_up()
        self.assertTrue(self.delivery.has_ended(LONG))
        self.assertEqual((1, 'busy'), self.delivery.undelivered)
