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

"""The virt driver: Nova's fake one, with time, failures and memory.

Nova's FakeDriver does everything at once, forgets power states, and moves
nothing in a live migration. Here guests are in the world, keep their state
on the way, and take as long as the knobs say.
"""

from __future__ import annotations

import random
import sys
import threading
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
from tests.cloud import options
from tests.cloud import world

GIB = 1 << 30
MIB = 1 << 20
# Seconds between two looks at the knobs, and two progress reports: libvirt's
# monitor looks every half second as well.
_LOOK = 0.5

# What Nova's configuration calls the driver: it only looks in nova.virt.
NAME = 'embedded.Driver'


class Killed(BaseException):
    """This nova-compute is dead: what it was doing simply stops.

    Not an Exception, or Nova's handlers would clean up, report and roll
    back: a process that was killed does none of that.
    """


class Driver(fake.FakeDriver):
    capabilities = dict(
        fake.FakeDriver.capabilities, supports_image_type_qcow2=True
    )

    def __init__(self, virtapi: Any, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        self.dead = threading.Event()
        self._random = random.Random(0)

    def init_host(self, host: str) -> None:
        super().init_host(host)
        # As with libvirt, where the hypervisor has the machine's full name
        # and the host whatever is configured: two names that are confused.
        self._set_nodes([options.hypervisor(host)])
        self._machine = world.WORLD.hosts[host]
        size = self._machine.size
        self.vcpus = size.vcpus
        self.memory_mb = size.ram_gib * 1024
        self.local_gb = size.disk_gib
        self.resources = fake.Resources(
            self.vcpus, self.memory_mb, self.local_gb
        )
        self.instances = self._machine.guests

    # what it is

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        resource = super().get_available_resource(nodename)
        if resource:
            resource['uuid'] = self._machine.node
        return resource

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        return {self._machine.node: self.get_available_nodes()[0]}

    def get_host_ip_addr(self) -> str:
        return self._machine.address

    def get_host_uptime(self) -> str:
        return ' 12:00:00 up 9 days,  1:02,  0 users,  load average: 0.1'

    # power states

    def _set_state(self, instance: Any, state: int) -> None:
        self._check_alive()
        if instance.uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        self.instances[instance.uuid].state = state

    def pause(self, instance):
        self._set_state(instance, power_state.PAUSED)

    def unpause(self, instance):
        self._set_state(instance, power_state.RUNNING)

    def suspend(self, context, instance):
        self._set_state(instance, power_state.SUSPENDED)

    def resume(self, context, instance, *args, **kwargs):
        self._set_state(instance, power_state.RUNNING)

    def rescue(self, context, instance, *args, **kwargs):
        self._set_state(instance, power_state.RUNNING)

    # time

    def _check_alive(self) -> None:
        if self.dead.is_set():
            raise Killed(self._host)

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
        return values, going or instance.uuid in world.WORLD.doomed

    def _spend(self, instance: Any, knob: str) -> None:
        """Take as long as the knob says, or until the server shall go."""
        started = time.monotonic()
        left = self._knobs(instance)[knob]
        going = False
        while left > 0 and not going:
            world.WORLD.wait(min(left, _LOOK))
            self._check_alive()
            values, going = self._look(instance)
            left = values[knob] - (time.monotonic() - started)

    # building

    def spawn(self, context, instance, *args, **kwargs):
        self._spend(instance, 'boot_seconds')
        self._check_alive()
        if (
            self._knobs(instance)['boot_fail']
            and instance.vm_state == vm_states.BUILDING
        ):
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason='boot_fail'
            )
        super().spawn(context, instance, *args, **kwargs)

    # live migration

    def check_can_live_migrate_destination(
        self, context, instance, *args, **kwargs
    ):
        self._check_alive()
        if self._knobs(instance)['lm_fail'] == 'precheck':
            raise exception.MigrationPreCheckError(
                reason=f'lm_fail=precheck on {self._host}'
            )
        return super().check_can_live_migrate_destination(
            context, instance, *args, **kwargs
        )

    def pre_live_migration(self, context, instance, *args, **kwargs):
        self._check_alive()
        if self._knobs(instance)['lm_fail'] == 'pre':
            raise exception.MigrationError(
                reason=f'lm_fail=pre on {self._host}'
            )
        return super().pre_live_migration(context, instance, *args, **kwargs)

    def live_migration(
        self,
        context,
        instance,
        dest,
        post_method,
        recover_method,
        block_migration=False,
        migrate_data=None,
    ):
        copy = world.WORLD.copies[instance.uuid] = world.Copy()
        try:
            outcome = self._copy_memory(instance, migrate_data.migration, copy)
        finally:
            world.WORLD.copies.pop(instance.uuid, None)
        if outcome == 'aborted':
            recover_method(
                context,
                instance,
                dest,
                migrate_data,
                migration_status='cancelled',
            )
        elif outcome == 'failed':
            recover_method(context, instance, dest, migrate_data)
        elif self._look(instance)[0]['lm_fail'] == 'post':
            raise exception.MigrationError(reason='lm_fail=post')
        else:
            post_method(context, instance, dest, block_migration, migrate_data)

    def _copy_memory(
        self, instance: Any, migration: Any, copy: world.Copy
    ) -> str:
        """Copy the guest's memory: 'done', 'aborted' or 'failed'."""
        total = float(instance.flavor.memory_mb * MIB)
        copied, left = 0.0, total
        started = last = time.monotonic()
        looked = -_LOOK
        values: dict[str, Any] = {}
        gone = False
        while True:
            self._check_alive()
            now = time.monotonic()
            passed, last = now - last, now
            if now - looked >= _LOOK or copy.wake.is_set():
                copy.wake.clear()
                values, gone = self._look(instance)
                gone = gone or instance.uuid not in self.instances
                looked = now
                self._report(instance, migration, total, copied, left)
            rate = values['lm_gib_per_second'] * GIB
            if values['lm_seconds'] >= 0:
                rate = total / max(values['lm_seconds'], 0.001)
            step = min(rate * passed, left)
            copied += step
            left -= step
            left += values['lm_dirty_gib_per_second'] * GIB * passed
            left = min(left, total)
            if knobs.is_on(values['lm_stuck']):
                left = max(left, total * 0.05 * (1 + self._random.random()))
            outcome = self._outcome(
                copy, values, left, total, now - started, gone
            )
            if outcome:
                if outcome == 'done':
                    left = 0.0
                self._report(instance, migration, total, copied, left)
                return outcome
            copy.wake.wait(min(0.2, max(0.02, left / rate)))

    @staticmethod
    def _outcome(
        copy: world.Copy,
        values: dict[str, Any],
        left: float,
        total: float,
        seconds: float,
        gone: bool,
    ) -> str | None:
        fails = values['lm_fail'] == 'running'
        if copy.abort:
            return 'aborted'
        if gone:
            return 'failed'
        if copy.force:
            return 'done'
        if fails and left <= total / 2:
            return 'failed'
        if left <= 0 and not fails:
            return 'done'
        if 0 < values['lm_completion_timeout'] < seconds:
            return 'failed'
        return None

    @staticmethod
    def _report(
        instance: Any,
        migration: Any,
        total: float,
        copied: float,
        left: float,
    ) -> None:
        migration.memory_total = int(total)
        migration.memory_processed = int(copied)
        migration.memory_remaining = int(left)
        migration.disk_total = 0
        migration.disk_processed = 0
        migration.disk_remaining = 0
        migration.save()
        instance.progress = int(100 - 100 * left / total)
        instance.save()

    def live_migration_force_complete(self, instance):
        copy = world.WORLD.copies.get(instance.uuid)
        if copy:
            copy.force = True
            copy.wake.set()

    def live_migration_abort(self, instance):
        copy = world.WORLD.copies.get(instance.uuid)
        if copy:
            copy.abort = True
            copy.wake.set()

    def post_live_migration(
        self, context, instance, block_device_info, migrate_data=None
    ):
        guest = self.instances.get(instance.uuid)
        if guest:
            world.WORLD.states[instance.uuid] = guest.state
        self.destroy(
            context,
            instance,
            network_info=None,
            block_device_info=block_device_info,
        )

    def post_live_migration_at_destination(
        self,
        context,
        instance,
        network_info,
        block_migration=False,
        block_device_info=None,
    ):
        state = world.WORLD.states.pop(instance.uuid, power_state.RUNNING)
        self.instances[instance.uuid] = fake.FakeInstance(
            instance.name, state, instance.uuid
        )

    # cold migration

    def migrate_disk_and_power_off(self, context, instance, *args, **kwargs):
        self._spend(instance, 'cm_seconds')
        self._check_alive()
        fails = self._knobs(instance)['cm_fail']
        if fails == 'disk':
            raise exception.InstanceFaultRollback(
                inner_exception=exception.ResizeError(reason='cm_fail=disk')
            )
        if fails == 'error':
            raise exception.ResizeError(reason='cm_fail=error')
        if instance.uuid in self.instances:
            self.instances[instance.uuid].state = power_state.SHUTDOWN
        return '{}'

    def finish_migration(self, context, migration, instance, *args, **kwargs):
        self._check_alive()
        if self._knobs(instance)['cm_fail'] == 'finish':
            raise exception.ResizeError(reason='cm_fail=finish')
        super().finish_migration(context, migration, instance, *args, **kwargs)


# Nova imports "nova.virt." + compute_driver.
sys.modules['nova.virt.embedded'] = sys.modules[__name__]
