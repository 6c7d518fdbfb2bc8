# SPDX-License-Identifier: Apache-2.0

"""Sending requests: what may be repeated is retried, all else sent once."""

from collections import abc
import contextlib
import functools
import logging
import typing as ty

from keystoneauth1 import discover
from openstack import exceptions as sdk_exceptions
from openstack import proxy
import requests

from osc_hostmaint import exceptions
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import errors
from osc_hostmaint.planning import timing

LOG = logging.getLogger(__name__)

_RETRIES: dict[str, ty.Any] = {
    'connect_retries': timing.REQUEST_RETRIES,
    'status_code_retries': timing.REQUEST_RETRIES,
    'retriable_status_codes': [429, 500, 502, 503, 504],
}
#: Said aloud: clouds.yaml may ask for retries of everything.
_ONCE: dict[str, ty.Any] = {'connect_retries': 0, 'status_code_retries': 0}


def _log_retry_as_debug(record: logging.LogRecord) -> bool:
    """Log a retry for who debugs; to all others only its end is news."""
    if record.levelno == logging.WARNING:
        record.levelno, record.levelname = logging.DEBUG, 'DEBUG'
    return True


LOG.addFilter(_log_retry_as_debug)


class Transport:
    """Requests to one service at microversions of our own choice.

    A microversion that the user pinned for other commands must not change
    what these mean, so every request names its own.
    """

    def __init__(self, adapter: proxy.Proxy, name: str, base: str, about: str):
        """:param name: of the service, for messages.

        :param base: a microversion that every release knows.
        :param about: the key of its versions, in what it says of itself.
        """
        self._adapter, self._name, self._about = adapter, name, about
        #: The microversion of requests that name none.
        self.version = base
        #: Why the service may fail now, as far as that is known.
        self.hint = ''
        #: Of so many entries a page is full at the soonest (`max_limit`).
        self._full_page = 1

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
                    'service': self._name,
                    'offered': offered or _('none'),
                }
            )
        return min(wanted, offered, key=number)

    @functools.cached_property
    def _offered(self) -> str | None:
        """The newest microversion of the service."""
        with errors.translated(_('Asking %s for its versions') % self._name):
            about = self._adapter.get_endpoint_data()
        if about and about.max_microversion:
            return discover.version_to_string(about.max_microversion)
        # Discovery takes an API that does not answer for one without
        # versions: ask again, to see the error. Still at the base version.
        found = self.get('/', self._about)
        # Of one version (Nova), or a list of them (Placement).
        latest = found[-1] if isinstance(found, list) else found
        newest: str | None = latest.get('version') or latest.get('max_version')
        return newest

    def ask(
        self, url: str, *keys: str, version: str = '', **params: str
    ) -> ty.Any:
        """Return a whole answer, which has these keys; retried on a failure.

        :raises Unavailable: it has not.
        """
        return self._read('GET', url, keys, version, params=params)

    def get(self, url: str, key: str, **params: str) -> ty.Any:
        """Return an answer, which is under a key; retried on a failure."""
        return self.ask(url, key, **params)[key]

    def pages(self, url: str, key: str, **params: str) -> abc.Iterator[ty.Any]:
        """Yield the entries of a list, page after page.

        The next page is asked for by a marker rather than by the link to it:
        behind a proxy links may lead nowhere.
        """
        while True:
            data = self.ask(url, key, **params)
            # Of instance actions the key is the shorter one.
            links = data.get(f'{key}_links') or data.get('links')
            self._learn_page(len(data[key]) + (0 if links else 1))
            yield from data[key]
            if not (data[key] and links):
                return
            last = data[key][-1]
            marker = last.get('uuid') or last.get('id') or last['request_id']
            params['marker'] = marker

    def offset_pages(
        self, url: str, key: str, **params: str
    ) -> abc.Iterator[ty.Any]:
        """Yield the entries of a list whose pages have no links.

        The last page is the one that is not full. The size of a full page is
        learned from other pages.
        """
        offset = 0
        while True:
            found = self.get(url, key, **params)
            yield from found
            if len(found) < self._full_page:
                return
            self._learn_page(len(found))
            offset += len(found)
            params['offset'] = str(offset)

    def _learn_page(self, entries: int) -> None:
        """Take note that the service gives so many entries at once."""
        self._full_page = max(self._full_page, entries)

    def put(
        self, url: str, key: str, body: ty.Any, version: str = ''
    ) -> ty.Any:
        """Set something and return the answer, which is under a key.

        Retried on a failure: what is so already may be set once more.
        """
        return self._read('PUT', url, (key,), version, json=body)[key]

    def post(self, url: str, body: ty.Any, version: str = '') -> None:
        """Send a request for a change once."""
        what = next(iter(body))
        self._send('POST', url, version, what, json=body, **_ONCE)

    def delete(self, url: str) -> None:
        """Send a request to end something once."""
        self._send('DELETE', url, '', **_ONCE)

    def _read(
        self, method: str, url: str, keys: ty.Any, version: str, **more: ty.Any
    ) -> ty.Any:
        """Return the JSON of an answer; retried on a failure.

        :raises Unavailable: that is no answer of the service's, though its
            status says so: a proxy's page, for instance.
        """
        response = self._send(method, url, version, **more, **_RETRIES)
        with contextlib.suppress(ValueError):
            data = response.json()
            if isinstance(data, dict) and data.keys() >= set(keys):
                return data
        type_ = response.headers.get('Content-Type', _('of no type'))
        raise exceptions.Unavailable(
            _(
                '%(doing)s: the answer lacks %(key)s (HTTP %(status)s, '
                '%(type)s): check whether a proxy answers in its place'
            )
            % {
                'doing': f'{self._name}: {method} {url}',
                'key': ', '.join(keys),
                'status': response.status_code,
                'type': errors.one_line(type_),
            }
        )

    def _send(
        self, method: str, url: str, version: str, *what: str, **more: ty.Any
    ) -> requests.Response:
        doing = ' '.join((f'{self._name}: {method}', url, *what))
        with errors.translated(doing, self.hint):
            response = self._adapter.request(
                url,
                method,
                microversion=version or self.version,
                # clouds.yaml may ask for answers from a cache.
                skip_cache=True,
                logger=LOG,
                **more,
            )
            sdk_exceptions.raise_from_response(response)
        return response
