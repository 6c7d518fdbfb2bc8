# SPDX-License-Identifier: Apache-2.0

"""A tap on the requests of users: it writes them down and can spoil them.

It stands in front of the public listeners only, as a load balancer would;
what the services ask one another goes past it.
"""

from __future__ import annotations

import collections
from collections import abc
import dataclasses
import http
import io
import itertools
import json
import random
import re
import threading
import time
from typing import Any

from tests.cloud import web

PREFIX = '/.tap/'


@dataclasses.dataclass
class Fault:
    """Requests to spoil, and how.

    :ivar after: let the service do what it was asked, and spoil the answer
        only: a request that took although its sender can't know.
    :ivar times: how many requests to spoil; None is all of them.
    :ivar headers: to answer with, in place of the service's own.
    :ivar message: answer with this in Nova's form, as Nova itself refuses;
        without it, with a page, as a proxy does.
    """

    method: str | None = None
    path: str | None = None
    status: int | None = None
    reset: bool = False
    delay: float = 0.0
    share: float = 1.0
    times: int | None = None
    after: bool = False
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    message: str = ''
    hits: int = 0

    def __post_init__(self) -> None:
        if not (self.status or self.reset or self.delay or self.headers):
            raise ValueError('a fault needs status, reset, delay or headers')
        re.compile(self.path or '')

    def page(self, reason: str) -> tuple[str, bytes]:
        """The type and the body of the answer that is given instead."""
        if self.message:
            fault = {'message': self.message, 'code': self.status}
            return 'application/json', json.dumps({reason: fault}).encode()
        page = f'<html><h1>{self.status} {reason}</h1></html>'
        return 'text/html', page.encode()

    def concerns(self, method: str, path: str) -> bool:
        return (
            (self.times is None or self.hits < self.times)
            and self.method in (None, method)
            and re.search(self.path or '', path) is not None
        )


class Tap:
    """WSGI middleware with a control interface under PREFIX."""

    def __init__(
        self,
        service: str,
        app: web.Application,
        more: abc.Iterable[tuple[str, str, web.Handler]] = (),
    ) -> None:
        """:param more: of the control interface: method, name, handler."""
        self._service = service
        self._app = app
        self._lock = threading.Lock()
        self._log: collections.deque[dict[str, Any]] = collections.deque(
            maxlen=200_000
        )
        self._faults: dict[int, Fault] = {}
        self._numbers = itertools.count(1)
        # Seeded, so that a test with a share of bad requests can be run
        # again and see the same.
        self._random = random.Random(0)
        self._control = web.router(
            [
                ('GET', PREFIX + 'log', lambda m, q, b: (200, self._read())),
                ('DELETE', PREFIX + 'log', self._forget),
                ('POST', PREFIX + 'faults', self._add),
                ('GET', PREFIX + 'faults', self._list),
                ('DELETE', PREFIX + 'faults', self._clear),
                *((verb, PREFIX + name, act) for verb, name, act in more),
            ]
        )

    def __call__(
        self, environ: dict[str, Any], start_response: Any
    ) -> abc.Iterable[bytes]:
        if environ['PATH_INFO'].startswith(PREFIX):
            return self._control(environ, start_response)
        began = time.time()
        started = time.monotonic()
        record = {
            'time': began,
            'service': self._service,
            'method': environ['REQUEST_METHOD'],
            'path': environ['PATH_INFO'],
            'query': environ.get('QUERY_STRING', ''),
            'user_agent': environ.get('HTTP_USER_AGENT', ''),
            'microversion': environ.get('HTTP_OPENSTACK_API_VERSION')
            or environ.get('HTTP_X_OPENSTACK_NOVA_API_VERSION', ''),
            'action': self._action(environ),
            'fault': None,
            'status': None,
        }
        try:
            return self._answer(environ, start_response, record)
        finally:
            record['seconds'] = time.monotonic() - started
            with self._lock:
                self._log.append(record)

    def _answer(
        self,
        environ: dict[str, Any],
        start_response: Any,
        record: dict[str, Any],
    ) -> abc.Iterable[bytes]:
        number, fault = self._draw(record['method'], record['path'])
        record['fault'] = number
        if fault and fault.delay:
            time.sleep(fault.delay)
        spoils = fault is not None and (fault.reset or fault.status)
        sent: list[Any] = []
        body: list[bytes] = []
        if not spoils or fault.after:
            # The whole answer is taken before any of it is passed on: the
            # answers are small, and the time it took is then known here.
            result = self._app(environ, lambda *args: sent.append(args))
            body = list(result)
            if hasattr(result, 'close'):
                result.close()
            record['status'] = int(sent[-1][0].split()[0])
        if not spoils:
            status, headers, *error = sent[-1]
            if fault:
                headers = [h for h in headers if h[0] not in fault.headers]
                headers += fault.headers.items()
            start_response(status, headers, *error)
            return body
        if fault.reset:
            web.reset(environ)
        record['status'] = fault.status
        reason = http.HTTPStatus(fault.status).phrase
        kind, page = fault.page(reason)
        start_response(
            f'{fault.status} {reason}',
            [
                ('Content-Type', kind),
                ('Content-Length', str(len(page))),
                *fault.headers.items(),
            ],
        )
        return [page]

    def _draw(self, method: str, path: str) -> tuple[int | None, Any]:
        with self._lock:
            for number, fault in self._faults.items():
                if fault.concerns(method, path) and (
                    fault.share >= 1 or self._random.random() < fault.share
                ):
                    fault.hits += 1
                    return number, fault
        return None, None

    @staticmethod
    def _action(environ: dict[str, Any]) -> str | None:
        """Which action a POST to a server's ``action`` asks for."""
        if not environ['PATH_INFO'].endswith('/action'):
            return None
        raw = web.read_body(environ)
        environ['wsgi.input'] = io.BytesIO(raw)
        try:
            return next(iter(json.loads(raw)))
        except (ValueError, StopIteration, TypeError):
            return None

    # the control interface

    def _read(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._log)

    def _forget(self, match, query, body) -> tuple[int, Any]:
        with self._lock:
            self._log.clear()
        return 204, None

    def _add(self, match, query, body) -> tuple[int, Any]:
        try:
            fault = Fault(**body)
        except TypeError as exc:
            raise ValueError(str(exc)) from exc
        with self._lock:
            number = next(self._numbers)
            self._faults[number] = fault
        return 201, {'id': number}

    def _list(self, match, query, body) -> tuple[int, Any]:
        with self._lock:
            return 200, {
                number: dataclasses.asdict(fault)
                for number, fault in self._faults.items()
            }

    def _clear(self, match, query, body) -> tuple[int, Any]:
        with self._lock:
            self._faults.clear()
            self._random.seed(0)
        return 204, None
