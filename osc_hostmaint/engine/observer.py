# SPDX-License-Identifier: Apache-2.0

"""Looking at one host, as much as is asked for, as cheaply as possible."""

from collections import abc
import contextlib
import dataclasses
import datetime
import math
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.engine import board as boards
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import resuspend

#: Records changed so long before the newest known change are asked for again.
OVERLAP = datetime.timedelta(seconds=timing.RECORDS_OVERLAP_SECONDS)
#: Nova keeps whole seconds.
ROUNDING = datetime.timedelta(seconds=timing.ROUNDING_SECONDS)


class _FallenSilent(Exception):
    """A server's cell does not answer any more."""


class Observer:
    """The eyes for one host; holds what earlier looks have shown."""

    def __init__(
        self,
        board: boards.Board,
        service: model.Service,
        policy: policies.Policy,
    ):
        """:param policy: says since when moves count, and where to."""
        self.gateway = board.gateway
        self.clock = board.clock
        self.operation = requested.operation(policy)
        self._board = board
        self.seen = model.Observation(
            host=service.host,
            service=service,
            servers={},
            servers_at=-math.inf,
            service_at=self.clock.now(),
            nova_time=self.gateway.now(),
            home=board.services.get(self.operation.other_host),
        )

    def open(self) -> model.Observation:
        """Look at all there may be to move, before the first decision."""
        self.see_newest()
        self.see_unconfirmed()
        self._see_tagged()
        self._see_servers()
        return self.seen

    def _see_tagged(self) -> None:
        """Look at servers that left, and were not suspended again yet."""
        left = resuspend.departed(self.seen, self.operation.policy)
        if not left:
            return
        now, found = self.clock.now(), self.gateway.tagged()
        _service, down, _at = self._board.latest(self.seen.host)
        drained = {s.host for s in self._board.services.values() if s.mark}
        visited = {
            server.id: dataclasses.replace(server, seen_at=now)
            for server in found
            # Those on another host in maintenance are left to its own run.
            if server.id in left
            and server.host not in {*drained, self.seen.host}
        }
        self._update(visited=visited, down=down)

    def see_newest(self) -> model.Observation:
        """Look at the newest migrations."""
        self._see_migrations(self.gateway.migrations)
        return self.seen

    def see_unconfirmed(self) -> None:
        """Look at migrations that may be old and hold something still."""
        self._see_migrations(self.gateway.unconfirmed)

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
                self._see_changes(after=self.clock.now())
            self._see_details(query)
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
        before = unseen.keys() & server_ids
        for server_id in sorted(before, key=unseen.__getitem__):
            if not self._answers(server_id):
                break
        for server_id in sorted(server_ids - before):
            if not self._answers(server_id):
                raise _FallenSilent

    def _answers(self, server_id: str) -> bool:
        """Look at a server; tell whether its cell answers."""
        now = self.clock.now()
        server = self.gateway.server(server_id)
        unseen = {i: t for i, t in self.seen.unseen.items() if i != server_id}
        if server.status == nova_states.Status.UNKNOWN:
            self._update(unseen={**unseen, server_id: now})
            return False
        server = dataclasses.replace(server, seen_at=now)
        visited = {**self.seen.visited, server_id: server}
        self._update(visited=visited, unseen=unseen)
        return True

    def _see_details(self, query: decisions.Query) -> None:
        gateway, records = self.gateway, self.seen.migrations
        moving = {
            i: progress
            for i, progress in self.seen.progress.items()
            if i in records and records[i].in_flight
        }
        self._update(progress=moving)
        explain = {i: records[i].server_id for i in query.explain}
        self._see_each('failures', explain, self._failure)
        progress = {i: records[i].server_id for i in query.progress}
        self._see_each('progress', progress, self._progress)
        histories = {i: i for i in query.history}
        self._see_each('histories', histories, gateway.history)

    def _see_each(
        self,
        field: str,
        server_ids: abc.Mapping[ty.Any, str],
        ask: abc.Callable[[ty.Any], object],
    ) -> None:
        """Keep what is answered, but for servers whose cells are silent."""
        for key, server_id in sorted(server_ids.items()):
            if server_id in self.seen.unseen:
                continue
            try:
                answer = ask(key)
            except exceptions.Unavailable:
                # Has it failed, or has the cell fallen silent?
                self._visit(frozenset({server_id}))
                raise
            if answer is not None:
                known = {**getattr(self.seen, field), key: answer}
                self._update(**{field: known})

    def _failure(self, record_id: int) -> str:
        found = self.gateway.failure(self.seen.migrations[record_id])
        hosts = {**self.seen.failed_on, record_id: found.hosts}
        self._update(failed_on=hosts)
        return found.reason

    def _progress(self, record_id: int) -> model.Progress | None:
        server_id = self.seen.migrations[record_id].server_id
        found = self.gateway.progress(server_id, record_id)
        return found and dataclasses.replace(found, seen_at=self.clock.now())

    def _trace(self, uuids: frozenset[str]) -> None:
        """Search all records of the host for migrations."""
        found = self.gateway.all_migrations(self.seen.host)
        former = {
            r.id: dataclasses.replace(r, seen_at=self.clock.now())
            for r in found
            if r.uuid in uuids
        }
        self._update(
            former={**self.seen.former, **former},
            traced=self.seen.traced | uuids,
        )

    def acted(self, server_id: str, dest: str) -> None:
        """Take note that something was requested for a server.

        :param dest: where it was to go; '' if nothing says.
        """
        hosts = {self.seen.host, dest}
        for record in self.seen.migrations.values():
            if record.server_id == server_id:
                hosts |= {record.source, record.dest or ''}
        self._board.acted(hosts)

    def _see_changes(self, after: float = -math.inf) -> None:
        """Look at the migrations that changed recently.

        Off a dead host nothing else changes than evacuations.

        :param after: they must be newer than that.
        """
        host, since = self.seen.host, self._changed_since()
        if self.operation.evacuations_only:
            self._see_migrations(self.gateway.evacuations)
        elif since is None:
            self._see_migrations(self.gateway.migrations)
        else:
            after = max(after, self.seen.migrations_at)
            found = self._board.changes(host, since, after)
            self._take_records(
                found.of(host), found.asked_at, found.answered_at, since
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

    def _update(self, **changes: object) -> None:
        self.seen = dataclasses.replace(self.seen, **changes)  # type: ignore[arg-type]

    def _changed_since(self) -> datetime.datetime | None:
        """From Nova's own times alone: our clock may be wrong."""
        records = self.seen.migrations.values()
        since = max(
            (r.updated_at or r.created_at for r in records),
            default=contexts.since(self.seen, self.operation.policy),
        )
        return since and since - OVERLAP

    def _see_migrations(
        self, ask: abc.Callable[[str], list[model.Migration]]
    ) -> None:
        asked_at = self.clock.now()
        records = ask(self.seen.host)
        self._take_records(records, asked_at, self.clock.now())

    def _take_records(
        self,
        records: boards.Records,
        asked_at: float,
        now: float,
        since: datetime.datetime | None = None,
    ) -> None:
        """Take note of a list of records.

        :param now: when it was answered.
        :param since: all that were changed since then are in it.
        """
        known = dict(self.seen.migrations)
        # The records of a deleted server vanish at once, and all those of a
        # cell that does not answer.
        vanished = known.keys() - {record.id for record in records}
        missing = {
            r.server_id
            for r in map(known.__getitem__, vanished)
            if since and r.in_flight and r.updated_at and r.updated_at > since
        }
        for record in records:
            old = known.get(record.id)
            same = old and old.status == record.status
            known[record.id] = dataclasses.replace(
                record,
                seen_at=old.seen_at if old and same else asked_at,
                begun_at=(old and old.begun_at) or self._begun_at(record),
                ended_at=(old and old.ended_at)
                or (record.updated_at if record.ended else None),
            )
        self._board.learn_time(records, now)
        ahead = self._board.ahead
        self._update(
            migrations=known,
            migrations_at=asked_at,
            missing=frozenset(missing),
            ahead=ahead if math.isfinite(ahead) else None,
        )

    def _begun_at(self, record: model.Migration) -> datetime.datetime | None:
        """Return since when a record has not been waiting, by Nova's clock.

        :param record: as never seen before but waiting.
        """
        created, changed = record.created_at, record.updated_at
        if record.status in nova_states.NOT_BEGUN:
            return None
        if record.in_flight or changed is None or self.seen.ahead is None:
            return changed if record.in_flight and changed else created
        # It had not begun when we looked before, unless it is older.
        looked = datetime.datetime.fromtimestamp(
            self.seen.migrations_at - self.seen.ahead, datetime.UTC
        )
        if looked - changed > ROUNDING:
            return created
        return max(created, min(looked, changed))

    def _see_servers(self) -> None:
        now = self.clock.now()
        servers = {
            server.id: dataclasses.replace(server, seen_at=now)
            for server in self.gateway.servers(self.seen.host)
        }
        self._update(servers=servers, servers_at=now)

    def _see_service(self, after: float) -> None:
        seen = self.seen
        service, down, at = self._board.latest(seen.host, after)
        home = self._board.services.get(self.operation.other_host)
        silent = [s.host for s in (service, home) if s and s.silent]
        if service is None:
            # Deleted meanwhile, or its cell does not answer (< 2.69).
            service = dataclasses.replace(seen.service, id='', up=False)
        since = datetime.timedelta(seconds=self.clock.now() - at)
        self._update(
            service=seen.service if service.silent else service,
            down=down,
            service_at=at,
            nova_time=self.gateway.now() - since,
            silent=silent[0] if silent else '',
            home=seen.home if home and home.silent else home,
        )
        if silent or not service.id:
            # The list of servers may have left out all of them already.
            self._update(servers_at=-math.inf)

    def _see_consumers(self) -> None:
        now = self.clock.now()
        allocations = self.gateway.allocations(self.seen.host)
        self._update(consumers=frozenset(allocations), consumers_at=now)
