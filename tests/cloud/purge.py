# SPDX-License-Identifier: Apache-2.0

"""Back to a cloud that is as new, quickly and whatever state it is in."""

from __future__ import annotations

from collections import abc
import copy
import logging
import time
from typing import Any

from nova import context as nova_context
from nova import manager as nova_manager
from nova import objects
from nova.compute import api as compute_api
import nova.conf
from nova.scheduler.client import report

from tests.cloud import hosts as hosts_module
from tests.cloud import image
from tests.cloud import knobs
from tests.cloud import network
from tests.cloud import records as records_module
from tests.cloud import rpc
from tests.cloud import servers
from tests.cloud import world

CONF = nova.conf.CONF
LOG = logging.getLogger('nova.tests.cloud')

# Seconds that what is under way gets to end.
_PATIENCE = 15
# Tasks of a destination that end when the move arrives. If it never does
# Nova keeps them for good (nova/compute/manager.py:
# _pending_dest_live_migrations, _pending_dest_resizes).
_EXPECTED = ('live_migration_at_dest', 'prep_resize_at_dest')
_SOON = 1.0  # seconds


class Purge:
    def __init__(
        self,
        hosts: hosts_module.Hosts,
        view: servers.View,
        records: records_module.Records,
        images: image.Images,
        ports: network.Network,
        controller: abc.Iterable[nova_manager.Manager],
    ) -> None:
        """To be made when the cloud is new.

        :param controller: the managers of the conductor and the scheduler.
        """
        self._hosts = hosts
        self._view = view
        self._records = records
        self._images = images
        self._ports = ports
        self._conductor, self._scheduler = controller
        self._keep = hosts.names()
        self._context = nova_context.get_admin_context()
        self._aggregates = compute_api.AggregateAPI()
        self._new = self._state()

    def run(self) -> None:
        knobs.KNOBS.reset()
        rested = self._rest()
        self._forget()
        dead = [n for n in self._keep if n not in self._hosts.running()]
        for name in dead:
            self._hosts.start(name)
        if dead or not rested:
            if not self._rest():
                LOG.warning('purge: still busy: %s', self._busy())
            self._forget()
        self._remove_aggregates()
        self._restore()

    def differences(self) -> dict[str, Any]:
        """What is not as it was when the cloud was new: then and now."""
        now = self._state()
        return {
            key: (self._new.get(key), now.get(key))
            for key in sorted(set(self._new) | set(now))
            if self._new.get(key) != now.get(key)
        }

    def _state(self) -> dict[str, Any]:
        state = self._records.read()
        for name, host in world.WORLD.hosts.items():
            state[f'host {name}'] = (
                vars(host.size),
                host.inventory,
                host.powered,
                name in self._hosts.running(),
                sorted(host.guests),
            )
        state['ports'] = self._ports.count()
        state['images'] = self._images.count()
        return copy.deepcopy(state)

    # what is under way

    def _rest(self) -> bool:
        """Have all that is under way end, and wait for it.

        :returns: whether all of it did.
        """
        deadline = time.monotonic() + _PATIENCE
        settled = 0
        while settled < 2:
            if time.monotonic() > deadline:
                return False
            self._hurry()
            settled = 0 if self._busy() else settled + 1
            if settled < 2:
                world.WORLD.wait(0.02)
        return True

    def _hurry(self) -> None:
        """Let nothing that is under way hold anything back."""
        running = self._hosts.running()
        rpc.drop_all_but({CONF.host, *running})
        for name in running:
            self._hosts.manager(name).drop_queue()
        world.WORLD.purge_waiting(self._view.ids())

    def _busy(self) -> list[str]:
        """What the services work on, and what they have not read yet."""
        managers = [self._conductor, self._scheduler]
        managers += map(self._hosts.manager, self._hosts.running())
        return rpc.waiting() + [
            f'{manager.host}: {task["name"]}'
            for manager in managers
            for task in list(manager._in_progress_tasks.values())
            if task['name'] not in _EXPECTED
            or time.monotonic() - task['start_time'] < _SOON
        ]

    # what is left

    def _forget(self) -> None:
        self._records.wipe()
        for host in world.WORLD.hosts.values():
            host.guests.clear()
        world.WORLD.failed.clear()
        world.WORLD.being_purged.clear()
        self._images.reset()
        self._ports.reset()
        for name in self._hosts.running():
            self._hosts.manager(name).forget_moves()
        # What the affinity filters look at; Nova fills it in again.
        self._scheduler.host_manager._instance_info.clear()

    def _remove_aggregates(self) -> None:
        # By the API, which tells Placement and the scheduler as well.
        for aggregate in objects.AggregateList.get_all(self._context):
            for host in list(aggregate.hosts):
                self._aggregates.remove_host_from_aggregate(
                    self._context, aggregate.id, host
                )
            self._aggregates.delete_aggregate(self._context, aggregate.id)

    def _restore(self) -> None:
        """Make the hosts as new: those that are not."""
        now = self._records.read()
        if now['services'] != self._new['services']:
            self._restore_services()
        for name in self._keep:
            self._hosts.restore(name)
        if now['traits'] != self._new['traits']:
            for name in self._keep:
                self._drop_traits(world.WORLD.hosts[name].node)
        if now['inventories'] != self._new['inventories']:
            self._drop_children()
        # A row that is out of date would send the next servers elsewhere
        # until the periodic task runs.
        fresh = set(self._new['compute nodes'])
        for row in now['compute nodes']:
            host = row[0]
            if host not in self._hosts.running():
                continue
            manager = self._hosts.manager(host)
            tracker = manager.rt
            if (
                row not in fresh
                or tracker.tracked_instances
                or tracker.tracked_migrations
            ):
                manager.driver.measure()
                self._hosts.refresh(host)

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

    @staticmethod
    def _drop_traits(node: str) -> None:
        """Take back the traits that tests gave a host."""
        client = report.report_client_singleton()
        path = f'/resource_providers/{node}/traits'
        found = client.get(path, '1.6').json()
        given = ('CUSTOM_', 'HW_')
        kept = [t for t in found['traits'] if not t.startswith(given)]
        if kept != found['traits']:
            client.put(path, {**found, 'traits': kept}, '1.6')

    @staticmethod
    def _drop_children() -> None:
        """Delete the providers that tests put below those of hosts."""
        client = report.report_client_singleton()
        found = client.get('/resource_providers', '1.14').json()
        for provider in found['resource_providers']:
            if provider['parent_provider_uuid']:
                client._delete_provider(provider['uuid'])
