#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0

"""Post events of osc-hostmaint to a chat, by its incoming webhook.

The environment has the URL of that, as Slack and Mattermost have it:
CHAT_WEBHOOK.
"""

import argparse
import collections
import hashlib
import hmac
from http import HTTPStatus
import http.server
import json
import os
import sys
import threading
import typing as ty
import urllib.error
import urllib.request

SECRET = os.environ.get('HOSTMAINT_NOTIFY_SECRET', '').encode()
WEBHOOK = os.environ.get('CHAT_WEBHOOK', '')
MOST_BYTES = 1_000_000
#: For the chat's answer: osc-hostmaint waits 10 s for ours.
CHAT_SECONDS = 5.0
#: How many ids are remembered.
KEPT = 10_000
MOST_CHARACTERS = 300
#: What an event that makes no sense leads to.
WRONG = (AttributeError, KeyError, RecursionError, TypeError, ValueError)
#: Answers of a chat after which the same message may succeed.
PASSING = (408, 425, 429, 500, 502, 503, 504)


def say(*words: object) -> None:
    """Print to the log."""
    print(*words, file=sys.stderr, flush=True)


def quoted(value: object) -> str:
    """Return a text that pings nobody, and is neither a link nor markup.

    It is code, in which a chat looks for nothing but the end, with what Slack
    wants escaped, and a space without width that parts ``@`` from a name.
    """
    text = str(value)[:MOST_CHARACTERS].replace('`', "'")
    text = ''.join(c if c.isprintable() else ' ' for c in text).strip()
    for character, other in (
        ('&', '&amp;'),
        ('<', '&lt;'),
        ('>', '&gt;'),
        ('@', '@\u200b'),
    ):
        text = text.replace(character, other)
    return f'`{text or "-"}`'


def line(event: dict[str, ty.Any]) -> str:
    """Return the line for an event, '' if there is none."""
    prefix, _, kind = event['type'].partition('.')
    if event['specversion'] != '1.0' or prefix != 'osc-hostmaint':
        raise ValueError('no event of osc-hostmaint')
    data, host = event['data'], quoted(event['subject'])
    reason = data.get('reason') and f': {quoted(data["reason"])}'
    match kind.split('.'):
        case ['maintenance', 'set']:
            text = f'in maintenance, by {quoted(data["by"])}'
        case ['maintenance', 'unset']:
            text = 'in service again'
            reason = reason and f', after the maintenance{reason}'
        case ['drain' | 'evacuation' | 'restore' as operation, 'ended']:
            counts = sorted(data['results'].items())
            results = ', '.join(f'{int(n)} {quoted(k)}' for k, n in counts)
            text = f'{operation} ' + ('done' if data['done'] else 'NOT done')
            text += f' ({results or "no servers"})'
        case ['server', 'failed' | 'stalled' as what]:
            server, operation = quoted(data['name']), quoted(data['operation'])
            text = f'server {server} {what} ({operation})'
        case ['destination', 'excluded']:
            text = 'no longer a destination'
        case _:
            return ''
    return f'{host}: {text}{reason or ""}'


class Chat:
    """Posts each event once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._posted: collections.deque[str] = collections.deque(maxlen=KEPT)

    def take(self, event: dict[str, ty.Any]) -> HTTPStatus:
        """Post an event, and return what to answer."""
        text, id_ = line(event), f'{event["source"]} {event["id"]}'
        # Also against a repeat of what is just being posted.
        with self._lock:
            if not text or id_ in self._posted:
                return HTTPStatus.NO_CONTENT
            request = urllib.request.Request(
                WEBHOOK,
                json.dumps({'text': text}).encode(),
                {'Content-Type': 'application/json'},
            )
            try:
                urllib.request.urlopen(request, timeout=CHAT_SECONDS).close()
            except urllib.error.HTTPError as error:
                say('The chat answers HTTP', error.code)
                if error.code not in PASSING:
                    # Trying again does not help: let osc-hostmaint say so.
                    return HTTPStatus.FAILED_DEPENDENCY
                return HTTPStatus.SERVICE_UNAVAILABLE
            except (OSError, http.client.HTTPException) as error:
                say('The chat does not answer:', repr(error))
                return HTTPStatus.SERVICE_UNAVAILABLE
            self._posted.append(id_)
        return HTTPStatus.NO_CONTENT


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers requests."""

    timeout = 10
    chat = Chat()

    def do_POST(self) -> None:
        """Answer without a body."""
        self.send_response(self._status())
        self.end_headers()

    def _status(self) -> HTTPStatus:
        length = self.headers.get('Content-Length', '')
        if not length.isdecimal():
            return HTTPStatus.LENGTH_REQUIRED
        if len(length) > 9 or int(length) > MOST_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        body = self.rfile.read(int(length))
        digest = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        given = self.headers.get('X-Hub-Signature-256', '').encode()
        wanted = f'sha256={digest}'.encode()
        if SECRET and not hmac.compare_digest(given, wanted):
            return HTTPStatus.UNAUTHORIZED
        if self.headers.get_content_type() != 'application/cloudevents+json':
            return HTTPStatus.BAD_REQUEST
        try:
            return self.chat.take(json.loads(body))
        except WRONG as error:
            say('This is no event of osc-hostmaint:', repr(error))
            return HTTPStatus.BAD_REQUEST


def main() -> None:
    """Receive events until we are stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--address', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=8921, help='0: any')
    args = parser.parse_args()
    if not WEBHOOK.startswith(('https://', 'http://')):
        parser.error('CHAT_WEBHOOK is not set to a URL')
    address = args.address, args.port
    server = http.server.ThreadingHTTPServer(address, Handler)
    say('Listening on port', server.server_port)
    if not SECRET:
        say('HOSTMAINT_NOTIFY_SECRET is not set: anybody may send events')
    server.serve_forever()


if __name__ == '__main__':
    main()
