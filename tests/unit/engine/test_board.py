# SPDX-License-Identifier: Apache-2.0

"""Lists that serve several hosts, and which of them a host may not use."""

import dataclasses

from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import observer
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from tests import unit
from tests.unit.simulation import client as clients
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

RECORDS = decisions.Query()
FIRST, SECOND, THIRD = SOURCES = ('cmp01', 'cmp02', 'cmp03')


class TestChanges(unit.TestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud(
            2, source=SOURCES, hosts=(*SOURCES, 'cmp04'), seconds=30
        )
        self.clock = timeline.VirtualClock(self.cloud.timeline)
        self.client = clients.Client(self.cloud, self.clock)
        self.board = boards.Board(self.client, self.clock)
        self.board.watched = frozenset(SOURCES)
        self.watchers = {host: self.observer(host) for host in SOURCES}
        self.servers = {
            host: [s.id for s in self.cloud.on(host)] for host in SOURCES
        }
        for host in SOURCES:
            self.cloud.live_migrate(self.servers[host][0], 'cmp04')
        self.clock.sleep(5)
        for watcher in self.watchers.values():
            watcher.open()
        # All need changes from now on.
        for host in SOURCES:
            self.look(host)
        self.clock.sleep(timing.RECORDS_SHARED_SECONDS)

    def observer(self, host: str) -> observer.Observer:
        return observer.Observer(
            self.board, self.cloud.hosts[host].shown(), policies.Policy()
        )

    def look(self, host: str) -> list[str]:
        """Look at a host's changes; return what was asked for that."""
        self.client.log.clear()
        self.watchers[host].look(RECORDS)
        return [request.kind for request in self.client.log]

    def test_one_list_serves_all_hosts(self) -> None:
        self.clock.sleep(30)
        asked_at = self.clock.now()
        self.assertEqual(['moves'], self.look(FIRST))
        for host in (SECOND, THIRD):
            self.assertEqual([], self.look(host))
        for host in SOURCES:
            seen = self.watchers[host].seen
            self.assertEqual(asked_at, seen.migrations_at)
            (record,) = seen.migrations.values()
            self.assertEqual(
                (host, 'completed'), (record.source, record.status)
            )

    def test_no_list_is_looked_at_twice(self) -> None:
        self.look(FIRST)
        self.assertEqual(['moves'], self.look(FIRST))

    def test_an_old_list_is_not_used(self) -> None:
        self.look(FIRST)
        self.clock.sleep(timing.RECORDS_SHARED_SECONDS)
        self.assertEqual(['moves'], self.look(SECOND))

    def test_a_list_from_before_a_request_is_not_used(self) -> None:
        self.look(FIRST)
        server = self.servers[SECOND][1]
        self.client.live_migrate(server)
        self.watchers[SECOND].acted(server, '')
        self.assertEqual([], self.look(THIRD), 'it was none of its servers')
        sent_at = self.clock.now()
        self.assertEqual(['moves'], self.look(SECOND))
        seen = self.watchers[SECOND].seen
        self.assertGreaterEqual(seen.migrations_at, sent_at)
        self.assertEqual([], self.look(FIRST), 'that list is for everybody')

    def test_whoever_may_decide_on_the_same_server_sees_it(self) -> None:
        """Two confirmations of one cold migration would harm it."""
        server = self.servers[FIRST][1]
        self.cloud.cold_migrate(server, SECOND)
        self.clock.sleep(60)
        self.look(THIRD)
        self.look(FIRST)
        (record,) = (
            record
            for record in self.watchers[FIRST].seen.migrations.values()
            if record.server_id == server
        )
        self.assertEqual((SECOND, 'finished'), (record.dest, record.status))
        self.client.confirm(server)
        self.watchers[FIRST].acted(server, '')
        self.assertEqual(['moves'], self.look(SECOND))
        seen = self.watchers[SECOND].seen.migrations[record.id]
        self.assertNotEqual('finished', seen.status)

    def test_a_named_destination_sees_it_too(self) -> None:
        self.look(FIRST)
        self.watchers[FIRST].acted(self.servers[FIRST][1], THIRD)
        self.assertEqual([], self.look(SECOND))
        self.assertEqual(['moves'], self.look(THIRD))

    def test_which_of_two_views_is_out_of_date(self) -> None:
        """The list has to be newer than the look at the server."""
        self.look(FIRST)
        server = self.servers[SECOND][0]
        self.cloud.servers[server].task_state = None
        self.client.log.clear()
        query = decisions.Query(records=False, visit=frozenset({server}))
        self.watchers[SECOND].visit(query)
        kinds = [request.kind for request in self.client.log]
        self.assertEqual(['server', 'moves'], kinds)

    def test_a_host_by_itself_has_its_own_list(self) -> None:
        self.board.watched = frozenset({FIRST})
        self.assertEqual(['migrations'], self.look(FIRST))

    def test_a_host_that_needs_much_has_its_own_list(self) -> None:
        """It would make that of all others long."""
        self.clock.sleep(timing.RECORDS_SHARED_SINCE_SECONDS)
        for host in (FIRST, SECOND):
            self.cloud.live_migrate(self.servers[host][1], 'cmp04')
        self.clock.sleep(40)
        for host in SOURCES:
            self.assertEqual(['migrations'], self.look(host))
        self.look(SECOND)
        self.look(FIRST)
        self.clock.sleep(timing.RECORDS_SHARED_SECONDS)
        kinds = {host: self.look(host) for host in SOURCES}
        self.assertEqual(
            {FIRST: ['moves'], SECOND: [], THIRD: ['migrations']}, kinds
        )

    def test_a_list_goes_as_far_back_as_all_need(self) -> None:
        self.clock.sleep(30)
        self.cloud.live_migrate(self.servers[FIRST][1], 'cmp04')
        self.clock.sleep(50)
        # The others have not looked since their moves began.
        self.look(FIRST)
        self.clock.sleep(timing.RECORDS_SHARED_SECONDS)
        self.assertEqual(['moves'], self.look(FIRST))
        self.assertEqual([], self.look(SECOND))
        (record,) = self.watchers[SECOND].seen.migrations.values()
        self.assertEqual('completed', record.status)

    def test_where_others_move_very_much(self) -> None:
        """A list of all has mostly theirs, and costs more than it saves."""
        strangers = [
            self.cloud.add('cmp04').id
            for _number in range(timing.OTHERS_RECORDS_AT_ONCE + 1)
        ]
        moves = self.client.moves
        (model,) = self.watchers[FIRST].seen.migrations.values()
        self.client.moves = lambda since: [  # type: ignore[method-assign]
            *moves(since),
            *(
                dataclasses.replace(
                    model, id=1000 + n, server_id=i, source='x', dest='y'
                )
                for n, i in enumerate(strangers)
            ),
        ]
        self.assertEqual(['moves'], self.look(FIRST))
        for host in SOURCES:
            self.clock.sleep(timing.RECORDS_SHARED_SECONDS)
            self.assertEqual(['migrations'], self.look(host))

    def test_all_learn_novas_time_from_one_another(self) -> None:
        """Whoever looks long after a change would take it for later."""
        aheads = {self.watchers[host].seen.ahead for host in SOURCES}
        self.cloud.live_migrate(self.servers[FIRST][1], 'cmp04')
        self.clock.sleep(0.5)
        self.look(FIRST)
        self.look(SECOND)
        seen = [self.watchers[host].seen.ahead for host in (FIRST, SECOND)]
        self.assertEqual(seen[0], seen[1])
        self.assertLess(seen[0] or 0.0, min(a or 0.0 for a in aheads))
