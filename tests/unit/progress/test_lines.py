# SPDX-License-Identifier: Apache-2.0

"""What the operator reads on stderr meanwhile (events: test_events)."""

import dataclasses
import errno
import io
from unittest import mock

from osc_hostmaint import events
from osc_hostmaint import text
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.progress import lines as progress_lines
from tests import unit
from tests.unit import builders

HOST = builders.HOST
Kind = memories.ActionKind
Phase = server_status.Phase
row = builders.untouched


def done(phase=Phase.MOVED, reason=''):
    return builders.row(phase=phase, reason=reason)


def lines(*published, endings=progress_lines.DRAINED):
    stream = io.StringIO()
    progress = progress_lines.Progress(stream, endings)
    for event in published:
        progress.publish(event)
    return stream.getvalue().splitlines()


def of_server(kind, of, *more):
    return kind(HOST, 0, 1, of, *more)


class TestLines(unit.TestCase):
    @unit.cases(
        # the event, its line
        (events.Trouble('cmp07', 'no \x1b[2J\n'), r'cmp07: no \x1b[2J\n'),
        (events.Waiting(HOST, 0, 0, 'servers'), 'cmp01: waiting for servers'),
        (events.WaitingEnded(HOST, 0, 0), None),
        (events.HostStarted(HOST, 0, 0, ()), 'cmp01: 0 servers'),
        (events.HostStarted(HOST, 0, 1, (row(move=''),)), 'cmp01: 1 server'),
        (
            events.HostStarted(
                *(HOST, 0, 4),
                (row(), row(move='cold migration'), row(), row(move='')),
            ),
            'cmp01: 4 servers (1 by cold migration, 2 by live migration)',
        ),
        (builders.ended(), 'cmp01: drained'),
        (
            builders.ended(done(), done(), done(Phase.GONE)),
            'cmp01: drained (1 gone, 2 moved)',
        ),
        (
            builders.ended(done(), done(Phase.FAILED)),
            'cmp01: not drained (1 failed, 1 moved)',
        ),
    )
    def test_hosts(self, event, line):
        self.assertEqual([line] if line else [], lines(event))

    @unit.cases(
        (progress_lines.EVACUATED, 'evacuated', 'not evacuated'),
        (progress_lines.HOME, 'all back', 'not all back'),
    )
    def test_other_ends(self, endings, well, badly):
        ends = builders.ended(), builders.ended(drained=False)
        self.assertEqual(
            [f'cmp01: {well}', f'cmp01: {badly}'],
            lines(*ends, endings=endings),
        )

    @unit.cases(
        # the event, the row, the line
        (events.MoveEnded, done(), 'moved to cmp02 in 4 s'),
        (events.MoveEnded, done(Phase.FAILED, 'No'), 'failed in 4 s: No'),
        (events.MoveEnded, done(Phase.OFFLOADED), 'offloaded in 4 s'),
        (
            events.MoveNotAwaited,
            done(Phase.STILL_MOVING, 'time is up'),
            'moving to cmp02 for 4 s: time is up',
        ),
        (events.ResultExplained, row(Phase.FAILED, 'No'), 'failed: No'),
        (events.ServerBlocked, row(Phase.BLOCKED, 'odd'), 'blocked: odd'),
        (events.ServerDropped, row(Phase.GONE), 'gone'),
        (events.ServerBusy, row(Phase.BUSY, 'busy'), 'waiting: busy'),
        (events.RetryScheduled, row(reason='No'), 'will be tried again: No'),
        (events.MoveDelayed, row(reason='stalled: 9 MiB'), 'stalled: 9 MiB'),
        (
            events.MoveAdopted,
            row(record=builders.migration()),
            'is being moved already',
        ),
        (
            events.MoveAdopted,
            row(record=builders.migration(1, 'finished')),
            'has left the host; its move is to be confirmed',
        ),
        (events.ServerChanged, row(), None),
    )
    def test_servers(self, kind, of, line):
        expected = [f'cmp01: [0/1] name of vm1 (vm1): {line}'] if line else []
        self.assertEqual(expected, lines(of_server(kind, of)))

    @unit.cases(
        # what is asked for, where to, the line
        (Kind.LIVE_MIGRATE, 'cmp09', 'live migration to cmp09'),
        (Kind.COLD_MIGRATE, '', 'cold migration'),
        (Kind.EVACUATE, 'cmp09', 'evacuation to cmp09'),
        (Kind.RESET, '', 'resetting its state'),
        (Kind.CONFIRM, '', 'confirmation'),
        (Kind.RESUME, '', 'resuming'),
        (Kind.SUSPEND, '', 'suspending again'),
        (Kind.UNTAG, '', 'removal of its tag'),
        (Kind.SHELVE, '', 'shelving'),
        (Kind.OFFLOAD, '', 'offloading'),
        (Kind.ABORT, '', 'abort of its migration'),
        (Kind.FORCE_COMPLETE, '', 'forced completion of its migration'),
    )
    def test_requests(self, kind, host, words):
        """The reason was said before, with the event that led to it."""
        event = of_server(events.RequestSent, row(reason='x'), kind, host)
        self.assertEqual(
            [f'cmp01: [0/1] name of vm1 (vm1): {words} asked for'],
            lines(event),
        )

    @unit.cases(
        *('\x1b[2J\nroot: ', '\x9b31m', 'gpj.\u202eexe', 'over\rwritten'),
        *('\x1b]0;title\x07', 'lone \ud800'),
    )
    def test_hostile_names_and_reasons(self, hostile):
        shown = lines(
            of_server(events.ServerBlocked, row(reason=hostile, name=hostile)),
            events.Trouble(HOST, hostile),
            events.Waiting(HOST, 0, 0, hostile),
        )
        self.assertEqual(3, len(shown))
        for line in shown:
            self.assertTrue(line.startswith('cmp01: '), line)
            self.assertTrue(line.isprintable(), line)

    @unit.cases('x', 'デ', '\x1b', 'e\u0301')
    def test_lines_stay_short(self, letter):
        """However long a name is, and what Nova has to say of it."""
        blocked = row(Phase.BLOCKED, f'no: {letter * 5000}', name=letter * 255)
        event = of_server(events.ServerBlocked, blocked)
        (line,) = lines(event)
        self.assertLessEqual(len(line), 2 * progress_lines.LINE_COLUMNS)
        self.assertEqual(line, text.shorten(line, progress_lines.LINE_COLUMNS))
        self.assertIn('… (vm1): blocked: no: ', line)
        self.assertTrue(line.endswith('…'))

    def test_logs_have_what_is_advised(self):
        words = 'x' * 1000 + ' run openstack server reboot --hard vm1'
        event = of_server(events.ServerBlocked, row(Phase.BLOCKED, words))
        self.assertTrue(lines(event)[0].endswith('--hard vm1'))


class TestAlike(unit.TestCase):
    """What the end of a run does to many servers is one line."""

    def blocked(self, number, reason='interrupted', **kwargs):
        names = {'server_id': f'vm{number}', 'name': f'web-{number}'}
        of = row(Phase.BLOCKED, reason, code=codes.Code.INTERRUPTED)
        of = dataclasses.replace(of, **names | kwargs)
        return of_server(events.ServerBlocked, of)

    def test_counted(self):
        found = lines(
            *map(self.blocked, (1, 2)),
            self.blocked(9, 'time is up'),
            # The second one comes again: whoever told it was interrupted.
            *map(self.blocked, (2, 3, 4)),
            # It has no line.
            of_server(events.ServerChanged, self.blocked(1).row),
            builders.ended(drained=False),
        )
        expected = [
            'cmp01: 4 servers blocked (web-1, web-2, web-3, 1 more): '
            'interrupted',
            'cmp01: [0/1] web-9 (vm9): blocked: time is up',
        ]
        self.assertEqual(expected, found[:2])
        self.assertEqual(3, len(found))

    def test_at_the_end_of_a_look(self):
        look = self.blocked(1), self.blocked(2, name='')
        found = lines(*look, events.LookEnded(HOST, 0, 1), self.blocked(1))
        self.assertEqual(
            ['cmp01: 2 servers blocked (web-1, vm2): interrupted'], found
        )

    def test_others_are_lines_of_their_own(self):
        other = self.blocked(1, code=codes.Code.SUSPENDED)
        ended = builders.ended(drained=False)
        found = lines(self.blocked(1), other, other, ended)
        self.assertEqual(4, len(found))

    def test_nothing_but_trouble(self):
        """That the operator has to know, however quiet it is to be."""
        stream = io.StringIO()
        progress = progress_lines.Progress(stream, kind=events.Trouble)
        for event in (self.blocked(1), builders.ended()):
            progress.publish(event)
        self.assertEqual('', stream.getvalue())
        progress.publish(events.Trouble(HOST, 'no answer'))
        self.assertEqual('cmp01: no answer\n', stream.getvalue())


class TestBrokenStream(unit.TestCase):
    """A drain goes on to its end, whoever still listens."""

    def tell(self, stream):
        """Let everything be told, twice."""
        progress = progress_lines.Progress(stream)
        for _time in range(2):
            progress.publish(events.Trouble(HOST, 'no answer'))
            progress.publish(builders.ended(builders.row()))

    def test_nothing_is_written_any_more(self):
        """What is left in a buffer would be tried again each time."""
        stream = mock.create_autospec(io.TextIOWrapper, instance=True)
        stream.flush.side_effect = OSError(errno.EIO, 'Input/output error')
        self.tell(stream)
        stream.write.assert_called_once()

    def test_other_exceptions_propagate(self):
        stream = mock.create_autospec(io.TextIOWrapper, instance=True)
        stream.write.side_effect = KeyError('x')
        with self.assertRaises(KeyError):
            self.tell(stream)
