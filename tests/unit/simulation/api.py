# SPDX-License-Identifier: Apache-2.0

"""What the simulated Nova takes, and what it refuses, and how.

The order of the checks is that of nova/compute/api.py.
"""

from collections import abc
import functools

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import moves
from tests.unit.simulation import rebuilds
from tests.unit.simulation import resizes
from tests.unit.simulation import state
from tests.unit.simulation import statuses
from tests.unit.simulation import tasks
from tests.unit.simulation import timeline
from tests.unit.simulation import world

COLLEAGUE = world.COLLEAGUE
Actor, Server, Work = world.Actor, world.Server, world.Work
#: What Nova says of a server that it can't read.
UNREADABLE = "Nova: POST: <class 'json.decoder.JSONDecodeError'> (HTTP 500)"
_ANY = frozenset({'active', 'stopped', 'paused', 'suspended'})
#: The states that a request may find a server in, by its kind.
STATES: abc.Mapping[str, frozenset[str]] = {
    'live_migrate': frozenset({'active', 'paused'}),
    'cold_migrate': frozenset({'active', 'stopped'}),
    'confirm': frozenset({'resized'}),
    'revert': frozenset({'resized'}),
    'resume': frozenset({'suspended'}),
    'suspend': frozenset({'active'}),
    'shelve': _ANY,
    'offload': frozenset({'shelved'}),
    'pause': frozenset({'active'}),
    'unpause': frozenset({'paused'}),
    'stop': frozenset({'active'}),
    'start': frozenset({'stopped'}),
    'reboot': frozenset({'active'}),
    'tag': _ANY,
    'untag': _ANY,
    'soft_delete': _ANY | {'error', 'rescued', 'shelved'},
    'evacuate': frozenset({'active', 'stopped', 'error'}),
}
#: What it is called in the answer to a server in another state.
_ACTIONS = {
    'live_migrate': 'os-migrateLive',
    'cold_migrate': 'migrate',
    'confirm': 'confirmResize',
    'revert': 'revertResize',
    'offload': 'shelveOffload',
    'tag': 'update tag',
    'untag': 'delete tag',
}
_ABORTABLE = frozenset({'queued', 'preparing', 'running'})


class Api(state.State):
    """Nova's compute API.

    ``by`` is who asks: None is the server's owner, or a colleague of ours
    where it takes an administrator. All raise
    :class:`osc_hostmaint.exceptions.CloudError`, as Nova refuses it.
    """

    def checked(self, kind: str, server_id: str, by: Actor) -> Server:
        """Return a server that rests in a state that a request may find."""
        server = self.existing(server_id)
        if server.locked and not by.admin:
            raise refused(f'Instance {server_id} is locked', 409)
        self.check_state(kind, server)
        if server.task_state is not None:
            raise invalid(kind, server, 'task_state', server.task_state)
        return server

    @staticmethod
    def check_state(kind: str, server: Server) -> None:
        """Refuse a request for a server in another state."""
        if server.vm_state not in STATES[kind]:
            raise invalid(kind, server, 'vm_state', server.vm_state)

    @staticmethod
    def read_request(server: Server) -> None:
        """Read what the scheduler was asked for a server."""
        if server.unreadable:
            raise exceptions.Unavailable(UNREADABLE)

    @staticmethod
    def refuse(kind: str, server: Server) -> None:
        """Refuse what a test wants to be refused."""
        refusal = server.refusal(kind)
        if refusal:
            raise exceptions.RequestRefused(refusal.text, final=refusal.final)

    def take(self, kind, server, by, task, host='') -> Work:
        """Begin what a server is busy with from now on."""
        work = self.begin(kind, server, by)
        work.asked = host
        self.take_on(work, task)
        return work

    def take_on(self, work: Work, task: str) -> None:
        work.server.work = work
        self.change(work.server, task_state=task)

    def start_work(self, work: Work, steps: timeline.Steps) -> None:
        # Queued for its first step, so that the process is known to itself.
        work.process = timeline.Process(self.timeline, steps)
        self.timeline.after(0.0, work.process.step)

    def live_migrate(
        self, server_id, dest=None, *, host='', by=COLLEAGUE
    ) -> None:
        """Take a request for a live migration: see :meth:`cold_migrate`."""
        server = self.checked('live_migrate', server_id, by)
        self._check_host(host)
        self.read_request(server)
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
        by: Actor | None = None,
    ) -> None:
        """Take a request for a cold migration, or an owner's resize.

        :param dest: where to, unchecked: the scheduler chose it before.
        :param host: where to, if it passes the scheduler.
        """
        resize = kind == model.MigrationType.RESIZE
        server = self.existing(server_id)
        by = by or (server.owner if resize else COLLEAGUE)
        self.checked('cold_migrate', server_id, by)
        self._check_in_use(server.host)
        if host and host == server.host:
            raise refused(
                'Cannot migrate to the host where the server exists.', 400
            )
        self._check_host(host)
        self.read_request(server)
        self.refuse('cold_migrate', server)
        name = 'resize' if resize else 'cold_migrate'
        if resize and server.vm_state != server.wanted:
            # Its owner takes it as it is.
            server.wanted = ''
        work = self.take(name, server, by, 'resize_prep', host)
        self.start_work(work, resizes.cold(self, work, kind, dest, host))

    def _check_host(self, host: str) -> None:
        if host and host not in self.hosts:
            raise refused(f'Compute host {host} could not be found.', 400)

    def _check_in_use(self, host: str | None) -> None:
        if host in self.hosts and not self.hosts[host].in_use:
            raise refused('Service is unavailable at this time.', 409)

    def evacuate(
        self, server_id, *, host='', stopped=False, by=COLLEAGUE
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
            raise refused("The target host can't be the same one.", 400)
        self.check_state('evacuate', server)
        if self.hosts[server.host].in_use:
            raise refused(
                f'Compute service of {server.host} is still in use.',
                400,
                final=False,
            )
        self.read_request(server)
        self.refuse('evacuate', server)
        work, was = rebuilds.begin(self, server, by), server.vm_state
        work.asked, work.stops = host, stopped
        self.take_on(work, statuses.REBUILDING[0])
        kind = model.MigrationType.EVACUATION
        self.new_record(work, kind, 'accepted').dest = host or None
        off = was == 'stopped' or (stopped and was != 'error')
        self.start_work(work, rebuilds.evacuate(self, work, was, off=off))

    def reset(self, server_id, vm_state='active', by=COLLEAGUE) -> None:
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

    def confirm(self, server_id: str, by: Actor | None = None) -> None:
        """Take a request to confirm, though another came a blink before."""
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

    def revert(self, server_id: str, by: Actor | None = None) -> None:
        server = self.existing(server_id)
        by = by or server.owner
        self.checked('revert', server_id, by)
        record = _resized(self, server, blind=False)
        self.read_request(server)
        work = self.take('revert', server, by, 'resize_reverting')
        work.record = record
        self.update(record, status='reverting')
        self.start_work(work, resizes.revert(self, work))

    def _plain(self, kind, server_id, by=None) -> None:
        server = self.existing(server_id)
        by = by or (COLLEAGUE if kind == 'offload' else server.owner)
        self.checked(kind, server_id, by)
        self.refuse(kind, server)
        task, _state = tasks.TASKS[kind]
        work = self.take(kind, server, by, task)
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

    def _end(self, kind, server_id, record_id, by=COLLEAGUE) -> None:
        """Take a request to end a live migration."""
        server, force = self.existing(server_id), kind == 'force_complete'
        if force and server.vm_state != 'active':
            raise invalid(kind, server, 'vm_state', server.vm_state)
        if server.task_state != 'migrating':
            name = kind if force else 'abort live migration'
            raise refused(
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
            raise refused(f'Migration {record_id} not found', 400)
        if record.status not in ({'running'} if force else _ABORTABLE):
            raise refused(
                f'Migration {record_id} state of instance {server_id} is '
                f'{record.status}. Cannot {kind} while the migration is in '
                'this state.',
                400,
                final=False,
            )
        self.refuse(kind, server)
        self.begin(kind, server, by).finish(self.timeline.now, well=True)
        wish, effect = 'complete' if force else 'abort', server.effect(kind)
        self.timeline.spawn(moves.end(self, server.work, wish, effect))

    abort = functools.partialmethod(_end, 'abort')
    force_complete = functools.partialmethod(_end, 'force_complete')

    def _change_tag(self, kind, server_id, by=COLLEAGUE) -> None:
        """Give a server the tag of those that are resumed, or remove it."""
        server, tagged = self.existing(server_id), kind == 'tag'
        self.check_state(kind, server)
        self.refuse(kind, server)
        if not (tagged or server.tagged):
            raise exceptions.NotFound(
                f'Instance {server_id} has no tag (HTTP 404)'
            )
        server.tagged = tagged

    tag = functools.partialmethod(_change_tag, 'tag')
    untag = functools.partialmethod(_change_tag, 'untag')

    def _lock(self, kind: str, server_id: str) -> None:
        server = self.existing(server_id)
        self.begin(kind, server, server.owner).ended = self.timeline.now
        server.locked = kind == 'lock'
        server.changed_at = self.timeline.now

    lock = functools.partialmethod(_lock, 'lock')
    unlock = functools.partialmethod(_lock, 'unlock')


def _resized(cloud, server, *, blind) -> world.Record:
    """Return the record to confirm; blind: or confirmed a blink ago."""
    now = cloud.timeline.now
    for record in cloud.records.values():
        if record.server is not server:
            continue
        times = record.confirmations
        late = times and now - times[0] <= cloud.timing.blind
        confirming = record.status == 'confirming' and late and blind
        if record.status == 'finished' or confirming:
            return record
    raise refused('Instance has not been resized.', 400, final=False)


def invalid(kind, server, what, value) -> exceptions.CloudError:
    return refused(
        f"Cannot '{_ACTIONS.get(kind, kind)}' instance {server.id} while it "
        f'is in {what} {value}',
        409,
    )


def refused(text, code, *, final=None) -> exceptions.CloudError:
    """Return a refusal, by default as final as its code says."""
    if final is None:
        final = code == 400
    return exceptions.RequestRefused(f'{text} (HTTP {code})', final=final)
