#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""What Placement still holds on a host: it is told, and so is a doubt."""

import uuid

from tests.functional import base


class TestLeftovers(base.FunctionalTest):
    def test_an_allocation_of_nobody_is_named(self) -> None:
        self.cloud.boot('server', host='cmp01')
        consumer = self.cloud.leak_allocation('cmp01')

        rows = self.drain('cmp01', code=3)

        self.assertEqual(
            {'moved': 'server', 'blocked': ''},
            {row['Result']: row['Name'] for row in rows},
        )
        (row,) = [row for row in rows if row['Result'] == 'blocked']
        self.assertEqual(consumer, row['Server ID'])
        self.assertIn('nova-manage placement', row['Reason'])
        self.assertFalse(self.show('cmp01')['drained'])

    def test_one_of_a_child_provider_is_named(self) -> None:
        placement = self.cloud.connection().placement
        child, consumer = str(uuid.uuid4()), str(uuid.uuid4())
        path = f'/resource_providers/{child}'
        placement.post(
            '/resource_providers',
            json={
                'uuid': child,
                'name': 'cmp01_gpu',
                'parent_provider_uuid': self.cloud.provider('cmp01'),
            },
        )
        self.addCleanup(placement.delete, path)
        placement.put(
            f'{path}/inventories',
            json={
                'inventories': {'VGPU': {'total': 4}},
                'resource_provider_generation': 0,
            },
        )
        self.cloud.leak_allocation(
            'cmp01', consumer, {'VGPU': 1}, provider=child
        )
        self.addCleanup(placement.delete, f'/allocations/{consumer}')

        (row,) = self.drain('cmp01', code=3)

        self.assertEqual(consumer, row['Server ID'])
        self.assertIn('nova-manage placement', row['Reason'])


class TestUnmapped(base.FunctionalTest):
    """Nova's API knows no hypervisor of the host."""

    def test_it_is_not_called_drained(self) -> None:
        self.cloud.boot('server', host='cmp01')
        self.cloud.unmap_host('cmp01')
        self.addCleanup(self.cloud.map_hosts)

        done = self.run_command('host maintenance drain --dry-run cmp01')

        self.assertEqual(3, done.code, done.err)
        self.assertIn('unknown', done.out)
        self.assertIn('discover_hosts', done.err)

        done = self.run_command('host maintenance drain -f json cmp01')

        self.assertEqual(1, done.code, done.err)
        self.assertIn('is not verified', done.err)
        self.assertIn('discover_hosts', done.err)
        self.assertEqual(['moved'], [row['Result'] for row in done.json])
        self.assertEqual([], self.cloud.servers('cmp01'))
        shown = self.show('cmp01')
        self.assertIsNone(shown['allocations'])
        self.assertIsNone(shown['drained'])

        # What the message advises.
        self.cloud.map_hosts()

        self.assertEqual(
            [], self.drain('cmp01'), 'now it is verified that nothing is left'
        )
