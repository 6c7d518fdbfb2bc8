# SPDX-License-Identifier: Apache-2.0

"""Waiting for conditions, with an end."""

from __future__ import annotations

from collections import abc
import time
from typing import TypeVar

T = TypeVar('T')


class Timeout(Exception):
    """What was waited for did not come."""


def wait_for(
    condition: abc.Callable[[], T],
    what: str,
    timeout: float = 60.0,
    interval: float = 0.1,
) -> T:
    """Wait until the condition gives something true, and return that."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Timeout(f'after {timeout:g} s: {what}')
        time.sleep(interval)
