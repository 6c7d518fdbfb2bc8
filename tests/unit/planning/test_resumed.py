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

"""A run was killed between resume and suspend: the next one finds that."""

import unittest

import ddt

from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import resumed
from osc_hostmaint.planning import tracks
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
FIRST = memories.Memory()


class ResumedTestCase(unittest.TestCase):
    def take_in(self, *servers, memory=FIRST, policy=base.RESUME, **observed):
        seen = builders.observation(servers, **observed)
        return tracks.take_in(seen, policy, memory)


@ddt.ddt
class TestSuspects(ResumedTestCase):
    """Whose histories are asked for: as few as possible."""

    @ddt.data(
        # what it is, when it was last changed; suspect
        ('ACTIVE', 120, True),
        ('ACTIVE', 0, True),
        # It has run like this since before.
        ('ACTIVE', -1, False),
        # Nova does not say.
        ('ACTIVE', None, True),
        ('SUSPENDED', 120, False),
        ('SHUTOFF', 120, False),
        # On its way already: another run's, or another tool's.
        ('MIGRATING', 120, True),
    )
    @ddt.unpack
    def test_on_the_host(self, status, changed, expected):
        view = base.changed(
            status=status,
            updated_at=None
            if changed is None
            else builders.cloud_time(changed),
        )
        found = self.take_in(view)

        self.assertEqual({'vm1'} if expected else set(), found.suspects)

    @ddt.data(
        policies.Suspended.LEAVE,
        policies.Suspended.SHELVE,
    )
    def test_only_where_suspended_servers_are_to_be_resumed(self, value):
        found = self.take_in(
            base.changed(),
            policy=policies.Policy(suspended=value, user_id=base.US),
        )

        self.assertEqual(set(), found.suspects)

    def test_not_without_our_mark(self):
        service = builders.service(disabled_reason='fan broken')

        self.assertEqual(
            set(), self.take_in(base.changed(), service=service).suspects
        )

    @ddt.data(
        builders.service(disabled_reason='fan broken'),
        builders.service(enabled=True),
    )
    def test_nobody_is_suspected_any_more_once_the_mark_is_gone(self, service):
        """Else the drain would wait for ever."""
        memory = builders.memory(suspects=frozenset({'vm1'}))
        for histories in ({}, {'vm1': (base.deed(),)}):
            found = self.take_in(
                memory=memory, service=service, histories=histories
            )

            self.assertEqual(set(), found.suspects)

    def test_who_arrives_later(self):
        """Known servers are not suspected again."""
        memory = builders.memory(builders.track(base.changed()))
        found = self.take_in(
            base.changed(), base.changed('vm2'), memory=memory
        )

        self.assertEqual({'vm2'}, found.suspects)

    @ddt.data(
        # the record of a move off the host; suspect
        ({'status': 'completed'}, True),
        ({'status': 'completed', 'created_at': builders.cloud_time(-3)}, True),
        (
            {'status': 'completed', 'created_at': builders.cloud_time(-60)},
            False,
        ),
        # A cold migration is of a stopped server.
        ({'status': 'confirmed', 'type': 'migration'}, False),
        ({'status': 'error'}, False),
        (
            {
                'status': 'completed',
                'source': builders.DEST,
                'dest': builders.HOST,
            },
            False,
        ),
    )
    @ddt.unpack
    def test_who_has_left_before_this_run(self, record, expected):
        records = [builders.migration(7, **record)]
        found = self.take_in(migrations=records)
        self.assertEqual({'vm1'} if expected else set(), found.suspects)

        # What leaves during this run is known to it.
        found = self.take_in(memory=builders.memory(), migrations=records)
        self.assertEqual(set(), found.suspects)

    def test_what_is_asked(self):
        memory = builders.memory(suspects=frozenset({'vm1', 'vm2', 'vm3'}))
        seen = builders.observation(histories={'vm1': ()})

        self.assertEqual({'vm2', 'vm3'}, resumed.unasked(seen, memory))
        # One that is on no list is looked at, but only where it matters.
        self.assertEqual({'vm1'}, resumed.unseen(seen, memory))


@ddt.ddt
class TestHistory(ResumedTestCase):
    """What a history says."""

    def found(self, *history, view=None, policy=base.RESUME):
        view = view or base.changed()
        memory = builders.memory(
            builders.track(view), suspects=frozenset({'vm1'})
        )
        found = self.take_in(
            view,
            memory=memory,
            policy=policy,
            histories={'vm1': tuple(history)},
        )
        self.assertEqual(set(), found.suspects)
        return found.tracks['vm1']

    @ddt.data(
        # what was done since the maintenance began; is it to be suspended
        ((), False),
        (('resume',), True),
        (('suspend', 'resume'), True),
        (('resume', 'live-migration'), True),
        (('resume', 'live-migration', 'live_migration_cancel'), True),
        (('resume', 'lock', 'attach_volume', 'createImage'), True),
        # It is to run, or was suspended and more since.
        (('resume', 'stop', 'start'), False),
        (('resume', 'reboot'), False),
        # Nothing came of that: it runs.
        (('resume', 'suspend'), True),
        (('resume', 'suspend', 'suspend'), True),
        (('stop', 'start', 'suspend'), False),
        (('suspend',), False),
        (('resume', 'rebuild'), False),
        (('resume', 'a deed of tomorrow'), False),
        (('create',), False),
        (('live-migration',), False),
    )
    @ddt.unpack
    def test_deeds(self, actions, expected):
        history = [
            base.deed(action, seconds=60.0 + n)
            for n, action in enumerate(actions)
        ]

        self.assertIs(expected, self.found(*history).found_resumed)

    @ddt.data((0, True), (60, True), (-1, False))
    @ddt.unpack
    def test_only_during_this_maintenance(self, seconds, expected):
        track = self.found(base.deed(seconds=seconds))

        self.assertIs(expected, track.found_resumed)

    @ddt.data(
        # who resumed it, in which project; ours
        (base.US, base.OUR_PROJECT, True),
        # The same operator, with another project's role.
        (base.US, base.OWNERS_PROJECT, True),
        # Another operator's run.
        (base.OWNER, base.OUR_PROJECT, True),
        (base.OWNER, base.OWNERS_PROJECT, False),
    )
    @ddt.unpack
    def test_whose_doing_it_was(self, user, project, expected):
        track = self.found(base.deed(user=user, project=project))

        self.assertIs(expected, track.found_resumed)

    def test_it_was_suspended_before(self):
        track = self.found(base.deed())

        self.assertEqual('SUSPENDED', track.before.status)
        self.assertEqual('suspended', track.before.vm_state)
        self.assertTrue(track.resumed)

    def test_what_else_is_known_of_it_stays(self):
        track = base.refused(times=2, before=base.changed())
        memory = builders.memory(track, suspects=frozenset({'vm1'}))
        found = self.take_in(
            base.changed(), memory=memory, histories={'vm1': (base.deed(),)}
        )

        self.assertTrue(found.tracks['vm1'].found_resumed)
        self.assertEqual(track.errands, found.tracks['vm1'].errands)

    def test_else_it_was_what_it_is(self):
        self.assertEqual(base.changed(), self.found().before)

    @ddt.data('SHUTOFF', 'PAUSED', 'ERROR')
    def test_its_owner_has_done_something_else_since(self, status):
        view = base.changed(status=status)

        self.assertFalse(self.found(base.deed(), view=view).found_resumed)


@ddt.ddt
class TestElsewhere(ResumedTestCase):
    """It has left the host already, running."""

    MEMORY = builders.memory(suspects=frozenset({'vm1'}))

    HISTORY = (base.deed(),)

    def look(self, *visited, history=HISTORY):
        return self.take_in(
            memory=self.MEMORY,
            visited=visited,
            histories={'vm1': history},
        )

    def test_nobody_has_looked_at_it_yet(self):
        found = self.look()
        self.assertEqual({'vm1'}, found.suspects)

        seen = builders.observation(histories={'vm1': (base.deed(),)})
        self.assertEqual(
            {'vm1'}, tracks.strangers(seen, policies.Policy(), found)
        )

    def test_it_becomes_ours(self):
        found = self.look(base.changed(host=builders.DEST))

        self.assertEqual(set(), found.suspects)
        self.assertTrue(found.tracks['vm1'].found_resumed)
        self.assertEqual('SUSPENDED', found.tracks['vm1'].before.status)

    @ddt.data(
        base.changed(status='SUSPENDED', host=builders.DEST),
        base.changed(status='SHUTOFF', host=builders.DEST),
        base.DELETED,
    )
    def test_it_does_not(self, view):
        found = self.look(view)

        self.assertEqual(set(), found.suspects)
        self.assertEqual({}, dict(found.tracks))

    def test_nobody_looks_where_the_history_says_enough(self):
        found = self.look(history=())

        self.assertEqual(set(), found.suspects)
