# SPDX-License-Identifier: Apache-2.0

"""The gateway to the simulated cloud."""

import dataclasses
import datetime

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.simulation import cloud_view
from tests.unit.simulation import moves
from tests.unit.simulation import posts
from tests.unit.simulation import world

#: What GET /os-migrations returns at the most without being asked again.
MAX_LIMIT = 1000


class Client(posts.Posts):
    """One user of the cloud, and all that he may ask."""

    _hypervisors: dict[str, str] | None = None

    def user_name(self) -> str:
        """Return the name of who we are."""
        return 'alice'

    def user_id(self) -> str:
        """Return the id of who we are."""
        return self.actor.user_id

    @property
    def time(self) -> float:
        """What time it is, in virtual seconds."""
        return self._clock.now()

    def now(self) -> datetime.datetime:
        """Return the cloud's time."""
        return world.utc(self._clock.now())

    def services(self) -> list[model.Service]:
        """GET /os-services."""
        return self._ask(
            'services',
            '',
            lambda: [
                host.shown() if host.silent is None else _silent(name)
                for name, host in self._cloud.hosts.items()
            ],
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

    def force_down(
        self, service: model.Service, *, down: bool
    ) -> model.Service:
        """PUT /os-services/{id}."""
        self._ask(
            'force_down',
            service.host,
            lambda: self._cloud.force_down(service.host, down=down),
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

    def hypervisor_states(self, host: str) -> dict[str, bool]:
        """GET /os-hypervisors/{id}: as its compute service is."""
        return self._ask(
            'hypervisor_states',
            host,
            lambda: (
                {f'{host}.example.org': self._cloud.hosts[host].up}
                if self._cloud.hosts[host].mapped
                else {}
            ),
        )

    def servers(self, host: str) -> list[model.Server]:
        """GET /servers/detail."""

        def look() -> list[model.Server]:
            if self._cloud.hosts[host].silent is not None:
                return []
            self.last_look[host] = self._clock.now()
            return [server.shown() for server in self._cloud.on(host)]

        found = self._ask('servers', host, look)
        self.listed[host].update(server.id for server in found)
        return found

    def server_count(self, host: str) -> int:
        """GET /servers."""
        answers = self._cloud.hosts[host].silent is None
        return self._ask(
            'server_count',
            host,
            lambda: len(self._cloud.on(host)) if answers else 0,
        )

    def server(self, server_id: str) -> model.Server:
        """GET /servers/{id}: what it needs is not looked at."""

        def look() -> model.Server:
            if self._hides(server_id):
                return model.Server(server_id, '', 'UNKNOWN', '', None, None)
            try:
                shown = self._cloud.existing(server_id).shown()
                return dataclasses.replace(shown, needs=model.Needs())
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
                shown
                for shown in self._records(host)
                if changed_since is None
                or (shown.updated_at and shown.updated_at >= changed_since)
            ]
            return found[:MAX_LIMIT] if changed_since is None else found

        return self._ask('migrations', host, look)

    def all_migrations(self, host: str) -> list[model.Migration]:
        """GET /os-migrations, page by page."""
        return self._ask('migrations', host, lambda: self._records(host))

    def check_hosts_shown(self) -> None:
        """GET /os-migrations: one of the whole cloud."""
        self._ask('check_hosts_shown', '', lambda: None)

    def migrations_in_flight(self) -> list[model.Migration]:
        """GET /os-migrations: the newest of the whole cloud."""

        def look() -> list[model.Migration]:
            shown = [record.shown() for record in self._newest()][:MAX_LIMIT]
            return [record for record in shown if record.in_flight]

        return self._ask('flights', '', look)

    def unconfirmed(self, host: str) -> list[model.Migration]:
        """GET /os-migrations."""
        return self._ask(
            'unconfirmed',
            host,
            lambda: [
                shown
                for shown in self._records(host)
                if shown.source == host and shown.awaits_confirmation
            ],
        )

    def evacuations(self, host: str) -> list[model.Migration]:
        """GET /os-migrations."""
        return self._ask(
            'evacuations',
            host,
            lambda: [
                shown
                for shown in self._records(host)
                if shown.source == host
                and shown.type == model.MigrationType.EVACUATION
            ],
        )

    def evacuated(self, host: str) -> list[model.Migration]:
        """GET /os-migrations."""
        return self._ask(
            'evacuated',
            host,
            lambda: [
                record.shown()
                for record in self._cloud.to_clean_up(host)
                if not self._hides(record.server.id)
            ],
        )

    def left(
        self, host: str, since: datetime.datetime
    ) -> list[model.Migration]:
        """GET /os-migrations."""
        return self._ask(
            'left',
            host,
            lambda: [r for r in self._changed(since) if r.source == host],
        )

    def moves(self, since: datetime.datetime) -> list[model.Migration]:
        """GET /os-migrations."""
        return self._ask('moves', '', lambda: self._changed(since))

    def _newest(self) -> list[world.Record]:
        """Return the records of cells that answer, the newest first."""
        return [
            record
            for record in reversed(self._cloud.records.values())
            if not self._hides(record.server.id)
        ]

    def _changed(self, since: datetime.datetime) -> list[model.Migration]:
        return [
            shown
            for record in self._newest()
            if (shown := record.shown()).updated_at
            and shown.updated_at >= since
        ]

    def deleted(self, since: datetime.datetime) -> list[model.Server]:
        """GET /servers/detail: those deleted, as they last were."""

        def look() -> list[model.Server]:
            return [
                dataclasses.replace(shown, status='DELETED')
                for server in self._cloud.servers.values()
                if server.deleted
                and (shown := server.shown()).updated_at
                and shown.updated_at >= since
            ]

        return self._ask('deleted', '', look)

    def _records(self, host: str) -> list[model.Migration]:
        return [
            record.shown()
            for record in self._newest()
            if host in (record.source, record.dest)
        ]

    def allocations(self, host: str) -> dict[str, snapshots.Amounts]:
        """GET /resource_providers/{id}/allocations."""

        def look() -> dict[str, snapshots.Amounts]:
            self.last_look[host] = self._clock.now()
            if not self._cloud.hosts[host].mapped:
                raise exceptions.UnknownHypervisor(host)
            return {
                consumer: dict(held[host])
                for consumer, held in self._cloud.allocations.items()
                if host in held
            }

        return self._ask('allocations', host, look)

    def hypervisors(self) -> dict[str, str]:
        """GET /os-hypervisors, if it was never asked before."""
        if self._hypervisors is None:
            self._hypervisors = self._ask(
                'hypervisors', '', lambda: cloud_view.hypervisors(self._cloud)
            )
        return self._hypervisors

    def hypervisor_details(self) -> list[model.Hypervisor]:
        """GET /os-hypervisors, if it was never asked before."""
        return [
            model.Hypervisor(provider, f'{host}.example.org', host)
            for provider, host in self.hypervisors().items()
        ]

    def residents(self) -> dict[str, str]:
        """GET /os-hypervisors with the servers on them."""

        def look() -> tuple[dict[str, str], dict[str, str]]:
            cloud = self._cloud
            return cloud_view.residents(cloud), cloud_view.hypervisors(cloud)

        residents, self._hypervisors = self._ask('residents', '', look)
        return residents

    def groups(self) -> list[snapshots.Group]:
        """GET /os-server-groups."""
        return self._ask('groups', '', lambda: cloud_view.groups(self._cloud))

    def aggregates(self) -> list[snapshots.Aggregate]:
        """GET /os-aggregates."""
        return self._ask(
            'aggregates', '', lambda: cloud_view.aggregates(self._cloud)
        )

    def allocation_candidates(
        self, shape: snapshots.Shape
    ) -> snapshots.AllocationCandidates:
        """GET /allocation_candidates."""
        return self._ask(
            'allocation_candidates',
            '',
            lambda: cloud_view.allocation_candidates(self._cloud, shape),
        )

    def failure(self, record: model.Migration) -> str:
        """GET /servers/{id}/os-instance-actions: of its newest move."""
        server = self._cloud.servers[record.server_id]

        def look() -> str:
            self._reach(server.id)
            return server.failure

        return self._ask('failure', server.id, look)

    def progress(
        self, server_id: str, record_id: int
    ) -> model.Progress | None:
        """GET /servers/{id}/migrations/{id}: 404 but for one in progress."""

        def look() -> model.Progress | None:
            self._reach(server_id)
            server = self._cloud.servers[server_id]
            work, record = server.work, self._cloud.records.get(record_id)
            if (
                work is None
                or record is None
                or work.record is not record
                or record.status != 'running'
            ):
                return None
            return model.Progress(*moves.remaining(self._cloud, work))

        return self._ask('progress', server_id, look)

    def history(self, server_id: str) -> tuple[model.InstanceAction, ...]:
        """GET /servers/{id}/os-instance-actions, also of a deleted one."""
        server = self._cloud.servers[server_id]

        def look() -> tuple[model.InstanceAction, ...]:
            self._reach(server_id)
            return tuple(server.instance_actions)

        return self._ask('history', server_id, look)


def _silent(host: str) -> model.Service:
    """Return what Nova knows of a host whose cell does not answer."""
    return model.Service('', host, '', up=False, enabled=False, silent=True)


def _is_a_gateway(client: Client) -> ports.Gateway:
    """Let mypy compare the two."""
    return client
