# SPDX-License-Identifier: Apache-2.0

"""All requests to Nova and Placement, in one object.

Each method is one request; it hides its form and its microversion. See
https://docs.openstack.org/api-ref/compute/ and
https://docs.openstack.org/api-ref/placement/.
"""

from osc_hostmaint.nova import actions
from osc_hostmaint.nova import client
from osc_hostmaint.nova import hosts
from osc_hostmaint.nova import moves as moves_
from osc_hostmaint.nova import placement
from osc_hostmaint.nova import servers as servers_


class Gateway(client.Client):
    """A client with the functions of this package as its methods.

    All raise :class:`osc_hostmaint.exceptions.CloudError`.
    """

    live_migrate = actions.live_migrate
    cold_migrate = actions.cold_migrate
    evacuate = actions.evacuate
    reset = actions.reset
    confirm = actions.confirm
    tag = actions.tag
    untag = actions.untag
    resume = actions.resume
    suspend = actions.suspend
    shelve = actions.shelve
    offload = actions.offload
    abort = actions.abort
    force_complete = actions.force_complete

    services = hosts.services
    services_on = hosts.services_on
    disable = hosts.disable
    enable = hosts.enable
    force_down = hosts.force_down
    aggregates = hosts.aggregates
    hypervisors = hosts.hypervisors
    hypervisor_hosts = hosts.hypervisor_hosts
    hypervisor_details = hosts.hypervisor_details
    hypervisor_states = hosts.hypervisor_states
    residents = hosts.residents

    servers = servers_.servers
    server_count = servers_.server_count
    server = servers_.server
    tagged = servers_.tagged
    deleted = servers_.deleted
    groups = servers_.groups
    check_servers_shown = servers_.check_servers_shown
    check_filters = servers_.check_filters

    check_hosts_shown = moves_.check_hosts_shown
    migrations = moves_.migrations
    all_migrations = moves_.all_migrations
    migrations_in_flight = moves_.migrations_in_flight
    unconfirmed = moves_.unconfirmed
    evacuations = moves_.evacuations
    evacuated = moves_.evacuated
    left = moves_.left
    moves = moves_.moves
    failure = moves_.failure
    progress = moves_.progress
    history = moves_.history

    allocations = placement.allocations
    provider = placement.provider
    allocation_candidates = placement.allocation_candidates
