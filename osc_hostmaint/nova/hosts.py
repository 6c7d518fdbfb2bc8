# SPDX-License-Identifier: Apache-2.0

"""What is asked of Nova about hosts, and what is set on them."""

import collections.abc
import dataclasses
import functools
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.nova import records
from osc_hostmaint.nova import session
from osc_hostmaint.nova import transport
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.host import down_cells

#: The last one where a compute service is updated by its host's name.
BY_NAME = '2.52'


class Hosts(session.Session):
    """Compute services, hypervisors and aggregates.

    All raise :class:`osc_hostmaint.exceptions.CloudError`.
    """

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
        services = [records.service(s) for s in found]
        self._known_hosts = {s.host for s in services if not s.silent}
        self._silent_hosts = {s.host for s in services if s.silent}
        self._nova.hint = down_cells.hint(self._silent_hosts)
        self._keep_time(services)
        return services

    #: The hosts of the newest list of services; None: there was none yet.
    _known_hosts: set[str] | None = None
    #: Those of them whose cell did not answer: these are not among them.
    _silent_hosts: collections.abc.Collection[str] = ()

    def disable(self, service: model.Service, reason: str) -> model.Service:
        """Disable a compute service and return it as it is then."""
        return self._update(
            service, {'status': 'disabled', 'disabled_reason': reason}
        )

    def enable(self, service: model.Service) -> model.Service:
        """Enable a compute service and return it as it is then."""
        return self._update(service, {'status': 'enabled'})

    def force_down(
        self, service: model.Service, *, down: bool
    ) -> model.Service:
        """Have Nova take a host for dead, or take that back.

        :param down: True: no heartbeat counts any more, and servers can be
            evacuated at once. The host must be powered off.
        :returns: the service as it is then.
        :raises RequestRefused: it is to be taken back, and nova-compute has
            not been started since servers were evacuated off the host.
        """
        return self._update(service, {'forced_down': down})

    def _update(
        self,
        service: model.Service,
        body: collections.abc.Mapping[str, object],
    ) -> model.Service:
        try:
            data = self._nova.put(
                f'/os-services/{service.id}', 'service', self._version, body
            )
        except exceptions.Unavailable:
            if not self._silent_hosts:
                raise
            return self._update_by_name(service, body)
        changed = records.service(data)
        self._keep_time([changed])
        return changed

    def _update_by_name(
        self,
        service: model.Service,
        body: collections.abc.Mapping[str, object],
    ) -> model.Service:
        """Update a compute service as Nova before 2.53 does.

        An id Nova looks for in one cell after another, and fails at one that
        does not answer. A host's name leads it to its cell at once.
        """
        down, status = body.get('forced_down'), body.get('status')
        reason = body.get('disabled_reason')
        what, more = 'force-down', {'forced_down': down}
        if status == 'disabled':
            what, more = 'disable-log-reason', {'disabled_reason': reason}
        elif status:
            what, more = 'enable', {}
        self._nova.put(
            f'/os-services/{what}',
            'service',
            BY_NAME,
            {'host': service.host, 'binary': 'nova-compute', **more},
        )
        if status:
            return dataclasses.replace(
                service,
                enabled=status == 'enabled',
                disabled_reason=ty.cast('str | None', reason),
            )
        return dataclasses.replace(
            service, forced_down=bool(down), up=service.up and not down
        )

    def aggregates(self) -> list[snapshots.Aggregate]:
        """Return the host aggregates."""
        found = self._nova.get('/os-aggregates', 'aggregates', self._version)
        return [records.aggregate(a) for a in found]

    def hypervisors(self) -> dict[str, str]:
        """Return the host of each hypervisor, by resource provider."""
        return {node.provider: node.host for node in self._nodes}

    def hypervisor_hosts(self) -> dict[str, str]:
        """Return the host of each hypervisor, by hypervisor hostname."""
        return {node.name: node.host for node in self._nodes}

    def hypervisor_details(self) -> tuple[model.Hypervisor, ...]:
        """Return all hypervisors; asked for once."""
        return self._nodes

    def hypervisor_states(self, host: str) -> dict[str, bool]:
        """Return whether a host's hypervisors are up, by their hostnames.

        Asked anew each time, with a request for each; only which ones there
        are is kept. None where Nova lists no hypervisors, as a cell does not
        answer: what it says of one is the state of the compute service.
        """
        try:
            return {
                node.name: self._is_up(node)
                for node in self._nodes
                if node.host == host
            }
        except exceptions.Unavailable:
            if not self._silent_hosts:
                raise
            return {}

    def _is_up(self, node: model.Hypervisor) -> bool:
        found = self._nova.get(
            f'/os-hypervisors/{node.provider}', 'hypervisor', self._version
        )
        return bool(found['state'] == 'up')

    def residents(self) -> dict[str, str]:
        """Return the host of every server of the cloud, by the server's id.

        Asked for before what else needs the hypervisors, it costs no request
        of its own: Nova tells of both in one list. It is asked anew each
        time. Hosts of a cell that does not answer are left out.
        """
        nodes: list[model.Hypervisor] = []
        found: dict[str, str] = {}
        for data in self._list_hypervisors({'with_servers': 'true'}):
            node = records.hypervisor(data)
            nodes.append(node)
            # Below 2.75 a hypervisor without servers does not say so. Of
            # several on one host each has all servers of the host.
            for server in data.get('servers', ()):
                found[server['uuid']] = node.host
        self._nodes = tuple(nodes)
        return found

    @functools.cached_property
    def _nodes(self) -> tuple[model.Hypervisor, ...]:
        return tuple(map(records.hypervisor, self._list_hypervisors({})))

    def _list_hypervisors(
        self, params: transport.Params
    ) -> collections.abc.Iterator[records.Json]:
        """Yield all hypervisors, without a last page that has none.

        Nova links to it where the one before is full. Only Ironic has
        several on one host.
        """
        missing = set(self._known_hosts or ())
        single = bool(missing)
        for data in self._nova.pages(
            '/os-hypervisors/detail', 'hypervisors', self._version, params
        ):
            yield data
            host = data['service']['host']
            single = single and host in missing and not _is_ironic(data)
            missing.discard(host)
            if single and not missing:
                return


def _is_ironic(data: records.Json) -> bool:
    return str(data.get('hypervisor_type', 'ironic')) == 'ironic'
