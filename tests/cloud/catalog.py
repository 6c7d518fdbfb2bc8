# SPDX-License-Identifier: Apache-2.0

"""What an administrator lays out: flavors, aggregates, server groups."""

from __future__ import annotations

from collections import abc
from typing import Any

from openstack import connection as _connection
from openstack import exceptions


class Catalog:
    """The part of the handle that is about what servers refer to.

    All of it is gone after a purge.
    """

    connection: abc.Callable[..., _connection.Connection]
    _connect: abc.Callable[..., _connection.Connection]

    def flavor(
        self,
        name: str,
        vcpus: int,
        ram_mb: int,
        disk_gb: int,
        specs: abc.Mapping[str, str] | None = None,
    ) -> str:
        """Make a flavor, and return its id.

        :param specs: its extra specs.
        """
        wanted = {'vcpus': vcpus, 'ram': ram_mb, 'disk': disk_gb}
        made = self._post('/flavors', {'flavor': {'name': name, **wanted}})
        flavor = str(made['flavor']['id'])
        if specs:
            self._post(
                f'/flavors/{flavor}/os-extra_specs',
                {'extra_specs': dict(specs)},
            )
        return flavor

    def aggregate(
        self,
        name: str,
        hosts: abc.Iterable[str],
        zone: str | None = None,
        metadata: abc.Mapping[str, str] | None = None,
    ) -> str:
        """Make a host aggregate, and return its id.

        :param zone: makes it an availability zone. Nova takes no host into
            one that holds servers already.
        """
        body = {'name': name, 'availability_zone': zone}
        made = self._post('/os-aggregates', {'aggregate': body})
        path = f'/os-aggregates/{made["aggregate"]["id"]}/action'
        if metadata:
            self._post(path, {'set_metadata': {'metadata': dict(metadata)}})
        for host in hosts:
            self._post(path, {'add_host': {'host': host}})
        return str(made['aggregate']['id'])

    def group(
        self,
        name: str,
        policy: str,
        project: str = 'demo',
        most_per_host: int | None = None,
    ) -> str:
        """Make a server group, and return its id.

        :param policy: affinity, soft-anti-affinity, ...
        :param most_per_host: of anti-affinity; 1 by default.
        """
        body: dict[str, Any] = {'name': name, 'policy': policy}
        if most_per_host is not None:
            body['rules'] = {'max_server_per_host': most_per_host}
        made = self._post('/os-server-groups', {'server_group': body}, project)
        return str(made['server_group']['id'])

    def _post(self, path: str, body: Any, project: str = 'admin') -> Any:
        answer = self._connect('admin', project).compute.post(path, json=body)
        exceptions.raise_from_response(answer)
        return answer.json()
