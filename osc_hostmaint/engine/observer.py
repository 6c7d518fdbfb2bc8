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

"""Looking at one host, as much as is asked for, as cheaply as possible."""

import collections.abc
import dataclasses
import datetime
import types

from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.planning import case as cases
from osc_hostmaint.planning import decision as decisions
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing

#: Records changed so long before the newest known change are asked for again.
OVERLAP = datetime.timedelta(seconds=timing.RECORDS_OVERLAP_SECONDS)

_NONE: collections.abc.Mapping[str, model.Service] = types.MappingProxyType({})


class ServiceBoard:
    """The compute services of all hosts: one list serves every host."""

    def __init__(
        self,
        gateway: ports.Gateway,
        clock: ports.Clock,
        services: collections.abc.Mapping[str, model.Service] = _NONE,
    ):
        """:param services: as just looked at."""
        self._gateway = gateway
        self._clock = clock
        #: As of the latest look, by host.
        self.services = services
        self._at = clock.now() if services else float('-inf')

    def latest(
        self, host: str
    ) -> tuple[model.Service | None, frozenset[str], float]:
        """Return a host's service, which others are down, and as of when."""
        if self._clock.now() - self._at >= timing.SERVICES_SHARED_SECONDS:
            self.services = model.by_host(self._gateway.services())
            self._at = self._clock.now()
        down = (s.host for s in self.services.values() if not s.up)
        return self.services.get(host), frozenset(down) - {host}, self._at


class Observer:
    """The eyes for one host; holds what earlier looks have shown."""

    def __init__(
        self,
        gateway: ports.Gateway,
        clock: ports.Clock,
        board: ServiceBoard,
        service: model.Service,
        policy: policies.Policy | None = None,
    ):
        """:param policy: says since when moves count, and where to."""
        self._gateway = gateway
        self._clock = clock
        self._board = board
        self._policy = policy or policies.Policy()
        self.seen = model.Observation(
            host=service.host,
            service=service,
            servers={},
            servers_at=float('-inf'),
            service_at=clock.now(),
            home=board.services.get(policy.home if policy else ''),
        )

    def open(self) -> model.Observation:
        """Look at all there may be to move, before the first decision."""
        self.see_newest()
        self.see_unconfirmed()
        self._see_servers()
        return self.seen

    def see_newest(self) -> model.Observation:
        """Look at the newest migrations."""
        self._see_migrations(self._gateway.migrations(self.seen.host))
        return self.seen

    def see_unconfirmed(self) -> model.Observation:
        """Look at migrations that may be old and hold something still."""
        self._see_migrations(self._gateway.unconfirmed(self.seen.host))
        return self.seen

    def look(self, inquiry: decisions.Inquiry) -> model.Observation:
        """Look at the lists asked for."""
        if inquiry.newest:
            self.see_newest()
        elif inquiry.records:
            self._see_changes()
        if inquiry.services:
            self._see_service()
        if inquiry.servers:
            self._see_servers()
        if inquiry.consumers:
            self._see_consumers()
        return self.seen

    def visit(self, inquiry: decisions.Inquiry) -> model.Observation:
        """Look at the single servers and migrations asked for."""
        visited = dict(self.seen.visited)
        for server_id in sorted(inquiry.visit):
            server = self._gateway.server(server_id)
            visited[server_id] = dataclasses.replace(
                server, seen_at=self._clock.now()
            )
            self._update(visited=visited)
        if any(self._at_odds(server_id) for server_id in inquiry.visit):
            # Which of the two is out of date?
            self._see_changes()
        failures = dict(self.seen.failures)
        for record_id in sorted(inquiry.explain):
            record = self.seen.migrations[record_id]
            failures[record_id] = self._gateway.failure(record)
            self._update(failures=failures)
        self._see_progress(inquiry.progress)
        histories = dict(self.seen.histories)
        for server_id in sorted(inquiry.history):
            histories[server_id] = self._gateway.history(server_id)
            self._update(histories=histories)
        if inquiry.trace:
            self._trace(inquiry.trace)
        return self.seen

    def _trace(self, uuids: frozenset[str]) -> None:
        """Search all records of the host for migrations."""
        found = self._gateway.all_migrations(self.seen.host)
        former = {
            r.id: dataclasses.replace(r, seen_at=self._clock.now())
            for r in found
            if r.uuid in uuids
        }
        self._update(
            former={**self.seen.former, **former},
            traced=self.seen.traced | uuids,
        )

    def _see_changes(self) -> None:
        """Look at the migrations that have changed of late.

        Off a dead host nothing else changes than evacuations.
        """
        if self._policy.evacuate:
            self._see_migrations(self._gateway.evacuations(self.seen.host))
            return
        since = self._changed_since()
        self._see_migrations(
            self._gateway.migrations(self.seen.host, since), since
        )

    def _at_odds(self, server_id: str) -> bool:
        """Tell whether a server rests here while a record has it move away.

        Either the move has just failed, or nobody is at it any more.
        """
        view = self.seen.visited[server_id]
        return (
            view.host == self.seen.host
            and view.task_state is None
            and any(
                record.server_id == server_id
                and record.source == self.seen.host
                and record.in_flight
                for record in self.seen.migrations.values()
            )
        )

    def _see_progress(self, record_ids: collections.abc.Iterable[int]) -> None:
        seen = self.seen
        found = {
            i: p
            for i, p in seen.progress.items()
            if (record := seen.migrations.get(i)) and record.in_flight
        }
        for record_id in sorted(record_ids):
            server_id = seen.migrations[record_id].server_id
            progress = self._gateway.progress(server_id, record_id)
            if progress:
                found[record_id] = dataclasses.replace(
                    progress, seen_at=self._clock.now()
                )
        self._update(progress=found)

    def _update(self, **changes: object) -> None:
        self.seen = dataclasses.replace(self.seen, **changes)  # type: ignore[arg-type]

    def _changed_since(self) -> datetime.datetime | None:
        """From Nova's own times alone: our clock may be wrong."""
        times = [
            r.updated_at or r.created_at for r in self.seen.migrations.values()
        ]
        if times:
            return max(times) - OVERLAP
        since = cases.since(self.seen, self._policy)
        return since - OVERLAP if since else None

    def _see_migrations(
        self,
        records: collections.abc.Collection[model.Migration],
        since: datetime.datetime | None = None,
    ) -> None:
        now = self._clock.now()
        # The records of a deleted server vanish at once: what was changed
        # lately and is not listed any more was one of those.
        listed = {record.id for record in records}
        known = {
            i: r
            for i, r in self.seen.migrations.items()
            if i in listed
            or not (since and r.in_flight and r.updated_at)
            or r.updated_at <= since
        }
        vanished = {
            i: r for i, r in self.seen.migrations.items() if i not in known
        }
        for record in records:
            old = known.get(record.id)
            same = old is not None and old.status == record.status
            seen_at = old.seen_at if same and old else now
            known[record.id] = dataclasses.replace(record, seen_at=seen_at)
        self._update(
            migrations=known,
            former={**self.seen.former, **vanished},
            migrations_at=now,
            ahead=self._ahead(records, now),
        )

    def _ahead(
        self, records: collections.abc.Iterable[model.Migration], now: float
    ) -> float | None:
        # What was seen now was changed before now.
        bounds = [
            now - r.updated_at.timestamp() for r in records if r.updated_at
        ]
        if self.seen.ahead is not None:
            bounds.append(self.seen.ahead)
        return min(bounds, default=None)

    def _see_servers(self) -> None:
        servers = self._gateway.servers(self.seen.host)
        now = self._clock.now()
        self._update(
            servers={
                s.id: dataclasses.replace(s, seen_at=now) for s in servers
            },
            servers_at=now,
        )

    def _see_service(self) -> None:
        service, down, at = self._board.latest(self.seen.host)
        if service is None:
            # Deleted meanwhile, or its cell does not answer.
            service = dataclasses.replace(self.seen.service, up=False)
        self._update(
            service=service,
            down=down,
            service_at=at,
            home=self._board.services.get(self._policy.home),
        )

    def _see_consumers(self) -> None:
        allocations = self._gateway.allocations(self.seen.host)
        self._update(
            consumers=frozenset(allocations), consumers_at=self._clock.now()
        )
