# SPDX-License-Identifier: Apache-2.0

"""The stand-in for Neutron: a client for Nova, HTTP for the command line.

One network, whose ports have addresses that stay theirs and bindings that
follow the server, as a live migration needs them.
"""

from __future__ import annotations

import collections
import copy
import threading
from typing import Any
import uuid

from neutronclient.common import exceptions
from nova.network import neutron

from tests.cloud import web

NAMESPACE = uuid.UUID('6ba7b811-9dad-11d1-80b4-00c04fd430c8')
NETWORK = str(uuid.uuid5(NAMESPACE, 'network'))
SUBNET = str(uuid.uuid5(NAMESPACE, 'subnet'))
GROUP = str(uuid.uuid5(NAMESPACE, 'security group'))

_OWNER = {'tenant_id': 'x', 'project_id': 'x', 'description': ''}
_NETWORKS = {
    NETWORK: {
        **_OWNER,
        'id': NETWORK,
        'name': 'private',
        'status': 'ACTIVE',
        'subnets': [SUBNET],
        'admin_state_up': True,
        'shared': True,
        'mtu': 1450,
        'router:external': False,
        'availability_zone_hints': [],
        'availability_zones': ['nova'],
        'port_security_enabled': True,
        'provider:network_type': 'vxlan',
        'provider:physical_network': None,
        'provider:segmentation_id': 24,
    }
}
_SUBNETS = {
    SUBNET: {
        **_OWNER,
        'id': SUBNET,
        'name': 'private-subnet',
        'ip_version': 4,
        'ipv6_address_mode': None,
        'ipv6_ra_mode': None,
        'enable_dhcp': True,
        'network_id': NETWORK,
        'dns_nameservers': [],
        'gateway_ip': '10.0.0.1',
        'allocation_pools': [{'start': '10.0.0.2', 'end': '10.0.255.250'}],
        'host_routes': [],
        'cidr': '10.0.0.0/16',
    }
}
_GROUPS = {
    GROUP: {
        **_OWNER,
        'id': GROUP,
        'name': 'default',
        'security_group_rules': [],
    }
}
# Query parameters that choose no objects.
_PAGING = {'limit', 'marker', 'page_reverse', 'sort_key', 'sort_dir', 'fields'}


def _matching(objects: dict[str, Any], filters: dict[str, Any]) -> list[Any]:
    def matches(obj):
        for key, value in filters.items():
            if key in _PAGING:
                continue
            wanted = value if isinstance(value, (list, tuple)) else [value]
            have = str(obj.get(key)).lower()
            if have not in [str(one).lower() for one in wanted]:
                return False
        return True

    return [copy.deepcopy(o) for o in list(objects.values()) if matches(o)]


class Network:
    """neutronclient's methods, as far as Nova calls them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._ports: dict[str, dict[str, Any]] = {}
        # port -> host -> binding
        self._bindings: dict[str, dict[str, Any]] = collections.defaultdict(
            dict
        )
        self._count = 10

    def count(self) -> int:
        """How many ports there are."""
        return len(self._ports)

    def reset(self) -> None:
        with self._lock:
            self._ports.clear()
            self._bindings.clear()

    def install(self) -> None:
        """Become what this process's Nova talks to."""
        neutron.get_client = lambda context, admin=False: self

    def list_extensions(self, **kwargs):
        extension = {
            'updated': '2017-07-17T10:00:00-00:00',
            'links': [],
            'name': 'Port Bindings Extended',
            'alias': 'binding-extended',
            'description': '',
        }
        return {'extensions': [extension]}

    # ports

    def _shown(self, port):
        port = copy.deepcopy(port)
        for host, binding in self._bindings.get(port['id'], {}).items():
            if binding['status'] != 'ACTIVE':
                continue
            port['binding:host_id'] = host
            for key, value in binding.items():
                if key not in ('host', 'status'):
                    port['binding:' + key] = copy.deepcopy(value)
        return port

    def _need_port(self, port_id):
        if port_id not in self._ports:
            raise exceptions.PortNotFoundClient(port_id=port_id)
        return self._ports[port_id]

    def list_ports(self, retrieve_all=True, **filters):
        with self._lock:
            # By far the most are asked for by server: don't copy the rest.
            device = filters.get('device_id')
            ports = {
                key: self._shown(port)
                for key, port in self._ports.items()
                if not isinstance(device, str) or port['device_id'] == device
            }
            return {'ports': _matching(ports, filters)}

    def show_port(self, port_id, **kwargs):
        with self._lock:
            return {'port': self._shown(self._need_port(port_id))}

    def create_port(self, body=None):
        with self._lock:
            self._count += 1
            n = self._count
            address = f'10.0.{n // 250 % 250}.{n % 250 + 2}'
            port = {
                'id': str(uuid.uuid4()),
                'name': '',
                'description': '',
                'network_id': NETWORK,
                'admin_state_up': True,
                'status': 'ACTIVE',
                'device_id': '',
                'device_owner': '',
                'mac_address': f'fa:16:3e:{n >> 16:02x}:'
                f'{n >> 8 & 255:02x}:{n & 255:02x}',
                'fixed_ips': [{'ip_address': address, 'subnet_id': SUBNET}],
                'binding:profile': {},
                'binding:vif_details': {},
                'binding:vif_type': 'ovs',
                'binding:vnic_type': 'normal',
                'port_security_enabled': True,
                'security_groups': [GROUP],
            }
            given = copy.deepcopy((body or {}).get('port', {}))
            given.pop('fixed_ips', None)
            given.pop('security_groups', None)
            port.update(given)
            port['project_id'] = port.get('tenant_id') or port.get(
                'project_id', ''
            )
            self._ports[port['id']] = port
            if port.get('binding:host_id'):
                self._bind(port['id'], port['binding:host_id'], {})
            return {'port': copy.deepcopy(port)}

    def update_port(self, port_id, body=None):
        with self._lock:
            port = self._need_port(port_id)
            new = copy.deepcopy(body['port'])
            port.update(new)
            if new.get('binding:host_id'):
                profile = new.get('binding:profile')
                extra = {'profile': profile} if profile else {}
                self._bind(port_id, new['binding:host_id'], extra)
            elif 'binding:host_id' in new:
                self._bindings.pop(port_id, None)
            return {'port': self._shown(port)}

    def delete_port(self, port_id, **kwargs):
        with self._lock:
            self._ports.pop(port_id, None)
            self._bindings.pop(port_id, None)

    # bindings

    def _bind(self, port_id, host, extra):
        for binding in self._bindings[port_id].values():
            binding['status'] = 'INACTIVE'
        self._bindings[port_id][host] = {
            'host': host,
            'status': 'ACTIVE',
            'vif_type': 'ovs',
            'vnic_type': 'normal',
            'vif_details': {},
            'profile': {},
            **extra,
        }

    def _need_binding(self, port_id, host):
        if port_id not in self._ports or host not in self._bindings[port_id]:
            raise exceptions.NeutronClientException(status_code=404)
        return self._bindings[port_id][host]

    def create_port_binding(self, port_id, body):
        with self._lock:
            binding = copy.deepcopy(body['binding'])
            binding.update(vif_type='ovs', vif_details={})
            binding.setdefault('vnic_type', 'normal')
            binding.setdefault('profile', {})
            others = self._bindings[port_id]
            binding['status'] = 'INACTIVE' if others else 'ACTIVE'
            others[binding['host']] = binding
            return {'binding': copy.deepcopy(binding)}

    def show_port_binding(self, port_id, host_id):
        with self._lock:
            binding = self._need_binding(port_id, host_id)
            return {'binding': copy.deepcopy(binding)}

    def delete_port_binding(self, port_id, host_id):
        with self._lock:
            self._need_binding(port_id, host_id)
            del self._bindings[port_id][host_id]

    def activate_port_binding(self, port_id, host_id):
        with self._lock:
            self._need_binding(port_id, host_id)
            for host, binding in self._bindings[port_id].items():
                active = host == host_id
                binding['status'] = 'ACTIVE' if active else 'INACTIVE'

    # the rest, which never changes

    def show_network(self, network_id, **kwargs):
        if network_id not in _NETWORKS:
            raise exceptions.NetworkNotFoundClient(network_id=network_id)
        return {'network': copy.deepcopy(_NETWORKS[network_id])}

    def list_networks(self, retrieve_all=True, **filters):
        filters.pop('tenant_id', None)
        return {'networks': _matching(_NETWORKS, filters)}

    def show_subnet(self, subnet_id, **kwargs):
        return {'subnet': copy.deepcopy(_SUBNETS[subnet_id])}

    def list_subnets(self, retrieve_all=True, **kwargs):
        return {'subnets': copy.deepcopy(list(_SUBNETS.values()))}

    def list_floatingips(self, retrieve_all=True, **kwargs):
        return {'floatingips': []}

    def list_security_groups(self, retrieve_all=True, **filters):
        filters.pop('tenant_id', None)
        return {'security_groups': _matching(_GROUPS, filters)}

    def show_quota(self, project_id):
        return {'quota': {'port': -1}}

    def get_auto_allocated_topology(self, project_id, **kwargs):
        if kwargs == {'fields': ['dry-run']}:
            return {'id': 'dry-run=pass', 'tenant_id': project_id}
        topology = {'id': NETWORK, 'tenant_id': project_id}
        return {'auto_allocated_topology': topology}

    def validate_auto_allocated_topology_requirements(self, project_id):
        return self.get_auto_allocated_topology(project_id, fields=['dry-run'])

    # HTTP: as much as the command line asks for

    def routes(self, url: str) -> list[tuple[str, str, web.Handler]]:
        """:param url: where /v2.0/ is to be found."""
        links = [{'rel': 'self', 'href': url + '/v2.0/'}]
        versions = [{'id': 'v2.0', 'status': 'CURRENT', 'links': links}]
        routes: list[tuple[str, str, web.Handler]] = [
            ('GET', '/network', lambda m, q, b: (200, {'versions': versions})),
            ('GET', '/network/v2.0', lambda m, q, b: (200, {'resources': []})),
            (
                'GET',
                '/network/v2.0/extensions',
                lambda m, q, b: (200, self.list_extensions()),
            ),
        ]
        for name, get in (
            ('networks', lambda: _NETWORKS),
            ('subnets', lambda: _SUBNETS),
            ('security-groups', lambda: _GROUPS),
            ('floatingips', dict),
            (
                'ports',
                lambda: {p['id']: p for p in self.list_ports()['ports']},
            ),
        ):
            routes += self._collection(name, get)
        return routes

    @staticmethod
    def _collection(name, get):
        key = name.replace('-', '_')

        def listing(match, query, body):
            if 'marker' in query:
                return 200, {key: []}
            return 200, {key: _matching(get(), query)}

        def one(match, query, body):
            found = get().get(match.group(1))
            if found:
                return 200, {key.removesuffix('s'): found}
            error = {'type': 'NotFound', 'message': 'none such', 'detail': ''}
            return 404, {'NeutronError': error}

        return [
            ('GET', f'/network/v2.0/{name}', listing),
            ('GET', f'/network/v2.0/{name}/([^/]+)', one),
        ]
