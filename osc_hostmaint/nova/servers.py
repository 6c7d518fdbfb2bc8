# SPDX-License-Identifier: Apache-2.0

"""What is asked of Nova about servers, and their groups."""

import datetime

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import client
from osc_hostmaint.nova import records
from osc_hostmaint.planning.capacity import snapshot as snapshots

#: Lists of servers tell at it what the scheduler was asked for: the zone
#: (2.96), the image's properties (2.98), and hints (2.100).
TELLING = '2.100'


def servers(cloud: client.Client, host: str) -> list[model.Server]:
    """Return the servers on a host, soft-deleted ones included.

    :raises NotPermitted: Nova ignored the filter, as it does without a
        word for users who may not use it; an empty list would prove
        nothing then.
    """
    found = []
    version = cloud.nova.microversion(TELLING, needed=client.NEEDED)
    query = {'version': version, **_on(host)}
    for data in cloud.nova.pages('/servers/detail', 'servers', **query):
        found.append(records.server(data))
        node = data.get('OS-EXT-SRV-ATTR:hypervisor_hostname')
        cloud.learn_node(found[-1].host, node)
    if any(s.host != host for s in found):
        raise exceptions.NotPermitted(
            _(
                'This user cannot list the servers of a host: ask for a '
                'role that the policy '
                'os_compute_api:servers:allow_all_filters allows'
            )
        )
    return found


def server_count(cloud: client.Client, host: str) -> int:
    """Return how many servers are on a host."""
    return len(list(cloud.nova.pages('/servers', 'servers', **_on(host))))


def server(cloud: client.Client, server_id: str) -> model.Server:
    """Return a server, with status DELETED where there is none."""
    try:
        found = cloud.nova.get(f'/servers/{server_id}', 'server')
    except exceptions.NotFound:
        return records.deleted(server_id)
    return records.server(found)


def deleted(
    cloud: client.Client, since: datetime.datetime
) -> list[model.Server]:
    """Return servers of the whole cloud deleted since a time.

    With status DELETED, and name, host and project as they were. Only one
    page is looked at, of those changed last: 1,000 where Nova's
    ``max_limit`` is not changed. Soft-deleted ones are not among them.
    """
    query = {'all_tenants': 'True', 'deleted': 'True'}
    query |= {'changes-since': since.isoformat()}
    query |= {'sort_key': 'updated_at', 'sort_dir': 'desc'}
    found = cloud.nova.get('/servers/detail', 'servers', **query)
    status = {'status': nova_states.Status.DELETED.value}
    return [records.server({**data, **status}) for data in found]


def groups(cloud: client.Client) -> list[snapshots.Group]:
    """Return the server groups of all projects.

    Who is no administrator by Nova's policy ``context_is_admin`` gets
    those of the own project only, and Nova does not say so. A server that
    is in a group (:attr:`osc_hostmaint.model.Needs.grouped`) and in none
    of these gives it away.

    It costs one request more where no list before had as many entries.
    """
    path, key = '/os-server-groups', 'server_groups'
    found = cloud.nova.offset_pages(path, key, all_projects='True')
    # A group made meanwhile may shift others to the next page.
    return list({d['id']: records.group(d) for d in found}.values())


def _on(host: str) -> dict[str, str]:
    return {'all_tenants': 'True', 'host': host, 'soft_deleted': 'True'}
