# SPDX-License-Identifier: Apache-2.0

"""Who is brought home, who is left alone or has no room, what is refused."""

import datetime
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.capacity import forecast
from tests import unit
from tests.unit.engine import restore_base
from tests.unit.engine.restore_base import AWAY
from tests.unit.engine.restore_base import FAR
from tests.unit.engine.restore_base import FARTHEST
from tests.unit.engine.restore_base import HOME
from tests.unit.simulation import client as clients
from tests.unit.simulation import faults as faults_
from tests.unit.simulation import inventory
from tests.unit.simulation import scene

Code = exceptions.ExitCode
Refused = exceptions.Refused
RESIZE = model.MigrationType.RESIZE


class RestoreTestCase(restore_base.RestoreTestCase):
    def assert_left_alone(self, server, words, result='skipped'):
        """Check that a server is reported, and that it is no failure."""
        other = self.leave()
        ahead = {row.server_id: row for row in self.preview().rows}
        self.assertTrue(ahead[server.id].skipped)
        self.assertEqual(words, ahead[server.id].reason)
        done = self.restore()
        self.assert_done(done, {server.id: result, other.id: 'moved'})
        self.assertEqual(words, done.reasons[server.id])
        again = self.restore()
        self.assert_done(again, {server.id: result})
        self.assert_nothing_asked(again)


class TestLeftAlone(RestoreTestCase):
    @unit.cases(
        # where it was moved, how; what is told
        (FAR, model.MigrationType.LIVE, 'moved to cmp03 after it left'),
        # Also where it is.
        (AWAY, RESIZE, 'resized after it left'),
        (FAR, RESIZE, 'resized after it left'),
    )
    def test_moved(self, dest, kind, words):
        server = self.move(self.leave(), dest, kind)
        self.assert_left_alone(server, f'{words} cmp01')

    def test_offloaded(self):
        server = self.leave()
        self.cloud.shelve(server.id)
        self.rest()
        self.assert_left_alone(
            server, 'it is no longer on a host (SHELVED_OFFLOADED)'
        )

    def test_excluded(self):
        """By its name; nothing is touched where that says nothing."""
        server, other = self.leave(), self.leave()
        for name in ('nobody', 'server'):
            policy = policies.Policy(exclude=frozenset({name}))
            for verb in (self.restore, self.preview):
                with self.assertRaisesRegex(Refused, 'brought back to cmp01'):
                    verb(policy=policy)
        policy = policies.Policy(exclude=frozenset({server.name}))
        ahead = self.preview(policy=policy)
        self.assertEqual(
            {server.id: '', other.id: 'live migration'},
            {row.server_id: row.move for row in ahead.rows},
        )
        self.assertFalse(ahead.done)
        done = self.restore(policy=policy)

        self.assert_done(
            done, {server.id: 'blocked', other.id: 'moved'}, Code.LEFT
        )
        self.assertEqual(
            'left where it is (--exclude)', done.reasons[server.id]
        )

    def test_its_host_has_no_compute_service(self):
        server = self.leave()
        asked = clients.Client(self.cloud, self.clock)
        services = [s for s in asked.services() if s.host != AWAY]
        with mock.patch.object(
            clients.Client, 'services', return_value=services
        ):
            done = self.restore()
        self.assertEqual({server.id: 'blocked'}, done.results)
        self.assertIn('compute service list', done.reasons[server.id])


class TestDeleted(RestoreTestCase):
    def test_before_that_time(self):
        self.cloud.delete(self.leave().id)
        self.rest(600.0)
        done = self.restore(since=datetime.timedelta(minutes=5))
        self.assertEqual({}, done.results)
        (words,) = done.recorder.troubles
        self.assertRegex(words, '^nothing to bring back')

    def test_counted(self):
        """With one request; those that were deleted at home are not."""
        for server in (self.leave(), self.leave(), self.add()):
            self.cloud.delete(server.id)
        done = self.restore()
        ahead = self.preview()

        self.assert_done(done, {})
        self.assertEqual((), ahead.rows)
        nothing, words = done.recorder.troubles
        self.assertRegex(words, '^2 servers on other hosts were deleted since')
        self.assertRegex(nothing, '^nothing to bring back: no server .*Z is')
        self.assertEqual(
            [f'{HOME}: {nothing}', f'{HOME}: {words}'], [*ahead.notes]
        )
        self.assertEqual(1, done.client.counts()['deleted'])

    def test_counted_after_until(self):
        server = self.leave()
        self.cloud.delete(self.leave().id)
        done = self.restore(until=self.clock.utc())
        self.assert_done(done, {server.id: 'blocked'}, Code.TIMEOUT)
        self.assertEqual({HOME}, {*done.recorder.troubled})
        self.assertIn(
            '1 server on another host was', done.recorder.troubles[-1]
        )

    def test_not_told(self):
        """That is no reason not to bring the others home."""
        server = self.leave()

        done = self.restore(faults=restore_base.dropping('deleted'))

        self.assert_done(done, {server.id: 'moved'})
        self.assertRegex(done.recorder.troubles[-1], 'are not counted')


class TestSince(RestoreTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.old = self.leave()
        self.rest(3600.0)
        self.young = self.leave()

    def test_a_while_ago(self):
        done = self.restore(since=datetime.timedelta(minutes=30))
        self.assertEqual({self.young.id: 'moved'}, done.results)
        self.assertEqual(AWAY, self.old.host)

    def test_seven_days(self):
        self.rest(6 * 86400.0)
        self.assertEqual(2, len(self.preview().rows))
        self.rest(86400.0)
        self.assertEqual({}, self.restore().results)

    def test_since_before_the_epoch(self):
        since = datetime.timedelta.max
        self.assertEqual(2, len(self.preview(since=since).rows))


class TestRefused(RestoreTestCase):
    def test_an_unknown_host(self):
        self.leave()
        for verb in (self.restore, self.preview):
            with self.assertRaisesRegex(
                exceptions.UnknownHost, "'cmp1'; did you mean cmp01"
            ):
                verb(HOME, 'cmp1')
        self.assertEqual(set(), self.at_home())

    def test_a_host_that_is_not_in_service(self):
        words = 'maintenance unset cmp01'
        server = self.leave()
        other = self.move(self.cloud.add(FAR), AWAY)
        self.cloud.disable(HOME)
        ahead = self.preview(HOME, FAR)
        self.assertTrue(ahead.done)
        self.assertIn(words, ahead.notes[-1])
        rows = {row.server_id: row.fits for row in ahead.rows}
        self.assertEqual(dict.fromkeys((server.id, other.id), 'yes'), rows)
        done = self.restore(HOME, FAR)

        self.assert_failed(done, words)
        # The other one is another matter.
        self.assertEqual({other.id: 'moved'}, done.results)
        self.assertEqual(AWAY, server.host)

    def test_nothing_is_asked_for_a_host_that_is_not_in_service(self):
        self.leave()
        self.cloud.disable(HOME)
        done = self.restore()
        self.assertEqual(
            {'services': 1, 'check_hosts_shown': 1, 'check_servers_shown': 1},
            done.client.counts(),
        )

    def test_nova_does_not_tell(self):
        self.leave()
        with self.assertRaises(exceptions.Unavailable):
            self.restore(faults=restore_base.dropping('moves'))
        self.assertEqual(set(), self.at_home())


class TestRoom(restore_base.RestoreTestCase):
    """Each server takes 1,024 MiB, of 4,096 on each host."""

    def setUp(self) -> None:
        super().setUp()
        capacity = {**inventory.ROOMY, inventory.MEMORY_MB: 4096}
        self.given(scene.cloud(0, source=(), capacity=capacity))
        self.servers = [
            self.leave(dest=dest) for dest in (AWAY, AWAY, FAR, FARTHEST)
        ]

    def crowd(self, count: int) -> None:
        """Let others take the place of some."""
        for _number in range(count):
            self.add()

    def test_all_servers_fit_at_home(self):
        ahead = self.preview()
        self.assertTrue(ahead.done)
        self.assertEqual({forecast.Fits.YES}, {r.fits for r in ahead.rows})
        self.assertEqual({1}, {r.candidates for r in ahead.rows})
        self.assertEqual(4096, ahead.memory_mb)
        self.assertEqual((), ahead.notes)
        self.assertEqual((0, 4096, 4096), memory(ahead))

        self.assertIs(Code.DONE, self.restore().result.exit_code)

    def test_some_servers_do_not_fit_at_home(self):
        self.crowd(1)
        ahead = self.preview()
        self.assertFalse(ahead.done)
        self.assertEqual(1, len(ahead.capacity_forecast.misfits))
        done = self.restore()

        self.assertEqual({}, done.results)
        for words in (
            'Nothing was brought back to cmp01: 1 of 4',
            'would fit on cmp01 if it had 1024 MEMORY_MB',
            'restore --dry-run cmp01',
            '--skip-capacity-check',
        ):
            self.assert_failed(done, words)
        self.assert_nothing_asked(done)

    def test_one_of_two_homes_is_full(self):
        self.crowd(1)
        other = self.move(self.cloud.add(FAR), AWAY)
        done = self.restore(HOME, FAR)
        self.assert_failed(done, '1 of 4')
        self.assertEqual({other.id: 'moved'}, done.results)
        ahead = self.preview(HOME, FAR)
        self.assertEqual(1, len(ahead.capacity_forecast.misfits))

    def test_two_homes_are_summed(self):
        self.move(self.cloud.add(FAR), AWAY)
        ahead = self.preview(HOME, FAR)
        self.assertTrue(ahead.done)
        self.assertEqual(5, len(ahead.rows))
        self.assertEqual(
            (5120, 2), (ahead.memory_mb, ahead.capacity_forecast.hosts)
        )
        self.assertEqual(5, len(ahead.capacity_forecast.placed))
        # One of them is on one of the homes now.
        self.assertEqual((1024, 6144, 8192), memory(ahead))

    def test_moving_servers_need_no_capacity(self):
        self.servers[0].seconds = 200.0
        self.cloud.live_migrate(self.servers[0].id, HOME)
        self.rest(5.0)
        self.assertTrue(self.preview().done)
        self.assertIs(Code.DONE, self.restore().result.exit_code)
        self.assert_home(*self.servers)

    def test_placement_does_not_answer(self):
        self.cloud.placement = faults_.DROPPED
        ahead = self.preview()
        self.assertEqual({forecast.Fits.UNKNOWN}, {r.fits for r in ahead.rows})
        self.assertIn('capacity is not known', ahead.notes[0])
        done = self.restore()
        self.assertIs(Code.DONE, done.result.exit_code)
        self.assertIn('capacity is not known', done.recorder.troubles[0])

    def test_what_is_asked(self):
        """No request is for one server alone."""
        done = self.restore()
        before = done.client.log[
            : [r.kind for r in done.client.log].index('live_migrate')
        ]
        first = [request.kind for request in before]
        once = 'left moves hypervisors aggregates allocation_candidates'
        for count, kinds in ((1, once), (0, 'server history groups')):
            for kind in kinds.split():
                self.assertEqual(count, first.count(kind), kind)


def memory(ahead: dry_runs.Preview) -> tuple[int, int, int]:
    """Return how much is in use before and after, and how much there is."""
    (fill,) = (
        fill
        for fill in ahead.capacity_forecast.utilizations
        if fill.resource_class == inventory.MEMORY_MB
    )
    return fill.before, fill.after, fill.capacity
