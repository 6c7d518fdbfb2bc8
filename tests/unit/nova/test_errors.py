# SPDX-License-Identifier: Apache-2.0

"""Errors of the cloud, each as the right exception and one line."""

import typing as ty

from keystoneauth1 import exceptions as ksa_exceptions
from openstack import exceptions as sdk_exceptions

from osc_hostmaint import exceptions
from osc_hostmaint.nova import errors
from tests import unit
from tests.unit.nova import cloud

SERVICES = f'{cloud.NOVA}/os-services'
PROVIDERS = f'{cloud.PLACEMENT}/resource_providers'
ACTION = f'{cloud.NOVA}/servers/vm1/action'

NOT_PERMITTED = exceptions.NotPermitted
REFUSED = exceptions.RequestRefused
UNAVAILABLE = exceptions.Unavailable

POLICY = (
    "Policy doesn't allow os_compute_api:os-services:list to be performed."
)
UNEXPECTED = (
    'Unexpected API Error. Please report this at '
    'https://bugs.launchpad.net/nova/ and attach the Nova API log if '
    "possible.{}<class 'oslo_db.exception.DBConnectionError'>"
)
NGINX = (
    '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n'
    '<center><h1>502 Bad Gateway</h1></center>\r\n'
    '<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n'
)
#: What a message ends with, by the status.
HINTS = {
    401: ': log in again, or check your clouds.yaml',
    403: ': ask for a role that this policy allows',
}


def page(status: int, text: str) -> dict[str, ty.Any]:
    """Return a proxy's page, as keyword arguments for requests-mock."""
    return of_type('text/html', status_code=status, text=text)


def of_type(content_type: str, **answer: ty.Any) -> dict[str, ty.Any]:
    return {**answer, 'headers': {'Content-Type': content_type}}


class AnswerTest(cloud.CloudTestCase):
    def assert_raised(self, kind, status, words, trace=''):
        with self.raises(exceptions.CloudError) as caught:
            self.gateway.services()
        # Not a kind of its own: what is caught by kind, and what is not.
        self.assertIs(kind, type(caught.exception))
        self.assertEqual(
            f'Nova: GET /os-services: {words} (HTTP {status}{trace})'
            + HINTS.get(status, ''),
            str(caught.exception),
        )

    @unit.cases(
        (401, NOT_PERMITTED, 'The request you have made requires a login'),
        (403, NOT_PERMITTED, POLICY[:-1]),
        (404, exceptions.NotFound, 'Compute host x could not be found'),
        (409, REFUSED, "Cannot 'os-migrateLive' instance vm1 while stopped"),
        (400, REFUSED, 'Compute service of cmp01 is still in use'),
        (413, REFUSED, 'Quota exceeded'),
        (429, UNAVAILABLE, 'Slow down'),
        (409, REFUSED, 'No space at the end .', 'No space at the end'),
        (400, REFUSED, 'Сервер не найден 服务器'),
        (500, UNAVAILABLE, UNEXPECTED.format('\n'), UNEXPECTED.format(' ')),
        (
            *(400, REFUSED),
            'x\x1b]0;owned\x07\r\nvm \u202ecod\u200b.exe\x9b31m',
            'x\\x1b]0;owned\\x07 vm \\u202ecod\\u200b.exe\\x9b31m',
        ),
    )
    def test_what_nova_says_is_told(self, status, kind, words, told=''):
        for end in ('', '.'):
            answer = cloud.fault('aFault', status, words + end)
            self.cloud.get(SERVICES, **answer)
            trace = f', {cloud.REQUEST_ID}'
            self.assert_raised(kind, status, told or words, trace)

    @unit.cases(
        (502, UNAVAILABLE, page(502, NGINX), '502 Bad Gateway: nginx'),
        (
            # Not Nova's word: it must not pass for a deleted server.
            *(404, UNAVAILABLE),
            page(404, '<html><body>\n<h1>Not Found</h1>\n</body></html>'),
            'Not Found',
        ),
        (
            *(403, NOT_PERMITTED),
            page(403, '<html><body>\n<h1>WAF\x1b[1m</h1>\n</body></html>'),
            'WAF\\x1b[1m',
        ),
        (500, UNAVAILABLE, {}, 'The Reason'),
        (
            *(503, UNAVAILABLE),
            of_type('text/plain', text='upstream\nconnect error'),
            'The Reason',
        ),
        # JSON that is none, and JSON of another shape.
        (
            *(400, REFUSED),
            of_type('application/json', text='{"badRequest":\n'),
            '{"badRequest":',
        ),
        (
            *(400, REFUSED),
            of_type('application/json', json={'errors': ['x']}),
            'The Reason',
        ),
    )
    def test_others(self, status, kind, answer, told):
        answer = {'status_code': status, 'reason': 'The Reason', **answer}
        self.cloud.get(SERVICES, **answer)
        self.assert_raised(kind, status, told)

    def test_policy_is_known(self) -> None:
        self.cloud.get(SERVICES, **cloud.fault('forbidden', 403, POLICY))
        with self.raises(NOT_PERMITTED) as caught:
            self.gateway.services()
        self.assertEqual(
            'os_compute_api:os-services:list', caught.exception.policy
        )

    def test_endless_page(self) -> None:
        self.cloud.get(SERVICES, **page(400, 'word ' * 100_000))
        with self.raises(REFUSED, r'word.*… \(HTTP 400\)'):
            self.gateway.services()

    def test_no_reason_phrase(self) -> None:
        # HTTP/2 has none, and a gateway may pass that on.
        self.cloud.get(SERVICES, status_code=500)
        with self.raises(
            UNAVAILABLE, r'Nova: GET /os-services: .*\(HTTP 500\)'
        ):
            self.gateway.services()

    def test_hostile_request_id(self) -> None:
        answer = cloud.fault('x', 400, 'No.')
        answer['headers']['X-Openstack-Request-Id'] = 'req-\x1b[31m'
        self.cloud.get(SERVICES, **answer)
        self.assert_raised(REFUSED, 400, 'No', ', req-\\x1b[31m')


class PlacementTest(cloud.CloudTestCase):
    @unit.cases(
        (
            *(403, NOT_PERMITTED, 'Forbidden'),
            'Access was denied to this resource.\n\n placement:allocations ',
            'Access was denied to this resource. placement:allocations',
        ),
        (
            *(404, exceptions.NotFound, 'Not Found'),
            "The resource could not be found.\n\n Resource provider 'p' not "
            'found: No resource provider with uuid p found  ',
            "The resource could not be found. Resource provider 'p' not "
            'found: No resource provider with uuid p found',
        ),
        (
            *(500, UNAVAILABLE, 'Internal Server Error'),
            'The server has either erred\x1b or is incapable',
            'The server has either erred\\x1b or is incapable',
        ),
    )
    def test_its_own_form(self, status, kind, title, detail, told):
        nodes = [cloud.hypervisor(1, 'cmp01')]
        self.answer('/os-hypervisors/detail', hypervisors=nodes)
        self.cloud.get(PROVIDERS, json=cloud.tree('provider-1'))
        error = {'status': status, 'title': title, 'detail': detail}
        error['request_id'] = cloud.REQUEST_ID
        answer = cloud.fault('x', status, '')
        answer |= {'reason': title, 'json': {'errors': [error]}}
        self.cloud.get(f'{PROVIDERS}/provider-1/allocations', **answer)
        with self.raises(exceptions.CloudError) as caught:
            self.gateway.allocations('cmp01')
        self.assertIs(kind, type(caught.exception))
        self.assertEqual(
            'Placement: GET /resource_providers/provider-1/allocations: '
            f'{told} (HTTP {status}, {cloud.REQUEST_ID})'
            + HINTS.get(status, ''),
            str(caught.exception),
        )

    def test_policy_is_known(self) -> None:
        nodes = [cloud.hypervisor(1, 'cmp01')]
        self.answer('/os-hypervisors/detail', hypervisors=nodes)
        detail = (
            'Access was denied to this resource.\n\n Policy does not allow '
            'placement:resource_providers:list to be performed.  '
        )
        answer = cloud.fault('x', 403, '')
        answer['json'] = {'errors': [{'status': 403, 'detail': detail}]}
        self.cloud.get(PROVIDERS, **answer)
        with self.raises(NOT_PERMITTED) as caught:
            self.gateway.allocations('cmp01')
        self.assertEqual(
            'placement:resource_providers:list', caught.exception.policy
        )


class TranslatedTest(cloud.CloudTestCase):
    """What no request here brings about, but the libraries may raise."""

    @unit.named_cases(
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
            self.raises(exceptions.CloudError, '^Doing this: ') as caught,
            errors.translated('Doing this'),
        ):
            raise error
        self.assertIs(error, caught.exception.__cause__)

    @unit.cases(
        sdk_exceptions.NotSupported('a\nb'),
        sdk_exceptions.ServiceDiscoveryException('a\nb'),
        ksa_exceptions.DiscoveryFailure('a\nb'),
    )
    def test_no_versions_are_no_answer(self, error: Exception) -> None:
        with (
            self.raises(
                exceptions.Unavailable, '^Doing this: no answer: a b$'
            ),
            errors.translated('Doing this'),
        ):
            raise error

    @unit.cases(KeyboardInterrupt(), ValueError('a bug'))
    def test_other_exceptions_are_not_translated(self, error):
        with self.assertRaises(type(error)), errors.translated('Doing this'):
            raise error


class RefusalTest(cloud.CloudTestCase):
    """Whether asking again is any use. Nova's own words."""

    def _refused(self, answer: dict[str, ty.Any]) -> bool:
        self.cloud.post(ACTION, **answer)
        with self.raises(exceptions.RequestRefused) as caught:
            self.gateway.live_migrate('vm1')
        return caught.exception.final

    @unit.cases(
        'Compute host nowhere could not be found.',
        'Cannot migrate to the host where the server exists.',
        'Invalid input for field/attribute host. Value: bad host!.',
        "The target host can't be the same one.",
        'Feature not supported with instances that have accelerators.',
    )
    def test_impossible(self, words: str) -> None:
        self.assertTrue(self._refused(cloud.fault('badRequest', 400, words)))

    @unit.cases(
        # `migrate` of old releases; now the record says it.
        'No valid host was found. No valid host found for cold migrate',
        'Instance has not been resized.',
        'Compute service of cmp01 is still in use.',
        'Migration 2 state of instance vm1 is queued. Cannot force complete '
        'while the migration is in this state.',
    )
    def test_bad_moment(self, words: str) -> None:
        self.assertFalse(self._refused(cloud.fault('badRequest', 400, words)))

    @unit.cases(402, 405, 409, 412, 413)
    def test_other_statuses(self, status: int) -> None:
        answer = cloud.fault('x', status, 'Compute host not found.')
        self.assertFalse(self._refused(answer))

    def test_not_novas_word(self) -> None:
        self.assertFalse(
            self._refused({'status_code': 400, 'text': '<h1>Bad Request</h1>'})
        )

    def test_keystones_word(self) -> None:
        self.cloud.post(ACTION, **cloud.fault('x', 401, 'Who?'))
        self.gateway.user_name()  # Logged in.
        fault = cloud.fault('error', 400, 'Expecting to find domain.')
        self.cloud.post(cloud.TOKENS, **fault)
        with self.raises(exceptions.RequestRefused) as caught:
            self.gateway.live_migrate('vm1')
        self.assertFalse(caught.exception.final)
