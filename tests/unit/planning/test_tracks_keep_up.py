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
    """Since when the time counts that something may take."""

    def keep_up(self, phase=Phase.MOVING, track=None, other=None, **stand):
        """Return what is known of vm1 then.

        :param other: a record of vm2, which is on its way, too.
        """
        memory = builders.memory(
            track or builders.track(),
            builders.track(builders.server('vm2')),
        )
        stands = {'vm1': standing.Standing(phase, **stand)}
        if other:
            stands['vm2'] = standing.Standing(Phase.MOVING, record=other)
        found = tracks.keep_up(
            builders.observation(servers=[base.MIGRATING]), memory, stands, NOW
        )
        return found.tracks['vm1']

    def assert_counts(self, counts, **kwargs):
        began = builders.track(under_way_since=NOW - 9)
        for track, expected in ((None, NOW), (began, NOW - 9)):
            found = self.keep_up(track=track, **kwargs)
            self.assertEqual(
                expected if counts else None, found.under_way_since
            )

    @ddt.data(
        # status of its record, does the time count
        ('accepted', True),
        ('preparing', True),
        ('running', True),
        ('a status of tomorrow', True),
        # It waits for its turn.
        ('queued', False),
        # It has left; only its disk has not.
        ('finished', False),
        ('completed', False),
        ('error', False),
    )
    @ddt.unpack
    def test_record(self, status, counts):
        self.assert_counts(counts, record=builders.migration(7, status))

    @ddt.data(*Kind)
    def test_asked_for_and_no_record_shows(self, kind):
        self.assert_counts(True, pending=kind)

    def test_it_is_busy(self):
        self.assert_counts(True, phase=Phase.BUSY)

    @ddt.data(Phase.FAILED, Phase.BLOCKED)
    def test_given_up(self, phase):
        """Else it would be awaited anew at the next look."""
        self.assert_counts(True, phase=phase, given_up=True)
        self.assert_counts(False, phase=phase)

    @ddt.data(Phase.WAITING, Phase.SETTLING, Phase.MOVED)
    def test_a_pause_before_the_next_attempt(self, phase):
        self.assert_counts(False, phase=phase)

    @ddt.data(
        # another's type and status; is the queue stuck
        (base.LIVE, 'preparing', False),
        (base.LIVE, 'running', False),
        (base.LIVE, 'a status of tomorrow', False),
        # The source does not run what waits, though it has room.
        (base.LIVE, 'accepted', True),
        (base.LIVE, 'queued', True),
        (base.LIVE, 'completed', True),
        (base.COLD, 'migrating', True),
    )
    @ddt.unpack
    def test_the_queue(self, kind, status, stuck):
        """The source runs but few at a time: that is not its fault."""
        waits = {
            'record': builders.migration(7, 'queued'),
            'other': builders.migration(8, status, 'vm2', type=kind),
        }
        began = builders.track(stuck_since=NOW - 9)

        found = self.keep_up(**waits)
        self.assertEqual(NOW if stuck else None, found.stuck_since)
        found = self.keep_up(track=began, **waits)
        self.assertEqual(NOW - 9 if stuck else None, found.stuck_since)

    @ddt.data('accepted', 'preparing', 'running', 'completed')
    def test_out_of_the_queue_its_time_begins_anew(self, status):
        began = builders.track(stuck_since=NOW - 9)
        record = builders.migration(7, status)
        found = self.keep_up(track=began, record=record)

        self.assertIsNone(found.stuck_since)
        self.assertEqual(
            NOW if record.in_flight else None, found.under_way_since
        )


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
