# SPDX-License-Identifier: Apache-2.0

"""Lists that come in pages, read to their end.

Others change what is listed meanwhile, and what answers may not be Nova.
"""

from collections import abc
import dataclasses
import functools
import re
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import records
from osc_hostmaint.nova import transport
from osc_hostmaint.planning import timing

#: How a service says that what a marker names was deleted (400).
_MARKER_NOT_FOUND = re.compile('marker .*not.* found', re.IGNORECASE)

_T = ty.TypeVar('_T')


@dataclasses.dataclass(frozen=True, slots=True)
class _Page(ty.Generic[_T]):
    """A page of a list."""

    #: What a marker calls each entry, and what was read of it.
    entries: tuple[tuple[str, _T], ...]
    #: There is a link to the next page.
    linked: bool

    @property
    def ids(self) -> list[str]:
        return [id_ for id_, _entry in self.entries]


def pages(
    service: transport.Transport,
    url: str,
    key: str,
    read: abc.Callable[[ty.Any], _T],
    **params: str,
) -> abc.Iterator[_T]:
    """Yield what is read from the entries of a list, page after page.

    The next page is asked for by a marker rather than by the link to it:
    behind a proxy links may lead nowhere. Where what the marker names was
    deleted meanwhile, the list is begun again.

    :raises Unavailable: the list has no end: a page comes again.
    """
    known: set[str] = set()
    markers: list[str] = []
    restarts = 0
    while True:
        marker = {'marker': markers[-1]} if markers else {}
        try:
            page = _ask(service, url, key, read, **params, **marker)
        except exceptions.RequestRefused as error:
            lost = markers and _MARKER_NOT_FOUND.search(str(error))
            if not lost or restarts >= timing.REQUEST_RETRIES:
                raise
            restarts += 1
            markers.clear()
            continue
        comes_again = page.ids and page.ids[0] in known and not restarts
        if comes_again:
            raise _endless(service, url)
        count = len(page.entries)
        _learn_page(service, count + (0 if page.linked else 1))
        yield from (entry for id_, entry in page.entries if id_ not in known)
        known.update(page.ids)
        if not (count and page.linked):
            return
        if page.ids[-1] in markers:
            raise _endless(service, url)
        markers.append(page.ids[-1])


def offset_pages(
    service: transport.Transport,
    url: str,
    key: str,
    read: abc.Callable[[ty.Any], _T],
    **params: str,
) -> abc.Iterator[_T]:
    """Yield what is read from a list whose pages have no links.

    The last page is the one that is not full. The size of a full page is
    learned from other pages. What was added meanwhile may shift others to the
    next page; they are yielded once.

    :raises Unavailable: the list has no end: a page comes again.
    """
    known: set[str] = set()
    read_so_far = 0
    while True:
        offset = {'offset': str(read_so_far)} if read_so_far else {}
        page = _ask(service, url, key, read, **params, **offset)
        full = len(page.entries) >= service.full_page
        if full and known.issuperset(page.ids):
            raise _endless(service, url)
        yield from (entry for id_, entry in page.entries if id_ not in known)
        known.update(page.ids)
        if not full:
            return
        _learn_page(service, len(page.entries))
        read_so_far += len(page.entries)


def _ask(
    service: transport.Transport,
    url: str,
    key: str,
    read: abc.Callable[[ty.Any], _T],
    **params: str,
) -> _Page[_T]:
    return service.ask(
        url, key, read=functools.partial(_page, key, read), **params
    )


def _page(
    key: str, read: abc.Callable[[ty.Any], _T], data: ty.Any
) -> _Page[_T]:
    # Of instance actions the key is the shorter one.
    links = data.get(f'{key}_links') or data.get('links')
    return _Page(
        tuple(
            (_marker(entry), read(entry))
            for entry in records.listed(data[key])
        ),
        bool(links),
    )


def _marker(entry: ty.Any) -> str:
    return str(entry.get('uuid') or entry.get('id') or entry['request_id'])


def _learn_page(service: transport.Transport, entries: int) -> None:
    """Take note that a service gives so many entries at once."""
    service.full_page = max(service.full_page, entries)


def _endless(service: transport.Transport, url: str) -> exceptions.Unavailable:
    return exceptions.Unavailable(
        _(
            '%(service)s: GET %(url)s: the list has no end, as a page comes '
            'again: check whether a proxy answers in its place'
        )
        % {'service': service.name, 'url': url}
    )
