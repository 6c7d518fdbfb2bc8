# SPDX-License-Identifier: Apache-2.0

"""Real receivers on loopback, good ones and bad ones."""

import base64
import hashlib
import hmac
import io
import logging
import os
import pathlib
import threading
from unittest import mock

from osc_hostmaint.notifications import delivery
from osc_hostmaint.notifications import receiver
from osc_hostmaint.planning import timing
from tests import receivers
from tests import unit
from tests.unit.notifications import base

EVENT = base.EVENT


class TestPost(base.ReceiverTestCase):
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


class TestAnswers(base.ReceiverTestCase):
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


class TestSurroundings(base.ReceiverTestCase):
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


class TestRedirects(base.ReceiverTestCase):
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


class TestTls(base.ReceiverTestCase):
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


class TestDebugging(base.ReceiverTestCase):
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
