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

"""Where a server stands, from its records and what it looks like.

Times: the request to move was sent at ``ASKED``, the record's status was
first seen at ``SEEN``, and the decision is taken at ``NOW``, soon after.
"""

import dataclasses
import unittest

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import standing
from tests.unit import builders

NOW = builders.NOW
SEEN = NOW - 1
ASKED = NOW - 10
Phase = standing.Phase

HERE = builders.server()
THERE = builders.server(host=builders.DEST)
LEFT = ()
DELETED = builders.server(status='DELETED')
MIGRATING = builders.server(status='MIGRATING')

COLD = model.MigrationType.COLD
RESIZE = model.MigrationType.RESIZE
LIVE = model.MigrationType.LIVE
EVACUATION = model.MigrationType.EVACUATION


def case(
    *records,
    view=HERE,
    listed=None,
    track=None,
    now=NOW,
    since=builders.SINCE,
    failures=None,
    retries=2,
    **kwargs,
):
    """Return a case of vm1.

    :param view: as it was visited; () where nothing is known of it.
    :param listed: whether the list for the host shows it; by default that
        is so where the view says that it is there.
    """
    view = view or None
    if listed is None:
        listed = view is not None and view.host == builders.HOST
    seen = builders.observation(
        servers=[view] if listed else [],
        visited=[view] if view and not listed else [],
        migrations=records,
        failures=failures or {},
        **kwargs,
    )
    return standing.Case(
        server_id='vm1',
        track=track or builders.track(),
        seen=seen,
        records=records,
        policy=policies.Policy(retries=retries),
        since=since,
        now=now,
    )


def record(status='running', record_id=7, **kwargs):
    """Return the record of a move that was first seen like this at SEEN."""
    return builders.migration(record_id, status, **{'seen_at': SEEN, **kwargs})


def asked(**kwargs):
    """Return the track of a server whose move was asked for once."""
    return builders.track(
        **{
            'move': model.Move.LIVE,
            'attempts': 1,
            'taken': kwargs.get('attempts', 1),
            'asked_at': ASKED,
            'asked_after': 6,
            **kwargs,
        }
    )


class Base(unittest.TestCase):
    def stand(self, *args, **kwargs):
        return standing.stand(case(*args, **kwargs))

    def assert_phase(self, phase, *args, **kwargs):
        stand = self.stand(*args, **kwargs)
        self.assertEqual(phase, stand.phase, stand)
        return stand


@ddt.ddt
class TestUntouched(Base):
    """Nobody has asked for a move of it."""

    @ddt.data(
        ('ACTIVE', Phase.WAITING),
        ('SHUTOFF', Phase.WAITING),
        ('BUILD', Phase.BUSY),
        ('MIGRATING', Phase.BUSY),
        ('SUSPENDED', Phase.BLOCKED),
        ('ERROR', Phase.BLOCKED),
    )
    @ddt.unpack
    def test_lies_on_the_host(self, status, phase):
        self.assert_phase(phase, view=builders.server(status=status))

    def test_left_without_being_seen_to(self):
        stand = self.assert_phase(Phase.SETTLING, view=LEFT)

        self.assertTrue(stand.visit)

    def test_was_deleted(self):
        self.assert_phase(Phase.GONE, view=DELETED)

    def test_somebody_else_has_moved_it(self):
        stand = self.assert_phase(Phase.MOVED, view=THERE)

        self.assertEqual(builders.DEST, stand.destination)

    def test_somebody_has_offloaded_it(self):
        stand = self.assert_phase(
            Phase.MOVED, view=builders.server(status='SHELVED_OFFLOADED')
        )

        self.assertIn('SHELVED_OFFLOADED', stand.reason)
        self.assertIsNone(stand.destination)


@ddt.ddt
class TestRecords(Base):
    """A record's status and a later look at the server."""

    @ddt.data(
        # type, status of the record, the server as seen since, phase
        (LIVE, 'accepted', MIGRATING, Phase.MOVING),
        (LIVE, 'queued', MIGRATING, Phase.MOVING),
        (LIVE, 'preparing', MIGRATING, Phase.MOVING),
        (LIVE, 'running', MIGRATING, Phase.MOVING),
        (LIVE, 'a status of tomorrow', MIGRATING, Phase.MOVING),
        # The server is there ~0.1 s before the record says so.
        (LIVE, 'running', THERE, Phase.MOVING),
        (LIVE, 'running', DELETED, Phase.GONE),
        (LIVE, 'completed', THERE, Phase.MOVED),
        (LIVE, 'completed', MIGRATING, Phase.SETTLING),
        (LIVE, 'completed', LEFT, Phase.SETTLING),
        (LIVE, 'completed', HERE, Phase.SETTLING),
        (LIVE, 'completed', DELETED, Phase.GONE),
        (LIVE, 'error', MIGRATING, Phase.SETTLING),
        (LIVE, 'error', DELETED, Phase.GONE),
        # Somebody moved it by other means.
        (LIVE, 'failed', THERE, Phase.MOVED),
        (COLD, 'pre-migrating', builders.server(status='RESIZE'), 'moving'),
        (COLD, 'post-migrating', builders.server(status='RESIZE'), 'moving'),
        (COLD, 'confirming', LEFT, Phase.MOVING),
        # The record ends 0.4 to 2 s before the server does.
        (
            COLD,
            'confirmed',
            builders.server(status='VERIFY_RESIZE', host=builders.DEST),
            Phase.SETTLING,
        ),
        (COLD, 'confirmed', THERE, Phase.MOVED),
        (
            COLD,
            'reverted',
            builders.server(status='REVERT_RESIZE'),
            Phase.SETTLING,
        ),
        # An owner's resize that has ended leaves a server like any other.
        (RESIZE, 'migrating', builders.server(status='RESIZE'), 'moving'),
        (
            RESIZE,
            'reverting',
            builders.server(status='REVERT_RESIZE'),
            'moving',
        ),
        (RESIZE, 'reverted', HERE, Phase.WAITING),
        (RESIZE, 'error', HERE, Phase.WAITING),
        (RESIZE, 'confirmed', HERE, Phase.WAITING),
        (RESIZE, 'confirmed', THERE, Phase.MOVED),
        (EVACUATION, 'done', THERE, Phase.MOVED),
        (EVACUATION, 'pre-migrating', HERE, Phase.MOVING),
    )
    @ddt.unpack
    def test_phase(self, kind, status, view, phase):
        self.assert_phase(phase, record(status, type=kind), view=view)

    @ddt.data('completed', 'error', 'failed', 'cancelled')
    def test_a_look_before_the_end_proves_nothing(self, status):
        before = dataclasses.replace(HERE, seen_at=SEEN - 0.1)
        stand = self.assert_phase(Phase.SETTLING, record(status), view=before)

        self.assertTrue(stand.visit)

    def test_destination_is_told_while_it_moves(self):
        stand = self.stand(record('running'), view=MIGRATING)

        self.assertEqual(builders.DEST, stand.destination)

    def test_the_newest_record_counts(self):
        old = record('failed', 6, seen_at=SEEN - 100)

        self.assert_phase(Phase.MOVING, old, record('queued'), view=MIGRATING)

    def test_in_flight_and_on_no_list_is_looked_at(self):
        """The record of a deleted server is not seen to end."""
        stand = self.stand(record('running'), view=LEFT)

        self.assertTrue(stand.visit)

    def test_in_flight_and_on_no_list_is_not_looked_at_all_the_time(self):
        view = builders.server(status='MIGRATING', host=builders.DEST)
        stand = self.stand(record('running'), view=view)
        self.assertFalse(stand.visit)

        old = dataclasses.replace(view, seen_at=NOW - standing.REVISIT_SECONDS)
        stand = self.stand(record('running'), view=old)
        self.assertTrue(stand.visit)

    def test_in_flight_and_listed_is_not_looked_at(self):
        view = dataclasses.replace(MIGRATING, seen_at=NOW - 1000)
        stand = self.stand(record('running'), view=view)

        self.assertFalse(stand.visit)


@ddt.ddt
class TestRecordAheadOfServer(Base):
    """`completed`, and the server still sits on the source."""

    def test_nova_gets_some_time(self):
        stand = self.assert_phase(Phase.SETTLING, record('completed'))

        self.assertTrue(stand.visit)

    def late(self, **kwargs):
        seen_at = NOW - standing.PATIENCE_SECONDS - 1
        return self.stand(record('completed', seen_at=seen_at), **kwargs)

    def test_then_it_is_moved_again(self):
        stand = self.late()

        self.assertEqual(Phase.WAITING, stand.phase)
        self.assertIn('completed', stand.reason)

    def test_or_failed_where_there_is_no_retry_left(self):
        stand = self.late(retries=0)

        self.assertEqual(Phase.FAILED, stand.phase)
        self.assertIn('still on cmp01', stand.reason)


@ddt.ddt
class TestFailures(Base):
    """A move that Nova had taken failed."""

    def failed(self, failures=1, *, ago=100.0, status='error', **kwargs):
        """Return where it stands after so many failures, the last ago."""
        records = [
            record(status, record_id=i + 1, seen_at=NOW - ago)
            for i in range(failures)
        ]
        return self.stand(
            *records,
            track=asked(attempts=failures, asked_after=failures - 1),
            failures={r.id: 'No valid host was found' for r in records},
            **kwargs,
        )

    def test_why_is_asked_first(self):
        stand = self.assert_phase(Phase.SETTLING, record('error'))

        self.assertTrue(stand.explain)

    @ddt.data('error', 'failed', 'cancelled')
    def test_it_is_tried_again(self, status):
        stand = self.failed(status=status)

        self.assertEqual(Phase.WAITING, stand.phase)
        self.assertIs(model.Move.LIVE, stand.move)
        self.assertIn('No valid host', stand.reason)

    @ddt.data(
        # failures, allowed retries, where that leads
        (1, 2, Phase.WAITING),
        (2, 2, Phase.WAITING),
        (3, 2, Phase.FAILED),
        (1, 0, Phase.FAILED),
        (1, 1, Phase.WAITING),
        (2, 1, Phase.FAILED),
    )
    @ddt.unpack
    def test_retries_are_further_attempts(self, failures, retries, phase):
        stand = self.failed(failures, retries=retries)

        self.assertEqual(phase, stand.phase)
        self.assertIn('No valid host', stand.reason)

    @ddt.data((1, 1), (2, 1), (2, 2))
    @ddt.unpack
    def test_every_retry_waits_longer(self, failures, factor):
        pause = standing.RETRY_SECONDS * factor
        stand = self.failed(failures, ago=pause - 0.5)

        self.assertEqual(Phase.SETTLING, stand.phase)
        self.assertIn('No valid host', stand.reason)

    def test_it_moves_by_what_it_is_now(self):
        """A server that its owner has stopped meanwhile."""
        stand = self.failed(view=builders.server(status='SHUTOFF'))

        self.assertEqual(Phase.WAITING, stand.phase)
        self.assertIs(model.Move.COLD, stand.move)

    def test_a_task_is_awaited_first(self):
        stand = self.failed(view=builders.server(task_state='rebooting'))

        self.assertEqual(Phase.BUSY, stand.phase)

    def test_the_move_broke_the_server(self):
        stand = self.failed(view=builders.server(status='ERROR'))

        self.assertEqual(Phase.FAILED, stand.phase)
        self.assertIn('No valid host', stand.reason)
        self.assertIn('in ERROR', stand.reason)

    def test_nova_keeps_no_reason(self):
        """Of a roll-back: then it is said where to look."""
        stand = self.stand(
            record('failed'), failures={7: ''}, retries=0, track=asked()
        )

        self.assertEqual(Phase.FAILED, stand.phase)
        self.assertIn('live migration ended as "failed"', stand.reason)
        self.assertIn('nova-compute log of cmp01 and cmp02', stand.reason)

    def test_nova_keeps_no_reason_and_no_destination(self):
        stand = self.stand(
            record('error', dest=None), failures={7: ''}, retries=0
        )

        self.assertIn('nova-compute log of cmp01', stand.reason)
        self.assertNotIn('None', stand.reason)


@ddt.ddt
class TestConfirmation(Base):
    """A cold migration holds its disk here until it is confirmed."""

    VERIFY = builders.server(
        status='VERIFY_RESIZE',
        host=builders.DEST,
    )

    def finished(self, **kwargs):
        return record(
            'finished', **{'type': COLD, 'seen_at': NOW - 60, **kwargs}
        )

    def test_the_run_that_asked_for_it_confirms_at_once(self):
        self.assert_phase(
            Phase.CONFIRM,
            self.finished(seen_at=NOW),
            view=self.VERIFY,
            track=asked(move=model.Move.COLD, accepted=True),
        )

    @ddt.data(
        # of another run; asked for by this one, but nobody knows who won
        builders.track(),
        asked(move=model.Move.COLD, accepted=False),
    )
    def test_others_leave_it_to_that_run_for_a_while(self, track):
        """Two confirmations at once put the server into ERROR."""
        seen_at = NOW - standing.ADOPT_SECONDS
        for seen, phase in (
            (seen_at + 1, Phase.MOVING),
            (seen_at, Phase.CONFIRM),
        ):
            self.assert_phase(
                phase,
                self.finished(seen_at=seen),
                view=self.VERIFY,
                track=track,
            )

    @ddt.data(
        # type, seconds after the maintenance began, ours
        (COLD, 60, True),
        (COLD, 0, True),
        # Nova's controllers do not agree about the time.
        (COLD, -3, True),
        (COLD, -60, False),
        (RESIZE, 60, False),
        (RESIZE, -60, False),
    )
    @ddt.unpack
    def test_whose_it_is(self, kind, seconds, ours):
        created = builders.cloud_time(seconds)
        stand = self.stand(
            self.finished(type=kind, created_at=created), view=self.VERIFY
        )

        self.assertEqual(Phase.CONFIRM if ours else Phase.BLOCKED, stand.phase)
        self.assertEqual(builders.DEST, stand.destination)

    def test_somebody_elses_says_what_to_do(self):
        stand = self.stand(self.finished(type=RESIZE), view=self.VERIFY)

        self.assertIn('openstack server resize confirm vm1', stand.reason)

    def test_nothing_is_confirmed_without_a_mark(self):
        self.assert_phase(
            Phase.BLOCKED, self.finished(), view=self.VERIFY, since=None
        )

    def test_of_a_deleted_server(self):
        self.assert_phase(Phase.GONE, self.finished(), view=DELETED)

    def test_asked_for_it_is_awaited(self):
        self.assert_phase(
            Phase.MOVING,
            self.finished(),
            view=self.VERIFY,
            track=builders.track(confirmed_at=NOW - 1),
        )

    def test_lost_it_is_asked_for_again(self):
        lost = NOW - standing.PATIENCE_SECONDS
        self.assert_phase(
            Phase.CONFIRM,
            self.finished(),
            view=self.VERIFY,
            track=builders.track(confirmed_at=lost),
        )

    @ddt.data(
        (1, Phase.CONFIRM),
        (standing.CONFIRM_TRIES - 1, Phase.CONFIRM),
        (standing.CONFIRM_TRIES, Phase.FAILED),
    )
    @ddt.unpack
    def test_refused_it_is_asked_for_a_few_times(self, refusals, phase):
        stand = self.stand(
            self.finished(),
            view=self.VERIFY,
            track=builders.track(
                confirm_refusals=refusals, confirm_refusal='not yet'
            ),
        )

        self.assertEqual(phase, stand.phase)
        if phase is Phase.FAILED:
            self.assertIn('not yet', stand.reason)
            self.assertIn(builders.DEST, stand.reason)


@ddt.ddt
class TestAskedFor(Base):
    """A move was asked for, and no record shows it yet."""

    def lost(self, waited, view=HERE, **kwargs):
        return self.stand(
            view=view, track=asked(asked_at=NOW - waited), **kwargs
        )

    @ddt.data(
        # the server as it looks since, where it stands
        (HERE, Phase.MOVING),
        (MIGRATING, Phase.MOVING),
        (builders.server(status='RESIZE', host=builders.DEST), Phase.MOVING),
        (LEFT, Phase.MOVING),
        (DELETED, Phase.GONE),
        (THERE, Phase.MOVED),
    )
    @ddt.unpack
    def test_before_a_record_shows(self, view, phase):
        self.assert_phase(phase, view=view, track=asked())

    def test_a_cold_migration_that_is_faster_than_we_look(self):
        """Its record is still to be seen: only then it can be confirmed."""
        self.assert_phase(
            Phase.MOVING,
            view=builders.server(status='VERIFY_RESIZE', host=builders.DEST),
            track=asked(move=model.Move.COLD),
        )

    def test_an_earlier_record_is_not_its(self):
        """Right after the request the newest record is the previous one."""
        self.assert_phase(
            Phase.MOVING,
            record('error', 6, seen_at=ASKED - 1),
            track=asked(asked_after=6, attempts=2),
            failures={6: 'No valid host was found'},
        )

    def test_a_look_before_the_request_proves_nothing(self):
        before = dataclasses.replace(THERE, seen_at=ASKED - 1)
        self.assert_phase(Phase.MOVING, view=before, track=asked())

    def test_it_is_not_looked_at_at_once(self):
        old = dataclasses.replace(HERE, seen_at=NOW - 60)

        self.assertFalse(self.lost(1, old).visit)
        self.assertTrue(self.lost(standing.VISIT_AFTER_SECONDS, old).visit)

    def test_nova_gets_some_time(self):
        stand = self.lost(standing.PATIENCE_SECONDS - 1)

        self.assertEqual(Phase.MOVING, stand.phase)

    def test_then_it_is_tried_again_after_a_pause(self):
        stand = self.lost(standing.PATIENCE_SECONDS + 1)

        self.assertEqual(Phase.SETTLING, stand.phase)
        self.assertIn('nothing came of it', stand.reason)

        stand = self.lost(standing.PATIENCE_SECONDS + standing.RETRY_SECONDS)
        self.assertEqual(Phase.WAITING, stand.phase)
        self.assertIs(model.Move.LIVE, stand.move)

    def test_and_in_the_end_it_has_failed(self):
        stand = self.lost(standing.PATIENCE_SECONDS + 1, retries=0)

        self.assertEqual(Phase.FAILED, stand.phase)
        self.assertIn('nothing came of it', stand.reason)

    def test_a_server_that_moves_is_awaited_for_ever(self):
        """Asking again is no help: Nova answers 409."""
        stand = self.lost(3600, MIGRATING)

        self.assertEqual(Phase.MOVING, stand.phase)

    def test_now_and_then_it_is_looked_at_meanwhile(self):
        """It may be deleted before its record was ever seen."""
        view = builders.server(
            status='RESIZE',
            host=builders.DEST,
            seen_at=NOW - standing.REVISIT_SECONDS,
        )
        stand = self.lost(3600, view)

        self.assertEqual(Phase.MOVING, stand.phase)
        self.assertTrue(stand.visit)


@ddt.ddt
class TestRefusals(Base):
    """Nova said no at once, and kept no record of it."""

    def refused(self, refusals=1, ago=100.0, **kwargs):
        refused_at = NOW - ago
        kwargs.setdefault('view', HERE)
        return self.stand(
            track=builders.track(
                move=model.Move.LIVE,
                attempts=refusals,
                refusals=refusals,
                refusal='Nova says no',
                refused_at=refused_at,
            ),
            **kwargs,
        )

    @ddt.data(
        (1, 2, Phase.WAITING),
        (2, 2, Phase.WAITING),
        (3, 2, Phase.BLOCKED),
        (1, 0, Phase.BLOCKED),
    )
    @ddt.unpack
    def test_how_often(self, refusals, retries, phase):
        stand = self.refused(refusals, retries=retries)

        self.assertEqual(phase, stand.phase)
        self.assertIn('Nova says no', stand.reason)

    def test_the_server_is_looked_at_first(self):
        """What it is now tells whether the refusal still matters."""
        before = dataclasses.replace(HERE, seen_at=NOW - 101)
        stand = self.refused(view=before)

        self.assertEqual(Phase.SETTLING, stand.phase)
        self.assertTrue(stand.visit)

    @ddt.data(
        (1, 4.9, Phase.SETTLING),
        (1, 5.0, Phase.WAITING),
        (2, 9.9, Phase.SETTLING),
        (2, 10.0, Phase.WAITING),
    )
    @ddt.unpack
    def test_there_is_a_pause_between(self, refusals, ago, phase):
        self.assertEqual(phase, self.refused(refusals, ago).phase)

    @ddt.data(
        # what it is since, where it stands
        (DELETED, Phase.GONE),
        (THERE, Phase.MOVED),
        (builders.server(task_state='rebooting'), Phase.BUSY),
        (MIGRATING, Phase.BUSY),
        (builders.server(status='SUSPENDED'), Phase.BLOCKED),
        (builders.server(status='SHUTOFF'), Phase.WAITING),
    )
    @ddt.unpack
    def test_it_was_refused_because(self, view, phase):
        self.assertEqual(phase, self.refused(view=view).phase)

    def test_stopped_meanwhile_it_is_cold_migrated(self):
        stand = self.refused(view=builders.server(status='SHUTOFF'))

        self.assertIs(model.Move.COLD, stand.move)

    def test_because_somebody_else_was_first(self):
        """409: a migration is under way. It is awaited like ours."""
        stand = self.stand(
            record('running', seen_at=NOW),
            view=MIGRATING,
            track=builders.track(refusals=1, refused_at=NOW - 5),
        )

        self.assertEqual(Phase.MOVING, stand.phase)

    def test_a_later_end_counts_more(self):
        stand = self.stand(
            record('error'),
            track=builders.track(refusals=1, refused_at=SEEN - 5),
            failures={7: 'No valid host was found'},
            retries=0,
        )

        self.assertEqual(Phase.FAILED, stand.phase)
        self.assertIn('No valid host', stand.reason)

    def test_after_a_failure(self):
        """The retry was refused: the failure before it is history."""
        stand = self.stand(
            record('error', seen_at=NOW - 200),
            track=asked(
                asked_at=NOW - 210,
                attempts=2,
                refusals=1,
                refusal='Nova says no',
                refused_at=NOW - 100,
            ),
            failures={7: 'No valid host was found'},
        )

        self.assertEqual(Phase.WAITING, stand.phase)

    def test_after_a_request_that_was_lost(self):
        stand = self.stand(
            track=asked(
                asked_at=NOW - 210,
                attempts=2,
                refusals=1,
                refusal='Nova says no',
                refused_at=NOW - 100,
            ),
        )

        self.assertEqual(Phase.WAITING, stand.phase)


@ddt.ddt
class TestVerification(Base):
    """After its move a server is what it was, or that is a failure."""

    def moved(self, before, **after):
        return self.stand(
            record('completed'),
            view=dataclasses.replace(THERE, **after),
            track=builders.track(before),
        )

    @ddt.data(
        # before, after, phase, words
        ('active', 'active', Phase.MOVED, ''),
        ('paused', 'paused', Phase.MOVED, ''),
        ('stopped', 'stopped', Phase.MOVED, ''),
        ('active', 'stopped', Phase.FAILED, 'was active and is stopped'),
        ('paused', 'active', Phase.FAILED, 'was paused and is active'),
        ('stopped', 'active', Phase.FAILED, 'was stopped and is active'),
        ('active', 'error', Phase.FAILED, 'was active and is error'),
        # First seen in the middle of a resize or a build.
        ('resized', 'active', Phase.MOVED, ''),
        ('building', 'active', Phase.MOVED, ''),
    )
    @ddt.unpack
    def test_state(self, before, after, phase, words):
        stand = self.moved(builders.server(vm_state=before), vm_state=after)

        self.assertEqual(phase, stand.phase)
        self.assertIn(words, stand.reason)
        self.assertEqual(builders.DEST, stand.destination)

    def test_what_the_owner_does_meanwhile_is_no_failure(self):
        stand = self.moved(HERE, status='REBOOT', task_state='rebooting')

        self.assertEqual(Phase.MOVED, stand.phase)

    @ddt.data(
        (('10.0.0.5',), ('10.0.0.5',), ''),
        ((), ('10.0.0.5',), ''),
        (('10.0.0.5',), ('10.0.0.6',), 'were 10.0.0.5 and are 10.0.0.6'),
        (('10.0.0.5',), (), 'were 10.0.0.5 and are none'),
        (('10.0.0.5', 'fd00::5'), ('10.0.0.5',), '10.0.0.5, fd00::5 and are'),
    )
    @ddt.unpack
    def test_fixed_addresses(self, before, after, words):
        stand = self.moved(builders.server(addresses=before), addresses=after)

        self.assertEqual(Phase.FAILED if words else Phase.MOVED, stand.phase)
        self.assertIn(words, stand.reason)

    def test_both_values_of_every_difference_are_told(self):
        stand = self.moved(HERE, vm_state='stopped', addresses=())

        self.assertIn('was active and is stopped', stand.reason)
        self.assertIn('were 10.0.0.5 and are none', stand.reason)
        self.assertIn('moved to cmp02, but', stand.reason)
