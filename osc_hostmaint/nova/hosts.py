# SPDX-License-Identifier: Apache-2.0

"""What is asked of Nova about hosts, and what is set on them."""

from collections import abc
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.nova import client
from osc_hostmaint.nova import lists
from osc_hostmaint.nova import records
from osc_hostmaint.nova import transport
from osc_hostmaint.planning import service_transition
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.host import down_cells

COMPUTE = 'nova-compute'
#: The last one where a compute service is updated by its host's name.
BY_NAME = '2.52'


def services(cloud: client.Client) -> list[model.Service]:
    """Return the compute services of all hosts.

    :raises NotPermitted: without a role that may list services; by default
        that is also who may do everything else here.
    """
    found = cloud.nova.get('/os-services', 'services', _read, binary=COMPUTE)
    cloud.known_hosts = {s.host for s in found if not s.silent}
    cloud.silent_hosts = {s.host for s in found if s.silent}
    cloud.nova.hint = down_cells.hint(cloud.silent_hosts)
    cloud.keep_time(found)
    return [_with_date_checked(cloud, s) for s in found]


def _read(found: list[records.Json]) -> list[model.Service]:
    # Whatever answers may ignore the filter.
    services = [s for s in records.listed(found) if s['binary'] == COMPUTE]
    return list(map(records.service, services))


def services_on(cloud: client.Client, host: str) -> list[model.Service]:
    """Return the compute services of one host."""
    query = {'host': host, 'binary': COMPUTE}
    found = cloud.nova.get('/os-services', 'services', _read, **query)
    cloud.keep_time(found)
    return [_with_date_checked(cloud, s) for s in found if s.host == host]


def disable(
    cloud: client.Client, service: model.Service, reason: str
) -> model.Service:
    """Disable a compute service and return it as it is then."""
    body = {'status': 'disabled', 'disabled_reason': reason}
    then = dataclasses.replace(
        service, enabled=False, disabled_reason=reason, false_mark=False
    )
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

    After a failure it is looked at first: it may have changed all the same,
    or others may have changed it meanwhile.

    :param seen: the service before.
    :param by_name: what the request by the host's name is called.
    :raises Refused: somebody else has changed it meanwhile.
    """
    attempt, named = 0, False
    while True:
        attempt += 1
        try:
            if named:
                return _update_by_name(cloud, wanted, by_name, body)
            path = transport.path('os-services', wanted.id)
            changed = cloud.nova.put(path, 'service', body, records.service)
            cloud.keep_time([changed])
            return _with_date_checked(cloud, changed)
        except exceptions.Unavailable as error:
            again = bool(cloud.silent_hosts) and not named
            named = named or again
            again = again or cloud.pause.after(error, attempt)
            for now in services_on(cloud, seen.host):
                if now.silent:
                    continue
                if now.settings == wanted.settings:
                    return now
                if words := service_transition.changed_by_others(seen, now):
                    raise exceptions.Refused(words) from error
            if not again:
                raise


def _update_by_name(
    cloud: client.Client,
    wanted: model.Service,
    by_name: str,
    body: records.Json,
) -> model.Service:
    path = transport.path('os-services', by_name)
    body = {**body, 'host': wanted.host, 'binary': COMPUTE}
    body.pop('status', None)
    return cloud.nova.put(path, 'service', body, lambda _data: wanted, BY_NAME)


def _with_date_checked(
    cloud: client.Client, service: model.Service
) -> model.Service:
    """Return a service whose mark is not ours if its date is to come."""
    mark = service.mark
    if mark is None or mark.since <= cloud.now() + client.AHEAD:
        return service
    return dataclasses.replace(service, false_mark=True)


def aggregates(cloud: client.Client) -> list[snapshots.Aggregate]:
    """Return the host aggregates."""

    def read(found: list[records.Json]) -> list[snapshots.Aggregate]:
        return [records.aggregate(data) for data in records.listed(found)]

    return cloud.nova.get('/os-aggregates', 'aggregates', read)


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
        cloud.known_hypervisors = tuple(node for node, _servers in found)
    return cloud.known_hypervisors


def hypervisor_states(cloud: client.Client, host: str) -> dict[str, bool]:
    """Return whether a host's hypervisors are up, by their hostnames.

    Asked anew each time, with a request for each; only which ones there
    are is kept. None where Nova lists no hypervisors, as a cell does not
    answer: what it says of one is the state of the compute service.
    """
    try:
        nodes = [n for n in hypervisor_details(cloud) if n.host == host]
        return {
            node.name: cloud.nova.get(
                transport.path('os-hypervisors', node.provider),
                'hypervisor',
                records.hypervisor_is_up,
            )
            for node in nodes
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
    cloud.known_hypervisors = tuple(node for node, _servers in found)
    # Below 2.75 a hypervisor without servers does not say so. Of several
    # on one host each has all servers of the host.
    return {
        server_id: node.host
        for node, servers in found
        for server_id in servers
    }


def _with_servers(data: records.Json) -> tuple[model.Hypervisor, list[str]]:
    return records.hypervisor(data), records.ids(data.get('servers', []))


def _list_hypervisors(
    cloud: client.Client, **params: str
) -> abc.Iterator[tuple[model.Hypervisor, list[str]]]:
    """Yield all hypervisors, without a last page that has none.

    Nova links to it where the one before is full. Only Ironic has several
    on one host.

    :returns: each with the ids of its servers, if these are asked for.
    """
    missing = set(cloud.known_hosts)
    single = bool(missing)
    for node, servers in lists.pages(
        cloud.nova,
        '/os-hypervisors/detail',
        'hypervisors',
        _with_servers,
        **params,
    ):
        yield node, servers
        ironic = node.type in ('', 'ironic')
        single = single and node.host in missing and not ironic
        missing.discard(node.host)
        if single and not missing:
            return
