# SPDX-License-Identifier: Apache-2.0

"""The places of moves at each home, and which source takes the next one."""

import collections
from collections import abc
import functools

from osc_hostmaint.engine import host_loop
from osc_hostmaint.engine.capacity import in_flight
from osc_hostmaint.engine.restore import plan
from osc_hostmaint.planning.restore import queues
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

_IDLE = frozenset({server_status.Phase.WAITING, server_status.Phase.BUSY})


class Source:
    """One group of servers that come home from one host."""

    def __init__(self, loop: host_loop.HostLoop, group: plan.Group):
        self.loop = loop
        self.home = group.home.host
        self.servers = frozenset(server.id for server in group.servers)
        self._wanted = group.wanted
        self._rows = group.rows

    def queue(self, moving: abc.Set[str], *, asking: bool) -> queues.Queue:
        """Return its queue.

        :param moving: servers on their way.
        :param asking: it is about to decide, and may start all that waits.
        """
        decision = self.loop.decision
        wanted = decision.held_back if decision else self._wanted
        rows = decision.rows if decision else self._rows
        idle = {row.server_id for row in rows if row.phase in _IDLE}
        waiting = len(idle - moving)
        if asking:
            wanted = waiting
        elif self.loop.outage:
            # It would keep the place from the others.
            wanted = 0
        return queues.Queue(self.loop.host, waiting, wanted)


class Places:
    """Tells each source how many moves it may start."""

    def __init__(
        self, moves: in_flight.MovesInFlight, sources: abc.Sequence[Source]
    ):
        """:param moves: those on their way, which a bound holds for."""
        self._moves = moves
        self._sources = sources
        for source in sources:
            source.loop.places = functools.partial(self._come_to, source)

    def _come_to(self, asking: Source) -> int:
        """Return how many places come to a source.

        Those that others come to look at once: who waits for its turn would
        look only seconds later.
        """
        moving = self._moves.under_way().keys()
        rivals = [
            each
            for each in self._sources
            if each.home == asking.home and not each.loop.done
        ]
        found = [s.queue(moving, asking=s is asking) for s in rivals]
        # A resumed server has its place, and is yet to be migrated.
        sent = self._moves.sent
        resumed = sum(
            i in sent and sent[i].kind is memories.ActionKind.RESUME
            for i in asking.servers
        )
        if not any(queue.wanted for queue in found):
            return resumed
        counts = collections.Counter[str]()
        for each in self._sources:
            counts[each.loop.host] += len(each.servers & moving)
        given = queues.share_out(
            self._moves.places(asking.home),
            found,
            counts,
            rivals.index(asking),
        )
        for each, count in zip(rivals, given, strict=True):
            if count and each is not asking:
                each.loop.hurry()
        return given[rivals.index(asking)] + resumed
