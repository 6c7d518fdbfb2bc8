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

"""Questions and requests to Nova and Placement.

Each method is one question; how it is put, and at which microversion, is
nobody else's business. See https://docs.openstack.org/api-ref/compute/ and
https://docs.openstack.org/api-ref/placement/.
"""

import datetime
import functools

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import actions
from osc_hostmaint.nova import records
from osc_hostmaint.nova import transport

#: Allocations of a resource provider, as an object (Placement of Ocata).
PLACEMENT = '1.6'

_MOVE_ACTIONS = frozenset({'live-migration', 'migrate'})


class Gateway(actions.Actions):
    """Nova and Placement behind an openstacksdk connection."""

    def services(self) -> list[model.Service]:
        """Return the compute services of all hosts.

        :raises NotPermitted: without a role that may list services; by
            default that is also who may do everything else here.
        """
        found = self._nova.get(
            '/os-services',
            'services',
            self._version,
            {'binary': 'nova-compute'},
        )
        # Of a cell that does not answer only names are known (>= 2.69).
        return [records.service(s) for s in found if 'id' in s]

    def disable(self, service: model.Service, reason: str) -> model.Service:
        """Disable a compute service and return it as it is then."""
        return self._update(
            service, {'status': 'disabled', 'disabled_reason': reason}
        )

    def enable(self, service: model.Service) -> model.Service:
        """Enable a compute service and return it as it is then."""
        return self._update(service, {'status': 'enabled'})

    def _update(
        self, service: model.Service, body: dict[str, str]
    ) -> model.Service:
        data = self._nova.put(
            f'/os-services/{service.id}', 'service', self._version, body
        )
        return records.service(data)

    def servers(self, host: str) -> list[model.Server]:
        """Return the servers on a host, soft-deleted ones included.

        :raises NotPermitted: Nova ignored the filter, as it does without a
            word for users who may not use it; an empty list would prove
            nothing then.
        """
        found = self._nova.pages(
            '/servers/detail',
            'servers',
            self._version,
            {'all_tenants': 'True', 'host': host, 'soft_deleted': 'True'},
        )
        servers = [records.server(s) for s in found]
        if any(s.host != host for s in servers):
            raise exceptions.NotPermitted(
                _(
                    'Nova does not let this user list the servers of one '
                    'host: ask for a role that the policy '
                    'os_compute_api:servers:allow_all_filters allows'
                )
            )
        return servers

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

    def migrations(
        self, host: str, changed_since: datetime.datetime | None = None
    ) -> list[model.Migration]:
        """Return records with a host as source or destination.

        :param changed_since: only those updated since then; Nova leaves out
            records that were never updated. None: the newest page of all,
            1,000 where Nova's ``max_limit`` is not changed.
        """
        if changed_since is None:
            found = self._nova.get(
                '/os-migrations', 'migrations', self._version, {'host': host}
            )
            return [records.migration(m) for m in found]
        return self._migrations(
            {'host': host, 'changes-since': changed_since.isoformat()}
        )

    def unconfirmed(self, host: str) -> list[model.Migration]:
        """Return records from a host whose move awaits a confirmation."""
        return self._migrations({'source_compute': host, 'status': 'finished'})

    def _migrations(self, params: transport.Params) -> list[model.Migration]:
        found = self._nova.pages(
            '/os-migrations', 'migrations', self._version, params
        )
        return [records.migration(m) for m in found]

    def failure(self, record: model.Migration) -> str:
        """Return why a move failed, '' where Nova does not say.

        Only the events of the server's newest move tell (>= 2.84), not the
        record, and of a live migration rolled back nothing does.
        """
        url = f'/servers/{record.server_id}/os-instance-actions'
        try:
            deeds = self._nova.get(url, 'instanceActions', self._version)
            moves = [d for d in deeds if d['action'] in _MOVE_ACTIONS]
            if not moves:
                return ''
            newest = max(moves, key=lambda d: str(d['start_time']))
            action = self._nova.get(
                f'{url}/{newest["request_id"]}',
                'instanceAction',
                self._version,
            )
        except (exceptions.NotFound, exceptions.NotPermitted):
            return ''
        details = [
            event.get('details')
            for event in action.get('events') or []
            if event.get('result') == 'Error'
        ]
        return next(filter(None, details), '')

    def progress(
        self, server_id: str, record_id: int
    ) -> model.Progress | None:
        """Return how far a live migration is, None where it is not known.

        Before it runs, and once it has ended, Nova does not say.
        """
        try:
            data = self._nova.get(
                self._migration(server_id, record_id),
                'migration',
                self._version,
            )
        except exceptions.NotFound:
            return None
        return records.progress(data)

    def history(self, server_id: str) -> tuple[model.Deed, ...]:
        """Return what was asked of a server, oldest first.

        Also of a deleted one (>= 2.21), until Nova's database is purged of
        it.
        """
        found = self._nova.pages(
            f'/servers/{server_id}/os-instance-actions',
            'instanceActions',
            self._version,
            {},
        )
        try:
            # Nova gives the newest first.
            return tuple(records.deed(a) for a in reversed(list(found)))
        except exceptions.NotFound:
            return ()

    def consumers(self, host: str) -> frozenset[str]:
        """Return who holds allocations on a host's resource providers.

        Servers, and migrations, which hold the source's share during a move.
        """
        found: set[str] = set()
        for provider in self._hypervisors.get(host, {}):
            held = self._placement.get(
                f'/resource_providers/{provider}/allocations',
                'allocations',
                PLACEMENT,
            )
            found.update(held)
        return frozenset(found)

    def hypervisor_hosts(self) -> dict[str, str]:
        """Return the host of each hypervisor, by hypervisor hostname."""
        return {
            name: host
            for host, nodes in self._hypervisors.items()
            for name in nodes.values()
        }

    @functools.cached_property
    def _hypervisors(self) -> dict[str, dict[str, str]]:
        """Each host's hypervisor hostnames, by resource provider.

        From 2.53 on a hypervisor's id is its resource provider's.
        """
        found: dict[str, dict[str, str]] = {}
        for node in self._nova.pages(
            '/os-hypervisors/detail', 'hypervisors', self._version, {}
        ):
            nodes = found.setdefault(node['service']['host'], {})
            nodes[node['id']] = node['hypervisor_hostname']
        return found
