# SPDX-License-Identifier: Apache-2.0

"""What a server asks of its host."""

import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.nova import needs
from tests import unit
from tests.unit.nova import cloud
from tests.unit.nova import recorded


def of_flavor(specs: ty.Any) -> model.Needs:
    return needs.needs(cloud.server(flavor={'ram': 512, 'extra_specs': specs}))


def of_image(properties: ty.Any) -> model.Needs:
    image = {'id': 'i', 'properties': properties}
    return needs.needs(cloud.server(image=image))


class RecordedTest(unit.TestCase):
    #: All that any microversion tells.
    NEEDS = model.Needs(
        zone='nova',
        zone_known=True,
        required_traits=frozenset({'COMPUTE_NODE'}),
        forbidden_traits=frozenset({'COMPUTE_STATUS_DISABLED'}),
        resources=(('MEMORY_MB', 600),),
        groups=(
            model.RequestGroup((('DISK_GB', 2),), frozenset({'COMPUTE_NODE'})),
        ),
        unchecked=('hint different_host',),
        grouped=True,
    )

    def setUp(self) -> None:
        self.data = dict(recorded.SERVERS['servers'][0])

    def test_2_100(self) -> None:
        self.assertEqual(self.NEEDS, needs.needs(self.data))

    def test_2_95(self) -> None:
        # As older ones, which differ in nothing that is read here.
        for key in ('pinned_availability_zone', 'scheduler_hints'):
            del self.data[key]
        self.data['image'] = {'id': self.data['image']['id']}
        untold = {'zone': None, 'zone_known': False, 'grouped': None}
        self.assertEqual(
            dataclasses.replace(self.NEEDS, **untold, unchecked=()),
            needs.needs(self.data),
        )


class ZoneAndGroupTest(unit.TestCase):
    @unit.named_cases(
        ('any', {'pinned_availability_zone': None}, (None, True)),
        ('one', {'pinned_availability_zone': 'az2'}, ('az2', True)),
    )
    def test_zone(self, changes: ty.Any, expected: ty.Any) -> None:
        found = needs.needs(cloud.server(**changes))
        self.assertEqual(expected, (found.zone, found.zone_known))

    @unit.named_cases(
        ('no_hints', {}, False),
        ('group', {'group': ['g']}, True),
        ('another', {'foo': ['g']}, False),
        # Nova has no record of what the scheduler was asked for.
        ('lost', None, None),
    )
    def test_grouped(self, hints: ty.Any, expected: bool | None) -> None:
        found = needs.needs(cloud.server(scheduler_hints=hints))
        self.assertIs(expected, found.grouped)
        self.assertEqual((), found.unchecked)


NONE = {'group_policy': 'none'}
X_AND_GPU = model.RequestGroup((('CUSTOM_X', 2), ('VGPU', 1)))
FAST_GPU = model.RequestGroup(
    (('VGPU', 1),), frozenset({'FAST'}), frozenset({'OLD'})
)


class TraitsAndResourcesTest(unit.TestCase):
    def test_traits(self) -> None:
        found = of_flavor(
            {
                'trait:HW_CPU_X86_AVX2': 'required',
                'trait:CUSTOM_OLD': 'forbidden',
                # Ignored by Nova.
                'trait:CUSTOM_NICE': 'preferred',
                # Of another scope.
                'quota:trait': 'required',
            }
        )
        self.assertEqual({'HW_CPU_X86_AVX2'}, found.required_traits)
        self.assertEqual({'CUSTOM_OLD'}, found.forbidden_traits)
        self.assertEqual(((), ()), (found.resources, found.unchecked))

    @unit.named_cases(
        ('none', {}, ()),
        ('override', {'resources:VCPU': '0'}, ()),
        (
            'sorted',
            {'resources:VGPU': '1', 'resources:CUSTOM_IRON': '1'},
            (('CUSTOM_IRON', 1), ('VGPU', 1)),
        ),
        (
            'groups',
            {'resources:VGPU': '1', 'resources1:VGPU': '2'},
            (('VGPU', 1),),
        ),
        ('no_number', {'resources:VGPU': 'many', 'resources:PCPU': '-1'}, ()),
    )
    def test_resources(self, specs: ty.Any, expected: ty.Any) -> None:
        found = of_flavor(specs)
        self.assertEqual(expected, found.resources)
        self.assertEqual((), found.unchecked)

    @unit.named_cases(
        ('policy_none', NONE, False, ()),
        ('isolate', {'group_policy': 'isolate'}, True, ()),
        # Of these Placement refuses what Nova asks.
        ('no_policy', {}, False, ('group_policy',)),
        ('invalid', {'group_policy': 'x'}, False, ('group_policy',)),
        ('traits_alone', {'trait3:X': 'required', **NONE}, False, ('trait3',)),
    )
    def test_groups(self, specs: ty.Any, isolate: bool, unchecked: ty.Any):
        found = of_flavor(
            {
                'resources_GPU-b:VGPU': '1',
                'trait_GPU-b:FAST': 'required',
                'trait_GPU-b:OLD': 'forbidden',
                'resources1:VGPU': '1',
                'resources1:CUSTOM_X': '2',
                'resources2:VGPU': '0',
                **specs,
            }
        )
        self.assertEqual((X_AND_GPU, FAST_GPU), found.groups)
        self.assertEqual(isolate, found.isolate)
        self.assertEqual(unchecked, found.unchecked)

    def test_aggregates(self) -> None:
        prefix = 'aggregate_instance_extra_specs'
        found = of_flavor({f'{prefix}:ssd': 'true', f'{prefix}:a:b': '<in> x'})
        self.assertEqual(
            (('a:b', '<in> x'), ('ssd', 'true')), found.aggregate_specs
        )
        self.assertEqual((), found.unchecked)


class UncheckedTest(unit.TestCase):
    """What only the scheduler can judge."""

    @unit.cases(
        *('accel:device_profile=gpu', 'capabilities:cpu_info:arch=s== x86_64'),
        *('hw:cpu_policy=dedicated', 'hw:cpu_policy=mixed'),
        *('hw:cpu_thread_policy=require', 'hw:ephemeral_encryption=true'),
        *('hw:maxphysaddr_bits=42', 'hw:maxphysaddr_mode=passthrough'),
        *('hw:mem_encryption=True', 'hw:mem_page_size=large'),
        *('hw:numa_cpus.0=0,1', 'hw:numa_nodes=2'),
        *('hw:pci_numa_affinity_policy=socket', 'hw:pmem=6GB'),
        *('hw:sound_model=virtio', 'hw:tpm_version=2.0'),
        *('hw:virtio_packed_ring=yes', 'os:secure_boot=required'),
        'pci_passthrough:alias=gpu:1',
        # May be meant for aggregates, or for a host's capabilities.
        'ssd=true',
    )
    def test_of_flavor(self, told: str) -> None:
        key, value = told.split('=', 1)
        self.assertEqual((key,), of_flavor({key: value}).unchecked)

    @unit.cases(
        *('group_policy=isolate', 'hide_hypervisor_id=true'),
        *('hw:cpu_policy=shared', 'hw:cpu_sockets=2'),
        *('hw:cpu_thread_policy=prefer', 'hw:mem_encryption=false'),
        *('hw:sound_model=ich9', 'hw:virtio_packed_ring=no'),
        *('hw_rng:allowed=True', 'os:secure_boot=optional'),
        *('quota:cpu_shares=5', 'resources:VCPU=1', 'trait:CUSTOM_X=required'),
    )
    def test_of_flavor_not(self, told: str) -> None:
        self.assertEqual((), of_flavor(dict([told.split('=', 1)])).unchecked)

    @unit.cases(
        *('hw_cpu_policy=dedicated', 'hw_firmware_stateless=True'),
        *('hw_mem_page_size=2MB', 'hw_numa_nodes=2', 'hw_tpm_version=2.0'),
        *('img_hv_requested_version=>=6.0', 'os_secure_boot=required'),
    )
    def test_of_image(self, told: str) -> None:
        key, value = told.split('=', 1)
        self.assertEqual((f'image {key}',), of_image({key: value}).unchecked)

    @unit.cases(
        *('architecture=x86_64', 'hw_architecture=x86_64'),
        *('hw_disk_bus=virtio', 'hw_vif_model=virtio', 'os_distro=debian'),
        'os_secure_boot=disabled',
    )
    def test_of_image_not(self, told: str) -> None:
        self.assertEqual((), of_image(dict([told.split('=', 1)])).unchecked)

    def test_hints(self) -> None:
        hints = {
            'same_host': ['vm2'],
            'query': ['[">=", "$free_ram_mb", 1024]'],
            'different_host': [],
            'build_near_host_ip': ['192.0.2.1'],
            'cidr': ['/24'],
            '_nova_check_type': ['rebuild'],
            'heat_stack_id': ['s'],
        }
        self.assertEqual(
            ('hint build_near_host_ip', 'hint query', 'hint same_host'),
            needs.needs(cloud.server(scheduler_hints=hints)).unchecked,
        )

    @unit.cases(None, {}, {'ram': 512})
    def test_policy_hides_extra_specs(self, flavor: ty.Any) -> None:
        found = needs.needs(cloud.server(flavor=flavor))
        (unchecked,) = found.unchecked
        self.assertIn('servers:show:flavor-extra-specs', unchecked)
