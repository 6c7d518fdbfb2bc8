# SPDX-License-Identifier: Apache-2.0

"""The summary of one host, for show."""

import collections
from collections import abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning.host import decision as decisions

Migrations = abc.Collection[model.Migration]


@dataclasses.dataclass(frozen=True, slots=True)
class MoveInFlight:
    """A move off a host, or to it, that is under way."""

    record: model.Migration
    #: The server's name.
    name: str
    #: Of a live migration that runs; None where Nova does not say.
    progress: model.Progress | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """One host: its maintenance state, and what is still on it."""

    service: model.Service
    #: Servers on the host, soft-deleted ones included.
    servers: int
    servers_by_status: abc.Mapping[str, int]
    #: Those off the host, and to it.
    moves: tuple[MoveInFlight, ...]
    #: Servers that a drain without options would not move, with the reason.
    blocked: tuple[decisions.Row, ...]
    #: Moves off the host whose disk stays until they are confirmed.
    awaiting_confirm: int
    #: Evacuations off the host, whose remains nova-compute destroys there
    #: when it starts.
    awaiting_cleanup: int
    #: Consumers of Placement that hold something on the host; None: unknown.
    allocations: int | None

    @property
    def moving_out(self) -> int:
        """How many moves off the host are in flight."""
        host = self.service.host
        return sum(move.record.source == host for move in self.moves)

    @property
    def moving_in(self) -> int:
        """How many moves to the host are in flight."""
        return len(self.moves) - self.moving_out

    @property
    def drained(self) -> bool | None:
        """Nothing of any server is left on the host; None: unknown."""
        waiting = self.awaiting_confirm + self.awaiting_cleanup
        if self.servers or self.moves or waiting or self.allocations:
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
    moves: abc.Iterable[MoveInFlight],
    unconfirmed: Migrations,
    evacuated: Migrations,
    consumers: abc.Collection[str] | None,
    rows: abc.Iterable[decisions.Row],
) -> Summary:
    """Sum up what a look at a host showed.

    :param consumers: of Placement; None: unknown.
    :param rows: what a drain would begin with.
    """
    by_status = collections.Counter(s.status for s in servers)
    return Summary(
        service=service,
        servers=len(servers),
        servers_by_status=dict(sorted(by_status.items())),
        moves=tuple(moves),
        blocked=tuple(row for row in rows if row.result and row.left),
        awaiting_confirm=len(unconfirmed),
        awaiting_cleanup=len(evacuated),
        allocations=None if consumers is None else len(consumers),
    )
