# SPDX-License-Identifier: Apache-2.0

"""Lies are found, whatever they are about; the truth is not one."""

import unittest

import ddt

from osc_hostmaint import exceptions
from tests.unit.simulation import report_checks
from tests.unit.simulation import reports
from tests.unit.simulation import scene

Code = exceptions.ExitCode
Phase = reports.Phase
row = reports.row


class ReportChecksTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud()
        self.server = self.cloud.add(scene.SOURCE)
        self.reporter = reports.Reporter(self.cloud)

    def move(self) -> None:
        """Move the server off the host."""
        self.reporter.client.live_migrate(self.server.id)
        self.reporter.clock.sleep(10)

    def find(self, words: str, *rows, **options) -> None:
        """Expect one lie."""
        found = self.reporter.untrue_reports(*rows, **options)
        self.assertEqual(1, len(found), found)
        self.assertIn(words, found[0])

    def believe(self, *rows, **options) -> None:
        self.assertEqual([], self.reporter.untrue_reports(*rows, **options))


class RowsTestCase(ReportChecksTestCase):
    def test_moved(self) -> None:
        self.move()
        self.believe(row(self.server, Phase.MOVED))

    def test_still_there(self) -> None:
        found = self.reporter.untrue_reports(row(self.server, Phase.MOVED))
        self.assertEqual(2, len(found), found)
        self.assertIn('it is there', found[0])
        self.assertIn('cmp01 is drained', found[1])

    def test_not_confirmed(self) -> None:
        self.reporter.client.cold_migrate(self.server.id)
        self.reporter.clock.sleep(10)
        found = self.reporter.untrue_reports(row(self.server, Phase.MOVED))
        self.assertIn('not confirmed', found[0])

    def find(self, words: str, *rows, **options) -> None:
        found = self.reporter.untrue_reports(*rows, **options)
        self.assertTrue(any(words in error for error in found), found)

    def test_failed(self) -> None:
        self.believe(row(self.server, Phase.FAILED, 'no'))
        self.move()
        self.find('has moved', row(self.server, Phase.FAILED, 'no'))

    def test_no_row(self) -> None:
        second = self.cloud.add(scene.SOURCE)
        self.find('told of server-02', row(self.server, Phase.BLOCKED, 'no'))
        self.believe(
            row(self.server, Phase.BLOCKED, 'no'),
            row(second, Phase.BLOCKED, 'no'),
        )

    def test_suspended_again(self) -> None:
        server = self.cloud.add(scene.SOURCE, 'suspended')
        self.reporter = reports.Reporter(self.cloud, suspended='resume')
        for request in ('resume', 'live_migrate'):
            getattr(self.reporter.client, request)(server.id)
            self.reporter.clock.sleep(10)
        other = row(self.server, Phase.BLOCKED, 'no')
        self.find('is active', other, row(server, Phase.MOVED))
        self.believe(other, row(server, Phase.FAILED, 'not suspended'))
        self.reporter.client.suspend(server.id)
        self.reporter.clock.sleep(10)
        self.believe(other, row(server, Phase.MOVED))


class CloudTestCase(ReportChecksTestCase):
    """What is wrong with the cloud, whatever is told of servers."""

    def test_an_allocation_is_left_on_the_host(self) -> None:
        self.move()
        self.cloud.hold('orphan', scene.SOURCE)
        self.find('it holds an allocation', row(self.server, Phase.MOVED))

    def test_one_unit_too_much(self) -> None:
        self.cloud.hosts['cmp02'].inventory.capacity['VCPU'] = 1
        self.cloud.hold('other', 'cmp02', {'MEMORY_MB': 5, 'VCPU': 2})
        self.reporter.look()
        blocked = row(self.server, Phase.BLOCKED, 'no')
        (found,) = report_checks.violations(self.reporter.run(blocked))
        self.assertIn('cmp02 has no room for other', found)

    def test_left_running_though_it_was_suspended(self) -> None:
        server = self.cloud.add(scene.SOURCE, 'suspended')
        for requests, expected in (
            (
                ('resume', 'live_migrate'),
                ['server-02: it was suspended and is active'],
            ),
            (('suspend',), []),
        ):
            reporter = reports.Reporter(self.cloud)
            for request in requests:
                getattr(reporter.client, request)(server.id)
                reporter.clock.sleep(12)
            run = reporter.run(row(server, Phase.MOVED))
            self.assertEqual(expected, report_checks.behind(run))


@ddt.ddt
class CodeTestCase(ReportChecksTestCase):
    @ddt.data(
        (Code.DONE, {}),
        (Code.FAILED, {}),
        (Code.LEFT, {'errors': {scene.SOURCE: 'no permission'}}),
        (Code.INTERRUPTED, {}),
        (Code.LEFT, {'interrupted': True}),
        (Code.TIMEOUT, {}),
        (Code.TIMEOUT, {'timeout': 60.0}),
    )
    @ddt.unpack
    def test_untrue_reports(self, code: Code, options: dict) -> None:
        blocked = row(self.server, Phase.BLOCKED, 'no')
        self.find('exit', blocked, code=code, **options)

    @ddt.data(
        (Code.LEFT, {}),
        (Code.FAILED, {'errors': {scene.SOURCE: 'no permission'}}),
        (Code.INTERRUPTED, {'interrupted': True}),
        (Code.TIMEOUT, {'timeout': 0.1}),
    )
    @ddt.unpack
    def test_true_reports(self, code: Code, options: dict) -> None:
        blocked = row(self.server, Phase.BLOCKED, 'no')
        self.believe(blocked, code=code, **options)
