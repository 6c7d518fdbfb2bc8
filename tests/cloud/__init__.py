# SPDX-License-Identifier: Apache-2.0

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
