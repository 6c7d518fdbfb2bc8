# SPDX-License-Identifier: Apache-2.0

"""A server on its way to the state it is asked for in."""

from __future__ import annotations

from collections import abc
import functools
import threading
import typing
from typing import Any

from openstack import exceptions

if typing.TYPE_CHECKING:
    from tests.cloud import boot

_FLAVORS = {
    'm1.tiny': '1',
    'm1.small': '2',
    'm1.medium': '3',
    'm1.large': '4',
    'm1.xlarge': '5',
}
# state -> the actions that lead there from ACTIVE, and the status after each
_WAYS: dict[str, list[tuple[dict[str, Any], str]]] = {
    'ACTIVE': [],
    'SHUTOFF': [({'os-stop': None}, 'SHUTOFF')],
    'PAUSED': [({'pause': None}, 'PAUSED')],
    'SUSPENDED': [({'suspend': None}, 'SUSPENDED')],
    'SHELVED': [({'shelve': None}, 'SHELVED')],
    'SHELVED_OFFLOADED': [
        ({'shelve': None}, 'SHELVED'),
        ({'shelveOffload': None}, 'SHELVED_OFFLOADED'),
    ],
    'RESCUE': [({'rescue': {}}, 'RESCUE')],
    'ERROR': [({'os-resetState': {'state': 'error'}}, 'ERROR')],
}
STATES = (*_WAYS, 'VERIFY_RESIZE', 'SOFT_DELETED', 'BUILD')

# reclaim_instance_interval is one for the whole cloud: not two at a time.
_soft_delete = threading.Lock()


class Making:
    """A server on its way to the state it was asked for in."""

    def __init__(
        self,
        cloud: boot.Servers,
        name: str,
        *,
        host: str | None = None,
        flavor: str = 'm1.small',
        state: str = 'ACTIVE',
        project: str = 'demo',
        metadata: dict[str, str] | None = None,
        group: str | None = None,
        locked: bool = False,
        az: str | None = None,
        to: str | None = None,
        wait: bool = True,
    ) -> None:
        if state not in STATES:
            raise ValueError(f'no such state: {state}')
        if to and state != 'VERIFY_RESIZE':
            raise ValueError(f'{name}: only a resize has a host to go to')
        self.cloud = cloud
        self.name = name
        self.host = host
        self.flavor = flavor
        self.state = state
        self.project = project
        self.metadata = dict(metadata or {})
        self.group = group
        self.locked = locked
        self.az = az
        self.to = to
        self.wait = wait
        self.id = ''
        if state == 'BUILD':
            self.metadata.setdefault('boot_seconds', '3600')
        self.first = 'BUILD' if state == 'BUILD' else 'ACTIVE'
        self.way = self._way()

    def _way(self) -> list[tuple[abc.Callable[[], Any], str]]:
        if self.state == 'VERIFY_RESIZE':
            names = list(_FLAVORS)
            # To the next larger flavor, or from the largest one down.
            at = names.index(self.flavor) if self.flavor in names else -1
            other = _FLAVORS[(names[at + 1 :] or names[-2:])[0]]
            resize = functools.partial(self._resize, other)
            return [(resize, 'VERIFY_RESIZE')]
        if self.state == 'SOFT_DELETED':
            return [(self._delete_softly, 'SOFT_DELETED')]
        return [
            (functools.partial(self._act, action), status)
            for action, status in _WAYS.get(self.state, [])
        ]

    def _act(self, action: dict[str, Any]) -> None:
        self.cloud.act(self.id, action, self.project)

    def _resize(self, flavor: str) -> None:
        if not self.to:
            self._act({'resize': {'flavorRef': flavor}})
            return
        self.cloud._control(
            'POST',
            f'servers/{self.id}/resize',
            {'flavor': flavor, 'host': self.to},
        )

    def _delete_softly(self) -> None:
        with _soft_delete:
            self.cloud._control('PUT', 'soft-delete', {'seconds': 3600})
            self._compute().delete_server(self.id)
            self.cloud._control('PUT', 'soft-delete', {'seconds': 0})

    def _compute(self) -> Any:
        # A member can't choose the host, an administrator of the project
        # can.
        user = 'admin' if self.host else self.project
        return self.cloud._connect(user, self.project).compute

    def create(self) -> None:
        server: dict[str, Any] = {
            'name': self.name,
            'flavorRef': _FLAVORS.get(self.flavor, self.flavor),
            'imageRef': self.cloud.facts['image'],
            'networks': [{'uuid': self.cloud.facts['network']}],
            'metadata': self.metadata,
        }
        if self.host:
            server['host'] = self.host
        if self.az:
            server['availability_zone'] = self.az
        body: dict[str, Any] = {'server': server}
        if self.group:
            body['os:scheduler_hints'] = {'group': self.group}
        answer = self._compute().post(
            '/servers',
            json=body,
            microversion=self.cloud.facts['compute_microversion'],
        )
        exceptions.raise_from_response(answer)
        self.id = answer.json()['server']['id']

    def go(self, step: int) -> str:
        """Take one step on the way; returns the status it leads to."""
        act, status = self.way[step]
        act()
        return status

    def lock(self) -> None:
        if self.locked:
            self.cloud.act(self.id, {'lock': {}})
