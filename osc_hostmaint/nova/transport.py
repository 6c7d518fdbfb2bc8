# SPDX-License-Identifier: Apache-2.0

"""Sending requests: questions are repeated, all else is sent once."""

from collections import abc
import contextlib
import functools
import http
import logging
import time
import typing as ty
import urllib.parse

from keystoneauth1 import discover
from keystoneauth1 import session as ksa_session
from openstack import exceptions as sdk_exceptions
from openstack import proxy
import requests

from osc_hostmaint import exceptions
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import errors
from osc_hostmaint.planning import timing

LOG = logging.getLogger(__name__)

#: An answer that is larger is not one of Nova's: 1,000 servers take 10 MB.
MAX_BYTES = 256 * 2**20
#: And of one that is an error.
_MAX_FAULT_BYTES = 2**20
_CHUNK_BYTES = 2**16
#: A proxy may add a slash, or the like.
_MAX_REDIRECTS = 3
#: What reading an answer raises that has another form than it should.
_MALFORMED = (
    *(ArithmeticError, AttributeError, LookupError, RecursionError),
    *(TypeError, ValueError),
)
#: Said aloud: clouds.yaml may ask for retries of everything, and
#: keystoneauth1 obeys any Retry-After. Redirects would carry the token to
#: another origin.
_ONCE: dict[str, ty.Any] = {
    'connect_retries': 0,
    'status_code_retries': 0,
    'redirect': False,
}

_T = ty.TypeVar('_T')


@contextlib.contextmanager
def discovering(
    session: ksa_session.Session, doing: str
) -> abc.Iterator[None]:
    """Let keystoneauth1 ask by itself, and follow no redirects.

    The token would go along.

    :param doing: what is looked for, to begin a message with.
    """
    with _reading(doing), errors.translated(doing):
        # Keystone is asked before, as for all other commands.
        session.get_auth_headers()
        before, session.redirect = session.redirect, False
        try:
            yield
        finally:
            session.redirect = before


@contextlib.contextmanager
def _reading(doing: str) -> abc.Iterator[None]:
    """Take what cannot be read for no answer.

    :raises Unavailable: an answer has another form than it should.
    """
    try:
        yield
    except _MALFORMED as error:
        raise exceptions.Unavailable(
            _(
                '%s: a part of the answer cannot be read: check the endpoint '
                'in the catalog, and whether a proxy answers in its place '
                '(--debug shows the answer)'
            )
            % doing
        ) from error


def path(*parts: str | int) -> str:
    """Return a path of a URL: ids and names are quoted."""
    return ''.join(f'/{urllib.parse.quote(str(p), safe="")}' for p in parts)


class Pause:
    """Waits between attempts, unless the user wants to stop."""

    def __init__(self) -> None:
        #: Tells whether the user wants to stop, or the time is up.
        self.stopping: abc.Callable[[], bool] = bool

    @contextlib.contextmanager
    def heeding(self, stopping: abc.Callable[[], bool]) -> abc.Iterator[None]:
        """Let something else tell meanwhile whether to stop."""
        before, self.stopping = self.stopping, stopping
        try:
            yield
        finally:
            self.stopping = before

    def after(self, error: exceptions.Unavailable, attempt: int) -> bool:
        """Wait after an attempt that failed; tell whether to try again.

        As long as the service asks for, but not longer than a minute.

        :param attempt: how many have failed.
        """
        if attempt > timing.REQUEST_RETRIES or self.stopping():
            return False
        seconds = min(
            error.retry_after
            or timing.REQUEST_PAUSE_SECONDS * 2 ** (attempt - 1),
            timing.REQUEST_PAUSE_MOST_SECONDS,
        )
        if seconds >= timing.REQUEST_PAUSE_SAID_SECONDS:
            LOG.warning(
                _('%(error)s; trying again in %(seconds).0f s'),
                {'error': error, 'seconds': seconds},
            )
        while seconds > 0:
            time.sleep(min(seconds, timing.INTERRUPT_CHECK_SECONDS))
            seconds -= timing.INTERRUPT_CHECK_SECONDS
            if self.stopping():
                return False
        return True


class Transport:
    """Requests to one service at microversions of our own choice.

    A microversion that the user pinned for other commands must not change
    what these mean, so every request names its own.
    """

    def __init__(
        self,
        adapter: proxy.Proxy,
        name: str,
        base: str,
        about: str,
        pause: Pause,
    ):
        """:param name: of the service, for messages.

        :param base: a microversion that every release knows.
        :param about: the key of its versions, in what it says of itself.
        :param pause: waits before a question is repeated.
        """
        self._adapter, self.name, self._about = adapter, name, about
        self._pause = pause
        #: The microversion of requests that name none.
        self.version = base
        #: Why the service may fail now, as far as that is known.
        self.hint = ''
        #: Of so many entries a page is full at the soonest (`max_limit`).
        self.full_page = 1

    def microversion(
        self, wanted: str, feature: str = '', needed: str = ''
    ) -> str:
        """Return the microversion to use: at most the one wanted.

        :param feature: what needs it, for the message of an error.
        :param needed: the least that will do; '': the one wanted.
        :raises ApiTooOld: the service does not offer the one needed.
        """
        number = discover.normalize_version_number
        needed, offered = needed or wanted, self._offered
        if not offered or number(offered) < number(needed):
            raise exceptions.ApiTooOld(
                _(
                    '%(feature)s needs microversion %(needed)s of '
                    '%(service)s, but this cloud offers %(offered)s'
                )
                % {
                    'feature': feature,
                    'needed': needed,
                    'service': self.name,
                    'offered': offered or _('none'),
                }
            )
        return min(wanted, offered, key=number)

    @functools.cached_property
    def _offered(self) -> str | None:
        """The newest microversion of the service."""
        doing = _('Asking %s for its versions') % self.name
        with errors.translated(doing):
            # It raises where the service is not in the catalog.
            session = self._adapter.session
        with discovering(session, doing):
            about = self._adapter.get_endpoint_data()
        if about and about.max_microversion:
            return discover.version_to_string(about.max_microversion)
        # Discovery takes an API that does not answer for one without
        # versions: ask again, to see the error. Still at the base version.
        return self.get('/', self._about, _newest_version)

    def ask(
        self,
        url: str,
        *keys: str,
        read: abc.Callable[[ty.Any], _T],
        version: str = '',
        **params: str,
    ) -> _T:
        """Return what is read from an answer that has these keys.

        :raises Unavailable: there is none, or it cannot be read.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._ask(
                    'GET', url, keys, version, read, params=params
                )
            except exceptions.Unavailable as error:
                if not self._pause.after(error, attempt):
                    raise

    def get(
        self,
        url: str,
        key: str,
        read: abc.Callable[[ty.Any], _T],
        version: str = '',
        **params: str,
    ) -> _T:
        """Return what is read from the part of an answer under a key."""
        under_key = _under(key, read)
        return self.ask(url, key, read=under_key, version=version, **params)

    def get_once(
        self, url: str, key: str, read: abc.Callable[[ty.Any], _T]
    ) -> _T:
        """Do the same, without asking again if there is no answer."""
        return self._ask('GET', url, (key,), '', _under(key, read))

    def put(
        self,
        url: str,
        key: str,
        body: ty.Any,
        read: abc.Callable[[ty.Any], _T],
        version: str = '',
    ) -> _T:
        """Set something once, and return what is read from the answer.

        It is under a key. Whether to repeat it after a failure is to be
        decided by how things are then.
        """
        under_key = _under(key, read)
        return self._ask('PUT', url, (key,), version, under_key, json=body)

    def post(self, url: str, body: ty.Any, version: str = '') -> None:
        """Send a request for a change once."""
        what = next(iter(body))
        self._send('POST', url, version, what, json=body)

    def change(self, method: str, url: str) -> None:
        """Send a request for a change that has no body, once."""
        self._send(method, url, '')

    def _ask(
        self,
        method: str,
        url: str,
        keys: abc.Iterable[str],
        version: str,
        read: abc.Callable[[ty.Any], _T],
        **more: ty.Any,
    ) -> _T:
        """Return what is read from the JSON of an answer.

        :raises Unavailable: that is no answer of the service's, though its
            status says so: a proxy's page, for instance. Or a part of it
            cannot be read.
        """
        response = self._send(method, url, version, **more)
        doing = f'{self.name}: {method} {url}'
        try:
            data = response.json()
        except (ValueError, RecursionError):
            data = None
        if isinstance(data, dict) and data.keys() >= set(keys):
            with _reading(doing):
                return read(data)
        type_ = response.headers.get('Content-Type', _('of no type'))
        raise exceptions.Unavailable(
            _(
                '%(doing)s: the answer lacks %(key)s (HTTP %(status)s, '
                '%(type)s): check whether a proxy answers in its place'
            )
            % {
                'doing': doing,
                'key': ', '.join(keys),
                'status': response.status_code,
                'type': errors.one_line(type_),
            }
        )

    def _send(
        self, method: str, url: str, version: str, *what: str, **more: ty.Any
    ) -> requests.Response:
        doing = ' '.join((f'{self.name}: {method}', url, *what))
        with errors.translated(doing, self.hint):
            response = self._request(doing, method, url, version, **more)
            if method == 'GET':
                for _redirect in range(_MAX_REDIRECTS):
                    target = _same_origin_target(response)
                    if not target:
                        break
                    response = self._request(doing, method, target, version)
            sdk_exceptions.raise_from_response(response)
        if response.status_code >= http.HTTPStatus.MULTIPLE_CHOICES:
            target = response.headers.get('Location', _('nowhere'))
            raise exceptions.Unavailable(
                _(
                    '%(doing)s: the answer leads to %(target)s (HTTP '
                    '%(status)s), which is not followed: check the endpoint '
                    'in the catalog, and whether a proxy answers in its place'
                )
                % {
                    'doing': doing,
                    'target': errors.one_line(target),
                    'status': response.status_code,
                }
            )
        return response

    def _request(
        self,
        doing: str,
        method: str,
        url: str,
        version: str,
        **more: ty.Any,
    ) -> requests.Response:
        with _reading(doing):
            response: requests.Response = self._adapter.request(
                url,
                method,
                microversion=version or self.version,
                # clouds.yaml may ask for answers from a cache.
                skip_cache=True,
                stream=True,
                **_ONCE,
                **more,
            )
        content = bytearray()
        for chunk in response.iter_content(_CHUNK_BYTES):
            content += chunk
            if len(content) > (MAX_BYTES if response.ok else _MAX_FAULT_BYTES):
                response.close()
                raise exceptions.Unavailable(
                    _(
                        '%(doing)s: the answer (HTTP %(status)s) is too '
                        'large: check whether a proxy answers in its place'
                    )
                    % {'doing': doing, 'status': response.status_code}
                )
        # requests itself knows no limit.
        response._content = bytes(content)
        return response


def _under(
    key: str, read: abc.Callable[[ty.Any], _T]
) -> abc.Callable[[ty.Any], _T]:
    return lambda data: read(data[key])


def _newest_version(about: ty.Any) -> str | None:
    # Of one version (Nova), or a list of them (Placement).
    latest = about[-1] if isinstance(about, list) else about
    newest: str | None = latest.get('version') or latest.get('max_version')
    return newest


def _same_origin_target(response: requests.Response) -> str:
    """Return where an answer leads to within its own origin, or ''."""
    if not response.is_redirect:
        return ''
    location = response.headers['location']
    target = urllib.parse.urljoin(response.url, location)
    origin, other = map(urllib.parse.urlsplit, (response.url, target))
    same = (origin.scheme, origin.netloc) == (other.scheme, other.netloc)
    return target if same else ''
