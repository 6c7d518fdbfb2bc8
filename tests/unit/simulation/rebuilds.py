# SPDX-License-Identifier: Apache-2.0

"""How the simulated Nova builds servers anew off a host that has died.

The order is that of nova/conductor/manager.py and nova/compute/manager.py:
rebuild_instance.
"""

from osc_hostmaint import nova_states
from tests.unit.simulation import moves
from tests.unit.simulation import state
from tests.unit.simulation import statuses
from tests.unit.simulation import timeline
from tests.unit.simulation import world

State, Work = state.State, world.Work
CLAIM = 'Build of instance {id} aborted: Insufficient compute resources'
SPAWN = 'Unable to spawn: no disk space left on {host}'
UNEXPECTED = 'Conflict updating instance {id}: unexpected task state {task}'

_ON = frozenset(
    {nova_states.PowerState.RUNNING, nova_states.PowerState.PAUSED}
)
_MoveOutcome = world.MoveOutcome
_FAILING = (_MoveOutcome.PRE, _MoveOutcome.ROLLED_BACK, _MoveOutcome.BROKEN)


def begin(cloud: State, server: world.Server, by: world.Actor) -> Work:
    """Take an evacuation on, whether or not another one is in flight."""
    flying = [work for work in _others(cloud, server) if work.ended is None]
    work = cloud.begin('evacuate', server, by)
    source, now = cloud.hosts[server.host or ''], cloud.timeline.now
    work.was_on = server.power_state in _ON
    work.alive_for = now - source.beats_since if source.alive else None
    cloud.doubles += [(other, work) for other in flying if not other.dead]
    return work


def _others(cloud: State, server: world.Server) -> list[Work]:
    return [w for w in cloud.works_on(server) if w.kind == 'evacuate']


def evacuate(cloud, work, was, *, off) -> timeline.Steps:
    """Carry out an evacuation of a server that was so, to be off or not."""
    timing, server = cloud.timing, work.server
    coming = server.outcome()
    yield cloud.jitter(timing.schedule)
    record = work.record = _accepted(cloud, work)
    target = cloud.schedule(server, claims=True, host=work.asked)
    found = target is not None and coming is not _MoveOutcome.NO_HOST
    if not found or not cloud.place(work, target, claims=True):
        _end(cloud, work, 'error', 'error', moves.NO_VALID_HOST)
        return
    yield from work.reach(cloud.hosts[target])
    yield cloud.jitter(timing.reach)
    cloud.update(record, dest=target, status='pre-migrating')
    coming = moves.outcome_there(cloud, coming, target, live=False)
    if coming is _MoveOutcome.PRECHECK:
        _end(cloud, work, 'failed', was, CLAIM.format(id=server.id))
        return
    tasks = statuses.REBUILDING
    for before, task in zip((tasks[0], *tasks[:-1]), tasks, strict=True):
        if server.task_state != before:
            _clash(cloud, work)
            return
        server.power_state = nova_states.PowerState.NOSTATE
        cloud.change(server, task_state=task)
        yield cloud.jitter(timing.finish)
        if coming is _MoveOutcome.PRE:
            break
    else:
        yield server.seconds
    if coming in _FAILING:
        _end(cloud, work, 'failed', 'error', SPAWN.format(host=target))
        return
    _spawn(cloud, work)
    if server.task_state != tasks[-1]:
        _clash(cloud, work)
        return
    yield from _settle(cloud, work, off=off)
    yield cloud.jitter(timing.finish)
    cloud.arrive(server, target)
    server.evacuation = work
    if server.wanted == 'stopped' and server.vm_state == 'active':
        cloud.started.append(work)
    work.finish(cloud.timeline.now, well=True)
    # Never the other way round (nova/compute/resource_tracker.py:
    # finish_evacuation).
    yield cloud.jitter(timing.finish)
    cloud.update(record, status='done')


def _accepted(cloud: State, work: Work) -> world.Record:
    """Return the record that the conductor takes for that of a request.

    It is the oldest that nobody is at, even if it belongs to another.
    """
    accepted = (
        record
        for record in cloud.records.values()
        if record.server is work.server and record.status == 'accepted'
    )
    return next(accepted, work.record)


def _end(cloud, work, status, vm_state, reason) -> None:
    """It comes to nothing; the server says so, or is as it was."""
    server, record = work.server, work.record
    cloud.update(record, status=status)
    if work.dest and work.dest != server.host:
        cloud.release(server.id, work.dest)
    server.vm_state = vm_state
    cloud.change(server)
    cloud.fail(work, reason)


def _clash(cloud: State, work: Work) -> None:
    """Somebody else has changed the server meanwhile."""
    server = work.server
    text = UNEXPECTED.format(id=server.id, task=server.task_state)
    _end(cloud, work, 'failed', 'error', text)


def _spawn(cloud: State, work: Work) -> None:
    """Its guest runs; look where it does already."""
    server, source = work.server, work.source
    work.spawned = True
    running = {
        other.dest
        for other in _others(cloud, server)
        if other is not work
        and other.spawned
        and (other.ended is None or other.ended > work.began)
    }
    if work.was_on and not work.cleaned:
        running.add(source)
    cloud.on_two_hosts += [
        (work, host)
        for host in sorted(filter(None, running))
        if cloud.hosts[host].powered
    ]


def _settle(cloud: State, work: Work, *, off: bool) -> timeline.Steps:
    """Bring it to its state; it still counts as on its source."""
    server = work.server
    if not off:
        cloud.change(server, vm_state='active')
        return
    cloud.change(server, vm_state='active', task_state='powering-off')
    yield cloud.jitter(cloud.timing.task)
    cloud.change(server, vm_state='stopped')
