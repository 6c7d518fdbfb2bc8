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

"""Sending requests: what reads is retried, what changes is sent once."""

import collections.abc
import datetime
import email.utils
import typing as ty

from keystoneauth1 import discover
from openstack import exceptions as sdk_exceptions
from openstack import proxy
from openstack import utils
import requests

from osc_hostmaint import exceptions
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import errors

#: Seconds to wait for an answer. OSC sets none, and a request could hang for
#: ever.
TIMEOUT_SECONDS = 60.0

_RETRIES: dict[str, ty.Any] = {
    'connect_retries': 2,
    'status_code_retries': 2,
    'retriable_status_codes': [429, 500, 502, 503, 504],
}

Params = collections.abc.Mapping[str, str]


class Transport:
    """Requests to one service at microversions of our own choice.

    A microversion that the user pinned for other commands must not change
    what these mean, so every request names its own.
    """

    def __init__(self, adapter: proxy.Proxy, name: str):
        """:param name: of the service, for messages: Nova, Placement."""
        self._adapter = adapter
        self._name = name
        #: The service's clock, less ours.
        self.skew = datetime.timedelta()

    def microversion(self, wanted: str, needed: str, feature: str) -> str:
        """Return the microversion to use: at most the one wanted.

        :raises ApiTooOld: the service does not offer the one needed.
        """
        with errors.translated(_('Asking %s for its versions') % self._name):
            found = utils.maximum_supported_microversion(self._adapter, wanted)
        if found is None or (
            discover.normalize_version_number(found)
            < discover.normalize_version_number(needed)
        ):
            raise exceptions.ApiTooOld(
                _(
                    '%(feature)s needs microversion %(needed)s of '
                    '%(service)s, and this cloud offers %(found)s'
                )
                % {
                    'feature': feature,
                    'needed': needed,
                    'service': self._name,
                    'found': found or _('none'),
                }
            )
        return found

    def get(
        self, url: str, microversion: str, params: Params | None = None
    ) -> ty.Any:
        """Return the JSON of an answer; tried again on a failure."""
        with errors.translated(self._doing('GET', url)):
            response = self._adapter.get(
                url,
                params=dict(params or {}),
                microversion=microversion,
                **self._common(),
                **_RETRIES,
            )
            sdk_exceptions.raise_from_response(response)
        self._keep_time(response)
        return response.json()

    def pages(
        self, url: str, key: str, microversion: str, params: Params
    ) -> collections.abc.Iterator[ty.Any]:
        """Yield the entries of a list, page after page.

        The next page is asked for by a marker rather than by the link to it:
        behind a proxy links may lead nowhere.
        """
        marker: dict[str, str] = {}
        while True:
            data = self.get(url, microversion, {**params, **marker})
            yield from data[key]
            if not data.get(f'{key}_links'):
                return
            last = data[key][-1]
            marker = {'marker': last.get('uuid') or last['id']}

    def put(self, url: str, microversion: str, body: ty.Any) -> ty.Any:
        """Send a change once and return the JSON of its answer."""
        with errors.translated(self._doing('PUT', url)):
            response = self._adapter.put(
                url, json=body, microversion=microversion, **self._common()
            )
            sdk_exceptions.raise_from_response(response)
        return response.json()

    def post(self, url: str, microversion: str, body: ty.Any) -> None:
        """Send a request for a change once."""
        doing = f'{self._doing("POST", url)} {next(iter(body))}'
        with errors.translated(doing):
            response = self._adapter.post(
                url, json=body, microversion=microversion, **self._common()
            )
            sdk_exceptions.raise_from_response(response)

    def _doing(self, method: str, url: str) -> str:
        return f'{self._name}: {method} {url}'

    def _common(self) -> dict[str, ty.Any]:
        timeout = self._adapter.session.timeout or TIMEOUT_SECONDS
        return {'timeout': timeout}

    def _keep_time(self, response: requests.Response) -> None:
        """Learn the service's time, whose records we compare times with."""
        date = email.utils.parsedate_to_datetime(
            response.headers.get('Date', email.utils.formatdate(usegmt=True))
        )
        self.skew = date - datetime.datetime.now(datetime.UTC)
