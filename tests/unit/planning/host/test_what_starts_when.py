# SPDX-License-Identifier: Apache-2.0

"""What is asked for now, and what waits for its turn."""

import unittest

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import concurrency
from osc_hostmaint.planning.host import scheduling
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
OLD = NOW - timing.SERVER_VIEW_VALID_SECONDS
Kind = memories.Kind
Phase = server_status.Phase
DEFAULT = policies.Policy()


def waiting(kind, phase=Phase.WAITING, **kwargs):
    """Return where a server stands for which something is to be asked."""
    return server_status.Standing(phase, ask=kind, **kwargs)


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
        return scheduling.choose(
            builders.observation(servers, records, **seen),
            requested.operation(policy),
            memory,
            {s.id: x for s, x in zip(servers, stands, strict=True)},
            None,
            NOW,
        )

    def kinds(self, *args, **kwargs):
        return [a.kind for a in self.choose(*args, **kwargs).actions]

    def assert_begun(self, live, cold, *stands, **kwargs):
        """Tell how many of many moves are begun beside what goes on."""
        kinds = self.kinds(
            *stands,
            *[waiting(Kind.LIVE_MIGRATE)] * 9,
            *[waiting(Kind.COLD_MIGRATE)] * 9,
            **kwargs,
        )
        self.assertEqual(live, kinds.count(Kind.LIVE_MIGRATE))
        self.assertEqual(cold, kinds.count(Kind.COLD_MIGRATE))


@ddt.ddt
class TestFreshness(StartsTestCase):
    """How old the view may be on the strength of which it is asked."""

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


@ddt.ddt
class TestTurns(StartsTestCase):
    """What starts something waits until there is room for it."""

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
        self.assert_begun(
            live, cold, server_status.Standing(Phase.MOVING, pending=pending)
        )

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
        stand = server_status.Standing(Phase.MOVING, record=record)

        self.assert_begun(live, cold, stand, records=[record], slots=1)

    @ddt.data(*sorted(server_status.FINAL))
    def test_what_was_given_up_holds_up_nobody(self, phase):
        """It may hang for ever."""
        live = builders.migration(7, 'queued', 'vm0')
        cold = builders.migration(8, 'migrating', 'vm1', type=base.COLD)
        self.assert_begun(
            *(2, 2),
            server_status.Standing(Phase(phase), record=live),
            server_status.Standing(Phase(phase), record=cold),
            server_status.Standing(Phase(phase), pending=Kind.RESUME),
            records=[live, cold],
        )

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


@ddt.ddt
class TestCount(unittest.TestCase):
    @ddt.data(
        # statuses of records, asked for without a record; coming, queued,
        # running
        ([], 0, (0, 0, 0)),
        ([], 2, (2, 0, 0)),
        (['accepted'], 1, (2, 0, 0)),
        (['queued'], 0, (0, 1, 0)),
        (['preparing'], 0, (0, 0, 1)),
        (['running', 'post-migrating'], 0, (0, 0, 2)),
        (['a status of tomorrow'], 0, (0, 0, 1)),
        (['accepted', 'queued', 'preparing', 'running'], 0, (1, 1, 2)),
    )
    @ddt.unpack
    def test_live(self, statuses, asked, expected):
        records = [
            builders.migration(i, status) for i, status in enumerate(statuses)
        ]
        found = concurrency.count(records, asked=asked, cold=3)

        self.assertEqual(concurrency.InFlight(*expected, cold=3), found)
        self.assertEqual(sum(expected), found.live)
        self.assertEqual(sum(expected) + 3, found.total)


@ddt.ddt
class TestLearnSlots(unittest.TestCase):
    @ddt.data(
        # known so far; coming, queued, running; known now
        (None, (0, 0, 0), None),
        (None, (1, 0, 1), None),
        (None, (0, 1, 1), 1),
        (None, (0, 1, 4), 4),
        # Every one is queued for a moment.
        (None, (0, 1, 0), None),
        (None, (1, 1, 1), None),
        (1, (0, 1, 1), 1),
        # A slot that is changing hands is none the less.
        (4, (0, 1, 3), 4),
        (4, (0, 0, 1), 4),
        # More run than were known: how many is open again.
        (1, (0, 0, 2), None),
        (1, (0, 1, 2), 2),
    )
    @ddt.unpack
    def test_slots_learnt(self, slots, now, expected):
        self.assertEqual(
            expected,
            concurrency.learn_slots(slots, concurrency.InFlight(*now)),
        )


@ddt.ddt
class TestShare(unittest.TestCase):
    @ddt.data(
        # coming, queued, running, cold; waiting: live, cold; --parallel
        # -> live, cold to start
        ((0, 0, 0, 0), (9, 9), None, (2, 2)),
        ((0, 1, 1, 0), (9, 9), None, (0, 2)),
        ((0, 1, 1, 1), (9, 9), None, (0, 1)),
        ((0, 1, 1, 2), (9, 9), None, (0, 0)),
        ((0, 0, 0, 0), (1, 0), None, (1, 0)),
        ((0, 0, 0, 0), (0, 1), None, (0, 1)),
        ((0, 0, 0, 0), (9, 9), 1, (1, 0)),
        ((0, 0, 1, 0), (9, 9), 1, (0, 0)),
        ((0, 0, 0, 1), (9, 9), 1, (0, 0)),
        ((0, 0, 0, 0), (9, 9), 3, (2, 1)),
        ((0, 1, 1, 0), (9, 9), 4, (0, 2)),
        ((0, 0, 0, 0), (0, 9), 4, (0, 4)),
    )
    @ddt.unpack
    def test_how_many_may_start(self, now, waiting, parallel, expected):
        self.assertEqual(
            expected,
            concurrency.share(
                concurrency.InFlight(*now), None, parallel, *waiting
            ),
        )
