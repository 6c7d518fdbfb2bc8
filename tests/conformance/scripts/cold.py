# SPDX-License-Identifier: Apache-2.0

"""Cold migrations and resizes, up to their confirmation."""

from tests.conformance.nova import move
from tests.conformance.nova import Nova
from tests.conformance.nova import same

COLD = 'migration'
MOVED = ('pre-migrating', 'migrating', 'post-migrating', 'finished')


def of_a_running_server(nova: Nova) -> None:
    """It is stopped for it, and awaits a confirmation."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='disk')
    nova.gateway.cold_migrate(server, dest)
    found = nova.until(
        server, 'RESIZE', task='resize_migrating', record='migrating'
    )
    same((COLD, 'migrating', source, dest), move(found))
    nova.until_holds(source, {COLD})
    nova.until_holds(dest, {server})
    nova.hurry(server)
    found = nova.until(server, 'VERIFY_RESIZE', host=dest, record='finished')
    nova.until_holds(source, {COLD})
    nova.until_holds(dest, {server})
    same(
        [found.record.id],
        [
            record.id
            for record in nova.gateway.unconfirmed(source)
            if record.server_id == server
        ],
    )
    nova.gateway.confirm(server)
    found = nova.until(server, 'ACTIVE', host=dest, record='confirmed')
    nova.until_holds(source, set())
    nova.until_holds(dest, {server})
    nova.check_statuses(found.record, *MOVED, 'confirming', 'confirmed')
    nova.check_states(
        server,
        ('ACTIVE', None),
        ('RESIZE', 'resize_prep'),
        ('RESIZE', 'resize_migrating'),
        ('RESIZE', 'resize_migrated'),
        ('RESIZE', 'resize_finish'),
        ('VERIFY_RESIZE', None),
        ('ACTIVE', None),
    )
    same(
        ['migrate', 'confirmResize'],
        [
            instance_action.action
            for instance_action in nova.gateway.history(server)
        ][1:],
    )


def of_a_stopped_server(nova: Nova) -> None:
    """It stays off."""
    source, *others = nova.hosts
    server = nova.boot(source, 'SHUTOFF')
    nova.gateway.cold_migrate(server)
    found = nova.until(server, 'VERIFY_RESIZE', record='finished')
    same(True, found.server.host in others)
    nova.gateway.confirm(server)
    after = nova.until(server, 'SHUTOFF', record='confirmed').server
    same((4, found.server.host), (after.power_state, after.host))


def confirmed_twice(nova: Nova) -> None:
    """The second time is refused, in one way or another."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='confirming')
    nova.check_refused(409, 'vm_state active', nova.gateway.confirm, server)
    nova.gateway.cold_migrate(server, dest)
    nova.until(server, 'VERIFY_RESIZE', record='finished')
    nova.gateway.confirm(server)
    nova.until(server, record='confirming')
    nova.settle()
    nova.check_refused(
        400, 'Instance has not been resized', nova.gateway.confirm, server
    )
    nova.hurry(server)
    nova.until(server, 'ACTIVE', host=dest, record='confirmed')
    nova.check_refused(409, 'vm_state active', nova.gateway.confirm, server)


def a_disk_that_can_not_be_copied(nova: Nova) -> None:
    """The server is as it was; the next one goes well."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, fails='disk')
    nova.gateway.cold_migrate(server, dest)
    found = nova.until(server, 'ACTIVE', host=source, record='error')
    same((COLD, 'error', source, dest), move(found))
    nova.check_statuses(found.record, *MOVED[:2], 'error')
    nova.until_holds(source, {server})
    nova.until_holds(dest, set())
    nova.gateway.cold_migrate(server, dest)
    nova.until(server, 'VERIFY_RESIZE', host=dest, record='finished')


def a_destination_that_can_not_finish(nova: Nova) -> None:
    """The server is in ERROR."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, fails='finish')
    nova.gateway.cold_migrate(server, dest)
    found = nova.until(server, 'ERROR', record='error')
    same((COLD, 'error', source, dest), move(found))
    same(dest, found.server.host)
    nova.check_statuses(found.record, *MOVED[:3], 'error')


def an_owners_resize(nova: Nova) -> None:
    """It is confirmed as a cold migration is."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, 'VERIFY_RESIZE', to=dest)
    found = nova.look(server)
    same(('resize', 'finished', source, dest), move(found))
    nova.until_holds(source, {'resize'})
    nova.until_holds(dest, {server})
    nova.gateway.confirm(server)
    nova.until(server, 'ACTIVE', host=dest, record='confirmed')
    nova.until_holds(source, set())


def reverted(nova: Nova) -> None:
    """Its owner takes it back."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, 'VERIFY_RESIZE', to=dest)
    nova.revert(server)
    found = nova.until(server, 'ACTIVE', host=source, record='reverted')
    nova.until_holds(source, {server})
    nova.until_holds(dest, set())
    nova.check_states(
        server,
        ('VERIFY_RESIZE', None),
        ('REVERT_RESIZE', 'resize_reverting'),
        ('ACTIVE', None),
    )
    nova.check_statuses(found.record, 'finished', 'reverting', 'reverted')
