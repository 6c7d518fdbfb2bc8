# SPDX-License-Identifier: Apache-2.0

"""Lies, and what must not be asked for, are found; nothing else is."""

import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint.planning import policy as policies
from tests import unit
from tests.unit.simulation import evacuation_checks
from tests.unit.simulation import report_checks
from tests.unit.simulation import reports
from tests.unit.simulation import request_checks
from tests.unit.simulation import restore_checks
from tests.unit.simulation import scene
from tests.unit.simulation import world

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
        self.find(
            'reported about server-02', row(self.server, Phase.BLOCKED, 'no')
        )
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
    """What is wrong with the cloud, whatever is said about servers."""

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


class RequestChecksTestCase(reports.ChecksTestCase):
    def expect(self, judge: str, *words: str) -> None:
        judge = getattr(request_checks, judge)
        self.check(judge(self.reporter.run()), *words)

    def test_asked_for_while_one_is_in_flight(self) -> None:
        self.ask('live_migrate', wait=0)
        self.ask('live_migrate', wait=0)
        self.expect('moved_twice_at_once', 'while live_migrate of server-01')

    def test_tried_again_too_often(self) -> None:
        self.follow(retries=1)
        self.server.outcomes += [world.MoveOutcome.ROLLED_BACK] * 3
        for _number in range(3):
            self.ask('live_migrate')
        self.expect('over_retries', '3 times')

    def test_moved_from_elsewhere_a_second_time(self) -> None:
        self.ask('live_migrate')
        self.ask('live_migrate')
        words = 'live_migrate of server-01 from cmp0'
        self.expect('moved_from_elsewhere', words)
        self.expect('sent_again', '2th time')

    @unit.cases((1, '2 at once'), (2,))
    def test_at_once(self, parallel: int, *words: str) -> None:
        self.follow(parallel=parallel)
        self.ask('live_migrate', wait=0)
        self.ask('cold_migrate', self.cloud.add(scene.SOURCE), wait=20)
        self.expect('over_parallel', *words)

    def test_resumed(self) -> None:
        self.ask('resume', self.cloud.add(scene.SOURCE, 'suspended'), wait=5)
        self.expect('without_reason', 'resume of server-02')
        run = self.reporter.run()
        run.policy = policies.Policy(suspended=policies.Suspended.RESUME)
        self.check(request_checks.without_reason(run))

    @unit.cases(False, True)
    def test_to_a_host_that_has_been_disabled(self, hangs: bool) -> None:
        self.cloud.disable('cmp02')
        self.reporter.clock.sleep(request_checks.BLIND_SECONDS - 1)
        for words in ([], ['cmp02, which is disabled']):
            self.follow()
            if hangs:
                self.reporter.client.servers(scene.SOURCE)
                self.reporter.clock.sleep(60)
            self.ask('live_migrate', None, 'cmp02')
            self.expect('to_unfit_host', *words)

    @unit.cases(
        ('live_migrate', 'cmp03'),
        ('cold_migrate', 'cmp02', 'server-02 to cmp02, chosen by us'),
    )
    def test_a_group_parts(self, kind: str, host: str, *words: str) -> None:
        second = self.cloud.add(scene.SOURCE)
        self.cloud.group('anti-affinity', self.server, second)
        self.ask('live_migrate', None, 'cmp02', wait=2)
        self.ask(kind, second, host, wait=2)
        self.expect('against_group_rules', *words)
        self.expect('violations', *words)

    @unit.cases(
        (['cmp02'] * 3, '3 at once to cmp02'),
        (['cmp02', 'cmp03', 'cmp02', 'cmp03', 'cmp04'],),
    )
    def test_at_once_to_a_host(self, hosts: list[str], *words: str) -> None:
        self.follow(per_destination=2)
        for number, host in enumerate(hosts):
            kind = 'cold_migrate' if number % 2 else 'live_migrate'
            self.ask(kind, self.cloud.add(scene.SOURCE), host, wait=0)
        self.reporter.clock.sleep(20)
        self.expect('over_parallel_per_destination', *words)
        self.expect('violations', *words)


MoveOutcome = world.MoveOutcome


class EvacuationChecksTestCase(reports.ChecksTestCase):
    """A host that is dead, and somebody who evacuates it."""

    POLICY: ty.ClassVar = {'evacuate': True}

    def setUp(self) -> None:
        super().setUp()
        self.cloud.fence(scene.SOURCE)

    def expect(self, *words: str) -> None:
        self.check(evacuation_checks.violations(self.reporter.run()), *words)

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
        self.cloud.start(scene.SOURCE)
        self.reporter.clock.sleep(100)
        self.ask('evacuate', wait=0)
        self.expect('alive for 100')

    def test_started_the_second_time(self) -> None:
        self.server = self.cloud.add(scene.SOURCE, 'stopped')
        self.server.outcomes.append(MoveOutcome.NO_HOST)
        for status in ('ERROR', 'ACTIVE'):
            self.ask('evacuate')
            self.assertEqual(status, self.server.status)
        self.expect('was stopped, and was started')

    def test_the_window(self) -> None:
        for count, words in ((8, []), (9, ['9 at once'])):
            for _number in range(count):
                server = self.cloud.add(scene.SOURCE, seconds=30)
                self.ask('evacuate', server, wait=0)
            self.reporter.clock.sleep(60)
            self.check(request_checks.violations(self.reporter.run()), *words)

    def test_what_is_told_of_one_that_did_not_move(self) -> None:
        self.server.outcomes.append(MoveOutcome.NO_HOST)
        self.ask('evacuate')
        report = self.reporter.untrue_reports
        moved = row(self.server, Phase.MOVED)
        self.check(report(moved), 'it is there', 'is drained')
        self.check(report(row(self.server, Phase.FAILED, 'no host')))


HOME = scene.SOURCE


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
        self.bring(self.cloud.add('cmp02'))
        self.expect('live_migrate of server-03, which is None')

    def test_to_anywhere(self) -> None:
        self.reporter.client.live_migrate(self.one.id, 'cmp04')
        self.expect('to cmp04')

    def test_no_reason(self) -> None:
        self.expect('no reason', row(self.one, Phase.BLOCKED))
