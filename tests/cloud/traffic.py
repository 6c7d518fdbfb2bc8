# SPDX-License-Identifier: Apache-2.0

"""What users asked of the cloud, and how to spoil it: the tap's other end."""

from __future__ import annotations

import collections
import dataclasses
import re
from typing import Any

import requests

SERVICES = ('compute', 'placement', 'identity')
# uuids with or without dashes, and numbers
_ID = re.compile(
    r'(?<=/)([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|\d+)'
    r'(?=/|$)'
)


@dataclasses.dataclass(frozen=True)
class Request:
    """One request, as it came in.

    :ivar status: what the user saw; None if the connection was reset.
    :ivar microversion: the header as it was sent.
    :ivar action: what a POST to a server's ``action`` asked for.
    :ivar fault: the number of the fault that spoiled it, if one did.
    """

    time: float
    service: str
    method: str
    path: str
    query: str
    status: int | None
    seconds: float
    user_agent: str
    microversion: str
    action: str | None
    fault: int | None

    @property
    def template(self) -> str:
        """The path with every id replaced by ``{id}``."""
        return _ID.sub('{id}', self.path)


class Requests:
    """The log of the users' requests to all services."""

    def __init__(self, taps: dict[str, str], session: requests.Session):
        self._taps = taps
        self._session = session

    def reset(self) -> None:
        for url in self._taps.values():
            self._session.delete(url + '/log').raise_for_status()

    def log(self) -> list[Request]:
        """All requests since the last reset, oldest first."""
        found = []
        for url in self._taps.values():
            answer = self._session.get(url + '/log')
            answer.raise_for_status()
            found += [Request(**record) for record in answer.json()]
        return sorted(found, key=lambda request: request.time)

    def counts(self) -> collections.Counter[tuple[str, str]]:
        """How often each (method, path template) was asked for."""
        return collections.Counter(
            (request.method, request.template) for request in self.log()
        )


class Faults:
    def __init__(self, taps: dict[str, str], session: requests.Session):
        self._taps = taps
        self._session = session

    def add(
        self,
        service: str = 'compute',
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        reset: bool = False,
        delay: float = 0.0,
        share: float = 1.0,
        times: int | None = None,
        after: bool = False,
        headers: dict[str, str] | None = None,
        message: str = '',
    ) -> int:
        """Spoil requests of users, the first fault that fits winning.

        :param path: a regular expression, searched for in the path.
        :param status: answer this instead.
        :param reset: break the connection (RST) instead of answering.
        :param delay: seconds to hold the request first; alone, the request
            then goes on as usual.
        :param share: of the requests that fit, how many; which ones is the
            same after every ``clear()``.
        :param times: stop after so many.
        :param after: let the service do what it was asked, and spoil the
            answer only.
        :param headers: to answer with, as ``Retry-After``; without status,
            in place of the service's own, as a front end's ``Date``.
        :param message: with status: answer as Nova does that refuses.
        :returns: the number that spoiled requests have in the log.
        """
        fault: dict[str, Any] = {
            'method': method,
            'path': path,
            'status': status,
            'reset': reset,
            'delay': delay,
            'share': share,
            'times': times,
            'after': after,
            'headers': headers or {},
            'message': message,
        }
        answer = self._session.post(
            self._taps[service] + '/faults', json=fault
        )
        if answer.status_code != 201:
            raise ValueError(answer.text)
        number: int = answer.json()['id']
        return number

    def clear(self) -> None:
        for url in self._taps.values():
            self._session.delete(url + '/faults').raise_for_status()
