# SPDX-License-Identifier: Apache-2.0

"""Who we are, and how long we wait."""

import datetime
import typing as ty

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint.nova import gateway
from osc_hostmaint.nova import records
from osc_hostmaint.planning import timing
from tests.unit.nova import cloud

SERVICES = f'{cloud.NOVA}/os-services'

SERVICE = f'{SERVICES}/{cloud.service()["id"]}'

ACTION = f'{cloud.NOVA}/servers/vm1/action'

#: Ways to log in that clouds.yaml knows.
WITH_KEYSTONE: list[tuple[str, dict[str, ty.Any]]] = [
    ('password', {}),
    (
        'token',
        {
            'auth_type': 'token',
            'auth': {
                'auth_url': cloud.IDENTITY,
                'token': 'token-0',
                'project_name': 'admin',
                'project_domain_id': 'default',
            },
        },
    ),
    (
        'application_credential',
        {
            'auth_type': 'v3applicationcredential',
            'auth': {
                'auth_url': cloud.IDENTITY,
                'application_credential_id': 'a',
                'application_credential_secret': 's',
            },
        },
    ),
]
WITHOUT_KEYSTONE: list[tuple[str, dict[str, ty.Any]]] = [
    (
        'none',
        {'auth_type': 'none', 'auth': {'endpoint': cloud.NOVA}},
    ),
    (
        'admin_token',
        {
            'auth_type': 'admin_token',
            'auth': {'endpoint': cloud.NOVA, 'token': 't'},
        },
    ),
]


@ddt.ddt
class UserNameTest(cloud.CloudTestCase):
    """Who goes into the mark."""

    @ddt.unpack
    @ddt.named_data(*WITH_KEYSTONE)
    def test_name(self, config: ty.Any) -> None:
        conn = self.connect(**config)
        self.assertEqual('alice', gateway.Gateway(conn).user_name())

    @ddt.unpack
    @ddt.named_data(*WITHOUT_KEYSTONE)
    def test_without_keystone(self, config: ty.Any) -> None:
        asking = gateway.Gateway(self.connect(**config))
        self.assertEqual('unknown', asking.user_name())
        self.assertEqual('', asking.user_id())
        self.assertEqual([], self.cloud.request_history)

    def test_id_where_there_is_no_name(self) -> None:
        token = self.token()
        token.user_name = ''
        self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            json=token,
            headers={'X-Subject-Token': 't'},
        )
        self.assertEqual(token.user_id, self.gateway.user_name())

    def test_wrong_password(self) -> None:
        self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            **cloud.fault('error', 401, 'The request you\nhave made \x1b[1m'),
        )
        with self.assertRaisesRegex(
            exceptions.NotPermitted, 'The request you have made.*HTTP 401'
        ) as caught:
            self.gateway.user_name()
        self.assert_one_line(caught.exception)


@ddt.ddt
class UserIdTest(cloud.CloudTestCase):
    """Who we are in Nova's records."""

    def setUp(self) -> None:
        super().setUp()
        token = self.token()
        token.user_id = 'c0ffee0000004000800000000000000a'
        self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            json=token,
            headers={'X-Subject-Token': 't'},
        )

    @ddt.unpack
    @ddt.named_data(*WITH_KEYSTONE)
    def test_id(self, config: ty.Any) -> None:
        asking = gateway.Gateway(self.connect(**config))
        self.assertEqual('c0ffee0000004000800000000000000a', asking.user_id())

    def test_no_request_beyond_the_login(self) -> None:
        login = self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            json=self.token(),
            headers={'X-Subject-Token': 't'},
        )
        for _time in range(3):
            self.gateway.user_name()
            self.gateway.user_id()
        self.assertEqual(1, login.call_count)

    def test_wrong_password(self) -> None:
        self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            **cloud.fault('error', 401, 'Who are you?'),
        )
        with self.assertRaises(exceptions.NotPermitted):
            self.gateway.user_id()


class TokenTest(cloud.CloudTestCase):
    def test_expiry_passes_unnoticed(self) -> None:
        self.cloud.get(SERVICES, json={'services': []})
        soon = self.token()
        now = datetime.datetime.now(datetime.UTC)
        soon.expires = now + datetime.timedelta(seconds=5)
        login = self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            [
                {'json': soon, 'headers': {'X-Subject-Token': 'short'}},
                {'json': self.token(), 'headers': {'X-Subject-Token': 'long'}},
            ],
        )
        for _tick in range(3):
            self.gateway.services()
        self.assertEqual(2, login.call_count)
        self.assertEqual('long', self.last_request().headers['X-Auth-Token'])

    def test_keystone_unreachable_at_token_renewal(self) -> None:
        self.cloud.get(SERVICES, **cloud.fault('x', 401, 'Who?'))
        self.gateway.user_name()
        self.cloud.post(
            f'{cloud.IDENTITY}/auth/tokens',
            **cloud.fault('error', 503, 'Down\nfor good.'),
        )
        with self.assertRaisesRegex(
            exceptions.Unavailable, 'Down for good.*HTTP 503'
        ) as caught:
            self.gateway.services()
        self.assert_one_line(caught.exception)


class TimeoutTest(cloud.CloudTestCase):
    def _timeouts(self) -> set[float]:
        self.cloud.get(SERVICES, json={'services': []})
        self.cloud.put(SERVICE, json={'service': cloud.service()})
        self.cloud.post(ACTION, status_code=202)
        self.gateway.services()
        self.gateway.enable(records.service(cloud.service()))
        self.gateway.live_migrate('vm1')
        self.gateway.user_name()
        # Of the login and the discovery too.
        self.assertGreater(len(self.cloud.request_history), 5)
        return {r.timeout for r in self.cloud.request_history}

    def test_ours(self) -> None:
        self.assertEqual({timing.REQUEST_TIMEOUT_SECONDS}, self._timeouts())

    def test_of_clouds_yaml(self) -> None:
        self.conn = self.connect(api_timeout=7)
        self.gateway = gateway.Gateway(self.conn)
        self.assertEqual({7.0}, self._timeouts())
