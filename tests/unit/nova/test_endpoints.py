# SPDX-License-Identifier: Apache-2.0

"""Services that nobody reaches, that are in no catalog, or are too old."""

import requests

from osc_hostmaint import exceptions
from osc_hostmaint.nova import gateway
from tests import unit
from tests.unit.nova import cloud

SERVICES = f'{cloud.NOVA}/os-services'


class NoAnswerTest(cloud.CloudTestCase):
    @unit.cases(
        (
            requests.exceptions.ConnectionError(
                "HTTPSConnectionPool(host='nova.example.org', port=443): Max "
                'retries exceeded (Caused by NewConnectionError("[Errno 111] '
                'Connection refused"))'
            ),
            r'\[Errno 111\] Connection refused',
        ),
        (
            requests.exceptions.SSLError(
                '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed:\n'
                'unable to get local issuer certificate'
            ),
            'SSL.*certificate verify failed: unable to get local issuer',
        ),
        (requests.exceptions.ReadTimeout('x'), 'timed out'),
        (requests.exceptions.ChunkedEncodingError('10 read'), '10 read'),
        (requests.exceptions.ProxyError('No proxy\x1b['), r'No proxy\\x1b'),
    )
    def test_message(self, error: Exception, expected: str) -> None:
        self.cloud.get(SERVICES, exc=error)
        with self.raises(
            exceptions.Unavailable,
            f'^Nova: GET /os-services: no answer: .*{expected}',
        ) as caught:
            self.gateway.services()
        self.assertTrue(caught.exception.in_doubt)

    def test_keystone_unreachable(self) -> None:
        away = requests.exceptions.ConnectionError('Connection refused')
        self.cloud.get(cloud.IDENTITY, exc=away)
        self.cloud.get('https://identity.example.org/', exc=away)
        self.cloud.post(cloud.TOKENS, exc=away)
        for question in (self.gateway.services, self.gateway.user_name):
            with self.raises(exceptions.Unavailable, 'Connection refused'):
                question()


class CatalogTest(cloud.CloudTestCase):
    def _lacking(self, kind: str) -> gateway.Gateway:
        self.services = tuple(k for k in self.services if k != kind)
        self.set_up_identity()
        return gateway.Gateway(self.connect())

    def test_no_compute(self) -> None:
        asking = self._lacking('compute')
        with self.raises(
            exceptions.CloudError, 'Nova.*compute service.*not found'
        ):
            asking.services()

    def test_no_placement(self) -> None:
        nodes = [cloud.hypervisor(1, 'cmp01')]
        self.answer('/os-hypervisors/detail', hypervisors=nodes)
        asking = self._lacking('placement')
        with self.raises(
            exceptions.CloudError, 'Placement.*placement service.*not found'
        ):
            asking.allocations('cmp01')

    def test_service_disabled_in_clouds_yaml(self) -> None:
        asking = gateway.Gateway(self.connect(has_compute=False))
        with self.raises(exceptions.CloudError):
            asking.services()


class OtherMicroversionTest(cloud.CloudTestCase):
    def test_older_nova_is_asked_at_what_it_offers(self) -> None:
        self.cloud.get(cloud.NOVA, json=cloud.nova_versions('2.60'))
        self.answer('/os-services', services=[])
        self.gateway.services()
        self.assert_version('compute 2.60')

    def test_least(self) -> None:
        self.cloud.get(cloud.NOVA, json=cloud.nova_versions('2.59'))
        self.answer('/os-services', services=[])
        self.assertEqual([], self.gateway.services())

    def test_too_old(self) -> None:
        self.cloud.get(cloud.NOVA, json=cloud.nova_versions('2.50'))
        with self.raises(exceptions.ApiTooOld, r'\b2\.59\b.*Nova.*\b2\.50\b'):
            self.gateway.services()
        self.assertEqual([], self.sent)

    def test_nova_outage_is_not_an_old_version(self) -> None:
        for end in ('', '/'):
            fault = cloud.fault('computeFault', 503, 'Busy')
            self.cloud.get(cloud.NOVA + end, **fault)
        with self.raises(exceptions.Unavailable, 'Busy.*503'):
            self.gateway.services()

    def test_versions_missed_at_first(self) -> None:
        # The endpoint fails for a moment, while keystoneauth1 looks at it.
        self.cloud.get(cloud.NOVA, status_code=502)
        self.cloud.get(
            f'{cloud.NOVA}/',
            [{'status_code': 502}, {'json': cloud.nova_versions('2.70')}],
        )
        self.answer('/os-services', services=[])
        self.assertEqual([], self.gateway.services())
        self.assert_version('compute 2.70')

    def test_no_microversions_at_all(self) -> None:
        self.cloud.get(cloud.NOVA, json=cloud.nova_versions(''))
        self.cloud.get(f'{cloud.NOVA}/', json=cloud.nova_versions(''))
        with self.raises(exceptions.ApiTooOld, 'offers none'):
            self.gateway.services()
