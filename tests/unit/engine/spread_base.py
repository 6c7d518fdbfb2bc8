# SPDX-License-Identifier: Apache-2.0


"""What tests of drains that pick destinations share."""

import unittest

from osc_hostmaint import exceptions
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import inventory
from tests.unit.simulation import report_checks
from tests.unit.simulation import scene

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
        self.assertEqual([], report_checks.violations(run))
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
