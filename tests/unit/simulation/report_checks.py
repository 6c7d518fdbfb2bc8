# SPDX-License-Identifier: Apache-2.0

"""Whether a drain tells the truth about the cloud.

Judged by the simulated truth alone, at the moment it ends. What others did
after the drain last looked is not held against it.
"""

from collections import abc
import re

from osc_hostmaint import exceptions
from osc_hostmaint import mark
from osc_hostmaint import nova_states
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import context as contexts
from tests.unit.simulation import evacuation_checks
from tests.unit.simulation import request_checks
from tests.unit.simulation import row_checks
from tests.unit.simulation import runs as runs_
from tests.unit.simulation import state
from tests.unit.simulation import world

Run = runs_.Run
State = state.State
Server = world.Server
Code = exceptions.ExitCode
Result = decisions.Result

repeated = request_checks.sent_again

COMPLETE = row_checks.COMPLETE
#: States that only a request can have changed.
_KEPT = frozenset({'active', 'paused', 'stopped', 'suspended', 'error'})
#: What is said of a move that is not awaited to its end.
_NOT_AWAITED = re.compile(
    'may still be running|outcome (of its move )?is not known'
)


def left_on(cloud: State, host: str, *, dead: bool = False) -> dict[str, str]:
    """Return what is left on a host, and of what kind it is.

    By the server's id; where Nova has no record of it any more, by that of
    whoever holds the allocation.

    :param dead: what it is to clean up when it comes back does not count.
    """
    left: dict[str, str] = {}
    owners = {r.uuid: r.server.id for r in cloud.records.values()}
    for consumer, hosts in cloud.allocations.items():
        server = cloud.servers.get(consumer)
        if dead and server and evacuation_checks.awaits_clean_up(server, host):
            continue
        if host in hosts:
            left[owners.get(consumer, consumer)] = 'it holds an allocation'
    for record in cloud.records.values():
        if record.source == host and record.status == 'finished':
            left[record.server.id] = 'it is not confirmed'
    for server in cloud.servers.values():
        if server.host == host and not server.deleted:
            left[server.id] = 'it is there'
    return left


def untrue_reports(run: Run) -> list[str]:
    """Return what a drain reports and is not so, as it ends."""
    if run.killed:
        return []
    found = untrue_exit_code(run)
    for host in run.hosts:
        found += _untrue_hosts(run, host)
    return found


def untrue_exit_code(run: Run) -> list[str]:
    """Return what the exit code says and is not so."""
    code, rows, errors = run.exit_code, run.result.rows, run.result.errors
    left = any(row.left for row in rows)
    found = []
    if (code is Code.INTERRUPTED) != run.interrupted:
        found.append(f'exit {code}, interrupted: {run.interrupted}')
    if run.interrupted:
        return found
    if (code is Code.FAILED) != bool(errors):
        found.append(f'exit {code}, and the errors are {errors}')
    if not all(errors.values()):
        found.append('an error does not say why')
    ends = [e for e in (run.timeout, run.until_after) if e is not None]
    if code is Code.TIMEOUT and not any(run.seconds > e - 1e-6 for e in ends):
        found.append(f'exit 4 after {run.seconds} s of {ends}')
    if code is Code.DONE and left:
        found.append('exit 0, and rows say that servers are left')
    if code is Code.LEFT and not left:
        found.append('exit 3, and no row says why')
    return found


def _untrue_hosts(run: Run, host: str) -> list[str]:
    cloud = run.cloud
    rows = [row for row in run.result.rows if row.host == host]
    remains = left_on(cloud, host, dead=run.policy.evacuate)
    looked = run.client.last_look.get(host, run.began)
    found = []
    for row in rows:
        wrong = _untrue_row(run, row, remains.get(row.server_id))
        wrong = wrong or row_checks.untrue_age(run, row)
        if wrong:
            found.append(f'{row.name or row.server_id}: {wrong}: {row}')
        found += row_checks.harm(cloud, row, looked)
    told = [row.server_id for row in rows]
    if len(told) != len(set(told)):
        found.append(f'more than one row of a server: {rows}')
    asked = {request.subject for request, _answer in run.client.posted}
    found += [
        f'nothing is reported about {_name(cloud, server_id)}'
        for server_id in sorted(run.client.listed[host] - set(told))
        # Others may have got it away before anybody took note of it.
        if server_id in asked
        or server_id in remains
        or not run.changed_by_others(cloud.servers[server_id])
    ]
    drained = not any(row.left for row in rows)
    if drained and run.exit_code in COMPLETE:
        found += [
            f'{host} is drained, and of {_name(cloud, i)}: {what}'
            for i, what in remains.items()
            if not _later(run, i, host)
        ]
    return found


def _name(cloud: State, server_id: str) -> str:
    server = cloud.servers.get(server_id)
    return server.name if server else server_id


def _later(run: Run, server_id: str, host: str) -> bool:
    """Tell whether it came to the host when nobody looked any more."""
    looked = run.client.last_look.get(host, run.began)
    return any(
        time > looked
        for time, who, where in run.cloud.arrivals
        if who == server_id and where == host
    )


def _untrue_row(run: Run, row: decisions.Row, remains: str | None) -> str:
    server = run.cloud.servers.get(row.server_id)
    was = run.before.get(row.server_id)
    match row.result:
        case None:
            return 'it ended without a result'
        case Result.GONE:
            return '' if server and server.deleted else 'it exists'
        case Result.MOVED | Result.OFFLOADED:
            return _untrue_move(run, was, row, remains)
        case _ if not row.reason:
            return 'no reason is given'
        case Result.BLOCKED if row_checks.BEFORE in row.reason:
            return row_checks.untrue_time(run, row)
        case Result.MOVING if _NOT_AWAITED.search(row.reason):
            # It was given up before the end, and has not been looked at since.
            return ''
        case Result.MOVING:
            rests = server and request_checks.was_gone_when_looked(
                run, server, row.host
            )
            return 'nothing moves it' if rests else ''
    if run.exit_code not in COMPLETE or remains:
        return ''
    if down_cells.CELL in row.reason:
        silent = server and cell_was_down(run.cloud, server)
        return '' if silent else 'it answers'
    if server is None or run.changed_by_others(server):
        return ''
    if any(
        record.server is server and record.shown().in_flight
        for record in run.cloud.records.values()
    ):
        return ''
    if row.result is Result.BLOCKED:
        return 'it is not there any more'
    settled = server.vm_state != 'resized'
    if was and stopped_running(was, server):
        return ''
    sound = was and settled and server.vm_state == was.vm_state
    if sound and not wrong_state(server) and server.task_state is None:
        return 'it has moved, and nothing is wrong with it'
    return ''


def overwritten_marks(run: Run) -> list[str]:
    """Return marks that were overwritten, and that was not said once."""
    said, seen = run.recorder.said_overwritten, run.recorder.seen_overwritten
    if sorted(said) == sorted(seen):
        return []
    return [f'overwritten marks of {seen} are said to be of {said}']


def cell_was_down(cloud: State, server: Server) -> bool:
    """Tell whether a server's cell did not answer at some time."""
    return server.host is not None and cloud.hosts[server.host].cell_was_down


def _untrue_move(run, was, row, remains) -> str:
    server = run.cloud.servers.get(row.server_id)
    if server is None:
        return 'there is no such server'
    if server.deleted:
        return '' if server.host != row.host else 'it was deleted'
    # What others move back is on its way, and not there again.
    theirs = server.work is not None and not server.work.by.ours
    returns = theirs and server.host != row.host
    # Whether an allocation is left is not known then, and the host's error.
    unknown = any('Placement' in error for error in run.result.errors.values())
    excused = returns or _later(run, server.id, row.host)
    if remains and not (excused or (unknown and 'allocation' in remains)):
        return remains
    offloaded = server.vm_state == 'shelved_offloaded'
    if offloaded is not (row.result is Result.OFFLOADED):
        theirs = run.changed_by_others(server)
        return '' if theirs else f'it is {server.vm_state}'
    works = run.cloud.works_on(server)
    if any(work.by.ours and work.source != row.host for work in works):
        # It has been moved on from there: that is another row.
        return ''
    if was and was.vm_state == server.vm_state:
        meanwhile = any(
            not work.by.ours and work.until >= run.began for work in works
        )
        stopped = stopped_running(was, server) and not meanwhile
        return 'its guest does not run' if stopped else ''
    # Another drain may be to suspend it again.
    if server.vm_state == 'active' and any(
        work.kind == 'resume' and work.by.ours and work.by is not run.actor
        for work in works
    ):
        return ''
    return wrong_state(server)


def stopped_running(was: Server, server: Server) -> bool:
    """Tell whether a guest ran that does not any more, though ACTIVE."""
    on = nova_states.PowerState.RUNNING
    stopped = was.power_state == on != server.power_state
    return stopped and server.vm_state == 'active'


def wrong_state(server: Server) -> str:
    """Return how a state differs from what others want or did, or ''."""
    state, wanted, work = server.vm_state, server.wanted, server.work
    if state not in _KEPT or wanted in ('', state) or wanted not in _KEPT:
        return ''
    if state == 'error' and work and not work.by.ours:
        return ''
    if server.evacuation:
        return evacuation_checks.wrong_state(server)
    return f'it was {wanted} and is {state}'


def behind(*runs: Run) -> list[str]:
    """Return what drains had to do with and is not as others want it.

    To be asked after the last run, which nobody may have stopped. What a
    row says is wrong is told, and so no surprise.
    """
    cloud, last = runs[0].cloud, max(runs, key=lambda run: run.ended)
    if last.killed or last.exit_code not in COMPLETE:
        return []
    rows = (row for run in runs if not run.killed for row in run.result.rows)
    told = {row.server_id for row in rows if row.left}
    found = [
        f'{server.name} still has its tag'
        for server in cloud.servers.values()
        if server.tagged and not _tag_excused(server, last, runs)
    ]
    for server_id in {work.server.id for work in cloud.works if work.by.ours}:
        server = cloud.servers[server_id]
        wrong = wrong_state(server) or _unconfirmed(server)
        known = server_id in told or _unforeseen(server, runs)
        if _left_running(server, last, runs):
            wrong, known = 'it was suspended, and nobody tried to again', False
        if wrong and not known and not server.deleted:
            found.append(f'{server.name}: {wrong}')
    return sorted(found)


def _tag_excused(server: Server, last: Run, runs: abc.Sequence[Run]) -> bool:
    """Tell whether nobody could take its tag away, or a row says so."""
    rows = [r for run in runs if not run.killed for r in run.result.rows]
    words = ('still has the tag', 'removes its tag', 'to suspend it')
    words += ('is not suspended again',)
    told = {r.server_id for r in rows if any(w in r.reason for w in words)}
    return (
        server.deleted
        or server.id in told
        or server.vm_state not in nova_states.TAGGABLE
        or _left_before(server, last)
    )


def _left_before(server: Server, last: Run) -> bool:
    """Tell whether it left before the maintenance began that is known now.

    Somebody overwrote the mark of the one in which it was resumed.
    """
    hosts = (last.cloud.hosts[name] for name in last.hosts)
    began = [m.since for h in hosts if (m := mark.parse(h.disabled_reason))]
    return server.host not in last.hosts and not any(
        record.server is server
        and record.shown().created_at >= min(began) - contexts.SKEW
        for record in last.cloud.records.values()
        if began
    )


def _left_running(server, last, runs) -> bool:
    """Tell whether it was resumed and could have been suspended again."""
    resting = server.task_state is None and (
        server.work is None or server.work.ended is not None
    )
    return (
        server.wanted == 'suspended'
        and server.vm_state == 'active'
        and resting
        and server.host is not None
        and last.cloud.hosts[server.host].up
        and not _left_before(server, last)
        and not cell_was_down(last.cloud, server)
        and not any(
            request.kind == 'suspend' and request.subject == server.id
            for run in runs
            for request, _answer in run.client.posted
        )
    )


def _unforeseen(server: Server, runs: abc.Sequence[Run]) -> bool:
    """Tell whether nobody could know of it.

    Nova failed at it when nobody was there any more to see that, or it took
    a request that had hung for long, and another had been faster.
    """
    work = server.work
    if work is None or not work.by.ours:
        return False
    if work.late and work.source not in runs[0].hosts:
        return True
    if server.vm_state != 'error' and not work.dead:
        return False
    asker = next(run for run in runs if run.client.actor is work.by)
    return (
        asker.killed
        or asker.exit_code not in COMPLETE
        or (work.ended is not None and work.ended > asker.ended)
    )


def _unconfirmed(server: Server) -> str:
    work = server.work
    if work is None or not work.by.ours:
        return ''
    if server.vm_state == 'resized':
        settling = work.kind == 'confirm' and not work.dead
        return '' if settling else 'it is at VERIFY_RESIZE'
    if work.ended is None and work.kind in request_checks.STARTING:
        return f'its {work.kind} is under way'
    return ''


def overfilled(cloud: State) -> list[str]:
    """Return the allocations that a host had no room for.

    What a test puts on a host before anything happens is not meant, nor what
    a move holds there in the place of its server.
    """
    sources = {(r.uuid, r.source) for r in cloud.records.values()}
    return [
        f'{host} has no room for {_name(cloud, consumer)} at {time}'
        for time, consumer, host in cloud.overfilled
        if (consumer, host) not in sources
    ]


def violations(*runs: Run) -> list[str]:
    """Return everything that is wrong with all the drains of a cloud."""
    found = [error for run in runs for error in run.untrue_reports]
    for run in runs:
        found += request_checks.violations(run) + overwritten_marks(run)
    cloud = runs[0].cloud
    found += overfilled(cloud) + request_checks.confirmed_together(cloud)
    return found + behind(*runs)
