# SPDX-License-Identifier: Apache-2.0

"""All that is known of one host: what is decided about it is derived from."""

from collections import abc
import dataclasses
import functools

from osc_hostmaint import model
from osc_hostmaint.planning import operation as operations
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as server_contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import resuspend
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import stuck

ServerStatuses = abc.Mapping[str, server_status.ServerStatus]
MigrationsByServer = dict[str, tuple[model.Migration, ...]]


@dataclasses.dataclass(frozen=True)
class HostContext:
    """One host at one moment."""

    seen: model.Observation
    operation: operations.Operation
    memory: memories.HostMemory
    now: float
    #: Where each server stands, by id, as soon as that is known.
    statuses: ServerStatuses = dataclasses.field(default_factory=dict)

    @property
    def policy(self) -> policies.Policy:
        """What the operator asked for."""
        return self.operation.policy

    @functools.cached_property
    def leaving(self) -> list[model.Migration]:
        """Records of moves off the host, oldest first."""
        return [
            record
            for _id, record in sorted(self.seen.migrations.items())
            if record.source == self.seen.host
        ]

    def is_selected(self, server_id: str) -> bool:
        """Tell whether a server matters at all."""
        return self.policy.only is None or server_id in self.policy.only

    @property
    def expected(self) -> frozenset[str]:
        """Servers that matter whether or not they are listed.

        Records bind them to the host, or they were asked for by their ids.
        """
        involved = frozenset(
            r.server_id
            for r in self.leaving
            if (r.in_flight or r.awaits_confirmation)
            and self.is_selected(r.server_id)
        )
        only = self.policy.only or frozenset()
        return involved | only | resuspend.left_tagged(self.seen, self.policy)

    @property
    def never_looked_at(self) -> frozenset[str]:
        """Expected servers that were never looked at."""
        deleted = {s.id for s in self.seen.visited.values() if s.deleted}
        return self.expected - deleted - frozenset(self.memory.servers)

    @property
    def arriving(self) -> list[model.Migration]:
        """Records of moves to the host that are to be awaited.

        What is here already has a status of its own; what takes too long, or
        is stuck, has an allocation here all the same, which is reported as
        orphaned.
        """
        if not self.operation.awaits_arrivals:
            return []
        host, limit = self.seen.host, self.policy.server_timeout
        return [
            r
            for r in self.seen.migrations.values()
            if r.dest == host != r.source
            and r.in_flight
            and (limit is None or self.now - r.seen_at < limit)
            and not (
                (v := self.seen.latest(r.server_id))
                and (
                    v.host == host
                    or stuck.is_long_unchanged(self.seen, v, r.seen_at)
                )
            )
        ]

    def overdue(
        self, arriving: abc.Iterable[model.Migration]
    ) -> frozenset[str]:
        """Return servers on their way here that were not seen for long."""
        since = self.now - timing.UNLISTED_RECHECK_SECONDS
        visited = self.seen.visited
        return frozenset(
            record.server_id
            for record in arriving
            if record.seen_at <= since
            and (
                (view := visited.get(record.server_id)) is None
                or view.seen_at <= since
            )
        )

    @property
    def missing(self) -> frozenset[str]:
        """Servers whose moves' records vanished and that tell why.

        They are deleted, or their cell does not answer.
        """
        seen = self.seen
        return frozenset(
            server_id
            for server_id in seen.missing - seen.unseen.keys()
            if (view := seen.visited.get(server_id)) is None
            or (not view.deleted and view.seen_at < seen.migrations_at)
        )

    @property
    def records(self) -> MigrationsByServer:
        """Each server's moves off the host that count, oldest first."""
        history = self.memory.history or frozenset()
        return _by_server(r for r in self.leaving if r.id not in history)

    @property
    def earlier_failures(self) -> MigrationsByServer:
        """Each server's moves that failed before this run began."""
        since = server_contexts.since(self.seen, self.policy)
        if since is None:
            return {}
        history = self.memory.history or frozenset()
        return _by_server(
            record
            for record in self.leaving
            if record.id in history
            and record.ended_badly
            and record.created_at >= since - server_contexts.SKEW
        )


def _by_server(records: abc.Iterable[model.Migration]) -> MigrationsByServer:
    found: MigrationsByServer = {}
    for record in records:
        earlier = found.get(record.server_id, ())
        found[record.server_id] = (*earlier, record)
    return found
