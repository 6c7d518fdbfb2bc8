# SPDX-License-Identifier: Apache-2.0

"""Whether those who come home have room there."""

from osc_hostmaint import exceptions
from osc_hostmaint.planning import dry_run as dry_runs
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
        self.assertEqual((0, 4096, 4096), memory(ahead))

        self.assertIs(Code.DONE, self.restore().result.exit_code)

    def test_some_servers_do_not_fit_at_home(self):
        self.crowd(1)
        ahead = self.preview()
        self.assertFalse(ahead.done)
        self.assertEqual(1, len(ahead.capacity_forecast.misfits))
        done = self.restore()

        self.assertEqual({}, done.results)
        for words in (
            'Nothing was brought back to cmp01: 1 of 4',
            'would fit on cmp01 if it had 1024 MEMORY_MB',
            'restore --dry-run cmp01',
            '--skip-capacity-check',
        ):
            self.assert_failed(done, words)
        self.assert_nothing_asked(done)

    def test_one_of_two_homes_is_full(self):
        self.crowd(1)
        other = self.move(self.cloud.add(FAR), AWAY)
        done = self.restore(HOME, FAR)
        self.assert_failed(done, '1 of 4')
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
        # One of them is on one of the homes now.
        self.assertEqual((1024, 6144, 8192), memory(ahead))

    def test_moving_servers_need_no_capacity(self):
        self.servers[0].seconds = 200.0
        self.cloud.live_migrate(self.servers[0].id, HOME)
        self.rest(5.0)
        self.assertTrue(self.preview().done)
        self.assertIs(Code.DONE, self.restore().result.exit_code)
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
        once = 'left moves hypervisors aggregates allocation_candidates'
        for count, kinds in ((1, once), (0, 'server history groups')):
            for kind in kinds.split():
                self.assertEqual(count, first.count(kind), kind)


def memory(ahead: dry_runs.Preview) -> tuple[int, int, int]:
    """Return how much is in use before and after, and how much there is."""
    (fill,) = (
        fill
        for fill in ahead.capacity_forecast.utilizations
        if fill.resource_class == inventory.MEMORY_MB
    )
    return fill.before, fill.after, fill.capacity
