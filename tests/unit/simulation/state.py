# SPDX-License-Identifier: Apache-2.0

"""What the simulated Nova and Placement keep in their databases."""

import collections
from collections import abc
import dataclasses
import itertools
import random
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.simulation import faults
from tests.unit.simulation import inventory
from tests.unit.simulation import scheduler
from tests.unit.simulation import statuses
from tests.unit.simulation import timeline
from tests.unit.simulation import world

Amounts = inventory.Amounts
Work, Server, Record = world.Work, world.Server, world.Record
#: What Nova's list of a server's actions calls a request, where not the same
#: (nova/compute/instance_actions.py).
INSTANCE_ACTIONS = {
    'live_migrate': 'live-migration',
    'cold_migrate': 'migrate',
    'confirm': 'confirmResize',
    'revert': 'revertResize',
    'offload': 'shelveOffload',
    'abort': 'live_migration_cancel',
    'force_complete': 'live_migration_force_complete',
    'soft_delete': 'delete',
    'reset': 'resetState',
}


class State:
    """Hosts, servers, migration records and allocations over time."""

    def __init__(
        self,
        hosts: abc.Iterable[str],
        *,
        slots: int = 1,
        piles_up: bool = True,
        timing: world.Timing | None = None,
        seed: int = 0,
        shelved_offload_time: int = 0,
        leaks: bool = False,
        capacity: Amounts = inventory.ROOMY,
    ):
        """Build a cloud without servers.

        :param slots: ``max_concurrent_live_migrations`` of every host.
        :param piles_up: weigh hosts by rows that are old, as Nova does
            (NOVA-FACTS section 1), and not by what is so.
        :param shelved_offload_time: as in nova.conf: 0 offloads a shelved
            server at once, -1 never.
        :param leaks: what a nova-compute was at when it died, or a server
            was deleted, keeps its allocations for good, as in Nova.
        """
        self.timeline = timeline.Timeline()
        self.timing = timing or world.Timing()
        self.hosts = {
            name: world.Host(
                name,
                self.timeline,
                timeline.Slots(self.timeline, slots),
                timeline.Gate(self.timeline),
                inventory.Inventory(dict(capacity)),
            )
            for name in hosts
        }
        self.servers: dict[str, Server] = {}
        self.records: dict[int, Record] = {}
        #: What a consumer holds, by host.
        self.allocations: dict[str, dict[str, Amounts]] = (
            collections.defaultdict(dict)
        )
        self.groups: list[snapshots.Group] = []
        self.aggregates: list[snapshots.Aggregate] = []
        #: What Placement answers to everything, if not what is asked for.
        self.placement: faults.Fault | None = None
        #: Migrations that Nova took: when, and of which server.
        self.taken: list[tuple[float, str]] = []
        #: All that Nova took, in order, whoever asked.
        self.works: list[Work] = []
        #: When a server came to have something on a host: server and host.
        self.arrivals: list[tuple[float, str, str]] = []
        #: Allocations for which there was no room: when, whose, where.
        self.overfilled: list[tuple[float, str, str]] = []
        #: Confirmations of one server that came at the same moment.
        self.collisions: list[tuple[Work, ...]] = []
        #: Evacuations of a server that had one in flight: that, and the
        #: later one.
        self.doubles: list[tuple[Work, Work]] = []
        #: Servers that came to run on two hosts at once: by which
        #: evacuation, and where they ran already.
        self.on_two_hosts: list[tuple[Work, str]] = []
        #: Evacuations that started a server that was stopped.
        self.started: list[Work] = []
        #: The control plane is broken: every move ends in ERROR.
        self.broken = False
        #: Drains that have begun.
        self.drains = 0
        self.shelved_offload_time = shelved_offload_time
        self.leaks = leaks
        self.piles_up = piles_up
        self._numbers = itertools.count(1)
        self._random = random.Random(seed)

    def jitter(self, seconds: float) -> float:
        """Return a delay that varies as Nova's do."""
        return seconds * (0.8 + 0.5 * self._random.random())

    def existing(self, server_id: str) -> Server:
        server = self.servers.get(server_id)
        if server is None or server.deleted:
            raise exceptions.NotFound(
                f'Instance {server_id} could not be found. (HTTP 404)'
            )
        return server

    def works_on(self, server: Server) -> list[Work]:
        return [work for work in self.works if work.server is server]

    def change(self, server, *, vm_state=None, task_state=None) -> None:
        """Change a server's states.

        :param vm_state: None keeps it; others bring the power state along,
            as far as they tell.
        :param task_state: None: nothing is being done to it any more.
        """
        if vm_state is not None:
            server.vm_state = vm_state
            power = statuses.power(vm_state)
            server.power_state = server.power_state if power is None else power
        server.task_state = task_state
        server.changed_at = self.timeline.now

    def arrive(self, server: Server, host: str | None) -> None:
        """Let a server be on another host, or on none."""
        server.host = host
        server.changed_at = self.timeline.now
        if host is not None:
            server.path.append(host)

    # Deeds

    def begin(self, kind: str, server: Server, by: world.Actor) -> Work:
        now = self.timeline.now
        work = Work(kind, server, by, now)
        self.works.append(work)
        if kind in world.MOVES or kind == 'resize':
            self.taken.append((now, server.id))
        name = INSTANCE_ACTIONS.get(kind, kind)
        server.instance_actions.append(
            model.InstanceAction(name, world.utc(now))
        )
        return work

    def fail(self, work: Work, reason: str = '') -> None:
        """Let a move have failed, for a reason that Nova keeps, if any."""
        if record := work.record:
            record.failure = dataclasses.replace(record.failure, reason=reason)
        work.server.failures += 1
        work.finish(self.timeline.now, well=False)

    # Records

    def new_record(self, work: Work, kind: str, status: str) -> Record:
        """Create a migration record, which counts as never updated."""
        server = work.server
        assert server.host
        number = next(self._numbers)
        work.record = record = Record(
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

    def update(self, record: Record, **changes: ty.Any) -> None:
        record.change(self.timeline.now, changes)

    # Allocations

    def hold(self, consumer, host, amounts=None) -> None:
        """Give a consumer an allocation on a host, room or no room."""
        if host in self.allocations[consumer]:
            return
        if amounts is None:
            server = self.servers.get(consumer)
            amounts = server.amounts if server else inventory.LEAST
        if not self.hosts[host].inventory.fits(amounts):
            self.overfilled.append((self.timeline.now, consumer, host))
        self._put(consumer, host, amounts)

    def _put(self, consumer: str, host: str, amounts: Amounts) -> None:
        self.hosts[host].inventory.take(amounts)
        self._own(consumer, host, amounts)

    def release(self, consumer: str, host: str) -> None:
        amounts = self.allocations[consumer].pop(host, None)
        if amounts is not None:
            self.hosts[host].inventory.give_back(amounts)

    def release_all(self, consumer: str) -> None:
        for host in sorted(self.allocations[consumer]):
            self.release(consumer, host)

    def _own(self, consumer: str, host: str, amounts: Amounts) -> None:
        self.allocations[consumer][host] = amounts
        if consumer in self.servers:
            self.arrivals.append((self.timeline.now, consumer, host))

    def _pass_on(self, giver: str, taker: str, host: str) -> None:
        """Let another hold what one holds on a host; it takes no room."""
        held = self.allocations[giver]
        if host in held and host not in self.allocations[taker]:
            self._own(taker, host, held.pop(host))
        self.release(giver, host)

    def hand_over(self, record: Record) -> None:
        """Let a record hold what its server does on the source."""
        server = record.server
        self._pass_on(server.id, record.uuid, record.source)
        self.hold(record.uuid, record.source, server.amounts)

    def hand_back(self, record: Record) -> None:
        """Let its server hold it again, and nothing on the destination."""
        server = record.server
        self._pass_on(record.uuid, server.id, record.source)
        for host in sorted(self.allocations[server.id]):
            if host != record.source:
                self.release(server.id, host)
        self.hold(server.id, record.source)

    # Places

    def group_of(self, server: Server) -> snapshots.Group | None:
        for group in self.groups:
            if server.id in group.members:
                return group
        return None

    def place(self, work: Work, host: str, *, claims: bool) -> bool:
        """Let a move go to a host, and claim room there, if there is any."""
        server, there = work.server, self.hosts[host]
        if claims and host not in self.allocations[server.id]:
            if not there.inventory.fits(server.amounts):
                return False
            work.clashes = scheduler.clashes(self, server, host)
            self.hold(server.id, host)
        work.dest, work.placed_at = host, self.timeline.now
        work.misplaced = not there.enabled
        return True

    schedule = scheduler.choose
