# SPDX-License-Identifier: Apache-2.0

"""All requests to Nova and Placement, in one object.

Each method is one request; it hides its form and its microversion. See
https://docs.openstack.org/api-ref/compute/ and
https://docs.openstack.org/api-ref/placement/.
"""

from osc_hostmaint.nova import actions
from osc_hostmaint.nova import moves
from osc_hostmaint.nova import placement
from osc_hostmaint.nova import servers


class Gateway(
    actions.Actions, moves.Moves, placement.Placement, servers.Servers
):
    """The cloud, as :class:`osc_hostmaint.engine.ports.Gateway` wants it.

    All methods raise :class:`osc_hostmaint.exceptions.CloudError`.
    """
