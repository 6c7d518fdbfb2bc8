# SPDX-License-Identifier: Apache-2.0

"""Drains in which somebody says where moves go, and which have to wait."""

import collections
import dataclasses
import itertools
from unittest import mock

from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import host_loop
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import reporting
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import outcomes
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

ActionKind = memories.ActionKind


class PickedDestinations:
    """Sends every move to one host, some of them later."""

    def __init__(self, clock: timeline.VirtualClock, dest: str = 'cmp03'):
        #: Until when a server has to wait.
        self.held: dict[str, float] = {}
        #: How long it takes to say where one may go.
        self.seconds: dict[str, float] = {}
        self.asked: list[str] = []
        self.noted: list[set[str]] = []
        self.dropped: set[str] = set()
        self._clock = clock
        self._dest = dest

    def note(self, seen, over) -> None:
        self.noted.append(set(over))

    def direct(self, host, action, highest_id) -> memories.Action | None:
        self.asked.append(action.server_id)
        self._clock.sleep(self.seconds.pop(action.server_id, 0.0))
        if self._clock.now() < self.held.get(action.server_id, 0.0):
            return None
        if not action.spread:
            return action
        return dataclasses.replace(action, host=self._dest)

    def renew(self) -> None:
        """Know all there is to know."""

    def drop(self, server_id: str) -> None:
        self.dropped.add(server_id)

    def leave(self, host: str) -> None:
        pass


class DirectedTestCase(unit.TestCase):
    def given(self, cloud: clouds.Cloud) -> None:
        self.cloud = cloud
        self.clock = timeline.VirtualClock(cloud.timeline)
        self.guide = PickedDestinations(self.clock)

    def drain(self, faults=faults.none, **options) -> loop.DrainResult:
        return scene.run(
            self.cloud,
            clock=self.clock,
            limit=3600.0,
            faults=faults,
            verb=self._drain,
            judge=lambda _run: [],
            **options,
        ).result

    def _drain(self, run: scene.Run) -> loop.DrainResult:
        self.recorder = run.recorder
        return loop.drain(
            [self.cloud.hosts[scene.SOURCE].shown()],
            boards.Board(run.client, run.clock),
            self.guide,
            run,
            run.recorder,
        )

    def order(self) -> list[str]:
        """Return the servers whose moves Nova took, in their order."""
        return [server_id for _time, server_id in self.cloud.taken]


class TestDirected(DirectedTestCase):
    def test_ended_moves_are_reported_to_destinations(self) -> None:
        self.given(scene.cloud(2))
        blocked = self.cloud.add(scene.SOURCE, 'suspended')
        self.drain()
        self.assertEqual(set(), self.guide.noted[0])
        self.assertEqual({blocked.id}, self.guide.noted[1])
        self.assertEqual(set(self.cloud.servers), self.guide.noted[-1])

    def test_refused_moves_are_reported_to_destinations(self) -> None:
        for fault, told in (
            (faults.REFUSED, True),
            (faults.TOO_MANY, True),
            (faults.LOST, False),
            (faults.LOST_LATE, False),
        ):
            with self.subTest(fault):
                self.given(scene.cloud(1))
                self.drain(faults.posts([fault]))
                self.assertEqual(told, bool(self.guide.dropped))

    def test_refused_confirmation_is_not_a_refused_move(self) -> None:
        self.given(scene.cloud(0))
        self.cloud.add(scene.SOURCE, 'stopped')
        self.drain(faults.posts([faults.REFUSED], 'confirm'))
        kinds = [(a.kind, o.answer) for a, o in self.recorder.acts]
        self.assertIn((ActionKind.CONFIRM, memories.SendStatus.REFUSED), kinds)
        self.assertEqual(set(), self.guide.dropped)

    def test_view_too_old_after_picking_is_refreshed(self) -> None:
        """Its owner may have started it since."""
        self.given(scene.cloud(0))
        stopped = self.cloud.add(scene.SOURCE, 'stopped')
        self.guide.seconds[stopped.id] = 60.0
        self.cloud.timeline.after(
            30, lambda: self.cloud.change(stopped, vm_state='active')
        )
        stopped.wanted = 'active'
        (row,) = self.drain().rows
        self.assertEqual('moved', row.result)
        kinds = [a.kind for a, _ in self.recorder.acts]
        self.assertEqual([ActionKind.LIVE_MIGRATE], kinds)
        self.assertEqual({stopped.id}, self.guide.dropped)


class TestHeld(DirectedTestCase):
    """Moves that have to wait for a destination."""

    def test_other_moves_start_instead_of_postponed_ones(self) -> None:
        self.given(scene.cloud(4))
        first, *others = self.cloud.servers
        self.guide.held[first] = self.clock.now() + 10
        result = self.drain(parallel=1)
        self.assertEqual([*others[:2], first, others[2]], self.order())
        self.assertEqual({'moved'}, {str(r.result) for r in result.rows})
        self.assertEqual({1}, {r.attempts for r in result.rows})

    def test_recording_has_the_destination(self) -> None:
        self.given(scene.cloud(2))
        first, second = self.cloud.servers
        self.guide.held[first] = self.clock.now() + 3
        self.drain()
        action, outcome = self.recorder.acts[0]
        self.assertEqual(
            memories.Action(ActionKind.LIVE_MIGRATE, first, spread=True),
            action,
        )
        self.assertIs(memories.SendStatus.POSTPONED, outcome.answer)
        self.assertEqual(host_loop.WAITS, outcome.reason)
        self.assertEqual(second, self.recorder.acts[1][0].server_id)


def host_loop_of(clock, guide, servers):
    """Return a loop that sees some servers, and with what."""
    watcher = mock.Mock(
        seen=builders.observation(servers),
        operation=requested.operation(policies.Policy()),
        clock=clock,
    )
    reporter = reporting.HostReporter('cmp01', builders.Listener())
    return host_loop.HostLoop(watcher, reporter, guide), watcher


class TestClockJumps(unit.TestCase):
    def test_every_tick_decides(self) -> None:
        now = itertools.count(builders.NOW, timing.STOP_CHECK_SECONDS)
        clock = mock.Mock(now=lambda: next(now))
        guide = PickedDestinations(clock)
        host, _watcher = host_loop_of(clock, guide, [builders.server()])
        host.tick(str)
        self.assertIsNotNone(host.decision)


class TestManyHeld(unit.TestCase):
    """One tick must end, however many have to wait."""

    def test_a_tick_ends(self) -> None:
        clock = timeline.VirtualClock(timeline.Timeline(builders.NOW))
        asked: collections.Counter[str] = collections.Counter()
        servers = [builders.server(f'vm{n:03}') for n in range(400)]

        class Full(PickedDestinations):
            def direct(self, _host, action, _highest_id) -> None:
                # Every decision takes a while.
                clock.sleep(0.05)
                asked[action.server_id] += 1
                if sum(asked.values()) > 2000:
                    raise AssertionError('it does not end')

        guide = Full(clock)
        host, watcher = host_loop_of(clock, guide, servers)
        host.tick(str)
        watcher.visit.assert_not_called()
        self.assertFalse(host.done)
        self.assertLess(clock.now() - builders.NOW, 2)
        self.assertEqual({1}, set(asked.values()))
        self.assertEqual(set(), guide.dropped)


class TestRefusedPicks(DirectedTestCase):
    """Nova's own pick comes on top of ours."""

    def test_refused_by_the_scheduler(self) -> None:
        for retries in (0, 2):
            with self.subTest(retries):
                self.given(scene.cloud(0))
                fails = [outcomes.MoveOutcome.NO_HOST] * (1 + retries)
                server = self.cloud.add(scene.SOURCE, outcomes=fails)
                (row,) = self.drain(retries=retries).rows
                self.assertEqual('moved', row.result)
                self.assertEqual(2 + retries, row.attempts)
                self.assertEqual(2 + retries, len(self.order()))
                self.assertEqual(server.id, row.server_id)
