# SPDX-License-Identifier: Apache-2.0

"""The gateway to the simulated cloud."""

from collections import abc
import dataclasses
import datetime
import functools
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.nova import transport
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.simulation import hosts
from tests.unit.simulation import moves
from tests.unit.simulation import session
from tests.unit.simulation import world

#: What GET /os-migrations returns at the most without being asked again.
MAX_LIMIT = 1000
#: Set by a disabled host's nova-compute.
DISABLED = 'COMPUTE_STATUS_DISABLED'

_UNTOLD = model.Needs()

_Method = abc.Callable[..., ty.Any]


def _asks(kind: str) -> abc.Callable[[_Method], _Method]:
    """Let a method's answer come only when its request has got there.

    :param kind: of request; the method's first argument says what it is
        about.
    """

    def wrap(method: _Method) -> _Method:
        @functools.wraps(method)
        def ask(self: 'Client', *args: ty.Any) -> ty.Any:
            about = args[0] if args and isinstance(args[0], str) else ''
            return self._ask(kind, about, lambda: method(self, *args))

        return ask

    return wrap


def _moves(kind: str) -> _Method:
    """Return a method that asks for a move, if need be to one host only."""

    def post(self, server_id, host='', **values) -> None:
        take = functools.partial(getattr(self._cloud, kind), server_id)
        values |= {'host': host, 'by': self.actor}
        self._post(kind, server_id, lambda: take(**values), host)

    return post


def _does(kind: str) -> _Method:
    """Return a method that asks for something else to be done."""

    def post(self: 'Client', server_id: str, *args: ty.Any) -> None:
        take = functools.partial(getattr(self._cloud, kind), server_id, *args)
        self._post(kind, server_id, lambda: take(by=self.actor))

    return post


class Client(session.Session):
    """One user of the cloud, and all that he may ask."""

    _hypervisors: dict[str, str] | None = None
    pause = transport.Pause()

    live_migrate = _moves('live_migrate')
    cold_migrate = _moves('cold_migrate')
    evacuate = _moves('evacuate')
    reset = _does('reset')
    confirm = _does('confirm')
    tag = _does('tag')
    untag = _does('untag')
    resume = _does('resume')
    suspend = _does('suspend')
    shelve = _does('shelve')
    offload = _does('offload')
    abort = _does('abort')
    force_complete = _does('force_complete')

    def user_name(self) -> str:
        return 'alice'

    def user_id(self) -> str:
        return 'id of alice'

    @property
    def time(self) -> float:
        """What time it is, in virtual seconds."""
        return self._clock.now()

    def now(self) -> datetime.datetime:
        return world.utc(self._clock.now())

    @_asks('services')
    def services(self) -> list[model.Service]:
        return [
            host.shown() if host.silent is None else _silent(name)
            for name, host in self._cloud.hosts.items()
        ]

    def services_on(self, host: str) -> list[model.Service]:
        return [s for s in self.services() if s.host == host]

    def disable(self, service: model.Service, reason: str) -> model.Service:
        return self._put('disable', service.host, reason)

    def enable(self, service: model.Service) -> model.Service:
        return self._put('enable', service.host)

    def force_down(self, service, *, down) -> model.Service:
        return self._put('force_down', service.host, down=down)

    def _put(self, kind, host, *args, **values) -> model.Service:
        turn = getattr(self._cloud, kind)
        self._ask(kind, host, lambda: turn(host, *args, **values))
        return self._cloud.hosts[host].shown()

    @_asks('hypervisor_hosts')
    def hypervisor_hosts(self) -> dict[str, str]:
        return {f'{name}.example.org': name for name in self._cloud.hosts}

    @_asks('hypervisor_states')
    def hypervisor_states(self, host: str) -> dict[str, bool]:
        """GET /os-hypervisors/{id}: as its compute service is."""
        there = self._cloud.hosts[host]
        return {f'{host}.example.org': there.up} if there.mapped else {}

    def servers(self, host: str) -> list[model.Server]:
        found = self._servers(host)
        self.listed[host].update(server.id for server in found)
        return found

    @_asks('servers')
    def _servers(self, host: str) -> list[model.Server]:
        if self._cloud.hosts[host].silent is not None:
            return []
        self.last_look[host] = self._clock.now()
        found = self._cloud.on(host)
        shown = [server.shown() for server in found]
        if any(server.unreadable for server in found):
            # An older microversion does not tell (nova/servers.py).
            shown = [dataclasses.replace(s, needs=_UNTOLD) for s in shown]
        return shown

    @_asks('server_count')
    def server_count(self, host: str) -> int:
        answers = self._cloud.hosts[host].silent is None
        return len(self._cloud.on(host)) if answers else 0

    @_asks('server')
    def server(self, server_id: str) -> model.Server:
        """GET /servers/{id}: what it needs is not looked at."""
        if self._hides(server_id):
            return model.Server(server_id, '', 'UNKNOWN', '', None, None)
        try:
            shown = self._cloud.existing(server_id).shown()
        except exceptions.NotFound:
            gone = ('DELETED', 'deleted', None, None)
            return model.Server(server_id, '', *gone)
        return dataclasses.replace(shown, needs=model.Needs())

    @_asks('tagged')
    def tagged(self) -> list[model.Server]:
        """GET /servers/detail: those with the tag, wherever they are."""
        return [
            server.shown()
            for server in self._cloud.servers.values()
            if server.tagged
            and not server.deleted
            and not self._hides(server.id)
        ]

    @_asks('migrations')
    def migrations(self, host, changed_since=None) -> list[model.Migration]:
        """GET /os-migrations: `changes-since` looks at updated_at alone."""
        if changed_since is None:
            return self._records(host)[:MAX_LIMIT]
        return _changed(self._records(host), changed_since)

    @_asks('migrations')
    def all_migrations(self, host: str) -> list[model.Migration]:
        """GET /os-migrations, page by page."""
        return self._records(host)

    @_asks('check_hosts_shown')
    def check_hosts_shown(self) -> None:
        """GET /os-migrations: one of the whole cloud."""

    @_asks('check_servers_shown')
    def check_servers_shown(self) -> None:
        """GET /servers, twice: none of the whole cloud."""

    @_asks('migrations_in_flight')
    def migrations_in_flight(self) -> list[model.Migration]:
        """GET /os-migrations: the newest of the whole cloud."""
        return [r for r in self._newest()[:MAX_LIMIT] if r.in_flight]

    @_asks('unconfirmed')
    def unconfirmed(self, host: str) -> list[model.Migration]:
        return [r for r in self._records_from(host) if r.awaits_confirmation]

    @_asks('evacuations')
    def evacuations(self, host: str) -> list[model.Migration]:
        kind = model.MigrationType.EVACUATION
        return [r for r in self._records_from(host) if r.type == kind]

    @_asks('evacuated')
    def evacuated(self, host: str) -> list[model.Migration]:
        return [
            record.shown()
            for record in self._cloud.to_clean_up(host)
            if not self._hides(record.server.id)
        ]

    @_asks('left')
    def left(self, host, since) -> list[model.Migration]:
        return _changed(self._records_from(host), since)

    @_asks('moves')
    def moves(self, since: datetime.datetime) -> list[model.Migration]:
        now = self._clock.now()
        self.last_records.update(dict.fromkeys(self._cloud.hosts, now))
        return _changed(self._newest(), since)

    def _newest(self) -> list[model.Migration]:
        """Return the records of cells that answer, the newest first."""
        return [
            record.shown()
            for record in reversed(self._cloud.records.values())
            if not self._hides(record.server.id)
        ]

    def _records(self, host: str) -> list[model.Migration]:
        self.last_records[host] = self._clock.now()
        return [r for r in self._newest() if host in (r.source, r.dest)]

    def _records_from(self, host: str) -> list[model.Migration]:
        return [r for r in self._newest() if r.source == host]

    @_asks('deleted')
    def deleted(self, since: datetime.datetime) -> list[model.Server]:
        """GET /servers/detail: those deleted, as they last were."""
        servers = self._cloud.servers.values()
        gone = [server.shown() for server in servers if server.deleted]
        return [
            dataclasses.replace(server, status='DELETED')
            for server in _changed(gone, since)
        ]

    @_asks('allocations')
    def allocations(self, host: str) -> dict[str, snapshots.AllocationRequest]:
        self.last_look[host] = self._clock.now()
        there = self._cloud.hosts[host]
        if not there.mapped:
            raise exceptions.UnknownHypervisor(host)
        return {
            consumer: tuple(
                snapshots.Allocation(there.provider, *amount)
                for amount in held[host].items()
            )
            for consumer, held in self._cloud.allocations.items()
            if host in held
        }

    def hypervisors(self) -> dict[str, str]:
        """GET /os-hypervisors, if it was never asked before."""
        if self._hypervisors is None:
            self._hypervisors = self._ask('hypervisors', '', self._providers)
        return self._hypervisors

    def _providers(self) -> dict[str, str]:
        """Return the host of each hypervisor, by resource provider."""
        found = self._cloud.hosts.values()
        return {host.provider: host.name for host in found if host.mapped}

    def hypervisor_details(self) -> list[model.Hypervisor]:
        """GET /os-hypervisors, if it was never asked before."""
        return [
            model.Hypervisor(provider, f'{host}.example.org', host)
            for provider, host in self.hypervisors().items()
        ]

    @_asks('residents')
    def residents(self) -> dict[str, str]:
        """GET /os-hypervisors with the servers on them."""
        self._hypervisors = self._providers()
        return {
            server.id: server.host
            for server in self._cloud.servers.values()
            if server.host
            and not server.deleted
            and self._cloud.hosts[server.host].mapped
        }

    @_asks('groups')
    def groups(self) -> list[snapshots.Group]:
        """GET /os-server-groups: without deleted members."""
        gone = {s.id for s in self._cloud.servers.values() if s.deleted}
        return [
            dataclasses.replace(group, members=group.members - gone)
            for group in self._cloud.groups
        ]

    @_asks('aggregates')
    def aggregates(self) -> list[snapshots.Aggregate]:
        """GET /os-aggregates: those that make up zones included."""
        zones: dict[str, set[str]] = {}
        for host in self._cloud.hosts.values():
            if host.zone != hosts.NO_ZONE:
                zones.setdefault(host.zone, set()).add(host.name)
        return self._cloud.aggregates + [
            snapshots.Aggregate(frozenset(inside), {'availability_zone': zone})
            for zone, inside in zones.items()
        ]

    @_asks('allocation_candidates')
    def allocation_candidates(self, request) -> snapshots.AllocationCandidates:
        """GET /allocation_candidates: disabled and down hosts, too."""
        shape = request.shape
        if not shape:
            raise exceptions.RequestRefused(
                "Placement: '' does not match '^[A-Z0-9_]+:[0-9]+' (HTTP 400)",
                final=True,
            )
        found = self._cloud.hosts.values()
        fit = [host for host in found if host.inventory.fits(dict(shape))]
        return snapshots.AllocationCandidates(
            providers={host.provider: _provider(host) for host in fit},
            candidates=tuple(
                tuple(snapshots.Allocation(host.provider, *n) for n in shape)
                for host in fit
            ),
        )

    def failure(self, record: model.Migration) -> model.Failure:
        """GET /servers/{id}/os-instance-actions: the events of a move."""
        return self._failure(record.server_id, record.id)

    @_asks('failure')
    def _failure(self, server_id: str, record_id: int) -> model.Failure:
        self._reach(server_id)
        record = self._cloud.records.get(record_id)
        return record.failure if record else model.Failure()

    @_asks('progress')
    def progress(self, server_id, record_id) -> model.Progress | None:
        """GET /servers/{id}/migrations/{id}: 404 but for one in progress."""
        self._reach(server_id)
        work = self._cloud.servers[server_id].work
        record = self._cloud.records.get(record_id)
        if not (work and record and work.record is record):
            return None
        if record.status != 'running':
            return None
        return model.Progress(*moves.remaining(self._cloud, work))

    @_asks('history')
    def history(self, server_id: str) -> tuple[model.InstanceAction, ...]:
        """GET /servers/{id}/os-instance-actions, also of a deleted one."""
        self._reach(server_id)
        return tuple(self._cloud.servers[server_id].instance_actions)


def _changed(shown: list[ty.Any], since: datetime.datetime) -> list[ty.Any]:
    return [s for s in shown if s.updated_at and s.updated_at >= since]


def _provider(host: world.Host) -> snapshots.Provider:
    there = host.inventory
    return snapshots.Provider(
        id=host.provider,
        root=host.provider,
        traits=host.traits | (frozenset() if host.enabled else {DISABLED}),
        inventories={
            name: snapshots.Inventory(capacity, there.used[name])
            for name, capacity in there.capacity.items()
        },
    )


def _silent(host: str) -> model.Service:
    """Return what Nova knows of a host whose cell does not answer."""
    return model.Service('', host, '', up=False, enabled=False, silent=True)
