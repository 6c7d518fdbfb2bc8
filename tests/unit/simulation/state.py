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

"""What the simulated Nova and Placement keep in their databases."""

import collections
import collections.abc
import itertools
import random
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import timeline
from tests.unit.simulation import world

#: A destination's row in the compute_nodes table is this old, at the most.
ROW_SECONDS = 60.0


class State:
    """Hosts, servers, migration records and allocations over time."""

    def __init__(
        self,
        hosts: collections.abc.Iterable[str],
        *,
        slots: int = 1,
        piles_up: bool = False,
        timing: world.Timing | None = None,
        seed: int = 0,
        shelved_offload_time: int = 0,
        leaks: bool = False,
    ):
        """Build a cloud without servers.

        :param slots: ``max_concurrent_live_migrations`` of every host.
        :param piles_up: schedule as Nova does (NOVA-FACTS section 1).
        :param seed: of the jitter of all delays.
        :param shelved_offload_time: seconds, as in nova.conf: 0 offloads a
            shelved server at once, -1 never.
        :param leaks: what a nova-compute was at when it died keeps its
            allocations on both hosts for good, as in Nova.
        """
        self.timeline = timeline.Timeline()
        self.timing = timing or world.Timing()
        self.hosts = {
            name: world.Host(
                name,
                timeline.Slots(self.timeline, slots),
                timeline.Gate(self.timeline),
            )
            for name in hosts
        }
        self.servers: dict[str, world.Server] = {}
        self.records: dict[int, world.Record] = {}
        #: Hosts on which a consumer holds an allocation.
        self.allocations: dict[str, set[str]] = collections.defaultdict(set)
        #: Migrations that Nova took: when, and of which server.
        self.taken: list[tuple[float, str]] = []
        #: All that Nova took, in order, whoever asked.
        self.works: list[world.Work] = []
        #: When a server came to have something on a host: server and host.
        self.arrivals: list[tuple[float, str, str]] = []
        #: Confirmations of one server that came at the same moment.
        self.collisions: list[tuple[world.Work, ...]] = []
        #: Drains that have begun.
        self.drains = 0
        self.shelved_offload_time = shelved_offload_time
        self.leaks = leaks
        self._piles_up = piles_up
        self._numbers = itertools.count(1)
        self._random = random.Random(seed)

    def jitter(self, seconds: float) -> float:
        """Return a delay that varies as Nova's do."""
        return seconds * (0.8 + 0.5 * self._random.random())

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

    def change(
        self,
        server: world.Server,
        *,
        vm_state: str | None = None,
        task_state: str | None = None,
    ) -> None:
        """Change a server's states.

        :param vm_state: None keeps it.
        :param task_state: None: nothing is being done to it any more.
        """
        if vm_state is not None:
            server.vm_state = vm_state
        server.task_state = task_state
        server.changed_at = self.timeline.now

    def arrive(self, server: world.Server, host: str | None) -> None:
        """Let a server be on another host, or on none."""
        server.host = host
        server.changed_at = self.timeline.now
        if host is not None:
            server.path.append(host)

    # Deeds

    def begin(
        self, kind: str, server: world.Server, by: world.Actor, deed: str
    ) -> world.Work:
        """Take something on.

        :param deed: what Nova's list of the server's actions calls it; ''
            leaves it out.
        """
        now = self.timeline.now
        work = world.Work(
            kind, server, by, now, source=server.host, late=by.late
        )
        self.works.append(work)
        if kind in world.MOVES or kind == 'resize':
            self.taken.append((now, server.id))
        if deed:
            server.deeds.append(
                model.Deed(deed, by.user_id, by.project_id, world.utc(now))
            )
        return work

    # Records

    def new_record(
        self, work: world.Work, kind: str, status: str
    ) -> world.Record:
        """Create a migration record, which counts as never updated."""
        server = work.server
        assert server.host
        number = next(self._numbers)
        work.record = record = world.Record(
            id=number,
            uuid=f'00000000-0000-0001-0000-{number:012x}',
            server=server,
            type=kind,
            status=status,
            source=server.host,
            created_at=self.timeline.now,
            by=work.by,
        )
        self.records[number] = record
        return record

    def update(self, record: world.Record, **changes: ty.Any) -> None:
        """Change a migration record."""
        record.change(self.timeline.now, changes)

    # Allocations

    def hold(self, consumer: str, host: str) -> None:
        """Give a consumer an allocation on a host."""
        held = self.allocations[consumer]
        if host in held:
            return
        held.add(host)
        server = self.servers.get(consumer)
        if server:
            self._use(host, server.memory_mb)
            self.arrivals.append((self.timeline.now, consumer, host))

    def release(self, consumer: str, host: str) -> None:
        """Take a consumer's allocation on a host away."""
        held = self.allocations[consumer]
        if host not in held:
            return
        held.remove(host)
        server = self.servers.get(consumer)
        if server:
            self._use(host, -server.memory_mb)

    def release_all(self, consumer: str) -> None:
        """Take all allocations of a consumer away."""
        for host in sorted(self.allocations[consumer]):
            self.release(consumer, host)

    def _use(self, host: str, memory_mb: int) -> None:
        if host in self.hosts:
            self.hosts[host].used_mb += memory_mb

    def hand_over(self, record: world.Record) -> None:
        """Let a record hold what its server does on the source."""
        self.hold(record.uuid, record.source)
        self.release(record.server.id, record.source)

    def hand_back(self, record: world.Record) -> None:
        """Let its server hold it again, and nothing on the destination."""
        server = record.server
        self.release(record.uuid, record.source)
        for host in sorted(self.allocations[server.id] - {record.source}):
            self.release(server.id, host)
        self.hold(server.id, record.source)

    # The scheduler

    def schedule(
        self,
        server: world.Server,
        *,
        claims: bool,
        host: str = '',
        tried: collections.abc.Container[str] = (),
    ) -> str | None:
        """Return the emptiest host that may take a server, if any.

        :param claims: the choice shows in the host's row at once, as that
            of a cold migration does, and that of a live migration does not.
        :param host: the only one to consider.
        :param tried: not these.
        """
        fit = [
            each
            for each in self.hosts.values()
            if each.enabled
            and each.up
            and not each.forced_down
            and each.name != server.host
            and each.name not in tried
            and host in ('', each.name)
            and each.used_mb + server.memory_mb <= each.memory_mb
        ]
        if not fit:
            return None
        now = self.timeline.now
        for each in fit:
            age = now - each.row_at
            if not self._piles_up or not each.row_at or age >= ROW_SECONDS:
                each.row, each.row_at = each.used_mb, now
        chosen = min(fit, key=lambda each: (each.row, each.name))
        if claims:
            chosen.row += server.memory_mb
        return chosen.name
