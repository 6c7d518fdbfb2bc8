#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Whether what a row advises does no harm."""

import re

from osc_hostmaint.planning import decision as decisions
from tests.unit.simulation import state

_DELETE = re.compile(r'(once it has left \S+: )?\S+ [a-z ]+ delete (\S+)')


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
