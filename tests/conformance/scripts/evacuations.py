# SPDX-License-Identifier: Apache-2.0

"""Evacuations off a host that is down, and what it does when it is back."""

from tests.conformance.nova import move
from tests.conformance.nova import Nova
from tests.conformance.nova import same

EVACUATION = 'evacuation'
MOVED = ('accepted', 'pre-migrating', 'done')
TASKS = ('rebuilding', 'rebuild_block_device_mapping', 'rebuild_spawning')


def states_come_back(nova: Nova) -> None:
    """What ran runs, what was off is off, what was in ERROR is ACTIVE."""
    source, dest, _other = nova.hosts
    before = ('ACTIVE', 'SHUTOFF', 'ERROR')
    servers = nova.boot_all(source, *before)
    nova.down(source)
    for server, status, after in zip(
        servers, before, ('ACTIVE', 'SHUTOFF', 'ACTIVE'), strict=True
    ):
        nova.gateway.evacuate(server, dest)
        found = nova.until(server, after, host=dest, record='done')
        same((EVACUATION, 'done', source, dest), move(found))
        nova.check_statuses(found.record, *MOVED)
        for host in (source, dest):
            same(True, server in nova.holds(host))
        same(
            ['evacuate'],
            [
                instance_action.action
                for instance_action in nova.gateway.history(server)
            ][-1:],
        )
        if status != 'SHUTOFF':
            nova.check_states(
                server,
                (status, None),
                *(('REBUILD', task) for task in TASKS),
                ('ACTIVE', None),
            )
        off = after == 'SHUTOFF'
        same(4 if off else 1, found.server.power_state)


def to_stay_stopped(nova: Nova) -> None:
    """At 2.95: also what ran; but not what was in ERROR, unless reset."""
    source, dest, _other = nova.hosts
    active, error, was_reset = nova.boot_all(
        source, 'ACTIVE', 'ERROR', 'ERROR'
    )
    nova.down(source)
    nova.gateway.reset(was_reset)
    for server in (active, error, was_reset):
        nova.gateway.evacuate(server, dest, stopped=True)
    nova.until(active, 'SHUTOFF', host=dest, record='done')
    nova.until(error, 'ACTIVE', host=dest, record='done')
    nova.until(was_reset, 'SHUTOFF', host=dest, record='done')


def to_a_host_of_the_schedulers(nova: Nova) -> None:
    """The record has no destination at first."""
    source, *others = nova.hosts
    server = nova.boot(source)
    nova.down(source)
    nova.gateway.evacuate(server)
    found = nova.until(server, 'ACTIVE', record='done')
    same(True, found.server.host in others)
    same((EVACUATION, 'done', source, found.server.host), move(found))


def what_is_refused(nova: Nova) -> None:
    """A host that lives, its own one, and one that does not exist."""
    source, dest, _other = nova.hosts
    server = nova.boot(source)
    evacuate = nova.gateway.evacuate
    nova.check_refused(
        400, f'Compute service of {source} is still in use', evacuate, server
    )
    nova.down(source)
    nova.check_refused(404, 'not found', evacuate, server, 'nowhere')
    nova.check_refused(
        400,
        "target host can't be the same one",
        evacuate,
        server,
        source,
        final=True,
    )
    same((), nova.look(server).records)
    nova.gateway.evacuate(server, dest)
    nova.until(server, 'ACTIVE', host=dest, record='done')


def no_room(nova: Nova) -> None:
    """The record keeps the destination, and the server is in ERROR."""
    source, full, free = nova.hosts
    server = nova.boot(source)
    nova.fill(full)
    nova.down(source)
    nova.gateway.evacuate(server, full)
    found = nova.until(server, 'ERROR', host=source, record='error')
    same((EVACUATION, 'error', source, full), move(found))
    same(1, found.server.power_state)
    same(
        True,
        'No valid host was found' in nova.gateway.failure(found.record).reason,
    )
    nova.until_holds(full, set())
    nova.gateway.evacuate(server, free)
    nova.until(server, 'ACTIVE', host=free, record='done')


def a_failed_claim(nova: Nova) -> None:
    """The server is as it was."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, fails='claim')
    nova.down(source)
    nova.gateway.evacuate(server, dest)
    found = nova.until(server, 'ACTIVE', host=source, record='failed')
    same((EVACUATION, 'failed', source, dest), move(found))
    nova.until_holds(dest, set())
    nova.gateway.evacuate(server, dest)
    nova.until(server, 'ACTIVE', host=dest, record='done')


def a_failed_build(nova: Nova) -> None:
    """The server is in ERROR, and nobody knows whether it ran."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, fails='spawn')
    nova.down(source)
    nova.gateway.evacuate(server, dest)
    found = nova.until(server, 'ERROR', host=source, record='failed')
    same((EVACUATION, 'failed', source, dest), move(found))
    same(0, found.server.power_state)
    nova.until_holds(dest, set())
    nova.gateway.evacuate(server, dest)
    nova.until(server, 'ACTIVE', host=dest, record='done')


def the_source_comes_back(nova: Nova) -> None:
    """It cleans up as it starts; until then it is not forced up."""
    source, dest, _other = nova.hosts
    server = nova.boot(source)
    nova.down(source)
    nova.gateway.evacuate(server, dest)
    record = nova.until(server, 'ACTIVE', host=dest, record='done').record
    same(
        [record.id],
        [
            each.id
            for each in nova.gateway.evacuated(source)
            if each.server_id == server
        ],
    )
    nova.check_refused(
        400,
        f'Unable to force up host {source}',
        nova.gateway.force_down,
        nova.service(source),
        down=False,
        final=True,
    )
    nova.until_holds(source, {server})
    nova.start(source)
    nova.until(server, record='completed')
    nova.until_holds(source, set())
    nova.until_holds(dest, {server})
    same(False, nova.service(source).up)
    nova.gateway.force_down(nova.service(source), down=False)
    nova.gateway.live_migrate(server, source)
    nova.until(server, 'ACTIVE', host=source, record='completed')


def the_source_comes_back_too_early(nova: Nova) -> None:
    """It takes what is not over for over, and is wrong."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='building')
    nova.down(source)
    nova.gateway.evacuate(server, dest)
    nova.until(server, 'REBUILD', task='rebuild_spawning')
    nova.start(source)
    found = nova.until(server, record='completed')
    same(
        ('REBUILD', 'rebuild_spawning', source),
        (found.server.status, found.server.task_state, found.server.host),
    )
    nova.hurry(server)
    nova.until(server, 'ACTIVE', host=dest, record='done')


def a_destination_that_is_dead(nova: Nova) -> None:
    """Nova does not know yet; it goes on when that is back."""
    source, dest, _other = nova.hosts
    server = nova.boot(source)
    nova.down(source)
    nova.kill(dest)
    nova.gateway.evacuate(server, dest)
    nova.wait(lambda: server in nova.holds(dest), 'it to be scheduled')
    found = nova.look(server)
    same(('REBUILD', source), (found.server.status, found.server.host))
    same((EVACUATION, 'accepted', source, dest), move(found))
    same(
        [],
        [
            each
            for each in nova.gateway.moves(found.record.created_at)
            if each.server_id == server
        ],
    )
    nova.start(dest)
    nova.until(server, 'ACTIVE', host=dest, record='done')
