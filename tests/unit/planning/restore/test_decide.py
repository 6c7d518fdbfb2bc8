# SPDX-License-Identifier: Apache-2.0

"""Bringing servers home: what is asked for, and who is left alone.

They are on ``cmp01`` and are to come home to ``cmp09``.
"""

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

RESUME = policies.Suspended.RESUME
HERE = base.HERE
ActionKind = memories.ActionKind
HOME = 'cmp09'
AT_HOME = builders.server(host=HOME)
ELSEWHERE = builders.server(host='cmp05')
OPERATIONAL = builders.service(host=HOME, enabled=True)
#: The host that they are on now: nobody maintains it.
CURRENT = builders.service(enabled=True)


def options(**kwargs):
    return policies.Policy(
        **{
            'only': frozenset({'vm1'}),
            'home': HOME,
            'to': HOME,
            'since': builders.SINCE,
            **kwargs,
        }
    )


class RestoreTimeline(base.ServerTimeline):
    def tick(self, *args, **kwargs):
        return super().tick(
            *args, **{'service': CURRENT, 'home': OPERATIONAL, **kwargs}
        )

    def record(self, *args, **kwargs):
        return super().record(*args, **{'dest': HOME, **kwargs})


class RestoreTimelineTestCase(base.TimelineTestCase):
    def begin(self, **kwargs):
        self.timeline = RestoreTimeline(options(**kwargs))
        return self.timeline

    def assert_asks(self, kind, *args, **kwargs):
        self.assertIs(kind, self.timeline.asks(*args, **kwargs))

    def assert_ends(self, *args, **kwargs):
        return self.assert_ended(self.timeline, *args, **kwargs)


class TestGood(RestoreTimelineTestCase):
    def test_suspended(self):
        timeline = self.begin(suspended=RESUME)
        self.assert_asks(ActionKind.RESUME, base.SUSPENDED)
        self.assert_asks(ActionKind.LIVE_MIGRATE, HERE)
        done = timeline.record('completed')
        self.assert_asks(ActionKind.SUSPEND, AT_HOME, done)
        timeline.tick(builders.server(status='SUSPENDED', host=HOME), done)

        self.assertEqual('SUSPENDED', self.assert_ends('moved').status)

    def test_resumed_and_taken_elsewhere(self):
        """It is suspended there all the same."""
        timeline = self.begin(suspended=RESUME)
        timeline.tick(base.SUSPENDED)
        self.assert_asks(ActionKind.SUSPEND, ELSEWHERE)
        timeline.tick(builders.server(status='SUSPENDED', host='cmp05'))
        self.assert_ends('skipped', 'somebody else')


class TestKilledInBetween(RestoreTimelineTestCase):
    """What another run of ours has left, with nothing remembered."""

    def test_on_its_way(self):
        timeline = self.begin()
        self.assert_asks(None, base.MIGRATING, timeline.record('running'))
        timeline.tick(AT_HOME, timeline.record('completed'))
        row = self.assert_ends('moved', move='live migration')
        self.assertEqual(0, row.attempts)

    def test_not_confirmed(self):
        timeline = self.begin()
        arrived = builders.server(status='VERIFY_RESIZE', host=HOME)
        record = timeline.record('finished', type=base.COLD)
        # Perhaps it goes on still, and confirms.
        self.assert_asks(None, arrived, record)
        self.assert_asks(ActionKind.CONFIRM, arrived, record, after=10)

    def test_resumed_and_not_suspended_again(self):
        """Neither at home, where its move was over, nor before that."""
        for view, asked in (
            (builders.server(host=HOME, tagged=True), ActionKind.SUSPEND),
            (base.TAGGED_HERE, ActionKind.LIVE_MIGRATE),
        ):
            self.begin()
            self.assert_asks(asked, view)

    def test_home_already(self):
        self.begin()
        self.assert_asks(None, AT_HOME)
        self.assert_ends('moved')


class TestLeftAlone(RestoreTimelineTestCase):
    """What somebody has done with it since it was looked for."""

    @unit.cases(
        # where it is then; its row
        (ELSEWHERE, 'skipped', 'moved it to cmp05'),
        (builders.server(status='SHELVED_OFFLOADED'), 'skipped', 'on no host'),
        (builders.server(status='DELETED'), 'gone', ''),
    )
    def test_taken_away(self, view, result, words):
        for first in ([], [HERE]):
            timeline = self.begin()
            for seen in first:
                timeline.tick(seen, answer=memories.SendStatus.POSTPONED)
            self.assert_asks(None, view)
            self.assert_ends(result, words)
            self.assertTrue(timeline.decision.done)
            self.assertFalse(timeline.row.left)

    @unit.cases(
        # type of its record, where it is unconfirmed
        (base.RESIZE, HOME),
        (base.RESIZE, 'cmp05'),
        (base.RESIZE, builders.HOST),
        (base.COLD, 'cmp05'),
    )
    def test_not_confirmed(self, type_, dest):
        timeline = self.begin(stagger=0.0)
        record = timeline.record('finished', type=type_, dest=dest)
        view = builders.server(status='VERIFY_RESIZE', host=dest)
        for _tick in range(5):
            self.assert_asks(None, view, record, after=20)
        words = 'resized' if type_ is base.RESIZE else 'cold-migrated'
        self.assert_ends('skipped', f'somebody else {words} it to {dest}')

    def test_cold_migrated_home_before(self):
        """Nobody knows what for."""
        record = self.begin().record(
            'finished', type=base.COLD, created_at=builders.cloud_time(-60)
        )
        view = builders.server(status='VERIFY_RESIZE', host=HOME)
        self.assert_asks(None, view, record, after=60)
        self.assert_ends('skipped', 'not confirmed')

    @unit.cases(HOME, 'cmp05', builders.HOST)
    def test_resized_while_we_look(self, dest):
        timeline = self.begin()
        record = timeline.record('migrating', type=base.RESIZE, dest=dest)
        self.assert_asks(None, builders.server(status='RESIZE'), record)
        self.assertIsNone(timeline.row.result)
        record = timeline.record('confirmed', type=base.RESIZE, dest=dest)
        there = builders.server(host=dest)
        for _tick in range(5):
            self.assert_asks(None, there, record, after=9)
        self.assert_ends('skipped', 'resized')

    def test_its_resize_was_reverted(self):
        timeline = self.begin()
        record = timeline.record('reverted', type=base.RESIZE, dest='cmp05')
        self.assert_asks(ActionKind.LIVE_MIGRATE, HERE, record)


class TestHost(base.DecideTestCase):
    def bring(self, policy=None, **kwargs):
        return self.decide(
            policy=policy or options(),
            **{'service': CURRENT, 'home': OPERATIONAL, **kwargs},
        )

    def test_others_do_not_matter(self):
        found = self.bring(
            policy=options(suspended=RESUME, resized=policies.Resized.CONFIRM),
            memory=memories.HostMemory(),
            servers=[
                builders.server(updated_at=builders.cloud_time(-60)),
                builders.server('vm2', 'MIGRATING'),
                builders.server('vm6', tagged=True),
                builders.server('vm7', 'SUSPENDED'),
            ],
            visited=[
                builders.server('vm3', 'VERIFY_RESIZE', host='cmp05'),
                builders.server('vm4', host='cmp05', tagged=True),
            ],
            migrations=[
                builders.migration(2, 'running', 'vm2'),
                builders.migration(3, 'finished', 'vm3', type=base.COLD),
                builders.migration(4, 'completed', 'vm4'),
                builders.migration(
                    5, 'running', 'vm5', source='cmp05', dest=builders.HOST
                ),
            ],
            consumers=frozenset({'vm8'}),
        )
        self.assertEqual({'vm1': ActionKind.LIVE_MIGRATE}, self.asks(found))
        self.assertEqual(['vm1'], [row.server_id for row in found.rows])
        self.assertEqual(frozenset(), found.query.visit)

    def test_over_although_others_are_here(self):
        found = self.bring(
            servers=[builders.server('vm2')],
            visited=[AT_HOME],
            memory=builders.memory(builders.server_memory()),
            migrations=[builders.migration(5, 'queued', 'vm2')],
            consumers=None,
        )
        self.assertTrue(found.drained)

    def test_unlisted_server_is_visited(self):
        found = self.bring()
        self.assertEqual({'vm1'}, found.query.visit)
        self.assertFalse(found.done)
        found = self.bring(visited=[ELSEWHERE])
        self.assertEqual('skipped', self.row(found).result)
        self.assertTrue(found.drained)

    @unit.cases(
        # the home; what is told
        (None, 'cmp09 has no compute service'),
        (builders.service(host=HOME), 'unset cmp09'),
        (builders.service(host=HOME, disabled_reason='x'), "'x'.*--force"),
        (
            builders.service(host=HOME, enabled=True, up=False),
            'start nova-compute',
        ),
    )
    def test_home_became_unfit(self, home, words):
        found = self.bring(
            policy=options(only=frozenset({'vm1', 'vm2'})),
            servers=[builders.server(), builders.server('vm2', 'MIGRATING')],
            migrations=[builders.migration(2, 'running', 'vm2', dest=HOME)],
            home=home,
        )
        self.assertEqual((), found.actions)
        self.assertRegex(found.trouble, words)
        # What is under way is awaited.
        self.assertFalse(found.done)

        found = self.bring(servers=[builders.server()], home=home)
        self.assert_over(found)
        self.assertEqual('blocked', self.row(found).result)

    def test_current_host_dies(self):
        found = self.bring(
            servers=[builders.server()],
            service=builders.service(enabled=True, up=False),
            memory=builders.memory(
                down_since=builders.NOW - timing.DOWN_GRACE_SECONDS
            ),
        )
        self.assert_over(found)
        self.assertIn('start nova-compute', self.row(found).reason)

    def test_in_maintenance_or_not(self):
        for service in (CURRENT, builders.service()):
            found = self.bring(servers=[builders.server()], service=service)
            self.assertEqual(
                {'vm1': ActionKind.LIVE_MIGRATE}, self.asks(found)
            )
            self.assertEqual('', found.trouble)

    def test_what_came_by_evacuation_goes_home_live(self):
        evacuated = builders.migration(
            3,
            'done',
            source=HOME,
            dest=builders.HOST,
            type=model.MigrationType.EVACUATION,
        )
        found = self.bring(
            servers=[builders.server()],
            migrations=[evacuated],
            memory=memories.HostMemory(),
        )
        self.assertEqual({'vm1': ActionKind.LIVE_MIGRATE}, self.asks(found))
