# SPDX-License-Identifier: Apache-2.0

"""The compute services, and what befalls them."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
import time
from typing import Any

from nova import context as nova_context
from nova import exception
from nova import objects
from nova import service
from nova import servicegroup
from nova.compute import rpcapi
import nova.conf
from nova.objects import host_mapping
from nova.scheduler.client import report

from tests.cloud import world

CONF = nova.conf.CONF

# How long one host may take until it can hold servers.
_SETTLE_TIMEOUT = 60


class Hosts:
    """All compute services of this process, by host."""

    def __init__(self, sizes: dict[str, world.Size]) -> None:
        """:param sizes: of the hosts that the cloud is started with."""
        self._sizes = sizes
        self._services: dict[str, service.Service] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        return list(world.WORLD.hosts)

    def running(self) -> list[str]:
        return list(self._services)

    def manager(self, name: str):
        return self._services[name].manager

    def renew_pools(self) -> None:
        """Have max_concurrent_live_migrations hold for all hosts."""
        for name in self.running():
            old = self.manager(name).live_migrations
            self.manager(name).renew_pool()
            old.shutdown(wait=False)

    def start_all(self) -> None:
        names = list(self._sizes)
        for name, size in self._sizes.items():
            world.WORLD.add_host(name, size)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            list(pool.map(self._start, names))
        self._settle(names)

    def add(
        self,
        name: str,
        size: dict[str, int],
        twin: str | None = None,
        kind: str = 'fake',
    ) -> None:
        """Add a machine, or give one a second name.

        :param twin: the host that it is, by its other name.
        :param kind: the type of its hypervisor.
        """
        if name in world.WORLD.hosts:
            raise ValueError(f'there is a host {name} already')
        usual = next(iter(self._sizes.values()))
        world.WORLD.add_host(
            name,
            dataclasses.replace(usual, **size),
            world.WORLD.hosts[twin].address if twin else None,
        ).kind = kind
        self.start(name)

    def resize(self, name: str, size: dict[str, int]) -> None:
        """Give a machine more or less of everything, at once."""
        machine = world.WORLD.hosts[name]
        machine.size = dataclasses.replace(machine.size, **size)
        self.manager(name).driver.measure()
        self.refresh(name)

    def usage(self, name: str, inventory: dict[str, dict[str, Any]]) -> None:
        """Tell Placement otherwise than the size says, from now on."""
        world.WORLD.hosts[name].inventory.update(inventory)
        self.refresh(name)

    def restore(self, name: str) -> None:
        """Make a host what it was when the cloud was started."""
        machine = world.WORLD.hosts[name]
        if machine.size != self._sizes[name] or machine.inventory:
            # Nova keeps the allocation ratios that Placement has.
            machine.inventory = {
                'VCPU': {
                    'allocation_ratio': CONF.initial_cpu_allocation_ratio
                },
                'MEMORY_MB': {
                    'allocation_ratio': CONF.initial_ram_allocation_ratio
                },
                'DISK_GB': {
                    'allocation_ratio': CONF.initial_disk_allocation_ratio
                },
            }
            self.resize(name, vars(self._sizes[name]))
            machine.inventory = {}

    def start(self, name: str) -> None:
        """Start a host's compute service, and wait until it is of use."""
        if name not in world.WORLD.hosts:
            raise ValueError(f'no host {name}')
        world.WORLD.hosts[name].powered = True
        if name not in self._services:
            self._start(name)
        self._settle([name])

    def _start(self, name: str) -> None:
        started = service.Service.create(
            binary='nova-compute',
            host=name,
            topic=rpcapi.RPC_TOPIC,
            topic_alt=rpcapi.RPC_TOPIC_ALT,
            manager='tests.cloud.manager.Manager',
        )
        started.start()
        self._services[name] = started
        # Nova sends the first heartbeat after five seconds; don't wait.
        started.service_ref.report_count += 1
        started.service_ref.save()

    def _settle(self, names: list[str]) -> None:
        """Wait until servers can be put on these hosts.

        A compute service starts although its first report to Placement has
        failed, and tries again only a minute later: do that at once.
        """
        context = nova_context.get_admin_context()
        deadline = time.monotonic() + _SETTLE_TIMEOUT
        while True:
            with self._lock:
                host_mapping.discover_hosts(context)
            lacking = [name for name in names if not self._usable(name)]
            if not lacking:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f'not usable: {", ".join(lacking)}')
            for name in lacking:
                self.refresh(name)
            world.WORLD.wait(0.2)

    def refresh(self, name: str) -> None:
        """Report a host's resources to the database and to Placement."""
        self.manager(name).update_available_resource(
            nova_context.get_admin_context()
        )

    def _usable(self, name: str) -> bool:
        context = nova_context.get_admin_context()
        try:
            objects.HostMapping.get_by_host(context, name)
            record = objects.Service.get_by_host_and_binary(
                context, name, 'nova-compute'
            )
        except exception.HostMappingNotFound:
            return False
        provider = f'/resource_providers/{world.WORLD.hosts[name].node}'
        client = report.report_client_singleton()
        for part in ('inventories', 'traits'):
            answer = client.get(f'{provider}/{part}', version='1.6')
            if answer.status_code != 200 or not answer.json()[part]:
                return False
        return record.forced_down or servicegroup.API().service_is_up(record)

    def kill(self, name: str) -> None:
        """As kill -9: no heartbeat, no answer, and nothing cleaned up.

        Not service.stop(): that shuts the thread pools that all share.
        """
        killed = self._services.pop(name)
        killed.manager.life.end()
        killed.manager.drop_queue()
        self._silence(killed)

    def crash(self, name: str) -> None:
        """As a machine that loses its power."""
        self.kill(name)
        world.WORLD.crash(name)

    def stop(self, name: str, grace: float) -> None:
        """As SIGTERM: takes nothing new, and gives what runs some time."""
        killed = self._services.pop(name)
        killed.rpcserver.stop()
        killed.manager._wait_for_in_progress_tasks(grace)
        killed.manager._cleanup_live_migrations_in_pool()
        killed.manager.life.end()
        self._silence(killed)

    def _silence(self, killed: service.Service) -> None:
        killed.tg.stop()
        for server in (killed.rpcserver, killed.rpcserver_alt):
            server.stop()
        world.WORLD.stir()
        killed.manager.live_migrations.shutdown(wait=False)

    def forget(self, name: str) -> None:
        """Take away a machine whose compute service was deleted."""
        if name in self._services:
            self.kill(name)
        del world.WORLD.hosts[name]
