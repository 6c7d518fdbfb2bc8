# SPDX-License-Identifier: Apache-2.0

"""Hosts that die in the middle of a move, and what they do when back."""

from tests.conformance.nova import move
from tests.conformance.nova import Nova
from tests.conformance.nova import same

LIVE, COLD = 'live-migration', 'migration'


def the_source_while_it_copies(nova: Nova) -> None:
    """What ran is an error; what waited keeps its record for good."""
    source, dest, _other = nova.hosts
    runs = nova.boot(source, slow='copying')
    waits = nova.boot(source, slow='copying')
    nova.gateway.live_migrate(runs, dest)
    record = nova.until(runs, record='running').record
    nova.gateway.live_migrate(waits, dest)
    nova.until(waits, record='queued')
    nova.kill(source)
    nova.gateway.abort(runs, record.id)
    same('running', nova.look(runs).record_status)
    same('queued', nova.look(waits).record_status)
    nova.start(source)
    found = nova.until(runs, 'ACTIVE', host=source, record='error')
    same((LIVE, 'error', source, dest), move(found))
    found = nova.until(waits, 'ACTIVE', host=source)
    same('queued', found.record_status)
    same(True, LIVE in nova.holds(source))
    nova.hurry(runs)
    nova.gateway.live_migrate(runs, dest)
    nova.until(runs, 'ACTIVE', host=dest, record='completed')


def the_source_while_it_waits_for_the_destination(nova: Nova) -> None:
    """Nothing shows that; the record stays for good."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='preparing')
    nova.gateway.live_migrate(server, dest)
    record = nova.until(server, record='preparing').record
    nova.kill(source)
    nova.gateway.abort(server, record.id)
    nova.start(source)
    found = nova.until(server, 'ACTIVE', host=source)
    same((LIVE, 'preparing', source, dest), move(found))
    same(True, LIVE in nova.holds(source))


def the_destination_while_it_copies(nova: Nova) -> None:
    """It goes on, and can be aborted."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='copying')
    nova.gateway.live_migrate(server, dest)
    record = nova.until(server, record='running').record
    nova.kill(dest)
    nova.gateway.abort(server, record.id)
    nova.until(server, 'ACTIVE', host=source, record='cancelled')
    nova.until_holds(source, {server})


def the_destination_when_it_arrives(nova: Nova) -> None:
    """The destination does not say that it has it: ERROR, over there."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='copying')
    nova.gateway.live_migrate(server, dest)
    nova.until(server, record='running')
    nova.kill(dest)
    nova.hurry(server)
    found = nova.until(server, 'ERROR', host=dest, record='error')
    same((LIVE, 'error', source, dest), move(found))


def the_destination_comes_back_in_time(nova: Nova) -> None:
    """As if nothing had been."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='copying')
    nova.gateway.live_migrate(server, dest)
    nova.until(server, record='running')
    nova.kill(dest)
    nova.start(dest)
    same('running', nova.look(server).record_status)
    nova.hurry(server)
    nova.until(server, 'ACTIVE', host=dest, record='completed')


def the_destination_while_it_prepares(nova: Nova) -> None:
    """It fails after a time-out; an abort does nothing."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='preparing')
    nova.gateway.live_migrate(server, dest)
    record = nova.until(server, record='preparing').record
    nova.kill(dest)
    nova.gateway.abort(server, record.id)
    found = nova.until(server, 'ACTIVE', host=source, record='failed')
    same((LIVE, 'failed', source, dest), move(found))
    nova.until_holds(dest, set())


def the_destination_before_it_is_asked(nova: Nova) -> None:
    """A call is not answered: the move comes to nothing."""
    source, dest, _other = nova.hosts
    server = nova.boot(source)
    nova.kill(dest)
    nova.gateway.live_migrate(server, dest)
    found = nova.until(server, 'ACTIVE', host=source, record='error')
    same(None, found.record.dest)
    nova.until_holds(source, {server})


def the_destination_of_a_cold_migration(nova: Nova) -> None:
    """A cast waits, without an end, and so does that of a confirmation."""
    source, dest, _other = nova.hosts
    server = nova.boot(source)
    nova.kill(dest)
    nova.gateway.cold_migrate(server, dest)
    nova.wait(lambda: server in nova.holds(dest), 'it to be scheduled')
    found = nova.look(server)
    same(('RESIZE', 'resize_prep'), nova.states[server][-1])
    same('pre-migrating', found.record_status)
    nova.start(dest)
    nova.until(server, 'VERIFY_RESIZE', host=dest, record='finished')
    nova.kill(source)
    nova.gateway.confirm(server)
    found = nova.until(server, record='confirming')
    same('VERIFY_RESIZE', found.server.status)
    nova.start(source)
    nova.until(server, 'ACTIVE', host=dest, record='confirmed')


def the_source_while_a_disk_is_copied(nova: Nova) -> None:
    """The server is on the source again; its record stays for good."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='disk')
    nova.gateway.cold_migrate(server, dest)
    nova.until(server, task='resize_migrating', record='migrating')
    nova.kill(source)
    nova.start(source)
    found = nova.until(server, 'ACTIVE', host=source)
    same((COLD, 'migrating', source, dest), move(found))
    same(True, COLD in nova.holds(source))


def the_source_while_it_confirms(nova: Nova) -> None:
    """Nova never takes it up again."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='confirming')
    nova.gateway.cold_migrate(server, dest)
    nova.until(server, 'VERIFY_RESIZE', record='finished')
    nova.gateway.confirm(server)
    nova.until(server, record='confirming')
    nova.settle()
    nova.kill(source)
    nova.start(source)
    nova.check_refused(
        400, 'Instance has not been resized', nova.gateway.confirm, server
    )
    found = nova.until(server, 'VERIFY_RESIZE', host=dest)
    same('confirming', found.record_status)
    nova.until_holds(source, {COLD})
