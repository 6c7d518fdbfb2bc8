# SPDX-License-Identifier: Apache-2.0

"""The guide's lines in a chat, with the events of real commands."""

import http.server
import re
import typing as ty

from tests import receivers
from tests.functional import receivers_base


class TestChat(receivers_base.ReceiverTest):
    script = 'chat'

    def setUp(self) -> None:
        super().setUp()
        self.posted: list[dict[str, ty.Any]] = []
        #: How the chat behaves first.
        self.trouble: list[receivers.Behaviour] = []

        def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
            if self.trouble:
                self.trouble.pop(0)(handler)
                return
            self.posted.append(webhook.posted[-1].event)
            receivers.answers(200)(handler)

        webhook = self.enterContext(receivers.Receiver(behave))
        self.chat = self.receive(CHAT_WEBHOOK=webhook.url())

    def texts(self) -> list[str]:
        for message in self.posted:
            self.assertEqual(['text'], list(message))
        return [message['text'] for message in self.posted]

    def test_drain(self) -> None:
        name = 'a <!channel> @here `b` "c" <http://d|e> [f](http://g) *h*'
        self.cloud.boot_many(
            [
                {'name': name, 'host': 'cmp01'},
                {'name': 'web-1', 'host': 'cmp01'},
                {'name': 'old-wiki', 'host': 'cmp01', 'state': 'SUSPENDED'},
            ]
        )
        for server in self.cloud.servers('cmp01'):
            if server['name'] == name:
                self.cloud.server_knobs(server, lm_fail='precheck')
        line = 'drain --retries 0 cmp01 --reason'
        self.notify(line, 'CHG1 @channel', url=self.chat.url, code=3)

        texts = self.texts()
        self.assertEqual(
            '`cmp01`: in maintenance, by `maintainer`: `CHG1 @\u200bchannel`',
            texts[0],
        )
        shown = (
            '`a &lt;!channel&gt; @\u200bhere \'b\' "c" &lt;http://d|e&gt; '
            '[f](http://g) *h*`'
        )
        (failed,) = (text for text in texts if 'failed (' in text)
        self.assertIn(f'`cmp01`: server {shown} failed (`drain`): `', failed)
        results = '1 `blocked`, 1 `failed`, 1 `moved`'
        self.assertEqual(f'`cmp01`: drain NOT done ({results})', texts[-1])
        self.assertEqual(3, len(texts))

        self.notify(line, 'CHG1 @channel', url=self.chat.url, code=3)
        # A move that fails once more is news, the maintenance is not.
        self.assertEqual(texts, self.texts()[:3])
        self.assertNotIn(texts[0], self.texts()[3:])

    def test_chat_is_down_first(self) -> None:
        self.cloud.boot_many(
            [
                {'name': 'database', 'host': 'cmp01'},
                {'name': 'web-1', 'host': 'cmp01'},
                {'name': 'old-wiki', 'host': 'cmp01', 'state': 'SUSPENDED'},
            ]
        )
        for server in self.cloud.servers('cmp01'):
            if server['name'] == 'database':
                self.cloud.server_knobs(server, lm_fail='precheck')
        self.trouble = [
            receivers.hangs_up,
            receivers.answers(500),
            receivers.answers(429),
        ]
        reason = ('--reason', 'kernel update CHG0042')
        line = 'drain --retries 0 cmp01'
        self.notify(line, *reason, url=self.chat.url, code=3)
        self.notify('set cmp01', *reason, url=self.chat.url)
        self.notify('unset cmp01', url=self.chat.url)
        self.assertEqual([], self.trouble)
        expected = (
            (receivers_base.EXAMPLES / 'chat.out').read_text().splitlines()
        )
        # All three hosts are as good.
        texts = [re.sub('on cmp0[234]', 'on cmp02', t) for t in self.texts()]
        self.assertEqual(expected, texts)

    def test_chat_refuses(self) -> None:
        self.trouble = [receivers.answers(404)]
        done = self.notify('set cmp01', url=self.chat.url)
        self.assertIn('it answers HTTP 424', done.err)

    def test_refuses(self) -> None:
        self.assert_refuses(self.chat.url)
        self.assertEqual([], self.posted)
        self.assertNotIn('Traceback', self.chat.log.read_text())
