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

"""The microversion that Nova is asked at."""

from osc_hostmaint import exceptions
from tests.unit.nova import cloud


class OtherMicroversionTest(cloud.CloudTestCase):
    def test_older_nova_is_asked_at_what_it_offers(self) -> None:
        self.versions = self.cloud.get(
            cloud.NOVA, json=cloud.nova_versions('2.60')
        )
        self.cloud.get(f'{cloud.NOVA}/os-services', json={'services': []})
        self.gateway.services()
        headers = self.last_request().headers
        self.assertEqual('compute 2.60', headers['OpenStack-API-Version'])

    def test_least(self) -> None:
        self.cloud.get(cloud.NOVA, json=cloud.nova_versions('2.59'))
        self.cloud.get(f'{cloud.NOVA}/os-services', json={'services': []})
        self.assertEqual([], self.gateway.services())

    def test_too_old(self) -> None:
        self.cloud.get(cloud.NOVA, json=cloud.nova_versions('2.50'))
        with self.assertRaisesRegex(
            exceptions.ApiTooOld, r'\b2\.59\b.*Nova.*\b2\.50\b'
        ) as caught:
            self.gateway.services()
        self.assert_one_line(caught.exception)
        self.assertEqual([], self.sent)

    def test_nova_down_is_not_an_old_nova(self) -> None:
        self.cloud.get(cloud.NOVA, **cloud.fault('computeFault', 503, 'Busy'))
        self.cloud.get(
            f'{cloud.NOVA}/', **cloud.fault('computeFault', 503, 'Busy')
        )
        with self.assertRaisesRegex(exceptions.Unavailable, 'Busy.*503'):
            self.gateway.services()

    def test_versions_missed_at_first(self) -> None:
        # The endpoint fails for a moment, while keystoneauth1 looks at it.
        self.cloud.get(cloud.NOVA, status_code=502)
        self.cloud.get(
            f'{cloud.NOVA}/',
            [{'status_code': 502}, {'json': cloud.nova_versions('2.70')}],
        )
        self.cloud.get(f'{cloud.NOVA}/os-services', json={'services': []})
        self.assertEqual([], self.gateway.services())
        headers = self.last_request().headers
        self.assertEqual('compute 2.70', headers['OpenStack-API-Version'])

    def test_no_microversions_at_all(self) -> None:
        self.cloud.get(cloud.NOVA, json=cloud.nova_versions(''))
        self.cloud.get(f'{cloud.NOVA}/', json=cloud.nova_versions(''))
        with self.assertRaisesRegex(exceptions.ApiTooOld, 'offers none'):
            self.gateway.services()
