# SPDX-License-Identifier: Apache-2.0

"""What the simulated Nova takes, and what it refuses, and how.

The order of the checks is that of nova/compute/api.py.
"""

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
        by: world.Actor | None = None,
    ) -> None:
        """Take a request for a live migration.

        :param dest: where to, unchecked: the scheduler chose it before.
        :param host: where to, if it passes the scheduler.
        """
        by = by or world.COLLEAGUE
        server = self.checked('live_migrate', server_id, by)
        if host and host not in self.hosts:
            raise admission.refused(
                f'Compute host {host} could not be found.', 400
            )
        self.refuse('live_migrate', server)
        work = self.take('live_migrate', server, by, task='migrating')
        work.asked = host
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
        assert server.host
        if not self.hosts[server.host].in_use:
            raise admission.refused(
                'Service is unavailable at this time.', 409
            )
        if host and host == server.host:
            raise admission.refused(
                'Cannot migrate to the host where the server exists.', 400
            )
        if host and host not in self.hosts:
            raise admission.refused(
                f'Compute host {host} could not be found.', 400
            )
        self.refuse('cold_migrate', server)
        name = 'resize' if resize else 'cold_migrate'
        if resize and server.vm_state != server.wanted:
            # Its owner takes it as it is.
            server.wanted = ''
        work = self.take(name, server, by, task='resize_prep')
        work.asked = host
        self.start_work(work, resizes.cold(self, work, kind, dest, host))

    def evacuate(
        self,
        server_id: str,
        *,
        host: str = '',
        stopped: bool = False,
        by: world.Actor | None = None,
    ) -> None:
        """Take a request for an evacuation, whatever the server is busy with.

        :param host: where to, if it passes the scheduler.
        :param stopped: asked at 2.95 or above.
        """
        by, server = by or world.COLLEAGUE, self.existing(server_id)
        if host and host not in self.hosts:
            raise exceptions.NotFound(
                f'Compute host {host} not found. (HTTP 404)'
            )
        if (host or None) == server.host:
            # Also of one that is on no host.
            raise admission.refused(
                "The target host can't be the same one.", 400
            )
        if server.vm_state not in admission.STATES['evacuate']:
            raise admission.invalid(
                'evacuate', server, 'vm_state', server.vm_state
            )
        if self.hosts[server.host].in_use:
            raise admission.refused(
                f'Compute service of {server.host} is still in use.',
                400,
                final=False,
            )
        self.refuse('evacuate', server)
        work, was = rebuilds.begin(self, server, by), server.vm_state
        work.asked, work.stops = host, stopped
        self.take_on(work, task=statuses.REBUILDING[0])
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
        by: world.Actor | None = None,
    ) -> None:
        """Change a server's state in Nova's database alone."""
        server = self.existing(server_id)
        work = self.begin(
            'reset',
            server,
            by or world.COLLEAGUE,
            admission.INSTANCE_ACTIONS['reset'],
        )
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
        source = self.hosts.get(record.source)
        if source and not source.in_use:
            raise admission.refused(
                'Service is unavailable at this time.', 409
            )
        self.refuse('confirm', server)
        work = self.begin(
            'confirm', server, by, admission.INSTANCE_ACTIONS['confirm']
        )
        work.record = record
        record.confirmations.append(now)
        if len(record.confirmations) > 1:
            assert server.work
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
        work = self.take('revert', server, by, task='resize_reverting')
        work.record = record
        self.update(record, status='reverting')
        self.start_work(work, resizes.revert(self, work))

    def resume(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to resume."""
        self._plain('resume', server_id, by)

    def suspend(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to suspend."""
        self._plain('suspend', server_id, by)

    def pause(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to pause."""
        self._plain('pause', server_id, by)

    def unpause(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to unpause."""
        self._plain('unpause', server_id, by)

    def stop(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to stop."""
        self._plain('stop', server_id, by)

    def start_server(
        self, server_id: str, by: world.Actor | None = None
    ) -> None:
        """Take a request to start a server."""
        self._plain('start', server_id, by)

    def reboot(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to reboot."""
        self._plain('reboot', server_id, by)

    def soft_delete(
        self, server_id: str, by: world.Actor | None = None
    ) -> None:
        """Take a request to delete a server, so that it can be restored."""
        self._plain('soft_delete', server_id, by)

    def _plain(
        self, kind: str, server_id: str, by: world.Actor | None
    ) -> None:
        work, effect = self._begin(kind, server_id, by)
        self.start_work(work, tasks.plain(self, work, effect))

    def shelve(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to shelve."""
        work, effect = self._begin('shelve', server_id, by)
        self.start_work(work, tasks.shelve(self, work, effect))

    def offload(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to take a shelved server off its host."""
        by = by or world.COLLEAGUE
        work, effect = self._begin('offload', server_id, by)
        self.start_work(work, tasks.offload(self, work, effect))

    def _begin(
        self, kind: str, server_id: str, by: world.Actor | None
    ) -> tuple[world.Work, world.Effect]:
        server = self.existing(server_id)
        by = by or server.owner
        self.checked(kind, server_id, by)
        self.refuse(kind, server)
        work = self.take(kind, server, by, task=tasks.TASKS[kind])
        return work, server.effect(kind)

    def abort(
        self, server_id: str, record_id: int, by: world.Actor | None = None
    ) -> None:
        """Take a request to abort a live migration."""
        self._end('abort', server_id, record_id, by)

    def force_complete(
        self, server_id: str, record_id: int, by: world.Actor | None = None
    ) -> None:
        """Take a request to complete a live migration."""
        self._end('force_complete', server_id, record_id, by)

    def _end(
        self,
        kind: str,
        server_id: str,
        record_id: int,
        by: world.Actor | None,
    ) -> None:
        by = by or world.COLLEAGUE
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
        work = self.begin(kind, server, by, admission.INSTANCE_ACTIONS[kind])
        work.finish(self.timeline.now, well=True)
        moving, effect = server.work, server.effect(kind)
        assert moving
        wish = 'complete' if force else 'abort'
        self.timeline.spawn(moves.end(self, moving, wish, effect))

    def lock(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to lock a server."""
        self._lock('lock', server_id, by)

    def unlock(self, server_id: str, by: world.Actor | None = None) -> None:
        """Take a request to unlock a server."""
        self._lock('unlock', server_id, by)

    def _lock(self, kind: str, server_id: str, by: world.Actor | None) -> None:
        server = self.existing(server_id)
        work = self.begin(kind, server, by or server.owner, kind)
        work.ended = self.timeline.now
        server.locked = kind == 'lock'
        server.changed_at = self.timeline.now


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
