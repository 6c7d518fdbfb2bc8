# SPDX-License-Identifier: Apache-2.0

"""The summary of one host, for show."""

import collections
from collections import abc
import dataclasses

from osc_hostmaint import model

Migrations = abc.Collection[model.Migration]


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """One host: its maintenance state, and what is still on it."""

    service: model.Service
    #: Servers on the host, soft-deleted ones included.
    servers: int
    servers_by_status: abc.Mapping[str, int]
    #: Moves in flight off the host and to it.
    moving_out: int
    moving_in: int
    #: Moves off the host whose disk stays until they are confirmed.
    awaiting_confirm: int
    #: Evacuations off the host, whose remains nova-compute destroys there
    #: when it starts.
    awaiting_cleanup: int
    #: Consumers of Placement that hold something on the host; None: unknown.
    allocations: int | None

    @property
    def drained(self) -> bool | None:
        """Nothing of any server is left on the host; None: unknown."""
        moving = self.moving_out + self.moving_in
        waiting = self.awaiting_confirm + self.awaiting_cleanup
        if self.servers or moving or waiting or self.allocations:
            return False
        return None if self.allocations is None else True


def is_under_way(record: model.Migration, server: model.Server) -> bool:
    """Tell whether a move is really under way, as its record says.

    Nova leaves the record of a move as it is for good if the host dies in the
    middle of it. The server has a task as long as it moves.
    """
    moves = server.task_state is not None or server.resized
    return record.in_flight and moves


def summarize(
    service: model.Service,
    servers: abc.Collection[model.Server],
    moving: Migrations,
    unconfirmed: Migrations,
    evacuated: Migrations,
    consumers: abc.Collection[str] | None,
) -> Summary:
    """Sum up what a look at a host showed.

    :param moving: records of moves that are under way.
    :param consumers: of Placement; None: unknown.
    """
    host = service.host
    by_status = collections.Counter(s.status for s in servers)
    return Summary(
        service=service,
        servers=len(servers),
        servers_by_status=dict(sorted(by_status.items())),
        moving_out=sum(m.source == host for m in moving),
        moving_in=sum(m.dest == host and m.source != host for m in moving),
        awaiting_confirm=len(unconfirmed),
        awaiting_cleanup=len(evacuated),
        allocations=None if consumers is None else len(consumers),
    )
