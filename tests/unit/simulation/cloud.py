# SPDX-License-Identifier: Apache-2.0

"""The simulated cloud: Nova's API, its hosts, and servers set up at once."""

import dataclasses
import datetime
import ipaddress
import typing as ty

from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.simulation import api
from tests.unit.simulation import host_crashes
from tests.unit.simulation import statuses
from tests.unit.simulation import tasks
from tests.unit.simulation import world

Server = world.Server
#: How its owner brought a server into the state it has at first.
_CAUSES = {
    'stopped': 'stop',
    'paused': 'pause',
    'suspended': 'suspend',
    'rescued': 'rescue',
    'shelved': 'shelve',
    'soft-delete': 'delete',
}
_DAY = datetime.timedelta(days=1)
_HOUR = datetime.timedelta(hours=1)


class Cloud(api.Api):
    """Hosts, servers, migration records and allocations over time."""

    def add(self, host, vm_state='active', **values) -> Server:
        """Put a server on a host, as if it had always been there."""
        server = self._new(host, vm_state, values)
        self._put(server.id, host, server.amounts)
        return server

    def _new(self, host, vm_state, values) -> Server:
        number = len(self.servers) + 1
        # One in ERROR whose guest does not run was stopped before that.
        off = values.get('power_state') == nova_states.PowerState.SHUTDOWN
        wanted = 'stopped' if vm_state == 'error' and off else vm_state
        server = Server(
            **{
                'id': f'00000000-0000-0000-0000-{number:012x}',
                'name': f'server-{number:02}',
                'host': host,
                'vm_state': vm_state,
                'wanted': wanted,
                'addresses': (
                    str(ipaddress.IPv4Address(10 * 2**24 + number)),
                ),
                **values,
            }
        )
        causes = (('create', _DAY), (_CAUSES.get(server.wanted), _HOUR))
        server.instance_actions += [
            model.InstanceAction(cause, world.EPOCH - ago)
            for cause, ago in causes
            if cause
        ]
        self.servers[server.id] = server
        return server

    def add_resized(
        self,
        source: str,
        dest: str,
        kind: str = model.MigrationType.RESIZE,
        old_state: str = 'active',
        **values: ty.Any,
    ) -> Server:
        """Put a server at VERIFY_RESIZE, as if it had been for long."""
        server = self.add(source, 'resized', **values)
        server.old_state = server.wanted = old_state
        server.power_state = statuses.power(old_state)
        resize = kind == model.MigrationType.RESIZE
        by = server.owner if resize else world.COLLEAGUE
        now = self.timeline.now
        work = world.Work('resize', server, by, now)
        server.work = work
        record = self.new_record(work, kind, 'finished')
        work.finish(now, well=True)
        record.dest, record.created_at = dest, server.changed_at
        record.updated_at = server.changed_at
        self.hand_over(record)
        if dest not in self.allocations[server.id]:
            self._put(server.id, dest, server.amounts)
        server.host = dest
        return server

    def group(self, policy, *servers, most_per_host=1) -> snapshots.Group:
        """Put servers into a server group, wherever they are by now."""
        made = snapshots.Group(
            id=f'00000000-0000-0002-0000-{len(self.groups) + 1:012x}',
            policy=policy,
            members=frozenset(server.id for server in servers),
            most_per_host=most_per_host,
        )
        self.groups.append(made)
        for server in servers:
            server.needs = dataclasses.replace(server.needs, grouped=True)
        return made

    def create(self, host, *, fails=False, **values) -> Server:
        """Begin to build a server on a host, or to fail at that: on none."""
        values = {'task_state': 'scheduling', **values}
        server = self._new(host, 'building', values)
        server.host, server.wanted = None, ''
        server.changed_at = self.timeline.now
        server.instance_actions.clear()
        work = self.begin('create', server, server.owner)
        server.work = work
        self.start_work(work, tasks.build(self, work, host, fails=fails))
        return server

    def delete(self, server_id: str, by: world.Actor | None = None) -> None:
        """Delete a server: its records vanish, whatever goes on ends."""
        server = self.existing(server_id)
        kept = {
            work.record.uuid
            for work in self.works
            if self.leaks and work.record and work.ended is None
        }
        for work in self.works:
            if work.server is server and work.process:
                work.process.kill()
                work.finish(self.timeline.now, well=False)
        if server.work:
            server.work.finish(self.timeline.now, well=False)
        deletion = self.begin('delete', server, by or server.owner)
        deletion.ended = self.timeline.now
        server.deleted, server.changed_at = True, self.timeline.now
        for record in list(self.records.values()):
            if record.server is server:
                del self.records[record.id]
                if record.uuid not in kept:
                    self.release_all(record.uuid)
        self.release_all(server_id)

    crash = host_crashes.crash
    start = host_crashes.start

    def power_off(self, host: str) -> None:
        """Let a host have no power any more: its guests stop as well."""
        self.crash(host)
        self.hosts[host].powered = False

    def disable(self, host: str, reason: str | None = None) -> None:
        """Disable a compute service, by default with our mark."""
        if reason is None:
            since = world.utc(self.timeline.now)
            reason = mark.write(mark.Mark(since, 'alice', 'kernel'))
        self._touch(host, enabled=False)
        self.hosts[host].disabled_reason = reason

    def enable(self, host: str) -> None:
        self._touch(host, enabled=True)
        self.hosts[host].disabled_reason = None

    def fence(self, host: str) -> None:
        self.power_off(host)
        self.force_down(host)

    def force_down(self, host: str, *, down: bool = True) -> None:
        """Call a compute service down, or take that back once it is clean."""
        if not down and self.to_clean_up(host):
            raise api.refused(
                f'Unable to force up host {host} as `done` evacuation '
                'migration records remain associated with the host. Ensure '
                'the compute service has been restarted, allowing these '
                'records to move to `completed` before retrying this request.',
                400,
            )
        self._touch(host, forced_down=down)

    def to_clean_up(self, host: str) -> list[world.Record]:
        """Return evacuations off a host that it has not cleaned up yet."""
        return [
            record
            for record in self.records.values()
            if record.source == host
            and record.type == model.MigrationType.EVACUATION
            and record.status == 'done'
        ]

    def _touch(self, host: str, **values: bool) -> None:
        there = self.hosts[host]
        there.turn(self.timeline.now, **values)
        there.touched_at = self.timeline.now

    def on(self, host: str) -> list[Server]:
        return [
            server
            for server in reversed(self.servers.values())
            if server.host == host and not server.deleted
        ]
