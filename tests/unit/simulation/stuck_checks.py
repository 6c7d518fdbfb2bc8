# SPDX-License-Identifier: Apache-2.0

"""Whether what is called stuck is so, and what is so is called stuck."""

from osc_hostmaint import exceptions
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from tests.unit.simulation import runs as runs_

_COMPLETE = (exceptions.ExitCode.DONE, exceptions.ExitCode.LEFT)


def untrue_age(run: runs_.Run, row: decisions.Row) -> str:
    """Return what a row says of a server's age, or not, and should not."""
    cloud, server = run.cloud, run.cloud.servers.get(row.server_id)
    if server is None or run.blind or run.changed_by_others(server):
        return ''
    silent = server.host and cloud.hosts[server.host].cell_was_down
    if run.exit_code not in _COMPLETE or silent:
        return ''
    said = 'stuck in' in row.reason
    old = server.changed_at <= run.began - timing.FOUND_STUCK_SECONDS
    if said and not old:
        return 'it changed within the hour'
    excluded = server.id in run.policy.exclude
    awaited = not (
        run.policy.evacuate or server.vm_state == 'error' or excluded
    )
    stuck = awaited and old and server.task_state and row.result
    return 'it is stuck' if stuck and not said else ''
