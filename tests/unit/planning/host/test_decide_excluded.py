# SPDX-License-Identifier: Apache-2.0

"""Ctrl-C, time-outs, and a host that does not let moves go on."""

import dataclasses

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning import evacuation_base

ActionKind = memories.ActionKind
EXCLUDE = frozenset({'vm1'})
HERE = 'left here (--exclude)'
FAILED = base.record('failed')
FINISHED = base.record('finished', type=base.COLD, seen_at=base.NOW - 60.0)


class TestExcluded(base.DecideTestCase):
    """Nothing is begun for it; what has begun is brought to its end."""

    def excluded(self, *views, **options):
        observed = {
            k: options.pop(k)
            for k in ('migrations', 'service')
            if k in options
        }
        return self.decide(
            policy=policies.Policy(exclude=EXCLUDE, **options),
            servers=[v for v in views if v.host == builders.HOST],
            visited=[v for v in views if v.host != builders.HOST],
            **observed,
        )

    def assert_left(self, found, reason=HERE):
        self.assertEqual({}, self.asks(found))
        row = self.assert_row(found, 'blocked', reason)
        self.assertEqual('', row.move)

    @unit.cases(
        ('ACTIVE', None),
        ('ACTIVE', 'rebooting'),
        ('SHUTOFF', None),
        ('SUSPENDED', None),
        ('SHELVED', None),
        ('VERIFY_RESIZE', None),
        ('ERROR', None),
        ('A_STATUS_OF_TOMORROW', None),
    )
    def test_in_whatever_state(self, status, task):
        for options in (
            {},
            {
                'suspended': policies.Suspended.RESUME,
                'resized': policies.Resized.CONFIRM,
            },
        ):
            view = builders.server(status=status, task_state=task)
            self.assert_left(self.excluded(view, **options))

    def test_off_a_dead_host(self):
        for status in ('ACTIVE', 'SHUTOFF', 'ERROR', 'PAUSED'):
            view = evacuation_base.server(status=status)
            found = self.excluded(view, evacuate=True, service=builders.dead())
            self.assert_left(found)

    def test_on_the_way_home(self):
        found = self.excluded(
            base.HERE, home='cmp09', to='cmp09', since=builders.SINCE
        )
        self.assertEqual({}, self.asks(found))

    def test_only_that_one(self):
        found = self.excluded(base.HERE, builders.server('vm2'))
        self.assertEqual({'vm2': ActionKind.LIVE_MIGRATE}, self.asks(found))

    def test_a_move_under_way_is_awaited_and_not_begun_again(self):
        found = self.excluded(
            base.MIGRATING, migrations=[base.record('running')]
        )
        self.assertIsNone(self.row(found).result)

        found = self.decide(
            policy=policies.Policy(exclude=EXCLUDE),
            servers=[base.HERE],
            migrations=[FAILED],
            failures={7: base.FAILURE},
            memory=builders.memory(builders.server_memory()),
        )
        self.assertEqual({}, self.asks(found))
        self.assertEqual(HERE, self.assert_row(found, 'blocked').reason)

    def test_our_own_cold_migration_is_confirmed(self):
        """It began before somebody thought of excluding the server."""
        found = self.excluded(base.VERIFY_THERE, migrations=[FINISHED])
        self.assertEqual({'vm1': ActionKind.CONFIRM}, self.asks(found))

    def test_owner_resize_is_left_alone(self):
        found = self.excluded(
            base.VERIFY_THERE,
            migrations=[dataclasses.replace(FINISHED, type=base.RESIZE)],
            resized=policies.Resized.CONFIRM,
        )
        self.assertEqual({}, self.asks(found))
        row = self.assert_row(found, 'blocked', 'left as it is (--exclude)')
        self.assertNotIn('--resized', row.reason)


class TestResumed(base.TimelineTestCase):
    def test_what_an_earlier_run_resumed_is_suspended_again(self):
        timeline = self.begin(exclude=EXCLUDE)
        suspending = builders.server(
            task_state='suspending', tagged=True, updated_at=builders.SINCE
        )
        suspended = builders.server(status='SUSPENDED', tagged=True)
        now = {'nova_time': builders.SINCE}
        self.expect(
            timeline,
            (ActionKind.SUSPEND, base.TAGGED_HERE),
            (None, suspending, now),
        )
        self.assertIs(base.Phase.MOVING, timeline.row.phase)
        self.expect(
            timeline,
            (ActionKind.UNTAG, suspended),
            (None, base.SUSPENDED),
        )
        self.assert_ended(timeline, 'blocked', HERE)
