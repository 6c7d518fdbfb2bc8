# SPDX-License-Identifier: Apache-2.0

"""What a drain must not ask for is found; what it may is not."""

from osc_hostmaint.planning import policy as policies
from tests import unit
from tests.unit.simulation import reports
from tests.unit.simulation import request_checks
from tests.unit.simulation import scene
from tests.unit.simulation import world


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
        server = self.cloud.add(scene.SOURCE, 'suspended')
        self.ask('resume', server, wait=5)
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
