# SPDX-License-Identifier: Apache-2.0

"""What has happened between two decisions."""

import functools

import hypothesis
from hypothesis import strategies

from osc_hostmaint import events
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders

ActionKind = memories.ActionKind
Phase = server_status.Phase
Wait = server_status.Wait
record = builders.migration
row = builders.untouched
COMPLETED, QUEUED = record(1, 'completed'), record(1, 'queued')
LATER = record(seen_at=builders.NOW + 1)
FULL = {'reason': 'full', 'attempts': 1}
ENDINGS = tuple(set(events.ENDINGS.values()))


moving = functools.partial(row, Phase.MOVING)


def happened(before, now):
    return [*events.between(builders.HOST, before, now)]


def names(found):
    return [type(event).__name__ for event in found]


class TestServers(unit.TestCase):
    """One server, from one row to the next."""

    @unit.cases(
        # the row before, now, the event
        (None, row(), None),
        (None, row(Phase.BUSY, 'spawning'), 'ServerBusy'),
        (None, row(Phase.GONE), 'ServerDropped'),
        (None, moving(), None),
        (None, moving(record=record()), 'MoveAdopted'),
        (None, moving(record=record(1, 'finished')), 'MoveAdopted'),
        (None, moving(record=record(1, 'done')), None),
        (None, moving('stalled'), 'MoveDelayed'),
        (row(), moving(), 'ServerChanged'),
        (row(), moving(attempts=1), 'ServerChanged'),
        (row(), row(Phase.BLOCKED, 'suspended'), 'ServerBlocked'),
        (moving(), row(Phase.MOVED), 'MoveEnded'),
        (moving(), row(Phase.OFFLOADED), 'MoveEnded'),
        (moving(), row(Phase.STILL_MOVING, 'late'), 'MoveNotAwaited'),
        (moving(), row(Phase.FAILED), 'MoveEnded'),
        (row(Phase.FAILED), row(Phase.FAILED, 'why'), 'ResultExplained'),
        (row(Phase.FAILED), row(Phase.MOVED), 'MoveEnded'),
        (row(Phase.FAILED), moving(), 'ServerChanged'),
        (row(Phase.WAITING), row(Phase.SKIPPED), 'ServerDropped'),
        (moving(), moving('stalled'), 'MoveDelayed'),
        (moving('stalled'), moving(), 'ServerChanged'),
        (moving(), row(Phase.SETTLING), 'ServerChanged'),
        (moving(), row(Phase.SETTLING, 'full'), 'RetryScheduled'),
        # It has moved, and does not run there yet: nothing is tried again.
        (
            moving(),
            row(Phase.SETTLING, 'off', destination='cmp02'),
            'MoveDelayed',
        ),
        (
            moving(),
            row(Phase.SETTLING, 'still here', record=COMPLETED),
            'RetryScheduled',
        ),
        # Without a pause.
        (moving(attempts=1), row(**FULL), 'RetryScheduled'),
        (row(), row(reason='x'), 'ServerChanged'),
        (row(Phase.SETTLING, **FULL), row(**FULL), 'ServerChanged'),
        (row(Phase.BUSY, 'a'), row(Phase.BUSY, 'b'), 'ServerChanged'),
        # The scheduler has picked a host; the migration has begun.
        (moving(), moving(destination='cmp02'), 'ServerChanged'),
        (moving(record=QUEUED), moving(record=record()), 'ServerChanged'),
        # Time goes by.
        (moving(seconds=1.0), moving(seconds=2.0), None),
        (moving(record=record()), moving(record=LATER), None),
    )
    def test_one_server(self, old, new, expected):
        before = old and builders.decision([old])
        found = happened(before, builders.decision([new]))
        if old is None:
            self.assertEqual('HostStarted', names(found[:1])[0])
            found = found[1:]
        self.assertEqual([expected] if expected else [], names(found))
        for event in found:
            self.assertEqual(('vm1', new.name), (event.server_id, event.name))
            self.assertIs(new, event.row)

    def test_every_result_ends_a_server(self):
        self.assertEqual({*decisions.Result}, {*events.ENDINGS})

    @unit.cases(*ActionKind)
    def test_requests(self, kind):
        """What starts a move is told apart from all else."""
        action = memories.Action(kind, 'vm1', host='cmp09')
        rows = [moving(record=record())]
        _started, event = happened(
            None, builders.decision(rows, actions=(action,))
        )
        self.assertIs(kind, event.request)
        self.assertEqual('cmp09', event.destination)
        self.assertEqual(
            kind in memories.MOVES, isinstance(event, events.MoveStarted)
        )


class TestResults(unit.TestCase):
    """What a row says of its server (decision.Row)."""

    def test_a_result_is_open_until_the_end(self):
        for phase in Phase:
            final = phase in server_status.FINAL
            self.assertEqual(final, row(phase).result is not None, phase)

    def test_what_is_left(self):
        rows = [row(phase) for phase in server_status.FINAL]
        self.assertEqual({*decisions.Result}, {r.result for r in rows})
        self.assertEqual(
            {'blocked', 'failed', 'moving'}, {r.result for r in rows if r.left}
        )


class TestHost(unit.TestCase):
    """The host itself, and the order of events."""

    def test_from_its_start_to_its_end(self):
        rows = [row(Phase.MOVED), row(server_id='vm2')]
        first = builders.decision(
            rows,
            actions=(memories.Action(ActionKind.LIVE_MIGRATE, 'vm2'),),
            wait=Wait('servers'),
        )
        found = happened(None, first)

        self.assertEqual(
            ['HostStarted', 'MoveEnded', 'MoveStarted', 'Waiting'],
            names(found),
        )
        self.assertEqual({(1, 2)}, {(e.done, e.total) for e in found})
        last = builders.decision(rows, done=True, trouble='down')
        *_others, end = found = happened(first, last)
        self.assertEqual(['WaitingEnded', 'HostEnded'], names(found))
        self.assertEqual((False, 'down'), (end.drained, end.trouble))
        self.assertEqual({decisions.Result.MOVED: 1}, end.results)
        self.assertEqual([], happened(last, last))

    def test_a_server_that_came_later(self):
        found = happened(builders.decision(), builders.decision([row()]))
        self.assertEqual(['ServerChanged'], names(found))

    def test_what_is_not_drained(self):
        for rows, kwargs in (
            ([row(Phase.FAILED)], {}),
            ([row(Phase.BLOCKED)], {}),
            ([], {'trouble': 'put back into service'}),
            ([], {'stage': decisions.Stage.OPEN}),
        ):
            last = builders.decision(rows, done=True, **kwargs)
            self.assertFalse(happened(None, last)[-1].drained, kwargs)

    def test_a_wait_for_other_servers_is_no_news(self):
        before, now = (
            builders.decision(wait=server_status.Wait('a', None, servers))
            for servers in (('1', '2'), ('1', '2', '3', '4'))
        )
        self.assertEqual([], list(events.between('cmp01', before, now)))
        (_started, event) = events.between('cmp01', None, now)
        self.assertEqual('a: 1, 2, 3 and 1 more', event.reason)

    def test_it_waits_for_something_else(self):
        one, other = (builders.decision(wait=Wait(w)) for w in 'ab')
        self.assertEqual([], happened(one, one))
        (event,) = happened(one, other)
        self.assertEqual(('Waiting', 'b'), (*names([event]), event.reason))


_ROWS = strategies.lists(
    strategies.builds(
        row,
        strategies.sampled_from(Phase),
        strategies.sampled_from(['', 'a', 'b']),
        server_id=strategies.sampled_from(['vm1', 'vm2', 'vm3']),
        attempts=strategies.integers(0, 2),
        seconds=strategies.sampled_from([None, 1.0]),
        destination=strategies.sampled_from(['', 'cmp02']),
    ),
    unique_by=lambda each: each.server_id,
)
_DECISIONS = strategies.builds(
    builders.decision,
    _ROWS,
    done=strategies.booleans(),
    wait=strategies.sampled_from([None, Wait('a'), Wait('b')]),
)


class TestAnyDecisions(unit.TestCase):
    @hypothesis.given(_DECISIONS, _DECISIONS)
    def test_what_changes_is_told_once(self, before, now):
        found = [
            event
            for event in happened(before, now)
            if isinstance(event, events.ServerEvent)
        ]
        old = {each.server_id: each for each in before.rows}
        told = [event.server_id for event in found]

        self.assertEqual(len(told), len(set(told)))
        for each in now.rows:
            if each == old.get(each.server_id):
                self.assertNotIn(each.server_id, told)
        self.assertEqual(
            {
                each.server_id
                for each in now.rows
                if each.result
                and (
                    each.server_id not in old
                    or old[each.server_id].result is not each.result
                )
            },
            {e.server_id for e in found if isinstance(e, ENDINGS)},
        )

    @hypothesis.given(_DECISIONS)
    def test_nothing_happens_without_a_change(self, decision):
        self.assertEqual([], happened(decision, decision))
