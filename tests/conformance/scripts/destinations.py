# SPDX-License-Identifier: Apache-2.0

"""Where a server may go, and what comes of it if it may not."""

from collections import abc

from osc_hostmaint import model
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.conformance.nova import Nova
from tests.conformance.nova import same

NO_HOST = 'No valid host was found'


def _refused(
    nova: Nova, server: str, host: str, *, cold: bool = False
) -> None:
    """Expect a request that is taken, and comes to nothing."""
    gateway = nova.gateway
    before = nova.look(server)
    request = gateway.cold_migrate if cold else gateway.live_migrate
    request(server, host)
    nova.wait(
        lambda: (
            len(nova.look(server).records) > len(before.records)
            and nova.look(server).record_status == 'error'
        ),
        f'no way to {host}',
    )
    after = nova.until(server, before.server.status)
    same(before.server.host, after.server.host)
    same(None, after.record.dest)
    failure = gateway.failure(after.record)
    same((True, set()), (NO_HOST in failure.reason, {*failure.hosts}))


def a_host_that_is_disabled(nova: Nova) -> None:
    """It is not picked, and not taken if it is asked for."""
    source, disabled, other = nova.hosts
    live, cold = nova.boot_all(source, 'ACTIVE', 'ACTIVE')
    nova.gateway.disable(nova.service(disabled), 'kernel')
    _refused(nova, live, disabled)
    _refused(nova, cold, disabled, cold=True)
    nova.gateway.live_migrate(live)
    nova.until(live, 'ACTIVE', host=other, record='completed')
    nova.gateway.enable(nova.service(disabled))
    nova.gateway.cold_migrate(cold, disabled)
    nova.until(cold, 'VERIFY_RESIZE', host=disabled, record='finished')


def a_host_that_is_down(nova: Nova) -> None:
    """It is not picked, and not taken if it is asked for."""
    source, down, other = nova.hosts
    server = nova.boot(source)
    nova.gateway.force_down(nova.service(down), down=True)
    _refused(nova, server, down)
    nova.gateway.live_migrate(server)
    nova.until(server, 'ACTIVE', host=other, record='completed')


def its_own_host(nova: Nova) -> None:
    """A live migration comes to nothing, a cold one is refused."""
    source, *_others = nova.hosts
    server = nova.boot(source)
    _refused(nova, server, source)
    nova.check_refused(
        400,
        'host where the server exists',
        nova.gateway.cold_migrate,
        server,
        source,
        final=True,
    )


def no_such_host(nova: Nova) -> None:
    """Both are refused, and leave no record."""
    server = nova.boot(nova.hosts[0])
    requests: tuple[abc.Callable[..., None], ...] = (
        nova.gateway.live_migrate,
        nova.gateway.cold_migrate,
    )
    for request in requests:
        nova.check_refused(
            400, 'could not be found', request, server, 'nowhere', final=True
        )
    found = nova.look(server)
    same(('ACTIVE', ()), (found.server.status, found.records))
    same(1, len(nova.gateway.history(server)))


def another_zone(nova: Nova) -> None:
    """A server that was booted in a zone stays in it."""
    server = nova.boot(nova.hosts[0])
    _refused(nova, server, nova.elsewhere)


def a_full_host(nova: Nova) -> None:
    """It has no room for it."""
    source, full, other = nova.hosts
    server = nova.boot(source)
    nova.fill(full)
    _refused(nova, server, full)
    _refused(nova, server, full, cold=True)
    nova.gateway.live_migrate(server)
    nova.until(server, 'ACTIVE', host=other, record='completed')


def a_trait(nova: Nova) -> None:
    """A flavor's trait counts in every move."""
    source, plain, golden = nova.hosts
    for host in (source, golden):
        nova.give_trait(host, 'CUSTOM_GOLD')
    server = nova.boot(source, trait='CUSTOM_GOLD')
    _refused(nova, server, plain)
    nova.gateway.live_migrate(server)
    nova.until(server, 'ACTIVE', host=golden, record='completed')


def anti_affinity(nova: Nova) -> None:
    """Not where another member is."""
    source, taken, free = nova.hosts
    group = nova.group('anti-affinity')
    server = nova.boot(source, group=group)
    other = nova.boot(taken, group=group)
    found = next(g for g in nova.gateway.groups() if g.id == group)
    same(('anti-affinity', {server, other}), (found.policy, found.members))
    _refused(nova, server, taken)
    nova.gateway.live_migrate(server)
    nova.until(server, 'ACTIVE', host=free, record='completed')


def affinity(nova: Nova) -> None:
    """Nowhere, not even one that is alone in its group."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, group=nova.group('affinity'))
    _refused(nova, server, dest)
    _refused(nova, server, '')
    _refused(nova, server, dest, cold=True)


def what_placement_offers(nova: Nova) -> None:
    """Hosts with room, disabled ones too, with a trait that says so."""
    roomy, disabled, full = nova.hosts
    nova.fill(full)
    nova.gateway.disable(nova.service(disabled), 'kernel')
    hosts = nova.gateway.hypervisors()
    asked = model.RequestGroup((('MEMORY_MB', 512), ('VCPU', 1)))
    allocation_candidates = nova.gateway.allocation_candidates(
        snapshots.ResourceRequest(asked)
    )
    found = {
        hosts[key]: 'COMPUTE_STATUS_DISABLED' in provider.traits
        for key, provider in allocation_candidates.providers.items()
        if hosts[key] in nova.hosts
    }
    same({roomy: False, disabled: True}, found)
