# SPDX-License-Identifier: Apache-2.0

"""Receivers of events on loopback, good ones and bad ones."""

from __future__ import annotations

from collections import abc
import dataclasses
import http.server
import ipaddress
import json
import pathlib
import ssl
import threading
import typing as ty

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from osc_hostmaint import mark

#: Answers a request, once it was read.
Behaviour = abc.Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclasses.dataclass(frozen=True)
class Posted:
    """A request that a receiver got."""

    path: str
    headers: abc.Mapping[str, str]
    body: bytes

    @property
    def event(self) -> ty.Any:
        return json.loads(self.body)


def answers(status: int, **headers: str) -> Behaviour:
    """Answer so, with ``Retry_After`` as ``Retry-After``."""

    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace('_', '-'), value)
        handler.send_header('Content-Length', '0')
        handler.end_headers()

    return behave


takes = answers(204)


def says_ok(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Take it, as many receivers do."""
    handler.send_response(200)
    handler.send_header('Content-Length', '2')
    handler.end_headers()
    handler.wfile.write(b'ok')


def by_turns(*behaviours: Behaviour) -> Behaviour:
    """Behave in one way after the other, and in the last one for ever."""
    left = [*behaviours]

    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return behave


def holds(until: threading.Event) -> Behaviour:
    """Answer only then."""

    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        until.wait()
        takes(handler)

    return behave


def without_end(status: int, **headers: str) -> Behaviour:
    """Answer so, with a body that has no end."""

    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        while True:
            handler.wfile.write(b'x' * 65536)

    return behave


def says(answer: bytes) -> Behaviour:
    """Answer just that."""

    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(answer)
        handler.close_connection = True

    return behave


def waits_on(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Have the sender wait for ever for the answer itself."""
    while True:
        handler.wfile.write(100 * b'HTTP/1.1 100 Continue\r\n\r\n')


talks_nonsense = says(b'\x00\xff nonsense \x1b[2J\r\n\r\n')


def hangs_up(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Answer nothing."""
    handler.close_connection = True


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_args: object) -> None:
        """Senders may hang up: that is theirs."""


class Receiver:
    """Listens on a port of 127.0.0.1; a context manager."""

    def __init__(
        self,
        behave: Behaviour = takes,
        tls: ssl.SSLContext | None = None,
    ):
        self.posted: list[Posted] = []
        self.behave = behave
        self._scheme = 'https' if tls else 'http'
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers['Content-Length']))
                headers = {k.lower(): v for k, v in self.headers.items()}
                receiver.posted.append(Posted(self.path, headers, body))
                receiver.behave(self)

            def log_message(self, *_args: object) -> None:
                """Print nothing."""

        self._server = _Server(('127.0.0.1', 0), Handler)
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True
            )

    def __enter__(self) -> ty.Self:
        # Those that hold their answer must not hold up the end.
        self._server.block_on_close = False
        threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        ).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def origin(self) -> str:
        return f'{self._scheme}://127.0.0.1:{self._server.server_port}'

    def url(self, path: str = '/hook', user: str = '') -> str:
        """Return its address, with a user and a password if need be."""
        at = f'{user}@' if user else ''
        return self.origin.replace('//', f'//{at}') + path

    @property
    def events(self) -> list[ty.Any]:
        return [posted.event for posted in self.posted]

    @property
    def types(self) -> list[str]:
        return [event['type'] for event in self.events]


def certificate(folder: pathlib.Path) -> tuple[str, ssl.SSLContext]:
    """Return the file of a new certificate for 127.0.0.1, and its server's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'test')])
    address = x509.IPAddress(ipaddress.ip_address('127.0.0.1'))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(mark.EARLIEST)
        .not_valid_after(mark.EARLIEST.replace(year=2200))
        .add_extension(x509.SubjectAlternativeName([address]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    cert, pem = folder / 'cert.pem', folder / 'key.pem'
    cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, pem)
    return str(cert), tls
