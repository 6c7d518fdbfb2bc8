#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""How the simulated Nova carries out moves, step by step.

The order and the delays are those measured on Nova 34; each function is one
move and reads from top to bottom.
"""

import typing as ty

from osc_hostmaint import model
from tests.unit.simulation import timeline
from tests.unit.simulation import world

if ty.TYPE_CHECKING:
    from tests.unit.simulation import cloud as clouds

NO_VALID_HOST = 'No valid host was found. There are not enough hosts available'
PRECHECK = 'Migration pre-check error: CPU does not have compatibility'
COLD_FAILED = 'Resize error: unable to copy the disk'


def live(
    cloud: 'clouds.Cloud', server: world.Server, dest: str | None
) -> timeline.Steps:
    """Carry out a live migration.

    :param dest: None leaves it to the scheduler.
    """
    timing, fate = cloud.timing, cloud.fate(server)
    assert server.host
    source = cloud.hosts[server.host]
    yield cloud.jitter(timing.record)
    record = cloud.new_record(server, model.MigrationType.LIVE, 'accepted')
    cloud.hold(record.uuid, source.name)
    cloud.release(server.id, source.name)
    yield cloud.jitter(timing.schedule)
    target = dest or cloud.schedule(server, claims=False)
    if fate is world.Fate.NO_HOST or target is None or not source.up:
        back(cloud, record, 'error', NO_VALID_HOST)
        return
    cloud.update(record, dest=target)
    cloud.hold(server.id, target)
    yield cloud.jitter(timing.reach)
    if not source.alive:
        # The message waits for nova-compute to come back.
        return
    if fate is world.Fate.PRECHECK:
        back(cloud, record, 'error', PRECHECK)
        return
    cloud.update(record, status='queued')
    yield cloud.jitter(timing.queue)
    process = server.move
    assert process
    try:
        yield source.slots
        cloud.update(record, status='preparing')
        yield cloud.jitter(timing.prepare)
        cloud.update(record, status='running')
        if fate is world.Fate.ROLLED_BACK:
            yield server.seconds / 2
            back(cloud, record, 'failed', '')
            return
        yield server.seconds
        server.task_state = None
        if fate is world.Fate.LIE:
            cloud.release(server.id, target)
            cloud.hold(server.id, source.name)
        else:
            cloud.arrive(server, target)
        yield cloud.jitter(timing.complete)
        cloud.update(record, status='completed')
    finally:
        source.slots.leave(process)
    yield cloud.jitter(timing.tidy)
    cloud.release(record.uuid, source.name)


def cold(
    cloud: 'clouds.Cloud', server: world.Server, kind: str, dest: str | None
) -> timeline.Steps:
    """Carry out a cold migration or a resize, up to VERIFY_RESIZE."""
    timing, fate = cloud.timing, cloud.fate(server)
    assert server.host
    source = server.host
    server.old_state = server.vm_state
    yield cloud.jitter(timing.record)
    record = cloud.new_record(server, kind, 'pre-migrating')
    cloud.hold(record.uuid, source)
    cloud.release(server.id, source)
    yield cloud.jitter(timing.schedule)
    target = dest or cloud.schedule(server, claims=True)
    if fate is world.Fate.NO_HOST or target is None:
        back(cloud, record, 'error', NO_VALID_HOST)
        return
    cloud.hold(server.id, target)
    yield cloud.jitter(timing.reach)
    cloud.update(record, dest=target)
    if fate is world.Fate.PRECHECK:
        back(cloud, record, 'error', PRECHECK)
        return
    cloud.update(record, status='migrating')
    server.task_state = 'resize_migrating'
    yield server.seconds
    if fate is world.Fate.ROLLED_BACK:
        back(cloud, record, 'error', COLD_FAILED)
        return
    cloud.update(record, status='post-migrating')
    server.task_state = 'resize_migrated'
    cloud.arrive(server, target)
    yield cloud.jitter(timing.finish)
    server.task_state = 'resize_finish'
    yield cloud.jitter(timing.finish)
    if fate is world.Fate.BROKEN:
        server.vm_state, server.task_state = 'error', None
        server.failure = COLD_FAILED
        cloud.update(record, status='error')
        return
    cloud.update(record, status='finished')
    yield cloud.jitter(timing.finish)
    server.vm_state, server.task_state = 'resized', None


def confirm(cloud: 'clouds.Cloud', record: world.Record) -> timeline.Steps:
    """Confirm a cold migration or a resize."""
    server = record.server
    cloud.update(record, status='confirming')
    yield cloud.jitter(0.3)
    cloud.release(record.uuid, record.source)
    cloud.update(record, status='confirmed')
    yield cloud.jitter(cloud.timing.settle)
    server.vm_state = server.old_state


def revert(cloud: 'clouds.Cloud', record: world.Record) -> timeline.Steps:
    """Bring a server back to where it was."""
    server = record.server
    cloud.update(record, status='reverting')
    server.task_state = 'resize_reverting'
    yield cloud.jitter(1.0)
    back(cloud, record, 'reverted', '', settled=False)
    server.host = record.source
    yield cloud.jitter(0.3)
    server.vm_state, server.task_state = server.old_state, None


def back(
    cloud: 'clouds.Cloud',
    record: world.Record,
    status: str,
    reason: str,
    *,
    settled: bool = True,
) -> None:
    """End a move with its server on the source, as it was."""
    server = record.server
    server.failure = reason
    if settled:
        server.task_state = None
    cloud.release(record.uuid, record.source)
    if record.dest:
        cloud.release(server.id, record.dest)
    cloud.hold(server.id, record.source)
    cloud.update(record, status=status)


def build(
    cloud: 'clouds.Cloud', server: world.Server, host: str
) -> timeline.Steps:
    """Build a server: the allocation is there first, the host later."""
    cloud.hold(server.id, host)
    yield cloud.jitter(cloud.timing.build / 3)
    server.host, server.task_state = host, 'spawning'
    yield cloud.jitter(cloud.timing.build)
    server.vm_state, server.task_state = 'active', None
