# SPDX-License-Identifier: Apache-2.0

"""Lies are found, whatever they are about; the truth is not one."""

from osc_hostmaint import exceptions
from tests import unit
from tests.unit.simulation import report_checks
from tests.unit.simulation import reports
from tests.unit.simulation import scene

Code = exceptions.ExitCode
Phase = reports.Phase
row = reports.row


class ReportChecksTestCase(reports.ChecksTestCase):
    def find(self, words: str, *rows, **options) -> None:
        """Expect one lie."""
        self.check(self.reporter.untrue_reports(*rows, **options), words)

    def believe(self, *rows, **options) -> None:
        self.assertEqual([], self.reporter.untrue_reports(*rows, **options))


class RowsTestCase(ReportChecksTestCase):
    def find(self, words: str, *rows, **options) -> None:
        """Expect a lie, and maybe what follows from it."""
        found = self.reporter.untrue_reports(*rows, **options)
        self.assertTrue(any(words in error for error in found), found)

    def test_moved(self) -> None:
        self.ask('live_migrate')
        self.believe(row(self.server, Phase.MOVED))

    def test_still_there(self) -> None:
        found = self.reporter.untrue_reports(row(self.server, Phase.MOVED))
        self.check(found, 'it is there', 'cmp01 is drained')

    def test_not_confirmed(self) -> None:
        self.ask('cold_migrate')
        self.find('not confirmed', row(self.server, Phase.MOVED))

    def test_failed(self) -> None:
        self.believe(row(self.server, Phase.FAILED, 'no'))
        self.ask('live_migrate')
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
        self.follow(suspended='resume')
        self.ask('resume', server)
        self.ask('live_migrate', server)
        other = row(self.server, Phase.BLOCKED, 'no')
        self.find('is active', other, row(server, Phase.MOVED))
        self.believe(other, row(server, Phase.FAILED, 'not suspended'))
        self.ask('suspend', server)
        self.believe(other, row(server, Phase.MOVED))


class CloudTestCase(ReportChecksTestCase):
    """What is wrong with the cloud, whatever is told of servers."""

    def test_an_allocation_is_left_on_the_host(self) -> None:
        self.ask('live_migrate')
        self.cloud.hold('orphan', scene.SOURCE)
        self.find('it holds an allocation', row(self.server, Phase.MOVED))

    def test_one_unit_too_much(self) -> None:
        self.cloud.hosts['cmp02'].inventory.capacity['VCPU'] = 1
        self.cloud.hold('other', 'cmp02', {'MEMORY_MB': 5, 'VCPU': 2})
        self.reporter.look()
        blocked = row(self.server, Phase.BLOCKED, 'no')
        found = report_checks.violations(self.reporter.run(blocked))
        self.check(found, 'cmp02 has no room for other')

    def test_left_running_though_it_was_suspended(self) -> None:
        server = self.cloud.add(scene.SOURCE, 'suspended')
        for requests, expected in (
            (
                ('resume', 'live_migrate'),
                ['server-02: it was suspended, and nobody tried to again'],
            ),
            (('suspend',), []),
        ):
            self.follow()
            for request in requests:
                self.ask(request, server, wait=12)
            run = self.reporter.run(row(server, Phase.MOVED))
            self.assertEqual(expected, report_checks.behind(run))

    def test_its_tag_is_left(self) -> None:
        self.server.tagged = True
        for reason, expected in (
            ('', ['server-01 still has its tag']),
            ('it still has the tag x (no)', []),
        ):
            run = self.reporter.run(row(self.server, Phase.MOVED, reason))
            self.assertEqual(expected, report_checks.behind(run))


class CodeTestCase(ReportChecksTestCase):
    @unit.cases(
        (Code.DONE, {}),
        (Code.FAILED, {}),
        (Code.LEFT, {'errors': {scene.SOURCE: 'no permission'}}),
        (Code.INTERRUPTED, {}),
        (Code.LEFT, {'interrupted': True}),
        (Code.TIMEOUT, {}),
        (Code.TIMEOUT, {'timeout': 60.0}),
    )
    def test_untrue_reports(self, code: Code, options: dict) -> None:
        blocked = row(self.server, Phase.BLOCKED, 'no')
        self.find('exit', blocked, code=code, **options)

    @unit.cases(
        (Code.LEFT, {}),
        (Code.FAILED, {'errors': {scene.SOURCE: 'no permission'}}),
        (Code.INTERRUPTED, {'interrupted': True}),
        (Code.TIMEOUT, {'timeout': 0.1}),
    )
    def test_true_reports(self, code: Code, options: dict) -> None:
        blocked = row(self.server, Phase.BLOCKED, 'no')
        self.believe(blocked, code=code, **options)
