# SPDX-License-Identifier: Apache-2.0

"""Bringing servers home: what is asked for, and who is left alone.

They are on ``cmp01`` and are to come home to ``cmp09``.
"""

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base

Kind = memories.Kind
HOME = 'cmp09'
AT_HOME = builders.server(host=HOME)
ELSEWHERE = builders.server(host='cmp05')
OPERATIONAL = builders.service(host=HOME, enabled=True)
#: The host that they are on now: nobody maintains it.
CURRENT = builders.service(enabled=True)


def options(**kwargs):
    """Return the terms of a way home of vm1."""
    return policies.Policy(
        **{
            'only': frozenset({'vm1'}),
            'home': HOME,
            'to': HOME,
            'since': builders.SINCE,
            **kwargs,
        }
    )


class Return(base.Story):
    """A server on its way home."""

    def tick(self, *args, **kwargs):
        return super().tick(
            *args, **{'service': CURRENT, 'home': OPERATIONAL, **kwargs}
        )

    def record(self, *args, **kwargs):
        return super().record(*args, **{'dest': HOME, **kwargs})


class HomeTestCase(base.StoryTestCase):
    def begin(self, **kwargs):
        return Return(options(**kwargs))


@ddt.ddt
class TestGood(HomeTestCase):
    def test_suspended(self):
        story = self.begin(
            suspended=policies.Suspended.RESUME, user_id=base.US
        )
        self.assertIs(Kind.RESUME, story.asks(base.SUSPENDED))
        self.assertIs(Kind.LIVE_MIGRATE, story.asks(base.HERE))
        done = story.record('completed')
        self.assertIs(Kind.SUSPEND, story.asks(AT_HOME, done))
        story.tick(builders.server(status='SUSPENDED', host=HOME), done)

        row = self.assert_ended(story, 'moved')
        self.assertEqual('SUSPENDED', row.status)

    def test_resumed_and_taken_elsewhere(self):
        """It is suspended there all the same."""
        story = self.begin(
            suspended=policies.Suspended.RESUME, user_id=base.US
        )
        story.tick(base.SUSPENDED)
        self.assertIs(Kind.SUSPEND, story.asks(ELSEWHERE))
        story.tick(builders.server(status='SUSPENDED', host='cmp05'))

        self.assert_ended(story, 'skipped', 'somebody else')

    def test_it_fails_and_is_tried_again(self):
        story = self.begin()
        story.tick(base.HERE)
        failed = story.record('error', dest=None)
        failures = {7: base.FAILURE}
        story.tick(base.HERE, failed, failures=failures)
        (action,) = story.tick(
            base.HERE,
            failed,
            failures=failures,
            after=timing.RETRY_WAIT_SECONDS,
        )

        self.assertEqual(HOME, action.host)


@ddt.ddt
class TestKilledInBetween(HomeTestCase):
    """What another run of ours has left, with nothing remembered."""

    def test_on_its_way(self):
        story = self.begin()
        self.assertIsNone(story.asks(base.MIGRATING, story.record('running')))
        story.tick(AT_HOME, story.record('completed'))

        row = self.assert_ended(story, 'moved', move='live migration')
        self.assertEqual(0, row.attempts)

    def test_not_confirmed(self):
        story = self.begin()
        arrived = builders.server(status='VERIFY_RESIZE', host=HOME)
        record = story.record('finished', type=base.COLD)
        # Perhaps it goes on still, and confirms.
        self.assertIsNone(story.asks(arrived, record))
        self.assertIs(Kind.CONFIRM, story.asks(arrived, record, after=10))

    def test_resumed_and_not_suspended_again(self):
        """Neither at home, where its move was over, nor before that."""
        for view, asked in (
            (base.changed(host=HOME), Kind.SUSPEND),
            (base.changed(), Kind.LIVE_MIGRATE),
        ):
            story = self.begin(
                suspended=policies.Suspended.RESUME, user_id=base.US
            )
            self.assertIsNone(story.asks(view))
            self.assertEqual({'vm1'}, story.decision.inquiry.history)
            self.assertFalse(story.decision.done)
            histories = {'vm1': (base.deed('suspend'), base.deed('resume'))}
            self.assertIs(asked, story.asks(view, histories=histories))

    def test_home_already(self):
        story = self.begin()
        self.assertIsNone(story.asks(AT_HOME))

        self.assert_ended(story, 'moved')


@ddt.ddt
class TestLeftAlone(HomeTestCase):
    """What somebody has done with it since it was looked for."""

    @ddt.data(
        # where it is then; its row
        (ELSEWHERE, 'skipped', 'moved it to cmp05'),
        (builders.server(status='SHELVED_OFFLOADED'), 'skipped', 'on no host'),
        (builders.server(status='DELETED'), 'gone', ''),
    )
    @ddt.unpack
    def test_taken_away(self, view, result, words):
        for first in ([], [base.HERE]):
            story = self.begin()
            for seen in first:
                story.tick(seen, answer=memories.Answer.POSTPONED)
            self.assertIsNone(story.asks(view))
            self.assert_ended(story, result, words)
            self.assertTrue(story.decision.done)
            self.assertFalse(story.row.left)

    @ddt.data(
        # type of its record, where it is unconfirmed
        (base.RESIZE, HOME),
        (base.RESIZE, 'cmp05'),
        (base.RESIZE, builders.HOST),
        (base.COLD, 'cmp05'),
    )
    @ddt.unpack
    def test_not_confirmed(self, type_, dest):
        story = self.begin(stagger=0.0)
        record = story.record('finished', type=type_, dest=dest)
        view = builders.server(status='VERIFY_RESIZE', host=dest)
        for _tick in range(5):
            self.assertIsNone(story.asks(view, record, after=20))
        words = 'resized' if type_ is base.RESIZE else 'cold-migrated'

        self.assert_ended(
            story, 'skipped', f'somebody else {words} it to {dest}'
        )

    def test_cold_migrated_home_before(self):
        """Nobody knows what for."""
        story = self.begin()
        record = story.record(
            'finished', type=base.COLD, created_at=builders.cloud_time(-60)
        )
        view = builders.server(status='VERIFY_RESIZE', host=HOME)
        self.assertIsNone(story.asks(view, record, after=60))

        self.assert_ended(story, 'skipped', 'not confirmed')

    @ddt.data(HOME, 'cmp05', builders.HOST)
    def test_resized_while_we_look(self, dest):
        story = self.begin()
        record = story.record('migrating', type=base.RESIZE, dest=dest)
        resizing = builders.server(status='RESIZE')
        self.assertIsNone(story.asks(resizing, record))
        self.assertIsNone(story.row.result)
        record = story.record('confirmed', type=base.RESIZE, dest=dest)
        there = builders.server(host=dest)
        for _tick in range(5):
            self.assertIsNone(story.asks(there, record, after=9))

        self.assert_ended(story, 'skipped', 'resized')

    def test_its_resize_was_reverted(self):
        story = self.begin()
        record = story.record('reverted', type=base.RESIZE, dest='cmp05')

        self.assertIs(Kind.LIVE_MIGRATE, story.asks(base.HERE, record))


@ddt.ddt
class TestHost(base.DecideTestCase):
    """The host that they are on, as a whole."""

    def bring(self, policy=None, **kwargs):
        return self.decide(
            policy=policy or options(),
            **{'service': CURRENT, 'home': OPERATIONAL, **kwargs},
        )

    def test_others_do_not_matter(self):
        others = [
            builders.migration(2, 'running', 'vm2'),
            builders.migration(3, 'finished', 'vm3', type=base.COLD),
            builders.migration(4, 'completed', 'vm4'),
            builders.migration(
                5, 'running', 'vm5', source='cmp05', dest=builders.HOST
            ),
        ]
        found = self.bring(
            policy=options(
                suspended=policies.Suspended.RESUME,
                resized=policies.Resized.CONFIRM,
                user_id=base.US,
            ),
            memory=memories.Memory(),
            servers=[
                builders.server(updated_at=builders.cloud_time(-60)),
                builders.server('vm2', 'MIGRATING'),
                base.changed('vm6'),
                builders.server('vm7', 'SUSPENDED'),
            ],
            visited=[
                builders.server('vm3', 'VERIFY_RESIZE', host='cmp05'),
                base.changed('vm4', host='cmp05'),
            ],
            migrations=others,
            consumers=frozenset({'vm8'}),
            histories={'vm4': (base.deed(),), 'vm6': (base.deed(),)},
        )

        self.assertEqual({'vm1': Kind.LIVE_MIGRATE}, self.asks(found))
        self.assertEqual(['vm1'], [row.server_id for row in found.rows])
        self.assertEqual(frozenset(), found.inquiry.visit)
        self.assertEqual(frozenset(), found.inquiry.history)

    def test_over_although_others_are_here(self):
        found = self.bring(
            servers=[builders.server('vm2')],
            visited=[AT_HOME],
            memory=builders.memory(builders.track()),
            migrations=[builders.migration(5, 'queued', 'vm2')],
            consumers=None,
        )

        self.assertTrue(found.drained)

    def test_who_is_not_here_is_looked_for(self):
        found = self.bring()
        self.assertEqual({'vm1'}, found.inquiry.visit)
        self.assertFalse(found.done)

        found = self.bring(visited=[ELSEWHERE])
        self.assertEqual('skipped', self.row(found).result)
        self.assertTrue(found.drained)

    @ddt.data(
        # the home; what is told
        (None, 'unset cmp09'),
        (builders.service(host=HOME), 'unset cmp09'),
        (
            builders.service(host=HOME, enabled=True, up=False),
            'start nova-compute',
        ),
    )
    @ddt.unpack
    def test_home_is_not_fit_any_more(self, home, words):
        moving = builders.server('vm2', 'MIGRATING')
        found = self.bring(
            policy=options(only=frozenset({'vm1', 'vm2'})),
            servers=[builders.server(), moving],
            migrations=[builders.migration(2, 'running', 'vm2', dest=HOME)],
            home=home,
        )
        self.assertEqual((), found.actions)
        self.assertIn(words, found.trouble)
        # What is under way is awaited.
        self.assertFalse(found.done)

        found = self.bring(servers=[builders.server()], home=home)
        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertEqual('blocked', self.row(found).result)

    def test_the_host_that_they_are_on_dies(self):
        found = self.bring(
            servers=[builders.server()],
            service=builders.service(enabled=True, up=False),
            memory=builders.memory(
                down_since=builders.NOW - timing.DOWN_GRACE_SECONDS
            ),
        )

        self.assertEqual((), found.actions)
        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertIn('start nova-compute', self.row(found).reason)

    def test_in_maintenance_or_not(self):
        for service in (CURRENT, builders.service()):
            found = self.bring(servers=[builders.server()], service=service)
            self.assertEqual({'vm1': Kind.LIVE_MIGRATE}, self.asks(found))
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
            memory=memories.Memory(),
        )

        self.assertEqual({'vm1': Kind.LIVE_MIGRATE}, self.asks(found))
