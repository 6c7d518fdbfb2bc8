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
#: Without it Nova ignores filters such as host=.
FILTERS_POLICY = 'os_compute_api:servers:allow_all_filters'
#: Who is an administrator to Nova.
ADMIN_POLICY = 'context_is_admin'
#: Nova's words to others that ask for deleted servers.
_ADMINS_ONLY = 'Only administrators may list deleted'
#: A host that no cloud has.
_NO_HOST = 'no such host'


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
        raise _unfiltered()
    return found


def _unfiltered() -> exceptions.NotPermitted:
    words = _(
        'Nova lists the servers of all hosts when asked for those of one '
        '(policy %s): ask for a role that this policy allows'
    )
    return exceptions.NotPermitted(
        words % FILTERS_POLICY, policy=FILTERS_POLICY
    )


def check_servers_shown(cloud: client.Client) -> None:
    """Check that Nova shows servers of all projects, and filters them.

    Not while a cell does not answer: Nova may wait a minute for it, for
    each list.

    :raises NotPermitted: it does not.
    """
    if not cloud.silent_hosts:
        _check_admin(cloud)
    check_filters(cloud, '/servers/detail')


def check_filters(cloud: client.Client, path: str = '/servers') -> None:
    """Check that Nova does not ignore filters.

    It ignores those that a policy does not allow, without a word. Then
    there is a server on a host that does not exist. Not while a cell does
    not answer, either.

    :param path: the list to ask for.
    :raises NotPermitted: it does.
    """
    if cloud.silent_hosts:
        return
    query = {'all_tenants': 'True', 'host': _NO_HOST, 'limit': '1'}
    if cloud.nova.get(path, 'servers', records.listed, **query):
        raise _unfiltered()


def _check_admin(cloud: client.Client) -> None:
    """Check that Nova takes the user for an administrator; asked for once.

    From others it hides servers of other projects (404), and refuses to
    move locked ones, whatever else is allowed. Only a list of deleted
    servers tells.

    :raises NotPermitted: it does not.
    """
    if cloud.is_admin:
        return
    query = {'status': nova_states.Status.DELETED.value, 'limit': '1'}
    try:
        cloud.nova.get('/servers/detail', 'servers', records.listed, **query)
    except exceptions.NotPermitted as error:
        if _ADMINS_ONLY not in str(error):
            raise
        words = _(
            'Nova hides the servers of other projects (policy %s): ask for a '
            'role that this policy allows'
        )
        raise exceptions.NotPermitted(
            words % ADMIN_POLICY, policy=ADMIN_POLICY
        ) from error
    cloud.is_admin = True


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
    """Return a server, with status DELETED where there is none.

    :raises NotPermitted: a policy hides it, or may hide it.
    """
    try:
        return cloud.nova.get(
            transport.path('servers', server_id), 'server', records.server
        )
    except exceptions.NotFound:
        _check_admin(cloud)
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
