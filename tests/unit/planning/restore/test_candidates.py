# SPDX-License-Identifier: Apache-2.0

"""Who comes home, from where the next one, who is left alone, and why."""

import datetime

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.restore import candidates
from osc_hostmaint.planning.restore import queues
from tests import unit
from tests.unit import builders

HOME, AWAY, ELSEWHERE = 'cmp01', 'cmp02', 'cmp03'
LIVE, COLD, RESIZE, EVACUATION = model.MigrationType
MOVED_ON = 'moved to cmp03 after it left cmp01'
RESIZED = 'resized after it left cmp01'
RESIZED_HOME = 'resized after it left cmp01, which brought it back'
Result = decisions.Result
Running = policies.Running


def record(number=1, status='completed', source=HOME, dest=AWAY, **values):
    """Return a record: a move away from home that ended well."""
    return builders.migration(
        number, status, source=source, dest=dest, **values
    )


def onward(dest, status='completed', kind=LIVE):
    """Return a record: a later move."""
    return record(2, status, AWAY, dest, type=kind)


def judge(
    move: model.Migration, host: str | None = AWAY, status: str = 'ACTIVE'
):
    server = builders.server('vm1', status, host=host)
    return candidates.judge(HOME, move, server)


class TestLeftAt(unit.TestCase):
    def test_the_last_departure_counts(self):
        first, last = map(builders.cloud_time, (10, 20))
        found = candidates.left_at(
            [
                record(3, 'running', server_id='vm2', updated_at=last),
                record(2, updated_at=last),
                record(1, updated_at=first),
            ]
        )
        self.assertEqual({'vm1': last}, found)


class TestHost(unit.TestCase):
    @unit.cases(
        ({}, 'in maintenance', 'openstack host maintenance unset cmp01'),
        (
            {'disabled_reason': 'broken fan'},
            "somebody else (their reason: 'broken fan')",
            'openstack host maintenance unset --force cmp01',
        ),
        ({'disabled_reason': None}, 'without a reason', 'unset --force'),
        (
            {'enabled': True, 'forced_down': True, 'up': False},
            'forced down',
            'openstack compute service set --up cmp01 nova-compute',
        ),
        ({'enabled': True, 'up': False}, 'is down', 'start nova-compute'),
    )
    def test_one_that_takes_no_servers(self, values, what, way_out):
        words = candidates.against(builders.service(**values))
        self.assertIn('cmp01', words)
        self.assertIn(what, words)
        self.assertIn(way_out, words)

    def test_one_in_service(self):
        service = builders.service(enabled=True)
        self.assertEqual('', candidates.against(service))


class TestLatestMoves(unit.TestCase):
    @unit.cases(LIVE, COLD, EVACUATION)
    def test_departures(self, kind):
        for status in ('completed', 'confirmed', 'done', 'finished'):
            found = record(status=status, type=kind)
            self.assertEqual((found,), candidates.departures(HOME, [found]))

    @unit.cases(
        {'type': RESIZE},
        {'source': AWAY, 'dest': HOME},
        {'status': 'error'},
        {'status': 'failed'},
        {'status': 'cancelled'},
        {'status': 'reverted'},
    )
    def test_moves_that_are_no_departures(self, values):
        self.assertEqual((), candidates.departures(HOME, [record(**values)]))

    def test_oldest_departure(self):
        """An evacuation ends when its host is started, long after others."""
        began = builders.cloud_time(10)
        evacuated = record(
            type=EVACUATION,
            created_at=began,
            updated_at=builders.cloud_time(9000),
        )
        later = record(2, created_at=builders.cloud_time(500))
        self.assertEqual(began, candidates.oldest([later, evacuated]))
        self.assertIsNone(candidates.oldest([]))

    def test_newest_record_decides(self):
        left = [record(1), record(2, server_id='vm2')]
        moves = [
            record(7, source=AWAY, dest=ELSEWHERE),
            record(5, source=AWAY, dest=HOME),
            record(8, server_id='stranger'),
        ]
        self.assertEqual(
            {'vm1': moves[0], 'vm2': left[1]},
            candidates.latest_moves(left, moves),
        )

    @unit.cases(
        # A newer view of the same record.
        (record(1, 'confirmed', type=COLD), True),
        (record(2, 'failed', source=AWAY, dest=HOME), False),
        (record(2, source=AWAY, dest=ELSEWHERE, type=RESIZE), True),
    )
    def test_whether_a_move_counts(self, move, counts):
        left = record(1, 'finished', type=COLD)
        self.assertEqual(
            {'vm1': move if counts else left},
            candidates.latest_moves([left], [move]),
        )


class TestPlaces(unit.TestCase):
    @unit.cases(
        (record(), {HOME, AWAY}),
        (record(status='finished', type=COLD), {HOME, AWAY}),
        # It is home again.
        (onward(HOME), {HOME}),
        # It is on its way home.
        (onward(HOME, 'running'), {HOME, AWAY}),
        (onward(ELSEWHERE, 'running'), {HOME, AWAY, ELSEWHERE}),
        (onward(None, 'queued'), {HOME, AWAY}),
        (onward(ELSEWHERE), {HOME, ELSEWHERE}),
    )
    def test_hosts_to_list(self, move, hosts):
        found = candidates.places(HOME, {'vm1': move})
        self.assertEqual(tuple(sorted(hosts)), found)

    def test_no_server_left(self):
        self.assertEqual((), candidates.places(HOME, {}))


class TestJudge(unit.TestCase):
    @unit.cases(
        *(
            (record(status=status, type=kind), state)
            for status, kind in (
                ('completed', LIVE),
                ('confirmed', COLD),
                ('done', EVACUATION),
                ('completed', EVACUATION),
            )
            for state in ('ACTIVE', 'PAUSED', 'SHUTOFF', 'SUSPENDED', 'ERROR')
        )
    )
    def test_server_to_restore(self, move, status):
        candidate = judge(move, status=status)
        self.assertIsInstance(candidate, candidates.Candidate)
        self.assertEqual((AWAY, move), (candidate.host, candidate.record))
        self.assertEqual('vm1', candidate.server.id)

    @unit.cases(
        # How far a move home is, where the server is, its status.
        ('running', LIVE, AWAY, 'MIGRATING'),
        ('queued', LIVE, AWAY, 'MIGRATING'),
        ('migrating', COLD, AWAY, 'RESIZE'),
        ('post-migrating', COLD, HOME, 'RESIZE'),
        ('finished', COLD, HOME, 'VERIFY_RESIZE'),
        # It is not home as its record says.
        ('completed', LIVE, AWAY, 'ACTIVE'),
    )
    def test_server_already_coming_back(self, status, kind, host, state):
        move = onward(HOME, status, kind)
        candidate = judge(move, host, state)
        self.assertIsInstance(candidate, candidates.Candidate)
        self.assertEqual((AWAY, move), (candidate.host, candidate.record))

    @unit.cases(
        onward(HOME),
        onward(HOME, 'confirmed', COLD),
        # Unshelved there.
        record(),
        # Its owner resizes it now.
        record(dest=HOME, status='finished', type=RESIZE),
        record(status='migrating', type=RESIZE),
        record(status='running'),
    )
    def test_server_already_home(self, move):
        self.assertIsNone(judge(move, HOME))

    @unit.cases(
        # record, host, reason
        (onward(ELSEWHERE), ELSEWHERE, MOVED_ON),
        (record(), ELSEWHERE, MOVED_ON),
        (onward(HOME), ELSEWHERE, MOVED_ON),
        (onward(ELSEWHERE, 'finished', COLD), ELSEWHERE, MOVED_ON),
        (onward(ELSEWHERE, kind=RESIZE), ELSEWHERE, RESIZED),
        (onward(AWAY, 'confirmed', RESIZE), AWAY, RESIZED),
        (onward(HOME, 'migrating', RESIZE), AWAY, 'it is being resized'),
        (onward(HOME, 'finished', RESIZE), HOME, RESIZED_HOME),
        (onward(HOME, 'confirmed', RESIZE), HOME, RESIZED_HOME),
        (onward(ELSEWHERE, 'running'), AWAY,
         'it is being moved to cmp03'),
        (onward(None, 'queued'), AWAY,
         'it is being moved to another host'),
        (record(), None, 'it is no longer on a host (SHELVED_OFFLOADED)'),
    )  # fmt: skip
    def test_server_left_alone(self, move, host, reason):
        row = judge(move, host, 'ACTIVE' if host else 'SHELVED_OFFLOADED')
        self.assertIs(Result.SKIPPED, row.result)
        self.assertEqual(reason, row.reason)
        self.assertEqual(host or '', row.host)
        self.assertEqual(('name of vm1', ''), (row.name, row.move))
        self.assertFalse(row.left)

    @unit.cases(
        (record(status='finished', type=COLD), 'ACTIVE', 'resize confirm'),
        (record(), 'SHELVED', 'unshelve'),
    )
    def test_server_that_needs_attention(self, move, status, command):
        row = judge(move, status=status)
        self.assertIs(Result.BLOCKED, row.result)
        self.assertIn(f'openstack server {command} vm1', row.reason)
        self.assertTrue(row.left)

    def test_one_that_has_just_been_deleted(self):
        self.assertIsNone(judge(record(), None, 'DELETED'))


class TestRunning(unit.TestCase):
    def candidate(self, kind, status='ACTIVE'):
        server = builders.server('vm1', status, host=AWAY)
        return candidates.Candidate(server, AWAY, record(type=kind))

    def instance_action(self, action, seconds):
        """Return what was done so long after the server began to leave."""
        moment = record().created_at + datetime.timedelta(seconds=seconds)
        return model.InstanceAction(action, moment)

    @unit.cases(
        # how it left, its status, how it comes back
        (LIVE, 'ACTIVE', Running.LIVE),
        (EVACUATION, 'ACTIVE', Running.LIVE),
        (COLD, 'ACTIVE', Running.COLD),
        # It can't be cold-migrated.
        (COLD, 'PAUSED', Running.LIVE),
        # Should its owner start it in time.
        (COLD, 'SHUTOFF', Running.LIVE),
        (COLD, 'SUSPENDED', Running.LIVE),
    )
    def test_as_it_left(self, kind, status, running):
        self.assertIs(
            running, candidates.running(self.candidate(kind, status), tuple)
        )

    @unit.cases(
        ('start', 1, Running.LIVE),
        ('start', 86400, Running.LIVE),
        # Before it left.
        ('start', -1, Running.COLD),
        ('reboot', 1, Running.COLD),
        ('stop', 1, Running.COLD),
    )
    def test_owner_actions_decide(self, action, seconds, running):
        history = [
            self.instance_action('create', -99),
            self.instance_action(action, seconds),
        ]
        self.assertIs(
            running, candidates.running(self.candidate(COLD), lambda: history)
        )


class TestShareOut(unit.TestCase):
    @unit.cases(
        # Free places; queues: source, waiting, wanted; in flight; who asks;
        # the places of each.
        (4, ['a44', 'b42', 'c42'], {}, 0, [2, 1, 1]),
        (1, ['a44', 'b42'], {'a': 1}, 0, [0, 1]),
        # Among equal ones the longest, then who asks.
        (1, ['a22', 'b32'], {}, 0, [0, 1]),
        (1, ['a33', 'b32'], {}, 1, [0, 1]),
        # What cannot start anything gets nothing, also if it waits.
        (2, ['a90', 'b21'], {'b': 3}, 0, [0, 1]),
        # Two ways off the same source are one queue.
        (2, ['a22', 'a21', 'b11'], {}, 0, [1, 0, 1]),
        (0, ['a11'], {}, 0, [0]),
        (float('inf'), ['a22', 'b11'], {}, 0, [2, 1]),
    )
    def test_shortest_first(self, places, found, moving, asking, given):
        every = [queues.Queue(s, int(w), int(n)) for s, w, n in found]
        self.assertEqual(
            given, queues.share_out(places, every, moving, asking)
        )
