#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Drains of the simulated cloud: begun, stopped, killed, begun again."""

import unittest

from osc_hostmaint import exceptions
from osc_hostmaint.planning import policy as policies
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import others
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import truth

Code = exceptions.ExitCode


def crowd(**options) -> clouds.Cloud:
    """Return a cloud with servers of several kinds."""
    cloud = scene.cloud(2, **options)
    for vm_state in ('stopped', 'paused', 'suspended'):
        cloud.add(scene.SOURCE, vm_state)
    return cloud


class RunTestCase(unittest.TestCase):
    def test_to_its_end(self) -> None:
        cloud = crowd()
        run = scene.run(cloud, suspended=policies.Suspended.RESUME, limit=600)
        self.assertEqual(Code.DONE, run.exit_code, run.result)
        self.assertTrue(scene.empty(cloud))
        self.assertEqual([], truth.violations(cloud, run))
        self.assertEqual({'moved'}, set(run.results.values()))

    def test_the_policy(self) -> None:
        policy = policies.Policy(retries=7, user_id='somebody')
        run = scene.run(crowd(), policy=policy, parallel=3, limit=600)
        self.assertEqual(
            (7, 3, 'operator'),
            (run.policy.retries, run.policy.parallel, run.policy.user_id),
        )

    def test_each_run_has_its_own_stagger(self) -> None:
        cloud = crowd()
        runs = [scene.run(cloud, limit=600) for _number in range(4)]
        self.assertEqual(4, len({run.policy.stagger for run in runs}))

    def landed(self, cloud: clouds.Cloud, **options) -> list[str | None]:
        run = scene.run(cloud, limit=600, **options)
        self.assertEqual([], truth.violations(cloud, run))
        return sorted(server.host for server in cloud.servers.values())

    def test_guided(self) -> None:
        self.assertEqual(['cmp02'] * 9, self.landed(scene.cloud(9)))
        capacity = {'VCPU': 9, 'MEMORY_MB': 2**14, 'DISK_GB': 90}
        cloud = scene.cloud(9, capacity=capacity)
        self.assertEqual(
            ['cmp02'] * 3 + ['cmp03'] * 3 + ['cmp04'] * 3,
            self.landed(cloud, guided=True),
        )

    def test_guided_without_placement(self) -> None:
        for answer in (faults.PLACEMENT_FORBIDS, faults.PLACEMENT_DOWN):
            cloud = scene.cloud(4)
            cloud.placement = answer
            run = scene.run(cloud, limit=6000, guided=True)
            self.assertEqual(Code.FAILED, run.exit_code)
            self.assertEqual(0, len(cloud.on(scene.SOURCE)))
            self.assertEqual(
                {''}, {request.host for request, _ in run.client.posted}
            )

    def test_it_does_not_end(self) -> None:
        cloud = scene.cloud()
        cloud.add(scene.SOURCE, stuck=1)
        with self.assertRaises(scene.Endless):
            scene.run(cloud, limit=900)
        self.assertEqual(timeline.START + 900, cloud.timeline.now)

    def test_twice_the_same(self) -> None:
        def play() -> list[tuple[float, str, str]]:
            cloud = crowd(slots=2, seed=5)
            others.plan(cloud, [others.Deed(3, 'create')])
            chosen = faults.numbered({4: faults.LOST, 9: faults.SLOW})
            first = scene.run(cloud, faults=chosen, kill_after=7)
            runs = timeline.together(
                cloud.timeline,
                lambda clock: scene.run(cloud, clock=clock),
                lambda clock: scene.run(cloud, clock=clock, latency=0.3),
            )
            return [
                (request.time, request.kind, request.subject)
                for run in (first, *runs)
                for request in run.client.log
            ]

        self.assertEqual(play(), play())


class StoppedTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = crowd()

    def test_killed(self) -> None:
        run = scene.run(self.cloud, kill_after=3.3)
        self.assertTrue(run.killed)
        self.assertAlmostEqual(3.3, run.seconds)
        self.assertEqual([], run.lies)
        last = scene.run(self.cloud, limit=600)
        self.assertFalse(last.killed)
        self.assertEqual([], truth.violations(self.cloud, run, last))
        self.assertEqual({0, 1}, set(scene.moves(self.cloud).values()))

    def test_killed_when_it_has_ended(self) -> None:
        run = scene.run(self.cloud, kill_after=3000)
        self.assertFalse(run.killed)
        self.assertLess(run.seconds, 100)

    def test_interrupted(self) -> None:
        run = scene.run(self.cloud, interrupt_after=2)
        self.assertEqual(Code.INTERRUPTED, run.exit_code)
        self.assertTrue(run.interrupted)
        self.assertEqual([], run.lies)

    def test_interrupted_twice(self) -> None:
        run = scene.run(self.cloud, interrupt_after=2, stop_after=2.5)
        self.assertEqual(Code.INTERRUPTED, run.exit_code)
        self.assertAlmostEqual(2.5, run.seconds)

    def test_one_of_two_is_killed(self) -> None:
        first, second = timeline.together(
            self.cloud.timeline,
            lambda clock: scene.run(self.cloud, clock=clock, kill_after=5),
            lambda clock: scene.run(self.cloud, clock=clock, limit=600),
        )
        self.assertTrue(first.killed)
        self.assertFalse(second.killed)
        self.assertEqual([], truth.violations(self.cloud, first, second))

    def test_two_hosts_side_by_side(self) -> None:
        cloud = scene.cloud(3, source=('cmp01', 'cmp02'))
        runs = timeline.together(
            cloud.timeline,
            lambda clock: scene.run(cloud, ('cmp01',), clock=clock),
            lambda clock: scene.run(cloud, ('cmp02',), clock=clock),
        )
        self.assertEqual([Code.DONE] * 2, [run.exit_code for run in runs])
        self.assertEqual([], truth.violations(cloud, *runs))
