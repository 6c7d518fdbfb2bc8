# SPDX-License-Identifier: Apache-2.0

"""nova-compute's manager, made fit to share a process with others."""

from __future__ import annotations

import functools

import futurist
from nova import thread_pool_factory
from nova.compute import manager
from nova.compute import resource_tracker
import nova.conf

from tests.cloud import life

CONF = nova.conf.CONF


class Tracker(resource_tracker.ResourceTracker):
    """Tells the address of its own machine; a process has but one my_ip."""

    def _update_available_resource(self, context, resources, startup=False):
        resources['host_ip'] = self.driver.get_host_ip_addr()
        super()._update_available_resource(context, resources, startup)


class Manager(manager.ComputeManager):
    """Runs live migrations in a pool of its own.

    Nova's pool, which is what holds ``max_concurrent_live_migrations``, is
    one per process: all hosts together would run as many as one should.
    """

    def __init__(self, *args, **kwargs):
        self.life = life.Life(kwargs['host'])
        self.renew_pool()
        super().__init__(*args, **kwargs)
        self.rt = Tracker(
            self.host, self.driver, reportclient=self.reportclient
        )

    def renew_pool(self) -> None:
        """Have as many live migrations at a time as is configured now."""
        self.live_migrations = futurist.ThreadPoolExecutor(
            max_workers=CONF.max_concurrent_live_migrations
        )

    def periodic_tasks(self, *args, **kwargs):
        with life.lived(self.life):
            return super().periodic_tasks(*args, **kwargs)

    def _start_recorded_task(
        self, executor_type, task_name, instance, context, func, *args, **kw
    ):
        kind = thread_pool_factory.ExecutorType.LIVE_MIGRATION
        if executor_type is not kind:
            return super()._start_recorded_task(
                executor_type, task_name, instance, context, func, *args, **kw
            )
        key = self._record_task_start(
            task_name, instance.uuid, context.request_id
        )

        def run():
            context.update_store()
            return func(*args, **kw)

        future = self.live_migrations.submit(run)
        future.add_done_callback(functools.partial(self._record_task_end, key))
        return future

    def forget_moves(self) -> None:
        """Forget all moves from and to here; none must be under way."""
        self._waiting_live_migrations.clear()
        for pending in (
            self._pending_dest_live_migrations,
            self._pending_dest_resizes,
        ):
            for key in pending.values():
                self._in_progress_tasks.pop(key, None)
            pending.clear()

    def drop_queue(self) -> None:
        """Forget the live migrations that have not begun."""
        for _, future in list(self._waiting_live_migrations.values()):
            if future is not None:
                future.cancel()
