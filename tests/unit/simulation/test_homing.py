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

"""Servers that come home, and what would be wrong with that."""

import unittest

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import hometruth
from tests.unit.simulation import homing
from tests.unit.simulation import reports
from tests.unit.simulation import scene
from tests.unit.simulation import world

HOME = scene.SOURCE
Code = exceptions.ExitCode
Phase = reports.Phase
Story = hometruth.Story
row = reports.row


class HomingTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud(2)
        self.one, self.other = self.cloud.servers.values()
        self.left = scene.run(self.cloud)
        self.assertEqual(Code.DONE, self.left.exit_code)
        self.cloud.enable(HOME)

    def pass_(self, seconds: float = 10.0) -> None:
        self.cloud.timeline.run_until(self.cloud.timeline.now + seconds)

    def violations(self, *runs: scene.Run) -> list[str]:
        return hometruth.violations(self.cloud, self.left, *runs)


class RestoreTestCase(HomingTestCase):
    def test_all_come_home(self) -> None:
        run = homing.restore(self.cloud)
        self.assertEqual(Code.DONE, run.exit_code)
        self.assertEqual({'moved'}, set(run.results.values()))
        self.assertEqual({HOME}, {self.one.host, self.other.host})
        self.assertEqual([], self.violations(run))

    def test_nothing_is_done_twice(self) -> None:
        homing.restore(self.cloud)
        again = homing.restore(self.cloud)
        self.assertEqual([], again.client.posted)
        self.assertEqual((), again.result.rows)
        self.assertEqual(Code.DONE, again.exit_code)

    def test_no_room(self) -> None:
        self.cloud.hosts[HOME].inventory.capacity['VCPU'] = 0
        run = homing.restore(self.cloud)
        self.assertEqual({HOME: 'no room'}, run.result.errors)
        self.assertEqual([], self.violations(run))

    def test_a_home_that_is_not_in_service(self) -> None:
        self.cloud.disable(HOME)
        run = homing.restore(self.cloud)
        self.assertIn('in maintenance', run.result.errors[HOME])
        self.assertEqual([], run.client.posted)


class StoriesTestCase(HomingTestCase):
    def story(self, server: world.Server | None = None) -> Story | None:
        stories = hometruth.Stories(HOME, world.EPOCH, None)
        stories.begin(self.cloud)
        return stories.told.get((server or self.one).id)

    def test_who_left(self) -> None:
        self.assertIs(Story.COMES, self.story())

    def test_who_never_was_there(self) -> None:
        self.assertIsNone(self.story(self.cloud.add('cmp02')))

    def test_who_left_long_ago(self) -> None:
        since = world.utc(self.cloud.timeline.now + 1)
        stories = hometruth.Stories(HOME, since, None)
        stories.begin(self.cloud)
        self.assertEqual({}, stories.told)

    def test_who_moved_on(self) -> None:
        self.cloud.live_migrate(self.one.id, 'cmp04')
        self.pass_()
        self.assertIs(Story.ALONE, self.story())

    def test_who_is_resized(self) -> None:
        resize = model.MigrationType.RESIZE
        self.cloud.cold_migrate(self.one.id, 'cmp04', resize)
        self.pass_()
        self.assertIs(Story.ALONE, self.story())

    def test_who_is_on_the_way(self) -> None:
        self.cloud.live_migrate(self.one.id, HOME)
        self.pass_(1)
        self.assertIs(Story.RETURNS, self.story())
        self.pass_()
        self.assertIs(Story.HOME, self.story())

    def test_who_failed_to_move_on(self) -> None:
        self.one.fates.append(world.Fate.ROLLED_BACK)
        self.cloud.live_migrate(self.one.id)
        self.pass_()
        self.assertIs(Story.COMES, self.story())

    def test_whose_record_lies(self) -> None:
        self.one.fates.append(world.Fate.LIE)
        self.cloud.live_migrate(self.one.id, HOME)
        self.pass_()
        self.assertIs(Story.COMES, self.story())


class JudgeTestCase(HomingTestCase):
    """Reports written by hand, of restores that were none."""

    def setUp(self) -> None:
        super().setUp()
        self.stories = hometruth.Stories(HOME, world.EPOCH, None)
        self.stories.begin(self.cloud)
        self.reporter = reports.Reporter(self.cloud)
        self.before = self.cloud.copies()

    def bring(self, server: world.Server) -> None:
        self.reporter.client.live_migrate(server.id, HOME)
        self.reporter.clock.sleep(10)

    def expect(self, words: str, *rows) -> None:
        """Expect the first thing that is wrong to be this one."""
        run = self.reporter.run(*rows)
        found = self.stories.judge(run, self.cloud, self.before)
        self.assertIn(words, (found or ['nothing'])[0])

    def test_all_is_well(self) -> None:
        for server in (self.one, self.other):
            self.bring(server)
        rows = [row(s, Phase.MOVED) for s in (self.one, self.other)]
        self.expect('nothing', *rows)

    def test_not_home(self) -> None:
        self.expect('it is on cmp0', row(self.one, Phase.MOVED))

    def test_home_and_failed(self) -> None:
        self.bring(self.one)
        self.expect('it is home', row(self.one, Phase.FAILED, 'why'))

    def test_nothing_is_told(self) -> None:
        self.expect('nothing is told of server-01')

    def test_a_stranger(self) -> None:
        stranger = self.cloud.add('cmp02')
        self.bring(stranger)
        self.expect('live_migrate of server-03, which is None')

    def test_to_anywhere(self) -> None:
        self.reporter.client.live_migrate(self.one.id, 'cmp04')
        self.expect('to cmp04')

    def test_restarted(self) -> None:
        self.reporter.client.cold_migrate(self.one.id, HOME)
        self.expect('restarts it, and it left live')

    def test_skipped_and_yet_moved(self) -> None:
        self.bring(self.one)
        self.expect('it was not', row(self.one, Phase.SKIPPED, 'why'))

    def test_it_exists(self) -> None:
        self.expect('it exists', row(self.one, Phase.GONE))

    def test_it_is_gone(self) -> None:
        self.cloud.delete(self.one.id)
        self.expect('server-02', row(self.one, Phase.GONE))

    def test_no_reason(self) -> None:
        self.expect('no reason', row(self.one, Phase.BLOCKED))
