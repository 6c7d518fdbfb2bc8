# SPDX-License-Identifier: Apache-2.0

"""How fast a drain is, and what it asks of Nova, in virtual time.

The floor is what Nova takes if everything is asked for at once.
"""

import typing as ty

import pytest

from osc_hostmaint import exceptions
from osc_hostmaint.planning import timing
from tests import unit
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

#: Where destinations are picked, there are so many times the requests.
DESTINATIONS = 4 / 3


def mixed(servers: int, seconds: float, **options: int) -> clouds.Cloud:
    """Return a cloud with servers of five sizes, the largest first."""
    cloud = scene.cloud(0, **options)
    for number in range(servers):
        part = 1.5 - number / servers
        memory_mb = 1024 * round(4 * part)
        cloud.add(scene.SOURCE, seconds=part * seconds, memory_mb=memory_mb)
    return cloud


class SpeedTestCase(unit.TestCase):
    # Slots, seconds of a move, servers; at the most: time / floor, share of
    # idle slot-time, requests per server.
    @unit.cases(
        (1, 4, 30, 1.05, 0.05, 3.5),
        (1, 60, 30, 1.02, 0.01, 7),
        (2, 4, 60, 1.06, 0.05, 3.7),
    )
    def test_live_migrations(self, *shape: ty.Any) -> None:
        self._check(*shape)

    @pytest.mark.soak
    @unit.cases(
        (1, 2, 30, 1.08, 0.08, 4.0),
        (1, 8, 30, 1.05, 0.05, 3.7),
        (1, 10, 100, 1.02, 0.02, 3.5),
        (1, 300, 12, 1.02, 0.01, 27),
        (2, 10, 60, 1.05, 0.05, 4),
        (4, 4, 100, 1.07, 0.06, 3.5),
        (4, 10, 100, 1.06, 0.05, 3.6),
        (4, 60, 40, 1.06, 0.05, 4.5),
        (8, 4, 200, 1.13, 0.10, 3.5),
        (8, 10, 200, 1.06, 0.05, 3.5),
        (8, 60, 100, 1.05, 0.06, 4.5),
    )
    def test_more_live_migrations(self, *shape: ty.Any) -> None:
        self._check(*shape)

    def _check(self, slots, seconds, servers, time, idle, requests) -> None:
        for make in (scene.cloud, mixed):
            options = {'seconds': seconds, 'slots': slots}
            floor = scene.least_seconds(make(servers, **options))
            for guided in (False, True):
                with self.subTest(make.__name__, guided=guided):
                    cloud = make(servers, **options)
                    run = scene.run(cloud, guided=guided)
                    self.assertEqual(exceptions.ExitCode.DONE, run.exit_code)
                    # To look ahead takes as long whatever is to be moved.
                    ahead = cloud.taken[0][0] - run.began if guided else 0.0
                    self.assertLess(ahead, 1.5)
                    self.assertLess((run.seconds - ahead) / floor, time)
                    source = cloud.hosts[scene.SOURCE].slots
                    self.assertLess(source.idle_share(), idle)
                    most = requests * (DESTINATIONS if guided else 1)
                    # And the last two moves are looked at more often.
                    at_the_end = (
                        2 * seconds / timing.LOOK_MOST_AT_THE_END_SECONDS
                    )
                    asked = len(run.client.log) - at_the_end
                    self.assertLess(asked / servers, most)

    @unit.cases(1, 4)
    def test_the_queue_is_short(self, slots: int) -> None:
        self._check_queue(slots)

    @pytest.mark.soak
    @unit.cases(2, 3, 5, 8)
    def test_the_queue_is_short_elsewhere(self, slots: int) -> None:
        self._check_queue(slots)

    def _check_queue(self, slots: int) -> None:
        for seconds in (4, 10, 60):
            with self.subTest(seconds):
                cloud = scene.cloud(12 * slots, seconds=seconds, slots=slots)
                decisions = scene.run(cloud).recorder.decisions[scene.SOURCE]
                known = [d for d in decisions if d.memory.slots == slots]
                self.assertTrue(known)
                # While their number is sought it may be a little longer.
                source = cloud.hosts[scene.SOURCE].slots
                self.assertLessEqual(source.most_waiting(), max(2, slots // 2))
                late = timeline.START + 2 * seconds + 8
                self.assertLessEqual(source.most_waiting(late), 2)

    def test_the_first_move_starts_at_once(self) -> None:
        cloud = scene.cloud(100)
        scene.run(cloud)
        self.assertLess(cloud.taken[0][0] - timeline.START, 0.5)

    def test_cold_migrations(self) -> None:
        cloud = scene.cloud(0)
        for _number in range(20):
            cloud.add(scene.SOURCE, 'stopped', seconds=4)
        run = scene.run(cloud, guided=True)
        # Two at a time, each of which takes 6 s with its confirmation.
        self.assertLess(run.seconds, 1.5 * 10 * 6)
        # Each is looked at before, lest its owner has started it.
        self.assertLess(len(run.client.log) / 20, 8)

    @unit.cases((3, 20, 1.2), (10, 8, 1.1))
    def test_many_hosts_at_once(self, count, servers, time) -> None:
        sources = tuple(f'cmp{number + 1:02}' for number in range(count))
        options = {'hosts': (*sources, 'cmp50', 'cmp51'), 'seconds': 20}
        alone = scene.run(scene.cloud(servers, **options))
        for guided in (False, True):
            with self.subTest(guided=guided):
                cloud = scene.cloud(servers, source=sources, **options)
                run = scene.run(cloud, sources, guided=guided)
                self.assertEqual(exceptions.ExitCode.DONE, run.exit_code)
                self.assertLess(run.seconds, time * alone.seconds)

    # Hosts, servers, seconds of a move; at the most: requests per server.
    @unit.cases((12, 6, 20, 5.5))
    def test_many_hosts_take_as_long_as_one(self, *shape: ty.Any) -> None:
        self._check_many(*shape)

    @pytest.mark.soak
    @unit.cases((50, 20, 10, 3.5), (50, 20, 30, 4), (50, 20, 60, 4.8))
    def test_fifty_hosts(self, *shape: ty.Any) -> None:
        self._check_many(*shape)

    def _check_many(self, count, servers, seconds, most) -> None:
        sources = tuple(f'source{number:02}' for number in range(count))
        others = tuple(f'other{number:02}' for number in range(2 * count))
        options = {'hosts': (*sources, *others), 'seconds': seconds}
        alone = scene.run(
            scene.cloud(servers, source=sources[:1], **options),
            sources[:1],
            guided=True,
            latency=0.05,
        )
        cloud = scene.cloud(servers, source=sources, **options)
        run = scene.run(cloud, sources, guided=True, latency=0.05)
        self.assertEqual(exceptions.ExitCode.DONE, run.exit_code)
        self.assertLess(run.seconds, 1.1 * alone.seconds)
        self.assertLess(len(run.client.log) / (count * servers), most)
        # One list of changes a look of each would be as many as alone.
        looks = run.client.counts()['moves']
        self.assertLess(looks, alone.client.counts()['migrations'] * count / 2)
        for host in sources:
            ended = max(
                record.updated_at
                for record in cloud.records.values()
                if record.source == host
            )
            done = next(
                time
                for time, each, decision in run.recorder.timed
                if each == host and decision.done
            )
            # The requests of other hosts may come in between.
            self.assertLess(done - ended, 5, host)
