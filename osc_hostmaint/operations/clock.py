# SPDX-License-Identifier: Apache-2.0

"""The real clock, for the engine; tests hand in another."""

import datetime
import time


class Clock:
    """This machine's clocks: the monotonic one and that of the day."""

    def now(self) -> float:
        """Return seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        time.sleep(seconds)

    def utc(self) -> datetime.datetime:
        """Return the time of day, in UTC; it may be set meanwhile."""
        return datetime.datetime.now(datetime.UTC)
