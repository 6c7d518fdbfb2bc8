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

"""What is asked for now, and what waits for its turn."""

import unittest

import ddt

from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import starts
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
OLD = NOW - timing.SERVER_VIEW_VALID_SECONDS
Kind = memories.Kind
Phase = standing.Phase
DEFAULT = policies.Policy()


def waiting(kind, phase=Phase.WAITING, **kwargs):
    """Return where a server stands for which something is to be asked."""
    return standing.Standing(phase, ask=kind, **kwargs)


class StartsTestCase(unittest.TestCase):
    def choose(
        self,
        *stands,
        policy=DEFAULT,
        seen_at=NOW,
        tracks=(),
        slots=None,
        records=(),
        **seen,
    ):
        """Return what is asked for servers vm0, vm1 ... that stand so."""
        servers = [
            builders.server(f'vm{n}', seen_at=seen_at)
            for n in range(len(stands))
        ]
        known = {t.before.id: t for t in tracks}
        memory = builders.memory(
            *(known.get(s.id) or builders.track(s) for s in servers),
            slots=slots,
        )
        return starts.choose(
            builders.observation(servers, records, **seen),
            policy,
            memory,
            {s.id: x for s, x in zip(servers, stands, strict=True)},
            None,
            NOW,
        )

    def kinds(self, *args, **kwargs):
        return [a.kind for a in self.choose(*args, **kwargs).actions]


@ddt.ddt
class TestDown(StartsTestCase):
    """While the compute service is down nothing is tried in vain."""

    @ddt.data(*memories.Kind)
    def test_only_what_ends_something(self, kind):
        down = builders.service(up=False)
        found = self.choose(waiting(kind), service=down)

        self.assertEqual(
            kind not in memories.STARTING, bool(found.actions), found
        )


@ddt.ddt
class TestFreshness(StartsTestCase):
    """How old the view may be on the strength of which it is asked."""

    @ddt.data(*memories.STARTING)
    def test_seen_just_now(self, kind):
        found = self.choose(waiting(kind))

        spread = kind in memories.DIRECTED
        # It is looked at again just before, and then has to be the same.
        state = 'active' if kind is Kind.EVACUATE else ''
        self.assertEqual(
            (memories.Action(kind, 'vm0', spread=spread, vm_state=state),),
            found.actions,
        )
        self.assertFalse(found.visit)

    @ddt.data(
        # Nova would do it to a server that was started since: by stopping it
        (Kind.COLD_MIGRATE, True),
        (Kind.SHELVE, True),
        # Nova refuses what is no use any more.
        (Kind.LIVE_MIGRATE, False),
        (Kind.RESUME, False),
        (Kind.OFFLOAD, False),
    )
    @ddt.unpack
    def test_seen_long_ago(self, kind, looks):
        found = self.choose(waiting(kind), seen_at=OLD)

        self.assertEqual(0 if looks else 1, len(found.actions))
        self.assertEqual({'vm0'} if looks else set(), found.visit)

    def test_only_what_is_next_is_looked_at(self):
        found = self.choose(*[waiting(Kind.COLD_MIGRATE)] * 9, seen_at=OLD)

        self.assertEqual(2, len(found.visit))


@ddt.ddt
class TestTurns(StartsTestCase):
    """What starts something waits until there is room for it."""

    @ddt.data(Kind.LIVE_MIGRATE, Kind.RESUME)
    def test_live(self, kind):
        self.assertEqual([kind] * 2, self.kinds(*[waiting(kind)] * 9))
        self.assertEqual([kind] * 4, self.kinds(*[waiting(kind)] * 9, slots=3))

    @ddt.data(Kind.COLD_MIGRATE, Kind.SHELVE, Kind.OFFLOAD)
    def test_others(self, kind):
        self.assertEqual([kind] * 2, self.kinds(*[waiting(kind)] * 9))

    @ddt.data(*memories.STARTING)
    def test_parallel(self, kind):
        policy = policies.Policy(parallel=1)

        self.assertEqual(
            [kind], self.kinds(*[waiting(kind)] * 9, policy=policy)
        )

    @ddt.data(
        # asked for and not seen yet; live and cold to start beside it
        (Kind.LIVE_MIGRATE, 1, 2),
        # A live migration is about to follow.
        (Kind.RESUME, 1, 2),
        (Kind.COLD_MIGRATE, 2, 1),
        (Kind.SHELVE, 2, 1),
        (Kind.OFFLOAD, 2, 1),
        # These take up nothing.
        (Kind.SUSPEND, 2, 2),
        (Kind.CONFIRM, 2, 2),
    )
    @ddt.unpack
    def test_what_was_asked_for_takes_up_room(self, pending, live, cold):
        kinds = self.kinds(
            standing.Standing(Phase.MOVING, pending=pending),
            *[waiting(Kind.LIVE_MIGRATE)] * 9,
            *[waiting(Kind.COLD_MIGRATE)] * 9,
        )

        self.assertEqual(live, kinds.count(Kind.LIVE_MIGRATE))
        self.assertEqual(cold, kinds.count(Kind.COLD_MIGRATE))

    @ddt.data(
        # type and status of a record; live and cold to start beside it
        (base.LIVE, 'running', 1, 2),
        (base.LIVE, 'completed', 2, 2),
        (base.COLD, 'migrating', 2, 1),
        (base.RESIZE, 'migrating', 2, 1),
        (base.COLD, 'finished', 2, 2),
        (base.COLD, 'confirmed', 2, 2),
    )
    @ddt.unpack
    def test_what_is_in_flight_takes_up_room(self, kind, status, live, cold):
        record = builders.migration(7, status, type=kind)
        kinds = self.kinds(
            standing.Standing(Phase.MOVING, record=record),
            *[waiting(Kind.LIVE_MIGRATE)] * 9,
            *[waiting(Kind.COLD_MIGRATE)] * 9,
            records=[record],
            slots=1,
        )

        self.assertEqual(live, kinds.count(Kind.LIVE_MIGRATE))
        self.assertEqual(cold, kinds.count(Kind.COLD_MIGRATE))

    @ddt.data(*sorted(standing.FINAL))
    def test_what_was_given_up_holds_up_nobody(self, phase):
        """It may hang for ever."""
        live = builders.migration(7, 'queued', 'vm0')
        cold = builders.migration(8, 'migrating', 'vm1', type=base.COLD)
        kinds = self.kinds(
            standing.Standing(Phase(phase), record=live),
            standing.Standing(Phase(phase), record=cold),
            standing.Standing(Phase(phase), pending=Kind.RESUME),
            *[waiting(Kind.LIVE_MIGRATE)] * 9,
            *[waiting(Kind.COLD_MIGRATE)] * 9,
            records=[live, cold],
        )

        self.assertEqual(2, kinds.count(Kind.LIVE_MIGRATE))
        self.assertEqual(2, kinds.count(Kind.COLD_MIGRATE))

    def test_what_was_resumed_comes_first_however_small(self):
        """It is running now, and is not to be for longer than it takes."""
        small = builders.server('vm1', 'SUSPENDED', memory_mb=1)
        found = self.choose(
            waiting(Kind.RESUME),
            waiting(Kind.LIVE_MIGRATE),
            waiting(Kind.LIVE_MIGRATE),
            policy=policies.Policy(parallel=1),
            tracks=[base.asked(Kind.RESUME, small)],
        )

        self.assertEqual(['vm1'], [a.server_id for a in found.actions])

    def test_what_ends_something_waits_for_nothing(self):
        kinds = self.kinds(
            *[waiting(Kind.CONFIRM, Phase.MOVING)] * 5,
            *[waiting(Kind.SUSPEND, Phase.MOVING)] * 5,
            *[waiting(Kind.LIVE_MIGRATE)] * 5,
            policy=policies.Policy(parallel=1),
        )

        self.assertEqual(
            [Kind.CONFIRM] * 5 + [Kind.SUSPEND] * 5 + [Kind.LIVE_MIGRATE],
            kinds,
        )

    @ddt.data(*Kind)
    def test_not_before_its_time(self, kind):
        track = builders.track(builders.server('vm0'), not_before=NOW + 0.1)
        self.assertEqual([], self.kinds(waiting(kind), tracks=[track]))

        track = builders.track(builders.server('vm0'), not_before=NOW)
        self.assertEqual([kind], self.kinds(waiting(kind), tracks=[track]))

    @ddt.data(*sorted(standing.FINAL))
    def test_nothing_for_what_has_ended(self, phase):
        for kind in Kind:
            stand = waiting(kind, standing.Phase(phase))
            self.assertEqual([], self.kinds(stand))


@ddt.ddt
class TestActions(StartsTestCase):
    """What is sent along."""

    def action(self, stand, policy=DEFAULT):
        (action,) = self.choose(stand, policy=policy).actions
        return action

    @ddt.data(*Kind)
    def test_the_destination_is_known_where_a_migration_begins(self, kind):
        policy = policies.Policy(to='cmp07')
        action = self.action(waiting(kind), policy)

        self.assertEqual(
            'cmp07' if kind in memories.DIRECTED else '', action.host
        )
        self.assertEqual('', self.action(waiting(kind)).host)

    @ddt.data(
        (Kind.ABORT, 7),
        (Kind.FORCE_COMPLETE, 7),
        (Kind.CONFIRM, 0),
        (Kind.SUSPEND, 0),
    )
    @ddt.unpack
    def test_which_migration(self, kind, record_id):
        stand = waiting(kind, Phase.MOVING, record=builders.migration(7))

        self.assertEqual(record_id, self.action(stand).record_id)

    def test_why(self):
        stand = waiting(
            Kind.ABORT,
            Phase.MOVING,
            record=builders.migration(7),
            why='stalled',
        )

        self.assertEqual('stalled', self.action(stand).why)


class TestFilling(StartsTestCase):
    """Looked at quickly while the source may have room for more."""

    WAITING = (waiting(Kind.LIVE_MIGRATE),) * 9

    def running(self, number, **kwargs):
        """Choose while so many live migrations run, and more wait."""
        records = [builders.migration(7 + n) for n in range(number)]
        stands = [standing.Standing(Phase.MOVING, record=r) for r in records]
        return self.choose(*stands, *self.WAITING, records=records, **kwargs)

    def test_more_wait_and_the_limit_is_not_known(self):
        self.assertTrue(self.choose(*self.WAITING).filling)

    def test_all_were_asked_for(self):
        self.assertFalse(self.choose(waiting(Kind.LIVE_MIGRATE)).filling)

    def test_the_source_is_full(self):
        self.assertFalse(self.choose(*self.WAITING, slots=1).filling)
        self.assertFalse(self.running(2, slots=2).filling)

    def test_a_cold_migration_was_asked_for(self):
        self.assertTrue(self.choose(waiting(Kind.COLD_MIGRATE)).filling)

    def test_we_are_not_to_begin_more(self):
        """Then nothing is to be gained by looking quickly."""
        for slots in (None, 2, 9):
            for parallel in (1, 2):
                policy = policies.Policy(parallel=parallel)
                found = self.running(parallel, policy=policy, slots=slots)

                self.assertEqual((), found.actions)
                self.assertFalse(found.filling, (slots, parallel))


@ddt.ddt
class TestDestinations(unittest.TestCase):
    """Who picks the destination of what is asked for."""

    DECLINED = builders.track(declined=Kind.LIVE_MIGRATE)

    def action(self, kind=Kind.LIVE_MIGRATE, track=None, **policy):
        server = builders.server()
        memory = builders.memory(track or builders.track(server))
        (found,) = starts.choose(
            builders.observation([server]),
            policies.Policy(**policy),
            memory,
            {'vm1': waiting(kind)},
            None,
            NOW,
        ).actions
        return found

    @ddt.data(Kind.LIVE_MIGRATE, Kind.COLD_MIGRATE)
    def test_we_unless_told_otherwise(self, kind):
        self.assertEqual(
            memories.Action(kind, 'vm1', spread=True), self.action(kind)
        )

    @ddt.data(Kind.LIVE_MIGRATE, Kind.COLD_MIGRATE)
    def test_the_scheduler_where_it_is_told_to(self, kind):
        scheduler = policies.Spread.SCHEDULER

        self.assertEqual(
            memories.Action(kind, 'vm1'), self.action(kind, spread=scheduler)
        )

    @ddt.data(*policies.Spread)
    def test_the_user(self, spread):
        self.assertEqual(
            memories.Action(Kind.LIVE_MIGRATE, 'vm1', host='cmp07'),
            self.action(to='cmp07', spread=spread),
        )

    @ddt.data(Kind.LIVE_MIGRATE, Kind.COLD_MIGRATE)
    def test_the_scheduler_where_it_would_not_have_our_pick(self, kind):
        self.assertEqual(
            memories.Action(kind, 'vm1'), self.action(kind, self.DECLINED)
        )

    def test_the_users_pick_stays_one(self):
        self.assertEqual(
            'cmp07', self.action(track=self.DECLINED, to='cmp07').host
        )

    def test_what_is_resumed_is_to_be_migrated(self):
        self.assertEqual(
            memories.Action(Kind.RESUME, 'vm1', spread=True),
            self.action(Kind.RESUME),
        )

    @ddt.data(Kind.SHELVE, Kind.OFFLOAD)
    def test_what_is_no_migration_goes_nowhere(self, kind):
        self.assertEqual(memories.Action(kind, 'vm1'), self.action(kind))
