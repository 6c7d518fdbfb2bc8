#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""The gateway to the simulated cloud."""

import collections
import collections.abc
import contextlib
import datetime
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import ports
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults as faults_
from tests.unit.simulation import timeline
from tests.unit.simulation import world

#: What GET /os-migrations returns at the most without being asked again.
MAX_LIMIT = 1000

T = ty.TypeVar('T')


class Client:
    """One user of the cloud; every request takes time, and may fail."""

    def __init__(
        self,
        cloud: clouds.Cloud,
        clock: timeline.VirtualClock,
        *,
        latency: float = 0.1,
        faults: faults_.Faults = faults_.none,
    ):
        """:param latency: how long a request takes, in seconds."""
        self.log: list[faults_.Request] = []
        #: Moves and confirmations asked for, and what came of each: '' if
        #: the cloud took it, None if it never got there, else why not.
        self.posted: list[tuple[faults_.Request, str | None]] = []
        self._cloud = cloud
        self._clock = clock
        self._latency = latency
        self._faults = faults

    def counts(self) -> collections.Counter[str]:
        """Return how many requests of each kind were sent."""
        return collections.Counter(request.kind for request in self.log)

    def user_name(self) -> str:
        """Return the name of who we are."""
        return 'alice'

    def now(self) -> datetime.datetime:
        """Return the cloud's time."""
        return world.utc(self._clock.now())

    def services(self) -> list[model.Service]:
        """GET /os-services."""
        return self._ask(
            'services',
            '',
            lambda: [h.shown() for h in self._cloud.hosts.values()],
        )

    def disable(self, service: model.Service, reason: str) -> model.Service:
        """PUT /os-services/{id}."""
        self._ask(
            'disable',
            service.host,
            lambda: self._cloud.disable(service.host, reason),
        )
        return self._cloud.hosts[service.host].shown()

    def enable(self, service: model.Service) -> model.Service:
        """PUT /os-services/{id}."""
        self._ask(
            'enable', service.host, lambda: self._cloud.enable(service.host)
        )
        return self._cloud.hosts[service.host].shown()

    def hypervisor_hosts(self) -> dict[str, str]:
        """GET /os-hypervisors/detail."""
        return self._ask(
            'hypervisor_hosts',
            '',
            lambda: {
                f'{name}.example.org': name for name in self._cloud.hosts
            },
        )

    def servers(self, host: str) -> list[model.Server]:
        """GET /servers/detail."""
        return self._ask('servers', host, lambda: self._on(host))

    def server_count(self, host: str) -> int:
        """GET /servers."""
        return self._ask('server_count', host, lambda: len(self._on(host)))

    def _on(self, host: str) -> list[model.Server]:
        servers = reversed(self._cloud.servers.values())
        return [s.shown() for s in servers if s.host == host and not s.deleted]

    def server(self, server_id: str) -> model.Server:
        """GET /servers/{id}."""

        def look() -> model.Server:
            try:
                return self._cloud.existing(server_id).shown()
            except exceptions.NotFound:
                return model.Server(
                    id=server_id,
                    name='',
                    status='DELETED',
                    vm_state='deleted',
                    task_state=None,
                    host=None,
                )

        return self._ask('server', server_id, look)

    def migrations(
        self, host: str, changed_since: datetime.datetime | None = None
    ) -> list[model.Migration]:
        """GET /os-migrations: `changes-since` looks at updated_at alone."""

        def look() -> list[model.Migration]:
            found = [
                r
                for r in self._records()
                if host in (r.source, r.dest)
                and (
                    changed_since is None
                    or (r.updated_at and r.updated_at >= changed_since)
                )
            ]
            return found[:MAX_LIMIT] if changed_since is None else found

        return self._ask('migrations', host, look)

    def unconfirmed(self, host: str) -> list[model.Migration]:
        """GET /os-migrations."""
        return self._ask(
            'unconfirmed',
            host,
            lambda: [
                r
                for r in self._records()
                if r.source == host and r.awaits_confirmation
            ],
        )

    def _records(self) -> list[model.Migration]:
        records = self._cloud.records
        return [records[i].shown() for i in sorted(records, reverse=True)]

    def consumers(self, host: str) -> frozenset[str]:
        """GET /resource_providers/{id}/allocations."""
        return self._ask(
            'consumers',
            host,
            lambda: frozenset(
                consumer
                for consumer, hosts in self._cloud.allocations.items()
                if host in hosts
            ),
        )

    def failure(self, record: model.Migration) -> str:
        """GET /servers/{id}/os-instance-actions: of its newest move."""
        server = self._cloud.servers[record.server_id]
        return self._ask(
            'failure',
            server.id,
            lambda: '' if server.deleted else server.failure,
        )

    def live_migrate(self, server_id: str) -> None:
        """POST /servers/{id}/action."""
        self._post('live_migrate', server_id, self._cloud.live_migrate)

    def cold_migrate(self, server_id: str) -> None:
        """POST /servers/{id}/action."""
        self._post('cold_migrate', server_id, self._cloud.cold_migrate)

    def confirm(self, server_id: str) -> None:
        """POST /servers/{id}/action."""
        self._post('confirm', server_id, self._cloud.confirm)

    def _post(
        self,
        kind: str,
        server_id: str,
        call: collections.abc.Callable[[str], None],
    ) -> None:
        number = len(self.posted)

        def send() -> None:
            request, _answer = self.posted[number]
            try:
                call(server_id)
            except exceptions.CloudError as error:
                self.posted[number] = (request, str(error))
                raise
            self.posted[number] = (request, '')

        request = faults_.Request(
            len(self.log), self._clock.now(), kind, server_id
        )
        self.posted.append((request, None))
        self._ask(kind, server_id, send)

    def _ask(
        self, kind: str, subject: str, answer: collections.abc.Callable[[], T]
    ) -> T:
        request = faults_.Request(
            len(self.log), self._clock.now(), kind, subject
        )
        self.log.append(request)
        fault = self._faults(request)
        self._clock.sleep(self._latency / 2)
        if fault is None:
            found = answer()
            self._clock.sleep(self._latency / 2)
            return found
        if fault.took:
            self._cloud.timeline.after(fault.late, lambda: _try(answer))
        self._clock.sleep(self._latency / 2 + fault.seconds)
        raise fault.error()


def _try(call: collections.abc.Callable[[], object]) -> None:
    with contextlib.suppress(exceptions.CloudError):
        call()


def _is_a_gateway(client: Client) -> ports.Gateway:
    """Let mypy compare the two."""
    return client
