# SPDX-License-Identifier: Apache-2.0

"""The receivers of the guide: processes that run the scripts."""

from collections import abc
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import sys
import tempfile
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
                'HOSTMAINT_NOTIFY_SECRET': SECRET,
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
            HOSTMAINT_NOTIFY_SECRET=SECRET,
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
