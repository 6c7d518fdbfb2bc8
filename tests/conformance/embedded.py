# SPDX-License-Identifier: Apache-2.0

"""The embedded cloud: a real Nova, in zones of three hosts each."""

from collections import abc
import contextlib
import itertools
import typing as ty

from openstack import exceptions as sdk_exceptions

from osc_hostmaint.nova import gateway
from tests import cloud as clouds
from tests.cloud import waiting
from tests.conformance import nova

T = ty.TypeVar('T')
ZONES = 3
#: Seconds; of what is not to come, on a machine that is very busy.
LIMIT = 180.0
#: Of :meth:`tests.cloud.Cloud.start`.
OPTIONS: ty.Mapping[str, ty.Any] = {'hosts': 3 * ZONES}

_LONG = '3600'
_SLOW = {
    'copying': {'lm_stuck': 'yes'},
    'preparing': {'lm_pre_seconds': '10'},
    'disk': {'cm_seconds': _LONG},
    'shelving': {'shelve_seconds': _LONG},
    'building': {'boot_seconds': _LONG},
}
_HURRY = {
    'lm_stuck': 'no',
    'lm_seconds': '0',
    'lm_pre_seconds': '0',
    'cm_seconds': '0',
    'cm_finish_seconds': '0',
    'shelve_seconds': '0',
    'boot_seconds': '0',
}
_LIVE = ('precheck', 'pre', 'running', 'post')
_COLD = ('disk', 'finish')
_EVACUATION = ('claim', 'spawn')


def _failure(fails: str) -> dict[str, str]:
    for prefix, stages in (
        ('lm', _LIVE),
        ('cm', _COLD),
        ('ev', _EVACUATION),
    ):
        if fails in stages:
            return {f'{prefix}_fail': fails, f'{prefix}_fail_times': '1'}
    kind, _, how = fails.partition(' ')
    return {f'{kind}_fail': how}


class Zone(nova.Nova):
    """Three hosts of an embedded cloud, for one script after the other."""

    def __init__(self, cloud: clouds.Cloud, number: int):
        """:param number: of the zone, from 0."""
        hosts = cloud.hosts()
        mine = hosts[3 * number : 3 * number + 3]
        self.cloud = cloud
        self.name = f'zone-{number}'
        self._names = itertools.count(1)
        self._gateway = gateway.Gateway(cloud.connection())
        cloud.aggregate(self.name, mine, zone=self.name)
        self._mine = mine
        self._dead: set[str] = set()
        self._elsewhere = next(host for host in hosts if host not in mine)
        self.begin()

    def begin(self) -> None:
        """Begin a script."""
        super().__init__(self._gateway, self._mine, self._elsewhere)

    def end(self) -> None:
        """Make all as it was, for the next one."""
        self._wait_until_hosts_settled()
        waiting.wait_for(self._empty, 'servers to be gone', LIMIT)
        for host in sorted(self._dead):
            self.start(host)
        for service in self._gateway.services():
            if service.host not in self.hosts:
                continue
            if service.forced_down:
                self._gateway.force_down(service, down=False)
            if not service.enabled:
                self._gateway.enable(service)
        placement = self.cloud.connection().placement
        for host in self.hosts:
            for consumer in self.cloud.allocations(host):
                placement.delete(f'/allocations/{consumer}')
        self.wait(
            lambda: all(self.service(host).up for host in self.hosts),
            'all hosts to be up',
        )

    def _empty(self) -> bool:
        try:
            self.cloud.delete(*self._homes)
        except sdk_exceptions.HttpException as error:
            # A call to a nova-compute that is very busy may time out.
            if error.status_code != 500:
                raise
            return False
        return True

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
        spec = self._spec(host, status)
        spec['metadata'] = _failure(fails) if fails else {}
        if slow == 'confirming':
            # The metadata of a server that is resized can't be changed.
            self.cloud.knobs(host, cm_confirm_seconds=3600)
        elif slow not in ('', 'building'):
            spec['metadata'].update(_SLOW[slow])
        if to:
            spec['to'] = to
        if group:
            spec['group'] = group
        if trait:
            specs = {f'trait:{trait}': 'required'}
            spec['flavor'] = self.cloud.flavor(trait, 1, 512, 1, specs)
        (server_id,) = self._boot([spec])
        if slow == 'building':
            self.slow_down(server_id, slow)
        return server_id

    def boot_all(self, host: str, *statuses: str) -> list[str]:
        """Make servers, all at once."""
        return self._boot([self._spec(host, status) for status in statuses])

    def _spec(self, host: str, status: str) -> dict[str, ty.Any]:
        name = f'{self.name}-{next(self._names)}'
        return {'name': name, 'host': host, 'az': self.name, 'state': status}

    def _boot(self, specs: list[dict[str, ty.Any]]) -> list[str]:
        ids = [server.id for server in self.cloud.boot_many(specs)]
        for server_id, spec in zip(ids, specs, strict=True):
            self._homes[server_id] = {spec['host']: None}
            self.look(server_id)
        return ids

    def slow_down(self, server_id: str, slow: str) -> None:
        """Turn a knob up."""
        self.cloud.server_knobs(server_id, **_SLOW[slow])

    def hurry(self, server_id: str) -> None:
        """Turn all knobs down."""
        self._wait_until_hosts_settled()
        with contextlib.suppress(sdk_exceptions.ConflictException):
            self.cloud.server_knobs(server_id, **_HURRY)

    def _wait_until_hosts_settled(self) -> None:
        for host in self.hosts:
            self.cloud.knobs(host, cm_confirm_seconds=None)

    def delete(self, server_id: str) -> None:
        """Delete a server."""
        self.cloud.delete(server_id)

    def revert(self, server_id: str) -> None:
        """Revert a resize."""
        self.cloud.act(server_id, {'revertResize': None})

    def group(self, policy: str) -> str:
        """Make a server group."""
        return self.cloud.group(f'{self.name}-{next(self._names)}', policy)

    def fill(self, host: str) -> None:
        """Have somebody hold all memory."""
        provider = self.cloud.provider(host)
        answer = self.cloud.connection().placement.get(
            f'/resource_providers/{provider}/inventories/MEMORY_MB'
        )
        memory = answer.json()
        all_ = int(
            (memory['total'] - memory['reserved']) * memory['allocation_ratio']
        )
        while all_ > 0:
            part = min(all_, memory['max_unit'])
            self.cloud.leak_allocation(host, resources={'MEMORY_MB': part})
            all_ -= part

    def give_trait(self, host: str, trait: str) -> None:
        """Give a host a trait."""
        self.cloud.give_traits(host, trait)

    def kill(self, host: str) -> None:
        """Kill nova-compute."""
        self.cloud.kill_host(host)
        self._dead.add(host)

    def start(self, host: str) -> None:
        """Start nova-compute, if it is not running."""
        self.cloud.start_host(host)
        self._dead.discard(host)

    def settle(self) -> None:
        """Nothing: a request takes longer than what it takes."""

    def wait(self, condition: abc.Callable[[], T | None], what: str) -> T:
        """Look again and again."""
        try:
            return ty.cast(T, waiting.wait_for(condition, what, LIMIT, 0.25))
        except waiting.Timeout as error:
            raise TimeoutError(what) from error
