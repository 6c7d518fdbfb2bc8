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

"""A move failed or was refused: again, another way, or no more."""

import dataclasses

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
Phase = base.Phase


@ddt.ddt
class TestFailures(base.CaseTestCase):
    """A move that Nova had taken failed."""

    def failed(self, failures=1, *, ago=100.0, status='error', **kwargs):
        """Return where it stands after so many failures, the last ago."""
        records = [
            base.record(status, record_id=i + 1, seen_at=NOW - ago)
            for i in range(failures)
        ]
        return self.stand(
            *records,
            track=base.asked(taken=failures, asked_after=failures - 1),
            failures={r.id: base.FAILURE for r in records},
            **kwargs,
        )

    def test_why_is_asked_first(self):
        stand = self.assert_phase(Phase.SETTLING, base.record('error'))

        self.assertTrue(stand.explain)

    @ddt.data('error', 'failed', 'cancelled')
    def test_it_is_tried_again(self, status):
        stand = self.failed(status=status)

        self.assertEqual(Phase.WAITING, stand.phase)
        self.assertIs(model.Move.LIVE, stand.move)
        self.assertIn(base.FAILURE, stand.reason)

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
        self.assertIn(base.FAILURE, stand.reason)

    @ddt.data((1, 1), (2, 1), (2, 2))
    @ddt.unpack
    def test_every_retry_waits_longer(self, failures, factor):
        pause = timing.RETRY_WAIT_SECONDS * factor
        stand = self.failed(failures, ago=pause - 0.5)

        self.assertEqual(Phase.SETTLING, stand.phase)
        self.assertIn(base.FAILURE, stand.reason)

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
        self.assertIn(base.FAILURE, stand.reason)
        self.assertIn('in ERROR', stand.reason)

    def test_nova_keeps_no_reason(self):
        """Of a roll-back: then it is said where to look."""
        stand = self.stand(
            base.record('failed'),
            failures={7: ''},
            retries=0,
            track=base.asked(),
        )

        self.assertEqual(Phase.FAILED, stand.phase)
        self.assertIn('live migration ended as "failed"', stand.reason)
        self.assertIn('nova-compute log of cmp01 and cmp02', stand.reason)

    def test_nova_keeps_no_reason_and_no_destination(self):
        stand = self.stand(
            base.record('error', dest=None), failures={7: ''}, retries=0
        )

        self.assertIn('nova-compute log of cmp01', stand.reason)
        self.assertNotIn('None', stand.reason)


@ddt.ddt
class TestRefusals(base.CaseTestCase):
    """Nova said no at once, and kept no record of it."""

    def refused(self, refusals=1, ago=100.0, **kwargs):
        refused_at = NOW - ago
        kwargs.setdefault('view', base.HERE)
        return self.stand(
            track=base.refused(times=refusals, refused_at=refused_at),
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
        self.assertIn(base.REFUSAL, stand.reason)

    def test_the_server_is_looked_at_first(self):
        """What it is now tells whether the refusal still matters."""
        before = dataclasses.replace(base.HERE, seen_at=NOW - 101)
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
        (base.DELETED, Phase.GONE),
        (base.THERE, Phase.MOVED),
        (builders.server(task_state='rebooting'), Phase.BUSY),
        (base.MIGRATING, Phase.BUSY),
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
            base.record('running', seen_at=NOW),
            view=base.MIGRATING,
            track=base.refused(refused_at=NOW - 5),
        )

        self.assertEqual(Phase.MOVING, stand.phase)

    def test_a_later_end_counts_more(self):
        stand = self.stand(
            base.record('error'),
            track=base.refused(refused_at=base.SEEN - 5),
            failures={7: base.FAILURE},
            retries=0,
        )

        self.assertEqual(Phase.FAILED, stand.phase)
        self.assertIn(base.FAILURE, stand.reason)

    def test_after_a_failure(self):
        """The retry was refused: the failure before it is history."""
        stand = self.stand(
            base.record('error', seen_at=NOW - 200),
            track=base.refused(asked_at=NOW - 210, asked_after=6, taken=1),
            failures={7: base.FAILURE},
        )

        self.assertEqual(Phase.WAITING, stand.phase)

    def test_after_a_request_that_was_lost(self):
        stand = self.stand(
            track=base.refused(asked_at=NOW - 210, asked_after=6, taken=1),
        )

        self.assertEqual(Phase.WAITING, stand.phase)

    @ddt.data(
        # status, for good, whether we resumed it; the hint is given
        ('ACTIVE', True, False, True),
        ('ACTIVE', False, False, False),
        # Neither can be cold-migrated.
        ('PAUSED', True, False, False),
        ('ACTIVE', True, True, False),
    )
    @ddt.unpack
    def test_a_way_out_is_told_where_there_is_one(
        self, status, final, resumed, expected
    ):
        before = base.SUSPENDED if resumed else base.HERE
        track = builders.track(before, found_resumed=resumed)
        stand = self.stand(
            view=builders.server(status=status),
            track=base.refused(times=3, final=final, track=track),
        )

        self.assertEqual(Phase.BLOCKED, stand.phase)
        self.assertIs(expected, '--running live-or-cold' in stand.reason)

    @ddt.data(
        # what it is since, the option; what is asked for
        ('SHELVED', {}, Kind.OFFLOAD),
        (
            'SUSPENDED',
            {'suspended': policies.Suspended.SHELVE},
            Kind.SHELVE,
        ),
        (
            'VERIFY_RESIZE',
            {'resized': policies.Resized.CONFIRM},
            Kind.CONFIRM,
        ),
        ('SHUTOFF', {}, Kind.COLD_MIGRATE),
    )
    @ddt.unpack
    def test_what_was_refused_says_nothing_of_another_way(
        self, status, options, ask
    ):
        stand = self.stand(
            view=builders.server(status=status),
            track=base.refused(final=True),
            policy=policies.Policy(**options),
        )

        self.assertEqual(Phase.WAITING, stand.phase)
        self.assertIs(ask, stand.ask)
        self.assertEqual('', stand.reason)

    def test_but_to_resume_is_no_other_way(self):
        """What would be resumed could not be live-migrated."""
        stand = self.stand(
            view=base.SUSPENDED,
            track=base.refused(final=True),
            policy=policies.Policy(suspended=policies.Suspended.RESUME),
        )

        self.assertEqual(Phase.BLOCKED, stand.phase)
        self.assertIn(base.REFUSAL, stand.reason)
