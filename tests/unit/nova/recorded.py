# SPDX-License-Identifier: Apache-2.0

"""Answers of a real Nova and Placement, recorded from the embedded cloud.

Nova 34.0.0, Placement 16.0.0; left out are links, figures of hypervisors, most
traits, and owners, dates and fields of servers that we do not read.
"""

import typing as ty

SERVERS: ty.Any = {
    'servers': [
        {
            'addresses': {},
            'flavor': {
                'vcpus': 1,
                'ram': 512,
                'disk': 1,
                'ephemeral': 0,
                'swap': 0,
                'extra_specs': {
                    'hw:cpu_policy': 'shared',
                    'resources1:DISK_GB': '2',
                    'resources:MEMORY_MB': '600',
                    'resources:VCPU': '0',
                    'trait1:COMPUTE_NODE': 'required',
                    'trait:COMPUTE_NODE': 'required',
                    'trait:COMPUTE_STATUS_DISABLED': 'forbidden',
                },
            },
            'id': 'a9e054c6-ecb7-401a-aa47-107e716bfa58',
            'image': {
                'id': '37736706-0d01-4fce-b5bc-13df299a0e24',
                'properties': {
                    'os_secure_boot': 'optional',
                    'hw_disk_bus': 'virtio',
                    'architecture': 'x86_64',
                },
            },
            'name': 'grouped',
            'status': 'ACTIVE',
            'tenant_id': '235ceef54b024e5495f97d99424d33ad',
            'user_id': 'a95283b770df4289b3fb1e020d2de879',
            'updated': '2026-11-21T15:46:06Z',
            'OS-EXT-SRV-ATTR:host': 'cmp01',
            'OS-EXT-STS:task_state': None,
            'OS-EXT-STS:vm_state': 'active',
            'OS-EXT-STS:power_state': 1,
            'pinned_availability_zone': 'nova',
            'scheduler_hints': {
                'group': ['b9087a10-8a58-4c16-940b-4393697a3df1'],
                'different_host': ['73c7551b-bf6b-4c8f-ac80-4416bcd8a30c'],
                'foo': ['bar'],
            },
        }
    ]
}

GROUPS: ty.Any = {
    'server_groups': [
        {
            'id': 'b9087a10-8a58-4c16-940b-4393697a3df1',
            'name': 'g',
            'policy': 'anti-affinity',
            'rules': {'max_server_per_host': 3},
            'members': ['a9e054c6-ecb7-401a-aa47-107e716bfa58'],
        },
        {
            'id': 'ec950866-bada-41c1-a596-f22282834f5f',
            'name': 'g2',
            'policy': 'soft-affinity',
            'rules': {},
            'members': ['d668fcff-b0c5-4389-a2db-8e882a332bd4'],
        },
    ]
}

AGGREGATES: ty.Any = {
    'aggregates': [
        {
            'id': 1,
            'uuid': 'a450ac5a-a1ef-4313-bbc6-714a99c053d0',
            'name': 'ssd',
            'hosts': ['cmp01', 'cmp02'],
            'metadata': {'ssd': 'true'},
            'availability_zone': None,
        },
        {
            'id': 2,
            'uuid': 'cd907595-4776-4c2a-b445-988cd690fb7f',
            'name': 'edge',
            'hosts': [],
            'metadata': {'availability_zone': 'edge'},
            'availability_zone': 'edge',
        },
    ]
}


def _hypervisor(host: str, uuid: str, service: str, **servers: str):
    return {
        'id': uuid,
        'hypervisor_hostname': f'{host}.cloud.test',
        'state': 'up',
        'status': 'enabled',
        'service': {'id': service, 'host': host, 'disabled_reason': None},
        'servers': [
            {'name': name.replace('_', '-'), 'uuid': server}
            for name, server in servers.items()
        ],
    }


_CMP01 = '3700ae6a-cd89-4316-ae54-f91678f63088'
_CMP02 = '31a05c2f-55d9-443d-8bfa-54a32a2dd8d8'
_CMP03 = '4c5296d2-8252-44a2-9312-a44a4619fdaf'

HYPERVISORS: ty.Any = {
    'hypervisors': [
        _hypervisor(
            'cmp03',
            _CMP03,
            'bd466bf0-6024-44f4-9a5d-024e8941a211',
            instance_00000001='5d455c3f-36a6-4e93-a9ea-8d16d200e204',
            instance_00000004='d668fcff-b0c5-4389-a2db-8e882a332bd4',
        ),
        _hypervisor(
            'cmp02',
            _CMP02,
            '4ba4a0f0-06df-4dd4-b6c5-176cb6194041',
            instance_00000002='73c7551b-bf6b-4c8f-ac80-4416bcd8a30c',
        ),
        _hypervisor(
            'cmp01',
            _CMP01,
            '42ce7144-8127-409d-8cb6-62d7790f90a8',
            instance_00000003='a9e054c6-ecb7-401a-aa47-107e716bfa58',
        ),
    ]
}

_SMALL = {'resources': {'VCPU': 1, 'MEMORY_MB': 512, 'DISK_GB': 1}}

ALLOCATIONS: ty.Any = {
    'allocations': {
        '5d455c3f-36a6-4e93-a9ea-8d16d200e204': _SMALL,
        'd668fcff-b0c5-4389-a2db-8e882a332bd4': _SMALL,
    },
    'resource_provider_generation': 4,
}


TRAITS = ['COMPUTE_VOLUME_EXTEND', 'OWNER_NOVA', 'COMPUTE_NODE']


def _summary(provider: str, vcpus: int, memory_mb: int, disk_gb: int):
    return {
        'resources': {
            'VCPU': {'capacity': 128, 'used': vcpus},
            'MEMORY_MB': {'capacity': 131072, 'used': memory_mb},
            'DISK_GB': {'capacity': 4000, 'used': disk_gb},
        },
        'traits': TRAITS,
        'parent_provider_uuid': None,
        'root_provider_uuid': provider,
    }


#: In the order in which Placement told it.
_OFFERED = {'resources': {'DISK_GB': 1, 'MEMORY_MB': 512, 'VCPU': 1}}

CANDIDATES: ty.Any = {
    'allocation_requests': [
        {'allocations': {provider: _OFFERED}}
        for provider in (_CMP01, _CMP03, _CMP02)
    ],
    'provider_summaries': {
        _CMP01: _summary(_CMP01, 0, 600, 2),
        _CMP02: _summary(_CMP02, 1, 512, 1),
        _CMP03: _summary(_CMP03, 2, 1024, 2),
    },
}
