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

"""What an evacuation must not do is found, and nothing else."""

import unittest

from tests.unit.simulation import conduct
from tests.unit.simulation import reports
from tests.unit.simulation import salvage
from tests.unit.simulation import scene
from tests.unit.simulation import world

SOURCE = scene.SOURCE
Fate = world.Fate
Phase = reports.Phase
row = reports.row


class SalvageTestCase(unittest.TestCase):
    """A host that is dead, and somebody who evacuates it."""

    def setUp(self) -> None:
        self.cloud = scene.cloud()
        self.server = self.cloud.add(SOURCE)
        self.cloud.fence(SOURCE)
        self.reporter = reports.Reporter(self.cloud, evacuate=True)
        self.client = self.reporter.client

    def expect(self, found: list[str], *words: str) -> None:
        self.assertEqual(len(words), len(found), found)
        for text, part in zip(found, words, strict=True):
            self.assertIn(part, text)

    def pass_(self, seconds: float) -> None:
        self.reporter.clock.sleep(seconds)

    def evacuate(self, **options) -> None:
        self.client.evacuate(self.server.id, **options)

    def violations(self) -> list[str]:
        return conduct.violations(self.reporter.run(), self.cloud)

    def salvage(self) -> list[str]:
        return salvage.violations(self.reporter.run(), self.cloud)


class WellTestCase(SalvageTestCase):
    def test_once(self) -> None:
        self.evacuate()
        self.pass_(10)
        self.expect(self.violations())


class DoubledTestCase(SalvageTestCase):
    def test_by_oneself(self) -> None:
        self.evacuate()
        self.evacuate()
        self.expect(self.salvage(), 'and since 5000.05 already')

    def test_after_another(self) -> None:
        other = reports.Reporter(self.cloud, evacuate=True)
        other.client.evacuate(self.server.id)
        self.evacuate()
        self.expect(self.salvage(), 'already')
        self.expect(salvage.violations(other.run(), self.cloud))


class LivelyTestCase(SalvageTestCase):
    def test_it_never_was_dead(self) -> None:
        self.cloud.start(SOURCE)
        self.pass_(100)
        self.evacuate()
        self.expect(self.salvage(), 'alive for 100')


class StartedTestCase(SalvageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = self.cloud.add(SOURCE, 'stopped')
        self.server.fates.append(Fate.NO_HOST)
        self.evacuate()
        self.pass_(10)
        self.assertEqual('ERROR', self.server.status)

    def test_the_second_time(self) -> None:
        self.evacuate()
        self.pass_(10)
        self.assertEqual('ACTIVE', self.server.status)
        self.expect(self.salvage(), 'was stopped, and was started')


class ElseTestCase(SalvageTestCase):
    def test_the_window(self) -> None:
        servers = [self.cloud.add(SOURCE, seconds=30) for _ in range(9)]
        for server in servers[1:]:
            self.client.evacuate(server.id)
        self.pass_(60)
        self.expect(self.violations())
        for _number in range(9):
            server = self.cloud.add(SOURCE, seconds=30)
            self.client.evacuate(server.id)
        self.pass_(60)
        self.expect(self.violations(), '9 at once')


class RowsTestCase(SalvageTestCase):
    """What a report may say."""

    def end(self, *fates: Fate, **options) -> None:
        self.server.fates.extend(fates)
        self.evacuate(**options)
        self.pass_(10)

    def test_not_moved(self) -> None:
        self.end(Fate.NO_HOST)
        self.expect(
            self.reporter.lies(row(self.server, Phase.MOVED)),
            'it is there',
            'is drained',
        )
        self.expect(
            self.reporter.lies(row(self.server, Phase.FAILED, 'no host'))
        )
