# SPDX-License-Identifier: Apache-2.0

"""The simulated Nova, with virtual time."""

import collections
from collections import abc
import dataclasses
import typing as ty

from tests.conformance import nova
from tests.unit.simulation import client as clients
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import timeline
from tests.unit.simulation import world

T = ty.TypeVar('T')
HOSTS = ('cmp01', 'cmp02', 'cmp03')
ELSEWHERE = 'cmp04'
#: No script takes longer, in virtual seconds.
LIMIT = 3600.0

_STATES = {
    'ACTIVE': 'active',
    'SHUTOFF': 'stopped',
    'PAUSED': 'paused',
    'SUSPENDED': 'suspended',
    'SHELVED': 'shelved',
    'SHELVED_OFFLOADED': 'shelved_offloaded',
    'RESCUE': 'rescued',
    'ERROR': 'error',
    'SOFT_DELETED': 'soft-delete',
    'BUILD': 'building',
}
_OUTCOMES = {
    'precheck': world.MoveOutcome.PRECHECK,
    'pre': world.MoveOutcome.PRE,
    'running': world.MoveOutcome.ROLLED_BACK,
    'post': world.MoveOutcome.BROKEN,
    'disk': world.MoveOutcome.ROLLED_BACK,
    'finish': world.MoveOutcome.BROKEN,
    'claim': world.MoveOutcome.PRECHECK,
    'spawn': world.MoveOutcome.BROKEN,
}
_EFFECTS = {'stay': world.Effect.NOTHING, 'error': world.Effect.ERROR}


class Simulated(nova.Nova):
    """The simulated Nova."""

    sees_all = True

    def __init__(self) -> None:
        self.cloud = clouds.Cloud(
            [*HOSTS, ELSEWHERE], shelved_offload_time=-1, leaks=True
        )
        for name, host in self.cloud.hosts.items():
            host.zone = 'west' if name == ELSEWHERE else 'east'
        clock = timeline.VirtualClock(self.cloud.timeline)
        client = clients.Client(self.cloud, clock, latency=0.0)
        super().__init__(client, HOSTS, ELSEWHERE)

    def boot(
        self,
        host: str,
        status: str = 'ACTIVE',
        *,
        to: str = '',
        fails: str = '',
        slow: str = '',
        group: str = '',
        trait: str = '',
    ) -> str:
        """Make a server."""
        needs = dataclasses.replace(
            world.Server(id='', name='', host=None).needs,
            zone='east',
            required_traits=frozenset({trait} if trait else ()),
        )
        values: dict[str, ty.Any] = {'needs': needs}
        if fails in _OUTCOMES:
            values['outcomes'] = collections.deque([_OUTCOMES[fails]])
        elif fails:
            kind, _, how = fails.partition(' ')
            effects = collections.deque([_EFFECTS[how]])
            values['effects'] = {kind: effects}
        if status == 'VERIFY_RESIZE':
            to = to or next(name for name in HOSTS if name != host)
            server = self.cloud.add_resized(host, to, **values)
        else:
            server = self.cloud.add(host, _STATES[status], **values)
        if status == 'SHELVED_OFFLOADED':
            self.cloud.release_all(server.id)
            server.host = None
        if slow:
            self.slow_down(server.id, slow)
        if group:
            self._join(group, server)
        self._homes[server.id] = {host: None}
        self.look(server.id)
        return server.id

    def _join(self, group: str, server: world.Server) -> None:
        number = next(
            n for n, g in enumerate(self.cloud.groups) if g.id == group
        )
        found = self.cloud.groups[number]
        self.cloud.groups[number] = dataclasses.replace(
            found, members=found.members | {server.id}
        )
        server.needs = dataclasses.replace(server.needs, grouped=True)

    def slow_down(self, server_id: str, slow: str) -> None:
        """Have a live migration not converge; of all else every step shows."""
        if slow == 'copying':
            self.cloud.servers[server_id].stuck = 1

    def hurry(self, server_id: str) -> None:
        """Have a live migration converge."""
        server = self.cloud.servers[server_id]
        server.stuck = 0
        if server.work and server.work.kind == 'live_migrate':
            server.work.wish = server.work.wish or 'complete'
            server.work.wake()

    def delete(self, server_id: str) -> None:
        """Delete a server."""
        self.cloud.delete(server_id)

    def revert(self, server_id: str) -> None:
        """Revert a resize."""
        self.cloud.revert(server_id)

    def group(self, policy: str) -> str:
        """Make a server group."""
        return self.cloud.group(policy).id

    def fill(self, host: str) -> None:
        """Leave no memory."""
        self.cloud.hosts[host].inventory.capacity['MEMORY_MB'] = 1

    def give_trait(self, host: str, trait: str) -> None:
        """Give a host a trait."""
        self.cloud.hosts[host].traits |= {trait}

    def kill(self, host: str) -> None:
        """Kill nova-compute."""
        self.cloud.crash(host, hangs=False)

    def start(self, host: str) -> None:
        """Start nova-compute."""
        self.cloud.start(host)

    def settle(self) -> None:
        """Let more time pass than two requests may cross in."""
        line = self.cloud.timeline
        line.run_until(line.now + 2 * self.cloud.timing.blind)

    def wait(self, condition: abc.Callable[[], T | None], what: str) -> T:
        """Let things happen, one after the other."""
        line = self.cloud.timeline
        until = line.now + LIMIT
        while not (found := condition()):
            if line.now > until:
                raise TimeoutError(what)
            if not line.run_next():
                line.run_until(line.now + 1)
        return found
