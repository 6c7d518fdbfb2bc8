# SPDX-License-Identifier: Apache-2.0

import math

from osc_hostmaint.planning.host import server_statuses
from osc_hostmaint.planning.server import status as server_status
from tests import unit

Phase = server_status.Phase


def status(awaits, wake_at=math.inf, phase=Phase.MOVING):
    return server_status.ServerStatus(phase, awaits=awaits, wake_at=wake_at)


class TestWait(unit.TestCase):
    """What a line says of all that is awaited for servers."""

    @unit.cases(
        ([], None),
        ([status('')], None),
        ([status('x', 5.0)], ('x', 5.0, ('vm0',))),
        ([status('x')], ('x', None, ('vm0',))),
        # What lasts longest, and for whom.
        ([status('x', 5.0), status('y', 9.0)], ('y', 9.0, ('vm1',))),
        ([status('x', 5.0), status('x', 9.0)], ('x', 9.0, ('vm0', 'vm1'))),
        # What has no end of its own hides nothing that has one.
        ([status('x', 5.0), status('y')], ('x', 5.0, ('vm0',))),
        # Its move was given up.
        ([status('x', 5.0, Phase.FAILED)], None),
        ([status('x', 5.0, Phase.STILL_MOVING)], None),
    )
    def test_the_longest_is_said(self, statuses, expected):
        found = server_statuses.wait(
            {f'vm{number}': each for number, each in enumerate(statuses)}
        )
        if expected is None:
            self.assertIsNone(found)
        else:
            self.assertEqual(server_status.Wait(*expected), found)
