# SPDX-License-Identifier: Apache-2.0

"""A move that its record shows in flight."""

import dataclasses

from osc_hostmaint.planning.server import in_flight
from tests import unit
from tests.unit import builders
from tests.unit.planning import base


class TestAtRest(unit.TestCase):
    """The server is on the host as if nobody moved it."""

    @unit.cases(
        (base.HERE, True),
        # Nova is at these: a resize to the same host is being confirmed.
        *((base.VERIFY_HERE, False), (base.MIGRATING, False)),
        (base.VERIFY_THERE, False),
    )
    def test_is_awaited(self, view, expected):
        view = dataclasses.replace(view, seen_at=base.NOW)
        record = base.record(type=base.RESIZE, dest=builders.HOST)
        status = in_flight.assess(base.context(record, view=view), record)
        self.assertEqual(expected, 'servers are at rest' in status.awaits)
