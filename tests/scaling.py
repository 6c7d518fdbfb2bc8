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

"""All of the tool's durations made shorter, or longer, at once."""

import collections.abc
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
def scaled(factor: float) -> collections.abc.Iterator[None]:
    """Multiply all of them by a factor inside the ``with`` block."""
    before = {name: getattr(timing, name) for name in durations()}
    try:
        for name, seconds in before.items():
            setattr(timing, name, factor * seconds)
        yield
    finally:
        for name, seconds in before.items():
            setattr(timing, name, seconds)
