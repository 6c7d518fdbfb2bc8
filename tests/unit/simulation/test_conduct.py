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

"""What a drain must not ask for is found; what it may is not."""

import collections
import contextlib
import unittest

import ddt

from osc_hostmaint import exceptions
from tests.unit.simulation import conduct
from tests.unit.simulation import reports
from tests.unit.simulation import scene
from tests.unit.simulation import world


class ConductTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud()
        self.server = self.cloud.add(scene.SOURCE)
        self.reporter = reports.Reporter(self.cloud)

    def ask(
        self,
        kind: str,
        server: world.Server | None = None,
        *,
        wait: float = 0.0,
    ) -> None:
        """Ask for something, whatever comes of it."""
        server = server or self.server
        with contextlib.suppress(exceptions.CloudError):
            getattr(self.reporter.client, kind)(server.id)
        self.reporter.clock.sleep(wait)

    def run_(self) -> scene.Run:
        return self.reporter.run()

    def expect(self, found: list[str], *words: str) -> None:
        self.assertEqual(len(words), len(found), found)
        for lie, word in zip(found, words, strict=True):
            self.assertIn(word, lie)


class HastyTestCase(ConductTestCase):
    def hasty(self) -> list[str]:
        return conduct.hasty(self.run_(), self.cloud)

    def test_while_one_is_in_flight(self) -> None:
        self.ask('live_migrate')
        self.ask('live_migrate')
        self.expect(self.hasty(), 'while live_migrate of server-01')


class TirelessTestCase(ConductTestCase):
    def tireless(
        self, failures: int, picks: int = 0, **options: str
    ) -> list[str]:
        self.reporter = reports.Reporter(self.cloud, retries=1, **options)
        self.server.fates = collections.deque(
            [world.Fate.ROLLED_BACK] * failures
        )
        for number in range(failures):
            host = 'cmp02' if number < picks else ''
            self.reporter.client.live_migrate(self.server.id, host)
            self.reporter.clock.sleep(10)
        return conduct.tireless(self.run_(), self.cloud)

    def test_beyond(self) -> None:
        self.expect(self.tireless(3), '3 times')


class AstrayTestCase(ConductTestCase):
    def astray(self) -> list[str]:
        return conduct.astray(self.run_(), self.cloud)

    def test_from_elsewhere(self) -> None:
        self.ask('live_migrate', wait=10)
        self.ask('live_migrate', wait=10)
        self.expect(self.astray(), 'live_migrate of server-01 from cmp0')


@ddt.ddt
class CrowdedTestCase(ConductTestCase):
    def crowded(
        self, parallel: int | None, wait: float, **options: float
    ) -> list[str]:
        self.reporter = reports.Reporter(
            self.cloud, parallel=parallel, **options
        )
        self.ask('live_migrate', wait=wait)
        self.ask('cold_migrate', self.cloud.add(scene.SOURCE), wait=20)
        return conduct.crowded(self.run_(), self.cloud)

    def test_two(self) -> None:
        self.expect(self.crowded(1, 0), '2 at once')

    def test_as_many_as_it_may(self) -> None:
        self.expect(self.crowded(2, 0))


class UnfoundedTestCase(ConductTestCase):
    def unfounded(self, **options: object) -> list[str]:
        policy = self.run_().policy
        run = self.run_()
        run.policy = type(policy)(**options)
        return conduct.unfounded(run, self.cloud)

    def test_resume(self) -> None:
        server = self.cloud.add(scene.SOURCE, 'suspended')
        self.ask('resume', server, wait=5)
        self.expect(self.unfounded(), 'resume of server-02')
        self.expect(self.unfounded(suspended='resume'))


class RepeatedTestCase(ConductTestCase):
    def repeated(self) -> list[str]:
        return conduct.repeated(self.reporter.client, self.cloud)

    def test_without_one(self) -> None:
        self.ask('live_migrate', wait=10)
        self.ask('live_migrate', wait=10)
        self.expect(self.repeated(), '2th time')


class MisdirectedTestCase(ConductTestCase):
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


class PartedTestCase(ConductTestCase):
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


class CrampedTestCase(ConductTestCase):
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
