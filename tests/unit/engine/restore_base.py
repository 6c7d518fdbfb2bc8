# SPDX-License-Identifier: Apache-2.0

"""A simulated cloud whose servers have left a host, and the way back."""

import collections
import dataclasses
import datetime
import random
import typing as ty
import unittest
from unittest import mock

from osc_hostmaint import api
from osc_hostmaint import model
from osc_hostmaint.engine import loop
from osc_hostmaint.operations import clock as clocks
from osc_hostmaint.operations import restore as restore_
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from tests.unit.simulation import client as clients
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults as faults_
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world

HOME, AWAY, FAR, FARTHEST = scene.HOSTS
LIMIT = 3600.0
LIVE, COLD = model.MigrationType.LIVE, model.MigrationType.COLD
_CHANGING = faults_.POSTS | {'enable', 'disable', 'force_down'}
RESUME = policies.Policy(suspended=policies.Suspended.RESUME)


@dataclasses.dataclass
class RestoreResult:
    """How bringing servers home went."""

    client: clients.Client
    recorder: scene.Recorder
    result: loop.DrainResult

    @property
    def results(self) -> dict[str, str]:
        """What became of each server, by its id."""
        rows = {row.server_id: str(row.result) for row in self.result.rows}
        assert len(rows) == len(self.result.rows), 'a server has two rows'
        return rows

    @property
    def ways(self) -> dict[str, str]:
        """How each came home, by its id."""
        return {row.server_id: row.move for row in self.result.rows}

    @property
    def reasons(self) -> dict[str, str]:
        """Why, by the server's id."""
        return {row.server_id: row.reason for row in self.result.rows}


class RestoreTestCase(unittest.TestCase):
    """cmp01 is in service, and servers that were on it are elsewhere."""

    def setUp(self) -> None:
        super().setUp()
        self.given(scene.cloud(0, source=()))

    def given(self, cloud: clouds.Cloud) -> None:
        """Let there be another cloud."""
        self.cloud = cloud
        self.clock = timeline.VirtualClock(cloud.timeline)

    def add(self, state: str = 'active', **values: ty.Any) -> world.Server:
        """Put a server on the home."""
        return self.cloud.add(HOME, state, **values)

    def rest(self, seconds: float = 30.0) -> None:
        """Let time pass, and what is under way end."""
        self.clock.sleep(seconds)

    def move(
        self,
        server: world.Server,
        dest: str = AWAY,
        kind: str = LIVE,
        *,
        confirmed: bool = True,
    ) -> world.Server:
        """Have a colleague move a server, and wait for the end."""
        if kind == LIVE:
            self.cloud.live_migrate(server.id, dest)
        else:
            self.cloud.cold_migrate(server.id, dest, kind)
        self.rest()
        if kind != LIVE and confirmed:
            self.cloud.confirm(server.id)
            self.rest()
        return server

    def leave(
        self,
        state: str = 'active',
        dest: str = AWAY,
        kind: str | None = None,
        **values: ty.Any,
    ) -> world.Server:
        """Return a server that has left home.

        :param kind: of its move; None: as its state has it.
        """
        stopped = state == 'stopped'
        return self.move(
            self.add(state, **values),
            dest,
            kind or (COLD if stopped else LIVE),
        )

    def restore(
        self,
        *homes: str,
        faults: faults_.Faults = faults_.none,
        interrupt_after: float | None = None,
        stop_after: float | None = None,
        kill_after: float | None = None,
        **options: ty.Any,
    ) -> RestoreResult:
        """Bring servers home.

        :param interrupt_after: seconds after which Ctrl-C is pressed.
        :param stop_after: seconds after which it is pressed again.
        :param kill_after: seconds after which it is killed.
        :raises Killed: it was.
        """
        interrupt = scene.Interrupt()
        began = self.clock.now()
        for seconds, error in (
            (LIMIT, scene.Endless(f'it goes on after {LIMIT} s')),
            (kill_after, scene.Killed()),
            (stop_after, KeyboardInterrupt()),
        ):
            if seconds is not None:
                self.clock.alarm(began + seconds, error)
        if interrupt_after is not None:
            self.cloud.timeline.after(interrupt_after, interrupt.press)
        client = clients.Client(self.cloud, self.clock, faults=faults)
        recorder = scene.Recorder(client)
        try:
            with (
                mock.patch.object(clocks, 'Clock', return_value=self.clock),
                # What a run draws is the same whenever a test is run again.
                mock.patch.object(
                    restore_.random,
                    'SystemRandom',
                    return_value=random.Random(began),
                ),
            ):
                result = self.maintenance(client).restore(
                    homes or (HOME,),
                    report=recorder,
                    interrupt=interrupt,
                    **options,
                )
        finally:
            self.clock.forget_alarms()
        return RestoreResult(client, recorder, result)

    def preview(self, *homes: str, **options: ty.Any) -> dry_runs.Preview:
        """Look ahead, and check that nothing changes by it."""
        client = clients.Client(self.cloud, self.clock)
        works = list(self.cloud.works)
        with mock.patch.object(clocks, 'Clock', return_value=self.clock):
            seen = self.maintenance(client).preview_restore(
                homes or (HOME,), **options
            )
        self.assertFalse([r for r in client.log if r.changes])
        self.assertEqual(works, self.cloud.works)
        return seen

    @staticmethod
    def maintenance(client: clients.Client) -> api.Maintenance:
        """Return the public API on the simulated cloud."""
        with mock.patch.object(api.gateway, 'Gateway', return_value=client):
            return api.Maintenance(mock.Mock())

    def killed(self, seconds: float, *homes: str, **options: ty.Any) -> None:
        """Bring servers home, and be killed."""
        with self.assertRaises(scene.Killed):
            self.restore(*homes, kill_after=seconds, **options)

    def now(self) -> datetime.datetime:
        """Return the cloud's time."""
        return world.utc(self.clock.now())

    def at_home(self, home: str = HOME) -> set[str]:
        """Return the servers that are on a host."""
        return {server.id for server in self.cloud.on(home)}

    def assert_home(self, *servers: world.Server, home: str = HOME) -> None:
        """Check that servers are home, at rest, and as they are to be."""
        for server in servers:
            self.assertEqual(
                (home, server.wanted, None),
                (server.host, server.vm_state, server.task_state),
                server.name,
            )

    def restored(self) -> dict[str, int]:
        """Return how often each server was brought home, by its id."""
        return dict(
            collections.Counter(
                record.server.id
                for record in self.cloud.records.values()
                if record.dest == HOME and record.shown().ended_well
            )
        )

    def assert_nothing_asked(self, done: RestoreResult) -> None:
        """Check that nothing was changed in the cloud."""
        asked = {request.kind for request in done.client.log}
        self.assertTrue(_CHANGING.isdisjoint(asked), asked)
