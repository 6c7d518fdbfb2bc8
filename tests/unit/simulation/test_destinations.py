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
from tests.unit.simulation import faults
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

    def test_one_that_can(self) -> None:
        self.expect(self.misdirected('cmp02'))

    def test_disabled(self) -> None:
        self.cloud.disable('cmp02')
        self.reporter.clock.sleep(conduct.BLIND_SECONDS - 1)
        self.expect(self.misdirected('cmp02'))
        self.expect(self.misdirected('cmp02'), 'cmp02, which is disabled')

    def test_down(self) -> None:
        self.cloud.crash('cmp02')
        self.reporter.clock.sleep(self.cloud.timing.heartbeat + 50)
        self.expect(self.misdirected('cmp02'))
        self.expect(self.misdirected('cmp03'))
        self.reporter.clock.sleep(10)
        self.expect(self.misdirected('cmp02'), 'is down')
        self.cloud.start('cmp02')
        self.expect(self.misdirected('cmp02'))

    def test_in_maintenance_and_then_down(self) -> None:
        self.cloud.disable('cmp02')
        self.reporter.clock.sleep(conduct.BLIND_SECONDS)
        self.cloud.hosts['cmp02'].turn(self.cloud.timeline.now, up=False)
        self.expect(self.misdirected('cmp02'), 'is disabled')

    def test_being_drained(self) -> None:
        # By this very run, which knows it from its first moment on.
        self.expect(self.misdirected(scene.SOURCE), 'is being drained')

    def test_the_one_asked_for(self) -> None:
        self.cloud.disable('cmp02')
        self.reporter.clock.sleep(conduct.BLIND_SECONDS)
        self.expect(self.misdirected('cmp02', to='cmp02'))
        self.expect(self.misdirected('cmp02', to='cmp03'), 'disabled')

    def test_it_is_part_of_the_whole(self) -> None:
        self.cloud.disable('cmp02')
        self.reporter.clock.sleep(conduct.BLIND_SECONDS)
        found = self.misdirected('cmp02')
        self.assertEqual(found, conduct.violations(self.run_(), self.cloud))


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

    def test_one_after_the_other(self) -> None:
        self.send(self.server, 'cmp02', wait=10)
        self.send(self.second, 'cmp02', wait=10)
        self.assertEqual(scene.SOURCE, self.second.host)
        self.expect(self.parted())

    def test_together(self) -> None:
        self.send(self.server, 'cmp02')
        self.send(self.second, 'cmp02', 'cold_migrate')
        self.expect(self.parted(), 'server-02 to cmp02, chosen by us')
        self.assertEqual(
            self.parted(), conduct.violations(self.run_(), self.cloud)
        )

    def test_left_to_nova(self) -> None:
        self.send(self.server)
        self.send(self.second)
        self.expect(self.parted(), 'chosen by Nova')

    def test_who_was_not_told_the_groups(self) -> None:
        client = self.reporter.client
        client._faults = faults.numbered({0: faults.DROPPED})
        with contextlib.suppress(exceptions.CloudError):
            client.groups()
        self.send(self.server)
        self.send(self.second)
        self.expect(self.parted())

    def test_who_was_told_the_groups(self) -> None:
        self.reporter.client.groups()
        self.send(self.server)
        self.send(self.second)
        self.expect(self.parted(), 'chosen by Nova')

    def test_who_was_not_told_them_and_chose(self) -> None:
        client = self.reporter.client
        client._faults = faults.outage(0, self.reporter.clock.now() + 0.05)
        with contextlib.suppress(exceptions.CloudError):
            client.groups()
        self.send(self.server, 'cmp02')
        self.send(self.second, 'cmp02')
        self.expect(self.parted())

    def test_who_could_not_look_ahead(self) -> None:
        self.send(self.server)
        self.send(self.second)
        run = self.run_()
        run.blind = True
        self.expect(conduct.parted(run, self.cloud))

    def test_what_others_have_just_sent_there(self) -> None:
        self.server.seconds = 200
        self.cloud.live_migrate(self.server.id, host='cmp02')
        self.reporter.clock.sleep(5)
        self.send(self.second, 'cmp02', 'cold_migrate')
        self.expect(self.parted())

    def test_what_others_sent_there_long_ago(self) -> None:
        self.server.seconds = 200
        self.cloud.live_migrate(self.server.id, host='cmp02')
        self.reporter.clock.sleep(conduct.BLIND_SECONDS + 5)
        self.send(self.second, 'cmp02', 'cold_migrate')
        self.expect(self.parted(), 'server-02')

    def test_what_others_send_after_it(self) -> None:
        self.send(self.server, 'cmp02')
        self.cloud.cold_migrate(self.second.id, host='cmp02')
        self.reporter.clock.sleep(2)
        self.expect(self.parted())

    def test_what_hung_for_long(self) -> None:
        # It is taken a moment before, or after, the other is.
        for wait in (14.85, 15.0):
            with self.subTest(wait):
                self.setUp()
                client = self.reporter.client
                client._faults = faults.posts([faults.SLOW])
                with contextlib.suppress(exceptions.CloudError):
                    client.live_migrate(self.server.id, 'cmp02')
                self.reporter.clock.sleep(wait)
                self.send(self.second, 'cmp02')
                late = self.server.work
                assert (
                    late
                    and late.late
                    and late.clashes
                    == ({self.second.id} if wait < 15 else set())
                )
                self.expect(self.parted())

    def test_what_was_given_up(self) -> None:
        for patience, host, words in (
            (20, '', ()),
            (40, '', ('chosen by Nova',)),
            # Who chooses can tell where it goes.
            (20, 'cmp02', ('chosen by us',)),
        ):
            with self.subTest(patience=patience, host=host):
                self.setUp()
                self.server.seconds = 100
                self.reporter = reports.Reporter(
                    self.cloud, server_timeout=patience
                )
                self.send(self.server, 'cmp02', wait=30)
                self.send(self.second, host)
                self.expect(self.parted(), *words)

    def test_a_soft_rule(self) -> None:
        self.cloud.groups.clear()
        self.cloud.group('soft-anti-affinity', self.server, self.second)
        self.send(self.server, 'cmp02')
        self.send(self.second, 'cmp02')
        self.expect(self.parted())

    def test_affinity(self) -> None:
        self.cloud.groups.clear()
        self.cloud.group('affinity', self.server, self.second)
        self.cloud.live_migrate(
            self.server.id, 'cmp02', by=self.reporter.client.actor
        )
        self.reporter.clock.sleep(10)
        self.expect(self.parted(), 'server-01 to cmp02')


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

    def test_left_to_nova(self) -> None:
        self.expect(self.cramped(1, '', 'cmp02', wait=0), '2 at once')

    def test_as_many_as_it_may(self) -> None:
        hosts = ('cmp02', 'cmp03', 'cmp02', 'cmp03', 'cmp04')
        self.expect(self.cramped(2, *hosts, wait=0))

    def test_one_after_the_other(self) -> None:
        self.expect(self.cramped(1, 'cmp02', 'cmp02', 'cmp02', wait=10))

    def test_what_hung_for_long(self) -> None:
        self.reporter = reports.Reporter(self.cloud, per_destination=1)
        client = self.reporter.client
        client._faults = faults.posts([faults.SLOW])
        with contextlib.suppress(exceptions.CloudError):
            client.live_migrate(self.server.id, 'cmp02')
        self.reporter.clock.sleep(14)
        client.cold_migrate(self.cloud.add(scene.SOURCE).id, 'cmp02')
        self.reporter.clock.sleep(20)
        self.assertEqual({'cmp02'}, {work.dest for work in self.cloud.works})
        self.expect(conduct.cramped(self.run_(), self.cloud))

    def test_what_was_given_up(self) -> None:
        for patience, words in ((20, ()), (40, ('2 at once',))):
            with self.subTest(patience):
                self.setUp()
                self.reporter = reports.Reporter(
                    self.cloud, per_destination=1, server_timeout=patience
                )
                self.server.seconds = 100
                self.reporter.client.live_migrate(self.server.id, 'cmp02')
                self.reporter.clock.sleep(30)
                second = self.cloud.add(scene.SOURCE)
                self.reporter.client.live_migrate(second.id, 'cmp02')
                self.reporter.clock.sleep(100)
                self.expect(conduct.cramped(self.run_(), self.cloud), *words)

    def test_no_bound(self) -> None:
        self.expect(self.cramped(None, 'cmp02', 'cmp02', 'cmp02', wait=0))
