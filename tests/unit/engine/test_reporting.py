# SPDX-License-Identifier: Apache-2.0

"""Who hears of events."""

from unittest import mock

from osc_hostmaint import events
from osc_hostmaint.engine import reporting
from tests import unit
from tests.unit import builders

EVENT = events.Trouble('cmp01', 'no answer')


class Failing(builders.Listener):
    def publish(self, event):
        super().publish(event)
        raise RuntimeError('\x1b[2J')


class TestPublisher(unit.TestCase):
    def test_several_listen(self):
        one, other = builders.Listener(), builders.Listener()
        reporting.Publisher(one, None, other).publish(EVENT)
        self.assertEqual([EVENT], one.events)
        self.assertEqual([EVENT], other.events)

    def test_nobody_listens(self):
        reporting.Publisher(None).publish(EVENT)

    def test_one_that_fails_is_told_nothing_more(self):
        one, other = Failing(), builders.Listener()
        publisher = reporting.Publisher(one, other)
        with self.assertLogs(reporting.LOG, 'WARNING') as logs:
            publisher.publish(EVENT)
            publisher.publish(EVENT)
        self.assertEqual(1, len(one.events))
        self.assertEqual(2, len(other.events))
        (record,) = logs.records
        self.assertRegex(record.getMessage(), r'^Failing failed.*\\x1b\[2J')

    def test_an_interrupt_goes_through(self):
        one = mock.Mock()
        one.publish.side_effect = KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            reporting.Publisher(one).publish(EVENT)


class TestHostReporter(unit.TestCase):
    def test_from_decision_to_decision(self):
        listener = builders.Listener()
        reporter = reporting.HostReporter('cmp01', listener)
        reporter.decided(builders.decision())
        reporter.decided(builders.decision())
        reporter.trouble('no answer')
        self.assertEqual(
            [events.HostStarted('cmp01', 0, 0, ()), EVENT], listener.events
        )
