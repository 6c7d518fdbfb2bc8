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

"""What every verb begins with: a cloud, and the hosts that are meant."""

import collections.abc

from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint.nova import gateway


class Verbs:
    """Verbs for the hosts of one cloud."""

    def __init__(self, cloud: gateway.Gateway):
        self._gateway = cloud

    def _find(self, host: str) -> model.Service:
        """Return the host's compute service."""
        (service,) = self._pick([host], self._services())
        return service

    def _pick(
        self,
        hosts: collections.abc.Iterable[str],
        services: collections.abc.Mapping[str, model.Service],
    ) -> tuple[model.Service, ...]:
        """Return the hosts' compute services, each once, in their order."""
        return names.pick(hosts, services, self._gateway.hypervisor_hosts)

    def _services(self) -> dict[str, model.Service]:
        """Return the compute services of all hosts, by host."""
        return model.by_host(self._gateway.services())
