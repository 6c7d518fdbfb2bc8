# SPDX-License-Identifier: Apache-2.0

"""What is seen of a run on a terminal."""

import contextlib
import io
import logging
import os
import termios
import threading
import types
from unittest import mock

from rich import console as consoles

from osc_hostmaint import events
from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.progress import lines
from osc_hostmaint.progress import live
from tests import unit
from tests.unit import builders

Phase = server_status.Phase
GIB = 2**30
HOST = builders.HOST


def row(number=1, phase=Phase.MOVING, status='running', **kwargs):
    begun_at = builders.cloud_time(60) if status == 'running' else None
    record = builders.migration(
        number, status, f'vm{number}', begun_at=begun_at
    )
    values = {'name': f'web-{number}', 'phase': phase, 'record': record}
    return builders.row(f'vm{number}', **{**values, **kwargs})


def waiting(number):
    return row(number, Phase.WAITING, record=None, attempts=0)


class TestView(unit.TestCase):
    def setUp(self):
        super().setUp()
        self.now = 0.0
        self.stream = io.StringIO()
        self.messages = types.SimpleNamespace(message='', last_message='')
        self.view = self.enterContext(
            live.View(
                self.stream,
                lines.DRAINED,
                self.messages,
                clock=lambda: self.now,
            )
        )

    def shown(self, width=100, height=24):
        """Return the lines of the view."""
        console = consoles.Console(
            file=io.StringIO(), width=width, height=height
        )
        with (
            mock.patch.object(self.view, 'console', console),
            console.capture() as capture,
        ):
            console.print(self.view.render())
        shown = capture.get().splitlines()
        self.assertLess(len(shown), height)
        for line in shown:
            room = max(1, width - live.FREE_COLUMNS)
            self.assertLessEqual(len(line), room)
        return shown

    def publish(self, *published, at=None):
        self.now = self.now if at is None else at
        for event in published:
            self.view.publish(event)

    def begin(self, servers=4, host=HOST):
        rows = tuple(map(waiting, range(1, servers + 1)))
        self.publish(events.HostStarted(host, 0, servers, rows))

    def moves(self, number=1, kind=events.ServerChanged, done=0, **kwargs):
        self.publish(kind(HOST, done, 4, row(number, **kwargs)))

    def progress(self, remaining, at):
        progress = model.Progress(int(remaining * GIB), 4 * GIB, seen_at=at)
        done = self.view._hosts[HOST].done
        event = events.MoveProgressed(HOST, done, 4, row(), progress)
        # It may be published late.
        self.publish(event, at=at + 5)
        self.now = at

    def test_hosts(self):
        self.begin()
        self.moves(2, events.MoveEnded, done=1, phase=Phase.MOVED)
        self.now = 75
        (line,) = self.shown()
        self.assertTrue(line.startswith('cmp01 '), line)
        self.assertIn('1/4, 1 moved, 1:15', line)

    def test_time_left(self):
        """As fast as moves have ended; what is blocked took no time."""
        self.begin()
        self.moves(
            3, events.ServerBlocked, 1, phase=Phase.BLOCKED, reason='no'
        )
        # Nor did one that had moved before, and one whose move failed.
        self.moves(4, events.MoveEnded, phase=Phase.MOVED)
        self.moves(1)
        self.moves(1, events.MoveEnded, phase=Phase.FAILED)
        self.assertNotIn('left', self.shown()[0])
        self.moves(2)
        self.now = 60
        self.moves(2, events.MoveEnded, 2, phase=Phase.MOVED)
        self.now = 70
        self.assertIn('about 1:50 left', self.shown()[0])
        self.now = 190
        self.assertNotIn('left', self.shown()[0])

    def test_not_done_before_what_is_in_flight(self):
        self.begin()
        self.now = 1
        for number in (2, 3, 4):
            self.moves(number)
            self.moves(number, events.MoveEnded, number - 1, phase=Phase.MOVED)
        self.moves(done=3)
        self.progress(3, at=11)
        self.progress(2, at=21)
        self.assertIn('about 0:20 left', self.shown()[0])

    def test_memory(self):
        self.begin()
        self.moves()
        self.progress(3, at=10)
        self.assertIn('1.0 of 4.0 GiB, 0:10', self.shown()[1])
        self.progress(2, at=20)
        (_host, line) = self.shown()
        self.assertRegex(line, r'^ +web-1 +to cmp02 +2.0 of 4.0 GiB')
        self.assertIn(', 102 MiB/s, 0:20 left, live migration', line)
        # Only recently: it writes as much as is copied now.
        for at in (40, 60):
            self.progress(2, at=at)
        self.assertIn(', 0 MiB/s, 1:00', self.shown()[1])
        # However seldom it is asked for.
        self.progress(1, at=160)
        self.assertIn(', 10 MiB/s, 1:40 left', self.shown()[1])
        # Nobody can tell when that is over.
        self.progress(1 - 2**-20, at=180)
        self.progress(1 - 2**-19, at=200)
        self.assertIn(', 0 MiB/s, 3:20,', self.shown()[1])

    def test_another_attempt(self):
        self.begin()
        self.moves()
        self.progress(3, at=10)
        late = events.MoveProgressed(
            *(HOST, 0, 4, row()), model.Progress(2 * GIB, 4 * GIB)
        )
        self.moves(kind=events.RetryScheduled, phase=Phase.WAITING)
        self.assertEqual(1, len(self.shown()))
        again = builders.migration(9, 'queued', 'vm1')
        self.moves(record=again)
        self.publish(late)
        self.assertNotIn('GiB', self.shown()[1])

    def test_log(self):
        """What is logged stands above the view, and is not overdrawn."""
        handler = logging.StreamHandler(self.stream)
        root = logging.getLogger()
        root.addHandler(handler)
        self.addCleanup(root.removeHandler, handler)
        self.begin()
        self.assertIsNot(self.stream, handler.stream)
        logging.getLogger('x').warning('careful')
        self.assertEqual('careful\n', self.stream.getvalue())
        self.assertTrue(self.view.is_drawn)
        self.view.__exit__()
        self.assertIs(self.stream, handler.stream)
        self.assertFalse(self.view.is_drawn)

    def test_no_thread(self):
        """Then each event draws it."""
        thread = mock.patch.object(
            threading.Thread, 'start', side_effect=RuntimeError
        )
        with thread:
            self.begin()
        with mock.patch.object(self.view._live, 'refresh') as refresh:
            self.moves()
        refresh.assert_called_once_with()
        self.assertTrue(self.view.is_drawn)

    def test_a_move_in_the_queue_reads_differently(self):
        self.begin()
        self.moves(1, status='queued')
        self.moves(2, name='')
        queued, running = self.shown()[1:]
        self.assertIn('vm2', running)
        self.assertIn("in Nova's queue", queued)
        self.assertNotIn('queue', running)

    def test_stalled(self):
        self.begin()
        self.moves(reason='stalled: 1 MiB', code=codes.Code.STALLED)
        self.assertIn(', stalled, live migration', self.shown()[1])

    def test_asked_for(self):
        """It has no record yet; the event says where to."""
        self.begin()
        kind = memories.ActionKind.LIVE_MIGRATE
        of = waiting(1)
        self.publish(events.MoveStarted(HOST, 0, 4, of, kind, 'cmp09'))
        self.assertEqual(2, len(self.shown()))

    def test_waiting(self):
        self.begin()
        self.publish(events.Waiting(HOST, 0, 4, 'servers that arrive'))
        self.assertIn('waiting for servers that arrive', self.shown()[0])
        self.publish(events.WaitingEnded(HOST, 0, 4))
        self.assertNotIn('waiting', self.shown()[0])

    def test_more_than_the_terminal_has_room_for(self):
        for host in ('cmp01', 'cmp02'):
            self.begin(500, host)
            for number in range(1, 100):
                of = row(number)
                self.publish(events.ServerChanged(host, 0, 500, of))
        for height in (24, 10, 4):
            shown = self.shown(height=height)
            self.assertTrue(shown[0].startswith('cmp01'))
        self.assertIn(', 99 in flight', self.shown()[0])
        self.begin(500, 'cmp03')
        self.assertRegex(self.shown(height=3)[-1], 'and 2 more +hosts')
        # What is left of the room is used.
        self.assertEqual(5, len(self.shown(height=6)))

    @unit.cases((20, 'x' * 7), (30, 'x' * 7), (40, 'x' * 7), (80, 'x' * 16))
    def test_narrow(self, width, name):
        """Names are shortened, but can be read, and counts stay."""
        self.begin()
        self.moves(name='x' * 200)
        (host, line) = self.shown(width=width)
        self.assertIn('0/4', host)
        self.assertIn(name, line)

    @unit.cases(*range(1, 20))
    def test_much_too_narrow(self, width):
        self.begin()
        self.moves()
        self.assertEqual(2, len(self.shown(width=width)))

    def test_hosts_that_have_ended_are_gone(self):
        self.begin()
        self.publish(builders.ended())
        self.assertEqual([], self.shown())
        self.assertIn('cmp01: drained', self.stream.getvalue())

    def test_what_scrolls(self):
        self.begin()
        self.moves(1, events.ServerBlocked, phase=Phase.BLOCKED, reason='no')
        self.moves(2, events.MoveEnded, phase=Phase.FAILED, reason='broken')
        self.moves(3, events.MoveEnded, phase=Phase.MOVED)
        self.publish(events.LookEnded(HOST, 3, 4))
        self.publish(events.Trouble(HOST, 'no answer'))
        told = self.stream.getvalue().splitlines()
        self.assertEqual(3, len(told), told)
        self.assertIn('vm1): blocked', told[0])

    def test_blocked_for_the_same_reason(self):
        self.begin()
        for number in (1, 2, 3):
            reason = f'resume it (openstack server resume vm{number})'
            self.moves(
                *(number, events.ServerBlocked),
                phase=Phase.BLOCKED,
                reason=reason,
            )
        self.assertEqual('', self.stream.getvalue())
        self.publish(events.LookEnded(HOST, 3, 4))
        self.assertEqual(
            'cmp01: 3 servers blocked (web-1, web-2, web-3): resume it '
            '(openstack server resume <server>)\n',
            self.stream.getvalue(),
        )

    def test_hostile_names(self):
        hostile = 'x\x1b[2J\u202e[red]'
        self.publish(events.HostStarted('h\x1b', 0, 1, ()))
        self.moves(name=hostile, destination='\x9b', reason=hostile)
        together = ''.join(self.shown())
        self.assertTrue(together.isprintable(), together)
        self.assertIn(r'x\x1b[2J\u202e[red]', together)

    def test_message(self):
        self.begin()
        self.messages.message = 'Interrupted: nothing new is started'
        self.assertEqual(self.messages.message, self.shown()[-1])
        self.messages.last_message = 'Stopped'
        self.view.__exit__()
        self.assertEqual('Stopped\n', self.stream.getvalue())

    def test_a_terminal_that_is_gone(self):
        self.begin()
        self.stream.close()
        self.publish(events.Trouble(HOST, 'no answer'))
        self.view.__exit__()


class TestTerminal(unit.TestCase):
    """A real one."""

    def setUp(self):
        super().setUp()
        self.ours, theirs = os.openpty()
        self.addCleanup(os.close, self.ours)
        termios.tcsetwinsize(theirs, (24, 60))
        self.stream = self.enterContext(os.fdopen(theirs, 'w'))
        self.enterContext(
            mock.patch.dict(os.environ, {'COLUMNS': '200', 'TERM': 'xterm'})
        )
        self.messages = types.SimpleNamespace(message='', last_message='')
        self.view = self.enterContext(
            live.View(self.stream, lines.DRAINED, self.messages)
        )
        self.view.publish(events.HostStarted(HOST, 0, 0, ()))

    def test_its_own_size(self):
        self.assertEqual((60, 24), self.view.console.size)
        termios.tcsetwinsize(self.stream.fileno(), (30, 50))
        self.view._draw()
        self.assertEqual((50, 30), self.view.console.size)

    def test_interrupted_as_it_begins(self):
        view = live.View(self.stream, lines.DRAINED, self.messages)
        broken = mock.patch.object(view.console, 'show_cursor')
        with broken as show, self.assertRaises(KeyboardInterrupt), view:
            show.side_effect = (KeyboardInterrupt, None)
            view.publish(events.HostStarted(HOST, 0, 0, ()))
        self.assertEqual([(False,), ()], [c.args for c in show.mock_calls])

    def test_what_fails_is_not_drawn(self):
        with mock.patch.object(self.view._lines, 'publish') as publish:
            publish.side_effect = RuntimeError
            with self.assertRaises(RuntimeError):
                self.view.publish(events.Trouble(HOST, 'x'))
        self.assertFalse(self.view.is_drawn)

    def test_the_terminal_folds_what_stands_above(self):
        self.messages.message = 'Interrupted: ' + 'and so on ' * 6 + 'end'
        self.view._draw()
        self.view.publish(events.Trouble(HOST, 'x' * 100))
        self.view.__exit__()
        os.set_blocking(self.ours, False)
        shown = b''
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.ours, 2**12):
                shown += chunk
        _before, line, below = shown.partition(b'cmp01: ' + b'x' * 100)
        self.assertTrue(line, shown)
        erased = b'\x1b[2K'
        self.assertIn(b'end', below.split(erased)[0])


class TestDuration(unit.TestCase):
    @unit.cases((0.4, '0:00'), (61, '1:01'), (3661, '1:01:01'))
    def test_words(self, seconds, expected):
        self.assertEqual(expected, live.duration(seconds))
