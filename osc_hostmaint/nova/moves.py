#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""What is asked of Nova about moves: what became of them, and who asked."""

import datetime

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.nova import actions
from osc_hostmaint.nova import records
from osc_hostmaint.nova import session
from osc_hostmaint.nova import transport

_MOVE_ACTIONS = frozenset({'live-migration', 'migrate'})


class Moves(session.Session):
    """Migration records and instance actions.

    All raise :class:`osc_hostmaint.exceptions.CloudError`.
    """

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
            return [records.migration(m) for m in found]
        return self._migrations(
            {'host': host, 'changes-since': changed_since.isoformat()}
        )

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

    def _migrations(self, params: transport.Params) -> list[model.Migration]:
        found = self._nova.pages(
            '/os-migrations', 'migrations', self._version, params
        )
        return [records.migration(m) for m in found]

    def failure(self, record: model.Migration) -> str:
        """Return why a move failed, '' where Nova does not say.

        Only the events of the server's newest move tell (>= 2.84), not the
        record, and of a live migration rolled back nothing does.
        """
        url = f'/servers/{record.server_id}/os-instance-actions'
        try:
            deeds = self._nova.get(url, 'instanceActions', self._version)
            moves = [d for d in deeds if d['action'] in _MOVE_ACTIONS]
            if not moves:
                return ''
            newest = max(moves, key=lambda d: str(d['start_time']))
            action = self._nova.get(
                f'{url}/{newest["request_id"]}',
                'instanceAction',
                self._version,
            )
        except (exceptions.NotFound, exceptions.NotPermitted):
            return ''
        details = [
            event.get('details')
            for event in action.get('events') or []
            if event.get('result') == 'Error'
        ]
        return next(filter(None, details), '')

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
        found = self._nova.pages(
            f'/servers/{server_id}/os-instance-actions',
            'instanceActions',
            self._version,
            {},
        )
        try:
            # Nova gives the newest first.
            return tuple(records.deed(a) for a in reversed(list(found)))
        except exceptions.NotFound:
            return ()
