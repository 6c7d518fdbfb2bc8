# SPDX-License-Identifier: Apache-2.0

"""Who we are, how long we wait, and services that nobody reaches."""

import datetime
import json
import typing as ty

import openstack
import requests

from osc_hostmaint import exceptions
from osc_hostmaint.nova import gateway
from osc_hostmaint.nova import records
from osc_hostmaint.planning import timing
from tests import unit
from tests.unit.nova import cloud

SERVICES = f'{cloud.NOVA}/os-services'

#: Ways to log in that clouds.yaml knows.
WITH_KEYSTONE: ty.Any = [
    ('password', 'password', cloud.AUTH),
    (
        *('token', 'token'),
        {
            'auth_url': cloud.IDENTITY,
            'token': 'token-0',
            'project_name': 'admin',
            'project_domain_id': 'default',
        },
    ),
    (
        *('application_credential', 'v3applicationcredential'),
        {
            'auth_url': cloud.IDENTITY,
            'application_credential_id': 'a',
            'application_credential_secret': 's',
        },
    ),
]
WITHOUT_KEYSTONE: ty.Any = [
    ('none', 'none', {'endpoint': cloud.NOVA}),
    ('admin_token', 'admin_token', {'endpoint': cloud.NOVA, 'token': 't'}),
]


class UserTest(cloud.CloudTestCase):
    """Who goes into the mark, and who we are in Nova's records."""

    def setUp(self) -> None:
        super().setUp()
        self.user = self.token()
        self.login = self.give(self.user)

    @unit.named_cases(*WITH_KEYSTONE)
    def test_name_and_id(self, kind: str, auth: ty.Any) -> None:
        asking = gateway.Gateway(self.connect(auth_type=kind, auth=auth))
        self.assertEqual('alice', asking.user_name())
        self.assertEqual(self.user.user_id, asking.user_id())
        # No request beyond the login.
        self.assertEqual(1, self.login.call_count)

    @unit.named_cases(*WITHOUT_KEYSTONE)
    def test_without_keystone(self, kind: str, auth: ty.Any) -> None:
        asking = gateway.Gateway(self.connect(auth_type=kind, auth=auth))
        self.assertEqual('unknown', asking.user_name())
        self.assertEqual('', asking.user_id())
        self.assertEqual([], self.cloud.request_history)

    def test_id_where_there_is_no_name(self) -> None:
        self.user.user_name = ''
        self.assertEqual(self.user.user_id, self.gateway.user_name())

    def test_wrong_password(self) -> None:
        answer = cloud.fault('error', 401, 'The request you\nhave \x1b[1m')
        self.cloud.post(cloud.TOKENS, **answer)
        for ask in (self.gateway.user_name, self.gateway.user_id):
            with self.raises(
                exceptions.NotPermitted, 'The request you have.*HTTP 401'
            ):
                ask()


class UriTest(cloud.CloudTestCase):
    """By what events know the cloud, whoever sends them."""

    def login(self, *regions: str, url: str = cloud.IDENTITY) -> ty.Any:
        token = self.token()
        for region in regions:
            token.add_service('identity').add_standard_endpoints(
                public=url + region.lower(), region=region
            )
        return self.give(token)

    def test_of_the_catalog(self) -> None:
        login = self.login('RegionTwo', 'RegionOne', url='https://ks/')
        self.assertEqual('https://ks/regionone#RegionOne', self.gateway.uri())
        self.assertEqual(1, login.call_count)

    def test_identity_has_another_region(self) -> None:
        self.login('Central', url='https://ks/')
        self.assertEqual('https://ks/central#RegionOne', self.gateway.uri())

    def test_not_in_the_catalog(self) -> None:
        self.login()
        self.assertEqual(f'{cloud.IDENTITY}#RegionOne', self.gateway.uri())

    def test_no_region_is_given(self) -> None:
        self.login('RegionOne', url='https://ks/')
        self.conn.config.region_name = None
        self.assertEqual('https://ks/regionone#RegionOne', self.gateway.uri())

    @unit.named_cases(*WITHOUT_KEYSTONE)
    def test_without_keystone(self, kind: str, auth: ty.Any) -> None:
        conn = self.connect(
            auth_type=kind, auth=auth, compute_endpoint_override=cloud.NOVA
        )
        self.assertEqual(
            f'{cloud.NOVA}#RegionOne', gateway.Gateway(conn).uri()
        )

    def test_keystone_does_not_answer(self) -> None:
        self.cloud.post(cloud.TOKENS, exc=requests.ConnectionError)
        with self.raises(exceptions.Unavailable, 'catalog'):
            self.gateway.uri()


class TokenTest(cloud.CloudTestCase):
    def test_expiry_passes_unnoticed(self) -> None:
        self.cloud.get(SERVICES, json={'services': []})
        soon = self.token()
        now = datetime.datetime.now(datetime.UTC)
        soon.expires = now + datetime.timedelta(seconds=5)
        login = self.give(soon, self.token())
        for _tick in range(3):
            self.gateway.services()
        self.assertEqual(2, login.call_count)
        self.assertEqual(
            'token-2', self.last_request().headers['X-Auth-Token']
        )

    @unit.cases(
        # minutes that the first token lives, and that are left of that
        (60, 9.9, 2),
        (60, 10.1, 1),
        (8, 3.9, 2),
        (8, 4.1, 1),
    )
    def test_move_starts_with_a_token_that_lasts(self, life, left, number):
        self.give(self.old_token(life, left), self.token())
        self.assertEqual(f'token-{number}', self.start_move())

    def test_token_that_cannot_be_renewed(self) -> None:
        """From a token Keystone makes one that lasts no longer."""
        old = self.old_token(60, 9)
        denied = cloud.fault('error', 403, 'No.')
        for auth_type, auth in (
            WITH_KEYSTONE[1][1:],
            ('password', cloud.AUTH),
        ):
            self.give(old, old, old)
            self.gateway = gateway.Gateway(
                self.connect(auth_type=auth_type, auth=auth)
            )
            self.gateway.user_name()
            if auth_type == 'password':
                self.cloud.post(cloud.TOKENS, **denied)
            with self.assertLogs('osc_hostmaint', 'WARNING') as said:
                for _move in range(2):
                    self.assertEqual('token-1', self.start_move())
            (line,) = said.output
            self.assertIn('cannot be renewed', line)

    def test_no_move_while_keystone_is_down(self) -> None:
        self.give(self.old_token(60, 9))
        self.gateway.user_name()
        self.cloud.post(cloud.TOKENS, **cloud.fault('error', 503, 'Down'))
        with self.raises(exceptions.Unavailable, 'for a token.*HTTP 503'):
            self.start_move()

    def old_token(self, life: float, left: float) -> ty.Any:
        token = self.token()
        minute, now = datetime.timedelta(minutes=1), datetime.datetime.now
        token.expires = now(datetime.UTC) + left * minute
        token.issued = token.expires - life * minute
        return token

    def start_move(self) -> ty.Any:
        """Start a move, and return the token that it is asked for with."""
        self.cloud.post(f'{cloud.NOVA}/servers/vm1/action', status_code=202)
        self.gateway.live_migrate('vm1')
        return self.last_request().headers['X-Auth-Token']

    def test_keystone_unreachable_at_token_renewal(self) -> None:
        self.cloud.get(SERVICES, **cloud.fault('x', 401, 'Who?'))
        self.gateway.user_name()
        self.cloud.post(
            cloud.TOKENS, **cloud.fault('error', 503, 'Down\nfor good.')
        )
        with self.raises(exceptions.Unavailable, 'Down for good.*HTTP 503'):
            self.gateway.services()


class TimeoutTest(cloud.CloudTestCase):
    def _timeouts(self) -> set[float]:
        self.cloud.get(SERVICES, json={'services': []})
        service = cloud.service()
        self.cloud.put(
            f'{SERVICES}/{service["id"]}', json={'service': service}
        )
        self.cloud.post(f'{cloud.NOVA}/servers/vm1/action', status_code=202)
        self.gateway.services()
        self.gateway.enable(records.service(service))
        self.gateway.live_migrate('vm1')
        self.gateway.user_name()
        # Of the login and the discovery too.
        self.assertGreater(len(self.cloud.request_history), 5)
        return {r.timeout for r in self.cloud.request_history}

    def test_ours(self) -> None:
        self.assertEqual({timing.REQUEST_TIMEOUT_SECONDS}, self._timeouts())

    def test_of_clouds_yaml(self) -> None:
        self.gateway = gateway.Gateway(self.connect(api_timeout=7))
        self.assertEqual({7.0}, self._timeouts())


class CacheOfCloudsYamlTest(cloud.CloudTestCase):
    """openstacksdk may be told to keep answers; a loop must not see them."""

    CLOUDS = {
        'cache': {
            'class': 'dogpile.cache.memory',
            'expiration_time': 3600,
            'expiration': {'compute.server': 3600},
        },
        'clouds': {'prod': {'auth': cloud.AUTH}},
    }

    def test_answers_are_fresh(self) -> None:
        path = self.new_folder() / 'clouds.yaml'
        path.write_text(json.dumps(self.CLOUDS))
        statuses = ['MIGRATING', 'ACTIVE']
        self.cloud.get(
            f'{cloud.NOVA}/servers/vm1',
            [{'json': {'server': cloud.server(status=s)}} for s in statuses],
        )
        config = openstack.config.OpenStackConfig(
            config_files=[str(path)], load_envvars=False
        )
        conn = openstack.connection.Connection(
            config=config.get_one(cloud='prod')
        )
        self.addCleanup(conn.close)
        self.assertTrue(conn.cache_enabled)
        asking = gateway.Gateway(conn)
        seen = [asking.server('vm1').status for _tick in range(2)]
        self.assertEqual(statuses, seen)


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

    @unit.cases(('2.50', r'\b2\.59\b.*Nova.*\b2\.50\b'), ('', 'offers none'))
    def test_too_old(self, newest: str, words: str) -> None:
        for end in ('', '/'):
            self.cloud.get(cloud.NOVA + end, json=cloud.nova_versions(newest))
        with self.raises(exceptions.ApiTooOld, words):
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
