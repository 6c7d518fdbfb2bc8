# SPDX-License-Identifier: Apache-2.0

"""The hosts of a cloud, for tests."""

from __future__ import annotations

from collections import abc
import itertools
from typing import Any
import uuid

from openstack import connection as _connection
from openstack import exceptions
from openstack.compute.v2 import service as _service

from tests.cloud import options
from tests.cloud import waiting

_SMALL = {'VCPU': 1, 'MEMORY_MB': 2048, 'DISK_GB': 10}


class Hosts:
    """The part of the handle that is about hosts."""

    connection: abc.Callable[..., _connection.Connection]
    _control: abc.Callable[..., Any]
    _base: list[str]
    _added: list[str]

    def hosts(self) -> list[str]:
        """The hosts that the cloud was started with, and the added ones."""
        return self._base + self._added

    def add_host(
        self,
        name: str | None = None,
        *,
        twin: str | None = None,
        kind: str = 'fake',
        **size: int,
    ) -> str:
        """Add a host, ready to take servers.

        :param twin: the host that is the same machine: its address is the
            same.
        :param kind: the type of its hypervisor, as ``ironic``.
        :param size: vcpus, ram_gib, disk_gib; the others' by default.
        """
        if name is None:
            name = next(
                name
                for name in (f'cmp{n:02d}' for n in itertools.count(1))
                if name not in self.hosts()
            )
        self._control(
            'POST',
            'hosts',
            {'name': name, 'size': size, 'twin': twin, 'kind': kind},
        )
        self._added.append(name)
        return name

    def size_host(self, host: str, **size: int) -> None:
        """Make a host larger or smaller.

        :param size: vcpus, ram_gib, disk_gib; what is not given stays.
        """
        self._control('PUT', f'hosts/{host}/size', size)

    def inventory(self, host: str, **fields: dict[str, Any]) -> None:
        """Tell Placement otherwise than a host's size says.

        It stays so until the host is gone, or the cloud is purged.

        :param fields: by resource class, as VCPU or CUSTOM_GOLD: total,
            allocation_ratio, reserved, min_unit, max_unit, step_size.
        """
        self._control('PUT', f'hosts/{host}/inventory', fields)

    def give_traits(self, host: str, *traits: str) -> None:
        """Give a host more traits: CUSTOM_... are made if need be."""
        placement = self.connection().placement
        for trait in traits:
            if trait.startswith('CUSTOM_'):
                answer = placement.put(f'/traits/{trait}')
                exceptions.raise_from_response(answer)
        path = f'/resource_providers/{self.provider(host)}/traits'
        found = placement.get(path).json()
        found['traits'] += traits
        exceptions.raise_from_response(placement.put(path, json=found))

    def child_provider(
        self, host: str, inventory: dict[str, int], *traits: str
    ) -> str:
        """Give a host a resource provider below its own, as of a GPU.

        A purge deletes it.

        :param inventory: how much it has, by resource class.
        :param traits: of one's own: CUSTOM_...
        :returns: its id.
        """
        placement = self.connection().placement
        child = str(uuid.uuid4())
        totals = {name: {'total': n} for name, n in inventory.items()}
        placement.post(
            '/resource_providers',
            json={
                'uuid': child,
                'name': child,
                'parent_provider_uuid': self.provider(host),
            },
        )
        for trait in traits:
            exceptions.raise_from_response(placement.put(f'/traits/{trait}'))
        for generation, (part, value) in enumerate(
            (('inventories', totals), ('traits', traits))
        ):
            answer = placement.put(
                f'/resource_providers/{child}/{part}',
                json={part: value, 'resource_provider_generation': generation},
            )
            exceptions.raise_from_response(answer)
        return child

    def disable_host(self, host: str) -> None:
        """Have the scheduler put no server there."""
        self._update_service(host, {'status': 'disabled'})

    def force_down(self, host: str, down: bool = True) -> None:
        """Have Nova take a host for dead, or take that back.

        A later purge takes it back in any case.
        """
        self._update_service(host, {'forced_down': down})

    def _update_service(self, host: str, body: dict[str, Any]) -> None:
        answer = self.connection().compute.put(
            f'/os-services/{self.service(host).id}', json=body
        )
        exceptions.raise_from_response(answer)

    def stop_host(self, host: str, grace: float = 0.0) -> None:
        """Stop the compute service, as SIGTERM does.

        :param grace: seconds to give what is under way; what is not done
            then, is left as it is.
        """
        self._control('POST', f'hosts/{host}/stop', {'grace': grace})

    def kill_host(self, host: str) -> None:
        """Kill the compute service, as kill -9 does; its servers run on."""
        self._control('POST', f'hosts/{host}/kill')

    def crash_host(self, host: str) -> None:
        """Cut a host's power: its compute service and its guests are gone.

        start_host() gives it back; the guests are off then.
        """
        self._control('POST', f'hosts/{host}/crash')

    def start_host(self, host: str) -> None:
        """Start the compute service, and wait until it is up."""
        self._control('POST', f'hosts/{host}/start')

    def restart_host(self, host: str) -> None:
        self.stop_host(host)
        self.start_host(host)

    def refresh_host(self, host: str) -> None:
        """Run the periodic task that tells Nova what the host has left."""
        self._control('POST', f'hosts/{host}/refresh')

    def service(self, host: str) -> _service.Service:
        found = self.connection().compute.services(
            host=host, binary='nova-compute'
        )
        return next(iter(found))

    def wait_service(
        self, host: str, wanted: str, timeout: float = 90
    ) -> None:
        """Wait until the compute service is 'up' or 'down'."""
        waiting.wait_for(
            lambda: self.service(host).state == wanted,
            f'the service of {host} to be {wanted}',
            timeout,
            interval=0.25,
        )

    def guests(self) -> dict[str, dict[str, int]]:
        """What runs in truth: power states, by host and by server.

        Also of a host whose compute service is dead, and that Nova takes to
        be elsewhere.
        """
        found: dict[str, dict[str, int]] = self._control('GET', 'guests')
        return found

    def unmap_host(self, host: str) -> None:
        """Take a host out of its cell; map_hosts() puts it back."""
        self._control('DELETE', f'hosts/{host}/cell')

    def map_hosts(self) -> None:
        """As ``nova-manage cell_v2 discover_hosts --by-service`` does."""
        self._control('POST', 'cells')

    def add_namesake(self, host: str) -> str:
        """Add a second service of exactly one name; delete it in the end.

        :returns: its id.
        """
        return str(self._control('POST', f'hosts/{host}/namesake'))

    def silence_cells(self, far: str = '', skipped: bool = True) -> None:
        """Have the API not reach a cell's database; heal_cells() ends it.

        :param far: a host of that name is in another cell than all others,
            and only that cell is silent; by default it is that of all hosts.
        :param skipped: whether lists leave a silent cell out, or fail
            (``[api] list_records_by_skipping_down_cells``).
        """
        self._control('PUT', 'cells/silent', {'host': far, 'skipped': skipped})

    def heal_cells(self) -> None:
        """Have every cell answer again."""
        self._control('DELETE', 'cells/silent')

    # what Placement knows of them

    def provider(self, host: str) -> str:
        found = self.connection().placement.get(
            '/resource_providers', params={'name': options.hypervisor(host)}
        )
        (provider,) = found.json()['resource_providers']
        return str(provider['uuid'])

    def allocations(self, host: str) -> dict[str, Any]:
        """Placement's allocations on a host, by consumer."""
        answer = self.connection().placement.get(
            f'/resource_providers/{self.provider(host)}/allocations'
        )
        allocations: dict[str, Any] = answer.json()['allocations']
        return allocations

    def leak_allocation(
        self,
        host: str,
        consumer: str | None = None,
        resources: dict[str, int] | None = None,
        provider: str | None = None,
    ) -> str:
        """Allocate something of a host to a consumer that Nova doesn't know.

        :param resources: by class; by default what an m1.small needs.
        :param provider: by default the host's own.
        :returns: the consumer.
        """
        consumer = consumer or str(uuid.uuid4())
        answer = self.connection().placement.put(
            f'/allocations/{consumer}',
            json={
                'allocations': {
                    provider or self.provider(host): {
                        'resources': resources or dict(_SMALL)
                    }
                },
                'project_id': 'leaked',
                'user_id': 'leaked',
                'consumer_generation': None,
                'consumer_type': 'INSTANCE',
            },
        )
        exceptions.raise_from_response(answer)
        return consumer

    # the hypervisors' behaviour

    def knobs(self, host: str | None = None, **knobs: Any) -> None:
        """Turn knobs of a host, or the defaults; None takes one back.

        They are in :mod:`tests.cloud.knobs`.
        """
        self._control('PUT', 'knobs', {'host': host, 'knobs': knobs})
