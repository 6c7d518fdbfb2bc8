# SPDX-License-Identifier: Apache-2.0

"""Compute services, and what is asked of one that is not there."""

import datetime

from osc_hostmaint import model
from tests.conformance.nova import Nova
from tests.conformance.nova import same


def _heard_at(service: model.Service) -> datetime.datetime:
    assert service.updated_at
    return service.updated_at


def disabled(nova: Nova) -> None:
    """It stays up."""
    host = nova.hosts[0]
    same((True, True), (nova.service(host).up, nova.service(host).enabled))
    nova.gateway.disable(nova.service(host), 'kernel')
    found = nova.service(host)
    same(
        (True, False, 'kernel'),
        (found.up, found.enabled, found.disabled_reason),
    )
    nova.gateway.enable(found)
    found = nova.service(host)
    same((True, None), (found.enabled, found.disabled_reason))


def forced_down(nova: Nova) -> None:
    """It is down at once, and up again, while it sends heartbeats."""
    host = nova.hosts[0]
    before = nova.service(host)
    answer = _heard_at(nova.gateway.force_down(before, down=True))
    found = nova.service(host)
    same((False, True), (found.up, found.forced_down))
    same(True, answer >= _heard_at(before))
    nova.wait(
        lambda: _heard_at(nova.service(host)) > answer,
        'a heartbeat',
    )
    nova.gateway.force_down(found, down=False)
    found = nova.service(host)
    same((True, False), (found.up, found.forced_down))


def killed(nova: Nova) -> None:
    """It shows up for a while, and its servers as they were."""
    host, dest, _other = nova.hosts
    live, cold, resized, idle = (
        *nova.boot_all(host, 'ACTIVE', 'ACTIVE'),
        nova.boot(host, 'VERIFY_RESIZE', to=dest),
        nova.boot(host),
    )
    nova.kill(host)
    same(True, nova.service(host).up)
    nova.wait(lambda: not nova.service(host).up, 'it to be missed')
    died_at = nova.service(host).updated_at
    same('ACTIVE', nova.look(live).server.status)
    same(1, nova.look(live).server.power_state)
    for request, server in (
        (nova.gateway.cold_migrate, cold),
        (nova.gateway.confirm, resized),
    ):
        nova.check_refused(409, 'Service is unavailable', request, server)
    nova.gateway.live_migrate(live, dest)
    found = nova.until(live, 'ACTIVE', host=host, record='error')
    same(None, found.record.dest)
    nova.gateway.suspend(idle)
    same('suspending', nova.look(idle).server.task_state)
    same(died_at, nova.service(host).updated_at)
    nova.start(host)
    nova.wait(lambda: nova.service(host).up, 'it to be up')
    nova.until(idle, 'SUSPENDED', host=host)


def whom_it_has(nova: Nova) -> None:
    """Servers by their host, and hosts by their resource provider."""
    first, second, _other = nova.hosts
    server = nova.boot(first)
    offloaded = nova.boot(second, 'SHELVED_OFFLOADED')
    deleted = nova.boot(second, 'SOFT_DELETED')
    residents = nova.gateway.residents()
    same(first, residents.get(server))
    same(None, residents.get(offloaded))
    same([server], [s.id for s in nova.gateway.servers(first)])
    same([deleted], [s.id for s in nova.gateway.servers(second)])
    needs = nova.gateway.servers(first)[0].needs
    same((True, False), (needs.zone_known, needs.grouped))
    hosts = set(nova.gateway.hypervisors().values())
    same(set(nova.hosts), hosts & set(nova.hosts))
    zones = [
        aggregate.hosts
        for aggregate in nova.gateway.aggregates()
        if 'availability_zone' in aggregate.metadata
        and first in aggregate.hosts
    ]
    same([set(nova.hosts)], zones)
