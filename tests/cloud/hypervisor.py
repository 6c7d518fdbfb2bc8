# SPDX-License-Identifier: Apache-2.0

"""What a hypervisor is and does, but for moving its guests.

Nova's FakeDriver does everything at once and forgets power states. Here
guests are in the world, and take as long as the knobs say.
"""

from __future__ import annotations

import time
from typing import Any

from nova import context as nova_context
from nova import exception
from nova import objects
from nova.compute import power_state
from nova.compute import task_states
from nova.compute import vm_states
from nova.virt import fake

from tests.cloud import knobs
from tests.cloud import life
from tests.cloud import options
from tests.cloud import world

# Seconds between two looks at the knobs, and two progress reports: libvirt's
# monitor looks every half second as well.
LOOK = 0.5


class Hypervisor(fake.FakeDriver):
    capabilities = dict(
        fake.FakeDriver.capabilities, supports_image_type_qcow2=True
    )

    def init_host(self, host: str) -> None:
        super().init_host(host)
        # As with libvirt, where the hypervisor has the machine's full name
        # and the host whatever is configured: two names that are confused.
        self._set_nodes([options.hypervisor(host)])
        self._machine = world.WORLD.hosts[host]
        self.instances = self._machine.guests
        self.measure()

    # what it is

    def measure(self) -> None:
        """Look at how large the machine is."""
        size = self._machine.size
        self.vcpus = size.vcpus
        self.memory_mb = size.ram_gib * 1024
        self.local_gb = size.disk_gib
        self.resources = fake.Resources(
            self.vcpus, self.memory_mb, self.local_gb
        )

    def update_provider_tree(
        self, provider_tree, nodename, allocations=None
    ) -> None:
        super().update_provider_tree(provider_tree, nodename, allocations)
        inventory = provider_tree.data(nodename).inventory
        for name, fields in self._machine.inventory.items():
            inventory[name] = {**inventory.get(name, {}), **fields}
        provider_tree.update_inventory(nodename, inventory)

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        resource = super().get_available_resource(nodename)
        if resource:
            resource['uuid'] = self._machine.node
            resource['hypervisor_type'] = self._machine.kind
        return resource

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        return {self._machine.node: self.get_available_nodes()[0]}

    def get_host_ip_addr(self) -> str:
        return self._machine.address

    def get_host_uptime(self) -> str:
        return ' 12:00:00 up 9 days,  1:02,  0 users,  load average: 0.1'

    # power states

    def _set_state(self, instance: Any, state: int) -> None:
        life.check()
        if instance.uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        self.instances[instance.uuid].state = state

    def pause(self, instance):
        self._set_state(instance, power_state.PAUSED)

    def unpause(self, instance):
        self._set_state(instance, power_state.RUNNING)

    def suspend(self, context, instance):
        self._maybe_fail(instance, 'suspend_fail')
        self._set_state(instance, power_state.SUSPENDED)

    def resume(self, context, instance, *args, **kwargs):
        self._maybe_fail(instance, 'resume_fail')
        self._set_state(instance, power_state.RUNNING)

    def _maybe_fail(self, instance: Any, knob: str) -> None:
        how = self._knobs(instance)[knob]
        if how == 'stay':
            error = exception.InternalError(f'{knob}={how} on {self._host}')
            raise exception.InstanceFaultRollback(inner_exception=error)
        if how:
            raise exception.InternalError(f'{knob}={how} on {self._host}')

    def snapshot(self, context, instance, image_id, update_task_state):
        super().snapshot(context, instance, image_id, update_task_state)
        self._spend(instance, 'shelve_seconds')

    def rescue(self, context, instance, *args, **kwargs):
        self._set_state(instance, power_state.RUNNING)

    # time

    def _knobs(self, instance: Any) -> dict[str, Any]:
        return knobs.KNOBS.read(
            self._host, instance.flavor.extra_specs, instance.metadata
        )

    def _look(self, instance: Any) -> tuple[dict[str, Any], bool]:
        """The knobs as they are now, and whether the server shall go."""
        try:
            fresh = objects.Instance.get_by_uuid(
                nova_context.get_admin_context(),
                instance.uuid,
                expected_attrs=['metadata'],
            )
        except exception.InstanceNotFound:
            return self._knobs(instance), True
        values = knobs.KNOBS.read(
            self._host, instance.flavor.extra_specs, fresh.metadata
        )
        going = fresh.task_state == task_states.DELETING
        return values, going or instance.uuid in world.WORLD.being_purged

    def _spend(self, instance: Any, knob: str) -> None:
        """Take as long as the knob says, or until the server shall go."""
        started = time.monotonic()
        left = self._knobs(instance)[knob]
        going = False
        while left > 0 and not going:
            world.WORLD.wait(min(left, LOOK))
            life.check()
            values, going = self._look(instance)
            left = values[knob] - (time.monotonic() - started)

    # building

    def spawn(self, context, instance, *args, **kwargs):
        self._spend(instance, 'boot_seconds')
        life.check()
        if (
            self._knobs(instance)['boot_fail']
            and instance.vm_state == vm_states.BUILDING
        ):
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason='boot_fail'
            )
        super().spawn(context, instance, *args, **kwargs)
