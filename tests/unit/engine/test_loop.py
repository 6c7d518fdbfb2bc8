# SPDX-License-Identifier: Apache-2.0

"""Whole drains against the simulated Nova, with all going well or not."""

import functools

from tests.unit.engine import drain_base
from tests.unit.simulation import scene

TWO = drain_base.TWO


class HostTestCase(drain_base.DrainTestCase):
    def test_an_empty_host(self) -> None:
        cloud = scene.cloud(0)
        run = self.drained(cloud)
        self.assertEqual((), run.result.rows)
        self.assertLess(run.seconds, 2)
        self.assertLessEqual(len(run.client.log), 6)

    def test_a_tick_asks_for_two_lists_at_the_most(self) -> None:
        cloud = scene.cloud(12, seconds=30)
        cloud.add(scene.SOURCE, 'stopped', seconds=20)
        cloud.timeline.after(70, lambda: cloud.create(scene.SOURCE))
        run = self.drain(cloud)
        (_host, first), *others = run.recorder.ticks
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
    """What others do meanwhile."""

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
