# SPDX-License-Identifier: Apache-2.0

"""How the simulated Nova carries out what leaves no migration record."""

from collections import abc

from tests.unit.simulation import state
from tests.unit.simulation import timeline
from tests.unit.simulation import world

State, Work, Steps = state.State, world.Work, timeline.Steps
Told = abc.Generator[float | timeline.Queue, None, bool]
#: What a server is busy with, and the state that it leads to, by the kind of
#: request.
TASKS = {
    'resume': ('resuming', 'active'),
    'suspend': ('suspending', 'suspended'),
    'pause': ('pausing', 'paused'),
    'unpause': ('unpausing', 'active'),
    'stop': ('powering-off', 'stopped'),
    'start': ('powering-on', 'active'),
    'reboot': ('rebooting', 'active'),
    'shelve': ('shelving', 'shelved'),
    'offload': ('shelving_offloading', 'shelved_offloaded'),
    'soft_delete': ('soft-deleting', 'soft-delete'),
}


def plain(cloud: State, work: Work, effect: world.Effect) -> Steps:
    """Resume, suspend, pause, unpause, stop, start or reboot."""
    if not (yield from _reach(cloud, work, effect)):
        return
    yield cloud.jitter(cloud.timing.task)
    if not (yield from _failed(cloud, work, effect)):
        cloud.change(work.server, vm_state=TASKS[work.kind][1])
        work.finish(cloud.timeline.now, well=True)


def shelve(cloud: State, work: Work, effect: world.Effect) -> Steps:
    """Keep the disk as an image; what comes then is up to a setting."""
    server = work.server
    if not (yield from _reach(cloud, work, effect)):
        return
    if not server.volume_backed:
        yield cloud.jitter(cloud.timing.task)
        cloud.change(server, task_state='shelving_image_pending_upload')
        yield cloud.jitter(cloud.timing.task)
        cloud.change(server, task_state='shelving_image_uploading')
        yield server.seconds
    if (yield from _failed(cloud, work, effect)):
        return
    if server.volume_backed or cloud.shelved_offload_time == 0:
        if not server.volume_backed:
            task, _state = TASKS['offload']
            cloud.change(server, vm_state='shelved', task_state=task)
        yield from _offload(cloud, work)
        return
    cloud.change(server, vm_state='shelved')
    work.finish(cloud.timeline.now, well=True)


def offload(cloud: State, work: Work, effect: world.Effect) -> Steps:
    if not (yield from _reach(cloud, work, effect)):
        return
    if effect is not world.Effect.WELL:
        yield cloud.jitter(cloud.timing.task)
    if not (yield from _failed(cloud, work, effect)):
        yield from _offload(cloud, work)


def _offload(cloud: State, work: Work) -> Steps:
    """The host is given up a moment after the status says so."""
    server = work.server
    yield cloud.jitter(cloud.timing.task)
    cloud.release(server.id, server.host)
    cloud.change(server, vm_state='shelved_offloaded')
    work.finish(cloud.timeline.now, well=True)
    yield cloud.jitter(cloud.timing.detach)
    cloud.arrive(server, None)


def build(cloud: State, work: Work, host: str, *, fails: bool) -> Steps:
    """Build a server: the allocation is there first, the host later."""
    server = work.server
    if not cloud.place(work, host, claims=True):
        cloud.change(server, vm_state='error')
        work.finish(cloud.timeline.now, well=False)
        return
    yield cloud.jitter(cloud.timing.build / 3)
    yield from work.reach(cloud.hosts[host])
    server.host = host
    cloud.change(server, task_state='spawning')
    yield cloud.jitter(cloud.timing.build)
    if fails:
        cloud.release(server.id, host)
        server.host = None
    cloud.change(server, vm_state='error' if fails else 'active')
    work.finish(cloud.timeline.now, well=not fails)


def _reach(cloud: State, work: Work, effect: world.Effect) -> Told:
    """Reach the server's nova-compute; tell whether it can begin by then."""
    if work.server.host is None:
        return effect is not world.Effect.HANGS
    host = cloud.hosts[work.server.host]
    if not host.gate.is_open:
        yield host.gate
        if work.server.work is not work or work.server.task_state is None:
            work.finish(cloud.timeline.now, well=False)
            return False
    work.at = frozenset({host.name})
    yield 0.05
    return effect is not world.Effect.HANGS


def _failed(cloud: State, work: Work, effect: world.Effect) -> Told:
    """Tell whether it failed; it is in ERROR before its task ends."""
    server = work.server
    if effect is world.Effect.WELL:
        return False
    if effect is world.Effect.ERROR:
        cloud.change(server, vm_state='error', task_state=server.task_state)
        yield cloud.jitter(cloud.timing.finish)
    cloud.change(server)
    work.finish(cloud.timeline.now, well=False)
    return True
