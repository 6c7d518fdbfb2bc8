# SPDX-License-Identifier: Apache-2.0

"""What is asked for now, what waits for its turn, and when it is enough."""

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import circuit_breaker
from osc_hostmaint.planning.host import scheduling
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
OLD = NOW - timing.SERVER_VIEW_VALID_SECONDS
VERY_OLD = NOW - timing.RECORDS_VALID_SECONDS
ActionKind = memories.ActionKind
Phase = server_status.Phase
DEFAULT = policies.Policy()


def waiting(kind, phase=Phase.WAITING, **kwargs):
    return server_status.ServerStatus(phase, ask=kind, **kwargs)


class SchedulingTestCase(unit.TestCase):
    def choose(
        self,
        *statuses,
        policy=DEFAULT,
        seen_at=NOW,
        remembered=(),
        slots=None,
        records=(),
        records_at=NOW,
    ):
        """Return what is asked for servers vm0, vm1 ... that stand so."""
        servers = [
            builders.server(f'vm{n}', seen_at=seen_at)
            for n in range(len(statuses))
        ]
        known = {t.before.id: t for t in remembered}
        context = base.host_context(
            servers=servers,
            migrations=records,
            migrations_at=records_at,
            policy=policy,
            memory=builders.memory(
                *(known.get(s.id, builders.server_memory(s)) for s in servers),
                slots=slots,
            ),
            statuses={s.id: x for s, x in zip(servers, statuses, strict=True)},
        )
        return scheduling.choose(context, None)

    def kinds(self, *args, **kwargs):
        return [a.kind for a in self.choose(*args, **kwargs).actions]

    def assert_begun(self, live, cold, *statuses, **kwargs):
        """Tell how many of many moves are begun beside what goes on."""
        kinds = self.kinds(
            *statuses,
            *[waiting(ActionKind.LIVE_MIGRATE)] * 9,
            *[waiting(ActionKind.COLD_MIGRATE)] * 9,
            **kwargs,
        )
        self.assertEqual(live, kinds.count(ActionKind.LIVE_MIGRATE))
        self.assertEqual(cold, kinds.count(ActionKind.COLD_MIGRATE))


class TestFreshness(SchedulingTestCase):
    """How old the view may be on the strength of which it is asked."""

    @unit.cases(
        # Nova would do it to a server that was started since: by stopping it
        (ActionKind.COLD_MIGRATE, OLD, NOW, True),
        (ActionKind.SHELVE, OLD, NOW, True),
        # Nova refuses what is no use any more.
        (ActionKind.LIVE_MIGRATE, VERY_OLD, NOW, False),
        (ActionKind.RESUME, VERY_OLD, NOW, False),
        (ActionKind.OFFLOAD, VERY_OLD, NOW, False),
        # Nova would move it on from where somebody else has moved it.
        (ActionKind.LIVE_MIGRATE, VERY_OLD, VERY_OLD, True),
        (ActionKind.LIVE_MIGRATE, OLD, VERY_OLD, False),
        (ActionKind.RESUME, VERY_OLD, VERY_OLD, True),
        (ActionKind.EVACUATE, VERY_OLD, VERY_OLD, True),
        # No second look at what is to be ended.
        (ActionKind.ABORT, VERY_OLD, VERY_OLD, False),
    )
    def test_stale_view_is_refreshed_first(
        self, kind, seen_at, records_at, looks
    ):
        found = self.choose(
            waiting(kind), seen_at=seen_at, records_at=records_at
        )
        self.assertEqual(0 if looks else 1, len(found.actions))
        self.assertEqual({'vm0'} if looks else set(), found.visit)


class TestTurns(SchedulingTestCase):
    """What starts something waits until there is room for it."""

    @unit.cases(
        # asked for and not seen yet; live and cold to start beside it
        (ActionKind.LIVE_MIGRATE, 1, 2),
        # A live migration is about to follow.
        (ActionKind.RESUME, 1, 2),
        (ActionKind.COLD_MIGRATE, 2, 1),
        (ActionKind.SHELVE, 2, 1),
        (ActionKind.OFFLOAD, 2, 1),
        # These take up nothing.
        (ActionKind.SUSPEND, 2, 2),
        (ActionKind.CONFIRM, 2, 2),
    )
    def test_requested_moves_hold_slots(self, pending, live, cold):
        asked = server_status.ServerStatus(Phase.MOVING, pending=pending)
        self.assert_begun(live, cold, asked)

    @unit.cases(
        # how many may start; live, cold, and held back
        (None, 2, 2, 0),
        (3, 2, 1, 1),
        (1, 1, 0, 3),
        (0, 0, 0, 4),
    )
    def test_servers_of_other_hosts_come_first(self, most, live, cold, held):
        policy = policies.Policy(most_starts=most)
        self.assert_begun(live, cold, policy=policy)
        lives = [waiting(ActionKind.LIVE_MIGRATE)] * 9
        colds = [waiting(ActionKind.COLD_MIGRATE)] * 9
        found = self.choose(*lives, *colds, policy=policy)
        self.assertEqual(held, found.held_back)

    @unit.cases(
        # type and statuses of records; live and cold to start beside them
        (base.LIVE, ['running'], 1, 2),
        (base.LIVE, ['running', 'accepted'], 0, 2),
        (base.LIVE, ['running', 'queued'], 0, 2),
        (base.LIVE, ['completed', 'error'], 2, 2),
        (base.LIVE, ['queued'], 2, 2, builders.DEST),
        (base.COLD, ['migrating'], 2, 1),
        (base.COLD, ['migrating', 'post-migrating'], 2, 0),
        (base.RESIZE, ['migrating', 'post-migrating'], 2, 0),
        (base.COLD, ['finished', 'confirmed'], 2, 2),
    )
    def test_moves_in_flight_hold_slots(
        self, kind, statuses, live, cold, source=builders.HOST
    ):
        records = [
            builders.migration(i, status, f'old{i}', type=kind, source=source)
            for i, status in enumerate(statuses)
        ]
        assessed = [
            server_status.ServerStatus(Phase.MOVING, record=record)
            for record in records
        ]
        self.assert_begun(live, cold, *assessed, records=records, slots=1)

    @unit.cases(
        # statuses of live migrations, and of one asked for that no record
        # shows; how many the source runs at once, as far as they tell
        (['queued'], None, None),
        (['queued', 'preparing'], None, 1),
        (['queued', 'running', 'post-migrating'], None, 2),
        (['queued', 'a status of tomorrow'], None, 1),
        (['queued', 'running', 'completed'], None, 1),
        (['queued', 'running', 'accepted'], None, None),
        (['queued', 'running'], ActionKind.LIVE_MIGRATE, None),
        (['queued', 'running'], ActionKind.COLD_MIGRATE, 1),
        (['running'], None, None),
    )
    def test_what_runs_at_once(self, statuses, pending, expected):
        records = [
            builders.migration(i, status, f'old{i}')
            for i, status in enumerate(statuses)
        ]
        asked = server_status.ServerStatus(Phase.MOVING, pending=pending)
        self.assertEqual(expected, self.choose(asked, records=records).slots)

    @unit.cases(*sorted(server_status.FINAL))
    def test_abandoned_moves_hold_no_slot(self, phase):
        """It may hang for ever."""
        live = builders.migration(7, 'queued', 'vm0')
        cold = builders.migration(8, 'migrating', 'vm1', type=base.COLD)
        held = (
            {'record': live},
            {'record': cold},
            {'pending': ActionKind.RESUME},
        )
        over = [server_status.ServerStatus(Phase(phase), **h) for h in held]
        self.assert_begun(2, 2, *over, records=[live, cold])

    def test_resumed_servers_come_first(self):
        """It is running now, and is not to be for longer than it takes."""
        small = builders.server('vm1', 'SUSPENDED', memory_mb=1)
        found = self.choose(
            waiting(ActionKind.RESUME),
            waiting(ActionKind.LIVE_MIGRATE),
            waiting(ActionKind.LIVE_MIGRATE),
            policy=policies.Policy(parallel=1),
            remembered=[base.asked(ActionKind.RESUME, small)],
        )
        self.assertEqual(['vm1'], [a.server_id for a in found.actions])

    def test_aborts_are_never_delayed(self):
        kinds = self.kinds(
            *[waiting(ActionKind.CONFIRM, Phase.MOVING)] * 5,
            *[waiting(ActionKind.SUSPEND, Phase.MOVING)] * 5,
            *[waiting(ActionKind.LIVE_MIGRATE)] * 5,
            policy=policies.Policy(parallel=1),
        )
        ends = [ActionKind.CONFIRM] * 5 + [ActionKind.SUSPEND] * 5
        self.assertEqual([*ends, ActionKind.LIVE_MIGRATE], kinds)

    @unit.cases(*ActionKind)
    def test_not_before_not_before(self, kind):
        for seconds, expected in ((0.1, []), (0.0, [kind])):
            remembered = builders.server_memory(
                builders.server('vm0'), not_before=NOW + seconds
            )
            self.assertEqual(
                expected, self.kinds(waiting(kind), remembered=[remembered])
            )


class TestLearnSlots(unit.TestCase):
    @unit.cases(
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
    def test_slots_learnt(self, slots, now, expected):
        found = scheduling.learn_slots(slots, scheduling.InFlight(*now))
        self.assertEqual(expected, found)


class TestAllot(unit.TestCase):
    @unit.cases(
        # coming, queued, running, unqueued; waiting: live, others;
        # --parallel -> live, others to start
        ((0, 0, 0, 0), (9, 9), None, (2, 2)),
        ((0, 1, 1, 0), (9, 9), None, (0, 2)),
        ((0, 1, 1, 1), (9, 9), None, (0, 1)),
        ((0, 1, 1, 2), (9, 9), None, (0, 0)),
        ((0, 0, 0, 0), (1, 0), None, (1, 0)),
        ((0, 0, 0, 0), (0, 1), None, (0, 1)),
        ((0, 0, 0, 0), (9, 9), 1, (1, 0)),
        ((0, 0, 1, 0), (9, 9), 1, (0, 0)),
        ((0, 0, 1, 0), (9, 9), 2, (1, 0)),
        ((0, 0, 5, 0), (9, 9), 3, (0, 0)),
        ((0, 0, 0, 1), (9, 9), 1, (0, 0)),
        ((0, 0, 0, 0), (9, 9), 3, (2, 1)),
        ((0, 1, 1, 0), (9, 9), 4, (0, 2)),
        ((0, 0, 0, 0), (0, 9), 4, (0, 4)),
    )
    def test_how_many_may_start(self, now, waiting, parallel, expected):
        under_way = scheduling.InFlight(*now)
        found = scheduling.allot(under_way, None, parallel, *waiting, 1, 2)
        self.assertEqual(expected, found)

    @unit.cases(0, 1, 4)
    def test_as_many_unqueued_ones_as_allowed(self, most):
        under_way = scheduling.InFlight(unqueued=1)
        _live, found = scheduling.allot(under_way, 1, None, 0, 9, 1, most)
        self.assertEqual(max(0, most - 1), found)


FAILED = server_status.ServerStatus(Phase.FAILED, 'it failed')
IN_ERROR = builders.server(status='ERROR', vm_state='error')
BACK = builders.server()


def record(status='error', dest='cmp02', **values):
    return builders.migration(status=status, dest=dest, **values)


def finished(*records, view=IN_ERROR, assessed=FAILED):
    return circuit_breaker.finished(view, records, assessed)


class TestFinished(unit.TestCase):
    @unit.cases(
        (IN_ERROR, [record()], True),
        (BACK, [record(dest='cmp02'), record(dest='cmp03')], True),
        # A server that failed twice on one destination.
        (BACK, [record(), record()], None),
        # It never got a destination.
        (IN_ERROR, [record(dest=None)], None),
        (BACK, [record(), record(dest='cmp03'), record(dest=None)], None),
        # It is under way, or nobody has moved it.
        (IN_ERROR, [record('running')], None),
        (IN_ERROR, [], None),
    )
    def test_what_failed(self, view, records, failed):
        found = finished(*records, view=view)
        self.assertEqual(failed, found and found.failed)

    @unit.cases(
        (Phase.MOVED, 'completed'),
        (Phase.MOVING, 'finished'),
        (Phase.MOVED, 'confirmed'),
    )
    def test_what_succeeded(self, phase, status):
        assessed = server_status.ServerStatus(phase)
        found = finished(record(), record(status), assessed=assessed)
        self.assertFalse(found.failed)

    def test_what_is_tried_again_is_open(self):
        for phase in (Phase.SETTLING, Phase.WAITING, Phase.BLOCKED):
            assessed = server_status.ServerStatus(phase, 'why')
            self.assertIsNone(finished(record(), assessed=assessed))


def end(server_id, number, *, failed=True, **values):
    return circuit_breaker.Finished(
        **{
            'server_id': server_id,
            'failed': failed,
            'move': 'live migration',
            'destinations': frozenset({'cmp02'}),
            'in_error': True,
            'ended_at': builders.cloud_time(builders.NOW + number),
            'record_id': number,
            **values,
        }
    )


class TestInARow(unit.TestCase):
    def test_a_success_in_between(self):
        first, second = end('a', 1), end('c', 3)
        for ends, expected in (
            ([], ()),
            ([second, first, end('b', 2, failed=False)], (second,)),
            ([second, first], (first, second)),
        ):
            self.assertEqual(expected, circuit_breaker.in_a_row(ends))

    def test_what_they_have_in_common(self):
        row = [end('a', 1), end('b', 2)]
        self.assertEqual(
            '2 servers failed to move one after another (a, b; each by live '
            'migration, each to cmp02, each is in ERROR now)',
            circuit_breaker.explanation(row),
        )
        row = [
            end('a', 1),
            end('b', 2, move='cold migration', in_error=False),
            end('c', 3, destinations=frozenset({'cmp03', 'cmp04'})),
            end('d', 4),
        ]
        self.assertEqual(
            '4 servers failed to move one after another (a, b, c and 1 more)',
            circuit_breaker.explanation(row),
        )
