# SPDX-License-Identifier: Apache-2.0

"""What the simulated Nova takes, and what it refuses, and how.

The order of the checks is that of nova/compute/api.py.
"""

import functools

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import admission
from tests.unit.simulation import moves
from tests.unit.simulation import rebuilds
from tests.unit.simulation import resizes
from tests.unit.simulation import state
from tests.unit.simulation import statuses
from tests.unit.simulation import tasks
from tests.unit.simulation import world

_ABORTABLE = frozenset({'queued', 'preparing', 'running'})


class Api(admission.Admission):
    """Nova's compute API.

    ``by`` is who asks: None is the server's owner, or a colleague of ours
    where it takes an administrator. All raise
    :class:`osc_hostmaint.exceptions.CloudError`, as Nova refuses it.
    """

    def live_migrate(
        self,
        server_id: str,
        dest: str | None = None,
        *,
        host: str = '',
        by: world.Actor = world.COLLEAGUE,
    ) -> None:
        """Take a request for a live migration: see :meth:`cold_migrate`."""
        server = self.checked('live_migrate', server_id, by)
        self._check_host(host)
        self.refuse('live_migrate', server)
        work = self.take('live_migrate', server, by, 'migrating', host)
        self.start_work(work, moves.live(self, work, dest, host))

    def cold_migrate(
        self,
        server_id: str,
        dest: str | None = None,
        kind: str = model.MigrationType.COLD,
        *,
        host: str = '',
        by: world.Actor | None = None,
    ) -> None:
        """Take a request for a cold migration, or an owner's resize.

        :param dest: where to, unchecked: the scheduler chose it before.
        :param host: where to, if it passes the scheduler.
        """
        resize = kind == model.MigrationType.RESIZE
        server = self.existing(server_id)
        by = by or (server.owner if resize else world.COLLEAGUE)
        self.checked('cold_migrate', server_id, by)
        self._check_in_use(server.host)
        if host and host == server.host:
            raise admission.refused(
                'Cannot migrate to the host where the server exists.', 400
            )
        self._check_host(host)
        self.refuse('cold_migrate', server)
        name = 'resize' if resize else 'cold_migrate'
        if resize and server.vm_state != server.wanted:
            # Its owner takes it as it is.
            server.wanted = ''
        work = self.take(name, server, by, 'resize_prep', host)
        self.start_work(work, resizes.cold(self, work, kind, dest, host))

    def _check_host(self, host: str) -> None:
        if host and host not in self.hosts:
            raise admission.refused(
                f'Compute host {host} could not be found.', 400
            )

    def _check_in_use(self, host: str | None) -> None:
        if host in self.hosts and not self.hosts[host].in_use:
            raise admission.refused(
                'Service is unavailable at this time.', 409
            )

    def evacuate(
        self,
        server_id: str,
        *,
        host: str = '',
        stopped: bool = False,
        by: world.Actor = world.COLLEAGUE,
    ) -> None:
        """Take a request for an evacuation, whatever the server is busy with.

        :param host: where to, if it passes the scheduler.
        :param stopped: asked at 2.95 or above.
        """
        server = self.existing(server_id)
        if host and host not in self.hosts:
            raise exceptions.NotFound(
                f'Compute host {host} not found. (HTTP 404)'
            )
        if (host or None) == server.host:
            # Also of one that is on no host.
            raise admission.refused(
                "The target host can't be the same one.", 400
            )
        self.check_state('evacuate', server)
        if self.hosts[server.host].in_use:
            raise admission.refused(
                f'Compute service of {server.host} is still in use.',
                400,
                final=False,
            )
        self.refuse('evacuate', server)
        work, was = rebuilds.begin(self, server, by), server.vm_state
        work.asked, work.stops = host, stopped
        self.take_on(work, statuses.REBUILDING[0])
        record = self.new_record(
            work, model.MigrationType.EVACUATION, 'accepted'
        )
        record.dest = host or None
        off = was == 'stopped' or (stopped and was != 'error')
        self.start_work(work, rebuilds.evacuate(self, work, was, off=off))

    def reset(
        self,
        server_id: str,
        vm_state: str = 'active',
        by: world.Actor = world.COLLEAGUE,
    ) -> None:
        """Change a server's state in Nova's database alone."""
        server = self.existing(server_id)
        work = self.begin('reset', server, by)
        work.finish(self.timeline.now, well=True)
        server.vm_state = vm_state
        self.change(server)
        moved = server.evacuation
        if not work.by.ours and moved and moved.dest == server.host:
            # It is called something, and still is what it was.
            server.wanted = ''

    def confirm(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to confirm.

        One that comes a blink after another does not see that yet.
        """
        server = self.existing(server_id)
        by = by or server.owner
        self.checked('confirm', server_id, by)
        now, record = self.timeline.now, _resized(self, server, blind=True)
        self._check_in_use(record.source)
        self.refuse('confirm', server)
        work = self.begin('confirm', server, by)
        work.record = record
        record.confirmations.append(now)
        if len(record.confirmations) > 1:
            self.collisions.append((server.work, work))
            work.finish(now, well=False)
            return
        server.work = work
        self.update(record, status='confirming')
        effect = server.effect('confirm')
        self.start_work(work, resizes.confirm(self, work, effect))

    def revert(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to revert."""
        server = self.existing(server_id)
        by = by or server.owner
        self.checked('revert', server_id, by)
        record = _resized(self, server, blind=False)
        work = self.take('revert', server, by, 'resize_reverting')
        work.record = record
        self.update(record, status='reverting')
        self.start_work(work, resizes.revert(self, work))

    def _plain(
        self, kind: str, server_id: str, by: world.Actor | None = None
    ) -> None:
        """Take a request that leaves no migration record."""
        server = self.existing(server_id)
        by = by or (world.COLLEAGUE if kind == 'offload' else server.owner)
        self.checked(kind, server_id, by)
        self.refuse(kind, server)
        work = self.take(kind, server, by, tasks.TASKS[kind])
        steps = {'shelve': tasks.shelve, 'offload': tasks.offload}
        carry_out = steps.get(kind, tasks.plain)
        self.start_work(work, carry_out(self, work, server.effect(kind)))

    resume = functools.partialmethod(_plain, 'resume')
    suspend = functools.partialmethod(_plain, 'suspend')
    pause = functools.partialmethod(_plain, 'pause')
    unpause = functools.partialmethod(_plain, 'unpause')
    stop = functools.partialmethod(_plain, 'stop')
    start_server = functools.partialmethod(_plain, 'start')
    reboot = functools.partialmethod(_plain, 'reboot')
    soft_delete = functools.partialmethod(_plain, 'soft_delete')
    shelve = functools.partialmethod(_plain, 'shelve')
    offload = functools.partialmethod(_plain, 'offload')

    def _end(
        self,
        kind: str,
        server_id: str,
        record_id: int,
        by: world.Actor = world.COLLEAGUE,
    ) -> None:
        """Take a request to end a live migration."""
        server, force = self.existing(server_id), kind == 'force_complete'
        if force and server.vm_state != 'active':
            raise admission.invalid(kind, server, 'vm_state', server.vm_state)
        if server.task_state != 'migrating':
            name = kind if force else 'abort live migration'
            raise admission.refused(
                f"Instance {server_id} is in an invalid state for '{name}'",
                409,
            )
        record = self.records.get(record_id)
        if record is None or record.server is not server:
            if not force:
                raise exceptions.NotFound(
                    f'Migration {record_id} not found for instance '
                    f'{server_id} (HTTP 404)'
                )
            raise admission.refused(f'Migration {record_id} not found', 400)
        if record.status not in ({'running'} if force else _ABORTABLE):
            raise admission.refused(
                f'Migration {record_id} state of instance {server_id} is '
                f'{record.status}. Cannot {kind} while the migration is in '
                'this state.',
                400,
                final=False,
            )
        self.refuse(kind, server)
        work = self.begin(kind, server, by)
        work.finish(self.timeline.now, well=True)
        wish, effect = 'complete' if force else 'abort', server.effect(kind)
        self.timeline.spawn(moves.end(self, server.work, wish, effect))

    abort = functools.partialmethod(_end, 'abort')
    force_complete = functools.partialmethod(_end, 'force_complete')

    def _lock(self, kind: str, server_id: str) -> None:
        server = self.existing(server_id)
        work = self.begin(kind, server, server.owner)
        work.ended = self.timeline.now
        server.locked = kind == 'lock'
        server.changed_at = self.timeline.now

    lock = functools.partialmethod(_lock, 'lock')
    unlock = functools.partialmethod(_lock, 'unlock')


def _resized(
    cloud: state.State, server: world.Server, *, blind: bool
) -> world.Record:
    """Return the record that awaits a confirmation.

    :param blind: also one that was confirmed a blink ago.
    """
    now = cloud.timeline.now
    for record in cloud.records.values():
        if record.server is not server:
            continue
        times = record.confirmations
        late = times and now - times[0] <= cloud.timing.blind
        confirming = record.status == 'confirming' and late and blind
        if record.status == 'finished' or confirming:
            return record
    raise admission.refused('Instance has not been resized.', 400, final=False)
