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

"""Moves that nobody is at any more, though their records say so."""

import unittest

import ddt

from osc_hostmaint.planning import stranded
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}
DELETED = builders.server(status='DELETED')


@ddt.ddt
class TestLeftOut(unittest.TestCase):
    """Of any host."""

    def test_a_deleted_server_has_no_records(self):
        other = builders.migration(2, 'queued', 'vm2')
        seen = builders.observation(
            migrations=[builders.migration(1, 'queued'), other],
            visited=[DELETED, builders.server('vm2', host=builders.DEST)],
        )

        self.assertEqual({2: other}, dict(stranded.left_out(seen).migrations))

    def test_nova_moves_a_server_once_at_a_time(self):
        """An older record that never ended is not a second move."""
        newest = builders.migration(2, 'completed')
        seen = builders.observation(
            servers=[builders.server()],
            migrations=[builders.migration(1, 'queued'), newest],
        )

        self.assertEqual({2: newest}, dict(stranded.left_out(seen).migrations))

    PATIENCE = timing.EFFECT_WAIT_SECONDS

    @ddt.data(
        # the server; seconds from the record's status to the look at the
        # server, and from there to the last look at the records; dead
        (builders.server(), PATIENCE, 1, True),
        (builders.server(status='SHUTOFF'), PATIENCE, 1, True),
        (builders.server(status='ERROR'), PATIENCE, 1, True),
        # Too soon; and the record may have ended a moment ago.
        (builders.server(), PATIENCE - 1, 1, False),
        (builders.server(), PATIENCE, -1, False),
        # Nova is at it.
        (builders.server(status='MIGRATING'), PATIENCE, 1, False),
        (builders.server(status='RESIZE', task_state=None), 99, 1, False),
        (builders.server(task_state='resize_prep'), PATIENCE, 1, False),
        # It has left; what is done still may take a while.
        (builders.server(host=builders.DEST), PATIENCE, 1, False),
        (builders.server(status='VERIFY_RESIZE'), PATIENCE, 1, False),
    )
    @ddt.unpack
    def test_a_record_that_never_ends(self, view, waited, after, dead):
        """The service died, and the server rests where it was."""
        record = builders.migration(status='preparing', seen_at=NOW - waited)
        seen = builders.observation(
            visited=[view],
            servers_at=NOW - 1000,
            migrations=[record],
            migrations_at=NOW + after,
        )

        self.assertEqual(
            {} if dead else {1: record},
            dict(stranded.left_out(seen).migrations),
        )

    def test_one_to_this_host_that_never_ends(self):
        seen = builders.observation(
            visited=[builders.server(host=builders.DEST)],
            migrations=[builders.migration(seen_at=NOW - 60, **ARRIVING)],
        )

        self.assertEqual({}, dict(stranded.left_out(seen).migrations))


@ddt.ddt
class TestCutOff(unittest.TestCase):
    """Of a host that has died: it was to carry them out."""

    def left(self, record, view, *, evacuated=True, listed=True):
        seen = builders.observation(
            servers=[view] if listed else [],
            visited=[] if listed else [view],
            migrations=[record],
        )
        found = stranded.left_out(seen, evacuated=evacuated)
        return not found.migrations

    @ddt.data(
        # type and status of the record
        (base.LIVE, 'accepted'),
        (base.LIVE, 'queued'),
        (base.LIVE, 'running'),
        (base.COLD, 'pre-migrating'),
        (base.COLD, 'migrating'),
        (base.RESIZE, 'migrating'),
        (base.COLD, 'a status of tomorrow'),
    )
    @ddt.unpack
    def test_a_move_of_a_server_that_is_here(self, type_, status):
        record = builders.migration(7, status, type=type_)
        for view in (base.MIGRATING, builders.server(status='RESIZE')):
            self.assertTrue(self.left(record, view))
            # Else it is awaited: its host may be at it.
            self.assertFalse(self.left(record, view, evacuated=False))

    @ddt.data('accepted', 'pre-migrating', 'a status of tomorrow')
    def test_not_an_evacuation(self, status):
        """Its destination is at it."""
        record = builders.evacuation(7, status)
        view = builders.server(
            status='REBUILD', task_state='rebuilding', seen_at=NOW + 1000
        )

        self.assertFalse(self.left(record, view))

    def test_not_where_it_is_over(self):
        for status in ('error', 'completed', 'finished'):
            record = builders.migration(7, status)

            self.assertFalse(self.left(record, base.HERE), status)

    def test_not_where_the_server_has_left(self):
        record = builders.migration(7, 'running')

        self.assertFalse(self.left(record, base.THERE, listed=False))

    def test_not_one_to_here(self):
        record = builders.migration(7, 'running', **ARRIVING)

        self.assertFalse(self.left(record, base.THERE, listed=False))

    def test_not_what_nothing_is_known_of(self):
        seen = builders.observation(migrations=[builders.migration(7)])
        found = stranded.left_out(seen, evacuated=True)

        self.assertEqual({7}, set(found.migrations))


PATIENCE = timing.EFFECT_WAIT_SECONDS
HELD = timing.EVACUATION_WAIT_SECONDS


@ddt.ddt
class TestEvacuations(unittest.TestCase):
    """One that is dropped too soon is built twice."""

    def left(self, waited, changed, ahead=0.0, began=True, **view):
        """Tell whether a record is left out.

        :param waited: seconds since its status was seen first.
        :param changed: seconds since its server changed, by Nova's clock.
        :param ahead: what our clock is known to show more.
        :param began: its destination is at it, or was.
        """
        record = builders.evacuation(
            status='pre-migrating' if began else 'accepted',
            seen_at=NOW - waited,
        )
        server = builders.server(
            updated_at=builders.cloud_time(-changed), **view
        )
        if ahead is not None:
            ahead += NOW - builders.SINCE.timestamp()
        seen = builders.observation(
            servers=[server], migrations=[record], ahead=ahead
        )
        return not stranded.left_out(seen, evacuated=True).migrations

    @ddt.data(
        # since its record changed, since the server did; is it left out
        (PATIENCE, PATIENCE, True),
        (PATIENCE, 1e6, True),
        # It has just been built, and is at rest here for a moment.
        (PATIENCE, PATIENCE - 1, False),
        (HELD - 1, 0, False),
        (PATIENCE - 1, 1e6, False),
        # That moment is over.
        (HELD, 0, True),
    )
    @ddt.unpack
    def test_at_rest_here(self, waited, changed, expected):
        self.assertIs(expected, self.left(waited, changed))
        self.assertIs(expected, self.left(waited, changed, status='ERROR'))

    @ddt.data((PATIENCE, False), (HELD - 1, False), (HELD, True))
    @ddt.unpack
    def test_its_destination_has_not_begun(self, waited, expected):
        """It may come back, and begin then."""
        self.assertIs(expected, self.left(waited, 1e6, began=False))

    @ddt.data(
        # what our clock may show more, at the most; since the record changed
        (None, HELD - 1, False),
        (None, HELD, True),
        # Nothing has changed for a day: it may be a minute or a day.
        (86400.0, HELD - 1, False),
        (86400.0, HELD, True),
    )
    @ddt.unpack
    def test_where_novas_clock_is_not_known(self, ahead, waited, expected):
        self.assertIs(expected, self.left(waited, 3600, ahead))

    def test_while_somebody_is_at_it(self):
        for status, task in (
            ('REBUILD', 'rebuilding'),
            ('ACTIVE', 'powering-off'),
        ):
            left = self.left(1e6, 1e6, status=status, task_state=task)
            self.assertFalse(left, task)

    @ddt.data(
        # since its record changed, the server; is it left out
        (PATIENCE, {}, True),
        (PATIENCE, {'status': 'SHUTOFF'}, True),
        (PATIENCE, {'status': 'ERROR'}, True),
        (PATIENCE - 1, {}, False),
        # It is not at rest there.
        (1e6, {'task_state': 'powering-off'}, False),
        (1e6, {'status': 'REBUILD'}, False),
    )
    @ddt.unpack
    def test_at_rest_elsewhere(self, waited, view, expected):
        """Nova works in the name of the oldest that is accepted."""
        for began in (True, False):
            left = self.left(
                waited, 0, None, began, host=builders.DEST, **view
            )
            self.assertIs(expected, left)

    @ddt.data(
        # the newest evacuation; is an older one in flight left out
        ('error', False),
        ('failed', False),
        ('done', True),
        ('completed', True),
        ('pre-migrating', True),
    )
    @ddt.unpack
    def test_two_of_the_same_server(self, newest, expected):
        """Nova begins both; one that failed says nothing of the other."""
        seen = builders.observation(
            servers=[base.HERE],
            migrations=[
                builders.evacuation(1),
                builders.evacuation(2, newest),
            ],
        )
        found = stranded.left_out(seen, evacuated=True)

        self.assertEqual({2} if expected else {1, 2}, set(found.migrations))

    def test_a_move_of_another_kind_shows_that_it_is_over(self):
        """It came back to life, and was drained since."""
        seen = builders.observation(
            visited=[base.THERE],
            migrations=[
                builders.evacuation(1),
                builders.migration(2, 'error'),
            ],
        )

        self.assertEqual({2}, set(stranded.left_out(seen).migrations))
