# SPDX-License-Identifier: Apache-2.0

"""Making servers in every state, and waiting for them."""

from __future__ import annotations

from collections import abc
import concurrent.futures
from typing import Any

from openstack import connection as _connection
from openstack import exceptions
from openstack.compute.v2 import server as _server

from tests.cloud import making
from tests.cloud import waiting

# More threads than that do not make a two-core machine faster.
_THREADS = 4
# Statuses that a server has during a task only.
_PASSING = ('BUILD', 'MIGRATING', 'RESIZE', 'REVERT_RESIZE', 'REBUILD')


def id_of(server: Any) -> str:
    if isinstance(server, str):
        return server
    return str(server['id'] if isinstance(server, dict) else server.id)


class Failed(Exception):
    """A server is in ERROR instead of where it should be."""


class Servers:
    """The part of the handle that is about servers."""

    connection: abc.Callable[..., _connection.Connection]
    _connect: abc.Callable[..., _connection.Connection]
    _control: abc.Callable[..., Any]
    facts: dict[str, str]

    # looking

    def server(self, server: Any) -> _server.Server:
        """A server as it is now, as an administrator sees it."""
        return self.connection().compute.get_server(id_of(server))

    def servers(self, host: str | None = None) -> list[dict[str, Any]]:
        """All servers, or those of one host, as Nova shows them."""
        query: dict[str, Any] = {'all_tenants': 1}
        if host:
            query['host'] = host
        return self._pages('/servers/detail', 'servers', query)

    def places(self) -> dict[str, str | None]:
        """The host of each server by its id, past the API."""
        found = self._control('GET', 'servers')
        return {server: seen['host'] for server, seen in found.items()}

    def migrations(self, **filters: Any) -> list[dict[str, Any]]:
        """Migration records, newest first, as Nova shows them."""
        return self._pages('/os-migrations', 'migrations', filters, 'uuid')

    def _pages(
        self, path: str, key: str, query: dict[str, Any], marker: str = 'id'
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = self.connection().compute.get(path, params=query)
            exceptions.raise_from_response(answer)
            body = answer.json()
            found += body[key]
            if not body.get(key + '_links'):
                return found
            query = {**query, 'marker': found[-1][marker]}

    def wait_server(
        self,
        server: Any,
        status: str | None = None,
        host: str | None = None,
        task_state: str | None = None,
        timeout: float = 60,
    ) -> _server.Server:
        """Wait until a server is as it should be, and return it.

        :param task_state: by default none, or with a status that goes with
            a task, any.
        """
        wanted = {id_of(server): (status, host, task_state)}
        self._wait(wanted, timeout)
        return self.server(server)

    def _wait(
        self,
        wanted: dict[str, tuple[str | None, str | None, str | None]],
        timeout: float = 120,
    ) -> None:
        """Wait for many servers at once: (status, host, task state) by id."""
        left = dict(wanted)
        nowhere = 'SHELVED_OFFLOADED'  # a moment before it has left its host
        now: dict[str, Any] = {}

        def all_there() -> bool:
            nonlocal now
            now = self._control('GET', 'servers')
            for key, (status, host, task_state) in list(left.items()):
                seen = now.get(key)
                if seen is None:
                    continue
                if seen['status'] == 'ERROR' and status not in (None, 'ERROR'):
                    raise Failed(f'{key}: {self._fault(key)}')
                if (
                    status in (None, seen['status'])
                    and host in (None, seen['host'])
                    and not (status == nowhere and seen['host'])
                    and (
                        seen['task_state'] == task_state
                        or (task_state is None and status in _PASSING)
                    )
                ):
                    del left[key]
            return not left

        try:
            waiting.wait_for(all_there, 'servers', timeout)
        except waiting.Timeout as exc:
            states = {key: (left[key], now.get(key)) for key in left}
            raise waiting.Timeout(
                f'after {timeout:g} s, wanted and found: {states}'
            ) from exc

    def _fault(self, server: str) -> str:
        answer = self.connection().compute.get(f'/servers/{server}')
        fault = answer.json().get('server', {}).get('fault', {})
        return fault.get('message', 'in ERROR, and Nova says no reason')

    def server_knobs(self, server: Any, **knobs: Any) -> None:
        """Turn knobs of a server, also while it is being moved."""
        self.connection().compute.set_server_metadata(
            id_of(server),
            **{knob: str(value) for knob, value in knobs.items()},
        )
        # So that what is under way looks at once.
        self._control('PUT', 'knobs', {'host': None, 'knobs': {}})

    def rename(self, server: Any, name: str) -> None:
        """Give a server any display name, as old databases have them.

        Nova's API takes no control characters; this goes past it.
        """
        self._control('PUT', f'servers/{id_of(server)}/name', {'name': name})

    def damage_request(self, server: Any) -> None:
        """Make unreadable what the scheduler was asked for a server.

        A row of the table ``request_specs`` that an upgrade has spoiled.
        """
        self._control('DELETE', f'servers/{id_of(server)}/request')

    def strand(self, server: Any, *, hours: float, **states: str) -> None:
        """Have Nova's database say that nothing happened to it for long.

        :param states: of the table ``instances``, such as ``task_state``.
        """
        body = {'hours': hours, 'states': states}
        self._control('PUT', f'servers/{id_of(server)}/stuck', body)

    # making

    def boot(self, name: str, **spec: Any) -> _server.Server:
        """Make a server; see :meth:`boot_many`."""
        return self.boot_many([{'name': name, **spec}])[0]

    def boot_many(self, specs: list[dict[str, Any]]) -> list[_server.Server]:
        """Make servers, all at once.

        Each spec has a name, and may have:

        - host: put it there, by Nova's own ``host`` parameter, which binds
          it to that host for this once only, and to no zone. The server
          then belongs to the project, and its user is the administrator.
        - flavor: m1.small by default; a name of those that every cloud
          has, or what :meth:`~tests.cloud.catalog.Catalog.flavor` returned.
        - state: one of STATES; ACTIVE by default. With VERIFY_RESIZE, host
          is where it was before, which still holds its disk, and to is
          where it is now. BUILD lasts until the server is deleted, or its
          knob boot_seconds is turned.
        - to: the host that it is resized to; Nova's choice by default. For
          state VERIFY_RESIZE only.
        - project: demo by default.
        - metadata: also the server's knobs.
        - group: id of a server group.
        - locked: by the administrator, once it is in its state.
        - az: availability zone, which it is pinned to from then on.
        - wait: False to have it returned as soon as Nova knows it; for
          state ACTIVE only.
        """
        makings = [making.Making(self, **spec) for spec in specs]
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(making.Making.create, makings))
            waited = [each for each in makings if each.wait]
            self._wait({m.id: (m.first, m.host, None) for m in waited})
            for step in range(3):
                busy = [m for m in waited if len(m.way) > step]
                statuses = list(pool.map(lambda m, at=step: m.go(at), busy))
                self._wait(
                    {
                        each.id: (status, None, None)
                        for each, status in zip(busy, statuses, strict=True)
                    }
                )
            list(pool.map(making.Making.lock, waited))
        return self._shown([each.id for each in makings])

    def _shown(self, ids: list[str]) -> list[_server.Server]:
        """Servers by their ids: of many, one list costs a tenth."""
        found = {}
        if len(ids) > 3:
            listed = self.connection().compute.servers(all_projects=True)
            found = {server.id: server for server in listed}
        # Softly deleted ones, and those in no cell yet, are not listed.
        return [found.get(key) or self.server(key) for key in ids]

    def delete(self, *servers: Any) -> None:
        """Delete servers, whatever state they are in, and wait."""
        ids = {id_of(server) for server in servers}
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(self._force_delete, ids))
        waiting.wait_for(
            lambda: not ids & set(self._control('GET', 'servers')),
            'servers to be gone',
            60,
        )

    def _force_delete(self, server: str) -> None:
        answer = self.act(server, {'forceDelete': None}, check=False)
        if answer.status_code != 404:
            exceptions.raise_from_response(answer)

    def act(
        self,
        server: Any,
        action: dict[str, Any],
        project: str = 'admin',
        check: bool = True,
        microversion: str | None = None,
    ) -> Any:
        """POST an action of a server, as the administrator, unwrapped.

        openstacksdk pins some of them to old microversions.
        """
        answer = self._connect('admin', project).compute.post(
            f'/servers/{id_of(server)}/action',
            json=action,
            microversion=microversion or self.facts['compute_microversion'],
        )
        if check:
            exceptions.raise_from_response(answer)
        return answer
