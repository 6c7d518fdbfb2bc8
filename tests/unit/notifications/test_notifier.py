# SPDX-License-Identifier: Apache-2.0

import json
import os
import threading
from unittest import mock

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint.notifications import delivery
from osc_hostmaint.notifications import notifier
from osc_hostmaint.planning import timing
from tests import receivers
from tests import unit
from tests.unit import builders

SET = events.MaintenanceSet('cmp01', builders.mark())
UNSET = events.MaintenanceUnset('cmp01', builders.mark())
NEWS = (SET, UNSET)


class NotifierTestCase(unit.TestCase):
    def setUp(self):
        self.enterContext(mock.patch.dict(os.environ, {'NO_PROXY': '*'}))
        self.said = []

    def listen(self, behave=receivers.takes):
        return self.enterContext(receivers.Receiver(behave))

    def make(self, *servers, **kwargs):
        urls = [server.url('/secret', 'me:secret') for server in servers]
        return notifier.Notifier(urls, warn=self.said.append, **kwargs)

    def run_with(self, *servers, **kwargs):
        """Say what there is to say, to the end."""
        with self.make(*servers, **kwargs) as made:
            made.begin('https://keystone')
            for event in NEWS:
                made.publish(event)

    def set(self, name, value):
        self.enterContext(mock.patch.object(timing, name, value))


class TestReceivers(NotifierTestCase):
    def test_each_receives_all_in_order(self):
        servers = self.listen(), self.listen()
        self.run_with(*servers)
        for server in servers:
            self.assertEqual(
                [
                    'osc-hostmaint.maintenance.set',
                    'osc-hostmaint.maintenance.unset',
                ],
                server.types,
            )
        self.assertEqual([], self.said)

    def test_and_the_log(self):
        path = self.new_folder() / 'events.jsonl'
        server = self.listen()
        self.run_with(server, event_log=str(path))
        self.assertEqual(
            server.events, [json.loads(line) for line in path.open()]
        )

    def test_one_that_fails_does_not_hold_up_the_others(self):
        self.set('NOTIFY_PAUSE_SECONDS', 0.0)
        good = self.listen()

        def behave(handler):
            has_all = len(good.posted) == len(NEWS)
            receivers.answers(400 if has_all else 503)(handler)

        bad = self.listen(behave)
        self.run_with(bad, good)
        self.assertEqual(2, len(good.posted))
        (line,) = self.said
        self.assertEqual(
            f'2 events were not delivered to {bad.origin}: it answers HTTP '
            '400',
            line,
        )

    def test_two_on_one_server_may_redirect(self):
        def behave(handler):
            if handler.path == '/secret':
                receivers.answers(308, Location='/moved')(handler)
            else:
                receivers.takes(handler)

        server = self.listen(behave)
        self.run_with(server, server)
        self.assertEqual([], self.said)
        paths = [posted.path for posted in server.posted]
        self.assertEqual(4, paths.count('/moved'))

    def test_one_event_is_lost(self):
        refuses = receivers.answers(400)
        server = self.listen(receivers.by_turns(refuses, receivers.takes))
        self.run_with(server)
        self.assertEqual(
            [
                f'1 event was not delivered to {server.origin}: it answers '
                'HTTP 400'
            ],
            self.said,
        )

    def test_before_it_begins_nothing_is_sent(self):
        server = self.listen()
        with self.make(server) as made:
            made.publish(SET)
        self.assertEqual([], server.posted)


class TestEnd(NotifierTestCase):
    def setUp(self):
        super().setUp()
        self.over = threading.Event()
        self.addCleanup(self.over.set)
        self.held = self.listen(receivers.holds(self.over))
        self.set('NOTIFY_SAID_AFTER_SECONDS', 0.0)

    def test_what_is_waited_for_is_said(self):
        self.set('NOTIFY_DELIVERY_SECONDS', 0.1)
        with self.assertLogs('osc_hostmaint', 'WARNING') as logged:
            self.run_with(self.held)
        self.assertEqual(
            [
                f'Delivering the last events to {self.held.origin}, for at '
                'most 0 s (Ctrl-C gives up)'
            ],
            [record.getMessage() for record in logged.records],
        )
        self.assertEqual(
            [
                f'2 events were not delivered to {self.held.origin}: there '
                'was no time left'
            ],
            self.said,
        )

    def test_an_interruption_gives_up(self):
        with mock.patch.object(
            delivery.Delivery, 'has_ended', side_effect=KeyboardInterrupt
        ):
            self.run_with(self.held)
        (line,) = self.said
        self.assertIn('2 events were not delivered', line)

    def test_giving_up(self):
        made = self.make(self.held).begin('https://keystone')
        for event in NEWS:
            made.publish(event)
        self.set('NOTIFY_DELIVERY_SECONDS', 600)
        made.give_up()
        made.close()
        self.assertIn('2 events were not delivered', self.said[0])

    def test_receivers_on_one_server_have_numbers(self):
        refuses = self.listen(receivers.answers(400))
        self.run_with(refuses, self.listen(), refuses)
        self.assertEqual(
            [
                f'2 events were not delivered to {refuses.origin} (receiver '
                f'{number}): it answers HTTP 400'
                for number in (1, 3)
            ],
            self.said,
        )

    def test_publishing_never_waits(self):
        with self.make(self.held) as made:
            made.begin('https://keystone')
            for event in NEWS:
                made.publish(event)
            # Nothing was answered yet.
            self.over.set()
        self.assertEqual(
            [SET.host] * 2, [e['subject'] for e in self.held.events]
        )


class TestRefused(NotifierTestCase):
    @unit.cases('missing.pem', 'empty.pem', 'words.pem')
    def test_certificates(self, name):
        folder = self.new_folder()
        (folder / 'empty.pem').touch()
        (folder / 'words.pem').write_text('no certificate')
        with self.assertRaisesRegex(
            exceptions.HostMaintenanceError, 'Cannot read CA certificates'
        ):
            self.make(cacert=str(folder / name))

    def test_a_log_that_is_none(self):
        path = self.new_folder() / 'x'
        path.write_text('x')
        with self.assertRaises(exceptions.HostMaintenanceError):
            self.make(event_log=str(path))

    def test_a_url_that_is_none(self):
        with self.assertRaises(ValueError):
            notifier.Notifier(['ftp://cmdb'], warn=self.said.append)
