# SPDX-License-Identifier: Apache-2.0


"""What stands below a host: bare metal, or a machine that has two names.

After its host was renamed (``host`` in nova.conf, often to the full name) a
machine has two compute services: the old one is down, and Nova still has the
servers on it, which run; the new one is up. Evacuated off the old one they
would run twice, perhaps on the very same machine. Only the address tells.
"""

import collections.abc
import ipaddress

from osc_hostmaint import model

Hypervisors = collections.abc.Iterable[model.Hypervisor]
Services = collections.abc.Mapping[str, model.Service]

IRONIC = 'ironic'
#: Of these the guests run on other machines than nova-compute, so several
#: hosts on one machine are nothing special.
REMOTE = frozenset({IRONIC, 'VMware vCenter Server', 'zvm'})


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

    :param evacuate: the host is said to have died.
    """
    host = service.host
    if host in bare_metal(hypervisors):
        return (
            f'{host} manages bare metal (ironic), whose servers cannot be '
            'moved to another machine. To keep new ones off: openstack host '
            f'maintenance set {host}'
        )
    if service.up and not evacuate:
        return ''
    twins = _twins(service, services, hypervisors)
    alive = [name for name in twins if services[name].up]
    # Several that are alive: then an address is not one machine's own.
    if len(alive) != 1:
        return ''
    (twin,) = alive
    return (
        f'{_alike(host, twin, twins[twin])}, and {twin} is up. Nothing was '
        f'changed on {host}. If the host was renamed, its servers still run: '
        'give it its old name back (host in nova.conf) and restart '
        'nova-compute. If they surely do not run there (another machine, or '
        f'installed anew), stop nova-compute on {twin} until they are '
        'evacuated'
    )


def old_names(
    service: model.Service, services: Services, hypervisors: Hypervisors
) -> tuple[str, ...]:
    """Return hosts that are down and may be another name of one that is up."""
    if not service.up:
        return ()
    twins = _twins(service, services, hypervisors)
    if any(services[name].up for name in twins):
        return ()
    return tuple(sorted(twins))


def left_behind(
    service: model.Service, hypervisors: Hypervisors, old: str, servers: int
) -> str:
    """Return why draining a host would not empty its machine.

    :param old: its other name, perhaps.
    :param servers: how many are on that.
    """
    host = service.host
    (address, *_others) = _addresses(host, hypervisors) & _addresses(
        old, hypervisors
    )
    noun = 'server' if servers == 1 else 'servers'
    return (
        f'{_alike(host, old, address)}: Nova has {servers} {noun} on {old}, '
        f'which is down, and what is there may still run once {host} is '
        f'drained. Nothing was changed on {host}. If the host was renamed, '
        'give it its old name back (host in nova.conf) and restart '
        f'nova-compute. If {old} was another machine, evacuate it first, '
        f'with nova-compute on {host} stopped'
    )


def _alike(host: str, other: str, address: str) -> str:
    return (
        f'{host} and {other} have the same address ({address}) and look like '
        'one machine under two names'
    )


def _twins(
    service: model.Service, services: Services, hypervisors: Hypervisors
) -> dict[str, str]:
    """Return other hosts with an address of a host, and which it is."""
    hypervisors = tuple(hypervisors)
    mine = _addresses(service.host, hypervisors)
    return {
        each.host: each.address
        for each in hypervisors
        if each.host != service.host
        and each.host in services
        and _addresses(each.host, [each]) & mine
    }


def _addresses(host: str, hypervisors: Hypervisors) -> set[str]:
    """Return what tells a host's machine from all others."""
    return {
        each.address
        for each in hypervisors
        if each.host == host
        and each.type not in REMOTE
        and _is_its_own(each.address)
    }


def _is_its_own(address: str) -> bool:
    """Tell whether an address is more than what everybody has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (ip.is_loopback or ip.is_unspecified or ip.is_link_local)
