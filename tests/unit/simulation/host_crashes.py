# SPDX-License-Identifier: Apache-2.0

"""Compute hosts that die, and what they do when they come back.

What Nova does then is in nova/compute/manager.py: _init_instance.
"""

from osc_hostmaint import model
from tests.unit.simulation import state
from tests.unit.simulation import statuses
from tests.unit.simulation import tasks
from tests.unit.simulation import timeline
from tests.unit.simulation import world

State, Work = state.State, world.Work
_COPYING = frozenset({'preparing', 'running'})
_TO_CLEAN_UP = frozenset({'accepted', 'pre-migrating', 'done'})
_BUILDING = frozenset({'scheduling', 'networking', 'spawning'})


def crash(cloud: State, name: str, *, hangs: bool = True) -> None:
    """Kill a host's nova-compute.

    What it was doing stays as it is; what is cast to it waits. What is on
    its way to it by live migration fails in the end, or hangs.

    :param hangs: what is being copied to it hangs until it is aborted, or
        fails when the host is back. Else the source gives it up: while it
        prepares after a time-out, and one that runs at its end, which puts
        the server into ERROR.
    """
    host = cloud.hosts[name]
    if not host.alive:
        return
    host.alive, host.died_at = False, cloud.timeline.now
    host.gate.close()
    for work in _under_way(cloud):
        if name in work.at:
            work.process.kill()
        elif hangs and _goes_to(work, name):
            work.hung = True
            work.wake()
    died_at = host.died_at

    def miss() -> None:
        if host.died_at == died_at:
            host.turn(cloud.timeline.now, up=False)

    cloud.timeline.after(
        host.heard_at + cloud.timing.heartbeat - cloud.timeline.now, miss
    )


def _under_way(cloud: State) -> list[Work]:
    """Return what goes on; of a server only the newest, and evacuations."""
    return [
        work
        for work in cloud.works
        if work.process
        and not work.process.ended
        and (work is work.server.work or work.kind == 'evacuate')
    ]


def _goes_to(work: Work, name: str) -> bool:
    record = work.record
    return (
        work.kind == 'live_migrate'
        and record is not None
        and record.dest == name
        and record.status in _COPYING
    )


def start(cloud: State, name: str) -> None:
    host = cloud.hosts[name]
    if host.alive:
        return
    host.alive = host.powered = True
    host.beats_since, host.died_at = cloud.timeline.now, timeline.FOREVER
    host.turn(cloud.timeline.now, up=True)
    cleaned = _clean_up(cloud, name)
    for server in cloud.servers.values():
        if server.host != name or server.deleted or server.id in cleaned:
            continue
        _initialize(cloud, server)
    for work in _under_way(cloud):
        if work.hung and _goes_to(work, name):
            work.hung, work.cut = False, True
            work.wake()
    host.gate.open()


def _clean_up(cloud: State, name: str) -> set[str]:
    """Destroy evacuated guests, by each server's newest record; return who."""
    records = {
        record.server.id: record
        for record in cloud.records.values()
        if record.source == name
        and record.type == model.MigrationType.EVACUATION
        and record.status in _TO_CLEAN_UP
    }
    for record in records.values():
        cloud.release(record.server.id, name)
        cloud.update(record, status='completed')
    for work in cloud.works:
        if work.record in records.values():
            work.cleaned = True
    return set(records)


def _initialize(cloud: State, server: world.Server) -> None:
    """Do what nova-compute does to each server on its host as it starts."""
    work, task = server.work, server.task_state
    if work is None or task is None:
        return
    killed = work.dead
    match task:
        case _ if server.vm_state == 'error' and task != 'resize_migrating':
            return
        case _ if task in statuses.REBUILDING:
            cloud.change(server, vm_state='error')
        case 'migrating':
            cloud.change(server)
            _reset_live(cloud, work)
        case 'resize_prep':
            cloud.change(server)
            work.finish(cloud.timeline.now, well=False)
        case 'resize_migrating':
            # Its record stays as it is for good.
            cloud.change(server)
            _leave(cloud, work)
        case 'powering-off' | 'powering-on' | 'rebooting' if killed:
            cloud.change(server, vm_state=tasks.TASKS[work.kind][1])
            work.finish(cloud.timeline.now, well=True)
        case _ if task in _BUILDING and killed:
            cloud.change(server, vm_state='error')
            work.finish(cloud.timeline.now, well=False)


def _reset_live(cloud: State, work: Work) -> None:
    """Only what was running is called an error."""
    record = work.record
    if record is None or record.status == 'accepted':
        work.finish(cloud.timeline.now, well=False)
        return
    if record.status == 'running':
        cloud.update(record, status='error')
    _leave(cloud, work)


def _leave(cloud: State, work: Work) -> None:
    """Nobody is at a move any more, whatever its record says."""
    if work.record and not cloud.leaks:
        cloud.hand_back(work.record)
    cloud.fail(work)
