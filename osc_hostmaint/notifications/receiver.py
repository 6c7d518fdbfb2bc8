# SPDX-License-Identifier: Apache-2.0

"""Receivers that events are posted to, whatever they answer."""

import contextlib
import hashlib
import hmac
from http import cookiejar
import importlib.metadata
import logging
import urllib.parse

from cloudevents.core.bindings import http
from cloudevents.core.formats import json as formats
import requests
from requests import auth

from osc_hostmaint.i18n import _
from osc_hostmaint.notifications import cloud_events
from osc_hostmaint.notifications import delivery
from osc_hostmaint.notifications import url as urls
from osc_hostmaint.planning import timing

NotDelivered = delivery.NotDelivered

#: As GitHub's webhooks have it, so that many receivers can check it.
SIGNATURE = 'X-Hub-Signature-256'

#: Of an answer after which the same request may succeed.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Bytes of an answer that are read: the connection is used again.
_SHORT = 4096
#: Of a redirect after which the event itself is posted once more.
_REDIRECTS = frozenset({307, 308})


class Receiver:
    """Posts events to a URL."""

    def __init__(
        self, url: str, *, cacert: str | None = None, secret: str = ''
    ):
        """:param url: ``http`` or ``https``, perhaps with a user in it.

        :param cacert: a file of CA certificates; None: those that requests
            uses.
        :param secret: signs what is posted; '' signs nothing.
        :raises ValueError: it is no such URL.
        """
        self._url, credentials = urls.split(url)
        self.name = urls.origin(self._url)
        self._verify = cacert or True
        self._secret = secret.encode()
        self._session = _Session()
        version = importlib.metadata.version('osc-hostmaint')
        self._session.headers['User-Agent'] = f'osc-hostmaint/{version}'
        nothing = cookiejar.DefaultCookiePolicy(allowed_domains=())
        self._session.cookies.set_policy(nothing)
        self._auth: auth.AuthBase = _Anonymous()
        if credentials:
            user, password = (each.encode() for each in credentials)
            self._auth = auth.HTTPBasicAuth(user, password)

    def deliver(self, event: cloud_events.CloudEvent) -> None:
        """Post an event.

        :raises NotDelivered: it was not, or perhaps not.
        """
        message = http.to_structured(event, formats.JSONFormat())
        headers = {**message.headers}
        if self._secret:
            digest = hmac.new(self._secret, message.body, hashlib.sha256)
            headers[SIGNATURE] = f'sha256={digest.hexdigest()}'
        url = self._url
        for _attempt in range(timing.REDIRECT_TRIES):
            answer = self._post(url, message.body, headers)
            if answer.status_code not in _REDIRECTS:
                break
            url = self._redirected(url, answer)
        _check(answer)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _post(
        self, url: str, body: bytes, headers: dict[str, str]
    ) -> requests.Response:
        """Return an answer; its body may have no end, and does not count."""
        times = timing.NOTIFY_CONNECT_SECONDS, timing.NOTIFY_ANSWER_SECONDS
        try:
            with self._session.post(
                url,
                data=body,
                headers=headers,
                auth=self._auth,
                verify=self._verify,
                timeout=times,
                allow_redirects=False,
                stream=True,
            ) as answer:
                length = answer.raw.length_remaining
                if length is not None and length <= _SHORT:
                    # Then the connection is good for the next event.
                    with contextlib.suppress(requests.RequestException):
                        _ = answer.content
                return answer
        except requests.exceptions.SSLError as error:
            # The same certificate will be shown again.
            raise NotDelivered(_reason(error)) from error
        except (requests.RequestException, OSError, ValueError) as error:
            raise NotDelivered(_reason(error), again=True) from error

    def _redirected(self, url: str, answer: requests.Response) -> str:
        """Return where to post an event instead.

        :raises NotDelivered: on another server, or nowhere.
        """
        location = answer.headers.get('Location', '')
        with contextlib.suppress(ValueError):
            where = urls.split(urllib.parse.urljoin(url, location))[0]
            if urls.origin(where) == self.name:
                return where
        raise NotDelivered(_('it redirects to another server'))


class _Session(requests.Session):
    """Leaves redirects to us: requests reads the body of one to its end."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Find none."""


class _Anonymous(auth.AuthBase):
    """No user: without this, requests looks for one in ``~/.netrc``."""

    def __call__(
        self, request: requests.PreparedRequest
    ) -> requests.PreparedRequest:
        return request


def _check(answer: requests.Response) -> None:
    """Check that a receiver has taken an event.

    :raises NotDelivered: it has not.
    """
    status = answer.status_code
    if 200 <= status < 300:
        return
    reason = _('it answers HTTP %d') % status
    if status not in _PASSING:
        raise NotDelivered(reason)
    wanted = answer.headers.get('Retry-After', '')
    after = float(wanted) if wanted.isdecimal() else None
    raise NotDelivered(reason, again=True, after=after)


def _reason(error: Exception) -> str:
    """Return what went wrong, without the URL, which the error repeats."""
    if isinstance(error, requests.exceptions.SSLError):
        return _('no TLS, or its certificate is not valid here')
    if isinstance(error, requests.exceptions.ProxyError):
        return _('the proxy does not answer')
    if isinstance(error, requests.exceptions.Timeout):
        return _('it does not answer in time')
    if isinstance(error, requests.exceptions.ConnectionError):
        return _('the connection fails')
    return _('its answer makes no sense (%s)') % type(error).__name__


class _Quiet(logging.Filter):
    """Leaves out what urllib3 says of our requests: it has their paths."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != delivery.THREAD


for _name in ('urllib3.connectionpool', 'urllib3.util.retry'):
    logging.getLogger(_name).addFilter(_Quiet())
