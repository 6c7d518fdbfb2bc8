# SPDX-License-Identifier: Apache-2.0

"""Whether what one row says is so, and what it advises does no harm."""

import re

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from tests.unit.simulation import runs as runs_
from tests.unit.simulation import state

Run = runs_.Run
#: A drain that ended by itself, and has looked before it did.
COMPLETE = (exceptions.ExitCode.DONE, exceptions.ExitCode.LEFT)
#: What is said of a move that its owner, or another operator, is to confirm.
BEFORE = 'cold-migrated before this maintenance'
_DELETE = re.compile(
    r'(once the server has left \S+, )?remove the allocation '
    r'\(openstack [a-z ]+ delete ([^\s,]+),'
)


def untrue_age(run: Run, row: decisions.Row) -> str:
    """Return what a row says of a server's age, or not, and should not."""
    cloud, server = run.cloud, run.cloud.servers.get(row.server_id)
    if server is None or run.blind or run.changed_by_others(server):
        return ''
    silent = server.host and cloud.hosts[server.host].cell_was_down
    if run.exit_code not in COMPLETE or silent:
        return ''
    said = 'stuck in' in row.reason
    old = server.changed_at <= run.began - timing.FOUND_STUCK_SECONDS
    if said and not old:
        return 'it changed within the hour'
    follows = run.policy.tenant_policy is policies.TenantPolicy.FOLLOW
    excluded = server.id in run.policy.exclude or (
        follows and server.wish == 'leave'
    )
    awaited = not (
        run.policy.evacuate or server.vm_state == 'error' or excluded
    )
    stuck = awaited and old and server.task_state and row.result
    return 'it is stuck' if stuck and not said else ''


def untrue_time(run: Run, row: decisions.Row) -> str:
    """Return that a move began in a maintenance, and not before it."""
    mark, cold = run.marks[row.host], model.MigrationType.COLD
    for record in run.cloud.records.values():
        theirs = record.server.id == row.server_id and record.type == cold
        began = mark and record.shown().created_at >= mark.since
        if theirs and began and record.status == 'finished':
            return 'it was moved in this maintenance'
    return ''


def harm(cloud: state.State, row: decisions.Row, looked: float) -> list[str]:
    """Return which allocations a row would have deleted that are needed.

    :param looked: what went on later is not held against it.
    """
    owners = {record.uuid: record.server for record in cloud.records.values()}
    found = []
    for later, consumer in _DELETE.findall(row.reason):
        server = owners.get(consumer) or cloud.servers.get(consumer)
        if later or not server or server.deleted or server.host is None:
            continue
        needed = consumer == server.id or (
            server.host == row.host
            and row.host not in cloud.allocations[server.id]
        )
        if needed and server.changed_at < looked:
            found.append(f'{server.name} needs what is deleted by: {row}')
    return found
