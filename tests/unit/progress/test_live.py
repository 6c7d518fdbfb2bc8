# SPDX-License-Identifier: Apache-2.0

"""What is seen of a run on a terminal."""

import io
import re

from rich import console as consoles

from osc_hostmaint import events
from osc_hostmaint import interrupt as interrupts
from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.progress import live
from tests import unit
from tests.unit import builders

Phase = server_status.Phase
GIB = live.GIB
HOST = builders.HOST


def row(number=1, phase=Phase.MOVING, status='running', **kwargs):
    record = builders.migration(number, status, f'vm{number}')
    values = {'name': f'web-{number}', 'phase': phase, 'record': record}
    return builders.row(f'vm{number}', **{**values, **kwargs})


def waiting(number):
    return row(number, Phase.WAITING, record=None, attempts=0)


class TestView(unit.TestCase):
    def setUp(self):
        super().setUp()
        self.now = 0.0
        self.stream = io.StringIO()
        self.view = live.View(self.stream, clock=lambda: self.now)

    def shown(self, width=100, height=24):
        """Return the lines of the view."""
        console = consoles.Console(
            file=io.StringIO(), width=width, height=height
        )
        self.view.console = console
        with console.capture() as capture:
            console.print(self.view.render())
        lines = capture.get().splitlines()
        self.assertLess(len(lines), height)
        for line in lines:
            self.assertLessEqual(len(line), width)
        return lines

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
        progress = model.Progress(int(remaining * GIB), 4 * GIB)
        event = events.MoveProgressed(HOST, 0, 4, row(), progress)
        self.publish(event, at=at)

    def test_hosts(self):
        self.begin()
        self.moves(2, events.MoveEnded, done=1, phase=Phase.MOVED)
        self.now = 75
        (line,) = self.shown()
        self.assertTrue(line.startswith('cmp01 '), line)
        self.assertIn('1/4, 1 moved, 1:15', line)

    def test_time_left(self):
        """As long as the servers took so far."""
        self.begin()
        self.now = 60
        self.moves(2, events.MoveEnded, done=1, phase=Phase.MOVED)
        self.now = 70
        self.assertIn('about 2:50 left', self.shown()[0])

    def test_memory(self):
        self.begin()
        self.moves()
        self.progress(3, at=10)
        self.assertIn('1.0 of 4.0 GiB, 0 MiB/s', self.shown()[1])
        self.progress(2, at=20)
        (_host, line) = self.shown()
        self.assertRegex(line, r'^ +web-1 +→ cmp02 +live migration, 0:20, ')
        self.assertIn('2.0 of 4.0 GiB, 102 MiB/s', line)

    def test_a_move_in_the_queue_reads_differently(self):
        self.begin()
        self.moves(1, status='queued')
        self.moves(2)
        queued, running = self.shown()[1:]
        self.assertIn("in Nova's queue", queued)
        self.assertNotIn('queue', running)

    def test_stalled(self):
        self.begin()
        self.moves(reason='stalled: 1 MiB', code=codes.Code.STALLED)
        self.assertTrue(self.shown()[1].endswith('stalled'))

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
        for height in (24, 10, 4, 2):
            lines = self.shown(height=height)
            self.assertTrue(lines[0].startswith('cmp01'))
        self.assertIn('and 90 more in flight', '\n'.join(self.shown()))

    @unit.cases(20, 40, 80)
    def test_narrow(self, width):
        self.begin()
        self.moves(name='x' * 200)
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
        self.publish(events.Trouble(HOST, 'no answer'))
        told = self.stream.getvalue().splitlines()
        self.assertEqual(3, len(told), told)
        self.assertIn('vm1): blocked', told[0])

    def test_hostile_names(self):
        hostile = 'x\x1b[2J\u202e[red]'
        self.publish(events.HostStarted('h\x1b', 0, 1, ()))
        self.moves(name=hostile, destination='\x9b', reason=hostile)
        together = ''.join(self.shown())
        self.assertTrue(together.isprintable(), together)
        self.assertIn(r'x\x1b[2J\u202e[red]', together)

    def test_interrupted(self):
        interrupt = interrupts.Interrupt()
        self.view = live.View(self.stream, interrupt=interrupt)
        self.begin()
        interrupt.message = 'Interrupted: nothing new is started'
        self.view.__exit__()
        self.assertIn(interrupt.message, self.stream.getvalue())
        self.assertEqual(interrupt.message, self.shown()[-1])

    def test_a_terminal_that_is_gone(self):
        self.stream.close()
        with self.view:
            self.publish(events.Trouble(HOST, 'no answer'))


class TestDuration(unit.TestCase):
    @unit.cases((0.4, '0:00'), (61, '1:01'), (3661, '1:01:01'))
    def test_words(self, seconds, expected):
        shown = live.duration(seconds)
        self.assertEqual(expected, shown)
        self.assertTrue(re.fullmatch(r'[0-9:]+', shown))
