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

"""When moves began, since when they are under way, and how it was before."""

import unittest

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import tracks
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
Phase = standing.Phase


@ddt.ddt
class TestKeepUp(unittest.TestCase):
    def keep_up(self, phase, track=None, view=None, **standing_kwargs):
        seen = builders.observation(servers=[view or builders.server()])
        found = tracks.keep_up(
            seen,
            builders.memory(track or builders.track()),
            {'vm1': standing.Standing(phase, **standing_kwargs)},
            NOW,
        )
        return found.tracks['vm1']

    def test_somebody_elses_move_is_adopted(self):
        found = self.keep_up(
            standing.Phase.MOVING, record=builders.migration()
        )

        self.assertEqual(NOW, found.began_at)
        self.assertIs(model.Move.LIVE, found.move)
        self.assertEqual(0, found.attempts)

    def test_what_has_ended_was_not_adopted(self):
        record = builders.migration(status='completed')

        self.assertIsNone(self.keep_up(Phase.MOVED, record=record).began_at)

    def test_ours_keeps_its_beginning(self):
        track = builders.track(began_at=NOW - 9, move=model.Move.COLD)
        found = self.keep_up(
            standing.Phase.MOVING, track, record=builders.migration()
        )

        self.assertEqual(NOW - 9, found.began_at)
        self.assertIs(model.Move.COLD, found.move)

    @ddt.data(*sorted(standing.FINAL))
    def test_end(self, phase):
        self.assertEqual(NOW, self.keep_up(standing.Phase(phase)).ended_at)

    def test_an_end_counts_once(self):
        track = builders.track(ended_at=NOW - 9)

        found = self.keep_up(standing.Phase.MOVED, track)
        self.assertEqual(NOW - 9, found.ended_at)

    def test_what_goes_on_has_not_ended(self):
        track = builders.track(ended_at=NOW - 9)

        self.assertIsNone(self.keep_up(standing.Phase.BUSY, track).ended_at)

    @ddt.data(
        # how it stands; is it at rest, so that this is how it was before
        (standing.Phase.WAITING, True),
        (standing.Phase.BUSY, True),
        (standing.Phase.BLOCKED, True),
        (standing.Phase.MOVING, False),
        (standing.Phase.SETTLING, False),
        (standing.Phase.MOVED, False),
        (standing.Phase.FAILED, False),
    )
    @ddt.unpack
    def test_how_it_was_before(self, phase, at_rest):
        """Its owner has stopped it since we first saw it."""
        view = builders.server(status='SHUTOFF')
        found = self.keep_up(phase, view=view)

        before = view if at_rest else builders.server()
        self.assertEqual(before, found.before)

    def test_how_it_was_elsewhere_is_not_how_it_was_before(self):
        view = builders.server(status='SHUTOFF', host=builders.DEST)
        found = self.keep_up(standing.Phase.BLOCKED, view=view)

        self.assertEqual('ACTIVE', found.before.status)


@ddt.ddt
class TestUnderWay(unittest.TestCase):
    """Since when the time counts that a move may take."""

    def under_way(self, since=None, **stand):
        seen = builders.observation(servers=[base.MIGRATING])
        found = tracks.keep_up(
            seen,
            builders.memory(builders.track(under_way_since=since)),
            {'vm1': standing.Standing(Phase.MOVING, **stand)},
            NOW,
        )
        return found.tracks['vm1'].under_way_since

    @ddt.data(
        # status of its record, does the time count
        ('accepted', True),
        # That is Nova's doing: the source runs but few at a time.
        ('queued', False),
        ('preparing', True),
        ('running', True),
        ('a status of tomorrow', True),
        # It has left; only its disk has not.
        ('finished', False),
        ('completed', False),
        ('error', False),
    )
    @ddt.unpack
    def test_record(self, status, counts):
        record = builders.migration(7, status)

        self.assertEqual(
            NOW if counts else None, self.under_way(record=record)
        )
        self.assertEqual(
            NOW - 9 if counts else None,
            self.under_way(NOW - 9, record=record),
        )

    def test_asked_for_and_no_record_shows(self):
        pending = Kind.LIVE_MIGRATE

        self.assertEqual(NOW, self.under_way(pending=pending))
        self.assertEqual(NOW - 9, self.under_way(NOW - 9, pending=pending))

    def test_a_pause_before_the_next_attempt(self):
        self.assertIsNone(self.under_way(NOW - 9))


@ddt.ddt
class TestOurDoing(unittest.TestCase):
    """What we did to it is not how it was before."""

    def rested(self, track, *views, phase=Phase.WAITING):
        memory = builders.memory(track)
        for view in views:
            memory = tracks.keep_up(
                builders.observation(servers=[view]),
                memory,
                {'vm1': standing.Standing(phase)},
                NOW,
            )
        return memory.tracks['vm1'].before

    RESUMED = base.asked(Kind.RESUME, base.SUSPENDED)
    FOUND = builders.track(base.SUSPENDED, found_resumed=True)
    STOPPED = builders.server(status='SHUTOFF')

    @ddt.data(RESUMED, FOUND)
    def test_resumed(self, track):
        for view in (base.HERE, base.SUSPENDED):
            self.assertEqual('SUSPENDED', self.rested(track, view).status)

    @ddt.data('SHUTOFF', 'PAUSED', 'ERROR')
    def test_its_owner_has_done_something_else(self, status):
        view = builders.server(status=status)

        self.assertEqual(view, self.rested(self.RESUMED, view))

    def test_stopped_and_started_by_its_owner(self):
        self.assertEqual(
            'ACTIVE', self.rested(self.RESUMED, self.STOPPED, base.HERE).status
        )

    def test_resumed_by_its_owner(self):
        track = builders.track(base.SUSPENDED)

        self.assertEqual('ACTIVE', self.rested(track, base.HERE).status)

    def test_shelved(self):
        track = base.asked(Kind.SHELVE, base.SUSPENDED)
        shelved = builders.server(status='SHELVED')

        self.assertEqual('SUSPENDED', self.rested(track, shelved).status)

    def test_shelved_by_its_owner(self):
        shelved = builders.server(status='SHELVED')

        self.assertEqual(
            'SHELVED', self.rested(builders.track(), shelved).status
        )

    def test_first_seen_in_the_middle_of_a_move(self):
        view = builders.server(status='MIGRATING', vm_state='paused')
        found = self.rested(builders.track(), view, phase=Phase.BUSY)

        self.assertEqual('PAUSED', found.status)
