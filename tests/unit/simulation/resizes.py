# SPDX-License-Identifier: Apache-2.0

"""How the simulated Nova carries out cold migrations and resizes.

The order and the delays are those measured on Nova 34; each function is one
request and reads from top to bottom.
"""

from tests.unit.simulation import moves
from tests.unit.simulation import state
from tests.unit.simulation import timeline
from tests.unit.simulation import world

State, Work, Steps = state.State, world.Work, timeline.Steps
COLD_FAILED = 'Resize error: unable to copy the disk'
MoveOutcome = world.MoveOutcome
_LOST = frozenset({MoveOutcome.PRE, MoveOutcome.PRECHECK})


def cold(cloud, work, kind, dest, host) -> Steps:
    """Carry out a cold migration or a resize, up to VERIFY_RESIZE."""
    timing, server = cloud.timing, work.server
    outcome = server.outcome()
    source = cloud.hosts[server.host]
    server.old_state = server.vm_state
    yield cloud.jitter(timing.record)
    record = cloud.new_record(work, kind, 'pre-migrating')
    cloud.hand_over(record)
    yield cloud.jitter(timing.schedule)
    target = dest or cloud.schedule(server, claims=True, host=host)
    found = target is not None and outcome is not MoveOutcome.NO_HOST
    if not found or not cloud.place(work, target, claims=True):
        moves.back(cloud, work, moves.NO_VALID_HOST)
        return
    there = cloud.hosts[target]
    yield from work.reach(there)
    yield cloud.jitter(timing.reach)
    cloud.update(record, dest=target)
    outcome = moves.outcome_there(cloud, outcome, target, live=False)
    if outcome in _LOST:
        moves.back(cloud, work, moves.PRECHECK)
        return
    work.at = frozenset()
    yield from source.gate.passed()
    if server.work is not work:
        moves.back(cloud, work)
        return
    if server.task_state != 'resize_prep':
        # It was reset when the source's nova-compute started again.
        cloud.hand_back(record)
        moves.lose(cloud, work)
        return
    work.at = frozenset({source.name})
    cloud.update(record, status='migrating')
    cloud.change(server, task_state='resize_migrating')
    yield server.seconds
    if outcome is MoveOutcome.ROLLED_BACK:
        moves.back(cloud, work, COLD_FAILED)
        return
    cloud.update(record, status='post-migrating')
    cloud.change(server, task_state='resize_migrated')
    cloud.arrive(server, target)
    work.at = frozenset()
    yield cloud.jitter(timing.finish)
    yield from there.gate.passed()
    if server.work is not work:
        # It was evacuated from there.
        cloud.release(record.uuid, source.name)
        cloud.update(record, status='error')
        work.finish(cloud.timeline.now, well=False)
        return
    work.at = frozenset({target})
    cloud.change(server, task_state='resize_finish')
    yield cloud.jitter(timing.finish)
    if outcome is MoveOutcome.BROKEN:
        cloud.release(record.uuid, source.name)
        moves.lose(cloud, work, COLD_FAILED)
        return
    cloud.update(record, status='finished')
    work.finish(cloud.timeline.now, well=True)
    yield cloud.jitter(timing.finish)
    cloud.change(server, vm_state='resized')


def confirm(cloud: State, work: Work, effect: world.Effect) -> Steps:
    """Confirm a cold migration or a resize, on its source."""
    timing, server, record = cloud.timing, work.server, work.record
    yield from work.reach(cloud.hosts[record.source])
    yield cloud.jitter(timing.confirm)
    if effect is world.Effect.HANGS:
        return
    cloud.release(record.uuid, record.source)
    if effect is not world.Effect.WELL:
        moves.lose(cloud, work)
        return
    cloud.update(record, status='confirmed')
    yield cloud.jitter(timing.settle)
    cloud.change(server, vm_state=server.old_state)
    if len(record.confirmations) > 1:
        # The later one finds nothing to confirm, and says so like this.
        yield cloud.jitter(timing.finish)
        moves.lose(cloud, work)
    work.finish(cloud.timeline.now, well=True)


def revert(cloud: State, work: Work) -> Steps:
    server, record = work.server, work.record
    source, there = cloud.hosts[record.source], cloud.hosts[record.dest]
    yield from work.reach(there)
    yield cloud.jitter(1.0)
    cloud.update(record, status='reverted')
    work.at = frozenset()
    yield from work.reach(source)
    cloud.hand_back(record)
    cloud.arrive(server, record.source)
    yield cloud.jitter(0.3)
    cloud.change(server, vm_state=server.old_state)
    work.finish(cloud.timeline.now, well=True)
