# SPDX-License-Identifier: Apache-2.0

"""Drains of the simulated cloud: begun, stopped, killed, begun again."""

from tests import unit
from tests.unit.simulation import faults
from tests.unit.simulation import others
from tests.unit.simulation import scene
from tests.unit.simulation import timeline


class RunTestCase(unit.TestCase):
    def test_twice_the_same(self) -> None:
        def play() -> list[tuple[float, str, str]]:
            cloud = scene.cloud(2, slots=2, seed=5)
            for vm_state in ('stopped', 'paused', 'suspended'):
                cloud.add(scene.SOURCE, vm_state)
            others.plan(cloud, [others.OthersAction(3, 'create')])
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
