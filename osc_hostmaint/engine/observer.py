# SPDX-License-Identifier: Apache-2.0

"""Looking at one host, as much as is asked for, as cheaply as possible."""

import collections.abc
import contextlib
import dataclasses
import datetime
import math
import types

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.engine import ports
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import context as contexts

#: Records changed so long before the newest known change are asked for again.
OVERLAP = datetime.timedelta(seconds=timing.RECORDS_OVERLAP_SECONDS)

_NONE: collections.abc.Mapping[str, model.Service] = types.MappingProxyType({})


class _FallenSilent(Exception):
    """A server's cell does not answer any more."""


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
        self, host: str, after: float = -math.inf
    ) -> tuple[model.Service | None, frozenset[str], float]:
        """Return a host's service, which others are down, and as of when.

        :param after: they must not be older than that.
        """
        now = self._clock.now()
        if (
            now - self._at >= timing.SERVICES_SHARED_SECONDS
            or self._at < after
        ):
            self.services = model.by_host(self._gateway.services())
            self._at = now
        down = (
            s.host for s in self.services.values() if not (s.up or s.silent)
        )
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
        self._operation = requested.operation(policy or policies.Policy())
        self.seen = model.Observation(
            host=service.host,
            service=service,
            servers={},
            servers_at=float('-inf'),
            service_at=clock.now(),
            home=board.services.get(self._operation.other_host),
        )

    def open(self) -> model.Observation:
        """Look at all there may be to move, before the first decision."""
        self.see_newest()
        self.see_unconfirmed()
        self._see_servers()
        return self.seen

    def see_newest(self) -> model.Observation:
        """Look at the newest migrations."""
        now = self._clock.now()
        self._see_migrations(self._gateway.migrations(self.seen.host), now)
        return self.seen

    def see_unconfirmed(self) -> model.Observation:
        """Look at migrations that may be old and hold something still."""
        now = self._clock.now()
        self._see_migrations(self._gateway.unconfirmed(self.seen.host), now)
        return self.seen

    def look(self, query: decisions.Query) -> model.Observation:
        """Look at the lists asked for."""
        if query.newest:
            self.see_newest()
        elif query.records:
            self._see_changes()
        if query.services:
            latest = self.seen.servers_at
            self._see_service(latest if query.after_servers else -math.inf)
        if query.servers:
            self._see_servers()
        if query.consumers:
            self._see_consumers()
        return self.seen

    def visit(self, query: decisions.Query) -> model.Observation:
        """Look at the single servers and migrations asked for.

        Nova waits a minute for a cell that does not answer: where one has
        fallen silent, the others are left for the next time.
        """
        with contextlib.suppress(_FallenSilent):
            self._visit(query.visit)
            if any(self._at_odds(server_id) for server_id in query.visit):
                # Which of the two is out of date?
                self._see_changes()
            self._explain(query.explain)
            self._see_progress(query.progress)
            self._see_histories(query.history)
            if query.trace:
                self._trace(query.trace)
        return self.seen

    def _visit(self, server_ids: frozenset[str]) -> None:
        """Look at servers, first at those whose cells did not answer before.

        At one such only if that still does not answer. What is seen of the
        others is new then, as some moves need it to be.

        :raises _FallenSilent: one answered before.
        """
        unseen = self.seen.unseen
        for server_id in sorted(
            unseen.keys() & server_ids, key=unseen.__getitem__
        ):
            if not self._answers(server_id):
                break
        for server_id in sorted(server_ids - unseen.keys()):
            if not self._answers(server_id):
                raise _FallenSilent

    def _answers(self, server_id: str) -> bool:
        """Look at a server; tell whether its cell answers."""
        now = self._clock.now()
        server = self._gateway.server(server_id)
        unseen = {i: t for i, t in self.seen.unseen.items() if i != server_id}
        if server.status == nova_states.Status.UNKNOWN:
            self._update(unseen={**unseen, server_id: now})
            return False
        view = dataclasses.replace(server, seen_at=now)
        self._update(
            visited={**self.seen.visited, server_id: view}, unseen=unseen
        )
        return True

    @contextlib.contextmanager
    def _answering(self, server_id: str) -> collections.abc.Iterator[None]:
        """Tell a failure from a cell that has fallen silent."""
        try:
            yield
        except exceptions.Unavailable:
            self._visit(frozenset({server_id}))
            raise

    def _explain(self, record_ids: collections.abc.Iterable[int]) -> None:
        for record_id in sorted(record_ids):
            record = self.seen.migrations[record_id]
            if record.server_id in self.seen.unseen:
                continue
            with self._answering(record.server_id):
                reason = self._gateway.failure(record)
            self._update(failures={**self.seen.failures, record_id: reason})

    def _see_histories(
        self, server_ids: collections.abc.Iterable[str]
    ) -> None:
        for server_id in sorted(server_ids):
            if server_id in self.seen.unseen:
                continue
            with self._answering(server_id):
                instance_actions = self._gateway.history(server_id)
            self._update(
                histories={**self.seen.histories, server_id: instance_actions}
            )

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
        now = self._clock.now()
        if self._operation.evacuations_only:
            found = self._gateway.evacuations(self.seen.host)
            self._see_migrations(found, now)
            return
        since = self._changed_since()
        self._see_migrations(
            self._gateway.migrations(self.seen.host, since), now, since
        )

    def _at_odds(self, server_id: str) -> bool:
        """Tell whether a server rests here while a record has it move away.

        Either the move has just failed, or nobody is at it any more.
        """
        view = self.seen.visited.get(server_id)
        return (
            view is not None
            and server_id not in self.seen.unseen
            and view.host == self.seen.host
            and view.task_state is None
            and any(
                record.server_id == server_id
                and record.source == self.seen.host
                and record.in_flight
                for record in self.seen.migrations.values()
            )
        )

    def _see_progress(self, record_ids: collections.abc.Iterable[int]) -> None:
        migrations = self.seen.migrations
        self._update(
            progress={
                i: p
                for i, p in self.seen.progress.items()
                if (record := migrations.get(i)) and record.in_flight
            }
        )
        for record_id in sorted(record_ids):
            server_id = migrations[record_id].server_id
            if server_id in self.seen.unseen:
                continue
            with self._answering(server_id):
                progress = self._gateway.progress(server_id, record_id)
            if progress:
                known = dataclasses.replace(
                    progress, seen_at=self._clock.now()
                )
                self._update(progress={**self.seen.progress, record_id: known})

    def _update(self, **changes: object) -> None:
        self.seen = dataclasses.replace(self.seen, **changes)  # type: ignore[arg-type]

    def _changed_since(self) -> datetime.datetime | None:
        """From Nova's own times alone: our clock may be wrong."""
        times = [
            r.updated_at or r.created_at for r in self.seen.migrations.values()
        ]
        if times:
            return max(times) - OVERLAP
        since = contexts.since(self.seen, self._operation.policy)
        return since - OVERLAP if since else None

    def _see_migrations(
        self,
        records: collections.abc.Collection[model.Migration],
        now: float,
        since: datetime.datetime | None = None,
    ) -> None:
        """:param now: when they were asked for."""
        # The records of a deleted server vanish at once, and all those of a
        # cell that does not answer.
        listed = {record.id for record in records}
        known = dict(self.seen.migrations)
        missing = {
            record.server_id
            for i, record in known.items()
            if i not in listed
            and since
            and record.in_flight
            and record.updated_at
            and record.updated_at > since
        }
        for record in records:
            old = known.get(record.id)
            same = old is not None and old.status == record.status
            seen_at = old.seen_at if same and old else now
            known[record.id] = dataclasses.replace(record, seen_at=seen_at)
        self._update(
            migrations=known,
            migrations_at=now,
            missing=frozenset(missing),
            ahead=self._ahead(records, self._clock.now()),
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
        now = self._clock.now()
        servers = self._gateway.servers(self.seen.host)
        self._update(
            servers={
                s.id: dataclasses.replace(s, seen_at=now) for s in servers
            },
            servers_at=now,
        )

    def _see_service(self, after: float = -math.inf) -> None:
        seen = self.seen
        service, down, at = self._board.latest(seen.host, after)
        home = self._board.services.get(self._operation.other_host)
        silent = [s.host for s in (service, home) if s and s.silent]
        if service is None:
            # Deleted meanwhile, or its cell does not answer (< 2.69).
            service = dataclasses.replace(seen.service, id='', up=False)
        self._update(
            service=seen.service if service.silent else service,
            down=down,
            service_at=at,
            silent=silent[0] if silent else '',
            home=seen.home if home and home.silent else home,
        )
        if silent or not service.id:
            # The list of servers may have left out all of them already.
            self._update(servers_at=-math.inf)

    def _see_consumers(self) -> None:
        now = self._clock.now()
        allocations = self._gateway.allocations(self.seen.host)
        self._update(consumers=frozenset(allocations), consumers_at=now)
