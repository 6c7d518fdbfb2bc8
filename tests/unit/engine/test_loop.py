# SPDX-License-Identifier: Apache-2.0

"""Whole drains against the simulated Nova, with all going well or not."""

import functools
import itertools
import math

from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import down_cells
from tests import unit
from tests.unit.engine import drain_base
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import others
from tests.unit.simulation import report_checks
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world

TWO = drain_base.TWO


class HostTestCase(drain_base.DrainTestCase):
    def test_an_empty_host(self) -> None:
        run = self.drained(scene.cloud(0))
        self.assertEqual((), run.result.rows)
        self.assertLess(run.seconds, 2)
        self.assertLessEqual(len(run.client.log), 6)

    def test_a_tick_asks_for_two_lists_at_the_most(self) -> None:
        cloud = scene.cloud(12, seconds=30)
        cloud.add(scene.SOURCE, 'stopped', seconds=20)
        cloud.timeline.after(70, lambda: cloud.create(scene.SOURCE))
        (_host, first), *others = self.drain(cloud).recorder.ticks
        self.assertLessEqual(sum(r.lists for r in first), 3)
        for _host, requests in others:
            lists = [r.kind for r in requests if r.lists]
            self.assertLessEqual(len(lists), 2, lists)

    def test_one_of_several_hosts_fails(self) -> None:
        cloud = scene.cloud(2, source=TWO)
        cloud.timeline.after(3, lambda: cloud.enable('cmp02'))
        cloud.add('cmp02', seconds=100)
        run = self.drain(cloud, *TWO, code=drain_base.Code.FAILED)
        self.assertEqual(['cmp02'], list(run.result.errors))
        self.assertTrue(scene.empty(cloud, 'cmp01'))


class OthersTestCase(drain_base.DrainTestCase):
    def test_a_server_created_at_the_last_moment(self) -> None:
        for seconds in (0.0, 1.0, 5.0):
            with self.subTest(seconds):
                cloud = scene.cloud(1)
                create = functools.partial(cloud.create, scene.SOURCE)
                cloud.timeline.after(seconds, create)
                run = self.drained(cloud)
                self.assertEqual(['moved'] * 2, list(run.results.values()))

    def test_another_operators_moves_are_adopted(self) -> None:
        cloud = scene.cloud(4)
        first, second, *_others = cloud.servers
        cloud.live_migrate(first, 'cmp03')
        cloud.cold_migrate(second, 'cmp03')
        run = self.drained(cloud)
        self.assertEqual({1}, scene.moves(cloud))
        rows = {row.server_id: row for row in run.result.rows}
        self.assertEqual(0, rows[first].attempts)
        self.assertEqual('cmp03', rows[first].destination)


Code = drain_base.Code
MoveOutcome = world.MoveOutcome


class FailuresTestCase(drain_base.DrainTestCase):
    @unit.cases(
        ('active', MoveOutcome.NO_HOST, 'No valid host'),
        ('active', MoveOutcome.PRECHECK, 'pre-check'),
        ('active', MoveOutcome.ROLLED_BACK, 'Nova keeps no reason'),
        ('active', MoveOutcome.LIE, 'still on cmp01'),
        ('stopped', MoveOutcome.NO_HOST, 'No valid host'),
        ('stopped', MoveOutcome.PRECHECK, 'pre-check'),
        ('stopped', MoveOutcome.ROLLED_BACK, 'unable to copy'),
    )
    def test_failed_moves(self, state, outcome, reason) -> None:
        for times in (1, 2, 3):
            with self.subTest(times):
                cloud = scene.cloud(1)
                fails = [outcome] * times
                server = cloud.add(scene.SOURCE, state, outcomes=fails)
                code = Code.DONE if times < 3 else Code.LEFT
                run = self.drain(cloud, code=code)
                rows = {row.server_id: row for row in run.result.rows}
                row = rows[server.id]
                self.assertEqual(min(times + 1, 3), row.attempts)
                if times < 3:
                    self.assertEqual('', row.reason)
                else:
                    self.assertEqual('failed', row.result)
                    self.assertIn(reason, row.reason)
                self.assertEqual([], report_checks.repeated(run))

    def test_nova_knows_no_hypervisor_of_it(self) -> None:
        cloud = scene.cloud(3)
        cloud.hosts[scene.SOURCE].mapped = False
        run = self.drain(cloud, code=Code.FAILED)
        self.assertEqual([scene.SOURCE], [*run.result.errors])
        self.assertEqual({'moved'}, {*run.results.values()})

    @unit.cases(20, 40, 90)
    def test_nova_compute_restarts_during_a_cold_migration(self, later: int):
        # Nova resets the server, and leaves the record as it is for ever.
        cloud = scene.cloud(1, 'stopped', seconds=30)
        cloud.timeline.after(8, lambda: cloud.crash(scene.SOURCE))
        cloud.timeline.after(later, lambda: cloud.start(scene.SOURCE))
        run = self.drained(cloud)
        self.assertEqual('migrating', min(cloud.records.items())[1].status)
        self.assertLess(run.seconds, 300)

    def test_nova_compute_was_restarted_during_live_migrations(self):
        """The record of one in its queue stays, and blocks the queue."""
        cloud = scene.cloud(3, seconds=20)
        for server_id in (*cloud.servers,)[:2]:
            cloud.live_migrate(server_id, 'cmp02')
        cloud.timeline.run_until(cloud.timeline.now + 6)
        cloud.crash(scene.SOURCE, hangs=False)
        cloud.start(scene.SOURCE)
        cloud.timeline.run_until(cloud.timeline.now + 6)
        run = self.drained(cloud)
        (first, *_others) = run.recorder.decisions[scene.SOURCE]
        assert first.wait
        self.assertIn('whose servers are at rest', first.wait.reason)
        began = min(work.began for work in run.works())
        limit = timing.EFFECT_WAIT_SECONDS
        self.assertLess(began - run.began, limit + 2)


class FaultsTestCase(drain_base.DrainTestCase):
    @unit.cases(*faults.ANY)
    def test_posts(self, fault: faults.Fault) -> None:
        for state in ('active', 'stopped'):
            for kind in ('', 'confirm'):
                with self.subTest(state=state, kind=kind):
                    cloud = scene.cloud(3, state)
                    self.check_once(cloud, faults.posts([fault] * 2, kind))

    def check_once(self, cloud: clouds.Cloud, chosen: faults.Faults) -> None:
        """Check that all are moved once, whatever fails."""
        run = self.drained(cloud, faults=chosen)
        self.assertEqual({1}, scene.moves(cloud))
        self.assertEqual([], report_checks.repeated(run))
        unsaid = set(run.sent) - set(run.recorder.requests)
        self.assertEqual(set(), unsaid)

    def test_forbidden_request(self) -> None:
        ways = {'active': 'live_migrate', 'stopped': 'cold_migrate'}
        for state, kind in ways.items():
            with self.subTest(state):
                run = self.drain(
                    scene.cloud(4, state),
                    faults=faults.posts([None, faults.NOT_PERMITTED], kind),
                    code=Code.FAILED,
                )
                self.assertIn('policy', run.result.errors[scene.SOURCE])
                # What was under way is awaited, nothing else is begun.
                results = sorted(run.results.values())
                expected = ['blocked', 'blocked', 'failed', 'moved']
                self.assertEqual(expected, results)

    def test_an_outage(self) -> None:
        cloud = scene.cloud(6)
        begin = timeline.START + 10
        run = self.drained(cloud, faults=faults.outage(begin, begin + 250))
        self.assertTrue(run.recorder.troubles)
        self.assertEqual([], report_checks.repeated(run))

    def test_a_long_outage(self) -> None:
        cloud = scene.cloud(6)
        begin = timeline.START + 10
        run = scene.run(cloud, faults=faults.outage(begin, begin + 10**6))
        self.assertEqual(Code.FAILED, run.exit_code)
        self.assertEqual(6, len(run.result.rows))
        self.assertIn('503', run.result.errors[scene.SOURCE])
        self.assertLess(run.seconds, 360)
        # Not one that nobody answers is asked all the time.
        self.assertLess(len(run.client.log), 40)

    def test_an_outage_longer_than_a_server_may_take(self) -> None:
        """How a server is now is looked at before it is given up."""
        asked_at = math.inf

        def fails(request: faults.Request) -> faults.Fault | None:
            nonlocal asked_at
            if request.kind == 'suspend':
                asked_at = request.time
            # It was seen to be under way before.
            down = asked_at + 1.5 < request.time < asked_at + 120
            return faults.DROPPED if down else None

        options = {'suspended': 'resume', 'server_timeout': 60.0}
        cloud = scene.cloud(1, 'suspended', timing=world.Timing(task=3.0))
        run = self.drained(cloud, faults=fails, **options)
        self.assertGreater(run.seconds, 120)

    def test_each_reading_request_fails_once(self) -> None:
        for number in range(len(self.drain(scene.cloud(4)).client.log)):
            with self.subTest(number):
                fails = faults.numbered({number: faults.LOST})
                self.check_once(scene.cloud(4), fails)

    def test_a_reading_request_is_refused(self) -> None:
        run = scene.run(
            scene.cloud(4),
            faults=lambda r: faults.NOT_PERMITTED if r.number == 12 else None,
        )
        self.assertEqual(Code.FAILED, run.exit_code)
        self.assertEqual(4, len(run.result.rows))


FALLS = ('silence', 'silence slowly')


class DownCellTestCase(drain_base.DrainTestCase):
    def fall(self, code, *others_actions, **options) -> scene.Run:
        cloud = scene.cloud(5)
        others.plan(cloud, others_actions)
        return self.drain(cloud, code=code, limit=2000, **options)

    @unit.cases(
        {},
        {'guided': True},
        {'guided': True, 'per_destination': 1},
        {'running': 'cold'},
    )
    def test_other_hosts_continue_with_slow_lists(self, options):
        slow = others.OthersAction(0, 'silence slowly', host=3)
        run = self.fall(Code.DONE, slow, **options)
        self.assertEqual({'moved'}, set(run.results.values()))

    def test_servers_moved_during_slow_lists_are_not_moved_on(self):
        slow = others.OthersAction(0, 'silence slowly', host=3)
        move = others.OthersAction(370, 'live', server=1, host=1)
        self.fall(Code.DONE, slow, move, guided=True, per_destination=1)

    # The latter while it is looked for the last time whether all is well.
    @unit.cases(*itertools.product(FALLS, ((6, 200), (24, 30))))
    def test_it_answers_again(self, falls, times):
        begin, end = times
        self.fall(
            Code.DONE,
            others.OthersAction(begin, falls, host=0),
            others.OthersAction(end, 'answer', host=0),
        )

    @unit.cases(*itertools.product(FALLS, (0, 6)))
    def test_it_does_not(self, falls, begin):
        run = self.fall(Code.FAILED, others.OthersAction(begin, falls, host=0))
        self.assertEqual(
            down_cells.words(scene.SOURCE), run.result.errors[scene.SOURCE]
        )
        self.assertEqual(5 if begin else 0, len(run.results))
        codes = {row.code for row in run.result.rows if row.left}
        self.assertEqual({'cell-down'} if begin else set(), codes)
        self.assertGreaterEqual(run.seconds, timing.OUTAGE_LIMIT_SECONDS)
