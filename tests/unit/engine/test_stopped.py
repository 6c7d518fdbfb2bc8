# SPDX-License-Identifier: Apache-2.0

"""Drains that are stopped, killed, begun again, or run twice at once."""

import functools

import hypothesis
from hypothesis import strategies

from tests import unit
from tests.unit.engine import drain_base
from tests.unit.engine import examples
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import outcomes
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

Code = drain_base.Code

#: The drain of crowd() takes about so long, and no less.
SECONDS = 26

few = examples.shared_by(6)


def crowd() -> clouds.Cloud:
    """Return a cloud with a host full of servers of all kinds."""
    cloud = scene.cloud(0)
    for number in range(8):
        state = drain_base.STATES[number % 3]
        cloud.add(scene.SOURCE, state, seconds=3 + number % 4)
    return cloud


class StoppedTestCase(drain_base.DrainTestCase):
    def check_the_rest(self, cloud: clouds.Cloud) -> None:
        """Run the same command again: everything moves, and only once."""
        self.drained(cloud)
        self.assertTrue(scene.empty(cloud))
        self.assertEqual({1}, scene.moves(cloud))


class KilledTestCase(StoppedTestCase):
    @few
    @hypothesis.given(strategies.floats(0.0, 30.0))
    def test_killed_in_the_middle_of_an_outage(self, moment: float) -> None:
        cloud = crowd()
        outage = faults.outage(timeline.START + 2, timeline.START + 60)
        run = scene.run(cloud, faults=outage, kill_after=3 + moment)
        self.assertTrue(run.killed)
        self.check_the_rest(cloud)

    @unit.cases(False, True)
    def test_resumed_and_moved_off_a_host_that_is_down(self, both) -> None:
        """It is suspended again where it is now, if that is up."""
        cloud = scene.cloud(0)
        server = cloud.add(scene.SOURCE, 'suspended', seconds=10)
        options = {'suspended': 'resume'}
        assert scene.run(cloud, kill_after=6, **options).killed
        cloud.timeline.run_until(cloud.timeline.now + 20)
        self.assertEqual(('active', True), (server.vm_state, server.tagged))
        self.assertNotEqual(scene.SOURCE, server.host)
        cloud.add(scene.SOURCE, seconds=60)
        for host in (scene.SOURCE, server.host)[: 1 + both]:
            cloud.fence(host)
        run = self.drain(cloud, code=Code.FAILED, **options)
        self.assertEqual('failed' if both else 'moved', run.results[server.id])
        self.assertLess(run.seconds, 60)
        found = server.vm_state, server.tagged
        self.assertEqual(
            ('active', True) if both else ('suspended', False), found
        )


class InterruptedTestCase(StoppedTestCase):
    @few
    @hypothesis.given(strategies.floats(0.0, SECONDS))
    def test_the_second_interrupt(self, moment: float) -> None:
        cloud = crowd()
        run = scene.run(cloud, stop_after=moment)
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
            asks = request.kind == 'server'
            return faults.Fault(KeyboardInterrupt) if asks else None

        cloud = scene.cloud(1)
        cloud.fence(scene.SOURCE)
        cloud.timeline.run_until(cloud.timeline.now + 20)
        run = scene.run(cloud, faults=stop, evacuate=True)
        self.assertEqual(Code.INTERRUPTED, run.exit_code)
        self.assertEqual([], run.client.posted)
        self.assertEqual(['blocked'], list(run.results.values()))


class LimitedTestCase(StoppedTestCase):
    @few
    @hypothesis.given(
        strategies.floats(0.1, SECONDS / 2),
        strategies.sampled_from(['timeout', 'until_after']),
    )
    def test_a_limit(self, seconds: float, option: str) -> None:
        cloud = crowd()
        run = self.drain(cloud, code=Code.TIMEOUT, **{option: seconds})
        if option == 'timeout':
            self.assertLess(run.seconds, seconds + 2)
        else:
            self.assertLessEqual({*run.results.values()}, {'moved', 'blocked'})
        self.assertEqual(set(cloud.servers), set(run.results))
        self.check_the_rest(cloud)

    def test_nothing_is_said_to_be_waited_for_in_the_end(self) -> None:
        """What no move explains would be awaited without the limit."""
        cloud = scene.cloud(2, seconds=60)
        late = 20 + timeline.START
        run = self.drain(
            cloud, timeout=6.0, settled_from=late, code=Code.TIMEOUT
        )
        *_others, last = run.recorder.decisions[scene.SOURCE]
        self.assertTrue(last.done)
        self.assertIsNone(last.wait)

    def test_until_it_is_drained_all_the_same(self) -> None:
        run = self.drained(scene.cloud(1), until_after=2)
        self.assertIn('--until passed: no other', run.recorder.troubles[0])

    def test_until_while_it_looks_before_an_evacuation(self) -> None:
        for seconds in range(1, 30, 2):
            cloud = scene.cloud(1)
            cloud.fence(scene.SOURCE)
            cloud.timeline.run_until(cloud.timeline.now + 20)
            options = {'latency': 2.0, 'until_after': seconds}
            self.drain(cloud, evacuate=True, **options)

    def test_until_by_a_clock_that_is_set(self) -> None:
        """A laptop slept, say; and the time is set right again after that."""
        cloud = crowd()
        clock = timeline.VirtualClock(cloud.timeline)
        for seconds, ahead in ((5, 3600.0), (6, 0.0)):
            set_clock = functools.partial(setattr, clock, 'ahead', ahead)
            cloud.timeline.after(seconds, set_clock)
        run = scene.run(cloud, clock=clock, until_after=3000)
        self.assertEqual(Code.TIMEOUT, run.exit_code)
        self.check_the_rest(cloud)


class TwiceTestCase(drain_base.DrainTestCase):
    @unit.cases(0.0, 0.3, 7.7)
    def test_two_drains_of_one_host(self, later: float) -> None:
        cloud = crowd()

        def drain(wait: float, clock: timeline.VirtualClock) -> scene.Run:
            clock.sleep(wait)
            return self.drained(cloud, clock=clock)

        runs = timeline.together(
            cloud.timeline,
            *(functools.partial(drain, wait) for wait in (0.0, later)),
        )
        self.assertEqual({1}, scene.moves(cloud))
        self.assertEqual(len(cloud.servers), len(cloud.taken))
        results = {r for run in runs for r in run.results.values()}
        self.assertEqual({'moved'}, results)

    @unit.cases(0, 8, 16, 24)
    def test_one_excludes_what_the_other_has_resumed(self, later: int) -> None:
        """It lets it be moved, also where that takes a second attempt."""
        cloud = scene.cloud(6, 'suspended')
        servers = list(cloud.servers.values())
        for server in servers[::2]:
            server.outcomes.append(outcomes.MoveOutcome.PRE)

        def drain(
            wait: float, clock: timeline.VirtualClock, **options
        ) -> None:
            clock.sleep(wait)
            self.drain(cloud, clock=clock, **options)

        excluding = {'exclude': frozenset(cloud.servers)}
        timeline.together(
            cloud.timeline,
            functools.partial(drain, 0.0, suspended='resume'),
            functools.partial(drain, later, **excluding),
        )
        for server in servers:
            kinds = [work.kind for work in cloud.works_on(server)]
            self.assertEqual(1, kinds.count('resume'), kinds)
            self.assertEqual(1, len(server.path), server.path)
