# SPDX-License-Identifier: Apache-2.0

"""All of the tool's durations made shorter, or longer, at once."""

from collections import abc
import contextlib

from osc_hostmaint.planning import timing


def durations() -> list[str]:
    """Return the names of the durations that may be scaled."""
    return [
        name
        for name in vars(timing)
        if name.endswith('_SECONDS') and name not in timing.FIXED
    ]


@contextlib.contextmanager
def scaled(factor: float) -> abc.Iterator[None]:
    """Multiply all of them by a factor inside the ``with`` block."""
    before = {name: getattr(timing, name) for name in durations()}
    try:
        for name, seconds in before.items():
            setattr(timing, name, factor * seconds)
        yield
    finally:
        for name, seconds in before.items():
            setattr(timing, name, seconds)
