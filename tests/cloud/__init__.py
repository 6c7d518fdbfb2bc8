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

"""The embedded cloud: a real Keystone, Placement and Nova on loopback.

``python -m tests.cloud up`` is for people, :class:`Cloud` for tests::

    with Cloud.start(hosts=3) as cloud:
        server = cloud.boot('web', host='cmp01')
"""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from tests.cloud.handle import Cloud

__all__ = ['Cloud']


def __getattr__(name: str) -> typing.Any:
    # Late, because the service processes import this package too, and Nova
    # must choose its threading backend before much else is imported.
    if name == 'Cloud':
        from tests.cloud import handle

        return handle.Cloud
    raise AttributeError(name)
