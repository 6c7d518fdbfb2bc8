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

"""What is remembered of each server, and of the host."""

import unittest

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning import tracks
from tests.unit import builders

NOW = builders.NOW
#: When the compute service was looked at.
SEEN = NOW - 3
FIRST = memories.Memory()
ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}
DELETED = builders.server(status='DELETED')


@ddt.ddt
class TestTakeIn(unittest.TestCase):
    def take_in(self, memory=FIRST, **kwargs):
        return tracks.take_in(
            builders.observation(**kwargs), policies.Policy(), memory
        )

    def test_every_server_on_the_host_is_tracked(self):
        servers = [builders.server('vm1'), builders.server('vm2', 'ERROR')]
        found = self.take_in(servers=servers)

        self.assertEqual(
            {s.id: memories.Track(before=s) for s in servers},
            dict(found.tracks),
        )

    def test_what_is_remembered_stays(self):
        track = builders.track(builders.server(status='PAUSED'), attempts=2)
        found = self.take_in(builders.memory(track), servers=[DELETED])

        self.assertEqual({'vm1': track}, dict(found.tracks))

    def test_a_server_that_has_left_but_its_disk_is_tracked_too(self):
        view = builders.server(status='VERIFY_RESIZE', host=builders.DEST)
        found = self.take_in(
            migrations=[builders.migration(status='finished')],
            visited=[view],
        )

        self.assertEqual({'vm1'}, set(found.tracks))

    def test_a_deleted_server_is_not(self):
        found = self.take_in(
            migrations=[builders.migration()], visited=[DELETED]
        )

        self.assertEqual({}, dict(found.tracks))

    @ddt.data(
        # seen first in the middle of a move; the status it had before
        ('MIGRATING', 'active', 'ACTIVE'),
        ('MIGRATING', 'paused', 'PAUSED'),
        ('RESIZE', 'stopped', 'SHUTOFF'),
        ('RESIZE', 'active', 'ACTIVE'),
        ('REVERT_RESIZE', 'resized', 'REVERT_RESIZE'),
        ('SUSPENDED', 'suspended', 'SUSPENDED'),
    )
    @ddt.unpack
    def test_status_before_the_move(self, status, vm_state, before):
        server = builders.server(status=status, vm_state=vm_state)
        found = self.take_in(servers=[server])

        self.assertEqual(before, found.tracks['vm1'].before.status)
        self.assertEqual(vm_state, found.tracks['vm1'].before.vm_state)

    @ddt.data(
        # a record as it was when this run began; is it history
        ('completed', True),
        ('confirmed', True),
        ('done', True),
        ('error', True),
        ('failed', True),
        ('cancelled', True),
        ('reverted', True),
        ('finished', False),
        ('running', False),
        ('a status of tomorrow', False),
    )
    @ddt.unpack
    def test_history(self, status, is_history):
        found = self.take_in(migrations=[builders.migration(7, status)])

        self.assertEqual(7 in found.history, is_history)

    def test_what_ends_in_this_run_is_no_history(self):
        first = self.take_in(migrations=[builders.migration(7)])
        second = self.take_in(
            first, migrations=[builders.migration(7, 'error')]
        )

        self.assertEqual(frozenset(), second.history)


class TestServiceDown(unittest.TestCase):
    """It may come back: but not when it has been down before we came."""

    def down_since(self, *, up, memory=FIRST):
        seen = builders.observation(
            service=builders.service(up=up), service_at=SEEN
        )
        return tracks.take_in(seen, policies.Policy(), memory).down_since

    def test_up(self):
        self.assertIsNone(self.down_since(up=True))

    def test_down_from_the_beginning_counts_at_once(self):
        self.assertEqual(
            SEEN - timing.DOWN_GRACE_SECONDS, self.down_since(up=False)
        )

    def test_down_in_the_middle(self):
        memory = builders.memory()
        self.assertEqual(SEEN, self.down_since(up=False, memory=memory))

        memory = builders.memory(down_since=SEEN - 5)
        self.assertEqual(SEEN - 5, self.down_since(up=False, memory=memory))

    def test_back_again(self):
        memory = builders.memory(down_since=SEEN - 5)

        self.assertIsNone(self.down_since(up=True, memory=memory))


@ddt.ddt
class TestRecords(unittest.TestCase):
    def test_moves_off_the_host_oldest_first(self):
        first, second = (
            builders.migration(3, 'error'),
            builders.migration(9, 'running'),
        )
        seen = builders.observation(
            migrations=[
                second,
                first,
                builders.migration(4, 'error', 'vm2'),
                builders.migration(5, 'running', 'vm3', **ARRIVING),
                builders.migration(2, 'error'),
            ]
        )
        memory = builders.memory(history=frozenset({2}))

        self.assertEqual(
            {'vm1': (first, second), 'vm2': (seen.migrations[4],)},
            tracks.records(seen, memory),
        )

    @ddt.data(
        # a record; does it bind its server to the host
        ('running', {}, True),
        ('finished', {}, True),
        ('completed', {}, False),
        ('error', {}, False),
        ('running', ARRIVING, False),
    )
    @ddt.unpack
    def test_strangers(self, status, ends, expected):
        """Servers on no list that must be looked at."""
        migrations = [builders.migration(status=status, **ends)]
        seen = builders.observation(migrations=migrations)

        self.assertEqual(
            {'vm1'} if expected else frozenset(),
            tracks.strangers(seen, policies.Policy(), builders.memory()),
        )
        # Not where something is known of it.
        self.assertEqual(
            frozenset(),
            tracks.strangers(
                seen, policies.Policy(), builders.memory(builders.track())
            ),
        )
        seen = builders.observation(migrations=migrations, visited=[DELETED])
        self.assertEqual(
            frozenset(),
            tracks.strangers(seen, policies.Policy(), builders.memory()),
        )

    @ddt.data(
        # seconds since the record was seen, since the server was; look
        (1, None, False),
        (timing.UNLISTED_RECHECK_SECONDS, None, True),
        (1000, 1, False),
        (1000, timing.UNLISTED_RECHECK_SECONDS, True),
    )
    @ddt.unpack
    def test_who_is_long_on_the_way_here_is_looked_at(
        self, record_ago, server_ago, expected
    ):
        record = builders.migration(seen_at=NOW - record_ago, **ARRIVING)
        visited = []
        if server_ago is not None:
            visited = [
                builders.server(status='MIGRATING', seen_at=NOW - server_ago)
            ]
        seen = builders.observation(migrations=[record], visited=visited)

        self.assertEqual(
            {'vm1'} if expected else frozenset(),
            tracks.overdue(seen, [record], NOW),
        )


@ddt.ddt
class TestOthersDown(unittest.TestCase):
    """Since when compute services of other hosts have been down."""

    def others_down(self, down, memory=FIRST):
        seen = builders.observation(down=frozenset(down), service_at=SEEN)
        found = tracks.take_in(seen, policies.Policy(), memory)
        return dict(found.others_down)

    @ddt.data(
        # known so far, down now, known then
        ({}, [], {}),
        # No head start: what is on its way there may go on.
        ({}, ['cmp02'], {'cmp02': SEEN}),
        ({'cmp02': 5.0}, ['cmp02'], {'cmp02': 5.0}),
        ({'cmp02': 5.0}, ['cmp03'], {'cmp03': SEEN}),
        ({'cmp02': 5.0}, [], {}),
    )
    @ddt.unpack
    def test_table(self, before, down, expected):
        memory = builders.memory(others_down=before)

        self.assertEqual(expected, self.others_down(down, memory))


class TestProgress(unittest.TestCase):
    def test_the_least_that_was_left_is_kept(self):
        seen = builders.observation(
            servers=[builders.server(), builders.server('vm2')],
            migrations=[
                builders.migration(7),
                builders.migration(8, server_id='vm2'),
                # Of a server that nothing is known of.
                builders.migration(9, server_id='vm3'),
            ],
            progress={
                7: model.Progress(5, 9, NOW - 1),
                9: model.Progress(5, 9, NOW - 1),
                # Its record has vanished since.
                10: model.Progress(5, 9, NOW - 1),
            },
        )
        found = tracks.take_in(seen, policies.Policy(), builders.memory())

        self.assertEqual({'vm1', 'vm2'}, set(found.tracks))
        track = found.tracks['vm1']
        self.assertEqual(
            (7, 5, NOW - 1),
            (track.least_of, track.least_remaining, track.least_since),
        )
        self.assertIsNone(found.tracks['vm2'].least_of)
