# SPDX-License-Identifier: Apache-2.0

"""Whole drains against the simulated Nova, with all going well or not."""

import unittest

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import report_checks
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world

Code = exceptions.ExitCode


class DrainTestCase(unittest.TestCase):
    """Drains that tell the truth; what it should be is up to each test."""

    def drain(self, cloud: clouds.Cloud, **options) -> scene.Run:
        clock = timeline.VirtualClock(cloud.timeline)
        # Instead of going on for ever.
        clock.alarm(timeline.START + 3600, AssertionError('does not end'))
        run = scene.run(cloud, clock=clock, **options)
        self.assertEqual([], run.untrue_reports)
        return run

    def at(self, cloud: clouds.Cloud, seconds: float, call) -> None:
        """Do something so many seconds after the beginning."""
        cloud.timeline.after(seconds, call)


class HostTestCase(DrainTestCase):
    def test_an_empty_host(self) -> None:
        cloud = scene.cloud(0)
        run = self.drain(cloud)
        self.assertEqual(Code.DONE, run.exit_code)
        self.assertEqual((), run.result.rows)
        self.assertLess(run.seconds, 2)
        self.assertLessEqual(len(run.client.log), 6)

    def test_thirty_servers_of_all_kinds(self) -> None:
        cloud = scene.cloud(0)
        for number in range(30):
            state = ('active', 'stopped', 'paused')[number % 3]
            cloud.add(scene.SOURCE, state, seconds=2 + number % 5)
        before = cloud.copies()
        run = self.drain(cloud)
        self.assertEqual(Code.DONE, run.exit_code)
        self.assertEqual({'moved'}, set(run.results.values()))
        self.assertEqual({1}, set(scene.moves(cloud).values()))
        for server in cloud.servers.values():
            self.assertEqual(before[server.id].vm_state, server.vm_state)
        self.assertEqual([], report_checks.repeated(run))

    def test_a_tick_asks_for_two_lists_at_the_most(self) -> None:
        cloud = scene.cloud(12, seconds=30)
        cloud.add(scene.SOURCE, 'stopped', seconds=20)
        self.at(cloud, 70, lambda: cloud.create(scene.SOURCE))
        run = self.drain(cloud)
        (_host, first), *others = run.recorder.ticks
        self.assertLessEqual(sum(r.lists for r in first), 3)
        for _host, requests in others:
            lists = [r.kind for r in requests if r.lists]
            self.assertLessEqual(len(lists), 2, lists)

    def test_several_hosts_at_once(self) -> None:
        sources = ('cmp01', 'cmp02', 'cmp03')
        hosts = (*sources, 'cmp04', 'cmp05')
        alone = self.drain(scene.cloud(10, hosts=hosts, seconds=5))
        cloud = scene.cloud(10, source=sources, hosts=hosts, seconds=5)
        run = self.drain(cloud, hosts=sources, guided=True)
        self.assertEqual(Code.DONE, run.exit_code)
        self.assertLess(run.seconds, 1.15 * alone.seconds)
        landed = {h for s in cloud.servers.values() for h in s.path}
        self.assertEqual({'cmp04', 'cmp05'}, landed)

    def test_one_of_several_hosts_fails(self) -> None:
        sources = ('cmp01', 'cmp02')
        cloud = scene.cloud(2, source=sources)
        self.at(cloud, 3, lambda: cloud.enable('cmp02'))
        cloud.add('cmp02', seconds=100)
        run = self.drain(cloud, hosts=sources)
        self.assertEqual(Code.FAILED, run.exit_code)
        self.assertEqual(['cmp02'], list(run.result.errors))
        self.assertTrue(scene.empty(cloud, 'cmp01'))

    def test_moved_servers_are_awaited_until_active(self) -> None:
        # The record of a confirmation ends long before its server is done.
        cloud = scene.cloud(0, timing=world.Timing(settle=10))
        server = cloud.add(scene.SOURCE, 'stopped')
        run = self.drain(cloud)
        self.assertEqual(Code.DONE, run.exit_code)
        self.assertEqual('stopped', server.vm_state)

    def test_parallel(self) -> None:
        cloud = scene.cloud(6, slots=8)
        for _number in range(4):
            cloud.add(scene.SOURCE, 'stopped')
        most = 0

        def look() -> None:
            nonlocal most
            busy = [s for s in cloud.servers.values() if s.task_state]
            most = max(most, len(busy))
            cloud.timeline.after(0.1, look)

        look()
        run = self.drain(cloud, parallel=3)
        self.assertEqual(Code.DONE, run.exit_code)
        self.assertEqual(3, most)


class OthersTestCase(DrainTestCase):
    """What others do meanwhile."""

    def test_a_server_created_at_the_last_moment(self) -> None:
        for seconds in (0.0, 1.0, 5.0):
            with self.subTest(seconds):
                cloud = scene.cloud(1)
                self.at(cloud, seconds, lambda c=cloud: c.create(scene.SOURCE))
                run = self.drain(cloud)
                self.assertEqual(Code.DONE, run.exit_code)
                self.assertEqual(
                    ['moved', 'moved'], list(run.results.values())
                )

    def test_a_move_to_the_host(self) -> None:
        cloud = scene.cloud(1)
        server = cloud.add('cmp02', seconds=20)
        cloud.live_migrate(server.id, scene.SOURCE)
        run = self.drain(cloud)
        self.assertEqual(Code.DONE, run.exit_code)
        self.assertEqual('moved', run.results[server.id])
        decisions = run.recorder.decisions[scene.SOURCE]
        self.assertTrue(
            any(server.id in decision.waiting_for for decision in decisions)
        )

    def test_another_operators_moves_are_adopted(self) -> None:
        cloud = scene.cloud(4)
        first, second, *_others = cloud.servers
        cloud.live_migrate(first, 'cmp03')
        cloud.cold_migrate(second, 'cmp03')
        run = self.drain(cloud)
        self.assertEqual(Code.DONE, run.exit_code)
        self.assertEqual({1}, set(scene.moves(cloud).values()))
        rows = {row.server_id: row for row in run.result.rows}
        self.assertEqual(0, rows[first].attempts)
        self.assertEqual('cmp03', rows[first].destination)

    def test_an_owners_resize(self) -> None:
        cloud = scene.cloud(3)
        server_id = list(cloud.servers)[2]
        resize = model.MigrationType.RESIZE
        self.at(cloud, 1, lambda: cloud.cold_migrate(server_id, kind=resize))
        run = self.drain(cloud)
        self.assertEqual(Code.LEFT, run.exit_code)
        self.assertEqual('blocked', run.results[server_id])
        self.assertIn('confirm', run.reasons[server_id])

    def test_put_back_into_service(self) -> None:
        cloud = scene.cloud(6, seconds=20)
        self.at(cloud, 30, lambda: cloud.enable(scene.SOURCE))
        run = self.drain(cloud)
        self.assertEqual(Code.FAILED, run.exit_code)
        self.assertIn('put back', run.result.errors[scene.SOURCE])
        # Nobody is left half-way.
        self.assertFalse([s for s in cloud.servers.values() if s.task_state])
        self.assertIn('blocked', run.results.values())
