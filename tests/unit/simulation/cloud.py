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

"""The simulated Nova and Placement: state, and what others do to it."""

import collections
import collections.abc
import dataclasses
import ipaddress
import itertools
import random
import typing as ty
import uuid

from osc_hostmaint import exceptions
from osc_hostmaint import mark
from osc_hostmaint import model
from tests.unit.simulation import moves
from tests.unit.simulation import timeline
from tests.unit.simulation import world

#: A destination's row in the compute_nodes table is this old, at the most.
ROW_SECONDS = 60.0

_LIVE_STATES = frozenset({'active', 'paused'})
_COLD_STATES = frozenset({'active', 'stopped'})


class Cloud:
    """Hosts, servers, migration records and allocations over time."""

    def __init__(
        self,
        hosts: collections.abc.Iterable[str],
        *,
        slots: int = 1,
        piles_up: bool = False,
        timing: world.Timing | None = None,
        seed: int = 0,
    ):
        """Build a cloud without servers.

        :param slots: ``max_concurrent_live_migrations`` of every host.
        :param piles_up: schedule as Nova does (NOVA-FACTS section 1).
        :param seed: of the jitter of all delays.
        """
        self.timeline = timeline.Timeline()
        self.timing = timing or world.Timing()
        self.hosts = {
            name: world.Host(name, timeline.Slots(self.timeline, slots))
            for name in hosts
        }
        self.servers: dict[str, world.Server] = {}
        self.records: dict[int, world.Record] = {}
        #: Hosts on which a consumer holds an allocation.
        self.allocations: dict[str, set[str]] = collections.defaultdict(set)
        #: Moves that Nova took: when, and of which server.
        self.taken: list[tuple[float, str]] = []
        self._piles_up = piles_up
        self._numbers = itertools.count(1)
        self._random = random.Random(seed)

    # What moves are made of

    def jitter(self, seconds: float) -> float:
        """Return a delay that varies as Nova's do."""
        return seconds * self._random.uniform(0.8, 1.3)

    def fate(self, server: world.Server) -> world.Fate:
        """Return what is to become of a server's next move."""
        fate = server.fates.popleft() if server.fates else world.Fate.WELL
        server.failures += fate is not world.Fate.WELL
        return fate

    def new_record(
        self, server: world.Server, kind: str, status: str
    ) -> world.Record:
        """Create a migration record, which counts as never updated."""
        assert server.host
        number = next(self._numbers)
        record = world.Record(
            id=number,
            uuid=str(uuid.UUID(int=2**64 + number)),
            server=server,
            type=kind,
            status=status,
            source=server.host,
            created_at=self.timeline.now,
        )
        self.records[number] = record
        return record

    def update(self, record: world.Record, **changes: ty.Any) -> None:
        """Change a migration record."""
        for name, value in changes.items():
            setattr(record, name, value)
        record.updated_at = self.timeline.now

    def hold(self, consumer: str, host: str) -> None:
        """Give a consumer an allocation on a host."""
        self.allocations[consumer].add(host)

    def release(self, consumer: str, host: str) -> None:
        """Take a consumer's allocation on a host away."""
        self.allocations[consumer].discard(host)

    def arrive(self, server: world.Server, host: str) -> None:
        """Let a server be on another host."""
        server.host = host
        server.path.append(host)

    def schedule(self, server: world.Server, *, claims: bool) -> str | None:
        """Return the emptiest host that may take a server, if any.

        :param claims: the choice shows in the host's row at once, as that
            of a cold migration does, and that of a live migration does not.
        """
        fit = [
            host
            for host in self.hosts.values()
            if host.enabled
            and host.up
            and not host.forced_down
            and host.name != server.host
            and self._used(host) + server.memory_mb <= host.memory_mb
        ]
        if not fit:
            return None
        for host in fit:
            age = self.timeline.now - host.row_at
            if not self._piles_up or not host.row_at or age >= ROW_SECONDS:
                host.row, host.row_at = self._used(host), self.timeline.now
        chosen = min(fit, key=lambda host: (host.row, host.name))
        if claims:
            chosen.row += server.memory_mb
        return chosen.name

    def _used(self, host: world.Host) -> int:
        return sum(
            server.memory_mb
            for server in self.servers.values()
            if host.name in self.allocations[server.id]
        )

    # What is asked for, by us or by others

    def add(
        self, host: str, vm_state: str = 'active', **values: ty.Any
    ) -> world.Server:
        """Put a server on a host, as if it had always been there."""
        number = len(self.servers) + 1
        server = world.Server(
            id=str(uuid.UUID(int=number)),
            name=f'server-{number:02}',
            host=host,
            vm_state=vm_state,
            addresses=(str(ipaddress.IPv4Address(10 * 2**24 + number)),),
        )
        server = dataclasses.replace(server, **values)
        self.servers[server.id] = server
        self.hold(server.id, host)
        return server

    def create(self, host: str) -> world.Server:
        """Begin to build a server that was scheduled to a host."""
        server = self.add(host, 'building', task_state='scheduling')
        server.host = None
        self._move(server, moves.build(self, server, host))
        return server

    def delete(self, server_id: str) -> None:
        """Delete a server: its records vanish, whatever goes on ends."""
        server = self.servers[server_id]
        if server.move:
            server.move.kill()
        server.deleted = True
        for record in list(self.records.values()):
            if record.server is server:
                del self.records[record.id]
                self.allocations[record.uuid].clear()
        self.allocations[server_id].clear()

    def stop(self, server_id: str) -> None:
        """Stop a server if Nova lets its owner."""
        server = self.servers[server_id]
        if server.vm_state == 'active' and server.task_state is None:
            server.task_state = 'powering-off'
            self.timeline.after(0.5, lambda: self._stopped(server))

    def _stopped(self, server: world.Server) -> None:
        server.vm_state, server.task_state = 'stopped', None

    def live_migrate(self, server_id: str, dest: str | None = None) -> None:
        """Take a request for a live migration.

        :raises CloudError: as Nova refuses it.
        """
        server = self._movable(server_id, _LIVE_STATES, 'os-migrateLive')
        server.task_state = 'migrating'
        self._move(server, moves.live(self, server, dest))

    def cold_migrate(
        self,
        server_id: str,
        dest: str | None = None,
        kind: str = model.MigrationType.COLD,
    ) -> None:
        """Take a request for a cold migration, or an owner's resize.

        :raises CloudError: as Nova refuses it.
        """
        server = self._movable(server_id, _COLD_STATES, 'migrate')
        assert server.host
        if not self.hosts[server.host].up:
            raise exceptions.RequestRefused(
                'Service is unavailable at this time. (HTTP 409)'
            )
        server.task_state = 'resize_prep'
        self._move(server, moves.cold(self, server, kind, dest))

    def confirm(self, server_id: str) -> None:
        """Take a request to confirm.

        :raises CloudError: as Nova refuses it.
        """
        record = self._resized(server_id, 'confirmResize')
        self._move(record.server, moves.confirm(self, record))

    def revert(self, server_id: str) -> None:
        """Take a request to revert.

        :raises CloudError: as Nova refuses it.
        """
        record = self._resized(server_id, 'revertResize')
        self._move(record.server, moves.revert(self, record))

    def crash(self, host: str) -> None:
        """Kill a host's nova-compute: what it was doing hangs."""
        self.hosts[host].alive = False
        for server in self.servers.values():
            if server.host == host and server.move:
                server.move.kill()
        self.timeline.after(self.timing.heartbeat, lambda: self._down(host))

    def _down(self, host: str) -> None:
        self.hosts[host].up = self.hosts[host].alive

    def start(self, host: str) -> None:
        """Start a host's nova-compute again; it cleans up."""
        self.hosts[host].alive = self.hosts[host].up = True
        for record in self.records.values():
            if record.source == host and record.shown().in_flight:
                moves.back(self, record, 'error', '')

    def disable(self, host: str, reason: str | None = None) -> None:
        """Disable a compute service, by default with our mark."""
        if reason is None:
            since = world.utc(self.timeline.now)
            reason = mark.write(mark.Mark(since, 'alice', 'kernel'))
        self.hosts[host].enabled = False
        self.hosts[host].disabled_reason = reason

    def enable(self, host: str) -> None:
        """Enable a compute service."""
        self.hosts[host].enabled = True
        self.hosts[host].disabled_reason = None

    def existing(self, server_id: str) -> world.Server:
        """Return a server that is not deleted.

        :raises NotFound: there is none.
        """
        server = self.servers.get(server_id)
        if server is None or server.deleted:
            raise exceptions.NotFound(
                f'Instance {server_id} could not be found. (HTTP 404)'
            )
        return server

    def _movable(
        self, server_id: str, states: frozenset[str], action: str
    ) -> world.Server:
        server = self.existing(server_id)
        wrong = ''
        if server.vm_state not in states:
            wrong = f'vm_state {server.vm_state}'
        elif server.task_state is not None:
            wrong = f'task_state {server.task_state}'
        if wrong:
            raise exceptions.RequestRefused(
                f"Cannot '{action}' instance {server_id} while it is in "
                f'{wrong} (HTTP 409)'
            )
        if server.refusals:
            raise exceptions.RequestRefused(server.refusals.popleft())
        self.taken.append((self.timeline.now, server_id))
        return server

    def _resized(self, server_id: str, action: str) -> world.Record:
        server = self.existing(server_id)
        if server.vm_state != 'resized':
            raise exceptions.RequestRefused(
                f"Cannot '{action}' instance {server_id} while it is in "
                f'vm_state {server.vm_state} (HTTP 409)'
            )
        for record in self.records.values():
            if record.server is server and record.status == 'finished':
                return record
        raise exceptions.RequestRefused(
            'Instance has not been resized. (HTTP 400)'
        )

    def _move(self, server: world.Server, steps: timeline.Steps) -> None:
        # Queued for its first step, so that the process is known to itself.
        def begin() -> timeline.Steps:
            yield 0.0
            yield from steps

        server.move = self.timeline.spawn(begin())
