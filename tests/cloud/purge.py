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

"""Back to an empty cloud, quickly and whatever state it is in."""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import time

from nova import context as nova_context
from nova import exception
from nova import objects
from nova.compute import api as compute_api
from nova.scheduler.client import report

from tests.cloud import hosts as hosts_module
from tests.cloud import knobs
from tests.cloud import servers
from tests.cloud import world

LOG = logging.getLogger('nova.tests.cloud')

# A server that has not gone by then is torn out of the database.
_PATIENCE = 15
_AGAIN = 3


class Purge:
    def __init__(
        self, hosts: hosts_module.Hosts, view: servers.View, keep: list[str]
    ) -> None:
        """:param keep: the hosts that the cloud was started with."""
        self._hosts = hosts
        self._view = view
        self._keep = keep
        self._context = nova_context.get_admin_context()
        self._api = compute_api.API()
        self._aggregates = compute_api.AggregateAPI()
        self._flavors = {
            flavor.flavorid
            for flavor in objects.FlavorList.get_all(self._context)
        }

    def run(self) -> list[str]:
        """:returns: servers that had to be torn out."""
        knobs.KNOBS.reset()
        self._release(self._view.ids())
        # Servers of a host that doesn't answer are only marked: all hosts
        # must run before anything is deleted.
        for name in self._keep:
            if name not in self._hosts.running():
                self._hosts.start(name)
        torn = self._delete_all()
        self._tidy()
        return torn

    def _release(self, ids: set[str]) -> None:
        """Let nothing that is under way hold a server back."""
        for name in self._hosts.running():
            waiting = self._hosts.manager(name)._waiting_live_migrations
            for _, future in list(waiting.values()):
                if future is not None:
                    future.cancel()
        world.WORLD.doom(ids)

    def _delete_all(self) -> list[str]:
        began = asked = time.monotonic()
        left = self._view.ids()
        self._ask(left)
        while left := self._view.ids():
            now = time.monotonic()
            if now - began > _PATIENCE:
                for server in left:
                    self._tear_out(server)
                return sorted(left)
            if now - asked > _AGAIN:
                asked = now
                self._release(left)
                self._ask(left)
            world.WORLD.wait(0.1)
        return []

    def _ask(self, ids: set[str]) -> None:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(self._delete, ids))

    def _delete(self, server: str) -> None:
        context = nova_context.get_admin_context()
        try:
            instance = self._api.get(
                context, server, expected_attrs=['flavor']
            )
            self._api.force_delete(context, instance)
        except exception.NovaException as exc:
            # Gone meanwhile, or busy: then it is asked again.
            LOG.info('purge: %s: %s', server, exc)

    def _tear_out(self, server: str) -> None:
        LOG.warning('purge: tearing out server %s', server)
        context = nova_context.get_admin_context()
        with contextlib.suppress(exception.NovaException):
            mapping = objects.InstanceMapping.get_by_instance_uuid(
                context, server
            )
            with nova_context.target_cell(context, mapping.cell_mapping) as c:
                objects.Instance.get_by_uuid(c, server).destroy()

    def _tidy(self) -> None:
        context = self._context
        for name in self._hosts.names():
            machine = world.WORLD.hosts[name]
            machine.guests.clear()
            self._delete_allocations(machine.node)
        for group in objects.InstanceGroupList.get_all(context):
            group.destroy()
        # By the API, which tells Placement and the scheduler as well.
        for aggregate in objects.AggregateList.get_all(context):
            for host in list(aggregate.hosts):
                self._aggregates.remove_host_from_aggregate(
                    context, aggregate.id, host
                )
            self._aggregates.delete_aggregate(context, aggregate.id)
        for flavor in objects.FlavorList.get_all(context, inactive=True):
            if flavor.flavorid not in self._flavors:
                flavor.destroy()
        self._restore_services()
        for name in self._keep:
            self._hosts.restore(name)
            self._drop_traits(world.WORLD.hosts[name].node)
        # A row that is out of date would send the next servers elsewhere
        # until the periodic task runs.
        for node in objects.ComputeNodeList.get_all(context):
            if node.memory_mb_used and node.host in self._hosts.running():
                self._hosts.refresh(node.host)

    def _delete_allocations(self, node: str) -> None:
        client = report.report_client_singleton()
        answer = client.get(f'/resource_providers/{node}/allocations')
        for consumer in answer.json().get('allocations', {}):
            client.delete(f'/allocations/{consumer}')

    @staticmethod
    def _drop_traits(node: str) -> None:
        """Take back the traits that tests gave a host."""
        client = report.report_client_singleton()
        path = f'/resource_providers/{node}/traits'
        found = client.get(path, '1.6').json()
        kept = [t for t in found['traits'] if not t.startswith('CUSTOM_')]
        if kept != found['traits']:
            client.put(path, {**found, 'traits': kept}, '1.6')

    def _restore_services(self) -> None:
        api = compute_api.HostAPI()
        for record in objects.ServiceList.get_by_binary(
            self._context, 'nova-compute', include_disabled=True
        ):
            if record.forced_down:
                # Not by the API, which refuses as long as there are
                # evacuations that were not cleaned up.
                record.forced_down = False
                record.save()
            if record.disabled and record.host in self._hosts.running():
                record.disabled = False
                record.disabled_reason = None
                api.service_update(self._context, record)
