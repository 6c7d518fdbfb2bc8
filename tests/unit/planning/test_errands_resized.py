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

"""A resize that lies on the host, and is to be confirmed (--resized)."""

import math

import ddt

from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
Phase = base.Phase
RESIZED = policies.Policy(resized=policies.Resized.CONFIRM)


@ddt.ddt
class TestConfirmHere(base.CaseTestCase):
    """A resize that lies on this host: confirmed, it is like any other."""

    def incoming(self, seen_at):
        return base.record(
            'finished',
            type=base.RESIZE,
            source=builders.DEST,
            dest=builders.HOST,
            seen_at=seen_at,
        )

    @ddt.data(0.0, 0.25, 1.0)
    def test_two_runs_do_not_confirm_at_the_same_moment(self, stagger):
        policy = policies.Policy(
            resized=policies.Resized.CONFIRM, stagger=stagger
        )
        due = NOW - stagger * timing.CONFIRM_STAGGER_SECONDS
        for seen_at, phase in (
            (due + 0.1, Phase.SETTLING),
            (due, Phase.WAITING),
        ):
            stand = self.stand(
                view=base.VERIFY_HERE,
                policy=policy,
                incoming=self.incoming(seen_at),
            )

            self.assertEqual(phase, stand.phase)
            wake_at = (
                seen_at + stagger * timing.CONFIRM_STAGGER_SECONDS
                if phase is Phase.SETTLING
                else math.inf
            )
            self.assertAlmostEqual(wake_at, stand.wake_at)

    def test_without_its_record(self):
        """It may be older than what Nova lists."""
        stand = self.stand(view=base.VERIFY_HERE, policy=RESIZED)

        self.assertIs(Kind.CONFIRM, stand.ask)

    @ddt.data(
        ('ACTIVE', Kind.LIVE_MIGRATE),
        ('SHUTOFF', Kind.COLD_MIGRATE),
    )
    @ddt.unpack
    def test_confirmed_it_is_moved_by_what_it_is_then(self, status, ask):
        stand = self.assert_phase(
            Phase.WAITING,
            view=builders.server(status=status),
            track=base.asked(Kind.CONFIRM, base.VERIFY_HERE),
        )

        self.assertIs(ask, stand.ask)

    def test_on_the_same_host(self):
        """A resize from this host to itself: the record leaves it, too."""
        record = base.record('finished', type=base.RESIZE, dest=builders.HOST)
        self.assert_phase(Phase.BLOCKED, record, view=base.VERIFY_HERE)

        stand = self.assert_phase(
            Phase.MOVING,
            record,
            view=base.VERIFY_HERE,
            policy=policies.Policy(resized=policies.Resized.CONFIRM),
        )
        self.assertIs(Kind.CONFIRM, stand.ask)

        record = base.record('confirmed', type=base.RESIZE, dest=builders.HOST)
        stand = self.assert_phase(Phase.WAITING, record, view=base.HERE)
        self.assertIs(Kind.LIVE_MIGRATE, stand.ask)
