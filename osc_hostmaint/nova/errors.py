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

"""The one place that turns other libraries' exceptions into ours."""

import collections.abc
import contextlib
import http

from keystoneauth1 import exceptions as ksa_exceptions
from openstack import exceptions as sdk_exceptions

from osc_hostmaint import exceptions
from osc_hostmaint import text
from osc_hostmaint.i18n import _


@contextlib.contextmanager
def translated(doing: str) -> collections.abc.Iterator[None]:
    """Turn errors of openstacksdk and keystoneauth1 into ours.

    :param doing: what was being done, to begin the message with.
    :raises CloudError: of the kind that fits.
    """
    try:
        yield
    except sdk_exceptions.HttpException as error:
        raise _from_status(
            doing, error.status_code, _details(error), error.request_id
        ) from error
    except ksa_exceptions.HttpError as error:
        # Not an answer to our request: Keystone's, when a token was due.
        raise _from_status(
            doing, error.http_status, str(error.message), error.request_id
        ) from error
    except (
        ksa_exceptions.ConnectionError,
        ksa_exceptions.DiscoveryFailure,
    ) as error:
        raise exceptions.Unavailable(
            _('%(doing)s: no answer: %(error)s')
            % {'doing': doing, 'error': _one_line(error)}
        ) from error
    except (
        ksa_exceptions.ClientException,
        sdk_exceptions.SDKException,
    ) as error:
        raise exceptions.CloudError(f'{doing}: {_one_line(error)}') from error


def _from_status(
    doing: str, status: int | None, details: str, request_id: str | None
) -> exceptions.CloudError:
    trace = f'HTTP {status}'
    if request_id:
        trace += f', {request_id}'
    message = f'{doing}: {details} ({trace})'
    match status:
        case http.HTTPStatus.UNAUTHORIZED:
            return exceptions.NotPermitted(
                _('%s: log in again, or look at your clouds.yaml') % message
            )
        case http.HTTPStatus.FORBIDDEN:
            return exceptions.NotPermitted(
                _('%s: ask for a role that this policy allows') % message
            )
        case http.HTTPStatus.NOT_FOUND:
            return exceptions.NotFound(message)
        case http.HTTPStatus.TOO_MANY_REQUESTS:
            return exceptions.Unavailable(message, in_doubt=False)
        case None:
            return exceptions.Unavailable(message)
        case _ if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            return exceptions.Unavailable(message)
        case _:
            return exceptions.RequestRefused(message)


def _details(error: sdk_exceptions.HttpException) -> str:
    """Return the service's own words."""
    found = error.details
    if not found and error.response is not None:
        # Placement's form (API-WG guidelines) is not one the SDK knows.
        with contextlib.suppress(ValueError, LookupError, TypeError):
            found = error.response.json()['errors'][0]['detail']
    if not found and error.response is not None:
        found = error.response.reason
    return _one_line(found or error)


def _one_line(error: object) -> str:
    return text.printable(' '.join(str(error).split())).rstrip('.')
