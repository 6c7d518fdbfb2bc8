# SPDX-License-Identifier: Apache-2.0

"""The plan of many hosts. Nothing is changed."""

import collections
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint import text
from osc_hostmaint.engine import reporting
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.engine.capacity import snapshot
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway as gateways
from osc_hostmaint.operations import clock as clocks
from osc_hostmaint.operations import hosts as hosts_
from osc_hostmaint.operations import modes
from osc_hostmaint.operations import requests
from osc_hostmaint.planning import host_identity
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import service_transition
from osc_hostmaint.planning.batches import full_hosts
from osc_hostmaint.planning.batches import plan as plans
from osc_hostmaint.planning.batches import unplanned
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.host import down_cells

Code = plans.Code
Gateway = gateways.Gateway
Never = unplanned.Never
Service = model.Service


def plan(gateway: Gateway, request: requests.PlanRequest) -> plans.Plan:
    """Return in which batches hosts are to be drained."""
    services = hosts_.all_services(gateway)
    chosen, notes = _choose(gateway, request, services)
    policy = hosts_.resolve_excluded(gateway, request.policy, chosen)
    hosts_.check_rights(gateway)
    never, said = _never(gateway, chosen, services, policy)
    notes += said
    drain = requests.DrainRequest(hosts=())
    sources = [
        modes.foresee(gateway, service, drain)
        for service in chosen
        if service.host not in never
    ]
    clock = clocks.Clock()
    preparation = reporting.Preparation(request.report, clock)
    seen = dry_run.see(gateway, clock, services, sources, policy, preparation)
    if seen.unknown:
        raise exceptions.Refused(seen.unknown)
    rows = collections.defaultdict(list)
    for row in seen.rows:
        rows[row.host].append(row)
    for service in sources:
        if why := unplanned.stays(service.host, rows[service.host]):
            never[service.host] = why
    capacity, more = _with_full_hosts(gateway, seen, preparation)
    made = plans.plan(
        plans.Seen(
            snapshot=capacity,
            servers={h: len(found) for h, found in seen.usage.servers.items()},
            demands=seen.demands,
            held=seen.usage.allocations or {},
            never=never,
        ),
        frozenset(service.host for service in chosen),
        done=frozenset(request.done),
        at_once=request.at_once,
        share=request.share,
    )
    return dataclasses.replace(
        made, notes=(*notes, *seen.notes, *more, *made.notes)
    )


def _choose(
    gateway: Gateway,
    request: requests.PlanRequest,
    services: hosts_.Services,
) -> tuple[tuple[Service, ...], list[str]]:
    """Return the services of the hosts to plan, and notices.

    :raises UnknownHost: there is no such host, aggregate or zone.
    """
    done = hosts_.pick(gateway, request.done, services)
    named = hosts_.pick(gateway, request.hosts, services)
    found = {service.host: service for service in named}
    if request.aggregates:
        members = {a.name: a.hosts for a in gateway.aggregates()}
        names.check_known(
            *(request.aggregates, members, _('aggregate')),
            command='openstack aggregate list',
        )
        for name in request.aggregates:
            # Those that Nova has no service of any more are no hosts.
            for host in members[name] & services.keys():
                found[host] = services[host]
    zones = {service.zone for service in services.values()}
    names.check_known(
        *(request.zones, zones, _('availability zone')),
        command='openstack compute service list',
    )
    everywhere = not (request.hosts or request.aggregates or request.zones)
    for host, service in services.items():
        if everywhere or service.zone in request.zones:
            found[host] = service
    for service in done:
        found.pop(service.host, None)
    metal = host_identity.bare_metal(gateway.hypervisor_details())
    left_out = sorted(
        metal & found.keys() - set(request.hosts), key=text.natural
    )
    for host in left_out:
        del found[host]
    notes = []
    if left_out:
        words = _('left out, as they manage bare metal (ironic): %s')
        notes.append(words % ', '.join(left_out))
    ordered = sorted(found.values(), key=lambda s: text.natural(s.host))
    return tuple(ordered), notes


def _never(
    gateway: Gateway,
    chosen: tuple[Service, ...],
    services: hosts_.Services,
    policy: policies.Policy,
) -> tuple[dict[str, Never], list[str]]:
    """Return why hosts cannot be drained, whatever is on them; and notices."""
    _found, errors, notes = hosts_.check_identity(
        gateway, chosen, services, policy
    )
    known = {node.host for node in gateway.hypervisor_details()}
    # While a cell does not answer, Nova leaves out others as well.
    known.update(services if any(s.silent for s in services.values()) else ())
    found = {}
    for service in chosen:
        host = service.host
        if service.silent:
            found[host] = Never(Code.CELL_DOWN, down_cells.words(host))
        elif service.namesakes:
            found[host] = Never(Code.HOST_REFUSED, names.ambiguous(service))
        elif host in errors:
            found[host] = Never(Code.HOST_REFUSED, errors[host])
        elif _is_others(service):
            words = _(
                '%(others)s: ask them, or take it over first (openstack host '
                'maintenance set --force %(host)s)'
            )
            others = service_transition.disabled_by_others(service)
            words %= {'others': others, 'host': host}
            found[host] = Never(Code.HOST_REFUSED, words)
        elif not service.up:
            found[host] = Never(Code.HOST_DOWN, _down(service))
        elif host not in known:
            words = _(
                "Nova's API shows no hypervisor on it, so its allocations in "
                'Placement cannot be checked: map the host to its cell '
                '(nova-manage cell_v2 discover_hosts --by-service)'
            )
            found[host] = Never(Code.CAPACITY_UNKNOWN, words)
    return found, notes


def _down(service: Service) -> str:
    """Return that a host is down, and what helps."""
    state, cure = _('forced down'), _('if the host is alive, run %s')
    if not service.forced_down:
        state, cure = _('down'), _('start nova-compute')
    elif service.mode is model.Mode.MAINTENANCE:
        cure %= f'openstack host maintenance unset {service.host}'
    else:
        cure %= f'openstack compute service set --up {service.host} '
        cure += 'nova-compute'
    words = _(
        'its compute service is %(state)s: %(cure)s; if the host has died, '
        'run openstack host maintenance drain --evacuate %(host)s'
    )
    return words % {'state': state, 'cure': cure, 'host': service.host}


def _is_others(service: Service) -> bool:
    """Tell whether somebody else, and not Nova, disabled a host."""
    novas = mark.is_novas(service.disabled_reason)
    return service.mode is model.Mode.DISABLED and not novas


def _with_full_hosts(
    gateway: Gateway, seen: dry_run.Seen, preparation: reporting.Preparation
) -> tuple[snapshots.CapacitySnapshot, list[str]]:
    """Return who may take servers now or once drained, and notices."""
    held = seen.usage.allocations or {}
    if not seen.snapshot.hosts:
        # Where no server needs room, nobody has asked for them.
        observing = snapshot.CapacityObserver(gateway, preparation)
        found = observing.aggregates()
        seen_ = dataclasses.replace(seen.snapshot, aggregates=found)
        return seen_, observing.notes
    roots = full_hosts.unseen(seen.snapshot, held)
    providers = []
    for host in preparation.each(roots, _('listing resources')):
        provider = gateway.provider(root := roots[host])
        used = collections.Counter[str]()
        for allocations in held[host].values():
            used.update(
                snapshots.amounts(
                    tuple(a for a in allocations if a.provider == root)
                )
            )
        providers.append(provider.with_used(used))
    return full_hosts.complete(seen.snapshot, providers), []
