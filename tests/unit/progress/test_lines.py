# SPDX-License-Identifier: Apache-2.0

"""What the operator reads on stderr meanwhile."""

import io
import unittest

import ddt

from osc_hostmaint import events
from osc_hostmaint import text
from osc_hostmaint.engine import reporting
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.progress import lines as progress_lines
from tests.unit import builders

Phase = server_status.Phase
Wait = server_status.Wait


def waiting(server_id='vm1', **kwargs):
    """Return the row of a server that nothing has been done with yet."""
    return builders.row(
        server_id,
        **{
            'phase': Phase.WAITING,
            'destination': '',
            'attempts': 0,
            'seconds': None,
            **kwargs,
        },
    )


@ddt.ddt
class TestProgress(unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.stream = io.StringIO()
        self.progress = progress_lines.Progress(self.stream)
        self.reporters = {}

    def told(self, *rows, host=builders.HOST, **kwargs):
        """Return the lines that a decision adds."""
        self.stream.seek(0)
        self.stream.truncate()
        reporter = self.reporters.setdefault(
            host, reporting.HostReporter(host, self.progress)
        )
        reporter.decided(builders.decision(rows, **kwargs))
        return self.stream.getvalue().splitlines()

    def test_opening(self):
        lines = self.told(
            waiting('vm1'),
            waiting('vm2'),
            waiting('vm3', move='cold migration'),
            waiting('vm4', move='', phase=Phase.BUSY, reason='busy: spawning'),
        )

        self.assertEqual(
            [
                'cmp01: 4 servers (1 by cold migration, 2 by live migration)',
                'cmp01: [0/4] name of vm4 (vm4): waiting: busy: spawning',
            ],
            lines,
        )

    def test_an_empty_host(self):
        self.assertEqual(['cmp01: 0 servers'], self.told())

    @ddt.data(
        # what is asked for, where to, the line
        (memories.ActionKind.LIVE_MIGRATE, 'cmp09', 'live migration to cmp09'),
        (memories.ActionKind.COLD_MIGRATE, '', 'cold migration'),
        (memories.ActionKind.EVACUATE, 'cmp09', 'evacuation to cmp09'),
        (memories.ActionKind.RESET, '', 'resetting its state'),
        (memories.ActionKind.CONFIRM, '', 'confirmation'),
        (memories.ActionKind.RESUME, '', 'resuming'),
        (memories.ActionKind.SUSPEND, '', 'suspending again'),
        (memories.ActionKind.SHELVE, '', 'shelving'),
        (memories.ActionKind.OFFLOAD, '', 'offloading'),
        (memories.ActionKind.ABORT, '', 'abort of its migration'),
        (
            memories.ActionKind.FORCE_COMPLETE,
            '',
            'forced completion of its migration',
        ),
    )
    @ddt.unpack
    def test_requests_of_every_kind(self, kind, host, words):
        lines = self.told(
            waiting(), actions=(memories.Action(kind, 'vm1', host=host),)
        )

        self.assertEqual(
            f'cmp01: [0/1] name of vm1 (vm1): {words} asked for', lines[-1]
        )

    def test_what_we_began_is_not_moving_already(self):
        """Resumed in the same tick, or suspended once it has arrived."""
        resume = memories.Action(memories.ActionKind.RESUME, 'vm1')
        row = waiting(phase=Phase.MOVING)
        arrived = waiting(
            phase=Phase.MOVING, record=builders.migration(1, 'completed')
        )

        for lines in (
            self.told(row, actions=(resume,)),
            self.told(arrived),
        ):
            self.assertNotIn('already', ' '.join(lines))

    def test_no_kind_of_request_lacks_words(self):
        for kind in memories.ActionKind:
            self.told(waiting(), actions=(memories.Action(kind, 'vm1'),))

    @ddt.data(
        # the row, the line
        (builders.row(), 'moved to cmp02 in 4 s'),
        (
            builders.row(phase=Phase.FAILED, reason='No valid host'),
            'failed in 4 s: No valid host',
        ),
        (
            waiting(phase=Phase.BLOCKED, reason='suspended'),
            'blocked: suspended',
        ),
        (waiting(phase=Phase.GONE), 'gone'),
        (
            waiting(phase=Phase.SETTLING, reason='No valid host'),
            'will be tried again: No valid host',
        ),
        (
            waiting(phase=Phase.BUSY, reason='busy: x'),
            'waiting: busy: x',
        ),
        (
            waiting(phase=Phase.MOVING, record=builders.migration()),
            'is being moved already',
        ),
        (
            waiting(
                phase=Phase.MOVING, record=builders.migration(1, 'finished')
            ),
            'has left the host; its move is to be confirmed',
        ),
        (
            builders.row(phase=Phase.STILL_MOVING, reason='time is up'),
            'moving to cmp02 for 4 s: time is up',
        ),
        (builders.row(phase=Phase.OFFLOADED), 'offloaded in 4 s'),
        (
            waiting(phase=Phase.MOVING, attempts=1, reason='stalled: 9 MiB'),
            'stalled: 9 MiB',
        ),
        (
            waiting(phase=Phase.MOVING, reason='stalled: 9 MiB'),
            'stalled: 9 MiB',
        ),
    )
    @ddt.unpack
    def test_news(self, row, expected):
        # The first line tells how many there are.
        line = self.told(row)[1]

        self.assertTrue(line.endswith(f'name of vm1 (vm1): {expected}'), line)

    @ddt.data(
        waiting(),
        waiting(phase=Phase.MOVING, attempts=1),
        waiting(phase=Phase.SETTLING),
    )
    def test_nothing_new_prints_nothing(self, row):
        self.told(waiting(phase=Phase.BUSY))

        self.assertEqual([], self.told(row))

    def test_nothing_is_told_twice(self):
        row = waiting(phase=Phase.SETTLING, reason='No valid host')
        self.told(row)

        self.assertEqual([], self.told(row))

    def test_it_is_tried_again_without_a_pause(self):
        """The scheduler would not have the host that we had picked."""
        self.told(builders.row(phase=Phase.MOVING))
        again = waiting(reason='No valid host', attempts=1)

        self.assertEqual(
            [
                'cmp01: [0/1] name of vm1 (vm1): will be tried again: No '
                'valid host'
            ],
            self.told(again),
        )
        self.assertEqual([], self.told(again))

    def test_a_move_that_stalls_is_told_once(self):
        """Nor is the reason told again with the request to abort it."""
        moving = waiting(phase=Phase.MOVING, attempts=1)
        stalled = waiting(
            phase=Phase.MOVING, attempts=1, reason='stalled: 9 MiB'
        )
        abort = memories.Action(
            memories.ActionKind.ABORT, 'vm1', record_id=7, why='stalled: 9 MiB'
        )
        told = 'cmp01: [0/1] name of vm1 (vm1): '
        for actions, more in (
            ((), []),
            ((abort,), [f'{told}abort of its migration asked for']),
        ):
            self.told(moving)
            self.assertEqual(
                [f'{told}stalled: 9 MiB', *more],
                self.told(stalled, actions=actions),
            )
            self.assertEqual([], self.told(stalled))
            self.assertEqual([], self.told(moving))

    def test_what_is_waited_for_is_told_once(self):
        self.told()
        self.assertEqual(
            ['cmp01: waiting for servers'],
            self.told(wait=Wait('servers')),
        )
        self.assertEqual([], self.told(wait=Wait('servers')))
        self.assertEqual([], self.told())
        self.assertEqual(1, len(self.told(wait=Wait('servers'))))

    def test_hosts_do_not_mix(self):
        self.told(builders.row())
        lines = self.told(builders.row(host='cmp07'), host='cmp07')

        self.assertEqual(2, len(lines))
        self.assertTrue(all(line.startswith('cmp07: ') for line in lines))

    @ddt.data(
        '\x1b[2J\nroot: ',
        '\x9b31m',
        'gpj.\u202eexe',
        'over\rwritten',
        '\x1b]0;title\x07',
        'lone \ud800',
    )
    def test_hostile_names_and_reasons(self, hostile):
        lines = self.told(
            waiting(name=hostile, phase=Phase.BLOCKED, reason=hostile)
        )
        self.progress.publish(events.Trouble('cmp01', hostile))
        lines += self.told(waiting(), wait=Wait(hostile))
        lines += self.stream.getvalue().splitlines()

        self.assertLess(3, len(lines))
        for line in lines:
            self.assertTrue(line.startswith('cmp01: '), line)
            self.assertTrue(line.isprintable(), line)

    @ddt.data('x', 'デ', '\x1b', 'e\u0301')
    def test_lines_stay_short(self, letter):
        """However long a name is, and what Nova has to say of it."""
        line = self.told(
            waiting(
                name=letter * 255,
                phase=Phase.BLOCKED,
                reason=f'no: {letter * 5000}',
            )
        )[1]

        self.assertLessEqual(len(line), 2 * progress_lines.LINE_COLUMNS)
        self.assertEqual(line, text.shorten(line, progress_lines.LINE_COLUMNS))
        self.assertIn('… (vm1): blocked: no: ', line)
        self.assertTrue(line.endswith('…'))
