# SPDX-License-Identifier: Apache-2.0

"""All that Nova and Placement are asked, in one object.

Each method is one question or one request; how it is put, and at which
microversion, is nobody else's business. See
https://docs.openstack.org/api-ref/compute/ and
https://docs.openstack.org/api-ref/placement/.
"""

from osc_hostmaint.nova import actions
from osc_hostmaint.nova import moves
from osc_hostmaint.nova import placement
from osc_hostmaint.nova import servers


class Gateway(
    actions.Actions, moves.Moves, servers.Servers, placement.Placement
):
    """Nova and Placement behind an openstacksdk connection."""
