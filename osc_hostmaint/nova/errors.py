# SPDX-License-Identifier: Apache-2.0

"""The one place that turns other libraries' exceptions into ours."""

from collections import abc
import contextlib
import http
import re
import typing as ty

from keystoneauth1 import exceptions as ksa_exceptions
from openstack import exceptions as sdk_exceptions
import requests

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
_POLICY = re.compile(
    r"Policy (?:doesn't|does not) allow (\S+) to be performed"
)


#: An endpoint in the catalog may hold them: they are not for a screen.
_CREDENTIALS = re.compile(r'(\w://)[^/\s]*@')


@contextlib.contextmanager
def translated(doing: str, hint: str = '') -> abc.Iterator[None]:
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
        trace = error.status_code, error.request_id
        genuine = _json(error) is not None
        refused = _from_status(doing, details, *trace, genuine=genuine)
        if isinstance(refused, exceptions.Unavailable):
            refused.retry_after = _retry_after(error.response)
        raise refused from error
    except ksa_exceptions.HttpError as error:
        # Not an answer to our request: Keystone's, when a token was due.
        trace = error.http_status, error.request_id
        details = one_line(error.message)
        raise _from_status(doing, details, *trace, genuine=False) from error
    except (
        # In the middle of an answer.
        requests.exceptions.RequestException,
        ksa_exceptions.ConnectionError,
        ksa_exceptions.DiscoveryFailure,
        # A service in the catalog that does not say its versions, because
        # it does not answer.
        sdk_exceptions.NotSupported,
        sdk_exceptions.ServiceDiscoveryException,
    ) as error:
        words = {'doing': doing, 'error': one_line(error)}
        raise exceptions.Unavailable(
            _('%(doing)s: no answer: %(error)s') % words
        ) from error
    except (
        ksa_exceptions.ClientException,
        sdk_exceptions.SDKException,
    ) as error:
        raise exceptions.CloudError(f'{doing}: {one_line(error)}') from error


def _from_status(
    doing: str,
    details: str,
    status: int | None,
    request_id: str | None,
    *,
    genuine: bool,
) -> exceptions.CloudError:
    """Return the exception for an answer with an error.

    :param genuine: the service asked gave it, rather than Keystone or a
        proxy, whose 404 must not pass for "there is no such server".
    """
    trace = f', {one_line(request_id)}' if request_id else ''
    message = f'{doing}: {details} (HTTP {status}{trace})'
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
        case http.HTTPStatus.NOT_FOUND if genuine:
            return exceptions.NotFound(message)
        case http.HTTPStatus.TOO_MANY_REQUESTS:
            return exceptions.Unavailable(
                message, in_doubt=False, status=status
            )
        case http.HTTPStatus.BAD_REQUEST:
            untimely = any(words in details for words in _UNTIMELY)
            final = genuine and not untimely
            return exceptions.RequestRefused(message, final=final)
        case int() if status < 500 and status != http.HTTPStatus.NOT_FOUND:
            return exceptions.RequestRefused(message)
        case _:
            return exceptions.Unavailable(message, status=status)


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
    with contextlib.suppress(ValueError, RecursionError):
        return error.response.json()
    return None


def _retry_after(response: requests.Response | None) -> float | None:
    """Return the seconds that an answer asks to wait, if it does.

    A date, which is also allowed, is of a clock that we do not know.
    """
    asked = '' if response is None else response.headers.get('Retry-After', '')
    return float(asked) if asked.isdecimal() else None


def one_line(error: object) -> str:
    """Return words of others' as one harmless line."""
    words = text.printable(' '.join(str(error).split())).rstrip('. ')
    words = _CREDENTIALS.sub(r'\1', words)
    if len(words) > MAX_LENGTH:
        return words[: MAX_LENGTH - 1] + '…'
    return words
