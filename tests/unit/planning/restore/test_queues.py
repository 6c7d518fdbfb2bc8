# SPDX-License-Identifier: Apache-2.0

"""From where the next server comes home."""

from osc_hostmaint.planning.restore import queues
from tests import unit


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
