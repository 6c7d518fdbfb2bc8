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

"""Nova's time, which is not ours."""

import datetime

import ddt

from tests.unit.nova import cloud

SERVICES = f'{cloud.NOVA}/os-services'


class NovaTimeTest(cloud.CloudTestCase):
    def test_follows_the_cloud(self) -> None:
        # By whole seconds, which is all that the Date header has.
        self.cloud.get(
            f'{cloud.NOVA}/os-services',
            json={'services': []},
            headers={'Date': 'Fri, 20 Nov 2020 23:31:07 GMT'},
        )
        self.gateway.services()
        expected = datetime.datetime(
            2020, 11, 20, 23, 31, 7, tzinfo=datetime.UTC
        )
        late = self.gateway.now() - expected
        self.assertLess(abs(late), datetime.timedelta(seconds=30))


@ddt.ddt
class SkewTest(cloud.CloudTestCase):
    def _skew(self, *headers: dict[str, str]) -> datetime.timedelta:
        self.cloud.get(
            SERVICES,
            [{'json': {'services': []}, 'headers': h} for h in headers],
        )
        for _header in headers:
            self.gateway.services()
        return self.gateway.now() - datetime.datetime.now(datetime.UTC)

    def _date(self, hours: int, zone: str) -> dict[str, str]:
        time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(
            hours=hours
        )
        return {'Date': time.strftime(f'%a, %d %b %Y %H:%M:%S {zone}')}

    @ddt.data('GMT', '-0000', '+0000')
    def test_nova_is_ahead(self, zone: str) -> None:
        skew = self._skew(self._date(3, zone))
        self.assertAlmostEqual(3 * 3600, skew.total_seconds(), delta=30)

    GARBAGE = (
        'soon',
        '',
        '0',
        'Fri, 20 Nov 2026',
        'Fri, 99 Nov 2026 99:99:99 GMT',
        'Fri, 20 Nov 0001 00:00:00 +9999',
        'Fri, 20 Nov 9999 23:59:59 -9999',
        'Fri, 20 Nov 2026 10:00:00 +99999999999999999999',
        '\x1b[31m',
    )

    @ddt.data(*GARBAGE)
    def test_garbage(self, date: str) -> None:
        self._skew({'Date': date})

    def test_missing(self) -> None:
        self.assertLess(abs(self._skew({})), datetime.timedelta(seconds=0.5))

    def test_missing_later_changes_nothing(self) -> None:
        skew = self._skew(self._date(-2, 'GMT'), {}, {'Date': 'soon'})
        self.assertAlmostEqual(-2 * 3600, skew.total_seconds(), delta=30)
