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

"""Where a drain must not send servers is found; where it may is not."""

import contextlib

from osc_hostmaint import exceptions
from tests.unit.simulation import conduct
from tests.unit.simulation import reports
from tests.unit.simulation import scene
from tests.unit.simulation import test_conduct
from tests.unit.simulation import world


class MisdirectedTestCase(test_conduct.ConductTestCase):
    def misdirected(self, host: str, **options: object) -> list[str]:
        self.reporter = reports.Reporter(self.cloud, **options)
        with contextlib.suppress(exceptions.CloudError):
            self.reporter.client.live_migrate(self.server.id, host)
        self.reporter.clock.sleep(10)
        return conduct.misdirected(self.run_())

    def test_disabled(self) -> None:
        self.cloud.disable('cmp02')
        self.reporter.clock.sleep(conduct.BLIND_SECONDS - 1)
        self.expect(self.misdirected('cmp02'))
        self.expect(self.misdirected('cmp02'), 'cmp02, which is disabled')


class PartedTestCase(test_conduct.ConductTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.second = self.cloud.add(scene.SOURCE)
        self.cloud.group('anti-affinity', self.server, self.second)

    def parted(self) -> list[str]:
        return conduct.parted(self.run_(), self.cloud)

    def send(
        self,
        server: world.Server,
        host: str = '',
        kind: str = 'live_migrate',
        wait: float = 2.0,
    ) -> None:
        getattr(self.reporter.client, kind)(server.id, host)
        self.reporter.clock.sleep(wait)

    def test_apart(self) -> None:
        self.send(self.server, 'cmp02')
        self.send(self.second, 'cmp03')
        self.expect(self.parted())

    def test_together(self) -> None:
        self.send(self.server, 'cmp02')
        self.send(self.second, 'cmp02', 'cold_migrate')
        self.expect(self.parted(), 'server-02 to cmp02, chosen by us')
        self.assertEqual(
            self.parted(), conduct.violations(self.run_(), self.cloud)
        )


class CrampedTestCase(test_conduct.ConductTestCase):
    def cramped(self, most: int | None, *hosts: str, wait: float) -> list[str]:
        self.cloud = scene.cloud(slots=9)
        self.reporter = reports.Reporter(self.cloud, per_destination=most)
        for number, host in enumerate(hosts):
            kind = 'cold_migrate' if number % 2 else 'live_migrate'
            server = self.cloud.add(scene.SOURCE)
            getattr(self.reporter.client, kind)(server.id, host)
            self.reporter.clock.sleep(wait)
        self.reporter.clock.sleep(20)
        return conduct.cramped(self.run_(), self.cloud)

    def test_too_many(self) -> None:
        self.expect(
            self.cramped(2, 'cmp02', 'cmp02', 'cmp02', wait=0),
            '3 at once to cmp02',
        )
        self.assertEqual(1, len(conduct.violations(self.run_(), self.cloud)))

    def test_as_many_as_it_may(self) -> None:
        hosts = ('cmp02', 'cmp03', 'cmp02', 'cmp03', 'cmp04')
        self.expect(self.cramped(2, *hosts, wait=0))
