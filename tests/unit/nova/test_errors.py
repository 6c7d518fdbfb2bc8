# SPDX-License-Identifier: Apache-2.0

"""Errors of the cloud, each as the right exception and one line."""

import typing as ty

import ddt
from keystoneauth1 import exceptions as ksa_exceptions
from openstack import exceptions as sdk_exceptions

from osc_hostmaint import exceptions
from osc_hostmaint.nova import errors
from tests.unit.nova import cloud

SERVICES = f'{cloud.NOVA}/os-services'

PROVIDERS = f'{cloud.PLACEMENT}/resource_providers'
ALLOCATIONS = f'{PROVIDERS}/provider-1/allocations'


POLICY = (
    "Policy doesn't allow os_compute_api:os-services:list to be performed."
)
NGINX = (
    '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n'
    '<center><h1>502 Bad Gateway</h1></center>\r\n'
    '<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n'
)


def page(status: int, text: str) -> dict[str, ty.Any]:
    """Return a proxy's page, as keyword arguments for requests-mock."""
    return {
        'status_code': status,
        'text': text,
        'headers': {'Content-Type': 'text/html'},
    }


def placement_error(status: int, title: str, detail: str) -> dict[str, ty.Any]:
    """Return an error of Placement's, as it forms them."""
    return {
        'status_code': status,
        'reason': title,
        'json': {
            'errors': [
                {
                    'status': status,
                    'title': title,
                    'detail': detail,
                    'request_id': cloud.REQUEST_ID,
                }
            ]
        },
        'headers': {
            'Content-Type': 'application/json',
            'X-Openstack-Request-Id': cloud.REQUEST_ID,
        },
    }


@ddt.ddt
class AnswerTest(cloud.CloudTestCase):
    def assert_raised(
        self,
        kind: type[exceptions.CloudError],
        message: str,
    ) -> None:
        with self.assertRaises(exceptions.CloudError) as caught:
            self.gateway.services()
        # Not a kind of its own: what is caught by kind, and what is not.
        self.assertIs(kind, type(caught.exception))
        self.assertEqual(message, str(caught.exception))
        self.assert_one_line(caught.exception)

    @ddt.unpack
    @ddt.named_data(
        (
            'unauthorized',
            401,
            'The request you have made requires authentication.',
            exceptions.NotPermitted,
            'The request you have made requires authentication (HTTP 401, '
            '{id}): log in again, or check your clouds.yaml',
        ),
        (
            'forbidden',
            403,
            POLICY,
            exceptions.NotPermitted,
            f'{POLICY[:-1]} (HTTP 403, {{id}}): ask for a role that this '
            'policy allows',
        ),
        (
            'server_error',
            500,
            'Unexpected API Error. Please report this at '
            'https://bugs.launchpad.net/nova/ and attach the Nova API log if '
            "possible.\n<class 'oslo_db.exception.DBConnectionError'>",
            exceptions.Unavailable,
            'Unexpected API Error. Please report this at '
            'https://bugs.launchpad.net/nova/ and attach the Nova API log if '
            "possible. <class 'oslo_db.exception.DBConnectionError'> "
            '(HTTP 500, {id})',
        ),
        (
            'hostile',
            400,
            'x\x1b]0;owned\x07\r\nvm \u202ecod\u200b.exe\x9b31m\n\n',
            exceptions.RequestRefused,
            'x\\x1b]0;owned\\x07 vm \\u202ecod\\u200b.exe\\x9b31m '
            '(HTTP 400, {id})',
        ),
    )
    def test_nova(
        self,
        status: int,
        words: str,
        kind: type[exceptions.CloudError],
        expected: str,
    ) -> None:
        self.cloud.get(SERVICES, **cloud.fault('aFault', status, words))
        self.assert_raised(
            kind,
            'Nova: GET /os-services: ' + expected.format(id=cloud.REQUEST_ID),
        )

    @ddt.data(
        (404, exceptions.NotFound, 'Compute host x could not be found'),
        (
            409,
            exceptions.RequestRefused,
            "Cannot 'os-migrateLive' instance vm1 while it is in vm_state "
            'stopped',
        ),
        (
            400,
            exceptions.RequestRefused,
            'Compute service of cmp01 is still in use',
        ),
        (413, exceptions.RequestRefused, 'Quota exceeded'),
        (429, exceptions.Unavailable, 'Slow down'),
        (400, exceptions.RequestRefused, 'Сервер не найден 服务器'),
    )
    @ddt.unpack
    def test_what_nova_says_is_told(
        self, status: int, kind: type[exceptions.CloudError], words: str
    ) -> None:
        for end in ('', '.'):
            self.cloud.get(
                SERVICES, **cloud.fault('aFault', status, words + end)
            )
            self.assert_raised(
                kind,
                f'Nova: GET /os-services: {words} '
                f'(HTTP {status}, {cloud.REQUEST_ID})',
            )

    @ddt.unpack
    @ddt.named_data(
        (
            'nginx',
            page(502, NGINX),
            exceptions.Unavailable,
            '502 Bad Gateway: nginx (HTTP 502)',
        ),
        (
            'not_found',
            page(404, '<html><body>\n<h1>Not Found</h1>\n</body></html>'),
            # Not Nova's word: it must not pass for a deleted server.
            exceptions.Unavailable,
            'Not Found (HTTP 404)',
        ),
        (
            'forbidden',
            page(403, '<html><body>\n<h1>WAF\x1b[1m</h1>\n</body></html>'),
            exceptions.NotPermitted,
            'WAF\\x1b[1m (HTTP 403): ask for a role that this policy allows',
        ),
        (
            'empty_body',
            {'status_code': 500, 'reason': 'Internal Server Error'},
            exceptions.Unavailable,
            'Internal Server Error (HTTP 500)',
        ),
        (
            'text',
            {
                'status_code': 503,
                'reason': 'Service Unavailable',
                'text': 'upstream\nconnect error',
                'headers': {'Content-Type': 'text/plain'},
            },
            exceptions.Unavailable,
            'Service Unavailable (HTTP 503)',
        ),
        (
            'json_that_is_none',
            {
                'status_code': 400,
                'reason': 'Bad Request',
                'text': '{"badRequest":\n',
                'headers': {'Content-Type': 'application/json'},
            },
            exceptions.RequestRefused,
            '{{"badRequest": (HTTP 400)',
        ),
        (
            'json_of_another_shape',
            {
                'status_code': 400,
                'reason': 'Bad Request',
                'json': {'errors': ['x']},
                'headers': {'Content-Type': 'application/json'},
            },
            exceptions.RequestRefused,
            'Bad Request (HTTP 400)',
        ),
    )
    def test_others(
        self,
        answer: dict[str, ty.Any],
        kind: type[exceptions.CloudError],
        expected: str,
    ) -> None:
        self.cloud.get(SERVICES, **answer)
        self.assert_raised(
            kind, 'Nova: GET /os-services: ' + expected.format()
        )

    def test_policy_is_known(self) -> None:
        self.cloud.get(SERVICES, **cloud.fault('forbidden', 403, POLICY))
        with self.assertRaises(exceptions.NotPermitted) as caught:
            self.gateway.services()
        self.assertEqual(
            'os_compute_api:os-services:list', caught.exception.policy
        )

    def test_endless_page(self) -> None:
        self.cloud.get(SERVICES, **page(400, 'word ' * 100_000))
        with self.assertRaisesRegex(
            exceptions.RequestRefused, r'word.*… \(HTTP 400\)'
        ) as caught:
            self.gateway.services()
        self.assert_one_line(caught.exception)

    def test_no_reason_phrase(self) -> None:
        # HTTP/2 has none, and a gateway may pass that on.
        self.cloud.get(SERVICES, status_code=500)
        with self.assertRaisesRegex(
            exceptions.Unavailable, r'Nova: GET /os-services: .*\(HTTP 500\)'
        ) as caught:
            self.gateway.services()
        self.assert_one_line(caught.exception)

    def test_hostile_request_id(self) -> None:
        answer = cloud.fault('x', 400, 'No.')
        answer['headers']['X-Openstack-Request-Id'] = 'req-\x1b[31m'
        self.cloud.get(SERVICES, **answer)
        self.assert_raised(
            exceptions.RequestRefused,
            'Nova: GET /os-services: No (HTTP 400, req-\\x1b[31m)',
        )


@ddt.ddt
class PlacementTest(cloud.CloudTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cloud.get(
            f'{cloud.NOVA}/os-hypervisors/detail',
            json={'hypervisors': [cloud.hypervisor(1, 'cmp01')]},
        )

    @ddt.unpack
    @ddt.named_data(
        (
            'forbidden',
            403,
            'Forbidden',
            'Access was denied to this resource.\n\n placement:allocations ',
            exceptions.NotPermitted,
            'Access was denied to this resource. placement:allocations '
            '(HTTP 403, {id}): ask for a role that this policy allows',
        ),
        (
            'not_found',
            404,
            'Not Found',
            "The resource could not be found.\n\n Resource provider 'p' not "
            'found: No resource provider with uuid p found  ',
            exceptions.NotFound,
            "The resource could not be found. Resource provider 'p' not "
            'found: No resource provider with uuid p found (HTTP 404, {id})',
        ),
        (
            'server_error',
            500,
            'Internal Server Error',
            'The server has either erred\x1b or is incapable',
            exceptions.Unavailable,
            'The server has either erred\\x1b or is incapable '
            '(HTTP 500, {id})',
        ),
    )
    def test_its_own_form(
        self,
        status: int,
        title: str,
        detail: str,
        kind: type[exceptions.CloudError],
        expected: str,
    ) -> None:
        self.cloud.get(PROVIDERS, json=cloud.tree('provider-1'))
        self.cloud.get(ALLOCATIONS, **placement_error(status, title, detail))
        with self.assertRaises(exceptions.CloudError) as caught:
            self.gateway.allocations('cmp01')
        self.assertIs(kind, type(caught.exception))
        self.assertEqual(
            'Placement: GET /resource_providers/provider-1/allocations: '
            + expected.format(id=cloud.REQUEST_ID),
            str(caught.exception),
        )


@ddt.ddt
class TranslatedTest(cloud.CloudTestCase):
    """What no request here brings about, but the libraries may raise."""

    @ddt.unpack
    @ddt.named_data(
        ('sdk', sdk_exceptions.SDKException('a\nb')),
        ('sdk_config', sdk_exceptions.ConfigException('a\nb')),
        ('sdk_http', sdk_exceptions.HttpException('a\nb')),
        ('auth', ksa_exceptions.AuthorizationFailure('a\nb')),
        ('auth_options', ksa_exceptions.MissingRequiredOptions([])),
        ('no_plugin', ksa_exceptions.MissingAuthPlugin('a\nb')),
        ('endpoint', ksa_exceptions.EndpointNotFound('a\nb')),
        ('discovery', ksa_exceptions.DiscoveryFailure('a\nb')),
        ('keystone', ksa_exceptions.Unauthorized('a\nb')),
        ('keystone_hates_us', ksa_exceptions.HttpError('a\nb')),
        ('answer', ksa_exceptions.InvalidResponse(response=None)),
        ('tls', ksa_exceptions.SSLError('a\nb')),
    )
    def test_kind(self, error: Exception) -> None:
        with (
            self.assertRaises(exceptions.CloudError) as caught,
            errors.translated('Doing this'),
        ):
            raise error
        self.assertRegex(str(caught.exception), '^Doing this: ')
        self.assertIs(error, caught.exception.__cause__)
        self.assert_one_line(caught.exception)

    @ddt.data(
        sdk_exceptions.NotSupported('a\nb'),
        sdk_exceptions.ServiceDiscoveryException('a\nb'),
        ksa_exceptions.DiscoveryFailure('a\nb'),
    )
    def test_no_versions_are_no_answer(self, error: Exception) -> None:
        with (
            self.assertRaisesRegex(
                exceptions.Unavailable, '^Doing this: no answer: a b$'
            ),
            errors.translated('Doing this'),
        ):
            raise error

    @ddt.data(KeyboardInterrupt(), ValueError('a bug'))
    def test_other_exceptions_are_not_translated(
        self, error: BaseException
    ) -> None:
        with (
            self.assertRaises(type(error)),
            errors.translated('Doing this'),
        ):
            raise error
