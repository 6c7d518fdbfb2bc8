# SPDX-License-Identifier: Apache-2.0

"""Telling how it goes to somebody who does not listen, or to nobody."""

import errno
import io
import os
import unittest
from unittest import mock

from osc_hostmaint import events
from osc_hostmaint.progress import lines as progress_lines
from tests.unit import builders


class TestBrokenStream(unittest.TestCase):
    """A drain goes on to its end, whoever still listens."""

    def tell(self, stream):
        """Let everything be told, twice."""
        progress = progress_lines.Progress(stream)
        for _time in range(2):
            progress.publish(events.Trouble('cmp01', 'no answer'))
            progress.publish(builders.ended(builders.row()))

    def test_a_pipe_nobody_reads(self):
        reading, writing = os.pipe()
        os.close(reading)
        stream = os.fdopen(writing, 'w')
        self.tell(stream)

        with self.assertRaises(BrokenPipeError):
            stream.close()

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
