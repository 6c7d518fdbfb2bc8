# SPDX-License-Identifier: Apache-2.0

"""How the simulated Nova carries out live migrations, step by step.

The order and the delays are those measured on Nova 34; the function ``live``
reads from top to bottom.
"""

from collections import abc

from osc_hostmaint import model
from osc_hostmaint import nova_states
from tests.unit.simulation import state
from tests.unit.simulation import timeline
from tests.unit.simulation import world

State, Work, Steps = state.State, world.Work, timeline.Steps
NO_VALID_HOST = 'No valid host was found. There are not enough hosts available'
PRECHECK = 'Migration pre-check error: CPU does not have compatibility'
DOWN = 'Compute service of {host} is unavailable at this time.'

MoveOutcome = world.MoveOutcome
#: To a destination: what is found may be None.
Search = abc.Generator['float | timeline.Queue', None, 'str | None']


def outcome_there(cloud, coming, target, *, live) -> MoveOutcome:
    """Return the outcome of a move to a host; elsewhere it is ``coming``."""
    if cloud.broken:
        return MoveOutcome.BROKEN
    if cloud.hosts[target].black_hole:
        return MoveOutcome.PRE if live else MoveOutcome.BROKEN
    return coming


def live(cloud: State, work: Work, dest: str | None, host: str) -> Steps:
    """Carry out a live migration.

    :param dest: where to, unchecked; None asks the scheduler.
    :param host: the only host that the scheduler may take, if any.
    """
    timing, server = cloud.timing, work.server
    coming = server.outcome()
    source = cloud.hosts[server.host]
    yield cloud.jitter(timing.record)
    record = cloud.new_record(work, model.MigrationType.LIVE, 'accepted')
    if not source.in_use:
        back(cloud, work, DOWN.format(host=source.name))
        return
    cloud.hand_over(record)
    target = dest or (yield from _find(cloud, work, coming, host))
    ours = server.work is work
    if target is None or not cloud.place(work, target, claims=ours):
        reason = PRECHECK if coming is MoveOutcome.PRECHECK else NO_VALID_HOST
        back(cloud, work, reason)
        return
    cloud.update(record, dest=target)
    coming = outcome_there(cloud, coming, target, live=True)
    yield cloud.jitter(timing.reach)
    yield from source.gate.passed()
    if server.task_state != 'migrating' or server.work is not work:
        # It was reset when nova-compute started again.
        back(cloud, work)
        return
    work.at = frozenset({source.name})
    cloud.update(record, status='queued')
    yield cloud.jitter(timing.queue)
    process = work.process
    try:
        yield source.slots
        yield from _copy(cloud, work, coming)
    finally:
        source.slots.leave(process)
    if record.status == 'completed':
        yield cloud.jitter(timing.tidy)
        cloud.release(record.uuid, source.name)


def _find(cloud: State, work: Work, coming: MoveOutcome, host: str) -> Search:
    """Ask until a host passes; a dead one is given up after a time-out."""
    server = work.server
    tried: set[str] = set()
    while True:
        yield cloud.jitter(cloud.timing.schedule)
        if coming is MoveOutcome.NO_HOST:
            return None
        target = cloud.schedule(server, claims=False, host=host, tried=tried)
        if target is None:
            return None
        if coming is MoveOutcome.PRECHECK:
            work.record.failure = model.Failure(hosts=frozenset({target}))
            return None
        if cloud.hosts[target].alive:
            return target
        cloud.hold(server.id, target)
        yield cloud.timing.rpc
        cloud.release(server.id, target)
        tried.add(target)


def _copy(cloud: State, work: Work, coming: MoveOutcome) -> Steps:
    """Do what takes a slot of the source."""
    timing, server, record = cloud.timing, work.server, work.record
    target = cloud.hosts[record.dest]
    cloud.update(record, status='preparing')
    yield from _pass(cloud, work, cloud.jitter(timing.prepare))
    if not (work.cut or work.hung or target.alive):
        yield from _pass(cloud, work, timing.rpc)
        work.cut = True
    if coming is MoveOutcome.PRE or work.cut:
        cloud.update(record, status='error')
        yield from _roll_back(cloud, work, 'failed')
        return
    if work.wish == 'abort':
        yield from _roll_back(cloud, work, 'cancelled')
        return
    work.runs_since = cloud.timeline.now
    cloud.update(record, status='running')
    half = coming is MoveOutcome.ROLLED_BACK
    if server.stuck:
        server.stuck -= 1
        work.stuck = True
    seconds = timeline.FOREVER if work.stuck else server.seconds / (1 + half)
    yield from _pass(cloud, work, seconds, interrupts=True)
    if work.wish == 'abort':
        yield cloud.jitter(timing.abort)
        yield from _roll_back(cloud, work, 'cancelled')
    elif half or work.cut:
        yield from _roll_back(cloud, work, 'failed')
    elif coming is MoveOutcome.BROKEN:
        cloud.hand_back(record)
        lose(cloud, work)
    else:
        yield from _land(cloud, work, coming)


def _pass(cloud, work, seconds, *, interrupts=False) -> Steps:
    """Let time pass, for ever where the destination has died midway.

    :param interrupts: whoever wants to abort or complete it may at once;
        else only where it hangs.
    """
    until = cloud.timeline.now + seconds
    while True:
        aborts = work.wish == 'abort' and (interrupts or work.hung)
        ends = work.wish == 'complete' and interrupts and not work.hung
        if aborts or ends or work.cut:
            return
        left = timeline.FOREVER if work.hung else until - cloud.timeline.now
        if left <= 0:
            return
        yield left


def _land(cloud: State, work: Work, coming: MoveOutcome) -> Steps:
    """The server is there, and its record ends."""
    timing, server, record = cloud.timing, work.server, work.record
    if not cloud.hosts[record.dest].alive:
        # The destination is to say that it has it.
        yield from _pass(cloud, work, timing.rpc)
        cloud.arrive(server, record.dest)
        if not cloud.leaks:
            cloud.release(record.uuid, record.source)
        lose(cloud, work)
        return
    cloud.change(server)
    error = coming is MoveOutcome.LIE
    if error:
        cloud.hand_back(record)
        server.failures += 1
    else:
        cloud.arrive(server, record.dest)
        _wake_up(cloud, server, coming)
    work.finish(cloud.timeline.now, well=not error)
    yield cloud.jitter(timing.complete)
    cloud.update(record, status='completed')


def _wake_up(cloud: State, server: world.Server, coming: MoveOutcome) -> None:
    """A guest that ran runs on, some time later, or not at all."""
    states = nova_states.PowerState
    if coming not in (MoveOutcome.OFF, MoveOutcome.WAKES_LATE) or (
        server.power_state != states.RUNNING
    ):
        return
    server.power_state = states.PAUSED

    def wake() -> None:
        if server.vm_state == 'active':
            server.power_state = states.RUNNING

    if coming is MoveOutcome.WAKES_LATE:
        cloud.timeline.after(cloud.jitter(cloud.timing.wakes_late_after), wake)


def lose(cloud: State, work: Work, reason: str = '') -> None:
    """Let it fail when it is too late to roll back."""
    cloud.update(work.record, status='error')
    cloud.change(work.server, vm_state='error')
    cloud.fail(work, reason)


def _roll_back(cloud: State, work: Work, status: str) -> Steps:
    """The server is at rest a moment before the record says so."""
    server, record = work.server, work.record
    cloud.hand_back(record)
    cloud.change(server)
    cloud.fail(work)
    yield cloud.jitter(cloud.timing.roll_back)
    cloud.update(record, status=status)


def end(cloud: State, work: Work, wish: str, effect: world.Effect) -> Steps:
    """Abort a live migration under way, or force it to its end."""
    record = work.record
    source = cloud.hosts[record.source]
    yield cloud.timing.roll_back
    yield from source.gate.passed()
    if effect is not world.Effect.WELL or work.process.ended:
        return
    if record.status == 'queued' and wish == 'abort':
        work.process.kill()
        yield from _roll_back(cloud, work, 'cancelled')
    elif record.status in ('preparing', 'running'):
        # Who comes first has his way.
        work.wish = work.wish or wish
        work.wake()


def back(cloud: State, work: Work, reason: str = '') -> None:
    """End a move with its server on the source, as it was."""
    record, server = work.record, work.server
    if server.work is not work:
        # It was given up, and something else goes on by now.
        cloud.release(record.uuid, record.source)
        cloud.update(record, status='error')
        return
    if server.task_state in ('migrating', 'resize_prep', 'resize_migrating'):
        cloud.change(server)
    cloud.hand_back(record)
    cloud.update(record, status='error')
    cloud.fail(work, reason)


def remaining(cloud: State, work: Work) -> tuple[int, int]:
    """Return how much memory is still to be copied, and all, in bytes.

    Where it never converges it stops shrinking at a fifth, and goes up and
    down a little.
    """
    server = work.server
    total = server.memory_mb * 2**20
    passed = cloud.timeline.now - work.runs_since
    left = max(0.0, 1 - passed / server.seconds)
    if work.stuck and left < 0.2:
        left = 0.2 + 0.002 * (int(passed * 7) % 10)
    if work.hung:
        left = max(left, 0.1)
    return int(left * total), total
