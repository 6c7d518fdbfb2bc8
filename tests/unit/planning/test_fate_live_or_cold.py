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

"""A live migration is impossible or was given up: another way, or none."""

import dataclasses

import ddt

from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
Phase = base.Phase

OR_COLD = policies.Policy(running=policies.Running.LIVE_OR_COLD)


@ddt.ddt
class TestLiveOrCold(base.CaseTestCase):
    """What can't be live-migrated is cold-migrated, if we are told so."""

    REFUSED = base.refused(final=True)
    EXHAUSTED = tuple(
        base.record('error', n, seen_at=NOW - 100) for n in (7, 8, 9)
    )
    ABORTED = base.asked(Kind.ABORT, record_id=7, why='stalled')

    def test_after_a_refusal_for_good(self):
        """400: it has a share attached, or whatever."""
        stand = self.assert_phase(
            Phase.WAITING, track=self.REFUSED, policy=OR_COLD
        )

        self.assertIs(Kind.COLD_MIGRATE, stand.ask)
        self.assertEqual(base.REFUSAL, stand.reason)

    def test_at_once(self):
        """No pause: it is not the same that is asked for."""
        track = base.refused(final=True, refused_at=NOW - 0.5)
        stand = self.assert_phase(Phase.WAITING, track=track, policy=OR_COLD)

        self.assertIs(Kind.COLD_MIGRATE, stand.ask)

    @ddt.data(
        # refusals that were not for good, what is asked for next
        (1, Kind.LIVE_MIGRATE),
        (2, Kind.LIVE_MIGRATE),
        (3, Kind.COLD_MIGRATE),
    )
    @ddt.unpack
    def test_after_refusals(self, times, ask):
        stand = self.stand(track=base.refused(times=times), policy=OR_COLD)

        self.assertIs(ask, stand.ask)

    @ddt.data(
        # failures; what is asked for next
        (1, Kind.LIVE_MIGRATE),
        (2, Kind.LIVE_MIGRATE),
        (3, Kind.COLD_MIGRATE),
    )
    @ddt.unpack
    def test_after_failures(self, failures, ask):
        records = self.EXHAUSTED[:failures]
        stand = self.assert_phase(
            Phase.WAITING,
            *records,
            failures={r.id: base.FAILURE for r in records},
            policy=OR_COLD,
        )

        self.assertIs(ask, stand.ask)
        self.assertEqual(base.FAILURE, stand.reason)

    def test_after_failures_of_an_earlier_run(self):
        """One attempt is this run's own."""
        record = base.record('error', seen_at=NOW - 100)
        stand = self.stand(
            record,
            failures={7: base.FAILURE},
            earlier=self.EXHAUSTED[1:],
            policy=OR_COLD,
        )

        self.assertIs(Kind.COLD_MIGRATE, stand.ask)

    def test_after_an_abort(self):
        stand = self.assert_phase(
            Phase.WAITING,
            base.record('cancelled', seen_at=NOW - 100),
            track=self.ABORTED,
            policy=OR_COLD,
        )

        self.assertIs(Kind.COLD_MIGRATE, stand.ask)
        self.assertIn('stalled', stand.reason)

    def test_a_cold_migration_after_an_abort_has_its_own_reason(self):
        records = (
            base.record('cancelled', seen_at=NOW - 200),
            base.record('error', 8, type=base.COLD),
        )
        track = base.asked(
            Kind.COLD_MIGRATE, track=self.ABORTED, asked_after=7
        )

        stand = self.assert_phase(
            Phase.SETTLING, *records, track=track, policy=OR_COLD
        )
        self.assertTrue(stand.explain)

        policy = dataclasses.replace(OR_COLD, retries=0)
        stand = self.assert_phase(
            Phase.FAILED,
            *records,
            track=track,
            policy=policy,
            failures={8: 'No space left'},
        )
        self.assertEqual('No space left', stand.reason)

    def test_the_cold_migration_has_tries_of_its_own(self):
        cold = [
            base.record('error', n, type=base.COLD, seen_at=NOW - 100)
            for n in (10, 11, 12)
        ]
        for tries, phase in ((1, Phase.WAITING), (3, Phase.FAILED)):
            records = self.EXHAUSTED + tuple(cold[:tries])
            stand = self.assert_phase(
                phase,
                *records,
                failures={r.id: base.FAILURE for r in records},
                policy=OR_COLD,
            )
            if phase is Phase.WAITING:
                self.assertIs(Kind.COLD_MIGRATE, stand.ask)

    def test_refused_both_ways(self):
        track = base.refused(Kind.COLD_MIGRATE, final=True, track=self.REFUSED)
        stand = self.assert_phase(Phase.BLOCKED, track=track, policy=OR_COLD)

        self.assertIn(base.REFUSAL, stand.reason)
        self.assertNotIn('live-or-cold', stand.reason)

    @ddt.data(
        {'track': REFUSED},
        {'records': EXHAUSTED},
    )
    def test_a_paused_server_has_no_such_way(self, known):
        records = known.get('records', ())
        stand = self.stand(
            *records,
            view=builders.server(status='PAUSED'),
            track=known.get('track'),
            failures={r.id: base.FAILURE for r in records},
            policy=OR_COLD,
        )
        why = base.FAILURE if records else base.REFUSAL

        self.assertIn(stand.phase, (Phase.BLOCKED, Phase.FAILED))
        self.assertEqual(1, stand.reason.count(why))
        self.assertIn('openstack server unpause vm1', stand.reason)

    @ddt.data(
        {'track': REFUSED},
        {'records': EXHAUSTED},
    )
    def test_without_being_told_so_it_is_not_restarted(self, known):
        records = known.get('records', ())
        stand = self.stand(
            *records,
            track=known.get('track'),
            failures={r.id: base.FAILURE for r in records},
        )

        self.assertIn(stand.phase, (Phase.BLOCKED, Phase.FAILED))
        self.assertIsNone(stand.ask)


@ddt.ddt
class TestGivenUp(base.CaseTestCase):
    """Aborted by us, because it stalled or took too long."""

    TRACK = base.asked(Kind.ABORT, record_id=7, why='stalled')

    def test_there_is_no_other_attempt(self):
        stand = self.assert_phase(
            Phase.FAILED, base.record('cancelled'), track=self.TRACK
        )

        self.assertEqual(
            'stalled: its live migration was aborted', stand.reason
        )

    def test_why_is_not_asked(self):
        stand = self.stand(base.record('cancelled'), track=self.TRACK)

        self.assertFalse(stand.explain)

    def test_but_for_another_way_that_its_owner_has_opened(self):
        """Stopped meanwhile."""
        stand = self.assert_phase(
            Phase.WAITING,
            base.record('cancelled', seen_at=NOW - 100),
            view=builders.server(status='SHUTOFF'),
            track=self.TRACK,
        )

        self.assertIs(Kind.COLD_MIGRATE, stand.ask)

    def test_it_came_too_late(self):
        self.assert_phase(
            Phase.MOVED,
            base.record('completed'),
            view=base.THERE,
            track=self.TRACK,
        )

    def test_aborted_because_its_destination_died_it_is_tried_again(self):
        stand = self.assert_phase(
            Phase.WAITING,
            base.record('cancelled', seen_at=NOW - 100),
            track=base.asked(Kind.ABORT, record_id=7),
            failures={7: ''},
        )

        self.assertIs(Kind.LIVE_MIGRATE, stand.ask)
        self.assertIn('ended as "cancelled"', stand.reason)
