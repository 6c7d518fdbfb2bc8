# SPDX-License-Identifier: Apache-2.0

"""HTTP: serving WSGI applications on sockets that are already bound."""

from __future__ import annotations

from collections import abc
import errno
import json
import os
import re
import socket
import struct
import threading
from typing import Any
from urllib import parse

from cheroot import wsgi

CONNECTION = 'tests.cloud.connection'

Application = abc.Callable[
    [dict[str, Any], abc.Callable[..., Any]], abc.Iterable[bytes]
]
# (match, query, body) -> (status, what to send as JSON)
Handler = abc.Callable[
    [re.Match[str], dict[str, list[str]], Any], tuple[int, Any]
]


class Gateway(wsgi.Gateway_10):
    """Lets the application reach the connection of the request."""

    def get_environ(self) -> dict[str, Any]:
        environ = super().get_environ()
        environ[CONNECTION] = self.req.conn
        return environ


class Server(wsgi.Server):
    """A server on a socket that was bound and listens already.

    The supervisor binds the ports of all services before it starts any of
    them: a free port can't be lost to somebody else in between, and a
    service that is called early is waited for instead of refused.
    """

    # Nova alone keeps more connections open than cheroot's ten.
    keep_alive_conn_limit = 500
    # Far longer than any test is idle: a client that sends its next request
    # as an idle connection is being closed gets no answer, and the build or
    # the move that sent it fails.
    _IDLE = 24 * 3600

    def __init__(
        self, listener: socket.socket, app: Application, threads: int
    ) -> None:
        super().__init__(
            listener.getsockname(),
            app,
            numthreads=threads,
            request_queue_size=128,
            timeout=self._IDLE,
        )
        self.gateway = Gateway
        self._listener = listener

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:
        self.socket = self._listener
        return self._listener


def serve(descriptor: int, app: Application, threads: int) -> None:
    """Serve the application on this listener, in the background."""
    listener = socket.socket(fileno=descriptor)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = Server(listener, app, threads)
    server.prepare()
    threading.Thread(
        target=server.serve, name=f'http-{descriptor}', daemon=True
    ).start()


def reset(environ: dict[str, Any]) -> None:
    """Break the connection of this request so that the client sees RST.

    With SO_LINGER at zero close() sends RST, but only if nothing has shut
    the connection down before (that sends FIN, which clients report
    differently), and only once the last descriptor is closed: cheroot does
    the one and, through its file objects, prevents the other.
    """
    connection = environ[CONNECTION]
    connection.socket.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)
    )
    connection._close_kernel_socket = lambda: None
    os.close(connection.socket.detach())
    raise ConnectionResetError(errno.ECONNRESET, 'reset on request')


def read_body(environ: dict[str, Any]) -> bytes:
    length = int(environ.get('CONTENT_LENGTH') or 0)
    return environ['wsgi.input'].read(length) if length else b''


def reply(
    start_response: abc.Callable[..., Any], status: int, obj: Any
) -> list[bytes]:
    """Answer with JSON; None is an empty body."""
    body = b'' if obj is None else json.dumps(obj, default=str).encode()
    start_response(
        f'{status} X',
        [
            ('Content-Type', 'application/json'),
            ('Content-Length', str(len(body))),
        ],
    )
    return [body]


def router(routes: abc.Iterable[tuple[str, str, Handler]]) -> Application:
    """A small JSON application from (method, path pattern, handler)."""
    table = [
        (method, re.compile(pattern + '/?'), handler)
        for method, pattern, handler in routes
    ]

    def application(environ, start_response):
        path = environ.get('PATH_INFO') or '/'
        for method, pattern, handler in table:
            match = pattern.fullmatch(path)
            if match is None or method != environ['REQUEST_METHOD']:
                continue
            query = parse.parse_qs(environ.get('QUERY_STRING', ''))
            raw = read_body(environ)
            try:
                status, obj = handler(
                    match, query, json.loads(raw) if raw else None
                )
            except (LookupError, ValueError) as exc:
                status, obj = 400, {'error': repr(exc)}
            except Exception as exc:
                status, obj = 500, {'error': repr(exc)}
            return reply(start_response, status, obj)
        # Neutron's form of an error: its clients insist on it.
        error = {'type': 'NotFound', 'message': path, 'detail': ''}
        return reply(start_response, 404, {'NeutronError': error})

    return application
