# SPDX-License-Identifier: Apache-2.0

"""The virt driver: Nova's fake one, with moves that take time and fail.

Nova's FakeDriver moves nothing in a live migration. Here guests leave one
host for another, and keep their state on the way.
"""

from __future__ import annotations

import random
import sys
import time
from typing import Any

from nova import context as nova_context
from nova import exception
from nova import objects
from nova.compute import power_state
from nova.compute import task_states

from tests.cloud import hypervisor
from tests.cloud import knobs
from tests.cloud import life
from tests.cloud import world

GIB = 1 << 30
MIB = 1 << 20

# What Nova's configuration calls the driver: it only looks in nova.virt.
NAME = 'embedded.Driver'


_ARRIVALS = {'off': power_state.SHUTDOWN, 'paused': power_state.PAUSED}


class Driver(hypervisor.Hypervisor):
    def __init__(self, virtapi: Any, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        self._random = random.Random(0)

    # failing

    def _fails(
        self,
        instance: Any,
        move: str,
        stage: str,
        values: dict[str, Any] | None = None,
    ) -> bool:
        """Whether a move shall fail at this stage.

        :param move: 'lm', 'cm' or 'ev', as its knobs begin.
        :param values: the knobs, if they were looked at already.
        """
        values = values or self._knobs(instance)
        if values[move + '_fail'] != stage:
            return False
        times = values[move + '_fail_times']
        return times <= 0 or self._is_among(int(times), instance, move)

    @staticmethod
    def _is_among(first: int, instance: Any, move: str) -> bool:
        """Whether this attempt is one of the first that came so far.

        An attempt is a migration record: what fails its pre-check on one
        host and then on the next has failed once.
        """
        (newest,) = objects.MigrationList.get_by_filters(
            nova_context.get_admin_context(),
            {'instance_uuid': instance.uuid},
            sort_keys=['id'],
            sort_dirs=['desc'],
            limit=1,
        )
        failed = world.WORLD.failed.setdefault((instance.uuid, move), set())
        if len(failed) < first:
            failed.add(newest.id)
        return newest.id in failed

    # live migration

    def check_can_live_migrate_destination(
        self, context, instance, *args, **kwargs
    ):
        life.check()
        if self._fails(instance, 'lm', 'precheck'):
            raise exception.MigrationPreCheckError(
                reason=f'lm_fail=precheck on {self._host}'
            )
        return super().check_can_live_migrate_destination(
            context, instance, *args, **kwargs
        )

    def pre_live_migration(self, context, instance, *args, **kwargs):
        self._spend(instance, 'lm_pre_seconds')
        life.check()
        if self._fails(instance, 'lm', 'pre'):
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
            outcome = self._copy_memory(
                instance, dest, migrate_data.migration, copy
            )
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
        elif self._fails(instance, 'lm', 'post', self._look(instance)[0]):
            raise exception.MigrationError(reason='lm_fail=post')
        else:
            # The guest runs there from now on, whatever Nova makes of it.
            there = world.WORLD.hosts[dest].guests
            there[instance.uuid] = self.instances[instance.uuid]
            state = _ARRIVALS.get(self._look(instance)[0]['lm_arrives'])
            if state and there[instance.uuid].state == power_state.RUNNING:
                there[instance.uuid].state = state
            post_method(context, instance, dest, block_migration, migrate_data)

    def _copy_memory(
        self, instance: Any, dest: str, migration: Any, copy: world.Copy
    ) -> str:
        """Copy the guest's memory: 'done', 'aborted' or 'failed'."""
        total = float(instance.flavor.memory_mb * MIB)
        copied, left = 0.0, total
        started = last = time.monotonic()
        looked = -hypervisor.LOOK
        values: dict[str, Any] = {}
        fails = gone = False
        while True:
            life.check()
            now = time.monotonic()
            passed, last = now - last, now
            if now - looked >= hypervisor.LOOK or copy.wake.is_set():
                copy.wake.clear()
                values, gone = self._look(instance)
                gone = (
                    gone
                    or instance.uuid not in self.instances
                    or not world.WORLD.is_powered(dest)
                )
                fails = self._fails(instance, 'lm', 'running', values)
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
                copy, values, left / total, now - started, fails, gone
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
        seconds: float,
        fails: bool,
        gone: bool,
    ) -> str | None:
        """How the copy ends, if it does.

        :param left: share of the memory that is not there yet.
        """
        if copy.abort:
            return 'aborted'
        if gone:
            return 'failed'
        if copy.force:
            return 'done'
        if fails and left <= 0.5:
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
        if instance.uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=instance.uuid)

    # cold migration

    def migrate_disk_and_power_off(
        self, context, instance, dest, *args, **kwargs
    ):
        lost = exception.ResizeError(reason=f'{dest} does not answer')
        if not self._answers(dest):
            raise exception.InstanceFaultRollback(inner_exception=lost)
        self._spend(instance, 'cm_seconds')
        life.check()
        if not self._answers(dest):
            raise lost
        if self._fails(instance, 'cm', 'disk'):
            raise exception.InstanceFaultRollback(
                inner_exception=exception.ResizeError(reason='cm_fail=disk')
            )
        if self._fails(instance, 'cm', 'error'):
            raise exception.ResizeError(reason='cm_fail=error')
        if instance.uuid in self.instances:
            self.instances[instance.uuid].state = power_state.SHUTDOWN
        return '{}'

    @staticmethod
    def _answers(address: str) -> bool:
        host = world.WORLD.at(address)
        return host is not None and world.WORLD.is_powered(host)

    def finish_migration(self, context, migration, instance, *args, **kwargs):
        self._spend(instance, 'cm_finish_seconds')
        life.check()
        if self._fails(instance, 'cm', 'finish'):
            raise exception.ResizeError(reason='cm_fail=finish')
        super().finish_migration(context, migration, instance, *args, **kwargs)

    def confirm_migration(self, context, migration, instance, network_info):
        self._spend(instance, 'cm_confirm_seconds')
        life.check()
        super().confirm_migration(context, migration, instance, network_info)

    # evacuation

    def instance_on_disk(self, instance):
        # What evacuations only ask, right after their claim.
        if self._fails(instance, 'ev', 'claim'):
            raise exception.ComputeResourcesUnavailable(
                reason=f'ev_fail=claim on {self._host}'
            )
        return super().instance_on_disk(instance)

    def spawn(self, context, instance, *args, **kwargs):
        evacuated = instance.task_state == task_states.REBUILD_SPAWNING
        if evacuated and self._fails(instance, 'ev', 'spawn'):
            self._spend(instance, 'boot_seconds')
            life.check()
            raise exception.InstanceDeployFailure(
                reason=f'ev_fail=spawn on {self._host}'
            )
        super().spawn(context, instance, *args, **kwargs)


# Nova imports "nova.virt." + compute_driver.
sys.modules['nova.virt.embedded'] = sys.modules[__name__]
