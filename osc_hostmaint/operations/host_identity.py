# SPDX-License-Identifier: Apache-2.0


"""Looking what stands below hosts, before anything is moved off them."""

import collections.abc

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway
from osc_hostmaint.planning import host_identity
from osc_hostmaint.planning import policy as policies


def look(
    cloud: gateway.Gateway,
    found: tuple[model.Service, ...],
    services: collections.abc.Mapping[str, model.Service],
    policy: policies.Policy,
) -> tuple[tuple[model.Service, ...], dict[str, str], list[str]]:
    """Return the hosts that may be drained, why others not, and what is open.

    It costs the list of hypervisors, which a drain needs in any case, and
    only for a host that looks like another one a list of servers.

    :param services: of all hosts, by host.
    """
    try:
        hypervisors = cloud.hypervisor_details()
    except exceptions.CloudError as error:
        words = _('whether another host is the same machine is not known: %s')
        return found, {}, [words % error]
    errors = {}
    for service in found:
        words = host_identity.against(
            service, services, hypervisors, evacuate=policy.evacuate
        )
        for old in host_identity.old_names(service, services, hypervisors):
            if not words and (count := cloud.server_count(old)):
                words = host_identity.left_behind(
                    service, hypervisors, old, count
                )
        if words:
            errors[service.host] = words
    return tuple(s for s in found if s.host not in errors), errors, []
