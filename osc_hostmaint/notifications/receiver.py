# SPDX-License-Identifier: Apache-2.0

"""Receivers that events are posted to, whatever they answer."""

import contextlib
import hashlib
import hmac
from http import cookiejar
import importlib.metadata
import logging
import os
import socket
import threading
import typing as ty
import urllib.parse

from cloudevents.core.bindings import http
from cloudevents.core.formats import json as formats
import requests
from requests import adapters
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
        self._secret = os.fsencode(secret)
        self._connections = _Connections()
        self._session = _Session()
        for scheme in ('http://', 'https://'):
            self._session.mount(scheme, self._connections)
        version = importlib.metadata.version('osc-hostmaint')
        self._session.headers['User-Agent'] = f'osc-hostmaint/{version}'
        self._session.headers['Accept-Encoding'] = 'identity'
        nothing = cookiejar.DefaultCookiePolicy(allowed_domains=())
        self._session.cookies.set_policy(nothing)
        self._auth: auth.AuthBase = _Anonymous()
        if credentials:
            user, password = map(os.fsencode, credentials)
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
                _check(answer)
                return
            url = self._redirected(url, answer)
        raise NotDelivered(_('it redirects too often'))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _post(
        self, url: str, body: bytes, headers: dict[str, str]
    ) -> requests.Response:
        """Return an answer; its body may have no end, and does not count."""
        times = timing.NOTIFY_CONNECT_SECONDS, timing.NOTIFY_ANSWER_SECONDS
        # Such a time-out begins anew with each byte.
        late = threading.Timer(times[1], self._connections.cut)
        late.daemon = True
        late.start()
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
                if answer.status_code >= 200:
                    _read_short(answer)
                return answer
        except (requests.RequestException, OSError, ValueError) as error:
            raise _failure(error, late=self._connections.was_cut) from error
        finally:
            late.cancel()
            # It may be cutting already, and must not cut the next event off.
            late.join()
            self._connections.was_cut = False

    def _redirected(self, url: str, answer: requests.Response) -> str:
        """Return where to post an event instead.

        :raises NotDelivered: on another server, or nowhere.
        """
        location = answer.headers.get('Location', '')
        with contextlib.suppress(ValueError):
            where = urls.split(urllib.parse.urljoin(url, location))[0]
            if urls.origin(where) == urls.origin(url):
                return where
        raise NotDelivered(_('it redirects to another server'))


class _Connections(adapters.HTTPAdapter):
    """Connections of which the last one can be cut off."""

    was_cut = False
    _last: ty.Any = None

    def get_connection_with_tls_context(
        self, *args: ty.Any, **kwargs: ty.Any
    ) -> ty.Any:
        """Return a pool whose connections are known."""
        pool: ty.Any = super().get_connection_with_tls_context(*args, **kwargs)
        if 'ConnectionCls' not in vars(pool):
            make = pool.ConnectionCls

            def connect(*args: ty.Any, **kwargs: ty.Any) -> ty.Any:
                self._last = make(*args, **kwargs)
                return self._last

            pool.ConnectionCls = connect
        return pool

    def cut(self) -> None:
        """End whatever is sent or received."""
        self.was_cut = True
        # AttributeError: it is not connected.
        with contextlib.suppress(AttributeError, OSError):
            self._last.sock.shutdown(socket.SHUT_RDWR)


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


def _read_short(answer: requests.Response) -> None:
    """Read a short body: then the connection is good for another event."""
    length = answer.raw.length_remaining
    if length is not None and length <= _SHORT:
        with contextlib.suppress(Exception):
            # As it is: decoded, it may be of any size.
            answer.raw.read(decode_content=False)


def _check(answer: requests.Response) -> None:
    """Check that a receiver has taken an event.

    :raises NotDelivered: it has not.
    """
    status = answer.status_code
    if 200 <= status < 300:
        return
    reason = _('it answers HTTP %d') % status
    if status >= 200 and status not in _PASSING:
        raise NotDelivered(reason)
    wanted = answer.headers.get('Retry-After', '')
    after = float(wanted) if wanted.isdecimal() else None
    raise NotDelivered(reason, may_retry=True, retry_after=after)


def _failure(error: Exception, *, late: bool) -> NotDelivered:
    """Return what went wrong, without the URL, which the error repeats.

    :param late: the connection was cut off.
    """
    kinds = requests.exceptions
    if late or isinstance(error, kinds.Timeout):
        return NotDelivered(_('it does not answer in time'), may_retry=True)
    if isinstance(error, kinds.SSLError):
        if 'CERTIFICATE_VERIFY_FAILED' in str(error):
            # The same one would be shown again.
            return NotDelivered(_('its certificate is not valid here'))
        return NotDelivered(_('TLS with it fails'), may_retry=True)
    if isinstance(error, kinds.ProxyError):
        return NotDelivered(_('the proxy does not answer'), may_retry=True)
    if isinstance(error, kinds.InvalidURL):
        return NotDelivered(_('its URL, or that of the proxy, is wrong'))
    if isinstance(error, requests.RequestException):
        return NotDelivered(_('the connection fails'), may_retry=True)
    return NotDelivered(_('the CA certificates cannot be read'))


class _Quiet(logging.Filter):
    """Leaves out what libraries say of our requests: it has their paths."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != delivery.THREAD


# A filter is not inherited.
for _name in (*logging.root.manager.loggerDict,):
    if _name.partition('.')[0] in ('requests', 'urllib3'):
        logging.getLogger(_name).addFilter(_Quiet())
