# SPDX-License-Identifier: Apache-2.0

"""Whether those come home who are to, nobody else, and the report says so.

Judged by the simulated truth alone: who is to come home when a run begins
follows from Nova's records as they are then.
"""

import enum

from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.restore import candidates
from tests.unit.simulation import report_checks
from tests.unit.simulation import request_checks
from tests.unit.simulation import runs as runs_
from tests.unit.simulation import state
from tests.unit.simulation import world

Run = runs_.Run
Result = decisions.Result

_ENDED_BADLY = frozenset({'error', 'failed', 'cancelled', 'reverted'})
_ENDED_WELL = frozenset({'completed', 'confirmed', 'done'})


class Expected(enum.Enum):
    """What is to be done with a server that has left a host."""

    #: It is to come home.
    COMES = enum.auto()
    #: It is on its way home already, or has arrived and is to be confirmed.
    RETURNS = enum.auto()
    #: It is there.
    HOME = enum.auto()
    #: It is to be left alone.
    ALONE = enum.auto()


class Expectations:
    """Who is to come home to a host, as a run begins."""

    def __init__(self, home, since, running):
        self.home = home
        self.since = since
        self.running = running
        #: By the server's id; of others there is none.
        self.told: dict[str, Expected] = {}
        #: The types of the moves that took them away.
        self.types: dict[str, str] = {}

    def begin(self, cloud: state.State) -> None:
        """Take note of how things are now."""
        records: dict[str, list[world.Record]] = {}
        for record in cloud.records.values():
            if record.status not in _ENDED_BADLY:
                records.setdefault(record.server.id, []).append(record)
        for server_id, found in records.items():
            if any(self._away(record) for record in found):
                newest = found[-1]
                self.told[server_id] = self._expected(newest)
                self.types[server_id] = newest.type

    def _away(self, record: world.Record) -> bool:
        changed = record.updated_at
        return (
            record.source == self.home
            and record.type in candidates.MOVES
            and changed is not None
            and world.utc(changed) >= self.since
        )

    def _expected(self, record: world.Record) -> Expected:
        server, moved = record.server, record.type in candidates.MOVES
        back = record.dest == self.home and moved
        if back and record.status not in _ENDED_WELL:
            return Expected.RETURNS
        if server.host == self.home:
            return Expected.HOME
        if not moved or record.status not in _ENDED_WELL:
            return Expected.ALONE
        # Of one that came to nothing, in spite of its record, the server is
        # where the move before it has put it.
        away = record.source == self.home and server.host == record.dest
        stayed = back and server.host == record.source
        return Expected.COMES if away or stayed else Expected.ALONE

    def judge(self, run: Run) -> list[str]:
        """Return what is wrong with a run, and with its report."""
        found, cloud = self._touched(run), run.cloud
        if run.killed:
            return found
        rows = run.result.rows
        if run.result.errors and not rows:
            # It could not even begin.
            return found
        whole = run.exit_code in report_checks.COMPLETE
        cut = any('interrupted' in row.reason for row in rows)
        over = whole or run.exit_code is report_checks.Code.TIMEOUT
        # Who interrupts it when all has been done has not interrupted it.
        if cut or not (run.interrupted and over):
            found += report_checks.untrue_exit_code(run)
        told = [row.server_id for row in rows]
        if len(told) != len(set(told)):
            found.append(f'more than one row of a server: {rows}')
        for row in rows:
            if wrong := self._untrue_row(run, row):
                found.append(f'{row.name or row.server_id}: {wrong}: {row}')
        if run.result.errors or run.interrupted:
            return found
        return found + [
            f'nothing is reported about {cloud.servers[server_id].name}'
            for server_id, expected in self.told.items()
            if expected in (Expected.COMES, Expected.RETURNS)
            and server_id not in told
            and not self._has_returned(cloud, server_id, expected)
            and not run.changed_by_others(cloud.servers[server_id])
            # Nothing shows then that it left.
            and not report_checks.cell_was_down(
                cloud, cloud.servers[server_id]
            )
        ]

    def _has_returned(self, cloud, server_id, expected) -> bool:
        """Tell whether it was home before anybody looked."""
        server = cloud.servers[server_id]
        rests = server.host == self.home and server.vm_state != 'resized'
        return expected is Expected.RETURNS and rests

    def _touched(self, run: Run) -> list[str]:
        """Return what was done to servers that are to be left alone."""
        found = []
        for work in run.works():
            server = work.server
            expected = self.told.get(server.id)
            comes = expected in (Expected.COMES, Expected.RETURNS)
            # Who was resumed to come home is suspended there.
            ends = expected is Expected.HOME and work.kind == 'suspend'
            name = f'{work.kind} of {server.name}'
            if not (comes or ends or run.changed_by_others(server)):
                found.append(f'{name}, which is {expected}')
            if work.kind in world.MOVES and work.asked != self.home:
                found.append(f'{name} to {work.asked or "anywhere"}')
            if work.kind == 'cold_migrate' and self._in_vain(run, work):
                found.append(f'{name} restarts it, and it left live')
        return found

    def _in_vain(self, run: Run, work: world.Work) -> bool:
        return (
            work.found == 'active'
            and self.running is None
            and self.types.get(work.server.id) != 'migration'
            and not work.late
        )

    def _untrue_row(self, run: Run, row: decisions.Row) -> str:
        server = run.cloud.servers[row.server_id]
        was, others = run.before[server.id], run.changed_by_others(server)
        stopped = report_checks.stopped_running(was, server)
        match row.result:
            case None:
                return 'it ended without a result'
            case Result.GONE:
                return '' if server.deleted else 'it exists'
            case Result.MOVED:
                if others:
                    return ''
                wrong = 'its guest does not run' if stopped else ''
                return wrong or self._untrue_move(server)
            case _ if not row.reason:
                return 'no reason is given'
            case Result.MOVING:
                gone = request_checks.was_gone_when_looked
                return (
                    'nothing moves it' if gone(run, server, row.host) else ''
                )
            case Result.SKIPPED:
                mine = any(work.server is server for work in run.works())
                return 'it was not' if mine and not others else ''
        flying = server.task_state or server.vm_state == 'resized'
        sound = server.vm_state == was.vm_state and not stopped
        if others or flying or server.deleted or not sound:
            return ''
        whole = run.exit_code in report_checks.COMPLETE
        home = whole and server.host == self.home
        return 'it is home, and nothing is wrong with it' if home else ''

    def _untrue_move(self, server: world.Server) -> str:
        if server.deleted:
            return ''
        if server.host != self.home:
            return f'it is on {server.host}'
        if server.vm_state == 'resized':
            return 'it is not confirmed'
        return report_checks.wrong_state(server)


def violations(left: Run, *runs: Run) -> list[str]:
    """Return what is wrong with all restores after the drain that left."""
    found = [error for run in runs for error in run.untrue_reports]
    for run in runs:
        found += request_checks.moved_twice_at_once(run)
        found += request_checks.over_retries(run)
        found += request_checks.without_reason(run)
        found += request_checks.against_group_rules(run)
        found += request_checks.over_parallel_per_destination(run)
        found += report_checks.overwritten_marks(run)
    found += report_checks.overfilled(left.cloud)
    found += request_checks.confirmed_together(left.cloud)
    return found + report_checks.behind(left, *runs)
