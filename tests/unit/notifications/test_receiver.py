# SPDX-License-Identifier: Apache-2.0

"""Real receivers on loopback, good ones and bad ones."""

import base64
import gzip
import hashlib
import hmac
import io
import logging
import os
import pathlib
import threading
import tracemalloc
from unittest import mock

from osc_hostmaint import events
from osc_hostmaint.notifications import cloud_events
from osc_hostmaint.notifications import delivery
from osc_hostmaint.notifications import receiver
from osc_hostmaint.planning import timing
from tests import receivers
from tests import unit
from tests.unit import builders

WRITER = cloud_events.Writer('https://keystone', events.Operation.DRAIN)
EVENT = WRITER.write(events.MaintenanceSet('cmp01', builders.mark()))


class ReceiverTestCase(unit.TestCase):
    def setUp(self):
        self.enterContext(mock.patch.dict(os.environ, {'NO_PROXY': '*'}))

    def listen(self, behave=receivers.takes, **kwargs):
        server = receivers.Receiver(behave, **kwargs)
        return self.enterContext(server)

    def make(self, url, **kwargs):
        made = receiver.Receiver(url, **kwargs)
        self.addCleanup(made.close)
        return made

    def refused(self, url, **kwargs):
        """Return why an event is not delivered."""
        with self.assertRaises(delivery.NotDelivered) as caught:
            self.make(url, **kwargs).deliver(EVENT)
        self.assertNotIn('/hook', str(caught.exception))
        return caught.exception


class TestPost(ReceiverTestCase):
    def test_structured_json(self):
        server = self.listen()
        self.make(server.url('/hook?a=b')).deliver(EVENT)
        (posted,) = server.posted
        self.assertEqual('/hook?a=b', posted.path)
        self.assertEqual(
            'application/cloudevents+json', posted.headers['content-type']
        )
        self.assertRegex(posted.headers['user-agent'], '^osc-hostmaint/[0-9]')
        self.assertEqual('cmp01', posted.event['subject'])
        self.assertNotIn('authorization', posted.headers)
        self.assertNotIn(receiver.SIGNATURE.lower(), posted.headers)

    def test_a_signature(self):
        server = self.listen()
        self.make(server.url(), secret='sécret').deliver(EVENT)
        (posted,) = server.posted
        digest = hmac.new('sécret'.encode(), posted.body, hashlib.sha256)
        self.assertEqual(
            f'sha256={digest.hexdigest()}',
            posted.headers['x-hub-signature-256'],
        )

    def test_a_user(self):
        server = self.listen()
        made = self.make(server.url(user='m%C3%A9:p%40ss'))
        made.deliver(EVENT)
        (posted,) = server.posted
        _basic, user = posted.headers['authorization'].split()
        self.assertEqual('mé:p@ss', base64.b64decode(user).decode())
        self.assertEqual(server.origin, made.name)

    def test_no_user_of_netrc(self):
        folder = self.new_folder()
        (folder / 'netrc').write_text(
            'machine 127.0.0.1 login me password secret'
        )
        os.environ['NETRC'] = str(folder / 'netrc')
        server = self.listen()
        self.make(server.url()).deliver(EVENT)
        self.assertNotIn('authorization', server.posted[0].headers)

    def test_no_cookie_is_kept(self):
        server = self.listen(receivers.answers(204, Set_Cookie='a=b'))
        made = self.make(server.url())
        made.deliver(EVENT)
        made.deliver(EVENT)
        self.assertNotIn('cookie', server.posted[1].headers)

    @unit.cases(receivers.takes, receivers.says_ok)
    def test_one_connection_for_all(self, behave):
        server = self.listen(behave)
        accept = server._server.get_request
        taken = []

        def get_request():
            taken.append(accept())
            return taken[-1]

        server._server.get_request = get_request
        made = self.make(server.url())
        for _each in range(3):
            made.deliver(EVENT)
        self.assertEqual(1, len(taken))


class TestAnswers(ReceiverTestCase):
    @unit.cases(400, 401, 403, 404, 410, 300, 302, 304)
    def test_refused(self, status):
        server = self.listen(receivers.answers(status))
        error = self.refused(server.url())
        self.assertEqual(f'it answers HTTP {status}', str(error))
        self.assertFalse(error.may_retry)

    @unit.cases(
        (503, {}, None),
        (429, {'Retry_After': '7'}, 7.0),
        (500, {'Retry_After': '-1'}, None),
        (500, {'Retry_After': 'soon'}, None),
        (408, {}, None),
    )
    def test_later(self, status, headers, after):
        server = self.listen(receivers.answers(status, **headers))
        error = self.refused(server.url())
        self.assertTrue(error.may_retry)
        self.assertEqual(after, error.retry_after)

    @unit.cases(receivers.talks_nonsense, receivers.hangs_up)
    def test_no_answer(self, behave):
        error = self.refused(self.listen(behave).url())
        self.assertEqual('the connection fails', str(error))
        self.assertTrue(error.may_retry)

    def test_an_answer_without_end(self):
        server = self.listen(receivers.without_end(200))
        made = self.make(server.url())
        made.deliver(EVENT)
        made.deliver(EVENT)
        self.assertEqual(2, len(server.posted))

    def test_no_tls(self):
        server = self.listen()
        error = self.refused(server.url().replace('http', 'https'))
        self.assertEqual('TLS with it fails', str(error))
        self.assertTrue(error.may_retry)

    def test_a_redirect_without_end(self):
        server = self.listen(
            receivers.without_end(307, Location='http://[::1')
        )
        self.assertFalse(self.refused(server.url()).may_retry)

    def test_a_slow_one(self):
        over = threading.Event()
        self.addCleanup(over.set)
        server = self.listen(receivers.holds(over))
        with mock.patch.object(timing, 'NOTIFY_ANSWER_SECONDS', 0.05):
            error = self.refused(server.url())
        self.assertEqual('it does not answer in time', str(error))
        self.assertTrue(error.may_retry)

    def test_nobody_listens(self):
        with receivers.Receiver() as server:
            url = server.url()
        error = self.refused(url)
        self.assertEqual('the connection fails', str(error))
        self.assertTrue(error.may_retry)

    def test_a_name_that_no_server_has(self):
        error = self.refused('http://no-such-host.invalid/hook')
        self.assertTrue(error.may_retry)


class TestDeadline(ReceiverTestCase):
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

        server = self.listen(receivers.by_turns(receivers.takes, second))
        made = self.make(server.url())
        with mock.patch.object(threading, 'Timer', Timer):
            made.deliver(EVENT)
            made.deliver(EVENT)
        self.assertEqual(2, len(server.posted))


class TestHostileAnswers(ReceiverTestCase):
    """Written byte by byte, as no library would."""

    def answer(self, *parts, pause=None):
        """Listen, and answer with these; the last one again and again."""

        def behave(handler):
            handler.close_connection = True
            for part in parts[:-1]:
                handler.wfile.write(part)
            while parts[-1]:
                handler.wfile.write(parts[-1])
                if pause:
                    pause.wait(0.005)

        return self.listen(behave).url()

    def test_no_end_of_interim_answers(self):
        parts = (b'HTTP/1.1 100 Continue\r\n\r\n',)
        with mock.patch.object(timing, 'NOTIFY_ANSWER_SECONDS', 0.2):
            url = self.answer(*parts, pause=threading.Event())
            error = self.refused(url)
        self.assertEqual('it does not answer in time', str(error))
        self.assertTrue(error.may_retry)

    @unit.cases(
        (b'HTTP/1.1 200 OK\r\n', b'X: y\r\n'),
        (b'HTTP/1.1 200 OK\r\nX: ', b'y'),
    )
    def test_no_end_of_headers(self, *parts):
        """There is always another byte; that it is taken was said."""
        with mock.patch.object(timing, 'NOTIFY_ANSWER_SECONDS', 0.2):
            url = self.answer(*parts, pause=threading.Event())
            self.make(url).deliver(EVENT)

    def test_a_body_that_trickles(self):
        begin = b'HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n'
        url = self.answer(begin, b'x', pause=threading.Event())
        with mock.patch.object(timing, 'NOTIFY_ANSWER_SECONDS', 0.2):
            self.make(url).deliver(EVENT)

    def test_a_body_that_unpacks_to_more(self):
        zeros = gzip.compress(gzip.compress(bytes(100_000_000)))
        self.assertLess(len(zeros), 4096)
        begin = (
            'HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n'
            f'Content-Length: {len(zeros)}\r\n\r\n'
        )
        url = self.answer(begin.encode(), zeros, b'')
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.make(url).deliver(EVENT)
        self.assertLess(tracemalloc.get_traced_memory()[1], 10_000_000)

    def test_an_interim_answer_is_none(self):
        url = self.answer(b'HTTP/1.1 103 Early Hints\r\n\r\n', b'')
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
        sender = delivery.Delivery(self.make(self.answer(answer, b'')))
        sender.put(EVENT)
        sender.end()
        self.assertTrue(sender.has_ended(60))
        self.assertEqual((0, ''), sender.undelivered)
        self.assertEqual('', stream.getvalue())


class TestSurroundings(ReceiverTestCase):
    """What the environment makes of it."""

    def test_a_secret_of_any_bytes(self):
        server = self.listen()
        self.make(server.url(), secret=os.fsdecode(b'\xff')).deliver(EVENT)
        (posted,) = server.posted
        digest = hmac.new(b'\xff', posted.body, hashlib.sha256).hexdigest()
        signature = posted.headers['x-hub-signature-256']
        self.assertEqual(f'sha256={digest}', signature)

    def test_no_certificates(self):
        os.environ['REQUESTS_CA_BUNDLE'] = '/no/such/file'
        server = self.listen()
        error = self.refused(server.url().replace('http', 'https'))
        self.assertEqual('the CA certificates cannot be read', str(error))

    def test_a_proxy_that_is_none(self):
        os.environ.pop('NO_PROXY')
        for proxy, why in (
            ('http://127.0.0.1:1', 'the proxy does not answer'),
            ('http://me:secret@[bad', 'its URL, or that of the proxy, is'),
        ):
            with mock.patch.dict(os.environ, http_proxy=proxy, no_proxy=''):
                error = self.refused('http://cmdb.invalid/hook')
            self.assertIn(why, str(error))


class TestRedirects(ReceiverTestCase):
    def test_to_another_path(self):
        to = receivers.answers(307, Location='/other')
        server = self.listen(receivers.by_turns(to, receivers.takes))
        self.make(server.url(user='me:p'), secret='s').deliver(EVENT)
        first, second = server.posted
        self.assertEqual('/other', second.path)
        for name in ('authorization', 'x-hub-signature-256'):
            self.assertEqual(first.headers[name], second.headers[name])
        self.assertEqual(first.body, second.body)

    @unit.cases(
        '', 'http://[', 'https://127.0.0.1', 'http://127.0.0.2/hook', 'file:/x'
    )
    def test_elsewhere(self, where):
        server = self.listen(receivers.answers(308, Location=where))
        error = self.refused(server.url())
        self.assertFalse(error.may_retry)
        self.assertLessEqual(len(server.posted), timing.REDIRECT_TRIES)

    def test_to_another_port(self):
        other = self.listen()
        to = receivers.answers(307, Location=other.url())
        self.assertFalse(self.refused(self.listen(to).url()).may_retry)
        self.assertEqual([], other.posted)

    def test_in_a_circle(self):
        server = self.listen(receivers.answers(307, Location='/hook'))
        error = self.refused(server.url())
        self.assertEqual('it redirects too often', str(error))
        self.assertEqual(timing.REDIRECT_TRIES, len(server.posted))


class TestTls(ReceiverTestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.new_folder())
        self.cacert, tls = receivers.certificate(folder)
        self.server = self.listen(tls=tls)

    def test_verified(self):
        self.make(self.server.url(), cacert=self.cacert).deliver(EVENT)
        self.assertEqual(1, len(self.server.posted))

    def test_not_verified(self):
        error = self.refused(self.server.url())
        self.assertEqual('its certificate is not valid here', str(error))
        self.assertFalse(error.may_retry)

    def test_of_another_name(self):
        url = self.server.url().replace('127.0.0.1', 'localhost')
        self.assertFalse(self.refused(url, cacert=self.cacert).may_retry)


class TestDebugging(ReceiverTestCase):
    def test_no_path_is_logged(self):
        """A path may be a secret, and urllib3 logs each."""
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        logger = logging.getLogger('urllib3')
        self.addCleanup(logger.setLevel, logger.level)
        self.addCleanup(logger.removeHandler, handler)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
        server = self.listen()
        sender = delivery.Delivery(self.make(server.url('/secret')))
        sender.put(EVENT)
        sender.end()
        self.assertTrue(sender.has_ended(60))
        self.assertEqual('', stream.getvalue())
        # Those of others are.
        self.make(server.url('/public')).deliver(EVENT)
        self.assertIn('/public', stream.getvalue())
