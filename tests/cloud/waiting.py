#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Waiting for conditions, with an end."""

from __future__ import annotations

from collections.abc import Callable
import time
from typing import TypeVar

T = TypeVar('T')


class Timeout(Exception):
    """What was waited for did not come."""


def wait_for(
    condition: Callable[[], T],
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
