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

"""Which functional tests stay together, and in which order they run."""

import pytest

from tests.functional import base

#: Tests that take long, the longest first; the others come after them. One
#: that begins last holds up the whole run.
LONG: tuple[str, ...] = ()


def _rank(item: pytest.Item) -> int:
    name = item.nodeid.rpartition('/')[2].replace('.py::', '.')
    return LONG.index(name) if name in LONG else len(LONG)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests; with xdist, keep a cloud's tests in one process.

    Those on the common cloud may run anywhere: every process has one.
    """
    items.sort(key=_rank)
    for item in items:
        owner = getattr(item, 'cls', None)
        if getattr(owner, 'options', None) is not base.COMMON:
            item.add_marker(
                pytest.mark.xdist_group(item.nodeid.split('::')[1])
            )
