# SPDX-License-Identifier: Apache-2.0

"""Servers left alone, as the operator or their owner wants it."""

import dataclasses
import typing as ty

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning import evacuation_base

NOW = builders.NOW
#: Whoever asked for it has had time enough to confirm it.
LONG_AGO = NOW - timing.CONFIRM_WAIT_SECONDS
ARRIVING = {'server_id': 'x', 'source': builders.DEST, 'dest': builders.HOST}
ActionKind = memories.ActionKind
LIVE = memories.ActionKind.LIVE_MIGRATE
EXCLUDE = frozenset({'vm1'})
FINISHED = base.record('finished', type=base.COLD, seen_at=base.NOW - 60.0)


class TestExcluded(base.DecideTestCase):
    """Nothing is begun for it; what has begun is brought to its end."""

    OPTIONS: ty.ClassVar[dict[str, ty.Any]] = {'exclude': EXCLUDE}
    HERE, AS_IT_IS = 'left here (--exclude)', 'left as it is (--exclude)'
    WISH = ''

    def as_owned(self, view):
        """Return a view of a server whose owner says what it wants."""
        wish = self.WISH if view.id == 'vm1' else ''
        return dataclasses.replace(view, wish=wish)

    def excluded(self, *views, **options):
        observed = {
            k: options.pop(k)
            for k in ('migrations', 'service')
            if k in options
        }
        return self.decide(
            policy=policies.Policy(**self.OPTIONS, **options),
            servers=[
                self.as_owned(v) for v in views if v.host == builders.HOST
            ],
            visited=[
                self.as_owned(v) for v in views if v.host != builders.HOST
            ],
            **observed,
        )

    def assert_left(self, found):
        self.assertEqual({}, self.asks(found))
        row = self.assert_row(found, 'blocked', self.HERE)
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
            policy=policies.Policy(**self.OPTIONS),
            servers=[self.as_owned(base.HERE)],
            migrations=[base.record('failed')],
            failures={7: base.FAILURE},
            memory=builders.memory(builders.server_memory()),
        )
        self.assertEqual({}, self.asks(found))
        self.assert_row(found, 'blocked', self.HERE)

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
        row = self.assert_row(found, 'blocked', self.AS_IT_IS)
        self.assertNotIn('--resized', row.reason)


class TestLeftToItsOwner(TestExcluded):
    """The same by the wish of the owner."""

    OPTIONS: ty.ClassVar[dict[str, ty.Any]] = {
        'tenant_policy': policies.TenantPolicy.FOLLOW
    }
    HERE, AS_IT_IS = (
        f'left {where}, as its owner wants' for where in ('here', 'as it is')
    )
    WISH = 'leave'

    def test_on_the_way_home(self):
        found = self.excluded(
            base.HERE, home='cmp09', to='cmp09', since=builders.SINCE
        )
        self.assert_row(found, 'blocked', 'left where it is, as its owner')


class TestResumed(base.TimelineTestCase):
    def test_what_an_earlier_run_resumed_is_suspended_again(self):
        timeline = self.begin(exclude=EXCLUDE)
        suspending = builders.server(
            task_state='suspending', tagged=True, updated_at=builders.SINCE
        )
        suspended = builders.server(status='SUSPENDED', tagged=True)
        self.expect(
            timeline,
            (ActionKind.SUSPEND, base.TAGGED_HERE),
            (None, suspending, {'nova_time': builders.SINCE}),
        )
        self.assertIs(base.Phase.MOVING, timeline.row.phase)
        self.expect(
            timeline,
            (ActionKind.UNTAG, suspended),
            (None, base.SUSPENDED),
        )
        self.assert_ended(timeline, 'blocked', 'left here (--exclude)')
