# SPDX-License-Identifier: Apache-2.0

"""Whether what a row advises does no harm."""

import re

from osc_hostmaint.planning.host import decision as decisions
from tests.unit.simulation import state

_DELETE = re.compile(
    r'(once the server has left \S+, )?remove the allocation '
    r'\(openstack [a-z ]+ delete ([^\s,]+),'
)


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
