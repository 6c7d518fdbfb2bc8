# SPDX-License-Identifier: Apache-2.0

"""Drains of the simulated cloud: begun, stopped, killed, begun again."""

import unittest

from osc_hostmaint import exceptions
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import others
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

Code = exceptions.ExitCode


def crowd(**options) -> clouds.Cloud:
    """Return a cloud with servers of several kinds."""
    cloud = scene.cloud(2, **options)
    for vm_state in ('stopped', 'paused', 'suspended'):
        cloud.add(scene.SOURCE, vm_state)
    return cloud


class RunTestCase(unittest.TestCase):
    def test_twice_the_same(self) -> None:
        def play() -> list[tuple[float, str, str]]:
            cloud = crowd(slots=2, seed=5)
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
