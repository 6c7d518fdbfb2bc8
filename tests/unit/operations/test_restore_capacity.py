# SPDX-License-Identifier: Apache-2.0

"""Whether those who come home have room there."""

from osc_hostmaint import exceptions
from osc_hostmaint.planning.capacity import forecast
from tests.unit.engine import restore_base
from tests.unit.engine.restore_base import AWAY
from tests.unit.engine.restore_base import FAR
from tests.unit.engine.restore_base import FARTHEST
from tests.unit.engine.restore_base import HOME
from tests.unit.simulation import faults as faults_
from tests.unit.simulation import inventory
from tests.unit.simulation import scene

Code = exceptions.ExitCode


class TestRoom(restore_base.RestoreTestCase):
    """Each server takes 1,024 MiB, of 4,096 on each host."""

    def setUp(self) -> None:
        super().setUp()
        capacity = {**inventory.ROOMY, inventory.MEMORY_MB: 4096}
        self.given(scene.cloud(0, source=(), capacity=capacity))
        self.servers = [
            self.leave(dest=dest) for dest in (AWAY, AWAY, FAR, FARTHEST)
        ]

    def crowd(self, count: int) -> None:
        """Let others take the place of some."""
        for _number in range(count):
            self.add()

    def test_all_servers_fit_at_home(self):
        ahead = self.preview()
        self.assertTrue(ahead.done)
        self.assertEqual({forecast.Fits.YES}, {r.fits for r in ahead.rows})
        self.assertEqual({1}, {r.candidates for r in ahead.rows})
        self.assertEqual(4096, ahead.memory_mb)
        self.assertEqual((), ahead.notes)
        (memory,) = (
            fill
            for fill in ahead.capacity_forecast.utilizations
            if fill.resource_class == inventory.MEMORY_MB
        )
        self.assertEqual((0, 4096, 4096), dataclass_values(memory))

        self.assertIs(Code.DONE, self.restore().result.exit_code)

    def test_some_servers_do_not_fit_at_home(self):
        self.crowd(1)
        ahead = self.preview()
        self.assertFalse(ahead.done)
        self.assertEqual(1, len(ahead.capacity_forecast.misfits))
        done = self.restore()

        self.assertIs(Code.FAILED, done.result.exit_code)
        self.assertEqual({}, done.results)
        words = done.result.errors[HOME]
        self.assertIn('Nothing was brought back to cmp01: 1 of 4', words)
        self.assertIn('would fit on cmp01 if it had 1024 MEMORY_MB', words)
        self.assertIn('restore --dry-run cmp01', words)
        self.assertIn('--skip-capacity-check', words)
        self.assert_nothing_asked(done)

    def test_one_of_two_homes_is_full(self):
        self.crowd(1)
        other = self.move(self.cloud.add(FAR), AWAY)
        done = self.restore(HOME, FAR)

        self.assertEqual({HOME}, done.result.errors.keys())
        self.assertEqual({other.id: 'moved'}, done.results)
        ahead = self.preview(HOME, FAR)
        self.assertEqual(1, len(ahead.capacity_forecast.misfits))

    def test_two_homes_are_summed(self):
        self.move(self.cloud.add(FAR), AWAY)
        ahead = self.preview(HOME, FAR)

        self.assertTrue(ahead.done)
        self.assertEqual(5, len(ahead.rows))
        self.assertEqual(
            (5120, 2), (ahead.memory_mb, ahead.capacity_forecast.hosts)
        )
        self.assertEqual(5, len(ahead.capacity_forecast.placed))
        (memory,) = (
            fill
            for fill in ahead.capacity_forecast.utilizations
            if fill.resource_class == inventory.MEMORY_MB
        )
        # One of them is on one of the homes now.
        self.assertEqual((1024, 6144, 8192), dataclass_values(memory))

    def test_moving_servers_need_no_capacity(self):
        self.servers[0].seconds = 200.0
        self.cloud.live_migrate(self.servers[0].id, HOME)
        self.rest(5.0)
        self.assertTrue(self.preview().done)
        done = self.restore()

        self.assertIs(Code.DONE, done.result.exit_code)
        self.assert_home(*self.servers)

    def test_placement_does_not_answer(self):
        self.cloud.placement = faults_.DROPPED
        ahead = self.preview()
        self.assertEqual({forecast.Fits.UNKNOWN}, {r.fits for r in ahead.rows})
        self.assertIn('capacity is not known', ahead.notes[0])
        done = self.restore()

        self.assertIs(Code.DONE, done.result.exit_code)
        self.assertIn('capacity is not known', done.recorder.troubles[0])

    def test_what_is_asked(self):
        """No request is for one server alone."""
        done = self.restore()
        before = done.client.log[
            : [r.kind for r in done.client.log].index('live_migrate')
        ]
        first = [request.kind for request in before]

        for kind, count in {
            'left': 1,
            'moves': 1,
            'hypervisors': 1,
            'aggregates': 1,
            'allocation_candidates': 1,
            'server': 0,
            'history': 0,
            'groups': 0,
        }.items():
            self.assertEqual(count, first.count(kind), kind)


def dataclass_values(fill: forecast.Utilization) -> tuple[int, int, int]:
    """Return how full something is before and after, and of how much."""
    return fill.before, fill.after, fill.capacity
