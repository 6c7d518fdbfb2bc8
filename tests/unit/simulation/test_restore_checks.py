# SPDX-License-Identifier: Apache-2.0

"""Servers that come home, and what would be wrong with that."""

from tests import unit
from tests.unit.simulation import reports
from tests.unit.simulation import restore_checks
from tests.unit.simulation import scene
from tests.unit.simulation import world

HOME = scene.SOURCE
Phase = reports.Phase
row = reports.row


class JudgeTestCase(unit.TestCase):
    """Reports written by hand, of restores that were none."""

    def setUp(self) -> None:
        self.cloud = scene.cloud(2)
        self.one, self.other = self.cloud.servers.values()
        scene.run(self.cloud)
        self.cloud.enable(HOME)
        expectations = restore_checks.Expectations(HOME, world.EPOCH, None)
        self.expectations = expectations
        self.expectations.begin(self.cloud)
        self.reporter = reports.Reporter(self.cloud)

    def bring(self, server: world.Server) -> None:
        self.reporter.client.live_migrate(server.id, HOME)
        self.reporter.clock.sleep(10)

    def expect(self, words: str, *rows) -> None:
        """Expect the first thing that is wrong to be this one."""
        run = self.reporter.run(*rows)
        found = self.expectations.judge(run)
        self.assertIn(words, (found or ['nothing'])[0])

    def test_all_is_well(self) -> None:
        for server in (self.one, self.other):
            self.bring(server)
        rows = [row(s, Phase.MOVED) for s in (self.one, self.other)]
        self.expect('nothing', *rows)

    def test_not_home(self) -> None:
        self.expect('it is on cmp0', row(self.one, Phase.MOVED))

    def test_wrong_server_restored(self) -> None:
        stranger = self.cloud.add('cmp02')
        self.bring(stranger)
        self.expect('live_migrate of server-03, which is None')

    def test_to_anywhere(self) -> None:
        self.reporter.client.live_migrate(self.one.id, 'cmp04')
        self.expect('to cmp04')

    def test_no_reason(self) -> None:
        self.expect('no reason', row(self.one, Phase.BLOCKED))
