# SPDX-License-Identifier: Apache-2.0

"""What an observer asks, and what it makes of the answers."""

import datetime
import functools
import typing as ty
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import observer
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from tests import unit
from tests.unit.simulation import client as clients
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world

RECORDS = decisions.Query()


class ObserverTestCase(unit.TestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud(3, seconds=100)
        self.first, self.second, _third = self.cloud.servers
        self.clock = timeline.VirtualClock(self.cloud.timeline)
        self.client = clients.Client(self.cloud, self.clock)
        self.board = boards.Board(self.client, self.clock)
        self.watcher = self.observer()

    def observer(self, **policy) -> observer.Observer:
        return observer.Observer(
            self.board,
            self.cloud.hosts[scene.SOURCE].shown(),
            policies.Policy(**policy),
        )

    def asked(self) -> list[str]:
        kinds = [request.kind for request in self.client.log]
        self.client.log.clear()
        return kinds

    def test_resumed_servers_that_left(self) -> None:
        """But not those on a host that another run drains."""
        for server, dest in ((self.first, 'cmp02'), (self.second, 'cmp03')):
            self.cloud.live_migrate(server, dest)
            self.clock.sleep(110)
            self.cloud.servers[server].tagged = True
        self.cloud.disable('cmp03')
        self.assertEqual({self.first}, set(self.watcher.open().visited))

    def test_dead_host(self) -> None:
        """An evacuation that nothing has become of yet is seen, too."""
        self.cloud.live_migrate(self.first)
        self.clock.sleep(10)
        watcher = self.observer(evacuate=True)
        self.assertEqual(1, len(watcher.open().migrations))
        self.cloud.power_off(scene.SOURCE)
        self.cloud.force_down(scene.SOURCE, down=True)
        self.cloud.power_off('cmp04')
        self.cloud.evacuate(self.second, host='cmp04')
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

    def test_servers_are_listed_before_allocations(self) -> None:
        self.watcher.open()
        self.asked()
        seen = self.watcher.look(
            decisions.Query(records=False, servers=True, consumers=True)
        )
        self.assertEqual(['servers', 'allocations'], self.asked())
        self.assertGreater(seen.consumers_at, seen.servers_at)

    def test_status_keeps_its_first_seen_time(self) -> None:
        self.cloud.live_migrate(self.first)
        self.clock.sleep(5)
        first = self.watcher.open().migrations[1]
        self.clock.sleep(5)
        again = self.watcher.look(RECORDS).migrations[1]
        self.assertEqual('running', again.status)
        self.assertEqual(first.seen_at, again.seen_at)
        self.clock.sleep(100)
        asked_at = self.clock.now()
        ended = self.watcher.look(RECORDS).migrations[1]
        self.assertEqual('completed', ended.status)
        self.assertEqual(asked_at, ended.seen_at)

    @unit.cases(
        # When we look, and since when it is under way: `queued` until 100 s,
        # then `preparing`, `running` from 101 s on, `completed` at 201 s.
        ((50, 99), None),
        ((50, 102, 150), 101),
        ((102, 250), 101),
        ((1, 90, 205), 88),
        ((205,), 0),
    )
    def test_when_a_move_has_begun(self, looks, expected) -> None:
        for server in (self.first, self.second):
            self.cloud.live_migrate(server)
        began = self.clock.now()
        look = self.watcher.open
        for time in looks:
            self.clock.sleep(began + time - self.clock.now())
            record = look().migrations[2]
            look = functools.partial(self.watcher.look, RECORDS)
        since = record.begun_at
        seconds = since and int((since - timeline.EPOCH).total_seconds())
        self.assertEqual(expected, seconds)
        self.assertEqual(
            record.updated_at if record.ended else None, record.ended_at
        )

    def test_vanished_record_is_missing(self) -> None:
        self.cloud.live_migrate(self.first)
        self.cloud.live_migrate(self.second)
        self.clock.sleep(5)
        self.assertEqual(2, len(self.watcher.open().migrations))
        self.cloud.delete(self.first)
        seen = self.watcher.look(RECORDS)
        self.assertEqual({self.first}, seen.missing)
        self.assertEqual({1, 2}, set(seen.migrations))

    def test_down_cell_gives_unknown(self) -> None:
        before = self.watcher.open()
        visit = decisions.Query(visit=frozenset({self.first, self.second}))
        for host in self.cloud.hosts.values():
            host.silent = 0.0
        seen = self.watcher.visit(visit)
        self.assertEqual({self.first}, set(seen.unseen), 'the others can wait')
        self.assertEqual({}, seen.visited)
        self.clock.sleep(1)
        seen = self.watcher.visit(visit)
        self.assertEqual({self.first, self.second}, set(seen.unseen))
        seen = self.watcher.look(
            decisions.Query(records=False, services=True, after_servers=True)
        )
        self.assertEqual(scene.SOURCE, seen.silent)
        self.assertEqual(before.service, seen.service)
        self.assertEqual(frozenset(), seen.down)
        self.assertLess(seen.servers_at, before.servers_at)
        for host in self.cloud.hosts.values():
            host.silent = None
        self.assertEqual({}, self.watcher.visit(visit).unseen)
        self.clock.sleep(timing.SERVICES_SHARED_SECONDS)
        seen = self.watcher.look(decisions.Query(records=False, services=True))
        self.assertEqual('', seen.silent)

    def test_one_server_in_a_down_cell(self) -> None:
        self.running()
        self.cloud.hosts[scene.SOURCE].silent = 0.0
        error = exceptions.Unavailable('HTTP 500')
        self.client.progress = mock.Mock(side_effect=error)
        self.assertEqual({}, self.progress(1))
        self.assertEqual({self.first}, set(self.watcher.seen.unseen))
        self.assertEqual({}, self.progress(1), 'it is not asked for again')
        self.client.progress.assert_called_once()
        self.cloud.hosts[scene.SOURCE].silent = None
        self.watcher.visit(decisions.Query(visit=frozenset({self.first})))
        with self.assertRaises(exceptions.Unavailable):
            self.progress(1)

    def test_down_cell_does_not_block_other_hosts(self) -> None:
        self.cloud.servers[self.first].host = 'cmp02'
        self.cloud.hosts['cmp02'].silent = 0.0
        query = decisions.Query(
            visit=frozenset({self.first, self.second}),
            history=frozenset({self.second}),
        )
        self.watcher.open()
        self.assertEqual({}, self.watcher.visit(query).visited)
        self.clock.sleep(1)
        seen = self.watcher.visit(query)
        self.assertEqual({self.first}, set(seen.unseen))
        self.assertEqual({self.second}, set(seen.visited))
        self.assertEqual({self.second}, set(seen.histories))

    def test_old_records_are_searched_for_a_migration(self) -> None:
        self.cloud.live_migrate(self.first)
        self.clock.sleep(200)
        record = self.cloud.records[1].shown()
        uuids = frozenset({record.uuid, 'x'})
        seen = self.watcher.visit(decisions.Query(trace=uuids))
        former = {i: r.uuid for i, r in seen.former.items()}
        self.assertEqual({1: record.uuid}, former)
        self.assertEqual(({}, uuids), (seen.migrations, seen.traced))

    def test_old_record_is_kept(self) -> None:
        self.cloud.live_migrate(self.first)
        self.clock.sleep(90)
        self.watcher.open()
        self.cloud.cold_migrate(self.second)
        self.clock.sleep(2)
        # The answer does not list the first any more.
        for _number in range(2):
            seen = self.watcher.look(RECORDS)
        self.assertEqual({1, 2}, set(seen.migrations))

    def test_clock_difference_to_nova(self) -> None:
        self.assertIsNone(self.watcher.open().ahead)
        self.cloud.live_migrate(self.first)
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

    def test_a_list_of_services_that_was_there_before(self) -> None:
        services = {name: h.shown() for name, h in self.cloud.hosts.items()}
        board = boards.Board(self.client, self.clock, services)
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
        seen = self.watcher.look(decisions.Query(services=True))
        self.assertFalse(seen.service.up)
        self.assertGreaterEqual(seen.service_at, asked_at)

    def running(self) -> None:
        """Begin a live migration and look when it runs."""
        self.cloud.live_migrate(self.first)
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

    def progress(self, *record_ids: int) -> ty.Mapping[int, model.Progress]:
        query = decisions.Query(progress=frozenset(record_ids))
        return self.watcher.visit(query).progress

    def test_progress(self) -> None:
        self.running()
        seen_at = self.clock.now()
        first = model.Progress(10, 100, seen_at)
        self.assertEqual({1: first}, self.progress(1))
        self.client.progress.assert_called_once_with(self.first, 1)
        self.clock.sleep(1)
        self.assertEqual({1: first}, self.progress(), 'kept as it was')
        self.client.progress.assert_called_once()
        again = model.Progress(9, 100, seen_at + 1)
        self.assertEqual({1: again}, self.progress(1))

    def test_changes_are_asked_for_with_an_overlap(self) -> None:
        asked: list[datetime.datetime | None] = []
        migrations = self.client.migrations

        def spy(host, since=None) -> list[model.Migration]:
            asked.append(since)
            return migrations(host, since)

        self.client.migrations = spy  # type: ignore[method-assign]
        self.cloud.live_migrate(self.first)
        self.clock.sleep(10)
        record = self.watcher.open().migrations[1]
        self.watcher.look(RECORDS)
        assert record.updated_at
        self.assertEqual([None, record.updated_at - observer.OVERLAP], asked)
