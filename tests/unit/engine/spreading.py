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


"""What tests of drains that pick destinations share."""

import unittest

from osc_hostmaint import exceptions
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import inventory
from tests.unit.simulation import scene
from tests.unit.simulation import truth

FIVE = ('cmp01', 'cmp02', 'cmp03', 'cmp04', 'cmp05')


def capacity(gib: int) -> dict[str, int]:
    """Return what a host has, of memory just so much."""
    return {**inventory.ROOMY, inventory.MEMORY_MB: 1024 * gib}


def crash(cloud: clouds.Cloud, host: str = scene.SOURCE) -> None:
    """Let nobody be at a host's moves any more."""
    cloud.crash(host)


class SpreadTestCase(unittest.TestCase):
    def drain(self, cloud: clouds.Cloud, *hosts: str, **options) -> scene.Run:
        """Drain hosts, and let nothing be wrong with that."""
        run = scene.run(
            cloud,
            hosts or (scene.SOURCE,),
            limit=20000,
            guided=True,
            **options,
        )
        self.assertEqual([], truth.violations(cloud, run))
        return run

    def drained(
        self, cloud: clouds.Cloud, *hosts: str, **options
    ) -> scene.Run:
        """Drain hosts of all there is on them."""
        run = self.drain(cloud, *hosts, **options)
        self.assertEqual(exceptions.ExitCode.DONE, run.exit_code, run.reasons)
        return run

    def landed(self, cloud: clouds.Cloud) -> list[int]:
        """Return how many servers are on each host that is in service."""
        return [
            len(cloud.on(host.name))
            for host in cloud.hosts.values()
            if host.enabled
        ]
