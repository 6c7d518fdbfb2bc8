# SPDX-License-Identifier: Apache-2.0

"""Requests to Nova about moves: migration records and actions."""

from collections import abc
import datetime
import operator

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.nova import actions
from osc_hostmaint.nova import client
from osc_hostmaint.nova import records

_Records = list[model.Migration]

_MIGRATIONS = ('/os-migrations', 'migrations')
_MOVE_ACTIONS = frozenset({'live-migration', 'migrate', 'evacuate'})


def check_hosts_shown(cloud: client.Client) -> None:
    """Check that migration records show their hosts.

    This reads one record of any host. If there is none yet, the check
    passes.

    :raises NotPermitted: they do not show them.
    """
    _newest(cloud, limit='1')


def migrations(
    cloud: client.Client,
    host: str,
    changed_since: datetime.datetime | None = None,
) -> _Records:
    """Return records with a host as source or destination.

    :param changed_since: only those updated since then; Nova leaves out
        records that were never updated. None: the newest page of all,
        1,000 where Nova's ``max_limit`` is not changed.
    """
    if changed_since is None:
        return _newest(cloud, host=host)
    return _all(cloud, host=host, **_since(changed_since))


def all_migrations(cloud: client.Client, host: str) -> _Records:
    """Return all records with a host as source or destination.

    All pages are read. Those of deleted servers are not among them.
    """
    return _all(cloud, host=host)


def migrations_in_flight(cloud: client.Client) -> _Records:
    """Return the migrations that are in flight in the whole cloud.

    Only the newest page of all is looked at: 1,000 where Nova's
    ``max_limit`` is not changed.
    """
    return [record for record in _newest(cloud) if record.in_flight]


def unconfirmed(cloud: client.Client, host: str) -> _Records:
    """Return records from a host whose move awaits a confirmation."""
    finished = nova_states.MigrationStatus.FINISHED
    return _all(cloud, source_compute=host, status=finished)


def evacuations(cloud: client.Client, host: str) -> _Records:
    """Return the newest records of evacuations off a host.

    Also of those that wait for a destination which is dead: their records
    were never updated, and `changes-since` leaves them out.
    """
    return _newest(cloud, **_off(host))


def evacuated(cloud: client.Client, host: str) -> _Records:
    """Return evacuations off a host that it has not cleaned up yet.

    It does so when nova-compute starts.
    """
    return _all(cloud, **_off(host), status=nova_states.MigrationStatus.DONE)


def left(
    cloud: client.Client, host: str, since: datetime.datetime
) -> _Records:
    """Return records from a host that were updated since a time."""
    return _all(cloud, source_compute=host, **_since(since))


def moves(cloud: client.Client, since: datetime.datetime) -> _Records:
    """Return the records of the whole cloud updated since a time.

    All pages are read.
    """
    return _all(cloud, **_since(since))


def _newest(cloud: client.Client, **params: str) -> _Records:
    """Return the newest page of records."""
    return _read(cloud, cloud.nova.get(*_MIGRATIONS, **params))


def _all(cloud: client.Client, **params: str) -> _Records:
    """Return the records of all pages."""
    return _read(cloud, cloud.nova.pages(*_MIGRATIONS, **params))


def _read(cloud: client.Client, found: abc.Iterable[records.Json]) -> _Records:
    read = []
    for data in found:
        read.append(records.migration(data))
        for end in ('source', 'dest'):
            cloud.learn_node(data[f'{end}_compute'], data[f'{end}_node'])
    return read


def failure(cloud: client.Client, record: model.Migration) -> str:
    """Return why a move failed, '' where Nova does not say.

    Only the events of the server's newest move show it (>= 2.84), not the
    record. Nothing shows it for a live migration that was rolled back.
    """
    path, key = _instance_actions(record.server_id)
    try:
        found = cloud.nova.get(path, key)
        moves = [d for d in found if d['action'] in _MOVE_ACTIONS]
        if not moves:
            return ''
        newest = max(moves, key=operator.itemgetter('start_time'))
        path += f'/{newest["request_id"]}'
        action = cloud.nova.get(path, 'instanceAction')
    except (exceptions.NotFound, exceptions.NotPermitted):
        return ''
    details = [
        event.get('details')
        for event in action.get('events') or []
        if event.get('result') == 'Error'
    ]
    return next(filter(None, details), '')


def progress(
    cloud: client.Client, server_id: str, record_id: int
) -> model.Progress | None:
    """Return how far a live migration is, None where it is not known.

    Before it runs, and once it has ended, Nova does not say.
    """
    path = actions.live_migration(server_id, record_id)
    try:
        return records.progress(cloud.nova.get(path, 'migration'))
    except exceptions.NotFound:
        return None


def history(
    cloud: client.Client, server_id: str
) -> tuple[model.InstanceAction, ...]:
    """Return what was asked of a server, oldest first.

    Also of a deleted one (>= 2.21), until Nova's database is purged of it.
    """
    try:
        # Nova gives the newest first.
        found = list(cloud.nova.pages(*_instance_actions(server_id)))[::-1]
    except exceptions.NotFound:
        return ()
    return tuple(map(records.instance_action, found))


def _since(time: datetime.datetime) -> dict[str, str]:
    return {'changes-since': time.isoformat()}


def _off(host: str) -> dict[str, str]:
    evacuation = model.MigrationType.EVACUATION
    return {'source_compute': host, 'migration_type': evacuation}


def _instance_actions(server_id: str) -> tuple[str, str]:
    """Return the path of a server's instance actions, and their key."""
    return f'/servers/{server_id}/os-instance-actions', 'instanceActions'
