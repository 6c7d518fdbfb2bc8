# SPDX-License-Identifier: Apache-2.0

"""The real clock, for the engine; tests hand in another."""

import time


class Clock:
    """Seconds of this machine's monotonic clock."""

    def now(self) -> float:
        """Return seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        time.sleep(seconds)
