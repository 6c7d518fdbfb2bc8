# SPDX-License-Identifier: Apache-2.0

"""Stopping when moves fail one after another: ``--max-failures``.

If the control plane is broken, every move breaks a server. So the number of
servers that failed in a row counts, over all hosts of a call.
"""

from collections import abc
import dataclasses
import datetime

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

Phase = server_status.Phase
#: A server that fails on this many destinations fails because of itself or
#: the cloud, not because of a destination.
DESTINATIONS = 2
_NAMES = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Finished:
    """A server whose moves in this run are over."""

    server_id: str
    failed: bool
    #: Its last move, and where its moves that failed went to.
    move: str
    destinations: frozenset[str]
    in_error: bool
    #: When its last record ended, by Nova's clock.
    ended_at: datetime.datetime
    record_id: int


def finished(
    view: model.Server | None,
    records: abc.Sequence[model.Migration],
    status: server_status.ServerStatus,
) -> Finished | None:
    """Return the outcome of a server's moves that counts, or None.

    Moves that never got a destination, and moves of others, do not count.

    :param view: how it was last seen.
    :param records: its moves off the host in this run, oldest first.
    """
    if not records or records[-1].in_flight:
        return None
    last = records[-1]
    in_error = view is not None and view.status == nova_states.Status.ERROR
    destinations = frozenset(
        r.dest for r in records if r.dest and r.status in nova_states.FAILED
    )
    succeeded = last.awaits_confirmation or (
        last.ended_well and status.phase is Phase.MOVED
    )
    failed = (
        status.phase is Phase.FAILED
        and not last.found_no_host
        and (in_error or len(destinations) >= DESTINATIONS)
    )
    if not (succeeded or failed):
        return None
    return Finished(
        server_id=last.server_id,
        failed=not succeeded,
        move=memories.move_of(last),
        destinations=destinations,
        in_error=in_error,
        ended_at=last.updated_at or last.created_at,
        record_id=last.id,
    )


def in_a_row(servers: abc.Iterable[Finished]) -> tuple[Finished, ...]:
    """Return the servers that failed since the last one that succeeded."""
    row: list[Finished] = []
    for each in sorted(servers, key=lambda s: (s.ended_at, s.record_id)):
        row = [*row, each] if each.failed else []
    return tuple(row)


def explanation(row: abc.Sequence[Finished]) -> str:
    """Return what some servers that failed in a row have in common."""
    names = ', '.join(each.server_id for each in row[:_NAMES])
    more = f' and {len(row) - _NAMES} more' if len(row) > _NAMES else ''
    common = []
    if len({each.move for each in row}) == 1:
        common.append(f'each by {row[0].move}')
    destinations = {each.destinations for each in row}
    if len(destinations) == 1 == len(row[0].destinations):
        common.append(f'each to {min(row[0].destinations)}')
    if all(each.in_error for each in row):
        common.append('each is in ERROR now')
    return (
        f'{len(row)} servers failed to move one after another ({names}{more}'
        f'{"; " if common else ""}{", ".join(common)})'
    )


def stop_reason(row: abc.Sequence[Finished], most: int) -> str:
    """Return why no other move is started."""
    return (
        f'{len(row)} servers failed one after another, so no other move is '
        f'started (--max-failures {most}): find out why (openstack server '
        f'event list {row[-1].server_id}) and run this again'
    )
