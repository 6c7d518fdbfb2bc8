# SPDX-License-Identifier: Apache-2.0

"""What an evacuation must not do is found, and nothing else."""

import unittest

from tests.unit.simulation import evacuation_checks
from tests.unit.simulation import reports
from tests.unit.simulation import request_checks
from tests.unit.simulation import scene
from tests.unit.simulation import world

SOURCE = scene.SOURCE
MoveOutcome = world.MoveOutcome
Phase = reports.Phase
row = reports.row


class EvacuationChecksTestCase(unittest.TestCase):
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

    def evacuate(self) -> None:
        self.client.evacuate(self.server.id)

    def violations(self) -> list[str]:
        return request_checks.violations(self.reporter.run())

    def check_evacuations(self) -> list[str]:
        return evacuation_checks.violations(self.reporter.run())

    def test_once(self) -> None:
        self.evacuate()
        self.pass_(10)
        self.expect(self.violations())

    def test_twice_by_oneself(self) -> None:
        self.evacuate()
        self.evacuate()
        self.expect(self.check_evacuations(), 'and since 5000.05 already')

    def test_after_another(self) -> None:
        other = reports.Reporter(self.cloud, evacuate=True)
        other.client.evacuate(self.server.id)
        self.evacuate()
        self.expect(self.check_evacuations(), 'already')
        self.expect(evacuation_checks.violations(other.run()))

    def test_host_was_alive(self) -> None:
        self.cloud.start(SOURCE)
        self.pass_(100)
        self.evacuate()
        self.expect(self.check_evacuations(), 'alive for 100')

    def test_started_the_second_time(self) -> None:
        self.server = self.cloud.add(SOURCE, 'stopped')
        self.server.outcomes.append(MoveOutcome.NO_HOST)
        for status in ('ERROR', 'ACTIVE'):
            self.evacuate()
            self.pass_(10)
            self.assertEqual(status, self.server.status)
        self.expect(self.check_evacuations(), 'was stopped, and was started')

    def test_the_window(self) -> None:
        for count, words in ((8, []), (9, ['9 at once'])):
            for _number in range(count):
                server = self.cloud.add(SOURCE, seconds=30)
                self.client.evacuate(server.id)
            self.pass_(60)
            self.expect(self.violations(), *words)

    def test_what_is_told_of_one_that_did_not_move(self) -> None:
        self.server.outcomes.append(MoveOutcome.NO_HOST)
        self.evacuate()
        self.pass_(10)
        self.expect(
            self.reporter.untrue_reports(row(self.server, Phase.MOVED)),
            'it is there',
            'is drained',
        )
        self.expect(
            self.reporter.untrue_reports(
                row(self.server, Phase.FAILED, 'no host')
            )
        )
