# SPDX-License-Identifier: Apache-2.0

"""Which progress is shown, and where."""

import io
import os
import sys
from unittest import mock

from osc_hostmaint import events
from osc_hostmaint.commands import drain
from osc_hostmaint.progress import lines
from osc_hostmaint.progress import live
from tests import unit
from tests.unit import builders


class Stream(io.StringIO):
    def __init__(self, *, tty):
        super().__init__()
        self.isatty = lambda: tty


class TestListener(unit.TestCase):
    @unit.cases(
        # --progress, a terminal, TERM, how verbose; a view, any lines
        ('auto', True, 'xterm', 1, True, True),
        ('auto', True, 'dumb', 1, False, True),
        ('auto', True, 'xterm', 2, False, True),
        ('auto', True, 'xterm', 0, False, False),
        ('auto', False, 'xterm', 1, False, True),
        # Nothing can be drawn anew there.
        ('live', False, 'xterm', 1, False, True),
        ('live', True, 'dumb', 1, False, True),
        ('live', True, 'xterm', 2, True, True),
        ('live', True, 'xterm', 0, False, False),
        ('lines', True, 'xterm', 1, False, True),
        ('none', True, 'xterm', 1, False, False),
    )
    def test_kind(self, how, tty, term, verbose, view, anything):
        app = mock.Mock(options=mock.Mock(verbose_level=verbose))
        command = drain.DrainHostMaintenance(app, None)
        command._how, stream = how, Stream(tty=tty)
        with (
            mock.patch.object(sys, 'stderr', stream),
            mock.patch.dict(os.environ, {'TERM': term}),
            command._listener(lines.DRAINED) as listener,
        ):
            self.assertIs(view, isinstance(listener, live.View))
            listener.publish(builders.ended())
            self.assertIs(anything, bool(stream.getvalue()))
            listener.publish(events.Trouble('cmp01', 'no answer'))
        self.assertIn('cmp01: no answer', stream.getvalue())
