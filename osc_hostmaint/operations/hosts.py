# SPDX-License-Identifier: Apache-2.0

"""Finding the requested hosts, and checking them first."""

from collections import abc
import contextlib
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint import nova_states
from osc_hostmaint.engine import exclusion
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway as gateways
from osc_hostmaint.planning import host_identity
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import service_transition
from osc_hostmaint.planning import summary
from osc_hostmaint.planning.host import down_cells

Gateway = gateways.Gateway
Service = model.Service
Services = abc.Mapping[str, Service]


@contextlib.contextmanager
def add_errors(errors: abc.Mapping[str, str]) -> abc.Iterator[None]:
    """Add the errors of other hosts to a refusal."""
    try:
        yield
    except exceptions.Refused as refusal:
        words = (*errors.values(), str(refusal))
        raise exceptions.Refused('; '.join(words)) from None


@contextlib.contextmanager
def collect(
    errors: dict[str, str],
    host: str,
    raising: type[Exception] = exceptions.NotPermitted,
) -> abc.Iterator[None]:
    """Note why one host is left alone, so that the others go on.

    :param raising: what is not about this host alone.
    """
    try:
        yield
    except raising:
        raise
    except exceptions.HostMaintenanceError as error:
        errors[host] = str(error)


def all_services(gateway: Gateway) -> dict[str, Service]:
    """Return the compute services of all hosts, by host."""
    return host_identity.by_host(gateway.services())


def find(gateway: Gateway, host: str) -> Service:
    """Return a host's compute service.

    :raises SilentCell: its cell does not answer.
    """
    (service,) = pick(gateway, [host], all_services(gateway))
    return names.check_answers(service)


def pick(
    gateway: Gateway, hosts: abc.Iterable[str], services: Services
) -> tuple[Service, ...]:
    """Return the hosts' compute services, each once, in their order."""
    return names.pick(hosts, services, gateway.hypervisor_hosts)


def look_again(gateway: Gateway, host: str) -> Service:
    """Return a host's compute service, as it is right before a change.

    :raises SilentCell: its cell does not answer.
    """
    services = host_identity.by_host(gateway.services_on(host))
    (service,) = pick(gateway, [host], services)
    return names.check_answers(service)


def check_unchanged(seen: Service, now: Service) -> None:
    """Check that nobody has changed a compute service meanwhile.

    :param seen: as it was when it was decided to change it.
    :raises Refused: somebody has.
    """
    if changed := service_transition.changed_by_others(seen, now):
        raise exceptions.Refused(changed)


def down_cell_errors(
    gateway: Gateway, hosts: abc.Collection[str]
) -> dict[str, str]:
    """Return errors of hosts whose cell does not answer.

    :param hosts: hosts that lists showed nothing of: Nova's lists silently
        leave out a cell that does not answer.
    """
    services = all_services(gateway) if hosts else {}
    return {
        host: down_cells.words(host)
        for host in hosts
        if host in services and services[host].silent
    }


def check_rights(gateway: Gateway) -> None:
    """Check that Nova shows servers and migrations as they are.

    Where a right is missing, it may show less without a word: the
    migrations without their hosts, the servers of the own project alone, or
    those of all hosts.

    An outage does not fail this check: later requests retry for longer.

    :raises NotPermitted: a policy hides it.
    """
    with contextlib.suppress(exceptions.Unavailable):
        gateway.check_hosts_shown()
        gateway.check_servers_shown()


def resolve_excluded(
    gateway: Gateway, policy: policies.Policy, services: abc.Sequence[Service]
) -> policies.Policy:
    """Return a policy with the ids of the servers that it excludes.

    If it excludes any, that costs a list of servers for each host.

    :raises Refused: a server to exclude is not known or not unique.
    """
    services = [each for each in services if not each.silent]
    hosts = [service.host for service in services]
    if not policy.exclude or not hosts:
        return policy
    ids = exclusion.resolve(
        policy.exclude,
        {s.id: s.name for h in hosts for s in gateway.servers(h)},
        _('on %s') % names.listed(services),
        lambda: _leaving(gateway, hosts),
    )
    return dataclasses.replace(policy, exclude=ids)


def _leaving(gateway: Gateway, hosts: abc.Iterable[str]) -> dict[str, str]:
    """Return servers that have left hosts and still hold resources there."""
    found = {
        record.server_id
        for host in hosts
        for records in (gateway.migrations(host), gateway.unconfirmed(host))
        for record in records
        if record.source == host
        and (record.in_flight or record.awaits_confirmation)
    }
    return {i: gateway.server(i).name for i in sorted(found)}


def check_identity(
    gateway: Gateway,
    found: tuple[Service, ...],
    services: Services,
    policy: policies.Policy,
) -> tuple[tuple[Service, ...], dict[str, str], list[str]]:
    """Return the hosts that may be drained, errors of others, and notices.

    This costs the list of hypervisors, which a drain needs anyway. For a
    host that looks like another one it also costs a list of servers.

    :param services: of all hosts, by host.
    """
    try:
        hypervisors = gateway.hypervisor_details()
    except exceptions.CloudError as error:
        words = _('cannot check whether another host is the same machine: %s')
        return found, {}, [words % error]
    errors = {}
    for service in found:
        words = host_identity.against(
            service, services, hypervisors, evacuate=policy.evacuate
        )
        for old in host_identity.old_names(service, services, hypervisors):
            if not words and (count := gateway.server_count(old)):
                words = host_identity.left_behind(
                    service, hypervisors, old, count
                )
        if words:
            errors[service.host] = words
    return tuple(s for s in found if s.host not in errors), errors, []


def moving(
    gateway: Gateway, records: abc.Iterable[model.Migration]
) -> list[tuple[model.Migration, model.Server]]:
    """Return those moves that are under way, each with its server.

    A request for each that may be.

    :raises SilentCell: that is not known, as a cell does not answer.
    """
    found = []
    for record in records:
        if record.in_flight:
            server = gateway.server(record.server_id)
            if server.status == nova_states.Status.UNKNOWN:
                raise exceptions.SilentCell(down_cells.words(record.source))
            if summary.is_under_way(record, server):
                found.append((record, server))
    return found
