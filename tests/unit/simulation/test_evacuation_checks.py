# SPDX-License-Identifier: Apache-2.0

"""What an evacuation must not do is found, and nothing else."""

import typing as ty

from tests.unit.simulation import evacuation_checks
from tests.unit.simulation import reports
from tests.unit.simulation import request_checks
from tests.unit.simulation import scene
from tests.unit.simulation import world

SOURCE = scene.SOURCE
MoveOutcome = world.MoveOutcome
Phase = reports.Phase
row = reports.row


class EvacuationChecksTestCase(reports.ChecksTestCase):
    """A host that is dead, and somebody who evacuates it."""

    POLICY: ty.ClassVar = {'evacuate': True}

    def setUp(self) -> None:
        super().setUp()
        self.cloud.fence(SOURCE)

    def expect(self, *words: str) -> None:
        found = evacuation_checks.violations(self.reporter.run())
        self.check(found, *words)

    def test_once(self) -> None:
        self.ask('evacuate')
        self.check(request_checks.violations(self.reporter.run()))

    def test_twice_by_oneself(self) -> None:
        self.ask('evacuate', wait=0)
        self.ask('evacuate', wait=0)
        self.expect('and since 5000.05 already')

    def test_after_another(self) -> None:
        other = reports.Reporter(self.cloud, evacuate=True)
        other.client.evacuate(self.server.id)
        self.ask('evacuate', wait=0)
        self.expect('already')
        self.check(evacuation_checks.violations(other.run()))

    def test_host_was_alive(self) -> None:
        self.cloud.start(SOURCE)
        self.reporter.clock.sleep(100)
        self.ask('evacuate', wait=0)
        self.expect('alive for 100')

    def test_started_the_second_time(self) -> None:
        self.server = self.cloud.add(SOURCE, 'stopped')
        self.server.outcomes.append(MoveOutcome.NO_HOST)
        for status in ('ERROR', 'ACTIVE'):
            self.ask('evacuate')
            self.assertEqual(status, self.server.status)
        self.expect('was stopped, and was started')

    def test_the_window(self) -> None:
        for count, words in ((8, []), (9, ['9 at once'])):
            for _number in range(count):
                server = self.cloud.add(SOURCE, seconds=30)
                self.ask('evacuate', server, wait=0)
            self.reporter.clock.sleep(60)
            found = request_checks.violations(self.reporter.run())
            self.check(found, *words)

    def test_what_is_told_of_one_that_did_not_move(self) -> None:
        self.server.outcomes.append(MoveOutcome.NO_HOST)
        self.ask('evacuate')
        report = self.reporter.untrue_reports
        moved = row(self.server, Phase.MOVED)
        self.check(report(moved), 'it is there', 'is drained')
        self.check(report(row(self.server, Phase.FAILED, 'no host')))
