# SPDX-License-Identifier: Apache-2.0

"""Makes Nova look older to its users: a cap of its microversion.

What a microversion means is still today's; what an old release does
otherwise is not to be seen here.
"""

from __future__ import annotations

from collections import abc
import json
from typing import Any

import microversion_parse
from nova import exception
from nova.api.openstack import api_version_request
from nova.api.openstack import wsgi
import webob.exc

from tests.cloud import web

_HEADER = 'HTTP_OPENSTACK_API_VERSION'
_LEGACY = wsgi.LEGACY_API_VERSION_REQUEST_HEADER
#: Where Nova says which microversions it has.
_DOCUMENTS = ('', '/v2.1')


class Cap:
    """WSGI middleware: what is above the cap is refused as Nova does it."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._newest = ''
        self.routes: list[tuple[str, str, web.Handler]] = [
            ('PUT', 'newest-microversion', self._set)
        ]

    def _set(self, match, query, body) -> tuple[int, Any]:
        self._newest = body
        return 204, None

    def __call__(
        self, environ: dict[str, Any], start_response: Any
    ) -> abc.Iterable[bytes]:
        newest = self._newest
        if not newest:
            return self._app(environ, start_response)
        wanted = microversion_parse.get_version(
            webob.Request(environ).headers, 'compute', [_LEGACY]
        )
        if wanted == 'latest':
            environ[_HEADER] = f'compute {newest}'
        elif wanted and _number(wanted) > _number(newest):
            refusal = exception.InvalidGlobalAPIVersion(
                req_ver=wanted,
                min_ver=api_version_request.min_api_version().get_string(),
                max_ver=newest,
            )
            fault = webob.exc.HTTPNotAcceptable(
                explanation=refusal.format_message()
            )
            return wsgi.Fault(fault)(environ, start_response)
        if environ['PATH_INFO'].rstrip('/') in _DOCUMENTS:
            return self._document(environ, start_response, newest)
        return self._app(environ, start_response)

    def _document(
        self, environ: dict[str, Any], start_response: Any, newest: str
    ) -> abc.Iterable[bytes]:
        """Answer with the versions, and the cap in place of the newest."""
        sent: list[Any] = []
        answer = self._app(environ, lambda *args: sent.append(args))
        tree = json.loads(b''.join(answer))
        for about in tree.get('versions') or [tree['version']]:
            if about['version']:
                about['version'] = newest
        status, _headers = sent[-1]
        return web.reply(start_response, int(status.split()[0]), tree)


def _number(version: str) -> tuple[int, int]:
    return microversion_parse.parse_version_string(version)
