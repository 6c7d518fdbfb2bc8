# SPDX-License-Identifier: Apache-2.0

"""Drains that are stopped, killed, begun again, or run twice at once."""

import unittest

import ddt
import hypothesis
from hypothesis import strategies

from osc_hostmaint import exceptions
from tests.unit.engine import examples
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

Code = exceptions.ExitCode

#: The drain of crowd() takes about so long, and no less.
SECONDS = 26

few = examples.shared_by(6)


class Killed(BaseException):
    """As kill -9: nobody catches it."""


def crowd() -> clouds.Cloud:
    """Return a cloud with a host full of servers of all kinds."""
    cloud = scene.cloud(0)
    for number in range(8):
        state = ('active', 'stopped', 'paused')[number % 3]
        cloud.add(scene.SOURCE, state, seconds=3 + number % 4)
    return cloud


def moments() -> strategies.SearchStrategy[float]:
    """Return moments at which something may happen to a drain."""
    return strategies.floats(0.0, SECONDS)


class StoppedTestCase(unittest.TestCase):
    def drain(self, cloud: clouds.Cloud, **options) -> scene.Run:
        clock = timeline.VirtualClock(cloud.timeline)
        clock.alarm(cloud.timeline.now + 3600, AssertionError('no end'))
        return scene.run(cloud, clock=clock, **options)

    def check_the_rest(self, cloud: clouds.Cloud) -> None:
        """Run the same command again: everything moves, and only once."""
        run = self.drain(cloud)
        self.assertEqual(Code.DONE, run.exit_code, run.result)
        self.assertTrue(scene.empty(cloud))
        self.assertEqual({1}, set(scene.moves(cloud).values()))


class KilledTestCase(StoppedTestCase):
    @few
    @hypothesis.given(strategies.floats(0.0, 30.0))
    def test_killed_in_the_middle_of_an_outage(self, moment: float) -> None:
        cloud = crowd()
        clock = timeline.VirtualClock(cloud.timeline)
        clock.alarm(timeline.START + 3 + moment, Killed())
        outage = faults.outage(timeline.START + 2, timeline.START + 60)
        with self.assertRaises(Killed):
            scene.run(cloud, clock=clock, faults=outage)
        self.check_the_rest(cloud)


class InterruptedTestCase(StoppedTestCase):
    @few
    @hypothesis.given(moments())
    def test_the_second_interrupt(self, moment: float) -> None:
        cloud = crowd()
        clock = timeline.VirtualClock(cloud.timeline)
        clock.alarm(timeline.START + moment, KeyboardInterrupt())
        run = scene.run(cloud, clock=clock)
        self.assertEqual(Code.INTERRUPTED, run.exit_code)
        # At once: nothing is asked for any more.
        self.assertAlmostEqual(moment, run.seconds)
        if run.result.rows:
            self.assertEqual(set(cloud.servers), set(run.results))
            self.assertNotIn('None', run.results.values())
        else:
            self.assertLess(moment, 1.0)
        self.check_the_rest(cloud)

    def test_while_it_looks_before_an_evacuation(self) -> None:
        """Nothing was asked for, so that nothing is called moving."""

        def stop(request: faults.Request) -> faults.Fault | None:
            if request.kind == 'server':
                return faults.Fault(KeyboardInterrupt)
            return None

        cloud = scene.cloud(1)
        cloud.power_off(scene.SOURCE)
        cloud.force_down(scene.SOURCE)
        cloud.timeline.run_until(cloud.timeline.now + 20)
        run = scene.run(cloud, faults=stop, evacuate=True)
        self.assertEqual(Code.INTERRUPTED, run.exit_code)
        self.assertEqual([], run.client.posted)
        self.assertEqual(['blocked'], list(run.results.values()))


class TimeoutTestCase(StoppedTestCase):
    @few
    @hypothesis.given(strategies.floats(0.1, SECONDS - 5))
    def test_a_timeout(self, seconds: float) -> None:
        cloud = crowd()
        run = self.drain(cloud, timeout=seconds)
        self.assertEqual(Code.TIMEOUT, run.exit_code)
        self.assertLess(run.seconds, seconds + 2)
        self.assertEqual(set(cloud.servers), set(run.results))
        self.check_the_rest(cloud)

    def test_time_enough(self) -> None:
        self.assertEqual(Code.DONE, self.drain(crowd(), timeout=300).exit_code)


@ddt.ddt
class TwiceTestCase(unittest.TestCase):
    @ddt.data(0.0, 0.3, 7.7)
    def test_two_drains_of_one_host(self, later: float) -> None:
        self.check(crowd(), later)

    def check(
        self, cloud: clouds.Cloud, later: float, latency: float = 0.1
    ) -> None:
        def first(clock: timeline.VirtualClock) -> scene.Run:
            return scene.run(cloud, clock=clock)

        def second(clock: timeline.VirtualClock) -> scene.Run:
            clock.sleep(later)
            return scene.run(cloud, clock=clock, latency=latency)

        runs = timeline.together(cloud.timeline, first, second)
        for run in runs:
            self.assertEqual(Code.DONE, run.exit_code, run.result)
        self.assertEqual({1}, set(scene.moves(cloud).values()))
        self.assertEqual(len(cloud.servers), len(cloud.taken))
        self.assertEqual(
            {'moved'}, {r for run in runs for r in run.results.values()}
        )
