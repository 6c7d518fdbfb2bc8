# SPDX-License-Identifier: Apache-2.0

"""The Python handle of a cloud, for tests."""

from __future__ import annotations

import atexit
from collections import abc
import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from typing import Any

import openstack
from openstack import connection as _connection
from openstack import exceptions

from tests.cloud import boot
from tests.cloud import catalog
from tests.cloud import fleet
from tests.cloud import options
from tests.cloud import remote
from tests.cloud import state
from tests.cloud import traffic
from tests.cloud import waiting

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
_START_TIMEOUT = 320


class StartError(Exception):
    """The cloud did not come up; the message has the end of its output."""


class Unclean(Exception):
    """A purge left something: what it was in the new cloud, and is now."""


class Cloud(boot.Servers, fleet.Hosts, catalog.Catalog):
    """A running cloud.

    The handle's own requests go to the internal endpoints: they are in no
    request log, and no fault hits them.

    :ivar state: the state directory.
    :ivar requests: the log of users' requests.
    :ivar faults: spoils users' requests.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        chosen: options.Options,
        discard: bool,
    ) -> None:
        self._process = process
        self._discard = discard
        self.options = self._chosen = chosen
        self.state = chosen.state
        self._ports = remote.ports(self.state)
        self._session = remote.session()
        self._lock = threading.Lock()
        self._connections: dict[
            tuple[str, str, str], _connection.Connection
        ] = {}
        self._added: list[str] = []
        self._base = list(chosen.machines())
        self.facts = self._control('GET', 'facts')
        taps = {name: self._url(name, '/.tap') for name in traffic.SERVICES}
        self.requests = traffic.Requests(taps, self._session)
        self.faults = traffic.Faults(taps, self._session)
        atexit.register(self.stop)

    # life

    @classmethod
    def start(
        cls,
        hosts: int = 5,
        state: str | None = None,
        cache: str | None = None,
        max_live: int = 1,
        token_lifetime: int = 86400,
        **other: Any,
    ) -> Cloud:
        """Start a cloud, and wait until it is ready.

        :param state: the state directory; by default a temporary one, that
            goes when the cloud does.
        :param cache: where empty databases are kept for the next start.
        :param other: more fields of :class:`tests.cloud.options.Options`.
        """
        discard = state is None
        state = state or tempfile.mkdtemp(prefix='cloud-')
        chosen = options.Options(
            hosts=hosts,
            state=state,
            cache=cache or '',
            max_live=max_live,
            token_lifetime=token_lifetime,
            **other,
        ).resolved()
        os.makedirs(chosen.state, exist_ok=True)
        output = os.path.join(chosen.state, 'up.out')
        command = [sys.executable, '-m', 'tests.cloud', 'up', '--until-eof']
        if discard:
            command.append('--discard')
        with open(output, 'wb') as out:
            process = subprocess.Popen(
                [*command, *chosen.to_arguments()],
                cwd=_ROOT,
                # Ends when we do, so that no cloud outlives its tests.
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        # Held open: after the end nobody could read it by its name.
        with open(output, errors='replace') as printed:
            try:
                cls._await_ready(process, chosen.state)
                return cls(process, chosen, discard)
            except BaseException as exc:
                _end(process)
                if isinstance(exc, waiting.Timeout):
                    raise StartError(printed.read()) from exc
                raise

    @staticmethod
    def _await_ready(process: subprocess.Popen[bytes], where: str) -> None:
        contact = os.path.join(where, 'cloud.json')

        def ready() -> bool:
            if process.poll() is not None:
                raise waiting.Timeout('it ended')
            return os.path.exists(contact)

        waiting.wait_for(ready, 'the cloud to be ready', _START_TIMEOUT, 0.05)

    def stop(self) -> None:
        """Stop the cloud; more than once is fine."""
        atexit.unregister(self.stop)
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        self._session.close()
        _end(self._process)
        if self._discard:  # still there if the supervisor was killed
            shutil.rmtree(self.state, ignore_errors=True)

    def __enter__(self) -> Cloud:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    # ways in

    def _url(self, listener: str, path: str = '') -> str:
        return f'http://127.0.0.1:{self._ports[listener]}{path}'

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        side = self._ports['side']
        return remote.control(self._session, side, method, path, body)

    @property
    def control_url(self) -> str:
        """The URL below which :mod:`tests.cloud.control` answers."""
        return self._url('side', '/control')

    @property
    def auth_url(self) -> str:
        return self._url('identity', '/v3')

    def endpoint(self, service: str) -> str:
        """The public URL of 'compute', 'placement' or 'identity'."""
        path = {'compute': '/v2.1', 'placement': '', 'identity': '/v3'}
        return self._url(service, path[service])

    def env(self, cloud: str = 'admin') -> dict[str, str]:
        """What a subprocess needs to talk to this cloud."""
        return {
            'OS_CLIENT_CONFIG_FILE': os.path.join(self.state, 'clouds.yaml'),
            'OS_CLOUD': cloud,
        }

    def connection(
        self, cloud: str = 'admin', interface: str = 'internal'
    ) -> _connection.Connection:
        """A connection of one of the users.

        :param interface: 'public' to have it logged, and hit by faults.
        """
        user, project = state.CLOUDS[cloud]
        return self._connect(user, project, interface)

    def _connect(
        self, user: str, project: str, interface: str = 'internal'
    ) -> _connection.Connection:
        key = (user, project, interface)
        with self._lock:
            if key not in self._connections:
                inside = interface == 'internal'
                listener = 'identity-internal' if inside else 'identity'
                connection = openstack.connect(
                    load_yaml_config=False,
                    load_envvars=False,
                    auth=state.auth(self._url(listener, '/v3'), user, project),
                    region_name='RegionOne',
                    interface=interface,
                    compute_default_microversion=self.facts[
                        'compute_microversion'
                    ],
                    placement_default_microversion='1.39',
                    app_name='tests.cloud',
                )
                connection.session.auth.MIN_TOKEN_LIFE_SECONDS = (
                    self.options.token_margin
                )
                # The first use of a proxy is not safe with threads.
                _ = connection.compute, connection.placement
                connection.compute.get_endpoint_data()
                self._connections[key] = connection
            return self._connections[key]

    # changing it

    def change(self, **wanted: Any) -> None:
        """Change options of the running cloud; a purge takes it back.

        :param wanted: token_lifetime, and those of
            :data:`tests.cloud.tuning.NAMES`. max_live is for moves that
            start after it, token_lifetime for tokens that are made after it.
            From shelved_offload_time -1 to 0 and back only.
        :raises ValueError: if one of them can't be changed.
        """
        chosen = dataclasses.replace(self.options, **wanted)
        if wanted.pop('token_lifetime', None) is not None:
            self._tell_tap('identity', 'token-lifetime', chosen.token_lifetime)
            wanted['token_margin'] = chosen.token_margin
        self._control('PUT', 'options', wanted)
        self.options = chosen

    def set_policy(self, rules: abc.Mapping[str, str]) -> None:
        """Change who may do what with Nova and Placement.

        A purge takes it back. It holds for the handle's own requests, too.

        :param rules: those that differ from the usual ones, by policy, in
            oslo.policy's language: '!' is nobody, 'role:member' a role. {}
            takes all back.
        :raises ValueError: one of the policies is unknown.
        """
        placement = {
            p: r for p, r in rules.items() if p.startswith('placement:')
        }
        self._tell_tap('placement', 'policy', placement)
        nova = {p: r for p, r in rules.items() if p not in placement}
        self._control('PUT', 'policy', nova)

    def cap_microversion(self, newest: str = '') -> None:
        """Let Nova look as old to users as its newest microversion says.

        It does not hold for the handle's own requests; a purge takes it back.

        :param newest: as '2.87'; '' takes it back.
        """
        self._tell_tap('compute', 'newest-microversion', newest)

    def _tell_tap(self, service: str, setting: str, value: Any) -> None:
        answer = self._session.put(
            self._url(service, f'/.tap/{setting}'),
            json=value,
            timeout=remote.TIMEOUT,
        )
        if answer.status_code >= 400:
            raise ValueError(answer.text)

    # cleaning up

    def purge(self) -> None:
        """Make the cloud as new: for the next test.

        :raises Unclean: if it is not.
        """
        now = dataclasses.asdict(self.options)
        if changed := {
            name: value
            for name, value in dataclasses.asdict(self._chosen).items()
            if now[name] != value
        }:
            self.change(**changed)
        self.faults.clear()
        self.cap_microversion()
        self.set_policy({})
        self._control('PUT', 'soft-delete', {'seconds': 0})
        self._control('POST', 'purge')
        compute = self.connection().compute
        for host in self._added:
            with contextlib.suppress(StopIteration):  # a test did it
                answer = compute.delete(
                    f'/os-services/{self.service(host).id}'
                )
                exceptions.raise_from_response(answer)
            self._control('POST', f'hosts/{host}/forget')
        self._added.clear()
        self.requests.reset()
        differences = self._control('GET', 'differences')
        if differences:
            raise Unclean(differences)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
