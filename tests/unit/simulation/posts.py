# SPDX-License-Identifier: Apache-2.0

"""What one user of the simulated cloud may have it do to servers."""

import collections.abc

from tests.unit.simulation import session
from tests.unit.simulation import world


class Posts(session.Session):
    """All requests that do something to a server."""

    def live_migrate(self, server_id: str, host: str = '') -> None:
        """POST /servers/{id}/action."""
        self._post(
            'live_migrate',
            server_id,
            lambda: self._cloud.live_migrate(
                server_id, host=host, by=self.actor
            ),
            host,
        )

    def cold_migrate(self, server_id: str, host: str = '') -> None:
        """POST /servers/{id}/action."""
        self._post(
            'cold_migrate',
            server_id,
            lambda: self._cloud.cold_migrate(
                server_id, host=host, by=self.actor
            ),
            host,
        )

    def evacuate(
        self, server_id: str, host: str = '', *, stopped: bool = False
    ) -> None:
        """POST /servers/{id}/action: at 2.95 or above if `stopped`."""
        self._post(
            'evacuate',
            server_id,
            lambda: self._cloud.evacuate(
                server_id, host=host, stopped=stopped, by=self.actor
            ),
            host,
        )

    def reset(self, server_id: str) -> None:
        """POST /servers/{id}/action."""
        self._post(
            'reset',
            server_id,
            lambda: self._cloud.reset(server_id, by=self.actor),
        )

    def confirm(self, server_id: str) -> None:
        """POST /servers/{id}/action."""
        self._act('confirm', server_id, self._cloud.confirm)

    def resume(self, server_id: str) -> None:
        """POST /servers/{id}/action."""
        self._act('resume', server_id, self._cloud.resume)

    def suspend(self, server_id: str) -> None:
        """POST /servers/{id}/action."""
        self._act('suspend', server_id, self._cloud.suspend)

    def shelve(self, server_id: str) -> None:
        """POST /servers/{id}/action."""
        self._act('shelve', server_id, self._cloud.shelve)

    def offload(self, server_id: str) -> None:
        """POST /servers/{id}/action."""
        self._act('offload', server_id, self._cloud.offload)

    def abort(self, server_id: str, record_id: int) -> None:
        """DELETE /servers/{id}/migrations/{id}."""
        self._post(
            'abort',
            server_id,
            lambda: self._cloud.abort(server_id, record_id, self.actor),
        )

    def force_complete(self, server_id: str, record_id: int) -> None:
        """POST /servers/{id}/migrations/{id}/action."""
        self._post(
            'force_complete',
            server_id,
            lambda: self._cloud.force_complete(
                server_id, record_id, self.actor
            ),
        )

    def _act(
        self,
        kind: str,
        server_id: str,
        call: collections.abc.Callable[[str, world.Actor], None],
    ) -> None:
        self._post(kind, server_id, lambda: call(server_id, self.actor))
