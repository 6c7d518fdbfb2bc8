# SPDX-License-Identifier: Apache-2.0

"""Where a drain sends servers when something comes between."""

from tests.unit.engine import drain_base
from tests.unit.engine import test_spread
from tests.unit.simulation import others
from tests.unit.simulation import outcomes
from tests.unit.simulation import scene

NO_HOST = outcomes.MoveOutcome.NO_HOST
THREE = drain_base.THREE


class RefusedPickTestCase(test_spread.SpreadTestCase):
    def posted(self, run: scene.Run) -> list[str]:
        return [request.host for request, _answer in run.client.posted]

    def test_no_valid_host(self) -> None:
        for vm_state in ('active', 'stopped'):
            with self.subTest(vm_state):
                cloud = scene.cloud(0)
                cloud.add(scene.SOURCE, vm_state, outcomes=[NO_HOST] * 2)
                run = self.drained(cloud)
                hosts = self.posted(run)
                self.assertEqual(['cmp02', '', ''], hosts[:3])

    def test_refused_at_once(self) -> None:
        cloud = scene.cloud(0)
        words = 'Compute host cmp02 could not be found'
        refusal = outcomes.Refusal(words, final=True)
        cloud.add(scene.SOURCE, refusals=[refusal])
        run = self.drained(cloud)
        self.assertEqual(['cmp02', ''], self.posted(run))

    def test_capacity_taken_by_others(self) -> None:
        gib = {'cmp02': 4, 'cmp03': 4}
        cloud = scene.cloud(0, hosts=THREE, gib=gib)
        cloud.add('cmp03')
        cloud.add(scene.SOURCE, memory_mb=3072)
        # Between our look and the scheduler's.
        cloud.timeline.after(
            1.0, lambda: cloud.create('cmp02', memory_mb=2048)
        )
        run = self.drained(cloud)
        self.assertEqual(['cmp02', ''], self.posted(run))
        self.assertEqual(2, len(cloud.on('cmp03')))


class MidwayTestCase(test_spread.SpreadTestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud(24, hosts=drain_base.FIVE, gib=64, seconds=10)

    def after(self, run: scene.Run, seconds: float) -> set[str]:
        """Return where moves were sent so many seconds after it began."""
        return {
            host.name
            for request, host in run.client.directed
            if request.time > run.began + seconds
        }

    def test_a_host_goes_down(self) -> None:
        self.cloud.timeline.after(60, lambda: self.cloud.crash('cmp03'))
        run = self.drained(self.cloud, server_timeout=900)
        self.assertIn('cmp03', {h.name for _r, h in run.client.directed})
        known = 60 + self.cloud.timing.heartbeat + 60
        self.assertEqual({'cmp02', 'cmp04', 'cmp05'}, self.after(run, known))

    def test_a_host_is_put_into_maintenance(self) -> None:
        self.cloud.timeline.after(60, lambda: self.cloud.disable('cmp03'))
        run = self.drained(self.cloud)
        self.assertEqual({'cmp02', 'cmp04', 'cmp05'}, self.after(run, 60 + 60))
        landed = self.landed(self.cloud)
        self.assertLessEqual(max(landed) - min(landed), 1)

    def test_placement_goes_down(self) -> None:
        others_action = others.OthersAction(30, 'placement is down')
        back = others.OthersAction(90, 'placement is back')
        others.plan(self.cloud, [others_action, back])
        self.drained(self.cloud)
        self.assertEqual([6, 6, 6, 6], self.landed(self.cloud))


class ApartTestCase(test_spread.SpreadTestCase):
    def test_abandoned_move_still_counts(self) -> None:
        cloud = scene.cloud(0, gib=64)
        first, _other, second = (
            cloud.add(scene.SOURCE, memory_mb=gib * 1024) for gib in (3, 2, 1)
        )
        cloud.group('anti-affinity', first, second)
        for host in ('cmp03', 'cmp04'):
            cloud.add(host, memory_mb=16384)
        # Its death is not known yet, and it is waited for.
        cloud.crash('cmp02')
        run = self.drain(cloud, parallel=1, server_timeout=20)
        asked = {
            request.subject: request.host
            for request, _answer in reversed(run.client.posted)
        }
        self.assertEqual('cmp02', asked[first.id])
        self.assertNotEqual('cmp02', asked[second.id])

    def test_scheduler_picked_group_member(self) -> None:
        # Two of three may be on one host, where one is already.
        cloud = scene.cloud(0, hosts=THREE, slots=3)
        cloud.group(
            'anti-affinity',
            cloud.add(scene.SOURCE, outcomes=[NO_HOST], seconds=20),
            cloud.add(scene.SOURCE, seconds=20),
            cloud.add('cmp02'),
            cloud.add('cmp03'),
            most_per_host=2,
        )
        self.drained(cloud)

    def test_placement_stops_telling(self) -> None:
        cloud = scene.cloud(3, slots=2, seconds=20)
        cloud.group('anti-affinity', *cloud.servers.values())
        others.plan(cloud, [others.OthersAction(1.3, 'placement forbids')])
        self.drain(cloud)


class DeletedServerTestCase(test_spread.SpreadTestCase):
    def test_deleted_server_frees_its_capacity(self) -> None:
        gib = {'cmp02': 4, 'cmp03': 8}
        cloud = scene.cloud(0, hosts=THREE, gib=gib)
        cloud.add('cmp03', memory_mb=6144)
        large = cloud.add(scene.SOURCE, memory_mb=3072)
        cloud.add(scene.SOURCE, memory_mb=2048)
        # After it was looked who needs room, and before the first move.
        cloud.timeline.after(0.85, lambda: cloud.delete(large.id))
        self.drained(cloud)
        self.assertEqual([1, 1], self.landed(cloud))
