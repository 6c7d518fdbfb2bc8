# SPDX-License-Identifier: Apache-2.0

"""Which servers are brought back to a host, which are skipped, and why.

Nova's migration records decide: a server is brought back if its latest move in
the whole cloud took it off the host, and if it is still where that move put
it. What was done with it since then was done on purpose.
"""

from collections import abc
import dataclasses
import datetime

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import status as server_status

Code = codes.Code
InstanceAction = model.InstanceAction
Migration = model.Migration
Server = model.Server
#: Moves of a maintenance. A resize is its owner's.
MOVES = frozenset(
    {
        model.MigrationType.LIVE,
        model.MigrationType.COLD,
        model.MigrationType.EVACUATION,
    }
)
#: A server's record that decides, by the server's id.
LatestMoves = abc.Mapping[str, Migration]

_Phase = server_status.Phase


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A server to bring back, or on its way back."""

    server: Server
    #: Where it is to come from; its old host, if it is back already.
    host: str
    #: The move that took it away, or the one that brings it back.
    record: Migration


def against(service: model.Service) -> str:
    """Return why a host takes no servers, and what to do; or ''."""
    host = service.host
    if service.silent:
        return down_cells.words(host)
    if service.mode is model.Mode.MAINTENANCE:
        return (
            f'{host} is in maintenance and takes no servers: put it back into '
            f'service first (openstack host maintenance unset {host})'
        )
    if not service.enabled:
        theirs = service.disabled_reason
        reason = f'their reason: {theirs!r}' if theirs else 'without a reason'
        return (
            f'{host} was disabled by somebody else ({reason}) and takes no '
            'servers: if it may be put back into service, run openstack host '
            f'maintenance unset --force {host}'
        )
    if service.forced_down:
        return (
            f'the compute service on {host} is forced down: if the host is '
            f'alive, run openstack compute service set --up {host} '
            'nova-compute'
        )
    if not service.up:
        return (
            f'the compute service on {host} is down, so every server moved to '
            'it would fail: start nova-compute first'
        )
    return ''


def departures(
    home: str, records: abc.Iterable[Migration]
) -> tuple[Migration, ...]:
    """Return the records of moves that took servers away from a host."""
    return tuple(
        record
        for record in records
        if record.source == home
        and record.type in MOVES
        and not record.ended_badly
    )


def oldest(records: abc.Iterable[Migration]) -> datetime.datetime | None:
    """Return when the first of some moves began; None: there is none.

    Whatever was done with their servers later has a later record. When a move
    itself was changed says nothing: for an evacuation that is when the host
    was started again.
    """
    return min((r.created_at for r in records), default=None)


def latest_moves(
    left: abc.Collection[Migration], moves: abc.Iterable[Migration]
) -> dict[str, Migration]:
    """Return the record that decides, for each server that has left a host.

    It is the newest one, without moves that failed: these changed nothing.

    :param left: of moves that took servers away from it.
    :param moves: of the whole cloud, since the first of these began.
    """
    found = {record.server_id: record for record in left}
    for record in sorted((*left, *moves), key=lambda r: r.id):
        if record.server_id in found and not record.ended_badly:
            found[record.server_id] = record
    return found


def left_at(
    left: abc.Iterable[Migration],
) -> dict[str, datetime.datetime]:
    """Return when servers have left a host for the last time, by their ids.

    That is when Nova last changed the records, as ``--since`` has it.

    :param left: of moves that took them away; others are under way still.
    """
    return {
        record.server_id: record.updated_at or record.created_at
        for record in sorted(left, key=lambda r: r.id)
        if not record.in_flight
    }


def places(home: str, latest_moves: LatestMoves) -> tuple[str, ...]:
    """Return the hosts that servers may be on, in order."""
    found = {home} if latest_moves else set()
    for record in latest_moves.values():
        found.add(record.dest or record.source)
        if not record.ended_well:
            found.add(record.source)
    return tuple(sorted(found))


def judge(
    home: str, record: Migration, server: Server
) -> Candidate | decisions.Row | None:
    """Return a server to bring back, or the row that says why it is not.

    None: it is back already or was deleted, and needs no row.

    :param record: the one that decides.
    :param server: as just seen.
    """
    if server.deleted:
        return None
    if server.status == nova_states.Status.UNKNOWN:
        host = server.host or record.dest or record.source
        reason = down_cells.LEFT
        return row(server, _Phase.BLOCKED, reason, Code.CELL_DOWN, host)
    back = record.dest == home and record.source != home
    resized = record.type not in MOVES
    # Nova's record may say that it came home although it has not.
    on_its_way = not record.ended_well or server.host == record.source
    # Or the run that resumed it was killed before it suspended it again.
    if back and not resized and (on_its_way or server.tag_removable):
        return Candidate(server, record.source if on_its_way else home, record)
    if server.host == home and not (back and resized):
        return None
    if meanwhile := _meanwhile(home, record, server):
        return row(server, _Phase.SKIPPED, *meanwhile)
    words, code = '', Code.SHELVED
    if record.awaits_confirmation:
        words = (
            f'its cold migration to {record.dest} is not confirmed: confirm '
            f'it (openstack server resize confirm {server.id})'
        )
        code = Code.NOT_CONFIRMED
    elif server.status == nova_states.Status.SHELVED:
        words = (
            'a shelved server cannot be brought back: unshelve it (openstack '
            f'server unshelve {server.id})'
        )
    if words:
        reason = f'{words} and run this again'
        return row(server, _Phase.BLOCKED, reason, code)
    return Candidate(server, server.host or '', record)


def _meanwhile(
    home: str, record: Migration, server: Server
) -> tuple[str, Code] | None:
    """Return what else was done with a server since it left, if anything."""
    if server.host is None:
        words = f'it is no longer on a host ({server.status})'
        return words, Code.ON_NO_HOST
    if record.type not in MOVES:
        words = f'resized after it left {home}'
        if record.in_flight:
            words = 'it is being resized'
        elif server.host == home:
            words += ', which brought it back'
        return words, Code.RESIZED_BY_OTHERS
    words = ''
    if record.in_flight:
        to = f'to {record.dest}' if record.dest else 'to another host'
        words = f'it is being moved {to}'
    elif record.source != home or server.host != record.dest:
        words = f'moved to {server.host} after it left {home}'
    return (words, Code.MOVED_BY_OTHERS) if words else None


def row(
    server: Server,
    phase: server_status.Phase,
    reason: str,
    code: Code,
    host: str = '',
) -> decisions.Row:
    """Return the row of a server that is left alone.

    :param host: where it is, if Nova may not show that.
    """
    return decisions.Row(
        server_id=server.id,
        name=server.name,
        host=host or server.host or '',
        status=server.status,
        move='',
        destination='',
        phase=phase,
        reason=reason,
        code=code,
        attempts=0,
        seconds=None,
        wish=server.wish,
    )


def running(
    candidate: Candidate,
    ask_history: abc.Callable[[], abc.Iterable[InstanceAction]],
) -> policies.Running:
    """Return how to bring back a server that is running.

    It comes back the way it left: cold if that restarted it, unless it was
    stopped and its owner has started it since; live otherwise.

    :param ask_history: returns what was done to it; asked only if that counts.
    """
    record, server = candidate.record, candidate.server
    was_cold = record.type == model.MigrationType.COLD
    if not was_cold or server.vm_state != nova_states.VmState.ACTIVE:
        return policies.Running.LIVE
    started = any(
        each.action == 'start' and each.started_at >= record.created_at
        for each in ask_history()
    )
    return policies.Running.LIVE if started else policies.Running.COLD
