# SPDX-License-Identifier: Apache-2.0


"""Which machine a host is: bare metal, or one machine with two names.

After its host was renamed (``host`` in nova.conf, often to the full name) a
machine has two compute services. The old one is down, and Nova still has its
servers there, which are running; the new one is up. If they were evacuated
from the old one, they would run twice. Only the address shows it.
"""

from collections import abc
import dataclasses
import ipaddress

from osc_hostmaint import model

Hypervisors = abc.Iterable[model.Hypervisor]
Services = abc.Mapping[str, model.Service]

IRONIC = 'ironic'
#: Of these the guests run on other machines than nova-compute, so several
#: hosts on one machine are nothing special.
REMOTE = frozenset({IRONIC, 'VMware vCenter Server', 'zvm'})


def by_host(services: abc.Iterable[model.Service]) -> dict[str, model.Service]:
    """Return compute services by host; one stands for all its namesakes."""
    found: dict[str, model.Service] = {}
    for service in services:
        old = found.get(service.host)
        if old and service.silent:
            # It was mapped to another cell: what is known counts.
            continue
        if old and not old.silent:
            up, namesakes = service.up or old.up, (old.id, *old.namesakes)
            service = dataclasses.replace(service, up=up, namesakes=namesakes)
        found[service.host] = service
    return found


def bare_metal(hypervisors: Hypervisors) -> frozenset[str]:
    """Return the hosts that manage bare metal."""
    return frozenset(h.host for h in hypervisors if h.type == IRONIC)


def against(
    service: model.Service,
    services: Services,
    hypervisors: Hypervisors,
    *,
    evacuate: bool,
) -> str:
    """Return why nothing can be moved off a host, and what to do; or ''.

    :param evacuate: the host is to be evacuated.
    """
    host = service.host
    if host in bare_metal(hypervisors):
        return (
            f'{host} manages bare metal (ironic), and its servers cannot be '
            'moved to another machine. To keep new servers off it, run '
            f'openstack host maintenance set {host}'
        )
    if service.up and not evacuate:
        return ''
    aliases = _aliases(service, services, hypervisors)
    alive = [name for name in aliases if services[name].up]
    # Several that are alive: then an address is not one machine's own.
    if len(alive) != 1:
        return ''
    (alias,) = alive
    return (
        f'{_alike(host, alias, aliases[alias])}, and {alias} is up. Nothing '
        f'was changed on {host}. If the host was renamed, its servers still '
        'run: restore its old name (host in nova.conf) and restart '
        'nova-compute. If it was another machine, or was reinstalled, stop '
        f'nova-compute on {alias} until its servers are evacuated'
    )


def old_names(
    service: model.Service, services: Services, hypervisors: Hypervisors
) -> tuple[str, ...]:
    """Return hosts that are down and may be another name of one that is up."""
    if not service.up:
        return ()
    aliases = _aliases(service, services, hypervisors)
    if any(services[name].up for name in aliases):
        return ()
    return tuple(sorted(aliases))


def left_behind(
    service: model.Service, hypervisors: Hypervisors, old: str, servers: int
) -> str:
    """Return why draining a host would not empty its machine.

    :param old: its other name, perhaps.
    :param servers: how many are on that.
    """
    host = service.host
    addresses = _hosts(hypervisors).items()
    address = next(a for a, hosts in addresses if {host, old} <= hosts)
    noun = 'server' if servers == 1 else 'servers'
    return (
        f'{_alike(host, old, address)}: {servers} {noun} on {old}, which is '
        f'down, may still run on this machine after {host} is drained. '
        f'Nothing was changed on {host}. If the host was renamed, restore its '
        f'old name (host in nova.conf) and restart nova-compute. If {old} was '
        f'another machine, evacuate it first, with nova-compute on {host} '
        'stopped'
    )


def _alike(host: str, other: str, address: str) -> str:
    return (
        f'{host} and {other} have the same address ({address}) and look like '
        'one machine under two names'
    )


def _aliases(
    service: model.Service, services: Services, hypervisors: Hypervisors
) -> dict[str, str]:
    """Return other hosts with an address of a host, and which it is."""
    return {
        other: address
        for address, hosts in _hosts(hypervisors).items()
        if service.host in hosts
        for other in hosts & services.keys() - {service.host}
    }


def _hosts(hypervisors: Hypervisors) -> dict[str, set[str]]:
    """Return the hosts with each address that tells machines apart."""
    found: dict[str, set[str]] = {}
    for each in hypervisors:
        if each.type not in REMOTE and _is_its_own(each.address):
            found.setdefault(each.address, set()).add(each.host)
    return found


def _is_its_own(address: str) -> bool:
    """Tell whether an address is more than what everybody has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (ip.is_loopback or ip.is_unspecified or ip.is_link_local)
