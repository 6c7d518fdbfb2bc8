# SPDX-License-Identifier: Apache-2.0

"""A simulated cloud whose servers have left a host, and the way back."""

import collections
import functools
import random
import typing as ty
from unittest import mock

from osc_hostmaint import api
from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import loop
from osc_hostmaint.nova import gateway
from osc_hostmaint.operations import clock as clocks
from osc_hostmaint.operations import restore as restore_
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from tests import unit
from tests.unit.simulation import client as clients
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults as faults_
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world

HOME, AWAY, FAR, FARTHEST = scene.HOSTS
LIMIT = 3600.0
LIVE, COLD = model.MigrationType.LIVE, model.MigrationType.COLD
_OF_RUN = {
    *('faults', 'latency'),
    *('interrupt_after', 'stop_after', 'kill_after'),
}
_CHANGING = faults_.POSTS | {'enable', 'disable', 'force_down'}
RESUME = policies.Policy(suspended=policies.Suspended.RESUME)
SHELVE = policies.Policy(suspended=policies.Suspended.SHELVE)


def dropping(kind: str) -> ty.Callable[[faults_.Request], ty.Any]:
    """Return faults: no request of a kind is answered."""
    return lambda asked: faults_.DROPPED if asked.kind == kind else None


class RestoreTestCase(unit.TestCase):
    """cmp01 is in service, and servers that were on it are elsewhere."""

    def setUp(self) -> None:
        self.given(scene.cloud(0, source=()))

    def given(self, cloud: clouds.Cloud) -> None:
        self.cloud = cloud
        self.clock = timeline.VirtualClock(cloud.timeline)

    def add(self, state: str = 'active', **values: ty.Any) -> world.Server:
        return self.cloud.add(HOME, state, **values)

    def rest(self, seconds: float = 30.0) -> None:
        """Let time pass, and what is under way end."""
        self.clock.sleep(seconds)

    def move(self, server, dest=AWAY, kind=LIVE, *, confirmed=True):
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

    def leave(self, state='active', dest=AWAY, kind=None, **values):
        """Return a server that has left home, as its state has it or so."""
        kind = kind or (COLD if state == 'stopped' else LIVE)
        return self.move(self.add(state, **values), dest, kind)

    def restore(self, *homes: str, **options: ty.Any) -> scene.Run:
        """Bring servers home.

        :param options: those of :func:`scene.run` that stop it, or what it
            asks; others are of the command.
        :raises Killed: it was.
        """
        own = {name: options.pop(name) for name in _OF_RUN & options.keys()}
        done = scene.run(
            self.cloud,
            homes or (HOME,),
            clock=self.clock,
            limit=LIMIT,
            verb=functools.partial(self._bring, options),
            judge=lambda _run: [],
            **own,
        )
        if done.killed:
            raise scene.Killed
        rows = [row.server_id for row in done.result.rows]
        assert len(rows) == len(set(rows)), 'a server has two rows'
        return done

    def _bring(self, options, run) -> loop.DrainResult:
        # What a run draws is the same whenever a test is run again.
        chance = random.Random(run.began)
        with (
            mock.patch.object(clocks, 'Clock', return_value=run.clock),
            mock.patch.object(
                restore_.random, 'SystemRandom', return_value=chance
            ),
        ):
            options |= {'report': run.recorder, 'interrupt': run.interrupt}
            return self.maintenance(run.client).restore(run.hosts, **options)

    def preview(self, *homes: str, **options: ty.Any) -> dry_runs.Preview:
        """Look ahead, and check that nothing changes by it."""
        client = clients.Client(self.cloud, self.clock)
        works = list(self.cloud.works)
        with mock.patch.object(clocks, 'Clock', return_value=self.clock):
            program = self.maintenance(client)
            seen = program.preview_restore(homes or (HOME,), **options)
        self.assertFalse([r for r in client.log if r.changes])
        self.assertEqual(works, self.cloud.works)
        return seen

    @staticmethod
    def maintenance(client: clients.Client) -> api.Maintenance:
        with mock.patch.object(gateway, 'Gateway', return_value=client):
            return api.Maintenance(mock.Mock())

    def at_home(self, home: str = HOME) -> set[str]:
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
        records = (r for r in self.cloud.records.values() if r.dest == HOME)
        back = (r.server.id for r in records if r.shown().ended_well)
        return dict(collections.Counter(back))

    def assert_done(
        self,
        done: scene.Run,
        results: ty.Mapping[str, str],
        code: exceptions.ExitCode = exceptions.ExitCode.DONE,
    ) -> None:
        """Check what became of each server, by its id, and the exit code."""
        self.assertEqual(
            (results, code), (done.results, done.result.exit_code)
        )

    def assert_failed(self, done: scene.Run, words: str, *hosts: str) -> None:
        """Check which hosts failed, and why the first one did."""
        hosts = hosts or (HOME,)
        self.assertIs(exceptions.ExitCode.FAILED, done.result.exit_code)
        self.assertEqual({*hosts}, done.result.errors.keys())
        self.assertIn(words, done.result.errors[hosts[0]])

    def assert_nothing_asked(self, done: scene.Run) -> None:
        asked = {request.kind for request in done.client.log}
        self.assertTrue(_CHANGING.isdisjoint(asked), asked)
