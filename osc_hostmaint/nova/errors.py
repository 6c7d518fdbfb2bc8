# SPDX-License-Identifier: Apache-2.0

"""The one place that turns other libraries' exceptions into ours."""

import collections.abc
import contextlib
import http
import re
import typing as ty

from keystoneauth1 import exceptions as ksa_exceptions
from openstack import exceptions as sdk_exceptions

from osc_hostmaint import exceptions
from osc_hostmaint import text
from osc_hostmaint.i18n import _

#: A service's own words are cut there: an error page may be a long one.
MAX_LENGTH = 1000

#: Words of Nova's with which a 400 is about the moment: no host has room
#: (``migrate`` of old releases), an abort or a forced completion too early,
#: a confirmation too early or too late, an evacuation off a host that lives.
_UNTIMELY = (
    'No valid host was found',
    'while the migration is in this state',
    'Instance has not been resized',
    'is still in use',
)
#: How a service names the policy that does not allow a request.
_POLICY = re.compile(r"Policy doesn't allow (\S+) to be performed")


@contextlib.contextmanager
def translated(doing: str, hint: str = '') -> collections.abc.Iterator[None]:
    """Turn errors of openstacksdk and keystoneauth1 into ours.

    :param doing: what was being done, to begin the message with.
    :param hint: why the service may fail.
    :raises CloudError: of the kind that fits.
    """
    try:
        yield
    except sdk_exceptions.HttpException as error:
        details = _details(error)
        if hint and error.status_code == http.HTTPStatus.INTERNAL_SERVER_ERROR:
            details = f'{details}; {hint}'
        raise _from_status(
            doing,
            error.status_code,
            details,
            error.request_id,
            by_service=_json(error) is not None,
        ) from error
    except ksa_exceptions.HttpError as error:
        # Not an answer to our request: Keystone's, when a token was due.
        raise _from_status(
            doing,
            error.http_status,
            one_line(error.message),
            error.request_id,
            by_service=False,
        ) from error
    except (
        ksa_exceptions.ConnectionError,
        ksa_exceptions.DiscoveryFailure,
        # A service in the catalog that does not say its versions, because
        # it does not answer.
        sdk_exceptions.NotSupported,
        sdk_exceptions.ServiceDiscoveryException,
    ) as error:
        raise exceptions.Unavailable(
            _('%(doing)s: no answer: %(error)s')
            % {'doing': doing, 'error': one_line(error)}
        ) from error
    except (
        ksa_exceptions.ClientException,
        sdk_exceptions.SDKException,
    ) as error:
        raise exceptions.CloudError(f'{doing}: {one_line(error)}') from error


def _from_status(
    doing: str,
    status: int | None,
    details: str,
    request_id: str | None,
    *,
    by_service: bool,
) -> exceptions.CloudError:
    """Return the exception for an answer with an error.

    :param by_service: the service asked gave it, rather than Keystone or a
        proxy, whose 404 must not pass for "there is no such server".
    """
    trace = f'HTTP {status}'
    if request_id:
        trace += f', {one_line(request_id)}'
    message = f'{doing}: {details} ({trace})'
    match status:
        case http.HTTPStatus.UNAUTHORIZED:
            return exceptions.NotPermitted(
                _('%s: log in again, or check your clouds.yaml') % message
            )
        case http.HTTPStatus.FORBIDDEN:
            named = _POLICY.search(details)
            return exceptions.NotPermitted(
                _('%s: ask for a role that this policy allows') % message,
                policy=named[1] if named else '',
            )
        case http.HTTPStatus.NOT_FOUND if by_service:
            return exceptions.NotFound(message)
        case http.HTTPStatus.TOO_MANY_REQUESTS:
            return exceptions.Unavailable(message, in_doubt=False)
        case None | http.HTTPStatus.NOT_FOUND:
            return exceptions.Unavailable(message)
        case _ if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            return exceptions.Unavailable(message)
        case _:
            return exceptions.RequestRefused(
                message,
                final=by_service
                and status == http.HTTPStatus.BAD_REQUEST
                and not any(words in details for words in _UNTIMELY),
            )


def _details(error: sdk_exceptions.HttpException) -> str:
    """Return the service's own words."""
    # Placement's form (API-WG guidelines) is not one the SDK knows: it then
    # gives the reason phrase, or nothing.
    with contextlib.suppress(LookupError, TypeError):
        return one_line(_json(error)['errors'][0]['detail'])
    return one_line(error.details or error)


def _json(error: sdk_exceptions.HttpException) -> ty.Any:
    """Return what the answer says, None where it is no JSON."""
    if error.response is None:
        return None
    with contextlib.suppress(ValueError):
        return error.response.json()
    return None


def one_line(error: object) -> str:
    """Return words of others' as one harmless line."""
    words = text.printable(' '.join(str(error).split())).rstrip('.')
    if len(words) > MAX_LENGTH:
        return words[: MAX_LENGTH - 1] + '…'
    return words
