# SPDX-License-Identifier: Apache-2.0

"""What is asked of Nova about servers, and their groups."""

import datetime
import http
import logging
import operator

from osc_hostmaint import exceptions
from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import client
from osc_hostmaint.nova import lists
from osc_hostmaint.nova import records
from osc_hostmaint.nova import transport
from osc_hostmaint.planning.capacity import snapshot as snapshots

LOG = logging.getLogger(__name__)

#: Lists of servers tell at it what the scheduler was asked for: the zone
#: (2.96), the image's properties (2.98), and hints (2.100).
TELLING = '2.100'


def servers(cloud: client.Client, host: str) -> list[model.Server]:
    """Return the servers on a host, soft-deleted ones included.

    Where Nova fails at the newest microversion for one of them, an older one
    is used from then on, which is said.

    :raises NotPermitted: Nova ignored the filter, as it does without a
        word for users who may not use it; an empty list would prove
        nothing then.
    """
    version = cloud.nova.microversion(TELLING, needed=client.NEEDED)
    if host in cloud.unlistable:
        version = cloud.nova.version
    try:
        found = _list(cloud, host, version)
    except exceptions.Unavailable as error:
        broken = error.status == http.HTTPStatus.INTERNAL_SERVER_ERROR
        if not broken or version == cloud.nova.version or cloud.silent_hosts:
            raise
        try:
            found = _list(cloud, host, cloud.nova.version)
        except exceptions.Unavailable:
            raise error from None
        cloud.unlistable.add(host)
        LOG.warning(
            _(
                'Nova cannot list the servers of %(host)s at microversion '
                '%(version)s (%(error)s); %(older)s is used, which does not '
                'show what the scheduler was asked for. A row of '
                'request_specs in the database nova_api may be unreadable'
            ),
            {
                'host': host,
                'version': version,
                'error': error,
                'older': cloud.nova.version,
            },
        )
    if any(s.host != host for s in found):
        raise exceptions.NotPermitted(
            _(
                'This user cannot list the servers of a host: ask for a '
                'role that the policy '
                'os_compute_api:servers:allow_all_filters allows'
            )
        )
    return found


def _list(cloud: client.Client, host: str, version: str) -> list[model.Server]:
    """Return the servers on a host, listed at a microversion."""

    def read(data: records.Json) -> model.Server:
        server = records.server(data)
        node = data.get('OS-EXT-SRV-ATTR:hypervisor_hostname')
        cloud.learn_node(server.host, node)
        return server

    query = {'version': version, **_on(host)}
    path, key = '/servers/detail', 'servers'
    return list(lists.pages(cloud.nova, path, key, read, **query))


def server_count(cloud: client.Client, host: str) -> int:
    """Return how many servers are on a host."""
    found = lists.pages(
        cloud.nova,
        '/servers',
        'servers',
        operator.itemgetter('id'),
        **_on(host),
    )
    return len(list(found))


def server(cloud: client.Client, server_id: str) -> model.Server:
    """Return a server, with status DELETED where there is none."""
    try:
        return cloud.nova.get(
            transport.path('servers', server_id), 'server', records.server
        )
    except exceptions.NotFound:
        return records.deleted(server_id)


def tagged(cloud: client.Client) -> list[model.Server]:
    """Return the servers of the whole cloud that are tagged as resumed."""
    path, key = '/servers/detail', 'servers'
    query = {'all_tenants': 'True', 'tags': mark.RESUMED_TAG}
    return list(lists.pages(cloud.nova, path, key, records.server, **query))


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
    status = {'status': nova_states.Status.DELETED.value}

    def read(found: list[records.Json]) -> list[model.Server]:
        return [
            records.server({**data, **status})
            for data in records.listed(found)
        ]

    return cloud.nova.get('/servers/detail', 'servers', read, **query)


def groups(cloud: client.Client) -> list[snapshots.Group]:
    """Return the server groups of all projects.

    Who is no administrator by Nova's policy ``context_is_admin`` gets
    those of the own project only, and Nova does not say so. A server that
    is in a group (:attr:`osc_hostmaint.model.Needs.grouped`) and in none
    of these gives it away.

    It costs one request more where no list before had as many entries.
    """
    found = lists.offset_pages(
        cloud.nova,
        '/os-server-groups',
        'server_groups',
        records.group,
        all_projects='True',
    )
    return list(found)


def _on(host: str) -> dict[str, str]:
    return {'all_tenants': 'True', 'host': host, 'soft_deleted': 'True'}
