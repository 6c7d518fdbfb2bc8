# SPDX-License-Identifier: Apache-2.0

"""What tests of whole drains of the simulated cloud share."""

import typing as ty

from osc_hostmaint import exceptions
from tests import unit
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import report_checks
from tests.unit.simulation import scene

Code = exceptions.ExitCode
FIVE = ('cmp01', 'cmp02', 'cmp03', 'cmp04', 'cmp05')
TWO, THREE = FIVE[:2], FIVE[:3]
STATES = ('active', 'stopped', 'paused')


class DrainTestCase(unit.TestCase):
    """Drains that do nothing wrong, and tell the truth."""

    #: Of every drain, unless a test says otherwise.
    OPTIONS: ty.ClassVar[dict[str, ty.Any]] = {}

    def drain(self, cloud, *hosts, code=None, **options) -> scene.Run:
        """Drain hosts, which may end with any code unless one is given."""
        options = {'limit': 3600.0, **self.OPTIONS, **options}
        run = scene.run(cloud, hosts or (scene.SOURCE,), **options)
        self.assertEqual([], report_checks.violations(run))
        if code is not None:
            self.assertEqual(code, run.exit_code, run.reasons)
        return run

    def drained(self, cloud, *hosts, **options) -> scene.Run:
        return self.drain(cloud, *hosts, code=Code.DONE, **options)

    def landed(self, cloud: clouds.Cloud) -> list[int]:
        """Return how many servers are on each host that is in service."""
        hosts = cloud.hosts.values()
        return [len(cloud.on(host.name)) for host in hosts if host.enabled]
