# SPDX-License-Identifier: Apache-2.0

import pytest

from tests.cloud import boot
from tests.functional.cloud import base

pytestmark = pytest.mark.soak

SMALL = {'VCPU': 8, 'MEMORY_MB': 8 << 10, 'DISK_GB': 100}


class TestCapacity(base.CloudTest):
    options = {'hosts': 4, 'sizes': '4:16:200,8:8:100'}

    def inventory(self, host, field='total'):
        answer = self.cloud.connection().placement.get(
            f'/resource_providers/{self.cloud.provider(host)}/inventories'
        )
        return {
            name: fields[field]
            for name, fields in answer.json()['inventories'].items()
        }

    def placement_aggregates(self, host):
        answer = self.cloud.connection().placement.get(
            f'/resource_providers/{self.cloud.provider(host)}/aggregates'
        )
        return answer.json()['aggregates']

    def candidates(self, **resources):
        """Which hosts Placement has room on."""
        wanted = ','.join(f'{name}:{n}' for name, n in resources.items())
        answer = self.cloud.connection().placement.get(
            '/allocation_candidates', params={'resources': wanted}
        )
        found = answer.json()['provider_summaries']
        providers = {self.cloud.provider(h): h for h in self.cloud.hosts()}
        return sorted(providers[provider] for provider in found)

    def move(self, server, action, *statuses):
        self.cloud.act(server, action)
        return self.wait_record(server, *statuses)

    def test_sizes(self):
        self.assertEqual(SMALL, self.inventory('cmp02'))
        usual = {'VCPU': 32, 'MEMORY_MB': 128 << 10, 'DISK_GB': 4000}
        self.assertEqual(usual, self.inventory('cmp04'))
        self.assertEqual(
            ['cmp01', 'cmp03', 'cmp04'], self.candidates(MEMORY_MB=12 << 10)
        )

        self.cloud.size_host('cmp02', ram_gib=16)
        self.assertEqual(
            {**SMALL, 'MEMORY_MB': 16 << 10}, self.inventory('cmp02')
        )
        self.cloud.boot('large', host='cmp02', flavor='m1.large')
        self.cloud.refresh_host('cmp02')
        self.assertEqual(4, self.inventory('cmp01')['VCPU'])

        self.cloud.purge()
        self.assertEqual(SMALL, self.inventory('cmp02'))
        with self.assertRaisesRegex(boot.Failed, 'No valid host'):
            self.cloud.boot('xlarge', host='cmp02', flavor='m1.xlarge')

    def test_inventory(self):
        usual = self.inventory('cmp01', 'allocation_ratio')
        self.cloud.inventory(
            'cmp01',
            VCPU={'allocation_ratio': 1.0},
            MEMORY_MB={'reserved': 1024},
            CUSTOM_GOLD={'total': 3, 'max_unit': 2},
        )
        self.cloud.refresh_host('cmp01')

        ratios = self.inventory('cmp01', 'allocation_ratio')
        self.assertEqual(1.0, ratios['VCPU'])
        self.assertEqual(['cmp01'], self.candidates(CUSTOM_GOLD=2))
        self.assertEqual([], self.candidates(CUSTOM_GOLD=3))
        # 16 GiB less what is reserved
        self.assertNotIn('cmp01', self.candidates(MEMORY_MB=15361))
        self.assertIn('cmp01', self.candidates(MEMORY_MB=15360))
        golden = self.cloud.flavor(
            'golden', 1, 512, 1, {'resources:CUSTOM_GOLD': '2'}
        )
        server = self.cloud.boot('web', flavor=golden)
        self.assertEqual('cmp01', server.compute_host)
        held = self.cloud.allocations('cmp01')[server.id]['resources']
        self.assertEqual(2, held['CUSTOM_GOLD'])
        self.cloud.delete(server)

        self.cloud.purge()
        self.assertEqual(usual, self.inventory('cmp01', 'allocation_ratio'))
        self.assertEqual(0, self.inventory('cmp01', 'reserved')['MEMORY_MB'])

    def test_zones_pin_but_hosts_do_not(self):
        zones = {'east': ['cmp01', 'cmp02'], 'west': ['cmp03']}
        for zone, hosts in zones.items():
            self.cloud.aggregate(zone, hosts, zone=zone)
        pinned, free = self.cloud.boot_many(
            [
                {'name': 'pinned', 'host': 'cmp01', 'az': 'east'},
                {'name': 'free', 'host': 'cmp01'},
            ]
        )
        self.assertEqual('east', pinned.pinned_availability_zone)
        self.assertIsNone(free.pinned_availability_zone)

        self.move(pinned, base.live_to('cmp03'), 'error')
        self.move(free, base.live_to('cmp03'), 'completed')
        self.cloud.disable_host('cmp01')
        self.move(pinned, base.LIVE, 'completed')
        self.assertEqual('cmp02', self.cloud.server(pinned).compute_host)
        self.cloud.disable_host('cmp02')
        self.move(pinned, base.LIVE, 'error')
        self.assertEqual(1, len(self.placement_aggregates('cmp03')))

        self.cloud.purge()
        self.assertEqual([], self.placement_aggregates('cmp03'))
        server = self.cloud.boot('web', host='cmp03')
        self.assertEqual('nova', server.availability_zone)
        self.assertEqual(
            [], list(self.cloud.connection().compute.aggregates())
        )

    def test_aggregate_metadata(self):
        found = self.cloud.aggregate(
            'fast', ['cmp02'], metadata={'ssd': 'yes'}
        )

        aggregate = self.cloud.connection().compute.get_aggregate(found)
        self.assertEqual({'ssd': 'yes'}, aggregate.metadata)
        self.assertEqual(['cmp02'], aggregate.hosts)

    def test_traits(self):
        self.cloud.give_traits('cmp03', 'CUSTOM_GOLD', 'CUSTOM_SILVER')
        flavor = self.cloud.flavor(
            'golden', 1, 512, 1, {'trait:CUSTOM_GOLD': 'required'}
        )
        server = self.cloud.boot('web', flavor=flavor)
        self.assertEqual('cmp03', server.compute_host)
        self.cloud.refresh_host('cmp03')
        self.move(server, base.LIVE, 'error')
        self.cloud.give_traits('cmp04', 'CUSTOM_GOLD')
        self.move(server, base.LIVE, 'completed')

        self.cloud.purge()
        # The same name again, which must not be taken.
        flavor = self.cloud.flavor(
            'golden', 1, 512, 1, {'trait:CUSTOM_GOLD': 'required'}
        )
        with self.assertRaisesRegex(boot.Failed, 'No valid host'):
            self.cloud.boot('web', flavor=flavor)

    def test_members_per_host(self):
        group = self.cloud.group('apart', 'anti-affinity', most_per_host=2)
        self.cloud.boot_many(
            [
                {'name': f'web-{n}', 'host': 'cmp01', 'group': group}
                for n in range(2)
            ]
        )
        with self.assertRaisesRegex(boot.Failed, 'No valid host'):
            self.cloud.boot('third', host='cmp01', group=group)
