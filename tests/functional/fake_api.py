# SPDX-License-Identifier: Apache-2.0

"""An API on loopback that answers as no Nova would.

It is Keystone, Nova and Placement of a cloud with two hosts and nothing on
them. How it misbehaves is handed in, a small function for each behaviour.
"""

from collections import abc
import contextlib
import dataclasses
from http import server
import json
import threading
import typing as ty
import urllib.parse

from keystoneauth1 import fixture

HOSTS = ('cmp01', 'cmp02')


@dataclasses.dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: abc.Mapping[str, str]
    body: ty.Any


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is answered: JSON, unless it is bytes."""

    body: ty.Any = None
    status: int = 200
    headers: abc.Mapping[str, str] = dataclasses.field(default_factory=dict)


#: Returns how a request is answered, None for as Nova would.
Behaviour = abc.Callable[[Request], Answer | None]


def at(path: str, *answers: Answer) -> Behaviour:
    """Answer requests for a path with these in turn, then as Nova would."""
    left = list(answers)

    def behave(request: Request) -> Answer | None:
        return left.pop(0) if left and request.path == path else None

    return behave


def always(path: str, answer: Answer) -> Behaviour:
    """Answer each request for a path with the same."""
    return lambda request: answer if request.path == path else None


class FakeApi:
    """Listens on a port of its own."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.behaviours: list[Behaviour] = []
        self.services = {
            host: {
                'id': f'service-of-{host}',
                'binary': 'nova-compute',
                'host': host,
                'zone': 'nova',
                'status': 'enabled',
                'state': 'up',
                'updated_at': '2026-11-20T23:30:00.000000',
                'disabled_reason': None,
                'forced_down': False,
            }
            for host in HOSTS
        }
        api = self

        class Handler(server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def _do(self) -> None:
                length = int(self.headers.get('Content-Length', 0))
                url = urllib.parse.urlsplit(self.path)
                request = Request(
                    self.command,
                    url.path,
                    dict(urllib.parse.parse_qsl(url.query)),
                    dict(self.headers),
                    json.loads(self.rfile.read(length) or b'null'),
                )
                answer = api.answer(request)
                body = answer.body
                if not isinstance(body, bytes):
                    body = json.dumps(body).encode()
                self.send_response(answer.status)
                headers = {'Content-Type': 'application/json'}
                for name, value in (headers | {**answer.headers}).items():
                    self.send_header(name, value)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = _do

            def log_message(self, *_arguments: ty.Any) -> None:
                """Keep what is asked off the terminal."""

        self._server = server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self._server.server_port}'
        #: Of Nova in the catalog.
        self.endpoint = f'{self.url}/v2.1'

    def __enter__(self) -> ty.Self:
        threading.Thread(target=self._server.serve_forever).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def env(self, _user: str = '') -> dict[str, str]:
        """The environment of commands that ask it."""
        return {
            'OS_AUTH_URL': f'{self.url}/v3',
            'OS_USERNAME': 'alice',
            'OS_PASSWORD': 'secret',
            'OS_PROJECT_NAME': 'admin',
            'OS_USER_DOMAIN_ID': 'default',
            'OS_PROJECT_DOMAIN_ID': 'default',
            'OS_IDENTITY_API_VERSION': '3',
        }

    def asked(self, method: str, path: str) -> list[Request]:
        """Return the requests with a method for a path."""
        return [
            request
            for request in self.requests
            if (request.method, request.path) == (method, path)
        ]

    def answer(self, request: Request) -> Answer:
        """Answer a request, and keep it."""
        self.requests.append(request)
        if (
            request.path.startswith('/v2.1/servers')
            and 'limit' in request.query
        ):
            # There is no such host, and no deleted server.
            return self._as_nova(request)
        for behave in self.behaviours:
            if answer := behave(request):
                return answer
        return self._as_nova(request)

    def _as_nova(self, request: Request) -> Answer:
        path = request.path
        if path == '/v3/auth/tokens':
            return Answer(self.token(), 201, {'X-Subject-Token': 'token-1'})
        if path.startswith('/v2.1/os-services/'):
            return self._update(path.rpartition('/')[2], request.body)
        answers = {
            '/v3': {'version': fixture.V3Discovery(f'{self.url}/v3')},
            '/v2.1': _nova_version(),
            '/placement': _placement_version(),
            '/v2.1/os-services': {'services': [*self.services.values()]},
            '/v2.1/servers': {'servers': []},
            '/v2.1/servers/detail': {'servers': []},
            '/v2.1/os-migrations': {'migrations': []},
            '/v2.1/os-aggregates': {'aggregates': []},
            '/v2.1/os-server-groups': {'server_groups': []},
            '/v2.1/os-hypervisors/detail': {
                'hypervisors': [_hypervisor(host) for host in HOSTS]
            },
            '/placement/resource_providers': {'resource_providers': []},
        }
        for host in HOSTS:
            provider = f'/placement/resource_providers/provider-{host}'
            answers[f'{provider}/allocations'] = {'allocations': {}}
        body = answers.get(path.rstrip('/') or '/')
        if body is None:
            return Answer({'itemNotFound': {'message': path}}, 404)
        return Answer(body)

    def _update(self, service_id: str, body: ty.Any) -> Answer:
        (service,) = (
            s for s in self.services.values() if s['id'] == service_id
        )
        service.update(body)
        if service['status'] == 'enabled':
            service['disabled_reason'] = None
        return Answer({'service': service})

    def token(self) -> ty.Any:
        """What Keystone says of a token."""
        token = fixture.V3Token(user_name='alice')
        token.set_project_scope()
        token.add_role('admin')
        for kind, url in (
            ('compute', self.endpoint),
            ('placement', f'{self.url}/placement'),
            ('identity', f'{self.url}/v3'),
        ):
            token.add_service(kind).add_standard_endpoints(
                public=url, region='RegionOne'
            )
        return token


def _nova_version() -> ty.Any:
    return {
        'version': {
            'id': 'v2.1',
            'status': 'CURRENT',
            'version': '2.104',
            'min_version': '2.1',
            'links': [],
        }
    }


def _placement_version() -> ty.Any:
    return {
        'versions': [
            {
                'id': 'v1.0',
                'status': 'CURRENT',
                'max_version': '1.39',
                'min_version': '1.0',
                'links': [{'rel': 'self', 'href': ''}],
            }
        ]
    }


def _hypervisor(host: str) -> ty.Any:
    return {
        'id': f'provider-{host}',
        'hypervisor_hostname': f'{host}.example.org',
        'hypervisor_type': 'QEMU',
        'host_ip': '192.0.2.1' if host == 'cmp01' else '192.0.2.2',
        'state': 'up',
        'status': 'enabled',
        'service': {'id': host, 'host': host, 'disabled_reason': None},
        'servers': [],
    }
