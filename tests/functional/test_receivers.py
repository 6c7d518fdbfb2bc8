# SPDX-License-Identifier: Apache-2.0

"""The receivers of the guide, with the events of real commands."""

from collections import abc
import datetime
import hashlib
import hmac
from http import server as http_server
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import typing as ty
import uuid

import requests

from tests.cloud import waiting
from tests.functional import base

EXAMPLES = pathlib.Path(base.ROOT) / 'doc/source/user/examples'
SECRET = 'not to be guessed'
SIGNATURE = 'X-Hub-Signature-256'
CLOUDEVENT = 'application/cloudevents+json'
LISTENING = 'Listening on port '
#: What a receiver prints when it has a reason to ask for the list.
ASKED = 'The list is asked for: '
Request = http_server.BaseHTTPRequestHandler
OPERATIONAL = ('operational', None, None, None, None)


class Receiver:
    """A process that runs one of the scripts."""

    def __init__(
        self, command: list[str], env: abc.Mapping[str, str], log: pathlib.Path
    ):
        self.log = log
        with log.open('wb') as file:
            self.process = subprocess.Popen(
                [sys.executable, *command, '--port', '0'],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                preexec_fn=base.reset_signals,
            )
        port = waiting.wait_for(self._port, f'a port in {log}')
        self.url = f'http://127.0.0.1:{port}/'

    def _port(self) -> str:
        for line in self.log.read_text().splitlines():
            if line.startswith(LISTENING):
                return line.removeprefix(LISTENING)
        assert self.process.poll() is None, self.log.read_text()
        return ''

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def asked(self) -> list[str]:
        """Why the list was asked for, but for the time and the start."""
        return [
            line.removeprefix(ASKED)
            for line in self.log.read_text().splitlines()
            if line.startswith(ASKED)
        ]


class Recorder:
    """A server that notes what is posted to it; has to be closed."""

    def __init__(
        self,
        answer: abc.Callable[[http_server.BaseHTTPRequestHandler, bytes], int],
    ):
        class Handler(Request):
            def do_POST(self) -> None:
                size = int(self.headers['Content-Length'])
                code = answer(self, self.rfile.read(size))
                # What is no answer ends the connection.
                if code:
                    self.send_response(code)
                    self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Print nothing."""

        self._server = http_server.ThreadingHTTPServer(
            ('127.0.0.1', 0), Handler
        )
        self.url = f'http://127.0.0.1:{self._server.server_port}/'
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class ReceiverTest(base.FunctionalTest):
    #: Of the script, without a suffix.
    script: str

    def setUp(self) -> None:
        super().setUp()
        self.directory = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        self.runid = str(uuid.uuid4())

    def receive(self, *words: str, **env: str) -> Receiver:
        """Start a receiver."""
        path = f'{os.path.dirname(sys.executable)}:{os.environ["PATH"]}'
        receiver = Receiver(
            [str(EXAMPLES / f'{self.script}.py'), *words],
            {
                **self.environ(),
                'PATH': path,
                'OS_HOSTMAINT_NOTIFY_SECRET': SECRET,
                **env,
            },
            self.directory / f'{uuid.uuid4()}.log',
        )
        self.addCleanup(receiver.kill)
        return receiver

    def notify(
        self, line: str, *more: str, url: str, code: int = 0
    ) -> base.Done:
        """Run one of our commands that sends its events."""
        done = self.run_command(
            f'host maintenance {line}',
            *more,
            OS_HOSTMAINT_NOTIFY=url,
            OS_HOSTMAINT_NOTIFY_SECRET=SECRET,
        )
        self.assertEqual(code, done.code, done.err)
        return done

    def event(
        self, kind: str, host: str, sequence: int = 1, **data: object
    ) -> dict[str, ty.Any]:
        """An event, as the commands send it."""
        return {
            'specversion': '1.0',
            'id': str(uuid.uuid4()),
            'source': 'http://keystone#RegionOne',
            'type': f'osc-hostmaint.{kind}',
            'subject': host,
            'time': datetime.datetime.now(datetime.UTC).isoformat(),
            'datacontenttype': 'application/json',
            'runid': self.runid,
            'sequence': f'{sequence:08d}',
            'data': data,
        }

    def post(
        self,
        url: str,
        event: object,
        secret: str = SECRET,
        kind: str = CLOUDEVENT,
    ) -> int:
        """Post something as an event, and return the answer's code."""
        body = json.dumps(event).encode()
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {'Content-Type': kind, SIGNATURE: f'sha256={digest}'}
        answer = requests.post(url, body, headers=headers, timeout=30)
        return answer.status_code

    def assert_refuses(self, url: str) -> None:
        """A receiver takes nothing but signed events of ours."""
        event = self.event('maintenance.set', 'cmp01', 1, since=None)
        self.assertEqual(401, self.post(url, event, secret='guessed'))
        unsigned = requests.post(
            url, json=event, headers={'Content-Type': CLOUDEVENT}, timeout=30
        )
        self.assertEqual(401, unsigned.status_code)
        self.assertEqual(400, self.post(url, event, kind='text/plain'))
        for wrong in (
            None,
            [],
            'text',
            {},
            {**event, 'specversion': '0.3'},
            {**event, 'type': 'com.example.maintenance.set'},
            {**event, 'id': {}, 'data': []},
            {**event, 'data': None},
        ):
            self.assertEqual(400, self.post(url, wrong), wrong)
        self.assertEqual(413, self.post(url, 'x' * 2_000_000))


class TestCmdb(ReceiverTest):
    script = 'cmdb'

    def setUp(self) -> None:
        super().setUp()
        self.database = self.directory / 'cmdb.sqlite'

    def start_cmdb(self, *words: str) -> Receiver:
        """Start it, and wait for the first list."""
        receiver = self.receive(
            *('--database', str(self.database), '--pause', '0'), *words
        )
        waiting.wait_for(lambda: 'cmp04' in self.table(), 'the first list')
        return receiver

    def query(self, statement: str) -> list[tuple[ty.Any, ...]]:
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def table(self) -> dict[str, tuple[ty.Any, ...]]:
        """Mode, since, owner, reason, servers left by host."""
        rows = self.query(
            'SELECT host, mode, since, owner, reason, servers_left FROM hosts'
        )
        return {host: tuple(row) for host, *row in rows}

    def everything(self) -> tuple[object, object]:
        """The table, and the ids that are known."""
        return self.table(), self.query('SELECT DISTINCT id FROM seen')

    def wait_until(
        self, host: str, *wanted: object, timeout: float = 60.0
    ) -> None:
        waiting.wait_for(
            lambda: self.table().get(host, ())[: len(wanted)] == wanted,
            f'{wanted} in {self.database}',
            timeout,
        )

    def assert_listed(self, left: int | None, host: str = 'cmp01') -> None:
        """The table has what the list says of the hosts' modes."""
        out = self.openstack('host maintenance list --all --long -f json')
        wanted = {}
        for row in json.loads(out):
            out_of_service = row['Mode'] != 'operational'
            wanted[row['Host']] = (
                *(row['Mode'], row['Since'], row['Set By']),
                row['Reason'] if out_of_service else None,
                left if row['Host'] == host else None,
            )
        self.assertEqual(wanted, self.table())

    def test_maintenance(self) -> None:
        self.cloud.boot_many(
            [
                {'name': 'web-1', 'host': 'cmp01'},
                {'name': 'old-wiki', 'host': 'cmp01', 'state': 'SUSPENDED'},
            ]
        )
        cmdb = self.start_cmdb()
        self.assertEqual(OPERATIONAL, self.table()['cmp01'])

        reason = "kernel'); DROP TABLE hosts; --"
        self.notify('set cmp01 --reason', reason, url=cmdb.url)
        self.assertEqual(reason, self.table()['cmp01'][3])
        self.assertEqual(base.OPERATOR, self.table()['cmp01'][2])
        self.assert_listed(None)

        self.notify('drain cmp01', url=cmdb.url, code=3)
        self.assert_listed(1)

        # How a drain ends is news once, with the servers that it had.
        self.notify('drain cmp01', url=cmdb.url, code=3)
        self.assert_listed(1)
        before = self.everything()
        self.notify('drain cmp01', url=cmdb.url, code=3)
        self.assertEqual(before, self.everything())

        # Nothing that was answered is lost.
        cmdb.kill()
        self.assertEqual(before, self.everything())
        self.assertEqual([], cmdb.asked())
        cmdb = self.start_cmdb()
        self.notify('unset --restore cmp01', url=cmdb.url)
        self.assertEqual(2, len(self.cloud.servers('cmp01')))
        self.assert_listed(None)
        self.assertEqual([], cmdb.asked())

    def test_gap(self) -> None:
        """The first event of a run does not get through a proxy."""
        cmdb = self.start_cmdb()
        dropped = []

        def answer(request: Request, body: bytes) -> int:
            kind = json.loads(body)['type']
            if kind.endswith('.set'):
                dropped.append(kind)
                return 400
            passed = {
                name: request.headers[name]
                for name in ('Content-Type', SIGNATURE)
            }
            return requests.post(
                cmdb.url, body, headers=passed, timeout=30
            ).status_code

        proxy = Recorder(answer)
        self.addCleanup(proxy.close)
        done = self.notify('drain cmp02 --reason fan', url=proxy.url)
        self.assertIn('was not delivered', done.err)
        self.assertEqual(['osc-hostmaint.maintenance.set'], dropped)
        self.wait_until('cmp02', 'maintenance')
        waiting.wait_for(
            lambda: self.table()['cmp02'][3:] == ('fan', 0), 'the list'
        )
        self.assertIn('2 comes after 0', cmdb.asked()[0])
        self.assert_listed(0, 'cmp02')

    def test_lost_without_a_gap(self) -> None:
        """No later event tells that the last ones of a run are missing."""
        cmdb = self.start_cmdb()
        cmdb.kill()
        done = self.notify('set cmp02', url=cmdb.url)
        self.assertIn('was not delivered', done.err)
        self.assertEqual(OPERATIONAL, self.table()['cmp02'])
        cmdb = self.start_cmdb('--interval', '1')
        self.wait_until('cmp02', 'maintenance')
        self.openstack('host maintenance set cmp03')
        self.wait_until('cmp03', 'maintenance')
        self.assertEqual([], cmdb.asked())

    def test_reason_there_and_back(self) -> None:
        """The third event says what the first one said."""
        cmdb = self.start_cmdb()
        for reason in ('disk', 'fan', 'disk'):
            self.notify(f'set cmp01 --reason {reason}', url=cmdb.url)
            shown = self.show('cmp01')
            self.wait_until(
                'cmp01', 'maintenance', shown['since'], base.OPERATOR, reason
            )

    def start_without_list(self) -> Receiver:
        """Start it where ``openstack`` is not installed."""
        words = ('--database', str(self.database), '--pause', '600')
        cmdb = self.receive(*words, PATH='')
        waiting.wait_for(cmdb.asked, 'the first list to fail')
        (why,) = cmdb.asked()
        self.assertIn('No such file or directory', why)
        return cmdb

    def test_late_events(self) -> None:
        cmdb = self.start_without_list()
        first, second = '2026-11-30T01:00:00Z', '2026-11-30T02:00:00Z'
        who = {'by': 'alice', 'reason': 'fan'}
        took = self.event('maintenance.set', 'cmp01', since=first, **who)
        over = self.event('maintenance.unset', 'cmp01', 2, since=first)
        began = self.event('drain.started', 'cmp01', 3, servers_left=7)
        began['time'] = took['time']
        self.runid = str(uuid.uuid4())
        again = self.event('maintenance.set', 'cmp01', since=second, **who)
        # By a machine whose clock is fast.
        late = self.event('maintenance.unset', 'cmp01', 2, since=first)
        late['time'] = '2999-12-31T00:00:00Z'
        left = self.event('drain.started', 'cmp01', 3, servers_left=3)

        self.assertEqual(204, self.post(cmdb.url, over))
        self.assertIn('2 comes after 0', cmdb.asked()[-1])
        for each, why in ((took, 'maintenance.set'), (began, 'drain.started')):
            self.assertEqual(204, self.post(cmdb.url, each))
            self.assertEqual(OPERATIONAL, self.table()['cmp01'])
            self.assertIn(f"{why} of 'cmp01' is", cmdb.asked()[-1])
        self.assertEqual(204, self.post(cmdb.url, again))
        wanted = ('maintenance', second, 'alice', 'fan')
        self.assertEqual((*wanted, None), self.table()['cmp01'])
        asked = cmdb.asked()
        self.assertEqual(204, self.post(cmdb.url, late))
        self.assertEqual(len(asked) + 1, len(cmdb.asked()))
        self.assertEqual(204, self.post(cmdb.url, left))
        self.assertEqual((*wanted, 3), self.table()['cmp01'])
        # A receiver whose answer is lost gets an event once more.
        self.assertEqual(204, self.post(cmdb.url, left))
        self.assertEqual((*wanted, 3), self.table()['cmp01'])
        self.assertEqual(len(asked) + 1, len(cmdb.asked()))

        # Another reason, and back to the first one, whose event is known.
        data = {'since': second, 'by': 'alice', 'reason': 'disk'}
        other = self.event('maintenance.set', 'cmp01', 4, **data)
        self.assertEqual(204, self.post(cmdb.url, other))
        back = self.event('maintenance.set', 'cmp01', 5, **{**data, **who})
        back['id'] = again['id']
        self.assertEqual(204, self.post(cmdb.url, back))
        self.assertEqual('disk', self.table()['cmp01'][3])
        self.assertEqual(len(asked) + 2, len(cmdb.asked()))
        # Whoever put it back into service found no maintenance then.
        early = self.event('maintenance.unset', 'cmp01', 6, since=None)
        self.assertEqual(204, self.post(cmdb.url, early))
        self.assertEqual('maintenance', self.table()['cmp01'][0])
        self.assertEqual(len(asked) + 3, len(cmdb.asked()))

    def test_refuses(self) -> None:
        cmdb = self.start_without_list()
        self.assert_refuses(cmdb.url)
        data: dict[str, ty.Any] = {'since': {}, 'by': [], 'reason': ''}
        wrong = self.event('maintenance.set', 'cmp01', **data)
        self.assertEqual(400, self.post(cmdb.url, wrong))
        data = {'since': None, 'by': {}, 'reason': '\ud800'}
        wrong = self.event('maintenance.set', 'cmp01', **data)
        self.assertEqual(400, self.post(cmdb.url, wrong))
        self.assertEqual(({}, []), self.everything())

        event = self.event('later.kind', 'cmp01')
        self.assertEqual(204, self.post(cmdb.url, event))
        other = self.event('later.kind', 'cmp02')
        other['source'] = 'http://other-keystone#RegionOne'
        self.assertEqual(403, self.post(cmdb.url, other))
        self.assertEqual(['cmp01'], list(self.table()))
        self.assertNotIn('Traceback', cmdb.log.read_text())


class TestChat(ReceiverTest):
    script = 'chat'

    def setUp(self) -> None:
        super().setUp()
        self.posted: list[dict[str, ty.Any]] = []
        #: What the chat answers first; 0 is no answer at all.
        self.trouble: list[int] = []

        def answer(_request: Request, body: bytes) -> int:
            if self.trouble:
                return self.trouble.pop(0)
            self.posted.append(json.loads(body))
            return 200

        webhook = Recorder(answer)
        self.addCleanup(webhook.close)
        self.chat = self.receive(CHAT_WEBHOOK=webhook.url)

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
        self.trouble = [0, 500, 429]
        reason = ('--reason', 'kernel update CHG0042')
        line = 'drain --retries 0 cmp01'
        self.notify(line, *reason, url=self.chat.url, code=3)
        self.notify('set cmp01', *reason, url=self.chat.url)
        self.notify('unset cmp01', url=self.chat.url)
        self.assertEqual([], self.trouble)
        expected = (EXAMPLES / 'chat.out').read_text().splitlines()
        # All three hosts are as good.
        texts = [re.sub('on cmp0[234]', 'on cmp02', t) for t in self.texts()]
        self.assertEqual(expected, texts)

    def test_chat_refuses(self) -> None:
        self.trouble = [404]
        done = self.notify('set cmp01', url=self.chat.url)
        self.assertIn('it answers HTTP 424', done.err)

    def test_refuses(self) -> None:
        self.assert_refuses(self.chat.url)
        self.assertEqual([], self.posted)
        self.assertNotIn('Traceback', self.chat.log.read_text())
