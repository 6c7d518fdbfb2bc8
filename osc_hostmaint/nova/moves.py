# SPDX-License-Identifier: Apache-2.0

"""Requests to Nova about moves: migration records and actions."""

import dataclasses
import datetime
import functools

from keystoneauth1 import discover

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import actions
from osc_hostmaint.nova import client
from osc_hostmaint.nova import lists
from osc_hostmaint.nova import records
from osc_hostmaint.nova import transport

_Records = list[model.Migration]

_MIGRATIONS = ('/os-migrations', 'migrations')
#: Without it the events of a move do not tell on which hosts they were, and
#: without the other one not why they failed; and since when they do.
EVENTS_POLICY = 'os_compute_api:os-instance-actions:events'
_EVENT_HOSTS = (2, 62)
DETAILS_POLICY = 'os_compute_api:os-instance-actions:events:details'
_EVENT_DETAILS = (2, 84)
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

    def read(found: list[records.Json]) -> _Records:
        return [_read(cloud, data) for data in records.listed(found)]

    return cloud.nova.get(*_MIGRATIONS, read, **params)


def _all(cloud: client.Client, **params: str) -> _Records:
    """Return the records of all pages."""
    read = functools.partial(_read, cloud)
    return list(lists.pages(cloud.nova, *_MIGRATIONS, read, **params))


def _read(cloud: client.Client, data: records.Json) -> model.Migration:
    record = records.migration(data)
    for end in ('source', 'dest'):
        cloud.learn_node(data[f'{end}_compute'], data[f'{end}_node'])
    return record


def failure(cloud: client.Client, record: model.Migration) -> model.Failure:
    """Return why a move failed, as far as Nova says.

    Only the events of its instance action show it (>= 2.84), not the record.
    Nothing shows it for a live migration that was rolled back.

    :returns: where a policy hides it, a reason that says so.
    """
    path, key = _instance_actions(record.server_id)
    read = functools.partial(_request_of, record)
    try:
        request = cloud.nova.get(path, key, read)
        if not request:
            return model.Failure()
        path += transport.path(request)
        read_events = functools.partial(_failure, cloud)
        return cloud.nova.get(path, 'instanceAction', read_events)
    except exceptions.NotFound:
        return model.Failure()
    except exceptions.NotPermitted as error:
        if not error.policy:
            raise
        return _hidden(error.policy)


def _failure(cloud: client.Client, data: records.Json) -> model.Failure:
    found = records.failure(data)
    failed = records.failed_events(data)
    newest = discover.normalize_version_number(cloud.nova.version)
    if newest >= _EVENT_HOSTS and any('host' not in e for e in failed):
        cloud.do_without(
            EVENTS_POLICY,
            _(
                'Nova hides on which hosts moves failed (policy %s), so the '
                'same failure on two destinations may not be noticed'
            )
            % EVENTS_POLICY,
        )
    if newest >= _EVENT_DETAILS and any('details' not in e for e in failed):
        return dataclasses.replace(
            found, reason=_hidden(DETAILS_POLICY).reason
        )
    return found


def _hidden(policy: str) -> model.Failure:
    words = _(
        'Nova hides why it failed (policy %s): ask for a role that this '
        'policy allows, or check the nova-compute logs of both hosts'
    )
    return model.Failure(words % policy)


def _request_of(record: model.Migration, found: list[records.Json]) -> str:
    """Return the id of the request for a move, '' if none is known.

    Nothing but the time connects it to its record, and another controller's
    clock may have written that.
    """
    moves = [data for data in found if data['action'] in _MOVE_ACTIONS]

    def distance(data: records.Json) -> datetime.timedelta:
        started_at = records.instance_action(data).started_at
        return abs(started_at - record.created_at)

    return min(moves, key=distance)['request_id'] if moves else ''


def progress(
    cloud: client.Client,
    server_id: str,
    record_id: int,
    *,
    repeated: bool = True,
) -> model.Progress | None:
    """Return how far a live migration is, None where it is not known.

    Before it runs, and once it has ended, Nova does not say. A policy may
    hide it, which is said once.

    :param repeated: where there is no answer, it is asked for again.
    """
    if cloud.progress_hidden:
        return None
    path = actions.live_migration(server_id, record_id)
    try:
        get = cloud.nova.get if repeated else cloud.nova.get_once
        return get(path, 'migration', records.progress)
    except exceptions.NotFound:
        return None
    except exceptions.NotPermitted as error:
        if not error.policy:
            raise
        cloud.progress_hidden = True
        cloud.do_without(
            error.policy,
            _(
                'The progress of live migrations is not known, so those that '
                'stall are not noticed: %s'
            )
            % error,
        )
        return None


def history(
    cloud: client.Client, server_id: str
) -> tuple[model.InstanceAction, ...]:
    """Return what was asked of a server, oldest first.

    Also of a deleted one (>= 2.21), until Nova's database is purged of it.
    """
    try:
        # Nova gives the newest first.
        found = lists.pages(
            cloud.nova, *_instance_actions(server_id), records.instance_action
        )
        return tuple(found)[::-1]
    except exceptions.NotFound:
        return ()


def _since(time: datetime.datetime) -> dict[str, str]:
    return {'changes-since': time.isoformat()}


def _off(host: str) -> dict[str, str]:
    evacuation = model.MigrationType.EVACUATION
    return {'source_compute': host, 'migration_type': evacuation}


def _instance_actions(server_id: str) -> tuple[str, str]:
    """Return the path of a server's instance actions, and their key."""
    path = transport.path('servers', server_id, 'os-instance-actions')
    return path, 'instanceActions'
