# SPDX-License-Identifier: Apache-2.0

"""Destinations of a cloud in which nothing happens but what a test says."""

import dataclasses
import datetime
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine.capacity import destinations
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import clouds
from tests.unit.simulation import timeline


class Cloud:
    """What Placement and Nova answer where destinations are picked."""

    def __init__(self, clock, nodes):
        self.nodes = {node.name: node for node in nodes}
        self.flying: list[model.Migration] = []
        self.asked: list[str] = []
        #: What is raised instead of an answer.
        self.trouble: Exception | None = None
        self._clock = clock

    def take(self, host, amounts=clouds.QUARTER) -> None:
        node = self.nodes[host]
        used = {c: node.used.get(c, 0) + n for c, n in amounts.items()}
        self.nodes[host] = dataclasses.replace(node, used=used)

    def now(self) -> datetime.datetime:
        return builders.cloud_time(self._clock.now())

    def allocation_candidates(self, request) -> snapshots.AllocationCandidates:
        self._answer('allocation_candidates')
        trees = [node.providers for node in self.nodes.values()]
        return clouds.allocation_candidates(request, trees)

    def migrations_in_flight(self) -> list[model.Migration]:
        self._answer('migrations_in_flight')
        return self.flying

    def _answer(self, kind: str) -> None:
        self.asked.append(kind)
        if self.trouble:
            raise self.trouble


def record(
    server_id: str,
    dest: str | None,
    status: str = 'running',
    *,
    ago: float = 1.0,
    record_id: int = 1,
    source: str = clouds.SOURCE,
    seen_at: float = builders.NOW,
) -> model.Migration:
    """Return a record of a move that began some seconds ago."""
    return builders.migration(
        record_id,
        status,
        server_id,
        source=source,
        dest=dest,
        created_at=builders.cloud_time(builders.NOW - ago),
        seen_at=seen_at,
    )


class DestinationsTestCase(unit.TestCase):
    def given(self, nodes, wanted, *, bound=None, known=True, **snapshot):
        """Let hosts have been looked at just now.

        :param known: Placement told who has room.
        :param snapshot: what else is known of the cloud: groups ...
        """
        self.wanted = wanted
        seen = clouds.snapshot(nodes, wanted, **snapshot)
        limits = clouds.limits(wanted)
        capacity_forecast = forecast.unknown(wanted, 'capacity is not known')
        if known:
            capacity_forecast = forecast.forecast(seen, wanted, limits)
        else:
            seen = dataclasses.replace(
                seen, hosts={}, allocation_candidates={}
            )
        line = timeline.Timeline(builders.NOW)
        self.clock = timeline.VirtualClock(line)
        self.cloud = Cloud(self.clock, nodes)
        self.listener = builders.Listener()
        self.asked = self.cloud.asked
        self.destinations = destinations.Destinations(
            self.cloud,
            self.clock,
            self.listener,
            boards.Board(self.cloud, self.clock, seen.services),
            bound=bound,
            expected=dry_run.DryRun(
                dry_runs.Preview((), capacity_forecast),
                limits,
                seen,
                known,
                tuple(wanted),
            ),
        )

    def direct(
        self,
        server_id: str,
        *,
        host: str = '',
        spread: bool = True,
        source: str = clouds.SOURCE,
        highest: int = 0,
    ) -> memories.Action | None:
        """Begin a move, as after a tick, and return what is asked of Nova.

        None: it waits.

        :param host: what the user asks for.
        """
        self.destinations.renew()
        action = memories.Action(
            memories.ActionKind.LIVE_MIGRATE,
            server_id,
            host=host,
            spread=spread and not host,
        )
        return self.destinations.direct(source, action, highest)

    def go(self, server_id: str, **options: ty.Any) -> str | None:
        """Begin a move, and return where it goes; None: it waits."""
        action = self.direct(server_id, **options)
        return action.host if action else None

    def go_all(self, *server_ids: str) -> list[str | None]:
        return [self.go(server_id) for server_id in server_ids]

    def note(self, *records, over=frozenset(), source=clouds.SOURCE, idle=()):
        """Let a host be looked at, which takes a moment.

        What has no record waits there still.

        :param over: what is not awaited any more.
        :param idle: servers that rest there.
        """
        self.clock.sleep(0.1)
        moved = {record.server_id for record in records}
        waiting = (d.server.id for d in self.wanted if d.source == source)
        here = {*idle, *(i for i in waiting if i not in moved)}
        self.destinations.note(
            builders.observation(
                [builders.server(i, host=source) for i in sorted(here)],
                [r for r in records if r.source == source],
                host=source,
                migrations_at=self.clock.now(),
            ),
            over,
        )

    def others(self, *records: model.Migration) -> None:
        self.cloud.flying = list(records)
