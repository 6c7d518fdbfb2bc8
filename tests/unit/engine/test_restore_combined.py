# SPDX-License-Identifier: Apache-2.0

"""Who hears of events; drains that look like one to them, and to others."""

import typing as ty
from unittest import mock

from osc_hostmaint import events
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.engine.restore import combined
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.engine import restore_base
from tests.unit.simulation import scene
from tests.unit.simulation import world

HOME, AWAY, FAR, FARTHEST = scene.HOSTS
Phase = server_status.Phase


def decision(*ids: str, **values: ty.Any) -> decisions.Decision:
    rows = values.pop('rows', map(builders.row, ids))
    return builders.decision(rows, **values)


def waiting(server_id: str) -> decisions.Row:
    return builders.row(server_id, phase=Phase.WAITING)


class TestCombinedReporter(unit.TestCase):
    def setUp(self) -> None:
        self.listener = builders.Listener()
        rows = [waiting('vm1'), waiting('vm2')]
        self.reporter = combined.CombinedReporter(HOME, self.listener, rows, 2)

    def kinds(self) -> list[str]:
        """Return the types of the events, all of which are of the home."""
        self.assertEqual({HOME}, {e.host for e in self.listener.events})
        self.listener.events = [
            event
            for event in self.listener.events
            if not isinstance(event, events.LookEnded)
        ]
        return [type(event).__name__ for event in self.listener.events]

    def ended(self) -> events.HostEnded:
        """Return the last event, the only end."""
        self.assertEqual(1, self.kinds().count('HostEnded'))
        event = self.listener.events[-1]
        assert isinstance(event, events.HostEnded)
        return event

    def end(self, *ids: str, **values: ty.Any) -> None:
        self.reporter.decided(decision(*ids, done=True, **values))

    def test_first_decision_has_all_rows(self):
        action = memories.Action(memories.ActionKind.RESUME, 'vm1')
        self.reporter.decided(decision('vm1', actions=(action,)))
        self.reporter.decided(decision('vm2', wait=server_status.Wait('x')))
        first = self.listener.events[0]
        self.assertEqual(
            ['HostStarted', 'MoveEnded', 'RequestSent', 'MoveEnded'],
            self.kinds(),
        )
        assert isinstance(first, events.HostStarted)
        self.assertEqual({Phase.WAITING}, {row.phase for row in first.rows})
        self.assertEqual(
            [(0, 2), (1, 2), (1, 2), (2, 2)],
            [
                (event.done, event.total)
                for event in self.listener.events
                if isinstance(event, events.HostEvent)
            ],
        )

    def test_ends_with_the_last_drain(self):
        self.end('vm1')
        self.assertNotIn('HostEnded', self.kinds())
        self.end('vm2')
        self.assertTrue(self.ended().drained)
        self.reporter.close()
        self.ended()

    @unit.cases(
        # how the first drain ends
        {'rows': (builders.row('vm1', phase=Phase.FAILED),)},
        {'trouble': 'down'},
        {'stage': decisions.Stage.OPEN},
    )
    def test_one_of_two_is_not_drained(self, values):
        self.end('vm1', **values)
        self.end('vm2')
        self.assertFalse(self.ended().drained)
        self.assertEqual(values.get('trouble', ''), self.ended().trouble)

    def test_one_that_was_never_decided(self):
        self.end('vm1')
        self.reporter.close()
        self.assertFalse(self.ended().drained)

    def test_nothing_was_begun(self):
        self.reporter.close()
        self.assertEqual([], self.listener.events)


class TestSharedDestinations(unit.TestCase):
    def setUp(self) -> None:
        self.inner = mock.create_autospec(ports.Destinations, instance=True)
        self.first, self.other, self.second = combined.share(
            self.inner,
            [(AWAY, {'vm1', 'vm3'}), (FAR, {'vm9'}), (AWAY, {'vm2'})],
        )

    def test_abandoned_servers_are_shared(self):
        seen = builders.observation(host=AWAY)
        self.first.note(seen, {'vm1'})
        self.second.note(seen, {'vm2'})
        self.inner.note.assert_called_with(seen, {'vm1', 'vm2'})
        self.first.note(seen, set())
        self.inner.note.assert_called_with(seen, {'vm2'})
        self.other.note(seen, {'vm9'})
        self.inner.note.assert_called_with(seen, {'vm9'})

    def test_host_ends_with_its_last_drain(self):
        self.first.leave(AWAY)
        self.inner.leave.assert_not_called()
        self.other.leave(FAR)
        self.inner.leave.assert_called_once_with(FAR)
        self.second.leave(AWAY)
        self.inner.leave.assert_called_with(AWAY)

    def test_abandoned_at_the_end_is_shared(self):
        seen = builders.observation(host=AWAY)
        self.first.note(seen, {'vm1'})
        self.first.leave(AWAY)
        self.second.note(seen, set())
        self.inner.note.assert_called_with(seen, {'vm1', 'vm3'})


class TestParallel(restore_base.RestoreTestCase):
    """How many are on their way home at once."""

    def most(self, home: str = HOME) -> int:
        """Return how many moves to a host went on at once, at the most."""
        changes = []
        for work in self.cloud.works:
            moves = work.by.ours and work.kind in world.MOVES
            if moves and work.record and work.record.dest == home:
                changes += [(work.began, 1), (work.ended or 0.0, -1)]
        count = most = 0
        for _time, change in sorted(changes):
            count += change
            most = max(most, count)
        return most

    def some(self, count: int = 12) -> None:
        hosts = (AWAY, FAR, FARTHEST)
        ways = ({}, {'kind': restore_base.COLD}, {'state': 'stopped'})
        for number in range(count):
            way = ways[number // 3 % 3]
            self.leave(dest=hosts[number % 3], seconds=10.0, **way)

    def test_as_many_as_the_operator_wants(self):
        self.some()
        self.restore(policy=policies.Policy(per_destination=2))
        self.assertEqual(2, self.most())
        self.assertEqual(12, len(self.at_home()))

    @unit.cases(
        # A source runs one live migration at a time; 15 s for looks.
        ((4, 4, 4), 4 * 60),
        ((6, 3, 3), 6 * 60),
    )
    def test_no_queue_grows_while_others_are_idle(self, counts, least):
        for dest, count in zip((AWAY, FAR, FARTHEST), counts, strict=True):
            for _number in range(count):
                self.leave(dest=dest).seconds = 60.0
        run = self.restore()
        self.assertEqual(sum(counts), len(self.at_home()))
        self.assertLess(run.seconds, 1.05 * least + 15)

    def test_those_of_others_count(self):
        self.some(6)
        guests = [self.cloud.add(AWAY, seconds=300.0) for _n in range(2)]
        for guest in guests:
            self.cloud.cold_migrate(guest.id, HOME)
        self.rest(2.0)
        self.restore(policy=policies.Policy(per_destination=3))
        self.assertEqual(1, self.most())
        # Theirs are not ours to confirm.
        self.rest(300.0)
        for guest in guests:
            self.assertEqual('resized', guest.vm_state)


EVENT = events.Trouble('cmp01', 'no answer')


class Failing(builders.Listener):
    def publish(self, event):
        super().publish(event)
        raise RuntimeError('\x1b[2J')


class TestPublisher(unit.TestCase):
    def test_several_listen(self):
        one, other = builders.Listener(), builders.Listener()
        reporting.Publisher(one, None, other).publish(EVENT)
        self.assertEqual([EVENT], one.events)
        self.assertEqual([EVENT], other.events)

    def test_nobody_listens(self):
        reporting.Publisher(None).publish(EVENT)

    def test_one_that_fails_is_told_nothing_more(self):
        one, other = Failing(), builders.Listener()
        publisher = reporting.Publisher(one, other)
        with self.assertLogs(reporting.LOG, 'WARNING') as logs:
            publisher.publish(EVENT)
            publisher.publish(EVENT)
        self.assertEqual(1, len(one.events))
        self.assertEqual(2, len(other.events))
        (record,) = logs.records
        self.assertRegex(record.getMessage(), r'^Failing failed.*\\x1b\[2J')

    def test_an_interrupt_goes_through(self):
        one = mock.Mock()
        one.publish.side_effect = KeyboardInterrupt
        with self.assertRaises(KeyboardInterrupt):
            reporting.Publisher(one).publish(EVENT)


class TestHostReporter(unit.TestCase):
    def test_from_decision_to_decision(self):
        listener = builders.Listener()
        reporter = reporting.HostReporter('cmp01', listener)
        reporter.decided(builders.decision())
        reporter.decided(builders.decision())
        reporter.trouble('no answer')
        started = events.HostStarted('cmp01', 0, 0, ())
        looked = events.LookEnded('cmp01', 0, 0)
        self.assertEqual([started, looked, EVENT], listener.events)
        reporter.decided(builders.decision(done=True))
        self.assertIsInstance(listener.events[-1], events.HostEnded)
