# SPDX-License-Identifier: Apache-2.0

"""What is asked of Nova about hosts, and what is set on them."""

from collections import abc
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.nova import client
from osc_hostmaint.nova import records
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.host import down_cells

#: The last one where a compute service is updated by its host's name.
BY_NAME = '2.52'


def services(cloud: client.Client) -> list[model.Service]:
    """Return the compute services of all hosts.

    :raises NotPermitted: without a role that may list services; by default
        that is also who may do everything else here.
    """
    data = cloud.nova.get('/os-services', 'services', binary='nova-compute')
    found = [records.service(s) for s in data]
    cloud.known_hosts = {s.host for s in found if not s.silent}
    cloud.silent_hosts = {s.host for s in found if s.silent}
    cloud.nova.hint = down_cells.hint(cloud.silent_hosts)
    cloud.keep_time(found)
    return found


def services_on(cloud: client.Client, host: str) -> list[model.Service]:
    """Return the compute services of one host."""
    only = {'host': host, 'binary': 'nova-compute'}
    data = cloud.nova.get('/os-services', 'services', **only)
    found = [records.service(s) for s in data]
    cloud.keep_time(found)
    return [service for service in found if service.host == host]


def disable(
    cloud: client.Client, service: model.Service, reason: str
) -> model.Service:
    """Disable a compute service and return it as it is then."""
    body = {'status': 'disabled', 'disabled_reason': reason}
    then = dataclasses.replace(service, enabled=False, disabled_reason=reason)
    return _update(cloud, service, then, 'disable-log-reason', body)


def enable(cloud: client.Client, service: model.Service) -> model.Service:
    """Enable a compute service and return it as it is then."""
    then = dataclasses.replace(service, enabled=True, disabled_reason=None)
    return _update(cloud, service, then, 'enable', {'status': 'enabled'})


def force_down(
    cloud: client.Client, service: model.Service, *, down: bool
) -> model.Service:
    """Force a host down, or undo that.

    :param down: True: Nova ignores heartbeats, and servers can be
        evacuated at once. The host must be powered off.
    :returns: the service after the change.
    :raises RequestRefused: Nova refuses to undo it, because nova-compute
        was not started since servers were evacuated from the host.
    """
    up = service.up and not down
    then = dataclasses.replace(service, forced_down=down, up=up)
    body = {'forced_down': down}
    return _update(cloud, service, then, 'force-down', body)


def _update(
    cloud: client.Client,
    seen: model.Service,
    wanted: model.Service,
    by_name: str,
    body: records.Json,
) -> model.Service:
    """Update a compute service, if need be as Nova before 2.53 does.

    An id Nova looks for in one cell after another, and fails at one that
    does not answer. A host's name leads it to its cell at once.

    :param seen: the service before.
    :param by_name: what the request by the host's name is called.
    """
    try:
        data = cloud.nova.put(f'/os-services/{wanted.id}', 'service', body)
    except exceptions.Unavailable:
        if not cloud.silent_hosts:
            raise
        # That may have changed it all the same, or others have meanwhile.
        for now in services_on(cloud, seen.host):
            if now.settings == wanted.settings:
                return now
            if now.settings != seen.settings:
                raise
        body |= {'host': wanted.host, 'binary': 'nova-compute'}
        body.pop('status', None)
        cloud.nova.put(f'/os-services/{by_name}', 'service', body, BY_NAME)
        return wanted
    changed = records.service(data)
    cloud.keep_time([changed])
    return changed


def aggregates(cloud: client.Client) -> list[snapshots.Aggregate]:
    """Return the host aggregates."""
    found = cloud.nova.get('/os-aggregates', 'aggregates')
    return [records.aggregate(a) for a in found]


def hypervisors(cloud: client.Client) -> dict[str, str]:
    """Return the host of each hypervisor, by resource provider."""
    return {node.provider: node.host for node in hypervisor_details(cloud)}


def hypervisor_hosts(cloud: client.Client) -> dict[str, str]:
    """Return the host of each hypervisor, by hypervisor hostname."""
    return {node.name: node.host for node in hypervisor_details(cloud)}


def hypervisor_details(cloud: client.Client) -> tuple[model.Hypervisor, ...]:
    """Return all hypervisors; asked for once."""
    if cloud.known_hypervisors is None:
        found = _list_hypervisors(cloud)
        cloud.known_hypervisors = tuple(map(records.hypervisor, found))
    return cloud.known_hypervisors


def hypervisor_states(cloud: client.Client, host: str) -> dict[str, bool]:
    """Return whether a host's hypervisors are up, by their hostnames.

    Asked anew each time, with a request for each; only which ones there
    are is kept. None where Nova lists no hypervisors, as a cell does not
    answer: what it says of one is the state of the compute service.
    """
    try:
        nodes = [n for n in hypervisor_details(cloud) if n.host == host]
        paths = {n.name: f'/os-hypervisors/{n.provider}' for n in nodes}
        return {
            name: cloud.nova.get(path, 'hypervisor')['state'] == 'up'
            for name, path in paths.items()
        }
    except exceptions.Unavailable:
        if not cloud.silent_hosts:
            raise
        return {}


def residents(cloud: client.Client) -> dict[str, str]:
    """Return the host of every server of the cloud, by the server's id.

    Asked for before what else needs the hypervisors, it costs no request
    of its own: Nova tells of both in one list. It is asked anew each time.
    Hosts of a cell that does not answer are left out.
    """
    found = list(_list_hypervisors(cloud, with_servers='true'))
    cloud.known_hypervisors = tuple(map(records.hypervisor, found))
    # Below 2.75 a hypervisor without servers does not say so. Of several
    # on one host each has all servers of the host.
    return {
        server['uuid']: data['service']['host']
        for data in found
        for server in data.get('servers', ())
    }


def _list_hypervisors(
    cloud: client.Client, **params: str
) -> abc.Iterator[records.Json]:
    """Yield all hypervisors, without a last page that has none.

    Nova links to it where the one before is full. Only Ironic has several
    on one host.
    """
    missing = set(cloud.known_hosts)
    single = bool(missing)
    path = '/os-hypervisors/detail'
    for data in cloud.nova.pages(path, 'hypervisors', **params):
        yield data
        host = data['service']['host']
        ironic = data.get('hypervisor_type', 'ironic') == 'ironic'
        single = single and host in missing and not ironic
        missing.discard(host)
        if single and not missing:
            return
