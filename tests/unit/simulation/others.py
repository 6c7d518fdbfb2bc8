# SPDX-License-Identifier: Apache-2.0

"""What others do while a host is drained, to be drawn at random."""

import collections.abc
import contextlib
import dataclasses
import functools

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import scene
from tests.unit.simulation import world

SOURCE = scene.SOURCE
RESIZE = model.MigrationType.RESIZE

Act = collections.abc.Callable[[clouds.Cloud, world.Server], object]

_OWNERS: dict[str, Act] = {
    'delete': lambda cloud, server: cloud.delete(server.id),
    'soft delete': lambda cloud, server: cloud.soft_delete(server.id),
    'stop': lambda cloud, server: cloud.stop(server.id),
    'start': lambda cloud, server: cloud.start_server(server.id),
    'reboot': lambda cloud, server: cloud.reboot(server.id),
    'pause': lambda cloud, server: cloud.pause(server.id),
    'unpause': lambda cloud, server: cloud.unpause(server.id),
    'suspend': lambda cloud, server: cloud.suspend(server.id),
    'resume': lambda cloud, server: cloud.resume(server.id),
    'shelve': lambda cloud, server: cloud.shelve(server.id),
    'resize': lambda cloud, server: cloud.cold_migrate(server.id, kind=RESIZE),
    'confirm': lambda cloud, server: cloud.confirm(server.id),
    'revert': lambda cloud, server: cloud.revert(server.id),
    'lock': lambda cloud, server: cloud.lock(server.id),
    'unlock': lambda cloud, server: cloud.unlock(server.id),
}
_ADMINS: dict[str, Act] = {
    'live': lambda cloud, server: cloud.live_migrate(server.id),
    'cold': lambda cloud, server: cloud.cold_migrate(server.id),
    'offload': lambda cloud, server: cloud.offload(server.id),
    'abort': lambda cloud, server: cloud.abort(
        server.id, _record_id(cloud, server)
    ),
    'complete': lambda cloud, server: cloud.force_complete(
        server.id, _record_id(cloud, server)
    ),
}
#: What is done about servers on a host that has died, and what spoils it.
_RESCUERS: dict[str, Act] = {
    'evacuate': lambda cloud, server: cloud.evacuate(server.id),
    'evacuate and stop': lambda cloud, server: cloud.evacuate(
        server.id, stopped=True
    ),
    'reset': lambda cloud, server: cloud.reset(server.id),
    'reset to error': lambda cloud, server: cloud.reset(server.id, 'error'),
}
#: What brings servers to the host: they were scheduled before it was
#: disabled. A server that is there already stays.
_ARRIVALS: dict[str, Act] = {
    'resize here': lambda cloud, server: cloud.cold_migrate(
        server.id, SOURCE, kind=RESIZE
    ),
    'live here': lambda cloud, server: cloud.live_migrate(server.id, SOURCE),
}
_BUILDS: dict[str, collections.abc.Callable[[clouds.Cloud], object]] = {
    'create': lambda cloud: cloud.create(SOURCE),
    'create in vain': lambda cloud: cloud.create(SOURCE, fails=True),
}
_ACTS = {**_OWNERS, **_ADMINS, **_RESCUERS, **_ARRIVALS}
_HOSTS: dict[str, collections.abc.Callable[[clouds.Cloud, str], object]] = {
    'crash': lambda cloud, host: cloud.crash(host),
    'crash at once': lambda cloud, host: cloud.crash(host, hangs=False),
    'come back': lambda cloud, host: cloud.start(host),
    'disable': lambda cloud, host: _disable(cloud, host),
    'enable': lambda cloud, host: cloud.enable(host),
    'fail all moves': lambda cloud, host: setattr(
        cloud.hosts[host], 'black_hole_since', cloud.timeline.now
    ),
    'unmap': lambda cloud, host: setattr(cloud.hosts[host], 'mapped', False),
    'map': lambda cloud, host: setattr(cloud.hosts[host], 'mapped', True),
    'silence': lambda cloud, host: _silence(cloud, host, 0.0),
    'silence slowly': lambda cloud, host: _silence(cloud, host, 60.0),
    'answer': lambda cloud, host: _silence(cloud, host, None),
}
_FENCES: dict[str, collections.abc.Callable[[clouds.Cloud, str], object]] = {
    'power off': lambda cloud, host: cloud.power_off(host),
    'force down': lambda cloud, host: cloud.force_down(host),
    'take back': lambda cloud, host: cloud.force_down(host, down=False),
}
_MACHINES = {**_HOSTS, **_FENCES}
_CONTROL: dict[str, bool] = {'break': True, 'mend': False}
_PLACEMENT: dict[str, faults.Fault | None] = {
    'placement forbids': faults.PLACEMENT_FORBIDS,
    'placement is down': faults.PLACEMENT_DOWN,
    'placement is back': None,
}

#: What to draw from: what owners ask of their servers, what other
#: administrators do, also where a host has died, what arrives at the host,
#: what becomes of hosts, and of Placement.
OWNERS = tuple(_OWNERS)
ADMINS = tuple(_ADMINS)
ARRIVALS = (*_ARRIVALS, *_BUILDS)
RESCUERS = tuple(_RESCUERS)
HOSTS = tuple(_HOSTS)
FENCES = tuple(_FENCES)
PLACEMENT = tuple(_PLACEMENT)
#: What becomes of the control plane.
CONTROL = tuple(_CONTROL)


@dataclasses.dataclass(frozen=True)
class OthersAction:
    """What somebody else does, and when, if the cloud lets them."""

    #: From the moment it is planned.
    seconds: float
    #: One of those above.
    what: str
    #: Which server, modulo how many there are; of arrivals only those that
    #: are elsewhere count.
    server: int = 0
    #: Which host, modulo how many there are.
    host: int = 0

    def __call__(self, cloud: clouds.Cloud) -> None:
        """Do it now."""
        with contextlib.suppress(exceptions.CloudError):
            self._do(cloud)

    def _do(self, cloud: clouds.Cloud) -> None:
        if self.what in _MACHINES:
            names = list(cloud.hosts)
            _MACHINES[self.what](cloud, names[self.host % len(names)])
            return
        if self.what in _CONTROL:
            cloud.broken = _CONTROL[self.what]
            return
        if self.what in _PLACEMENT:
            cloud.placement = _PLACEMENT[self.what]
            return
        servers = list(cloud.servers.values())
        if self.what in _ARRIVALS:
            servers = [s for s in servers if s.host not in (None, SOURCE)]
        if self.what in _BUILDS:
            _BUILDS[self.what](cloud)
        elif servers:
            server = servers[self.server % len(servers)]
            _ACTS[self.what](cloud, cloud.existing(server.id))


def plan(
    cloud: clouds.Cloud, others_actions: collections.abc.Iterable[OthersAction]
) -> None:
    """Let deeds happen when it is their time."""
    for others_action in others_actions:
        cloud.timeline.after(
            others_action.seconds, functools.partial(others_action, cloud)
        )


def _silence(cloud: clouds.Cloud, host: str, seconds: float | None) -> None:
    there = cloud.hosts[host]
    there.turn(cloud.timeline.now, silent=seconds)
    there.cell_was_down = there.cell_was_down or seconds is not None


def _disable(cloud: clouds.Cloud, host: str) -> None:
    if cloud.hosts[host].enabled:
        cloud.disable(host, 'by somebody else')


def _record_id(cloud: clouds.Cloud, server: world.Server) -> int:
    """Return the newest record of a server, 0 where it has none."""
    ids = [r.id for r in cloud.records.values() if r.server is server]
    return max(ids, default=0)
