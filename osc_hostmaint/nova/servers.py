# SPDX-License-Identifier: Apache-2.0

"""What is asked of Nova about servers, and their groups."""

import dataclasses
import datetime
import functools

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import records
from osc_hostmaint.nova import session
from osc_hostmaint.planning.capacity import snapshot as snapshots

#: Lists of servers tell at it what the scheduler was asked for: the zone
#: (2.96), the image's properties (2.98), and hints (2.100).
TELLING = '2.100'


class Servers(session.Session):
    """Servers and server groups.

    All raise :class:`osc_hostmaint.exceptions.CloudError`.
    """

    def servers(self, host: str) -> list[model.Server]:
        """Return the servers on a host, soft-deleted ones included.

        :raises NotPermitted: Nova ignored the filter, as it does without a
            word for users who may not use it; an empty list would prove
            nothing then.
        """
        found = self._nova.pages(
            '/servers/detail',
            'servers',
            self._telling,
            {'all_tenants': 'True', 'host': host, 'soft_deleted': 'True'},
        )
        servers = []
        for data in found:
            servers.append(records.server(data))
            node = data.get('OS-EXT-SRV-ATTR:hypervisor_hostname')
            self._learn_node(servers[-1].host, node)
        if any(s.host != host for s in servers):
            raise exceptions.NotPermitted(
                _(
                    'Nova does not let this user list the servers of one '
                    'host: ask for a role that the policy '
                    'os_compute_api:servers:allow_all_filters allows'
                )
            )
        return servers

    @functools.cached_property
    def _telling(self) -> str:
        return self._newest_up_to(TELLING)

    def server_count(self, host: str) -> int:
        """Return how many servers are on a host."""
        found = self._nova.pages(
            '/servers',
            'servers',
            self._version,
            {'all_tenants': 'True', 'host': host, 'soft_deleted': 'True'},
        )
        return sum(1 for _server in found)

    def server(self, server_id: str) -> model.Server:
        """Return a server, with status DELETED where there is none."""
        try:
            data = self._nova.get(
                f'/servers/{server_id}', 'server', self._version
            )
        except exceptions.NotFound:
            return records.deleted(server_id)
        return records.server(data)

    def deleted(self, since: datetime.datetime) -> list[model.Server]:
        """Return servers of the whole cloud deleted since a time.

        With status DELETED, and name, host and project as they were. Only
        one page is looked at, of those changed last: 1,000 where Nova's
        ``max_limit`` is not changed. Soft-deleted ones are not among them.
        """
        found = self._nova.get(
            '/servers/detail',
            'servers',
            self._version,
            {
                'all_tenants': 'True',
                'deleted': 'True',
                'changes-since': since.isoformat(),
                'sort_key': 'updated_at',
                'sort_dir': 'desc',
            },
        )
        return [
            dataclasses.replace(records.server(s), status='DELETED')
            for s in found
        ]

    def groups(self) -> list[snapshots.Group]:
        """Return the server groups of all projects.

        Who is no administrator by Nova's policy ``context_is_admin`` gets
        those of the own project only, and Nova does not say so. A server
        that is in a group (:attr:`osc_hostmaint.model.Needs.grouped`) and in
        none of these gives it away.

        It costs one request more where no list before had as many entries.
        """
        found = self._nova.offset_pages(
            '/os-server-groups',
            'server_groups',
            self._version,
            {'all_projects': 'True'},
        )
        # A group made meanwhile may shift others to the next page.
        groups = {data['id']: records.group(data) for data in found}
        return list(groups.values())
