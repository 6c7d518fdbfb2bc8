# SPDX-License-Identifier: Apache-2.0

"""What others do while a host is drained, to be drawn at random."""

from collections import abc
import contextlib
import dataclasses
import functools
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import scene
from tests.unit.simulation import world

SOURCE = scene.SOURCE
RESIZE = model.MigrationType.RESIZE

#: What to draw from: what owners ask of their servers, what other
#: administrators do, also where a host has died and what spoils that; and
#: what arrives at the host: scheduled before it was disabled.
OWNERS = (
    *('delete', 'soft delete', 'stop', 'start', 'reboot', 'pause', 'unpause'),
    *('suspend', 'resume', 'shelve', 'resize', 'confirm', 'revert'),
    *('lock', 'unlock'),
)
ADMINS = ('live', 'cold', 'offload', 'abort', 'complete')
RESCUERS = ('evacuate', 'evacuate and stop', 'reset', 'reset to error')
#: A server that is there already stays.
_MOVES_HERE = ('resize here', 'live here')
_BUILDS = ('create', 'create in vain')
ARRIVALS = (*_MOVES_HERE, *_BUILDS)
#: Methods of the cloud that are called otherwise here, and their arguments.
_METHODS: dict[str, tuple[str, dict[str, ty.Any]]] = {
    'start': ('start_server', {}),
    'resize': ('cold_migrate', {'kind': RESIZE}),
    'live': ('live_migrate', {}),
    'cold': ('cold_migrate', {}),
    'complete': ('force_complete', {}),
    'evacuate and stop': ('evacuate', {'stopped': True}),
    'reset to error': ('reset', {'vm_state': 'error'}),
    'resize here': ('cold_migrate', {'dest': SOURCE, 'kind': RESIZE}),
    'live here': ('live_migrate', {'dest': SOURCE}),
}
_ToHost = abc.Callable[[clouds.Cloud, str], object]
_HOSTS: dict[str, _ToHost] = {
    'crash': clouds.Cloud.crash,
    'crash at once': lambda cloud, host: cloud.crash(host, hangs=False),
    'come back': clouds.Cloud.start,
    'disable': lambda cloud, host: _disable(cloud, host),
    'enable': clouds.Cloud.enable,
    'fail all moves': lambda cloud, host: setattr(
        cloud.hosts[host], 'black_hole_since', cloud.timeline.now
    ),
    'unmap': lambda cloud, host: setattr(cloud.hosts[host], 'mapped', False),
    'map': lambda cloud, host: setattr(cloud.hosts[host], 'mapped', True),
    'silence': lambda cloud, host: _silence(cloud, host, 0.0),
    'silence slowly': lambda cloud, host: _silence(cloud, host, 60.0),
    'answer': lambda cloud, host: _silence(cloud, host, None),
}
_FENCES: dict[str, _ToHost] = {
    'power off': clouds.Cloud.power_off,
    'force down': clouds.Cloud.force_down,
    'take back': lambda cloud, host: cloud.force_down(host, down=False),
}
_MACHINES = {**_HOSTS, **_FENCES}
#: What is written in the place of our marks: a reason of somebody else or
#: none, the mark of another maintenance, or what Nova writes.
_REASONS = ('host failed', '', None, 'AUTO: libvirt is gone')
_CONTROL: dict[str, bool] = {'break': True, 'mend': False}
_PLACEMENT: dict[str, faults.Fault | None] = {
    'placement forbids': faults.PLACEMENT_FORBIDS,
    'placement is down': faults.PLACEMENT_DOWN,
    'placement is back': None,
}

#: What becomes of hosts, of Placement and of the control plane.
HOSTS = tuple(_HOSTS)
FENCES = tuple(_FENCES)
PLACEMENT = tuple(_PLACEMENT)
CONTROL = tuple(_CONTROL)
#: What becomes of what Nova keeps: the marks of hosts, and what was once
#: asked of its scheduler for a server.
KEPT = ('overwrite', 'damage')


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
        with contextlib.suppress(exceptions.CloudError):
            self._do(cloud)

    def _do(self, cloud: clouds.Cloud) -> None:
        names, servers = list(cloud.hosts), list(cloud.servers.values())
        if self.what in _MOVES_HERE:
            servers = [s for s in servers if s.host not in (None, SOURCE)]
        if self.what in _MACHINES:
            _MACHINES[self.what](cloud, names[self.host % len(names)])
        elif self.what in _CONTROL:
            cloud.broken = _CONTROL[self.what]
        elif self.what in _PLACEMENT:
            cloud.placement = _PLACEMENT[self.what]
        elif self.what == 'overwrite':
            _overwrite(cloud, _REASONS[self.host % len(_REASONS)])
        elif self.what in _BUILDS:
            cloud.create(SOURCE, fails=self.what == 'create in vain')
        elif servers and self.what == 'damage':
            servers[self.server % len(servers)].unreadable = True
        elif servers:
            self._ask(cloud, servers[self.server % len(servers)])

    def _ask(self, cloud: clouds.Cloud, server: world.Server) -> None:
        name, values = _METHODS.get(self.what, (self.what, {}))
        if self.what in ('abort', 'complete'):
            ids = [r.id for r in cloud.records.values() if r.server is server]
            values = {'record_id': max(ids, default=0)}
        cloud.existing(server.id)
        getattr(cloud, name.replace(' ', '_'))(server.id, **values)


def plan(cloud, others_actions) -> None:
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


def _overwrite(cloud: clouds.Cloud, reason: str | None) -> None:
    for name, host in cloud.hosts.items():
        if not host.enabled:
            cloud.disable(name, reason)
