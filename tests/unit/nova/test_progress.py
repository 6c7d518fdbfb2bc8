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

"""How far a live migration is."""

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.nova import cloud

MIGRATION = f'{cloud.NOVA}/servers/vm1/migrations/7'
ENDED = 'Live migration 7 for server vm1 is not in progress.'


@ddt.ddt
class ProgressTest(cloud.CloudTestCase):
    def test_runs(self) -> None:
        self.cloud.get(
            MIGRATION, json={'migration': cloud.server_migration(7)}
        )
        self.assertEqual(
            model.Progress(remaining=128 << 20, total=2048 << 20),
            self.gateway.progress('vm1', 7),
        )

    def test_waits_for_its_turn(self) -> None:
        waits = cloud.server_migration(
            7,
            status='queued',
            memory_total_bytes=None,
            memory_processed_bytes=None,
            memory_remaining_bytes=None,
        )
        self.cloud.get(MIGRATION, json={'migration': waits})
        self.assertIsNone(self.gateway.progress('vm1', 7))

    @ddt.data(ENDED, 'Instance vm1 could not be found.')
    def test_is_no_more(self, words: str) -> None:
        self.cloud.get(MIGRATION, **cloud.fault('itemNotFound', 404, words))
        self.assertIsNone(self.gateway.progress('vm1', 7))

    @ddt.unpack
    @ddt.named_data(
        ('may_not_look', 403, exceptions.NotPermitted),
        ('outage', 503, exceptions.Unavailable),
    )
    def test_not_known(
        self, status: int, kind: type[exceptions.CloudError]
    ) -> None:
        self.cloud.get(MIGRATION, **cloud.fault('x', status, 'No.'))
        with self.assertRaises(kind):
            self.gateway.progress('vm1', 7)

    def test_404_of_a_proxy_is_no_end(self) -> None:
        self.cloud.get(MIGRATION, status_code=404, text='<h1>Not Found</h1>')
        with self.assertRaises(exceptions.Unavailable):
            self.gateway.progress('vm1', 7)
