# SPDX-License-Identifier: Apache-2.0

"""What is asked of Nova about moves: what became of them, and who asked."""

import collections.abc
import contextlib
import datetime

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.nova import actions
from osc_hostmaint.nova import records
from osc_hostmaint.nova import session
from osc_hostmaint.nova import transport

_EVACUATE = 'evacuate'
_MOVE_ACTIONS = frozenset({'live-migration', 'migrate', _EVACUATE})
#: Actions that a server comes to a host by, and what they do there last.
_ARRIVALS: collections.abc.Mapping[str, str] = {
    'create': 'compute__do_build_and_run_instance',
    'live-migration': 'compute_post_live_migration_at_destination',
    'migrate': 'compute_finish_resize',
    'resize': 'compute_finish_resize',
    'revertResize': 'compute_finish_revert_resize',
    'unshelve': 'compute_unshelve_instance',
    _EVACUATE: 'compute_rebuild_instance',
}
#: What they do on the host that it leaves. An evacuation does nothing there.
_DEPARTURES = frozenset({'compute_live_migration', 'compute_resize_instance'})

_Events = collections.abc.Collection[records.Json]


class Moves(session.Session):
    """Migration records and instance actions.

    All raise :class:`osc_hostmaint.exceptions.CloudError`.
    """

    def check_hosts_shown(self) -> None:
        """Make sure that the records of migrations tell their hosts.

        One record of any host is asked for; where there is none yet, nothing
        is known.

        :raises NotPermitted: they do not.
        """
        found = self._nova.get(
            '/os-migrations', 'migrations', self._version, {'limit': '1'}
        )
        for data in found:
            records.migration(data)

    def migrations(
        self, host: str, changed_since: datetime.datetime | None = None
    ) -> list[model.Migration]:
        """Return records with a host as source or destination.

        :param changed_since: only those updated since then; Nova leaves out
            records that were never updated. None: the newest page of all,
            1,000 where Nova's ``max_limit`` is not changed.
        """
        if changed_since is None:
            found = self._nova.get(
                '/os-migrations', 'migrations', self._version, {'host': host}
            )
            return self._read(found)
        return self._migrations(
            {'host': host, 'changes-since': changed_since.isoformat()}
        )

    def all_migrations(self, host: str) -> list[model.Migration]:
        """Return all records with a host as source or destination.

        All pages are read. Those of deleted servers are not among them.
        """
        return self._migrations({'host': host})

    def flights(self) -> list[model.Migration]:
        """Return the migrations that are in flight in the whole cloud.

        Only the newest page of all is looked at: 1,000 where Nova's
        ``max_limit`` is not changed.
        """
        found = self._nova.get(
            '/os-migrations', 'migrations', self._version, {}
        )
        records_ = (records.migration(m) for m in found)
        return [record for record in records_ if record.in_flight]

    def unconfirmed(self, host: str) -> list[model.Migration]:
        """Return records from a host whose move awaits a confirmation."""
        return self._migrations({'source_compute': host, 'status': 'finished'})

    def evacuations(self, host: str) -> list[model.Migration]:
        """Return the newest records of evacuations off a host.

        Also of those that wait for a destination which is dead: their records
        were never updated, and `changes-since` leaves them out.
        """
        found = self._nova.get(
            '/os-migrations',
            'migrations',
            self._version,
            {
                'source_compute': host,
                'migration_type': model.MigrationType.EVACUATION,
            },
        )
        return [records.migration(m) for m in found]

    def evacuated(self, host: str) -> list[model.Migration]:
        """Return evacuations off a host that it has not cleaned up yet.

        It does so when nova-compute starts.
        """
        return self._migrations(
            {
                'source_compute': host,
                'migration_type': model.MigrationType.EVACUATION,
                'status': 'done',
            }
        )

    def left(
        self, host: str, since: datetime.datetime
    ) -> list[model.Migration]:
        """Return records from a host that were updated since a time."""
        return self._migrations(
            {'source_compute': host, 'changes-since': since.isoformat()}
        )

    def moves(self, since: datetime.datetime) -> list[model.Migration]:
        """Return the records of the whole cloud updated since a time.

        All pages are read.
        """
        return self._migrations({'changes-since': since.isoformat()})

    def _migrations(self, params: transport.Params) -> list[model.Migration]:
        return self._read(
            self._nova.pages(
                '/os-migrations', 'migrations', self._version, params
            )
        )

    def _read(
        self, found: collections.abc.Iterable[records.Json]
    ) -> list[model.Migration]:
        migrations = []
        for data in found:
            migrations.append(records.migration(data))
            for end in ('source', 'dest'):
                self._learn_node(data[f'{end}_compute'], data[f'{end}_node'])
        return migrations

    def failure(self, record: model.Migration) -> str:
        """Return why a move failed, '' where Nova does not say.

        Only the events of the server's newest move tell (>= 2.84), not the
        record, and of a live migration rolled back nothing does.
        """
        try:
            deeds = self._nova.get(
                _actions(record.server_id), 'instanceActions', self._version
            )
            moves = [d for d in deeds if d['action'] in _MOVE_ACTIONS]
            if not moves:
                return ''
            newest = max(moves, key=lambda d: str(d['start_time']))
            events = self._events(record.server_id, newest)
        except (exceptions.NotFound, exceptions.NotPermitted):
            return ''
        details = [
            event.get('details')
            for event in events
            if event.get('result') == 'Error'
        ]
        return next(filter(None, details), '')

    def _events(self, server_id: str, deed: records.Json) -> _Events:
        """Return what was done for an instance action."""
        action = self._nova.get(
            f'{_actions(server_id)}/{deed["request_id"]}',
            'instanceAction',
            self._version,
        )
        return action.get('events') or []

    def origins(
        self, server_id: str, since: datetime.datetime
    ) -> frozenset[str]:
        """Return the hosts that a server's moves have left since a time.

        Also of a deleted one, which has no records any more. Moves that
        failed don't count, resizes neither; a migration that was reverted
        does. Nova tells at 2.62 and above, and whom it wants to.
        """
        found: set[str] = set()
        # An evacuation left the host that the server had come to before.
        left_unsaid = False
        with contextlib.suppress(exceptions.NotFound, exceptions.NotPermitted):
            for deed in self._deeds(server_id):
                recent = records.deed(deed).started_at >= since
                if not (recent or left_unsaid):
                    break
                moved = recent and deed['action'] in _MOVE_ACTIONS
                arrival = _ARRIVALS.get(deed['action'])
                if not arrival or not (moved or left_unsaid):
                    continue
                events = self._events(server_id, deed)
                arrived = _hosts(events, {arrival})
                if not arrived:
                    continue
                if left_unsaid:
                    found |= arrived
                left_unsaid = moved and deed['action'] == _EVACUATE
                if moved:
                    found |= _hosts(events, _DEPARTURES)
        return frozenset(found)

    def progress(
        self, server_id: str, record_id: int
    ) -> model.Progress | None:
        """Return how far a live migration is, None where it is not known.

        Before it runs, and once it has ended, Nova does not say.
        """
        try:
            data = self._nova.get(
                actions.live_migration(server_id, record_id),
                'migration',
                self._version,
            )
        except exceptions.NotFound:
            return None
        return records.progress(data)

    def history(self, server_id: str) -> tuple[model.Deed, ...]:
        """Return what was asked of a server, oldest first.

        Also of a deleted one (>= 2.21), until Nova's database is purged of
        it.
        """
        try:
            # Nova gives the newest first.
            found = reversed(list(self._deeds(server_id)))
            return tuple(map(records.deed, found))
        except exceptions.NotFound:
            return ()

    def _deeds(self, server_id: str) -> collections.abc.Iterator[records.Json]:
        """Yield a server's instance actions, newest first."""
        return self._nova.pages(
            _actions(server_id), 'instanceActions', self._version, {}
        )


def _actions(server_id: str) -> str:
    return f'/servers/{server_id}/os-instance-actions'


def _hosts(
    events: _Events, names: collections.abc.Collection[str]
) -> set[str]:
    """Return the hosts where something was done, and well (>= 2.62)."""
    return {
        event['host']
        for event in events
        if event['event'] in names
        and event['result'] == 'Success'
        and event.get('host')
    }
