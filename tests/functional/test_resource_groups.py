# SPDX-License-Identifier: Apache-2.0

"""Will it fit, where servers take of several providers of one host?"""

import typing as ty

from openstack import exceptions

from tests.functional import base
from tests.functional import forecast_base

BANDWIDTH = 'NET_BW_EGR_KILOBIT_PER_SEC'
SMALL = {'VCPU': 1, 'MEMORY_MB': 2048, 'DISK_GB': 10}


class TestResourceGroups(forecast_base.ForecastTest):
    def allocate(
        self, server: ty.Any, *parts: tuple[str, dict[str, int]]
    ) -> None:
        """Have Placement hold otherwise for a server than Nova asked."""
        # Later ones answer with a consumer type that they do not take.
        where = {'url': f'/allocations/{server.id}', 'microversion': '1.28'}
        placement = self.cloud.connection().placement
        held = placement.get(**where).json()
        held['allocations'] = {
            provider: {'resources': resources} for provider, resources in parts
        }
        exceptions.raise_from_response(placement.put(**where, json=held))

    def test_vgpus_of_different_cards(self) -> None:
        for host in ('cmp01', 'cmp02'):
            self.cloud.child_provider(host, {'VGPU': 1}, 'CUSTOM_A40')
            self.cloud.child_provider(host, {'VGPU': 1})
        self.cloud.child_provider('cmp03', {'VGPU': 9}, 'CUSTOM_A40')
        for _card in range(2):
            self.cloud.child_provider('cmp04', {'VGPU': 1})
        specs = {
            'resources1:VGPU': '1',
            'trait1:CUSTOM_A40': 'required',
            'resources2:VGPU': '1',
            'group_policy': 'isolate',
        }
        self.cloud.boot('vm', host='cmp01', flavor=self.flavor(1, **specs))

        rows, _said = self.preview('cmp01')

        self.assertEqual('yes', rows['vm']['Fits'])
        self.assertEqual(1, rows['vm']['Candidates'])
        (row,) = self.drain('cmp01')
        self.assertEqual('cmp02', row['Destination'])

        rows, _said = self.preview('cmp02', code=3)

        self.assertEqual('no', rows['vm']['Fits'])
        self.assertEqual(
            'no host can take it: 2 without room or traits for its resource '
            'groups, 1 in maintenance',
            rows['vm']['Reason'],
        )

    def test_a_request_that_placement_refuses(self) -> None:
        card = self.cloud.child_provider('cmp01', {'VGPU': 1}, 'CUSTOM_GONE')
        specs = {'resources1:VGPU': '1', 'trait1:CUSTOM_GONE': 'required'}
        self.cloud.boot('gpu', host='cmp01', flavor=self.flavor(1, **specs))
        self.cloud.boot('plain', host='cmp01')
        placement = self.cloud.connection().placement
        for path in (
            f'/resource_providers/{card}/traits',
            '/traits/CUSTOM_GONE',
        ):
            exceptions.raise_from_response(placement.delete(path))

        rows, said = self.preview('cmp01', code=3)

        self.assertIn('1 fit, 1 may fit', said)
        self.assertEqual('yes', rows['plain']['Fits'])
        self.assertEqual('unknown', rows['gpu']['Fits'])
        self.assertIn('No such trait(s): CUSTOM_GONE', rows['gpu']['Reason'])

    def test_what_is_not_known_is_not_refused(self) -> None:
        nics = [
            self.cloud.child_provider(host, {BANDWIDTH: 1000})
            for host in ('cmp01', 'cmp01', 'cmp02', 'cmp02')
        ]
        home, other = (self.cloud.provider(f'cmp0{n}') for n in (1, 3))
        # As of two ports, and as of a live migration that was cut short.
        ports, moved = self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        share = {BANDWIDTH: 1000}
        self.allocate(ports, (home, SMALL), (nics[0], share), (nics[1], share))
        self.allocate(moved, (other, SMALL))

        rows, said = self.preview('cmp01', code=3)

        self.assertIn('2 may fit', said)
        row = rows[ports.name]
        self.assertEqual(('unknown', 1), (row['Fits'], row['Candidates']))
        self.assertIn(f'it holds {BANDWIDTH}, which its flavor', row['Reason'])
        row = rows[moved.name]
        self.assertEqual(('unknown', None), (row['Fits'], row['Candidates']))
        self.assertIn('it has no allocation on cmp01', row['Reason'])
        drained = {row['Name']: row for row in self.drain('cmp01')}
        self.assertEqual('cmp02', drained[ports.name]['Destination'])
