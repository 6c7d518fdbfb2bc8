# SPDX-License-Identifier: Apache-2.0

"""Live migrations that go well, and those that do not."""

from osc_hostmaint import model
from tests.conformance.nova import move
from tests.conformance.nova import Nova
from tests.conformance.nova import same

LIVE = 'live-migration'
MOVED = ('accepted', 'queued', 'preparing', 'running', 'completed')


def to_the_host_asked_for(nova: Nova) -> None:
    """The record, the server's states, and who holds what and when."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='copying')
    addresses = nova.look(server).server.addresses
    nova.gateway.live_migrate(server, dest)
    found = nova.until(server, record='running')
    same((LIVE, 'running', source, dest), move(found))
    same(('MIGRATING', source), (found.server.status, found.server.host))
    nova.until_holds(source, {LIVE})
    nova.until_holds(dest, {server})
    nova.hurry(server)
    found = nova.until(server, 'ACTIVE', host=dest, record='completed')
    nova.check_states(
        server, ('ACTIVE', None), ('MIGRATING', 'migrating'), ('ACTIVE', None)
    )
    nova.check_statuses(found.record, *MOVED)
    same(addresses, found.server.addresses)
    nova.until_holds(source, set())
    nova.until_holds(dest, {server})


def to_a_host_of_the_schedulers(nova: Nova) -> None:
    """Without a host asked for, the scheduler picks another one."""
    source, *others = nova.hosts
    server = nova.boot(source)
    nova.gateway.live_migrate(server)
    found = nova.until(server, 'ACTIVE', record='completed')
    same(True, found.server.host in others, found)
    same((LIVE, 'completed', source, found.server.host), move(found))


def of_a_paused_server(nova: Nova) -> None:
    """It stays paused, and is not forced to an end."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, 'PAUSED', slow='copying')
    nova.gateway.live_migrate(server, dest)
    record = nova.until(server, record='running').record
    nova.check_refused(
        409, 'vm_state paused', nova.gateway.force_complete, server, record.id
    )
    nova.hurry(server)
    nova.until(server, 'PAUSED', host=dest, record='completed')


def one_at_a_time(nova: Nova) -> None:
    """The source runs one; the other waits, and can be aborted."""
    source, dest, _other = nova.hosts
    first = nova.boot(source, slow='copying')
    second = nova.boot(source, slow='copying')
    nova.gateway.live_migrate(first, dest)
    nova.until(first, record='running')
    nova.gateway.live_migrate(second, dest)
    waiting = nova.until(second, 'MIGRATING', record='queued').record
    same(None, nova.gateway.progress(second, waiting.id))
    nova.check_refused(
        400,
        'while the migration is in this state',
        nova.gateway.force_complete,
        second,
        waiting.id,
    )
    nova.gateway.abort(second, waiting.id)
    nova.until(second, 'ACTIVE', host=source, record='cancelled')
    nova.until_holds(dest, {first})
    nova.check_statuses(waiting, 'accepted', 'queued', 'cancelled')
    same('running', nova.look(first).record_status)
    nova.hurry(first)
    nova.until(first, 'ACTIVE', host=dest, record='completed')


def two_side_by_side(nova: Nova) -> None:
    """Sources don't wait for one another."""
    source, another, dest = nova.hosts
    servers = [nova.boot(host, slow='copying') for host in (source, another)]
    for server in servers:
        nova.gateway.live_migrate(server, dest)
    for server in servers:
        nova.until(server, record='running')
    for server in servers:
        nova.hurry(server)
        nova.until(server, 'ACTIVE', host=dest, record='completed')


def aborted(nova: Nova) -> None:
    """It stays where it is; further aborts do no harm until it is over."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='copying')
    nova.gateway.live_migrate(server, dest)
    record = nova.until(server, record='running').record
    progress = nova.gateway.progress(server, record.id)
    same(True, progress and progress.total > 0, progress)
    nova.gateway.abort(server, record.id)
    found = nova.until(server, 'ACTIVE', host=source, record='cancelled')
    same((LIVE, 'cancelled', source, dest), move(found))
    nova.check_statuses(record, *MOVED[:-1], 'cancelled')
    nova.until_holds(source, {server})
    nova.until_holds(dest, set())
    same(None, nova.gateway.progress(server, record.id))
    for request, words in (
        (nova.gateway.abort, "invalid state for 'abort live migration'"),
        (nova.gateway.force_complete, "invalid state for 'force_complete'"),
    ):
        nova.check_refused(409, words, request, server, record.id)
    same(model.Failure(), nova.gateway.failure(found.record))


def forced_to_an_end(nova: Nova) -> None:
    """It arrives, although its memory was never copied."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='copying')
    stranger = nova.boot(source)
    nova.gateway.live_migrate(server, dest)
    record = nova.until(server, record='running').record
    nova.gateway.live_migrate(stranger, dest)
    other = nova.until(stranger, record='queued').record
    nova.check_refused(404, 'not found', nova.gateway.abort, server, other.id)
    nova.check_refused(
        400,
        'not found',
        nova.gateway.force_complete,
        server,
        other.id,
        final=True,
    )
    nova.gateway.force_complete(server, record.id)
    nova.until(server, 'ACTIVE', host=dest, record='completed')
    same(
        ['live-migration', 'live_migration_force_complete'],
        [
            instance_action.action
            for instance_action in nova.gateway.history(server)
        ][1:],
    )
    nova.until(stranger, 'ACTIVE', host=dest, record='completed')


def a_failed_precheck(nova: Nova) -> None:
    """It never begins; the next one goes well."""
    source, *_others = nova.hosts
    server = nova.boot(source, fails='precheck')
    nova.gateway.live_migrate(server, nova.hosts[1])
    found = nova.until(server, 'ACTIVE', host=source, record='error')
    nova.check_statuses(found.record, 'accepted', 'error')
    same(None, found.record.dest)
    failure = nova.gateway.failure(found.record)
    same((True, {nova.hosts[1]}), (bool(failure.reason), {*failure.hosts}))
    nova.until_holds(source, {server})
    nova.gateway.live_migrate(server, nova.hosts[1])
    nova.until(server, 'ACTIVE', host=nova.hosts[1], record='completed')
    same(2, len(nova.look(server).records))


def a_destination_that_can_not_prepare(nova: Nova) -> None:
    """The roll-back has the last word: failed."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, fails='pre')
    nova.gateway.live_migrate(server, dest)
    found = nova.until(server, 'ACTIVE', host=source, record='failed')
    same((LIVE, 'failed', source, dest), move(found))
    nova.check_statuses(found.record, *MOVED[:3], 'error', 'failed')
    nova.until_holds(source, {server})
    nova.until_holds(dest, set())


def a_failure_while_it_runs(nova: Nova) -> None:
    """It is rolled back, and nothing says why."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, fails='running')
    nova.gateway.live_migrate(server, dest)
    found = nova.until(server, 'ACTIVE', host=source, record='failed')
    same((LIVE, 'failed', source, dest), move(found))
    nova.check_statuses(found.record, *MOVED[:-1], 'failed')
    same(model.Failure(), nova.gateway.failure(found.record))
    nova.until_holds(source, {server})
    nova.until_holds(dest, set())


def a_failure_at_the_end(nova: Nova) -> None:
    """It is too late to roll back: the server is in ERROR."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, fails='post')
    nova.gateway.live_migrate(server, dest)
    found = nova.until(server, 'ERROR', record='error')
    same(source, found.server.host)
    nova.check_statuses(found.record, *MOVED[:-1], 'error')
