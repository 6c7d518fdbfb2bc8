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

"""What an observer asks, and what it makes of the answers."""

import datetime
import typing as ty
import unittest
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import observer
from osc_hostmaint.planning import decision as decisions
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from tests.unit.simulation import client as clients
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world

RECORDS = decisions.Inquiry()


class ObserverTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud(3, seconds=100)
        self.clock = timeline.VirtualClock(self.cloud.timeline)
        self.client = clients.Client(self.cloud, self.clock)
        self.board = observer.ServiceBoard(self.client, self.clock)
        self.watcher = self.observer(scene.SOURCE)

    def observer(self, host: str) -> observer.Observer:
        return observer.Observer(
            self.client, self.clock, self.board, self.cloud.hosts[host].shown()
        )

    def asked(self) -> list[str]:
        """Return what was asked for since the last time."""
        kinds = [request.kind for request in self.client.log]
        self.client.log.clear()
        return kinds

    def test_open(self) -> None:
        self.cloud.cold_migrate(next(iter(self.cloud.servers)))
        self.clock.sleep(150)
        seen = self.watcher.open()
        self.assertEqual(
            ['migrations', 'unconfirmed', 'servers'], self.asked()
        )
        self.assertEqual(2, len(seen.servers))
        self.assertEqual(
            ['finished'], [r.status for r in seen.migrations.values()]
        )

    def test_dead_host(self) -> None:
        """An evacuation that nothing has become of yet is seen, too."""
        first, second, _third = self.cloud.servers
        self.cloud.live_migrate(first)
        self.clock.sleep(10)
        watcher = observer.Observer(
            self.client,
            self.clock,
            self.board,
            self.cloud.hosts[scene.SOURCE].shown(),
            policies.Policy(evacuate=True),
        )
        self.assertEqual(1, len(watcher.open().migrations))
        self.cloud.power_off(scene.SOURCE)
        self.cloud.force_down(scene.SOURCE, down=True)
        self.cloud.power_off('cmp04')
        self.cloud.evacuate(second, host='cmp04')
        self.asked()
        self.clock.sleep(20)
        records = watcher.look(RECORDS).migrations.values()
        self.assertEqual(['evacuations'], self.asked())
        # What was known is so still.
        self.assertEqual(
            ['evacuation', 'live-migration'], sorted(r.type for r in records)
        )
        (waiting,) = (r for r in records if r.type == 'evacuation')
        self.assertEqual('accepted', waiting.status)
        self.assertIsNone(waiting.updated_at)

    def test_it_looks_at_no_more_than_it_is_asked(self) -> None:
        self.watcher.open()
        self.asked()
        for name, request in (
            ('servers', 'servers'),
            ('services', 'services'),
            ('consumers', 'allocations'),
        ):
            inquiry = decisions.Inquiry(records=False, **{name: True})
            self.watcher.look(inquiry)
            self.assertEqual([request], self.asked())
        self.watcher.look(RECORDS)
        self.assertEqual(['migrations'], self.asked())

    def test_servers_are_listed_before_allocations(self) -> None:
        self.watcher.open()
        self.asked()
        seen = self.watcher.look(
            decisions.Inquiry(records=False, servers=True, consumers=True)
        )
        self.assertEqual(['servers', 'allocations'], self.asked())
        self.assertGreater(seen.consumers_at, seen.servers_at)

    def test_a_status_keeps_the_time_when_it_was_first_seen(self) -> None:
        self.cloud.live_migrate(next(iter(self.cloud.servers)))
        self.clock.sleep(5)
        first = self.watcher.open().migrations[1]
        self.clock.sleep(5)
        again = self.watcher.look(RECORDS).migrations[1]
        self.assertEqual('running', again.status)
        self.assertEqual(first.seen_at, again.seen_at)
        self.clock.sleep(100)
        ended = self.watcher.look(RECORDS).migrations[1]
        self.assertEqual('completed', ended.status)
        self.assertEqual(self.clock.now(), ended.seen_at)

    def test_a_record_that_vanishes_is_forgotten(self) -> None:
        first, second, _third = self.cloud.servers
        self.cloud.live_migrate(first)
        self.cloud.live_migrate(second)
        self.clock.sleep(5)
        self.assertEqual(2, len(self.watcher.open().migrations))
        self.cloud.delete(first)
        seen = self.watcher.look(RECORDS)
        self.assertEqual(
            [second], [r.server_id for r in seen.migrations.values()]
        )

    def test_a_record_that_is_only_old_is_kept(self) -> None:
        first, second, _third = self.cloud.servers
        self.cloud.live_migrate(first)
        self.clock.sleep(90)
        self.watcher.open()
        self.cloud.cold_migrate(second)
        self.clock.sleep(2)
        # The answer does not list the first any more.
        for _number in range(2):
            seen = self.watcher.look(RECORDS)
        self.assertEqual({1, 2}, set(seen.migrations))

    def test_ended_records_are_kept(self) -> None:
        first, *_others = self.cloud.servers
        self.cloud.live_migrate(first)
        self.clock.sleep(110)
        self.watcher.open()
        self.cloud.delete(first)
        self.assertEqual({1}, set(self.watcher.look(RECORDS).migrations))

    def test_what_our_clock_shows_more_than_novas(self) -> None:
        self.assertIsNone(self.watcher.open().ahead)
        self.cloud.live_migrate(next(iter(self.cloud.servers)))
        truly = timeline.START - world.EPOCH.timestamp()
        bounds = []
        for _number in range(6):
            self.clock.sleep(0.4)
            ahead = self.watcher.look(RECORDS).ahead
            if ahead is not None:
                bounds.append(ahead - truly)
        self.assertEqual(sorted(bounds, reverse=True), bounds)
        self.assertGreaterEqual(bounds[-1], 0.0)
        self.assertLess(bounds[-1], 1.5)

    def test_one_list_of_services_serves_all_hosts(self) -> None:
        other = self.observer('cmp02')
        inquiry = decisions.Inquiry(records=False, services=True)
        self.watcher.look(inquiry)
        other.look(inquiry)
        self.assertEqual(['services'], self.asked())
        self.clock.sleep(timing.SERVICES_SHARED_SECONDS)
        other.look(inquiry)
        self.assertEqual(['services'], self.asked())

    def test_a_list_of_services_that_was_there_before(self) -> None:
        services = {name: h.shown() for name, h in self.cloud.hosts.items()}
        board = observer.ServiceBoard(self.client, self.clock, services)
        looked_at = self.clock.now()
        self.cloud.crash('cmp02')
        self.clock.sleep(timing.SERVICES_SHARED_SECONDS - 1)
        service, down, at = board.latest(scene.SOURCE)
        self.assertEqual(services[scene.SOURCE], service)
        self.assertEqual((frozenset(), looked_at), (down, at))
        self.assertEqual([], self.asked())
        self.clock.sleep(100)
        _service, down, _at = board.latest(scene.SOURCE)
        self.assertEqual({'cmp02'}, down)
        self.assertFalse(board.services['cmp02'].up)
        self.assertEqual(['services'], self.asked())

    def test_a_service_that_was_deleted_is_down_for_good(self) -> None:
        self.watcher.open()
        del self.cloud.hosts['cmp01']
        self.clock.sleep(timing.SERVICES_SHARED_SECONDS)
        asked_at = self.clock.now()
        seen = self.watcher.look(decisions.Inquiry(services=True))
        self.assertFalse(seen.service.up)
        self.assertGreaterEqual(seen.service_at, asked_at)

    def test_visits(self) -> None:
        first, second, _third = self.cloud.servers
        self.watcher.open()
        self.cloud.delete(second)
        self.clock.sleep(1)
        self.asked()
        seen = self.watcher.visit(
            decisions.Inquiry(visit=frozenset({first, second}))
        )
        self.assertEqual(['server', 'server'], self.asked())
        self.assertEqual('ACTIVE', seen.visited[first].status)
        self.assertEqual('DELETED', seen.visited[second].status)
        latest = seen.latest(second)
        assert latest
        self.assertEqual('DELETED', latest.status)

    def test_a_server_that_rests_though_a_record_says_it_moves(self) -> None:
        first, second, _third = self.cloud.servers
        for server_id in (first, second):
            self.cloud.cold_migrate(server_id)
        self.clock.sleep(2)
        self.watcher.open()
        visit = decisions.Inquiry(visit=frozenset({first}))
        self.asked()
        self.watcher.visit(visit)
        self.assertEqual(['server'], self.asked())
        # As when its host's nova-compute starts again.
        self.cloud.change(self.cloud.servers[first])
        self.clock.sleep(1)
        seen = self.watcher.visit(visit)
        self.assertEqual(['server', 'migrations'], self.asked())
        self.assertGreater(seen.migrations_at, seen.visited[first].seen_at)

    def test_reasons(self) -> None:
        server = next(iter(self.cloud.servers.values()))
        server.fates.append(world.Fate.NO_HOST)
        self.cloud.live_migrate(server.id)
        self.clock.sleep(5)
        self.watcher.open()
        seen = self.watcher.visit(decisions.Inquiry(explain=frozenset({1})))
        self.assertIn('No valid host', seen.failures[1])

    def running(self) -> str:
        """Begin a live migration and look when it runs."""
        server_id = next(iter(self.cloud.servers))
        self.cloud.live_migrate(server_id)
        self.clock.sleep(5)
        self.assertEqual('running', self.watcher.open().migrations[1].status)
        # Every second a little less is left; none is, at last.
        began = self.clock.now()
        self.client.progress = mock.Mock(  # type: ignore[method-assign]
            side_effect=lambda _server_id, _record_id: (
                model.Progress(left, 100)
                if (left := 10 - int(self.clock.now() - began)) > 0
                else None
            )
        )
        return server_id

    def progress(self, *record_ids: int) -> ty.Mapping[int, model.Progress]:
        inquiry = decisions.Inquiry(progress=frozenset(record_ids))
        return self.watcher.visit(inquiry).progress

    def test_progress(self) -> None:
        server_id = self.running()
        seen_at = self.clock.now()
        first = model.Progress(10, 100, seen_at)
        self.assertEqual({1: first}, self.progress(1))
        self.client.progress.assert_called_once_with(server_id, 1)
        self.clock.sleep(1)
        self.assertEqual({1: first}, self.progress(), 'kept as it was')
        self.client.progress.assert_called_once()
        again = model.Progress(9, 100, seen_at + 1)
        self.assertEqual({1: again}, self.progress(1))

    def test_progress_that_nova_does_not_know(self) -> None:
        self.running()
        first = self.progress(1)
        self.clock.sleep(100)
        self.assertEqual(first, self.progress(1), 'it has just ended')
        self.watcher.look(RECORDS)
        self.assertEqual({}, self.progress(), 'of what has ended')

    def test_progress_of_a_record_that_vanished_is_forgotten(self) -> None:
        server_id = self.running()
        self.progress(1)
        self.cloud.delete(server_id)
        self.watcher.look(RECORDS)
        self.assertEqual({}, self.progress())

    def test_histories(self) -> None:
        first, second, _third = self.cloud.servers
        deed = model.Deed('resume', 'us', 'ours', world.EPOCH)
        self.client.history = (  # type: ignore[method-assign]
            lambda server_id: (deed,) if server_id == first else ()
        )
        self.watcher.open()
        seen = self.watcher.visit(
            decisions.Inquiry(history=frozenset({first}))
        )
        self.assertEqual({first: (deed,)}, seen.histories)
        seen = self.watcher.visit(
            decisions.Inquiry(history=frozenset({second}))
        )
        self.assertEqual({first: (deed,), second: ()}, seen.histories)

    def test_which_other_hosts_are_down(self) -> None:
        self.assertEqual(frozenset(), self.watcher.open().down)
        self.cloud.crash('cmp02')
        self.cloud.crash(scene.SOURCE)
        self.clock.sleep(100)
        inquiry = decisions.Inquiry(records=False, services=True)
        seen = self.watcher.look(inquiry)
        self.assertEqual({'cmp02'}, seen.down)
        self.assertFalse(seen.service.up)
        other = self.observer('cmp02').look(inquiry)
        self.assertEqual({scene.SOURCE}, other.down)
        self.cloud.start('cmp02')
        self.clock.sleep(60)
        self.assertEqual(frozenset(), self.watcher.look(inquiry).down)

    def test_an_answer_that_fails_loses_nothing_of_those_before(self) -> None:
        first, *_others = self.cloud.servers
        self.watcher.open()

        def refuse(server_id: str) -> tuple[model.Deed, ...]:
            raise exceptions.Unavailable('503')

        self.client.history = refuse  # type: ignore[method-assign]
        inquiry = decisions.Inquiry(
            visit=frozenset({first}), history=frozenset({first})
        )
        self.assertRaises(exceptions.Unavailable, self.watcher.visit, inquiry)
        self.assertIn(first, self.watcher.seen.visited)
        self.assertNotIn(first, self.watcher.seen.histories)

    def test_changes_are_asked_for_with_an_overlap(self) -> None:
        asked: list[datetime.datetime | None] = []
        migrations = self.client.migrations

        def spy(
            host: str, since: datetime.datetime | None = None
        ) -> list[model.Migration]:
            asked.append(since)
            return migrations(host, since)

        self.client.migrations = spy  # type: ignore[method-assign]
        self.cloud.live_migrate(next(iter(self.cloud.servers)))
        self.clock.sleep(10)
        record = self.watcher.open().migrations[1]
        self.watcher.look(RECORDS)
        assert record.updated_at
        self.assertEqual([None, record.updated_at - observer.OVERLAP], asked)
