# SPDX-License-Identifier: Apache-2.0

"""What the clocks of the simulated cloud show."""

import datetime

from tests.unit.simulation import timeline

#: When the simulation starts.
EPOCH = datetime.datetime(2026, 11, 20, 23, 0, tzinfo=datetime.UTC)


def utc(time: float) -> datetime.datetime:
    """Return the cloud's time; its database keeps whole seconds."""
    seconds = int(time - timeline.START)
    return EPOCH + datetime.timedelta(seconds=seconds)
