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
